"""The report of a run as one HTML page that needs nothing else: no network, no script, pictures inside."""

from __future__ import annotations

from datetime import UTC, datetime
from html import escape
from importlib.resources import files
from pathlib import Path

from gaitway.data.store import Store
from gaitway.evaluation import Result
from gaitway.report.contents import Contents, versions
from gaitway.report.embedding_map import embedding_map
from gaitway.report.examples import example_cards, shown_modalities
from gaitway.report.figures import cmc_chart, comparison_table, figures_table, heat_maps, tiles
from gaitway.report.searches import example_searches
from gaitway.report.training_curves import training_charts

FILE_NAME = "report.html"


def write_report(contents: Contents, path: str | Path) -> Path:
    """Write a report.

    Args:
        contents: What to show.
        path: The HTML file; an existing one is replaced.

    Returns:
        The path.

    Raises:
        ValueError: when there is no result to show.
    """
    path = Path(path)
    page = render(contents)
    partial = path.with_name(path.name + ".partial")
    partial.write_text(page, encoding="utf-8")
    partial.replace(path)
    return path


def render(contents: Contents) -> str:
    """The report's HTML text; see `write_report`."""
    if not contents.results:
        raise ValueError("there is no result to report; evaluate the run first: `gaitway evaluate RUN --data STORE`")
    result = contents.results[0]
    title = f"{contents.recipe_name} · {result.protocol}"
    sections = [
        ("Rank-1", _rank_1(contents)),
        ("By view", _by_view(result)),
        ("Every figure", _every_figure(contents)),
        ("Training", _training(contents)),
        ("A map of the test set", _map(contents)),
        ("Who was taken for whom", _examples(contents)),
        ("How this was made", _made(contents)),
    ]
    body = "".join(f"<section><h2>{heading}</h2>{text}</section>" for heading, text in sections if text)
    style = (files("gaitway.report") / "style.css").read_text(encoding="utf-8")
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<style>{style}</style></head>\n<body><main>{_header(contents)}{body}</main></body></html>\n"
    )


def _header(contents: Contents) -> str:
    result = contents.results[0]
    probes = sum(found.num_probes for found in result.sets.values())
    return (
        f'<header class="top"><p class="eyebrow">Gaitway report</p><h1>{escape(contents.recipe_name)}</h1>'
        f"<p>{escape(contents.description)} Trained for <b>{contents.step:,} steps</b>, tested on "
        f"<b>{result.num_subjects:,} people</b> of the data set {escape(result.dataset)} whom it has not seen in "
        f"training ({probes:,} probes, {result.num_gallery:,} gallery sequences).</p>"
        f"<p>Protocol <b>{escape(result.protocol)}</b>, {escape(result.how)}. "
        f"{escape(result.measures)}</p>{_notes(result)}</header>"
    )


def _rank_1(contents: Contents) -> str:
    published = contents.published
    if not published.get("rank1"):
        note = "There are no published figures for this recipe and protocol."
    else:
        note = f"Published figures: {escape(published['source'])}"
        if contents.published_steps and contents.published_steps != contents.step:
            share = 100 * contents.step / contents.published_steps
            note += (
                f", after {contents.published_steps:,} steps. This run has {contents.step:,} of them ({share:.3g} %), "
                "so the two are not the same experiment"
            )
        note += "."
    return f'{tiles(contents)}{comparison_table(contents)}<p class="note">{note}</p>'


def _by_view(result: Result) -> str:
    if len(result.gallery_groups) == 1:
        return ""
    excluded = any(found.figures["rank-1"].identical_only is not None for found in result.sets.values())
    note = " Cells with a bar below, where both views are the same, are left out of the means." if excluded else ""
    return (
        "<p>Rank-1 in % for each pair of probe view (row) and gallery view (column): how well a walk is recognised "
        f"from another side.{note}</p>{heat_maps(result)}"
    )


