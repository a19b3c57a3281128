"""k-reciprocal re-ranking (Zhong et al., CVPR 2017, arXiv:1701.08398) in float32, on the device of the distances.

The square matrix of distances over probes and gallery together is never kept: it is asked for in blocks of rows, three
times (nearest neighbours, weights, result). What is kept are the k1 + 1 neighbours of each sequence and its encoding,
whose weights are nearly all zero and which is stored without the zeros. So time grows with the square of the number of
sequences and memory in proportion to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

ROWS_PER_BLOCK = 256  # rows of the distance matrix in memory at once
PAIRS_PER_BLOCK = 1 << 22  # weights that are compared at once


@dataclass(frozen=True, slots=True)
class ReRanking:
    """The settings of k-reciprocal re-ranking.

    Args:
        k1: Neighbours among which reciprocal ones are looked for.
        k2: Neighbours whose encodings are averaged; 1: none.
        lambda_: Share of the distance as it was in the final one, from 0 to 1.

    Raises:
        ValueError: when a value is out of its range.
    """

    k1: int = 6
    k2: int = 6
    lambda_: float = 0.3

    def __post_init__(self) -> None:
        if self.k1 < 1 or self.k2 < 1 or not 0 <= self.lambda_ <= 1:
            raise ValueError(f"re-ranking needs k1 and k2 from 1 on and lambda from 0 to 1, found {self}")

    @classmethod
    def parse(cls, values: str | Sequence[float]) -> ReRanking:
        """From `6,6,0.3` or `[6, 6, 0.3]`: k1, k2 and lambda.

        Raises:
            ValueError: when these are not three such numbers.
        """
        try:
            k1, k2, lambda_ = map(float, values.split(",") if isinstance(values, str) else values)
            if k1 != int(k1) or k2 != int(k2):
                raise ValueError("k1 and k2 must be whole numbers")
        except (TypeError, ValueError) as error:
            raise ValueError(f"re-ranking {values!r} is not K1,K2,LAMBDA such as 6,6,0.3 ({error})") from error
        return cls(int(k1), int(k2), lambda_)

    def __str__(self) -> str:
        """As it is written into results."""
        return f"k1={self.k1}, k2={self.k2}, lambda={self.lambda_:g}"


class ReRankedDistance:
    """Re-ranked distances between probes and gallery.

    Args:
        rows: Gives rows of the square matrix of distances over `[probes, gallery]`: for a slice of b of its rows a
            tensor `(b, n)`.
        num_probes: How many of the n sequences are probes; they come first.
        num_sequences: n.
        settings: k1, k2 and lambda.
    """

    def __init__(
        self, rows: Callable[[slice], Tensor], *, num_probes: int, num_sequences: int, settings: ReRanking
    ) -> None:
        self.rows, self.num_probes, self.settings = rows, num_probes, settings
        num_neighbours = min(max(settings.k1 + 1, settings.k2), num_sequences)
        found = []
        for block in blocks(num_sequences):
            distances = rows(block).float()
            largest = distances.amax(1).clamp(min=torch.finfo(torch.float32).tiny)
            found.append((distances.topk(num_neighbours, dim=1, largest=False).indices, largest))
        neighbours, self.largest = (torch.cat(parts) for parts in zip(*found, strict=True))  # (n, neighbours), (n)

        encodings = self._encode(neighbours)
        if settings.k2 > 1:
            encodings = _averaged(encodings, neighbours[:, : settings.k2])
        row, column, weight = encodings
        num_of_probes = int(torch.searchsorted(row, num_probes))
        self.probe_first = _starts(row[:num_of_probes], num_probes)
        self.probe_columns, self.probe_weights = column[:num_of_probes], weight[:num_of_probes]
        by_column = column[num_of_probes:].argsort(stable=True) + num_of_probes
        self.column_first = _starts(column[by_column], num_sequences)
        self.gallery, self.gallery_weights = row[by_column] - num_probes, weight[by_column]
        self.num_gallery = num_sequences - num_probes

    def __call__(self, block: slice) -> Tensor:
        """Distances `(b, gallery)` of a slice of b probes."""
        start, stop, _ = block.indices(self.num_probes)
        near = self.rows(slice(start, stop)).float()[:, self.num_probes :] / self.largest[start:stop, None]
        shared = self._shared(start, stop)
        jaccard = 1 - shared / (2 - shared)
        return torch.lerp(jaccard, near, self.settings.lambda_)

    def _encode(self, neighbours: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The encodings as (row, column, weight), sorted, where the weight is not zero."""
        k1 = self.settings.k1
        near, half = neighbours[:, : k1 + 1], neighbours[:, : round(k1 / 2) + 1]
        reciprocal, half_reciprocal = _reciprocal(near), _reciprocal(half)
        parts = []
        for block in blocks(len(neighbours)):
            members, counted = _members(block, near, reciprocal, half, half_reciprocal)
            distances = self.rows(block).float() / self.largest[block, None]
            weights = torch.exp(-distances.gather(1, members)) * counted
            weights /= weights.sum(1, keepdim=True).clamp(min=torch.finfo(torch.float32).tiny)
            row, place = counted.nonzero(as_tuple=True)
            parts.append((row + block.start, members[row, place], weights[row, place]))
        rows, columns, weights = (torch.cat(part) for part in zip(*parts, strict=True))
        return rows, columns, weights

    def _shared(self, start: int, stop: int) -> Tensor:
        """Sum over the columns of the smaller weight, `(probes, gallery)`: column by column, non-zero pairs only."""
        sums = self.probe_weights.new_zeros((stop - start) * self.num_gallery)
        first, last = int(self.probe_first[start]), int(self.probe_first[stop])
        probe_sizes = self.probe_first[start : stop + 1].diff()
        probe = torch.repeat_interleave(torch.arange(stop - start, device=sums.device), probe_sizes)
        column, weight = self.probe_columns[first:last], self.probe_weights[first:last]
        counts = self.column_first[column + 1] - self.column_first[column]
        sizes = torch.bincount(counts.cumsum(0) // PAIRS_PER_BLOCK).tolist()
        for some in torch.split(torch.arange(len(column), device=sums.device), sizes):
            owner, place = _runs(self.column_first[column[some]], counts[some])
            entry = some[owner]
            cell = probe[entry] * self.num_gallery + self.gallery[place]
            sums.index_add_(0, cell, torch.minimum(weight[entry], self.gallery_weights[place]))
        return sums.view(stop - start, self.num_gallery)


def blocks(num_rows: int) -> Iterator[slice]:
    """Slices of `ROWS_PER_BLOCK` rows."""
    return (slice(start, min(start + ROWS_PER_BLOCK, num_rows)) for start in range(0, num_rows, ROWS_PER_BLOCK))


def _reciprocal(neighbours: Tensor) -> Tensor:
    """Which of the neighbours `(n, k)` of a sequence have it among their own."""
    own = torch.arange(len(neighbours), device=neighbours.device)[:, None, None]
    parts = [(neighbours[neighbours[block]] == own[block]).any(-1) for block in blocks(len(neighbours))]
    return torch.cat(parts)


def _members(
    block: slice, near: Tensor, reciprocal: Tensor, half: Tensor, half_reciprocal: Tensor
) -> tuple[Tensor, Tensor]:
    """The expanded reciprocal neighbours of a block of sequences: columns `(b, m)`, sorted, and which of them count."""
    mine, kept = near[block], reciprocal[block]  # (b, k)
    theirs, counted = half[mine], half_reciprocal[mine]  # (b, k, h): the reciprocal neighbours of each neighbour
    inside = ((theirs.unsqueeze(-1) == mine[:, None, None]) & kept[:, None, None]).any(-1) & counted
    joins = kept & (3 * inside.sum(-1) > 2 * counted.sum(-1))
    counted = counted & joins.unsqueeze(-1)
    nobody = len(near)
    members = torch.cat((mine.masked_fill(~kept, nobody), theirs.masked_fill(~counted, nobody).flatten(1)), 1)
    members = members.sort(1).values
    count = members < nobody
    count[:, 1:] &= members[:, 1:] != members[:, :-1]  # once each
    return members.masked_fill(~count, 0), count


def _averaged(encodings: tuple[Tensor, Tensor, Tensor], neighbours: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """For each sequence the mean of the encodings of its `neighbours` `(n, k)`."""
    row, column, weight = encodings
    num_sequences, num_neighbours = neighbours.shape
    first = _starts(row, num_sequences)
    whose = neighbours.flatten()
    owner, place = _runs(first[whose], first[whose + 1] - first[whose])
    indices = torch.stack((owner // num_neighbours, column[place]))
    shape = num_sequences, num_sequences
    mean = torch.sparse_coo_tensor(indices, weight[place] / num_neighbours, shape, check_invariants=False).coalesce()
    row, column = mean.indices()
    return row, column, mean.values()


def _starts(numbers: Tensor, num_numbers: int) -> Tensor:
    """Where in a sorted list each of the numbers 0 to `num_numbers` begins."""
    return torch.searchsorted(numbers, torch.arange(num_numbers + 1, device=numbers.device))


def _runs(first: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
    """For run i: i, and first[i], first[i] + 1, …, `counts[i]` of each."""
    owner = torch.repeat_interleave(torch.arange(len(counts), device=counts.device), counts)
    before = counts.cumsum(0) - counts
    return owner, first[owner] + torch.arange(len(owner), device=counts.device) - before[owner]
