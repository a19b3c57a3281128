"""Batches: a store, a sampler, frame sampling and transforms put together."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, count, pairwise
from time import perf_counter
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from gaitway.data.frame_sampling import FrameSampling
from gaitway.data.memory import on_device
from gaitway.data.reader import Residency, shared_reader
from gaitway.data.sampling import Groups, Ints, Sampler, share_of
from gaitway.data.store import Store
from gaitway.data.transforms import Draws, Transform, chains
from gaitway.types import Batch

Step = TypeVar("Step")


class TrainLoader:
    """Training batches: the one of a step is a pure function of the seed and the step.

    Every process computes which sequences, frames and random parameters the whole batch has and takes every W-th
    sequence of it. So one process and N processes train on the same frames, and a run resumes at any step.

    Args:
        store: The store.
        rows: `(N,)`, the rows of the training sequences.
        labels: `(N,)` int64, their class indices.
        sampler: Picks the sequences of a batch.
        frame_sampling: Picks the frames of a sequence; the same for all its modalities.
        transforms: Transforms of each modality, or a list for the only modality.
        modalities: What the model takes.
        seed: Seed of all random choices.
        rank: This process.
        world_size: Number of processes W.
        device: Where the batches are wanted.
        residency: Where the frames are kept; see `FrameReader`. From host memory and disk, the next batch is prepared
            in a thread while the present one is used.

    Attributes:
        wait_seconds: How long the consumer of `batches` has waited for data so far.

    Raises:
        ValueError: when the batch cannot be divided by the processes, or sequences lack frames.
    """

    def __init__(
        self,
        store: Store,
        rows: Ints,
        labels: Ints,
        sampler: Sampler,
        frame_sampling: FrameSampling,
        transforms: Sequence[Transform] | Mapping[str, Sequence[Transform]],
        *,
        modalities: Sequence[str] = ("silhouettes",),
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
        device: str | torch.device = "cpu",
        residency: Residency = "auto",
    ) -> None:
        if len(rows) != len(labels) or not len(rows):
            raise ValueError(
                f"{len(rows)} training sequences with {len(labels)} labels; give at least one, and a label each"
            )
        if sampler.batch_size % world_size:
            raise ValueError(
                f"a batch of {sampler.batch_size} sequences cannot be divided by {world_size} processes; "
                f"change the sampler or the number of devices so that it can"
            )
        self.rows, self.labels, self.groups = rows, labels, Groups(labels)
        self.sampler, self.frame_sampling, self.seed = sampler, frame_sampling, seed
        self.rank, self.world_size = rank, world_size
        self.wait_seconds = 0.0
        self._assembly = _Assembly(store, rows, transforms, modalities, device, residency)
        self._lengths = self._assembly.lengths_of(rows)

    @property
    def residency(self) -> dict[str, str]:
        """Where the frames of each modality are kept."""
        return {modality: reader.residency for modality, reader in self._assembly.readers.items()}

    def batch(self, step: int) -> Batch:
        """This process's share of the batch of a step."""
        generator = np.random.default_rng((self.seed, step))
        chosen = self.sampler(self.groups, generator)
        positions, counts = self.frame_sampling(self._lengths[chosen], generator)
        draws = {
            modality: transforms.draw(counts, generator, rank=self.rank, world_size=self.world_size)
            for modality, transforms in self._assembly.chains.items()
        }
        mine = np.repeat(np.arange(len(chosen)) % self.world_size == self.rank, counts)
        chosen, counts = share_of(chosen, self.rank, self.world_size), share_of(counts, self.rank, self.world_size)
        return self._assembly.batch(self.rows[chosen], positions[mine], counts, draws, self.labels[chosen])

    def batches(self, start: int = 0) -> Generator[Batch, None, None]:
        """The batches of steps `start`, `start + 1`, … without end; closing the generator ends its thread."""
        for batch, waited in _timed(self.batch, count(start), ahead=self._assembly.prefetch):
            self.wait_seconds += waited
            yield batch


