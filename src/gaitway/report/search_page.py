"""The report of an architecture search as one HTML page, and its pictures as files."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from importlib.resources import files
from pathlib import Path

from gaitway.report.architecture import architecture_drawing
from gaitway.report.charts import LEFT, MARKERS, Axis, Line, Spot, key, line_chart, scatter_chart
from gaitway.report.contents import versions
from gaitway.report.search_contents import Candidate, SearchContents

FILE_NAME = "report.html"
UNITS = {"macs": ("multiply-adds (G)", 1e9), "parameters": ("parameters (M)", 1e6), "latency": ("ms per clip", 1.0)}
"""Of costs: how they are labelled, and what they are divided by."""
ROWS = 20
GREY, FRONT, BEST = None, 1, 0
LOOKS = {BEST: "the best", FRONT: "no other is better and cheaper", GREY: "others"}
LINES = ("best so far", "best of the generation", "median of the generation")


def write_search_report(contents: SearchContents, folder: Path) -> Path:
    """Write the report of a search and its pictures `front.svg`, `history.svg` and `architecture.svg`.

    Args:
        contents: What to show.
        folder: Of the search; what is there is replaced.

    Returns:
        The HTML file.

    Raises:
        ValueError: when no architecture is evaluated yet.
    """
    if not contents.candidates:
        raise ValueError(f"search {contents.name} has evaluated nothing yet; start `gaitway nas search` again")
    style = (files("gaitway.report") / "style.css").read_text(encoding="utf-8")
    drawings = {"front": front_chart(contents), "history": history_chart(contents), "architecture": drawing(contents)}
    legends: dict[str, dict[int | None, str]] = {"front": LOOKS, "history": dict(enumerate(LINES)), "architecture": {}}
    for name, picture in drawings.items():
        _replace(folder / f"{name}.svg", _alone(picture, style, legends[name]))
    return _replace(folder / FILE_NAME, render(contents, drawings, style))


def render(contents: SearchContents, drawings: Mapping[str, str], style: str) -> str:
    """The report's HTML text.

    Args:
        contents: What to show.
        drawings: `front`, `history` and `architecture`.
        style: The style sheet.
    """
    best = contents.candidates[0]
    accuracy, cost = _axes(contents)
    aims = ", ".join(contents.objectives)
    sections = [
        (
            "What no other beats",
            f"<p>{axis_name(accuracy).capitalize()} against {axis_name(cost)}. Each point is an architecture; those "
            f"on the line are beaten by no other.</p><figure>{drawings['front']}</figure>",
        ),
        ("The best", _table(contents)),
        (
            f"Architecture {' '.join(str(layer.block) for layer in contents.drawn)}",
            "<p>Bars are convolutions (frames × rows × columns), boxes layers, coloured by the block that was chosen; "
            f"an arc is the shortcut of a stage.</p><figure class='scroll'>{drawings['architecture']}</figure>",
        ),
        (
            "History",
            f"<p>{axis_name(contents.objectives[0]).capitalize()} by generation.</p>"
            f"<figure>{drawings['history']}</figure>",
        ),
        ("How this was made", _made(contents)),
    ]
    body = "".join(f"<section><h2>{heading}</h2>{text}</section>" for heading, text in sections)
    blocks = ", ".join(map(str, best.architecture))
    figures = ", ".join(_in_words(name, value) for name, value in best.figures.items())
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Search {escape(contents.name)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<style>{style}</style></head>\n<body><main>"
        '<header class="top"><p class="eyebrow">Gaitway report of a search</p>'
        f"<h1>[{blocks}]</h1><p>The best of <b>{len(contents.candidates):,} architectures</b> that search "
        f"{escape(contents.name)} evaluated, by {escape(aims)}: {escape(figures)}. Accuracies are those with the "
        f"supernet's weights; trained on its own, an architecture has others.</p></header>{body}</main></body></html>\n"
    )


def front_chart(contents: SearchContents) -> str:
    """The architectures by accuracy and cost, with a line through those that no other beats."""
    y, x = _axes(contents)
    best = contents.candidates[0]
    spots = [
        Spot(_scaled(x, one), _scaled(y, one), _title(one), BEST if one is best else FRONT if one.on_front else GREY)
        for one in contents.candidates
    ]
    return scatter_chart(
        spots,
        _stairs(sorted((_scaled(x, one), _scaled(y, one)) for one in contents.candidates if one.on_front)),
        description=f"{axis_name(y)} against {axis_name(x)} of {len(spots)} architectures",
        x_axis=Axis(axis_name(x)),
        y_axis=Axis(axis_name(y)),
        legend="".join(f"<span>{key(look)}{text}</span>" for look, text in LOOKS.items()),
    )


def history_chart(contents: SearchContents) -> str:
    """The first objective by generation: the best so far, the best and the median of each."""
    name = contents.objectives[0]
    scale = UNITS[name][1] if name in UNITS else 1.0
    generations = [float(generation) for generation, *_ in contents.history]
    lines = [
        Line(label, generations, [row[column + 1] / scale for row in contents.history], column)
        for column, label in enumerate(LINES)
    ]
    return line_chart(
        lines,
        description=f"{name} by generation",
        x_axis=Axis("generation", low=0, high=max(1.0, generations[-1]), whole=True),
        y_axis=Axis(axis_name(name)),
    )


def drawing(contents: SearchContents) -> str:
    """The architecture that is to be drawn."""
    return architecture_drawing(contents.drawn, small=all(layer.stage != 1 for layer in contents.drawn))


def figure(name: str, value: float) -> str:
    """A figure as it is printed."""
    if name not in UNITS:
        return f"{value:.2f}"
    scaled = value / UNITS[name][1]
    return f"{scaled:,.2f}" if scaled >= 0.1 else f"{scaled:.3g}"


def _stairs(points: Sequence[tuple[float, float]]) -> list[Line]:
    """The line above which there is nothing, from the points that make it; those of equal cost and less are inside."""
    x, y = [points[0][0]], [points[0][1]]
    for cost, accuracy in points[1:]:
        if accuracy > y[-1]:
            x += [cost, cost]
            y += [y[-1], accuracy]
    return [Line("front", x, y, FRONT)] if len(x) > 1 else []


def _axes(contents: SearchContents) -> tuple[str, str]:
    """The accuracy and the cost that the front is drawn by: the first objectives of each kind."""
    accuracy = next(name for name in contents.objectives if name not in UNITS)
    return accuracy, next((name for name in contents.objectives if name in UNITS), "macs")


def axis_name(name: str) -> str:
    """A figure and its unit."""
    return UNITS[name][0] if name in UNITS else f"{name} (%)"


def _in_words(name: str, value: float) -> str:
    words, _, unit = axis_name(name).partition(" (")
    return f"{figure(name, value)} {unit.rstrip(')')} {words}" if unit else f"{figure(name, value)} {words}"


def _scaled(name: str, candidate: Candidate) -> float:
    return candidate.figures[name] / (UNITS[name][1] if name in UNITS else 1.0)


def _title(candidate: Candidate) -> str:
    figures = ", ".join(_in_words(name, value) for name, value in candidate.figures.items())
    return f"[{', '.join(map(str, candidate.architecture))}] {figures}"


def _table(contents: SearchContents) -> str:
    names = list(contents.candidates[0].figures)
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in ["architecture", *map(axis_name, names)])
    body = ""
    for row, one in enumerate(contents.candidates[:ROWS], 1):
        cells = "".join(f"<td>{figure(name, one.figures[name])}</td>" for name in names)
        blocks = f'<td class="blocks">{" ".join(map(str, one.architecture))}</td>'
        mark = "front" if one.on_front else ""
        body += f'<tr><th scope="row">{row}</th>{blocks}{cells}<td>{one.generation}</td><td>{mark}</td></tr>'
    more = len(contents.candidates) - ROWS
    note = f'<p class="note">and {more:,} more, in history.csv</p>' if more > 0 else ""
    return (
        f'<div class="scroll"><table class="figures"><thead><tr><th></th>{head}<th scope="col">generation</th><th></th>'
        f"</tr></thead><tbody>{body}</tbody></table></div>{note}"
    )


def _made(contents: SearchContents) -> str:
    facts = {name: _words(value) for name, value in contents.circumstances.items()}
    facts["multiply-adds"] = f"of a clip of {contents.num_frames} frames"
    if contents.seconds is not None:
        facts["an evaluation"] = f"{contents.seconds:.1f} s (median)"
    facts["report written"] = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    facts["versions"] = ", ".join(f"{name} {number}" for name, number in versions().items())
    terms = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts.items())
    return f'<dl class="facts">{terms}</dl>'


def _words(value: object) -> str:
    if isinstance(value, Mapping):
        return "; ".join(f"{name} {_words(inner)}" for name, inner in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_words, value)) or "none"
    return str(value)


def _alone(picture: str, style: str, legend: Mapping[int | None, str]) -> str:
    """A picture as a file of its own: with the style sheet, a ground, and a legend of looks inside."""
    svg, _, _ = picture.partition("</svg>")
    opening, _, rest = svg.partition(">")
    found = re.search(r'viewBox="0 0 (\S+) (\S+)"', opening)
    assert found is not None
    width, height = map(float, found.groups())
    lines = []
    for row, (look, text) in enumerate(legend.items()):
        shape, css = MARKERS[(look or 0) % len(MARKERS)], "other" if look is None else f"series-{look}"
        y = height + 14 + 18 * row
        lines.append(
            f'<g class="{css}"><path class="full" transform="translate({LEFT} {y:g})" d="{shape}"/></g>'
            f'<text class="tick" x="{LEFT + 10}" y="{y + 4:g}">{escape(text)}</text>'
        )
    taller = height + 18 * len(legend) + 8 * bool(legend)
    opening = opening.replace(found.group(), f'viewBox="-12 -8 {width + 24:g} {taller + 16:g}"')
    style += "svg { background: var(--page); overflow: hidden; font-family: system-ui, sans-serif; }"
    return f'{opening} xmlns="http://www.w3.org/2000/svg"><style>{style}</style>{rest}{"".join(lines)}</svg>\n'


def _replace(path: Path, text: str) -> Path:
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    return partial.replace(path)
