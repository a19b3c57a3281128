"""Sampling: `sampling_*`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import numpy as np

from gaitway.data.frame_sampling import FrameSampling
from gaitway.data.loader import TrainLoader
from gaitway.data.sampling import (
    Groups,
    Ints,
    RandomTripletSampler,
    TripletSampler,
    inference_batches,
    share_of,
)
from gaitway.data.store import FrameFormat, Store
from gaitway.data.store_writer import StoreWriter
from gaitway.data.transforms import Scale
from gaitway.types import Batch
from tests.parity.case import Array, Case, Results

NUM_DRAWS = 40_000
STANDARD_ERRORS = 5.0


class InOrder:
    """Stands in for a random generator: chooses the first k, cycling when there are fewer, and shuffles by reversal."""

    def random(self, size: tuple[int, ...]) -> Array:
        return np.broadcast_to(np.arange(size[-1]) / size[-1], size).copy()

    def integers(self, low: int, high: Array, size: tuple[int, ...]) -> Array:
        return np.broadcast_to(np.arange(size[-1]) % high, size).copy()

    def permutation(self, values: Array) -> Array:
        return values[::-1]

    @classmethod
    def generator(cls) -> np.random.Generator:
        return cast(np.random.Generator, cls())


class AllInOrder:
    """Stands in for a sampler: every sequence once."""

    def __init__(self, batch_size: int) -> None:
        self.batch_size = batch_size

    def __call__(self, groups: Groups, generator: np.random.Generator) -> Ints:
        return np.arange(self.batch_size)


def run_triplet_sampler(case: Case) -> Results:
    sequences_per_id = case.hyperparameters["sequences_per_id"]
    groups = Groups(np.repeat(np.arange(len(sequences_per_id)), sequences_per_id))
    outputs: dict[str, Array] = {}
    for number, (p, k, world_size, shuffle) in enumerate(case.hyperparameters["settings"]):
        batch = TripletSampler(num_subjects=p, num_sequences=k, shuffle=shuffle)(groups, InOrder.generator())
        outputs |= {f"{number}/rank{rank}": share_of(batch, rank, world_size) for rank in range(world_size)}
    return outputs, {}


def run_combinations(case: Case) -> Results:
    outputs = {}
    for number, (batch_size, p_max, k_max) in enumerate(case.hyperparameters["settings"]):
        sampler = RandomTripletSampler(batch_size=batch_size, max_subjects=p_max or None, max_sequences=k_max or None)
        outputs[f"{number}/combinations"] = sampler.combinations
    return outputs, {}


def run_inference_sampler(case: Case) -> Results:
    outputs: dict[str, Array] = {}
    for number, (num, batch_size, world_size) in enumerate(case.hyperparameters["settings"]):
        shares = inference_batches(num, batch_size, world_size)
        outputs |= {f"{number}/rank{rank}": share for rank, share in enumerate(shares)}
    return outputs, {}


def frame_sampling(published: dict[str, Any]) -> FrameSampling:
    """A published `sampler_cfg`, given as our arguments."""
    count, order = published["sample_type"].split("_")
    names = {
        "frames_num_fixed": "num",
        "frames_num_min": "min_num",
        "frames_num_max": "max_num",
        "frames_skip_num": "skip",
        "frames_all_limit": "limit",
    }
    arguments = {ours: published[theirs] for theirs, ours in names.items() if theirs in published}
    return FrameSampling(count=count, order=order, **arguments)


def run_frame_sampling(case: Case) -> Results:
    """Draws each setting many times.

    Outcomes can only be compared if all expected ones occur and no other; the probability of one is reported as
    expected where its frequency is within a few standard errors, and as the frequency where it is not.
    """
    outputs: dict[str, Array] = {}
    for number, setting in enumerate(case.hyperparameters["settings"]):
        sampling = frame_sampling(setting["sampler"])
        for length in setting["lengths"]:
            name = f"{number}/{length}"
            expected = case.outputs[f"{name}/outcomes"].values
            probability = case.outputs[f"{name}/prob"].values
            generator = np.random.default_rng((number, length))
            positions, counts = sampling(np.full(NUM_DRAWS, length), generator)
            drawn = np.full((NUM_DRAWS, max(counts.max(), expected.shape[1])), -1)
            drawn[np.arange(drawn.shape[1]) < counts[:, None]] = positions
            found, occurrences = np.unique(drawn, axis=0, return_counts=True)
            order = np.lexsort(expected.T[::-1])  # np.unique sorts rows; bring them into the order of the case
            outcomes, frequencies = np.empty_like(found), np.empty(len(found))
            if len(found) == len(expected):
                outcomes[order], frequencies[order] = found, occurrences / NUM_DRAWS
                error = np.sqrt(probability * (1 - probability) / NUM_DRAWS)
                close = np.abs(frequencies - probability) <= STANDARD_ERRORS * error
                frequencies = np.where(close, probability, frequencies)
            outputs |= {f"{name}/outcomes": outcomes, f"{name}/prob": frequencies}
    return outputs, {}


def run_collate(case: Case) -> Results:
    labels: list[str] = case.hyperparameters["labels"]
    names = {"silhouettes": "sil", "poses": "pose"}
    formats = {
        "silhouettes": FrameFormat(case.inputs["sil0"].shape[1:]),
        "poses": FrameFormat(case.inputs["pose0"].shape[1:], "float32"),
    }
    with TemporaryDirectory() as folder:
        with StoreWriter(Path(folder) / "store", dataset="case", modalities=formats, made={}) as writer:
            for number, label in enumerate(labels):
                frames = {ours: case.inputs[f"{theirs}{number}"] for ours, theirs in names.items()}
                writer.add(label, "00", f"{number:03}", frames)
        store = Store(Path(folder) / "store")

        def batch(rows: Sequence[int], sampling: FrameSampling) -> Batch:
            indices = np.unique(labels, return_inverse=True)[1][list(rows)]
            sampler = AllInOrder(len(rows))
            transforms = {"silhouettes": [Scale()]}
            modalities = tuple(formats)
            loader = TrainLoader(store, np.array(rows), indices, sampler, sampling, transforms, modalities=modalities)
            return loader.batch(0)

        limit = case.hyperparameters["frames_all_limit"]
        every = batch(range(len(labels)), FrameSampling(count="all", order="ordered", limit=limit))
        fixed = batch([0], FrameSampling(count="fixed", order="ordered", num=case.hyperparameters["fixed_frames"]))
    assert every.lengths is not None
    outputs = {"all/seqL": every.lengths.numpy()[None]}
    for name, found in (("all", every), ("fixed", fixed)):
        assert found.labels is not None
        outputs |= {
            f"{name}/sil": (found.frames["silhouettes"] * 255).round().numpy(),
            f"{name}/pose": found.frames["poses"].numpy(),
            f"{name}/labels": found.labels.numpy(),
        }
    return outputs, {}


RUNNERS = {
    "sampling_collate": run_collate,
    "sampling_frame_sampling": run_frame_sampling,
    "sampling_inference_sampler": run_inference_sampler,
    "sampling_random_triplet_combinations": run_combinations,
    "sampling_triplet_sampler": run_triplet_sampler,
}
