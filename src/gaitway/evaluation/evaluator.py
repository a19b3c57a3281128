"""One evaluator for all protocols: embeddings and a protocol in, figures out.

The distances from all probes to the whole gallery are computed once, in blocks of probes, and each block is reduced at
once to a few numbers per probe and gallery group. Memory does not grow with probes × gallery, re-ranked or not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gaitway.evaluation.design import Design, apply_protocol, some
from gaitway.evaluation.distance import PROBES_PER_BLOCK, distance_to
from gaitway.evaluation.embeddings import EmbeddingSet, Progress
from gaitway.evaluation.protocol import Bools, Ints, Protocol
from gaitway.evaluation.ranking import DistanceCounts, rank
from gaitway.evaluation.re_ranking import ReRankedDistance, ReRanking
from gaitway.evaluation.result import Figure, Result, SetResult

CMC_LENGTH = 50

Floats = npt.NDArray[np.float64]


def evaluate(
    embeddings: EmbeddingSet,
    protocol: Protocol,
    *,
    distance: str = "euclidean",
    device: torch.device | str | None = None,
    progress: Progress | None = None,
) -> Result:
    """Evaluate `embeddings` by `protocol`.

    Args:
        embeddings: Of the test subjects' sequences. Those that the protocol does not use are ignored and counted.
        protocol: From `load_protocol`.
        distance: `euclidean` or `cosine`; always in float32.
        device: Where distances are computed; None: where the embeddings are.
        progress: Called with the number of probes that were done since the last call.

    Raises:
        ValueError: when embeddings are not finite, or when the protocol's figures would be undefined or wrong for
            these sequences (see `apply_protocol`).
    """
    designs = apply_protocol(protocol, embeddings.subjects, embeddings.conditions, embeddings.views)
    check_finite(embeddings)
    sets: dict[str, SetResult] = {}
    for design in designs:
        searches = _search(embeddings.embeddings, design, protocol, distance, device, progress)
        sets |= {name: _summarise(name, searches, design, protocol) for name in design.sets}
    gallery = np.unique(np.concatenate([design.gallery for design in designs]))
    used = np.union1d(gallery, np.concatenate([design.probes for design in designs]))
    first = designs[0]
    return Result(
        protocol=protocol.name,
        measures=protocol.measures,
        dataset=protocol.dataset,
        distance=distance,
        rerank="" if protocol.rerank is None else str(protocol.rerank),
        num_gallery=len(gallery),
        num_subjects=len(np.unique(first.subjects[gallery])),
        num_missing=first.missing_gallery,
        num_unused=len(embeddings) - len(used),
        probe_groups=first.probe_groups,
        gallery_groups=first.gallery_groups,
        sets={name: sets[name] for name in protocol.probes},
    )


@dataclass(frozen=True, slots=True)
class _Searches:
    """What is left of the distances: `(probes, gallery groups)` arrays as in `Ranking`, and pair counts per set."""

    first: Ints
    average_precision: Floats
    inverse_negative_penalty: Floats
    num_matches: Ints
    pairs: Mapping[str, DistanceCounts]


@torch.inference_mode()
def _search(
    embeddings: Tensor,
    design: Design,
    protocol: Protocol,
    distance: str,
    device: torch.device | str | None,
    progress: Progress | None,
) -> _Searches:
    """Search every probe in every gallery group."""
    device = torch.device(device) if device is not None else embeddings.device

    def there(numbers: npt.NDArray[np.generic]) -> Tensor:
        return torch.from_numpy(numbers).to(device)

    gallery_subjects, gallery_views = there(design.subjects[design.gallery]), there(design.views[design.gallery])
    starts = np.cumsum([0, *design.group_sizes]).tolist()
    shape = len(design.probes), len(design.group_sizes)
    searches = _Searches(
        first=np.empty(shape, np.int64),
        average_precision=np.empty(shape),
        inverse_negative_penalty=np.empty(shape),
        num_matches=np.empty(shape, np.int64),
        pairs={name: DistanceCounts(device) for name in design.sets},
    )
    member = {name: np.isin(np.arange(len(design.probes)), places) for name, places in design.sets.items()}
    for places, columns, distances in _distances(embeddings, design, distance, protocol.rerank, device):
        rows = design.probes[places]
        of_columns = slice(starts[columns.start], starts[columns.stop])
        matches = there(design.subjects[rows]).unsqueeze(1) == gallery_subjects[of_columns]
        valid = torch.ones_like(matches)
        if protocol.exclude:
            same_view = there(design.views[rows]).unsqueeze(1) == gallery_views[of_columns]
            valid = ~(same_view & matches) if "subject" in protocol.exclude else ~same_view
        for name, counts in searches.pairs.items():
            counted = valid & there(member[name][places]).unsqueeze(1)
            counts.add(distances[counted], matches[counted])
        sizes = design.group_sizes[columns.start : columns.stop].tolist()
        groups = zip(columns, *(torch.split(x, sizes, 1) for x in (distances, matches, valid)), strict=True)
        for column, group_distances, group_matches, group_valid in groups:
            # a gallery of one view is ranked whole: its cell, not its pairs, is left out of the published mean
            ranking = rank(group_distances, group_matches, None if protocol.gallery_by else group_valid)
            searches.first[places, column] = ranking.first.numpy(force=True)
            searches.average_precision[places, column] = ranking.average_precision.numpy(force=True)
            searches.inverse_negative_penalty[places, column] = ranking.inverse_negative_penalty.numpy(force=True)
            searches.num_matches[places, column] = ranking.num_matches.numpy(force=True)
        if progress is not None and columns.stop == len(design.group_sizes):
            progress(len(rows))
    return searches


def _distances(
    embeddings: Tensor, design: Design, distance: str, rerank: ReRanking | None, device: torch.device
) -> Iterator[tuple[Ints, range, Tensor]]:
    """Blocks of probes: their places `(b,)` in the design, gallery groups, and the distances `(b, their gallery)`.

    Re-ranking takes each search for itself: the probes of one group, together with one group of the gallery.
    """
    if rerank is None:
        to_gallery = distance_to(embeddings[design.gallery].to(device), distance)
        for places in _in_blocks(np.arange(len(design.probes))):
            yield places, range(len(design.group_sizes)), to_gallery(embeddings[design.probes[places]].to(device))
        return
    galleries = np.split(design.gallery, np.cumsum(design.group_sizes)[:-1])
    for column, gallery in enumerate(galleries):
        for group in range(len(design.probe_groups)):
            of_group = np.flatnonzero(design.probe_group == group)
            search = re_ranked(embeddings, design.probes[of_group], gallery, distance, rerank, device)
            start = 0
            for places in _in_blocks(of_group):
                yield places, range(column, column + 1), search(slice(start, start := start + len(places)))


def _in_blocks(places: Ints) -> list[Ints]:
    return [places[start : start + PROBES_PER_BLOCK] for start in range(0, len(places), PROBES_PER_BLOCK)]


def re_ranked(
    embeddings: Tensor, probes: Ints, gallery: Ints, distance: str, settings: ReRanking, device: torch.device
) -> ReRankedDistance:
    """The re-ranked distances between the rows `probes` and `gallery` of embeddings."""
    both = embeddings[np.concatenate((probes, gallery))].to(device)
    to_both = distance_to(both, distance)
    return ReRankedDistance(
        lambda block: to_both(both[block]), num_probes=len(probes), num_sequences=len(both), settings=settings
    )


def _summarise(name: str, searches: _Searches, design: Design, protocol: Protocol) -> SetResult:
    """The figures of one probe set."""
    places, excluded = design.sets[name], design.excluded_cells
    group = design.probe_group[places]
    first, num_matches = searches.first[places], searches.num_matches[places]
    matched, counts = num_matches > 0, ~excluded[group]  # (probes, gallery groups)
    in_group = (np.arange(len(design.probe_groups))[:, None] == group).astype(np.float64)  # (probe groups, probes)
    num_probes = in_group.sum(1, keepdims=True)
    num_ranks = min(int(design.num_candidates[places].min()), max(CMC_LENGTH, *protocol.ranks))
    cmc = np.stack([100 * (in_group @ (first <= k)) / num_probes for k in range(1, num_ranks + 1)])

    tables = {f"rank-{k}": cmc[k - 1] for k in protocol.ranks}
    num_matched = in_group @ matched
    for key, values in (("mAP", searches.average_precision), ("mINP", searches.inverse_negative_penalty)):
        sums = 100 * (in_group @ np.where(matched, values[places], 0))
        tables[key] = np.divide(sums, num_matched, out=np.full_like(sums, np.nan), where=num_matched > 0)
    chance = 100 * (in_group @ (num_matches / design.num_candidates[places])) / num_probes
    equal_error_rate = searches.pairs[name].equal_error_rate()
    return SetResult(
        num_probes=len(places),
        num_gallery=len(design.gallery),
        num_missing=design.missing_probes[name],
        num_unmatched=int((~matched & counts).sum()),
        chance=_mean(chance, ~excluded),
        figures={key: _figure(table, design, protocol) for key, table in tables.items()},
        equal_error_rate=None if equal_error_rate is None else 100 * equal_error_rate,
        cmc=tuple(_mean(table, ~excluded) for table in cmc),
    )


def _figure(table: Floats, design: Design, protocol: Protocol) -> Figure:
    """A figure from its unrounded table `(probe groups, gallery groups)`, NaN where it is undefined."""
    rounded = table if protocol.decimals is None else np.round(table, protocol.decimals)
    defined = ~np.isnan(table)
    counted = defined & ~design.excluded_cells
    identical = np.diag(rounded)[np.diag(defined)] if protocol.gallery_by else np.empty(0)
    return Figure(
        published=_mean(rounded, counted),
        unrounded=_mean(table, counted),
        including_identical=_mean(rounded, defined) if protocol.gallery_by else None,
        identical_only=float(identical.mean()) if len(identical) else None,
        cells=tuple(tuple(None if np.isnan(cell) else float(cell) for cell in row) for row in rounded),
    )


def _mean(table: Floats, counted: Bools) -> float:
    """Mean over rows of the mean of each row's counted cells, as published; rows without any are left out."""
    num_counted = counted.sum(1)
    rows = num_counted > 0
    return float((np.where(counted, table, 0).sum(1)[rows] / num_counted[rows]).mean())


def check_finite(embeddings: EmbeddingSet) -> None:
    """Raise a ValueError that names the embeddings that are not finite."""
    norms = torch.linalg.vector_norm(embeddings.embeddings, dim=(1, 2))
    bad = torch.nonzero(~torch.isfinite(norms)).squeeze(1).tolist()
    if bad:
        names = embeddings.names
        raise ValueError(
            f"{len(bad)} of {len(embeddings)} embeddings are not finite or too large for float32: "
            f"{some(names[row] for row in bad)}; look at these sequences and at the model's weights"
        )
