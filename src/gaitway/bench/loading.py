"""How fast batches come from the store, against one pickle file per sequence, the layout of published code bases."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import Tensor

from gaitway.bench.measure import Comparison, compare, in_turns
from gaitway.data.loader import TrainLoader
from gaitway.data.reader import Residency, shared_reader
from gaitway.data.sampling import Ints
from gaitway.data.store import Store
from gaitway.data.transforms import chains
from gaitway.data.usable import usable_rows
from gaitway.training.recipe import Recipe
from gaitway.training.session import check_store, modalities_of

PICKLES, STORE = "one pickle per sequence", "store"
Step = Callable[[int], object]


@dataclass(frozen=True)
class LoadingSpeed:
    """How fast training batches are made by one process.

    Args:
        batch: Sequences and frames of a batch.
        residency: Where the store's frames were kept.
        reading: The frames of a batch, from pickles and from the store.
        making: Whole batches: frames read, transformed and on the device.
        batches_per_second: Whole batches from the store.
        frames_per_second: Frames in whole batches from the store.
    """

    batch: tuple[int, int]
    residency: str
    reading: Comparison
    making: Comparison
    batches_per_second: float
    frames_per_second: float


def bench_loading(
    recipe: Recipe,
    store: Store,
    *,
    steps: int,
    device: torch.device,
    residency: Residency = "auto",
    done: Callable[[int, int], None] | None = None,
) -> LoadingSpeed:
    """Make the same batches from a store and from pickles, in turns, and measure.

    The sequences of the batches are written into a temporary folder, a pickle each. Both ways choose the same frames
    and transform them alike, and find their files in the system's cache.

    Args:
        recipe: Says sampling and transforms.
        store: The data set.
        steps: Batches that count.
        device: Where the batches are wanted.
        residency: Where the store's frames are kept.
        done: Told after each batch how many are done and how many there are.

    Raises:
        ValueError: when recipe and store do not go together.
    """
    with TemporaryDirectory(prefix="gaitway-bench-") as folder:
        loading = _Loading(recipe, store, Path(folder), device, residency)
        loading.write_pickles(num_steps=steps + 1)
        read = {PICKLES: loading.frames_from_pickles, STORE: loading.frames_from_store}
        make = {PICKLES: loading.batch_from_pickles, STORE: loading.loader.batch}
        ways = {f"read {way}": step for way, step in read.items()} | {f"make {way}": step for way, step in make.items()}
        times = in_turns(
            {way: _one_after_the_other(step) for way, step in ways.items()}, repeats=steps, device=device, done=done
        )
        _, _, counts = loading.chosen(0)
    making = compare({way: times[f"make {way}"] for way in make}, PICKLES)
    return LoadingSpeed(
        batch=(len(counts), int(counts.sum())),
        residency=", ".join(sorted(set(loading.loader.residency.values()))),
        reading=compare({way: times[f"read {way}"] for way in read}, PICKLES),
        making=making,
        batches_per_second=1 / making[STORE]["seconds"],
        frames_per_second=int(counts.sum()) / making[STORE]["seconds"],
    )


def _one_after_the_other(step: Step) -> Callable[[], object]:
    """Calls `step` with 0, 1, 2, …"""
    steps = count()
    return lambda: step(next(steps))


class _Loading:
    """The batches of a recipe's training steps, from a store and from pickles of its sequences in `folder`."""

    def __init__(self, recipe: Recipe, store: Store, folder: Path, device: torch.device, residency: Residency) -> None:
        self.store, self.folder, self.device, self.seed = store, folder, device, recipe.training.seed
        self.modalities = modalities_of(recipe)
        check_store(recipe, store, self.modalities[0])
        rows = recipe.data.load_partition().rows(store, "train", ())
        self.rows = usable_rows(store, rows, self.modalities, recipe.data.min_frames).rows
        self.loader = TrainLoader(
            store,
            self.rows,
            np.unique(store.index.subjects[self.rows], return_inverse=True)[1],
            recipe.build_sampler(),
            recipe.frames,
            recipe.build_transforms(),
            modalities=self.modalities,
            seed=self.seed,
            device=device,
            residency=residency,
        )
        self.readers = {m: shared_reader(store, m, residency=residency, device=device) for m in self.modalities}
        self.chains = chains(recipe.build_transforms(), self.modalities)

    @cached_property
    def lengths(self) -> Ints:
        """Frames of each training sequence."""
        return self.store.index.num_frames[self.modalities[0]][self.rows]

    def chosen(self, step: int) -> tuple[Ints, Ints, Ints]:
        """Rows of a step's sequences, positions of the chosen frames inside them, and frames per sequence."""
        generator = np.random.default_rng((self.seed, step))
        places = self.loader.sampler(self.loader.groups, generator)
        positions, counts = self.loader.frame_sampling(self.lengths[places], generator)
        return self.rows[places], positions, counts

    def file(self, modality: str, row: int) -> Path:
        """The pickle of a sequence."""
        return self.folder / f"{modality}-{row}.pkl"

    def write_pickles(self, num_steps: int) -> None:
        """Write the sequences of the first steps."""
        for row in np.unique(np.concatenate([self.chosen(step)[0] for step in range(num_steps)])).tolist():
            for modality in self.modalities:
                frames = np.array(self.store.frames(modality, row))
                self.file(modality, row).write_bytes(pickle.dumps(frames))

    def frames_from_pickles(self, step: int) -> tuple[dict[str, Tensor], Ints]:
        """The frames of a step's sequences by modality, and frames per sequence."""
        rows, positions, counts = self.chosen(step)
        of_sequences = np.split(positions, np.cumsum(counts)[:-1])
        frames = {}
        for modality in self.modalities:
            sequences = [pickle.loads(self.file(modality, row).read_bytes()) for row in rows]
            chosen = [frames[inside] for frames, inside in zip(sequences, of_sequences, strict=True)]
            frames[modality] = torch.from_numpy(np.concatenate(chosen)).to(self.device)
        return frames, counts

    def frames_from_store(self, step: int) -> dict[str, Tensor]:
        """The same from the store."""
        rows, positions, counts = self.chosen(step)
        first = self.store.index.first
        return {m: reader.gather(np.repeat(first[m][rows], counts) + positions) for m, reader in self.readers.items()}

    def batch_from_pickles(self, step: int) -> dict[str, Tensor]:
        """The frames of a step as a model gets them."""
        frames, counts = self.frames_from_pickles(step)
        generator = np.random.default_rng(step)
        return {m: steps(frames[m], counts, steps.draw(counts, generator))[0] for m, steps in self.chains.items()}
