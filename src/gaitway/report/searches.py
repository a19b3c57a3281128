"""A few searches of a protocol to look at: a probe, the gallery sequences nearest to it, and whether they are right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gaitway.evaluation import EmbeddingSet, Protocol
from gaitway.evaluation.distance import pairwise_distance

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
    subjects, views = np.array(embeddings.subjects), np.array(embeddings.views)
    gallery = protocol.gallery.rows(embeddings.conditions)
    if gallery_view is not None:
        gallery = gallery[views[gallery] == gallery_view]
    if protocol.exclude:
        same = {"view": views, "subject": subjects}
        gallery = gallery[~np.all([same[key][gallery] == same[key][probe] for key in protocol.exclude], axis=0)]
    if not len(gallery):
        raise ValueError(f"{embeddings.names[probe]}: protocol {protocol.name} leaves no gallery for it")
    vectors: Tensor = embeddings.embeddings
    distances = pairwise_distance(vectors[[probe]], vectors[torch.from_numpy(gallery)], distance)[0].numpy()
    right = subjects[gallery] == subjects[probe]
    order = np.lexsort((right, distances))  # ties count against the probe, as in the figures
    places = np.flatnonzero(right[order])
    return Search(
        probe=probe,
        probe_set=probe_set,
        gallery_view=gallery_view,
        nearest=tuple(Match(int(gallery[i]), float(distances[i]), bool(right[i])) for i in order[:num_nearest]),
        rank=int(places[0]) + 1 if len(places) else None,
        num_gallery=len(gallery),
    )


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
    for name, selection in protocol.probes.items():
        probes = generator.permutation(selection.rows(embeddings.conditions))[:PROBES_LOOKED_AT]
        views = _gallery_views(embeddings, protocol, probes, generator)
        wanted = {True: per_set - per_set // 2, False: per_set // 2}
        of_set: list[Search] = []
        spare: list[Search] = []
        for probe, view in zip(probes, views, strict=True):
            found = search(embeddings, protocol, int(probe), probe_set=name, gallery_view=view, distance=distance)
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
    embeddings: EmbeddingSet, protocol: Protocol, probes: npt.NDArray[np.int64], generator: np.random.Generator
) -> Sequence[str | None]:
    """For each probe the view of the gallery to search, where the protocol searches one view at a time."""
    if protocol.gallery_by is None:
        return [None] * len(probes)
    gallery = protocol.gallery.rows(embeddings.conditions)
    views = np.unique(np.array(embeddings.views)[gallery])
    draws = generator.random((len(probes), len(views)))
    if "view" in protocol.exclude:
        draws[views == np.array(embeddings.views)[probes, None]] = -1
    return [str(views[best]) for best in draws.argmax(axis=1)]
