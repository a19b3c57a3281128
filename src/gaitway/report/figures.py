"""The figures of a report: result tables, heat maps by view, and cumulative match curves."""

from __future__ import annotations

import math
from collections.abc import Mapping
from html import escape

from gaitway.evaluation import Figure, Result
from gaitway.report.charts import Axis, Line, line_chart
from gaitway.report.contents import Contents, comparison

SET_MEANINGS = {"NM": "normal walking", "BG": "carrying a bag", "CL": "in a coat"}
CMC_RANKS = 20


def percent(value: float | None, decimals: int = 1) -> str:
    """A percentage without its sign; a dash where there is none."""
    return "–" if value is None or math.isnan(value) else f"{value:.{decimals}f}"


def tiles(contents: Contents) -> str:
    """The rank-1 of each probe set, large, above a bar with the marks of what to compare it with."""
    run, *others = comparison(contents)
    parts = []
    for name, value in run.across.items():
        marks = [(row.method, row.across[name]) for row in others if name in row.across]
        ticks = "".join(f'<b style="left:{figure:.1f}%" class="tick-{i}"></b>' for i, (_, figure) in enumerate(marks))
        text = "".join(
            f'<dt><i class="tick-{i}"></i>{escape(method)}</dt><dd>{percent(figure)}</dd>'
            for i, (method, figure) in enumerate(marks)
        )
        meaning = f" <span>{SET_MEANINGS[name]}</span>" if name in SET_MEANINGS else ""
        parts.append(
            f'<div class="tile"><h3>{escape(name)}{meaning}</h3><p class="big">{percent(value)}<small> %</small></p>'
            f'<div class="bar"><i style="width:{value:.1f}%"></i>{ticks}</div><dl>{text}</dl></div>'
        )
    return f'<div class="tiles">{"".join(parts)}</div>'


def comparison_table(contents: Contents) -> str:
    """Rank-1 of this run beside the published figures, other methods and guessing."""
    rows = comparison(contents)
    sets = list(contents.results[0].sets)
    groups = [("across views", "across")] + [("same view", "same_view")] * any(row.same_view for row in rows)
    if len(groups) == 1:
        groups = [("rank-1", "across")]
    head = "".join(f'<th colspan="{len(sets)}" scope="colgroup">{title}</th>' for title, _ in groups)
    names = "".join(f'<th scope="col">{escape(name)}</th>' for _ in groups for name in sets)
    body = ""
    for row in rows:
        values: list[Mapping[str, float]] = [getattr(row, key) for _, key in groups]
        cells = "".join(f"<td>{percent(found.get(name))}</td>" for found in values for name in sets)
        body += f'<tr><th scope="row">{escape(row.method)}</th>{cells}</tr>'
    return _table(f'<tr><th rowspan="2" scope="col">rank-1 in %</th>{head}</tr><tr>{names}</tr>', body, "comparison")


def figures_table(result: Result, published: Mapping[str, Mapping[str, float]] | None = None) -> str:
    """All figures of a result, a row per probe set; below it those `published` beyond rank-1, by figure and set."""
    published = published or {}
    keys = list(next(iter(result.sets.values())).figures)
    with_identical = any(found.figures["rank-1"].including_identical is not None for found in result.sets.values())
    columns = ["probes", *keys, "EER", *["rank-1 incl. same view"] * with_identical]
    body = ""
    for name, found in result.sets.items():
        cells = [f"{found.num_probes:,}", *(percent(found.figures[key].published) for key in keys)]
        cells.append(percent(found.equal_error_rate))
        if with_identical:
            cells.append(percent(found.figures["rank-1"].including_identical))
        body += f'<tr><th scope="row">{escape(name)}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'
        quoted = [percent(published.get(column, {}).get(name)) for column in columns]
        if set(quoted) != {percent(None)}:
            body += f'<tr><th scope="row">published</th>{"".join(f"<td>{cell}</td>" for cell in quoted)}</tr>'
    head = "".join(f'<th scope="col">{column}</th>' for column in columns)
    return _table(f'<tr><th scope="col">set</th>{head}</tr>', body)


def heat_maps(result: Result) -> str:
    """Rank-1 by probe view and gallery view, a table per probe set."""
    return (
        '<div class="heats">'
        + "".join(_heat_map(name, found.figures["rank-1"], result) for name, found in result.sets.items())
        + "</div>"
    )


def cmc_chart(contents: Contents) -> str:
    """How often the right subject is among the nearest k, of this run and, dashed, of the other methods."""
    result = contents.results[0]
    lines = []
    for method, found in {"": result, **contents.comparisons}.items():
        for look, (name, of_set) in enumerate(found.sets.items()):
            shares = of_set.cmc[:CMC_RANKS]
            title = f"{name}, {method}" if method else name
            lines.append(Line(title, range(1, len(shares) + 1), shares, look, faint=bool(method)))
    ends = ", ".join(f"{name} {percent(found.cmc[0])} % at rank 1" for name, found in result.sets.items())
    return line_chart(
        lines,
        description=f"Cumulative match curves: {ends}.",
        x_axis=Axis("rank k", low=1, high=max(len(line.x) for line in lines)),
        y_axis=Axis("right subject among the nearest k, %", high=100),
    )


def _heat_map(name: str, figure: Figure, result: Result) -> str:
    head = "".join(f'<th scope="col">{escape(view)}</th>' for view in result.gallery_groups)
    means = figure.per_probe_group()
    body = ""
    for i, view in enumerate(result.probe_groups):
        cells = ""
        for j, value in enumerate(figure.cells[i]):
            excluded = figure.identical_only is not None and i == j
            if value is None:
                cells += "<td>–</td>"
                continue
            css = ("high" if value > 62 else "") + (" excluded" if excluded else "")
            where = f"probe {view}, gallery {result.gallery_groups[j]}: {value:.2f} %"
            cells += f'<td class="{css}" style="--v:{value:.0f}" title="{escape(where)}">{value:.0f}</td>'
        body += (
            f'<tr><th scope="row">{escape(view)}</th>{cells}<td class="mean">{percent(float(means[i]), 0)}</td></tr>'
        )
    meaning = f", {SET_MEANINGS[name]}" if name in SET_MEANINGS else ""
    return (
        f'<figure class="heat"><table><caption>{escape(name)}{meaning}: {percent(figure.published)} %</caption>'
        f'<thead><tr><th class="corner" scope="col"><span>probe ↓ gallery →</span></th>{head}'
        f'<th scope="col" class="mean">mean</th></tr></thead><tbody>{body}</tbody></table></figure>'
    )


def _table(head: str, body: str, css: str = "") -> str:
    return f'<div class="scroll"><table class="figures {css}"><thead>{head}</thead><tbody>{body}</tbody></table></div>'
