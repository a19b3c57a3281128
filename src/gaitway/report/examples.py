"""Some probes with the gallery sequences nearest to them, as strips of silhouettes, right and wrong marked."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from gaitway.data.store import Store
from gaitway.evaluation import EmbeddingSet
from gaitway.report.searches import Search
from gaitway.report.strips import data_uri, strip_of


def example_cards(searches: Sequence[Search], embeddings: EmbeddingSet, store: Store | None) -> str:
    """A card for each search, as HTML; without a store (or silhouettes in it) without pictures."""
    rows: dict[str, int] = {}
    if store is not None and "silhouettes" in store.manifest.modalities:
        rows = {info.name: row for row, info in enumerate(store.index) if "silhouettes" in info.num_frames}

    def picture(position: int) -> str:
        name = embeddings.names[position]
        if store is None or name not in rows:
            return ""
        uri = data_uri(strip_of(store, rows[name]))
        return f'<img class="strip" alt="Silhouettes of {escape(name)} over about one gait cycle" src="{uri}">'

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
