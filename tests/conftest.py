"""Fixtures that several tests share."""

from __future__ import annotations

import os

if "PYTEST_XDIST_WORKER" in os.environ:  # before numpy and torch start threads: processes that each use all cores wait
    os.environ.setdefault("OMP_NUM_THREADS", "1")

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import settings

from gaitway.data import Store
from gaitway.data.store import FrameFormat
from gaitway.data.store_writer import StoreWriter

settings.register_profile("gaitway", derandomize=True, database=None, deadline=None)  # the same examples in every run
settings.load_profile("gaitway")


class MakeStore(Protocol):
    def __call__(
        self,
        name: str = "store",
        *,
        num_subjects: int = 4,
        conditions: Sequence[str] = ("nm-01", "nm-02", "bg-01", "cl-01"),
        views: Sequence[str] = ("000", "090"),
        num_frames: tuple[int, int] = (6, 12),
        shape: tuple[int, int] = (64, 64),
        modalities: Sequence[str] = ("silhouettes",),
        compact: bool = False,
        dataset: str = "made-up",
        seed: int = 0,
    ) -> Store: ...


@pytest.fixture
def make_store(tmp_path: Path) -> MakeStore:
    """Write a store of made-up people under `tmp_path`: subjects 001, 002, …, every condition and view once.

    A silhouette is a column whose outline is the subject's own, with noise: a model can learn to tell subjects apart.
    Sequences have `num_frames[0]` to `num_frames[1]` frames. `modalities` may include `poses`, `(17, 3)` float32.
    """

    def make(
        name: str = "store",
        *,
        num_subjects: int = 4,
        conditions: Sequence[str] = ("nm-01", "nm-02", "bg-01", "cl-01"),
        views: Sequence[str] = ("000", "090"),
        num_frames: tuple[int, int] = (6, 12),
        shape: tuple[int, int] = (64, 64),
        modalities: Sequence[str] = ("silhouettes",),
        compact: bool = False,
        dataset: str = "made-up",
        seed: int = 0,
    ) -> Store:
        rng = np.random.default_rng(seed)
        height, width = shape
        known = {"silhouettes": FrameFormat(shape, compact=compact), "poses": FrameFormat((17, 3), "float32")}
        formats = {modality: known[modality] for modality in modalities}
        with StoreWriter(tmp_path / name, dataset=dataset, modalities=formats, made={"by": "make_store"}) as writer:
            for subject in range(1, num_subjects + 1):
                outline = rng.uniform(width / 8, width / 3, height)  # half the width of the body in each row
                for condition in conditions:
                    for view in views:
                        t = int(rng.integers(num_frames[0], num_frames[1] + 1))
                        from_middle = np.abs(np.arange(width) - width / 2 + rng.normal(0, 1, (t, 1, 1)))
                        body = from_middle < outline[:, None] + rng.normal(0, 1, (t, height, 1))
                        made: dict[str, npt.NDArray[Any]] = {
                            "silhouettes": (body * 255).astype(np.uint8),
                            "poses": rng.normal(size=(t, 17, 3)).astype(np.float32),
                        }
                        frames = {modality: made[modality] for modality in modalities}
                        writer.add(f"{subject:03}", condition, view, frames)
        return Store(tmp_path / name)

    return make