def evaluation_batches(
    store: Store,
    rows: Ints,
    transforms: Sequence[Transform] | Mapping[str, Sequence[Transform]],
    *,
    modalities: Sequence[str] = ("silhouettes",),
    batch_size: int = 16,
    max_frames: int | None = 720,
    rank: int = 0,
    world_size: int = 1,
    device: str | torch.device = "cpu",
    residency: Residency = "auto",
) -> Iterator[Batch]:
    """Whole sequences in batches of similar length; `Batch.rows` says which they are.

    Every row comes once in all processes together, and every process gets the same number of batches (unless there
    are fewer rows than processes). A batch is dense where its sequences are equally long.

    Args:
        store: The store.
        rows: `(N,)`, the rows of the sequences.
        transforms: Transforms of each modality without randomness, or a list for the only modality.
        modalities: What the model takes.
        batch_size: Most sequences in a batch of one process.
        max_frames: Of longer sequences the first `max_frames` are taken; None takes all.
        rank: This process.
        world_size: Number of processes.
        device: Where the batches are wanted.
        residency: Where the frames are kept; see `FrameReader`.

    Raises:
        ValueError: when a transform is random or sequences lack frames.
    """
    assembly = _Assembly(store, rows, transforms, modalities, device, residency)
    unused = np.random.default_rng(0)
    for transform in chain.from_iterable(steps.transforms for steps in assembly.chains.values()):
        if transform.draw(np.ones(1, np.int64), unused):
            raise ValueError(
                f"{type(transform).__name__} is random; leave it out of the evaluation's transforms, "
                "or the figures would change from run to run"
            )
    sampling = FrameSampling(count="all", limit=max_frames)
    longest_first = rows[np.argsort(-assembly.lengths_of(rows), kind="stable")]
    num_batches = -(-len(rows) // (batch_size * world_size))

    def batch(of_rows: Ints) -> Batch:
        positions, counts = sampling(assembly.lengths_of(of_rows), unused)
        draws = {modality: steps.draw(counts, unused) for modality, steps in assembly.chains.items()}
        return assembly.batch(of_rows, positions, counts, draws)

    parts = np.array_split(share_of(longest_first, rank, world_size), max(num_batches, 1))
    for found, _ in _timed(batch, (part for part in parts if len(part)), ahead=assembly.prefetch):
        yield found


class _Assembly:
    """Gathers chosen frames of chosen rows, transforms them and makes a `Batch` of them."""

    def __init__(
        self,
        store: Store,
        rows: Ints,
        transforms: Sequence[Transform] | Mapping[str, Sequence[Transform]],
        modalities: Sequence[str],
        device: str | torch.device,
        residency: Residency,
    ) -> None:
        self.index = store.index
        self.chains = chains(transforms, modalities)
        for modality in modalities:
            store.frame_format(modality)  # says clearly when the store does not have it
        self._check_lengths(store, rows)
        self.readers = {m: shared_reader(store, m, residency=residency, device=device) for m in modalities}
        self.prefetch = any(reader.residency != "device" for reader in self.readers.values())

    def lengths_of(self, rows: Ints) -> Ints:
        """Frames of each row, `(n,)`."""
        return self.index.num_frames[next(iter(self.chains))][rows]

    def batch(
        self,
        rows: Ints,
        positions: Ints,
        counts: Ints,
        draws: Mapping[str, Sequence[Draws]],
        labels: Ints | None = None,
    ) -> Batch:
        """The batch of n rows, of which `counts` `(n,)` frames at `positions` inside the sequences are taken."""
        frames: dict[str, Tensor] = {}
        after: dict[str, Ints] = {}
        for modality, reader in self.readers.items():
            first = np.repeat(self.index.first[modality][rows], counts)
            gathered = reader.gather(first + positions)
            frames[modality], after[modality] = self.chains[modality](gathered, counts, draws[modality])
        counts = after[next(iter(after))]
        if any(not np.array_equal(counts, others) for others in after.values()):
            raise ValueError(
                f"after their transforms {' and '.join(after)} have unequal numbers of frames; give all modalities the "
                "same transforms that choose frames"
            )
        dense = bool((counts == counts[0]).all())
        if dense:
            frames = {modality: torch.unflatten(x, 0, (len(counts), -1)) for modality, x in frames.items()}
        device = next(iter(self.readers.values())).device
        return Batch(
            frames=frames,
            lengths=None if dense else on_device(counts, device),
            labels=None if labels is None else on_device(labels, device),
            subjects=tuple(self.index.subjects[rows].tolist()),
            conditions=tuple(self.index.conditions[rows].tolist()),
            views=tuple(self.index.views[rows].tolist()),
            rows=tuple(rows.tolist()),
        )

    def _check_lengths(self, store: Store, rows: Ints) -> None:
        counts = np.stack([self.index.num_frames[modality][rows] for modality in self.chains])
        wrong = rows[(counts[0] == 0) | (counts != counts[0]).any(axis=0)]
        if len(wrong):
            example = self.index[int(wrong[0])]
            found = ", ".join(f"{example.num_frames.get(modality, 0)} {modality}" for modality in self.chains)
            raise ValueError(
                f"{len(wrong)} of {len(rows)} sequences in {store.path} lack frames of {' or '.join(self.chains)}, or "
                f"have unequal numbers of them, first {example.name} with {found}; leave them out or prepare them again"
            )


def _timed(make: Callable[[Step], Batch], steps: Iterable[Step], *, ahead: bool) -> Iterator[tuple[Batch, float]]:
    """`make` of every step, and the seconds waited for it; `ahead` makes one step ahead in a thread.

    An error in the thread is raised where its batch would have come; leaving the iteration ends the thread.
    """
    if not ahead:
        for step in steps:
            begun = perf_counter()
            batch = make(step)
            yield batch, perf_counter() - begun
        return
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="batches") as thread:
        submitted = (thread.submit(make, step) for step in steps)
        for present, _ in pairwise(chain(submitted, (None,))):  # pairwise submits the next before it gives the present
            assert present is not None
            begun = perf_counter()
            batch = present.result()
            yield batch, perf_counter() - begun
