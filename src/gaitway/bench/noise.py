"""A store of noise in the shape of a recipe's data set, to measure on where the data set is not at hand."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np

from gaitway.data.store import FrameFormat, Store
from gaitway.data.store_writer import StoreWriter
from gaitway.training.recipe import Recipe
from gaitway.training.session import modalities_of

NUM_FRAMES = (60, 100)
"""Fewest and most frames of a sequence; CASIA-B has 80 or so."""
MOST_VIEWS, NUM_TEST_SUBJECTS = 4, 4


def noise_store(folder: Path, recipe: Recipe) -> Store:
    """Write a store of noise: twice the training subjects of a batch and a few test subjects, in at most 4 views.

    Args:
        folder: Does not exist yet.
        recipe: Says the data set, its subjects and the shape of a frame.
    """
    partition = recipe.data.load_partition()
    subjects = partition.train[: 2 * recipe.sampler.arguments.get("num_subjects", recipe.build_sampler().batch_size)]
    subjects += partition.test[:NUM_TEST_SUBJECTS]
    shape = tuple(recipe.data.frame_shape)
    known = {"silhouettes": FrameFormat(shape), "poses": FrameFormat(shape, "float32")}
    modalities = {modality: known[modality] for modality in modalities_of(recipe)}
    rng = np.random.default_rng(0)
    with StoreWriter(folder, dataset=recipe.data.dataset, modalities=modalities, made={"by": "noise_store"}) as writer:
        for subject, condition, view in product(
            subjects, partition.types or ("00",), partition.views[:MOST_VIEWS] or ("000",)
        ):
            num = int(rng.integers(*NUM_FRAMES, endpoint=True))
            writer.add(subject, condition, view, {name: _noise(rng, num, fmt) for name, fmt in modalities.items()})
    return Store(folder)


def _noise(rng: np.random.Generator, num: int, fmt: FrameFormat) -> np.ndarray[tuple[int, ...], np.dtype[np.generic]]:
    shape = (num, *fmt.shape)
    if fmt.dtype == "uint8":
        return rng.integers(0, 2, shape, dtype=np.uint8) * np.uint8(255)
    return rng.standard_normal(shape, dtype=np.float32)
