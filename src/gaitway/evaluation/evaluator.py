"""One evaluator for all protocols: embeddings and a protocol in, figures out.

The distances from all probes to the whole gallery are computed once, in blocks of probes, and each block is reduced at
once to a few numbers per probe and gallery group. Memory does not grow with probes × gallery.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gaitway.evaluation.design import Bools, Design, Ints, apply_protocol, some
from gaitway.evaluation.distance import PROBES_PER_BLOCK, distance_to
from gaitway.evaluation.embeddings import EmbeddingSet, Progress
from gaitway.evaluation.protocol import Protocol
from gaitway.evaluation.ranking import DistanceCounts, rank
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
    design = apply_protocol(protocol, embeddings.subjects, embeddings.conditions, embeddings.views)
    _check_finite(embeddings)
    searches = _search(embeddings.embeddings, design, protocol, distance, device, progress)
    return Result(
        protocol=protocol.name,
        measures=protocol.measures,
        dataset=protocol.dataset,
        distance=distance,
        num_gallery=len(design.gallery),
        num_subjects=len(np.unique(design.subjects[design.gallery])),
        num_missing=design.missing_gallery,
        num_unused=len(embeddings) - len(np.union1d(design.probes, design.gallery)),
        probe_groups=design.probe_groups,
        gallery_groups=design.gallery_groups,
        sets={name: _summarise(name, searches, design, protocol) for name in design.sets},
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

    to_gallery = distance_to(embeddings[design.gallery].to(device), distance)
    gallery_subjects, gallery_views = there(design.subjects[design.gallery]), there(design.views[design.gallery])
    group_sizes = design.group_sizes.tolist()
    shape = len(design.probes), len(group_sizes)
    searches = _Searches(
        first=np.empty(shape, np.int64),
        average_precision=np.empty(shape),
        inverse_negative_penalty=np.empty(shape),
        num_matches=np.empty(shape, np.int64),
        pairs={name: DistanceCounts(device) for name in design.sets},
    )
    member = {name: np.isin(np.arange(len(design.probes)), places) for name, places in design.sets.items()}
    for start in range(0, len(design.probes), PROBES_PER_BLOCK):
        block = slice(start, start + PROBES_PER_BLOCK)
        rows = design.probes[block]
        distances = to_gallery(embeddings[rows].to(device))  # (block, gallery)
        matches = there(design.subjects[rows]).unsqueeze(1) == gallery_subjects
        valid = torch.ones_like(matches)
        if protocol.exclude:
            same_view = there(design.views[rows]).unsqueeze(1) == gallery_views
            valid = ~(same_view & matches) if "subject" in protocol.exclude else ~same_view
        for name, counts in searches.pairs.items():
            counted = valid & there(member[name][block]).unsqueeze(1)
            counts.add(distances[counted], matches[counted])
        groups = zip(*(torch.split(x, group_sizes, 1) for x in (distances, matches, valid)), strict=True)
        for column, (group_distances, group_matches, group_valid) in enumerate(groups):
            # a gallery of one view is ranked whole: its cell, not its pairs, is left out of the published mean
            ranking = rank(group_distances, group_matches, None if protocol.gallery_by else group_valid)
            searches.first[block, column] = ranking.first.numpy(force=True)
            searches.average_precision[block, column] = ranking.average_precision.numpy(force=True)
            searches.inverse_negative_penalty[block, column] = ranking.inverse_negative_penalty.numpy(force=True)
            searches.num_matches[block, column] = ranking.num_matches.numpy(force=True)
        if progress is not None:
            progress(len(rows))
    return searches


def _summarise(name: str, searches: _Searches, design: Design, protocol: Protocol) -> SetResult:
    """The figures of one probe set."""
    places, excluded = design.sets[name], design.excluded_cells
    group = design.probe_group[places]
    first, num_matches = searches.first[places], searches.num_matches[places]
    matched, counts = num_matches > 0, ~excluded[group]  # (probes, gallery groups)
    if not (matched & counts).any():
        raise ValueError(
            f"protocol {protocol.name}: no probe of set {name} has a match among the sequences that it is compared "
            "with; add gallery sequences of these subjects in other views"
        )
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


def _check_finite(embeddings: EmbeddingSet) -> None:
    norms = torch.linalg.vector_norm(embeddings.embeddings, dim=(1, 2))
    bad = torch.nonzero(~torch.isfinite(norms)).squeeze(1).tolist()
    if bad:
        names = embeddings.names
        raise ValueError(
            f"{len(bad)} of {len(embeddings)} embeddings are not finite or too large for float32: "
            f"{some(names[row] for row in bad)}; look at these sequences and at the model's weights"
        )
