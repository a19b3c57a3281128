"""A few searches of a protocol to look at: a probe, the gallery sequences nearest to it, and whether they are right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gaitway.evaluation import EmbeddingSet, Protocol
from gaitway.evaluation.distance import pairwise_distance
from gaitway.evaluation.protocol import Ints

PROBES_LOOKED_AT = 200  # per set, to find right and wrong ones


@dataclass(frozen=True, slots=True)
class Match:
    """A gallery sequence that a search found: its position in the embeddings, its distance, and whether it is right."""

    position: int
    distance: float
    right: bool


@dataclass(frozen=True, slots=True)
class Search:
    """One probe compared with one gallery.

    Args:
        probe: Position in the embeddings.
        probe_set: Name of the probe's set.
        gallery_view: The one view of the gallery, or None for all views.
        nearest: The nearest gallery sequences, nearest first.
        rank: Place of the first sequence of the probe's subject, from 1; None when it is not in this gallery.
        num_gallery: Size of the gallery.
    """

    probe: int
    probe_set: str
    gallery_view: str | None
    nearest: tuple[Match, ...]
    rank: int | None
    num_gallery: int

    @property
    def right(self) -> bool:
        """Whether the nearest sequence is of the probe's subject."""
        return self.nearest[0].right


def search(
    embeddings: EmbeddingSet,
    protocol: Protocol,
    probe: int,
    *,
    probe_set: str,
    gallery_view: str | None = None,
    distance: str = "euclidean",
    num_nearest: int = 4,
) -> Search:
    """Search for one sequence in the protocol's gallery.

    Args:
        embeddings: All sequences.
        protocol: Says what the gallery is and which pairs are not compared.
        probe: Position in the embeddings.
        probe_set: Name of the probe's set.
        gallery_view: Compare with the gallery of this view only; None: with all views.
        distance: `euclidean` or `cosine`.
        num_nearest: How many of the nearest to keep.

    Raises:
        ValueError: when nothing is left to compare with.
    """
    galleries, _ = protocol.select(embeddings.subjects, embeddings.conditions, embeddings.views)
    gallery = galleries[probe_set]
    return _search(embeddings, protocol, [probe], gallery, probe_set, gallery_view, distance, num_nearest)[0]


def _search(
    embeddings: EmbeddingSet,
    protocol: Protocol,
    probes: Sequence[int],
    gallery: Ints,
    probe_set: str,
    gallery_view: str | None,
    distance: str,
    num_nearest: int,
) -> list[Search]:
    """Search for some probes of a set in its gallery, or in one view of it; see `search`."""
    subjects, views = np.array(embeddings.subjects), np.array(protocol.view_names(embeddings.views))
    same = {"view": views, "subject": subjects}
    if gallery_view is not None:
        gallery = gallery[views[gallery] == gallery_view]
    vectors: Tensor = embeddings.embeddings
    if len(gallery):
        of_all = pairwise_distance(vectors[list(probes)], vectors[torch.from_numpy(gallery)], distance).numpy()
    found = []
    for number, probe in enumerate(probes):
        valid = np.ones(len(gallery), np.bool_)
        if protocol.exclude:
            valid = ~np.all([same[key][gallery] == same[key][probe] for key in protocol.exclude], axis=0)
        if not valid.any():
            raise ValueError(f"{embeddings.names[probe]}: protocol {protocol.name} leaves no gallery for it")
        compared, distances = gallery[valid], of_all[number, valid]
        right = subjects[compared] == subjects[probe]
        order = np.lexsort((right, distances))  # ties count against the probe, as in the figures
        places = np.flatnonzero(right[order])
        nearest = (Match(int(compared[i]), float(distances[i]), bool(right[i])) for i in order[:num_nearest])
        rank = int(places[0]) + 1 if len(places) else None
        found.append(Search(probe, probe_set, gallery_view, tuple(nearest), rank, len(compared)))
    return found


def example_searches(
    embeddings: EmbeddingSet, protocol: Protocol, *, distance: str = "euclidean", per_set: int = 2
) -> list[Search]:
    """Searches to show: `per_set` of each probe set, half of them wrong ones if there are any, of different subjects.

    The probes are gone through in an order that depends on the test set alone, so a better model is not shown with
    easier probes.
    """
    generator = np.random.default_rng(0)
    chosen: list[Search] = []
    seen: set[str] = set()
    galleries, sets = protocol.select(embeddings.subjects, embeddings.conditions, embeddings.views)
    for name, rows in sets.items():
        probes = generator.permutation(rows)[:PROBES_LOOKED_AT]
        views = _gallery_views(embeddings, protocol, probes, galleries[name], generator)
        searches: dict[int, Search] = {}
        for view in dict.fromkeys(views):
            of_view = [int(probe) for probe, other in zip(probes, views, strict=True) if other == view]
            found_there = _search(embeddings, protocol, of_view, galleries[name], name, view, distance, 4)
            searches |= {found.probe: found for found in found_there}
        wanted = {True: per_set - per_set // 2, False: per_set // 2}
        of_set: list[Search] = []
        spare: list[Search] = []
        for probe in probes.tolist():
            found = searches[probe]
            subject = embeddings.subjects[found.probe]
            if wanted[found.right] and subject not in seen:
                wanted[found.right] -= 1
                seen.add(subject)
                of_set.append(found)
            else:
                spare.append(found)
            if not any(wanted.values()):
                break
        for right, count in wanted.items():
            spare.sort(key=lambda found: found.right != right)
            of_set += spare[:count]
            del spare[:count]
        chosen += sorted(of_set, key=lambda found: not found.right)
    return chosen


def _gallery_views(
    embeddings: EmbeddingSet,
    protocol: Protocol,
    probes: Ints,
    gallery: Ints,
    generator: np.random.Generator,
) -> Sequence[str | None]:
    """For each probe the view of the gallery to search, where the protocol searches one view at a time."""
    if protocol.gallery_by is None:
        return [None] * len(probes)
    names = np.array(protocol.view_names(embeddings.views))
    views = np.unique(names[gallery])
    draws = generator.random((len(probes), len(views)))
    if "view" in protocol.exclude:
        draws[views == names[probes, None]] = -1
    return [str(views[best]) for best in draws.argmax(axis=1)]