def _every_figure(contents: Contents) -> str:
    first, *others = contents.results
    text = (
        "<p>Rank-k: the right person is among the k nearest gallery sequences. mAP: mean average precision over all "
        "sequences of the right person; mINP: how early the last of them comes. EER: equal-error rate of telling "
        "whether two walks are of the same person, with one threshold for all. All in %.</p>"
        f"{figures_table(first, contents.published.get('figures', {}))}<figure>{cmc_chart(contents)}</figure>"
    )
    for result in others:
        text += (
            f"<h3>Protocol {escape(result.protocol)}</h3><p>{escape(result.measures)} Not to be compared with "
            f"protocol {escape(first.protocol)}.</p>{_notes(result)}{figures_table(result)}"
        )
    return text


def _training(contents: Contents) -> str:
    charts = training_charts(contents.metrics, contents.results[0].protocol)
    figures = "".join(f"<figure>{chart}</figure>" for chart in charts)
    return f'<div class="charts">{figures}</div>' if charts else ""


def _map(contents: Contents) -> str:
    if contents.embeddings is None or contents.protocol is None:
        return '<p class="note">No embeddings at hand: <code>gaitway report RUN --data STORE</code> makes them.</p>'
    chart = embedding_map(contents.embeddings, contents.protocol, distance=contents.results[0].distance)
    return (
        "<p>Each point is a walk; walks with similar embeddings lie close together (t-SNE). A good model gathers all "
        "walks of a person, whatever the view and whatever they wear. Some people are coloured, all others are grey; "
        f"distances across the map mean little.</p><figure>{chart}</figure>"
    )


def _examples(contents: Contents) -> str:
    if contents.embeddings is None or contents.protocol is None:
        return ""
    searches = example_searches(contents.embeddings, contents.protocol, distance=contents.results[0].distance)
    note = "" if contents.store is not None else " With <code>--data STORE</code> they are shown in pictures."
    if contents.results[0].rerank:
        note += " Distances are those before re-ranking."
    return (
        "<p>Probes from a fixed random order, of each set one that was identified and one that was not, where there "
        f"are such.{note}</p>{_sides(contents)}"
        f"{example_cards(searches, contents.embeddings, contents.store, contents.modalities)}"
    )


def _sides(contents: Contents) -> str:
    """How skeletons are drawn, where there are any."""
    if "poses" not in shown_modalities(contents.store, contents.modalities):
        return ""
    return (
        '<p class="legend"><span class="series-0"><i class="swatch"></i>the walker\'s left, dots</span>'
        '<span class="series-1"><i class="swatch ring"></i>the walker\'s right, rings</span>'
        "<span>paler: the detector is less sure; not drawn: it found none</span></p>"
    )


def _made(contents: Contents) -> str:
    date = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    used = ", ".join(f"{name} {number}" for name, number in versions().items())
    facts = {
        key.replace("_", " "): ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        for key, value in contents.circumstances.items()
    }
    facts |= {"report written": date, "versions": used}
    if contents.store is not None:
        facts |= _store_facts(contents.store)
    terms = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts.items())
    recipe = f"<details><summary>The complete recipe</summary><pre>{escape(contents.recipe_yaml)}</pre></details>"
    return f'<dl class="facts">{terms}</dl>{recipe}'


def _store_facts(store: Store) -> dict[str, str]:
    manifest = store.manifest
    facts = {"data set": f"{manifest.dataset}, {manifest.num_subjects:,} people, {manifest.num_sequences:,} sequences"}
    for name, fmt in manifest.modalities.items():
        shape = " × ".join(map(str, fmt.shape))
        kind = "1 bit per pixel" if fmt.compact else fmt.dtype
        facts[name] = f"{manifest.num_frames[name]:,} frames of {shape}, {kind}"
    if manifest.left_out:
        facts["left out of the store"] = ", ".join(f"{count:,} {reason}" for reason, count in manifest.left_out.items())
    facts["how the data set was made"] = ", ".join(f"{key} {value}" for key, value in manifest.made.items())
    facts["checksums (SHA-256)"] = ", ".join(f"{name} {sum_[:16]}…" for name, sum_ in manifest.checksums.items())
    return facts


def _notes(result: Result) -> str:
    return "".join(f'<p class="warning">{escape(note)}</p>' for note in result.notes())
