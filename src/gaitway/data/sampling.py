"""Which sequences form a batch.

A batch is a pure function of the sampler, the labels and the state of a random generator; the loader makes that
generator from the seed and the step. So a run resumes by knowing its step, and every process of a run computes the
same batch and takes its share of it. The rules are those of OpenGait's and FastPoseGait's samplers.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]


class Sampler(Protocol):
    """Picks the sequences of a batch."""

    @property
    def batch_size(self) -> int:
        """How many sequences a batch has."""

    def __call__(self, groups: Groups, generator: np.random.Generator) -> Ints:
        """Positions `(batch_size,)` in the labels of `groups`."""


@dataclass(frozen=True)
class Groups:
    """Sequences grouped by subject.

    Args:
        labels: `(N,)`, the class of each sequence.
    """

    labels: Ints

    @cached_property
    def _sorted(self) -> tuple[Ints, Ints, Ints]:
        order = np.argsort(self.labels, kind="stable")
        _, first, counts = np.unique(self.labels[order], return_index=True, return_counts=True)
        return order, first.astype(np.int64), counts.astype(np.int64)

    def __len__(self) -> int:
        return len(self._sorted[1])

    @property
    def num_sequences(self) -> int:
        """How many sequences there are in all groups."""
        return len(self.labels)

    def choose(self, num_subjects: int, num_sequences: int, generator: np.random.Generator) -> Ints:
        """Choose subjects, and sequences of each: `(num_subjects, num_sequences)` positions in the labels.

        Both are distinct where there are enough, and drawn with replacement where there are fewer.
        """
        order, first, counts = self._sorted
        (subjects,) = choose(np.array([len(self)]), num_subjects, generator)
        members = choose(counts[subjects], num_sequences, generator)
        chosen: Ints = order[first[subjects, None] + members]
        return chosen


@dataclass(frozen=True, kw_only=True)
class TripletSampler:
    """P subjects and K sequences of each (OpenGait's `TripletSampler`).

    Where there are fewer than P subjects, all P are drawn with replacement; where a subject has fewer than K
    sequences, all K are.

    Args:
        num_subjects: P.
        num_sequences: K, per subject.
        shuffle: Whether the batch comes in random order instead of subject by subject.
    """

    num_subjects: int
    num_sequences: int
    shuffle: bool = False

    def __post_init__(self) -> None:
        _check_positive(self, "num_subjects", "num_sequences")

    @property
    def batch_size(self) -> int:
        """P × K."""
        return self.num_subjects * self.num_sequences

    def __call__(self, groups: Groups, generator: np.random.Generator) -> Ints:
        """Positions `(P × K,)` in the labels of `groups`."""
        batch = groups.choose(self.num_subjects, self.num_sequences, generator).ravel()
        return generator.permutation(batch) if self.shuffle else batch


@dataclass(frozen=True, kw_only=True)
class RandomTripletSampler:
    """A random division of the batch into p subjects with k sequences each (FastPoseGait's `RandomTripletSampler`).

    Every batch takes one of `combinations` at random, draws p × k sequences as `TripletSampler` does, and fills the
    batch with other sequences. Needs a loss that takes unequal numbers of sequences per subject.

    Args:
        batch_size: Sequences per batch.
        max_subjects: Largest p, or None.
        max_sequences: Largest k, or None.
        shuffle: Whether the batch comes in random order.
    """

    batch_size: int
    max_subjects: int | None = None
    max_sequences: int | None = None
    shuffle: bool = False

    def __post_init__(self) -> None:
        if not len(self.combinations):
            raise ValueError(
                f"a batch of {self.batch_size} has no division into at least 2 subjects of at least 2 sequences with "
                f"max_subjects {self.max_subjects} and max_sequences {self.max_sequences}; raise one of the three"
            )

    @cached_property
    def combinations(self) -> Ints:
        """The possible `(p, k, rest)`: p subjects with k sequences, and `rest` to fill the batch."""
        p = np.arange(2, self.batch_size + 1)
        k, rest = np.divmod(self.batch_size, p)
        allowed = (k > 1) & (p <= (self.max_subjects or self.batch_size)) & (k <= (self.max_sequences or k))
        return np.stack((p, k, rest), axis=1)[allowed].astype(np.int64)

    def __call__(self, groups: Groups, generator: np.random.Generator) -> Ints:
        """Positions `(batch_size,)` in the labels of `groups`."""
        p, k, rest = self.combinations[generator.integers(len(self.combinations))]
        batch = groups.choose(p, k, generator).ravel()
        others = np.setdiff1d(np.arange(groups.num_sequences), batch)
        if len(others) < rest:
            raise ValueError(
                f"{groups.num_sequences} training sequences cannot fill a batch of {self.batch_size} with {rest} more "
                f"besides the {len(batch)} of its {p} subjects; use a smaller batch_size or TripletSampler"
            )
        batch = np.concatenate((batch, generator.choice(others, rest, replace=False)))
        return generator.permutation(batch) if self.shuffle else batch


@dataclass(frozen=True, kw_only=True)
class RandomSampler:
    """Any sequences, distinct where there are enough (OpenGait's `CommonSampler`).

    Args:
        batch_size: Sequences per batch.
    """

    batch_size: int

    def __post_init__(self) -> None:
        _check_positive(self, "batch_size")

    def __call__(self, groups: Groups, generator: np.random.Generator) -> Ints:
        """Positions `(batch_size,)` in the labels of `groups`."""
        batch: Ints = choose(np.array([groups.num_sequences]), self.batch_size, generator)[0]
        return batch


SAMPLERS: dict[str, type[TripletSampler] | type[RandomTripletSampler] | type[RandomSampler]] = {
    sampler.__name__: sampler for sampler in (RandomSampler, RandomTripletSampler, TripletSampler)
}
"""Sampler classes by name."""


def choose(counts: Ints, num: int | Ints, generator: np.random.Generator) -> Ints:
    """From each of n sets choose members in random order: distinct ones where there are enough, else with replacement.

    Args:
        counts: `(n,)`, the size of each set.
        num: How many to choose, one number or `(n,)`.
        generator: Random numbers.

    Returns:
        `(n, max(num))`; row i holds numbers below `counts[i]`, of which the first `num[i]` count.
    """
    width, enough = int(np.max(num)), counts >= num
    if enough.all():
        return _distinct(counts, width, generator)
    chosen = generator.integers(0, counts[:, None], size=(len(counts), width))
    if enough.any():
        distinct = _distinct(counts, width, generator)
        chosen[enough, : distinct.shape[1]] = distinct[enough]
    return chosen


def _distinct(counts: Ints, width: int, generator: np.random.Generator) -> Ints:
    """Per set at most `width` of its members without replacement; a set with fewer has others after its own."""
    largest = int(counts.max())
    keys = generator.random((len(counts), largest))
    keys[np.arange(largest) >= counts[:, None]] = np.inf
    if width >= largest:
        return np.argsort(keys)
    smallest = np.argpartition(keys, width)[:, :width]  # cheaper than to sort all keys of long sequences
    return np.take_along_axis(smallest, np.argsort(np.take_along_axis(keys, smallest, axis=1)), axis=1)


def share_of(batch: npt.NDArray[Any], rank: int, world_size: int) -> npt.NDArray[Any]:
    """The entries r, r + W, r + 2W, … along the first axis of a batch, which process r of W takes."""
    return batch[rank::world_size]


def inference_batches(num: int, batch_size: int, world_size: int = 1) -> list[Ints]:
    """How OpenGait's `InferenceSampler` deals `num` sequences to processes in batches.

    The sequences are extended with the first ones to whole batches. Outputs gathered step by step in the order of
    the processes are in the order of the data set; the first `num` count.

    Args:
        num: Number of sequences.
        batch_size: Sequences per step of all processes together.
        world_size: Number of processes W.

    Returns:
        Per process the batches `(steps, batch_size / W)`.

    Raises:
        ValueError: when the batches cannot be divided by the processes.
    """
    if batch_size % world_size:
        raise ValueError(
            f"a batch of {batch_size} cannot be divided by {world_size} processes; make it a multiple of {world_size}"
        )
    chunks = (np.arange(num + -num % batch_size) % num).reshape(-1, batch_size // world_size)
    return [chunks[rank::world_size] for rank in range(world_size)]


def _check_positive(sampler: object, *names: str) -> None:
    for name in names:
        if getattr(sampler, name) < 1:
            raise ValueError(f"{type(sampler).__name__}: {name} is {getattr(sampler, name)}, expected at least 1")
