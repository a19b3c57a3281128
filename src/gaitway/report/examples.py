"""Some probes with the gallery sequences nearest to them, as strips of moments, right and wrong marked."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from gaitway.data.store import Store
from gaitway.evaluation import EmbeddingSet
from gaitway.report.moments import drawable, in_words, lengths
from gaitway.report.searches import Search
from gaitway.report.strips import data_uri, strip_of


def shown_modalities(store: Store | None, modalities: Sequence[str]) -> tuple[str, ...]:
    """What of a store is drawn for a model of these modalities: what the model sees, silhouettes behind skeletons.

    A store that lacks it is drawn as far as it can be; without a store, or when nothing can be drawn, this is empty.
    """
    if store is None:
        return ()
    try:
        found = drawable(store)
    except ValueError:
        return ()
    return found if "poses" in modalities else found[:1]


def example_cards(
    searches: Sequence[Search],
    embeddings: EmbeddingSet,
    store: Store | None,
    modalities: Sequence[str] = ("silhouettes",),
) -> str:
    """A card for each search, as HTML.

    Args:
        searches: What to show.
        embeddings: That were searched.
        store: Whose sequences they are; None: no pictures.
        modalities: What the model takes.
    """
    shown = shown_modalities(store, modalities)
    rows: dict[str, int] = {}
    if store is not None and shown:
        rows = {info.name: row for row, info in enumerate(store.index) if set(info.num_frames) & set(shown)}

    def picture(position: int) -> str:
        name = embeddings.names[position]
        if store is None or name not in rows:
            return ""
        counts = lengths(store, rows[name], shown)
        uri = data_uri(strip_of(store, rows[name], shown))
        what = " and ".join("skeletons" if modality == "poses" else modality for modality in counts).capitalize()
        css = "strip skeletons" if "poses" in shown else "strip"
        image = f'<img class="{css}" alt="{what} of {escape(name)} over about one gait cycle" src="{uri}">'
        unequal = f'<p class="note">{in_words(counts)}: which belong together is not known</p>'
        return image + unequal * (len(set(counts.values())) > 1)

    def caption(position: int) -> str:
        subject, condition, view = (
            escape(names[position]) for names in (embeddings.subjects, embeddings.conditions, embeddings.views)
        )
        return f"<b>{subject}</b> {condition}, view {view}"

    cards = ""
    for found in searches:
        gallery = f"the {found.num_gallery:,} gallery sequences"
        gallery += f" of view {escape(found.gallery_view)}" if found.gallery_view is not None else ""
        matches = "".join(
            f'<li class="{"right" if match.right else "wrong"}">{picture(match.position)}'
            f'<p><span class="mark">{"✓ right" if match.right else "✗ wrong"}</span> {caption(match.position)} '
            f'<span class="distance">{match.distance:.3f}</span></p></li>'
            for match in found.nearest
        )
        verdict = "identified" if found.right else "taken for someone else"
        where = "" if found.right else f" The first right one is number {found.rank}." * (found.rank is not None)
        cards += (
            f'<article class="search {"right" if found.right else "wrong"}"><header>{picture(found.probe)}'
            f"<p>Probe {caption(found.probe)} <span>({escape(found.probe_set)}), {verdict}</span></p></header>"
            f'<p class="note">Nearest of {gallery}, with their distance.{where}</p><ol>{matches}</ol></article>'
        )
    return f'<div class="searches">{cards}</div>'
