"""Rendering many walkers, on many cores, into a store or into a tree of files as a data set is distributed."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from gaitway.data.datasets.preparing import Progress, in_order, num_cores, process_pool
from gaitway.data.pretreatment import DropReason, align_silhouette
from gaitway.data.store import FrameFormat, Store, partial_path
from gaitway.data.store_writer import StoreWriter
from gaitway.data.walkers.body import prepare_bodies
from gaitway.data.walkers.camera import VIEWS
from gaitway.data.walkers.generate import CONDITIONS, record
from gaitway.data.walkers.layouts import RAW_LAYOUTS, write_recordings
from gaitway.data.walkers.pose_layouts import POSE_LAYOUTS
from gaitway.skeletons import COCO_JOINTS

LAYOUTS = RAW_LAYOUTS | POSE_LAYOUTS
SIZE = 64
NUM_FRAMES = 24
MODALITIES = {
    "silhouettes": FrameFormat((SIZE, SIZE), compact=True),
    "poses": FrameFormat((len(COCO_JOINTS), 3), "float32", joints=COCO_JOINTS),
}

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Aligned:
    """A sequence as it goes into a store."""

    subject: str
    condition: str
    view: str
    silhouettes: NDArray[np.uint8]
    poses: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Align:
    """Work for another process: all sequences of an identity, aligned."""

    seed: int
    num_frames: int

    def __call__(self, identity: int) -> list[Aligned]:
        torch.set_num_threads(1)  # one core per process
        return [
            Aligned(
                recording.subject,
                recording.condition,
                recording.view,
                np.stack([_aligned(frame) for frame in recording.frames]),
                recording.poses,
            )
            for recording in record(self.seed, identity, num_frames=self.num_frames)
        ]


@dataclass(frozen=True, slots=True)
class _Save:
    """Work for another process: the raw frames of an identity as files below `folder`."""

    seed: int
    num_frames: int
    folder: Path
    layout: str

    def __call__(self, identity: int) -> int:
        torch.set_num_threads(1)
        layout = LAYOUTS[self.layout]
        recordings = record(
            self.seed, identity, num_frames=self.num_frames, conditions=layout.conditions, views=layout.views
        )
        is_pose = layout.modality == "poses"
        named = ((r.subject, r.condition, r.view, r.poses if is_pose else r.frames) for r in recordings)
        return write_recordings(named, self.folder, layout)


def write_store(
    out: str | Path,
    *,
    num_identities: int,
    seed: int,
    num_frames: int = NUM_FRAMES,
    num_processes: int | None = None,
    progress: Progress | None = None,
) -> Store:
    """Render walkers into a store: aligned silhouettes of 64×64, one bit per pixel, and poses in raw pixels.

    The store depends on `seed`, `num_identities` and `num_frames` alone. An interrupted run goes on when called
    again. The work is done by processes; call it under `if __name__ == "__main__":`.

    Args:
        out: Folder of the store; must not exist.
        num_identities: Subjects 001, 002, …; each has 110 sequences.
        seed: Which population.
        num_frames: Frames per sequence, at 25 per second.
        num_processes: Worker processes; one per core when None.
        progress: Called with the sequences done and to be done.

    Raises:
        ValueError: when a number is not positive.
        FileExistsError: when `out` exists.
        ModuleNotFoundError: when Anny isn't installed.
        OSError: when the disk is full.
    """
    _check(num_identities, seed, num_frames, num_processes)
    made = {"by": "gaitway data walkers", "seed": seed, "num_identities": num_identities, "num_frames": num_frames}
    total = num_identities * len(CONDITIONS) * len(VIEWS)
    store = StoreWriter(out, dataset="walkers", modalities=MODALITIES, made=made)
    prepare_bodies()
    with store as writer:
        missing = range(1 + len(writer) // (len(CONDITIONS) * len(VIEWS)), num_identities + 1)
        with closing(_work(_Align(seed, num_frames), missing, num_processes)) as identities:
            for sequences in identities:
                for s in sequences:
                    if f"{s.subject}-{s.condition}-{s.view}" in writer:
                        continue
                    writer.add(s.subject, s.condition, s.view, {"silhouettes": s.silhouettes, "poses": s.poses})
                if progress:
                    progress(len(writer), total)
    return Store(out)


def write_raw_tree(
    out: str | Path,
    *,
    layout: str = "casia-b",
    num_identities: int,
    seed: int,
    num_frames: int = NUM_FRAMES,
    num_processes: int | None = None,
    progress: Progress | None = None,
) -> Path:
    """Render walkers into files as a data set is distributed: for CASIA-B PNG files of 320×240, or poses.

    Written to `OUT.partial` and renamed at the end.

    Args:
        out: Folder of the tree; must not exist.
        layout: Which data set's, one of `RAW_LAYOUTS` or `POSE_LAYOUTS`.
        num_identities: As for `write_store`, and so are the others and the errors.
        seed: Which population.
        num_frames: Frames per sequence.
        num_processes: Worker processes.
        progress: Called with the identities done and to be done.

    Returns:
        The folder of the tree.
    """
    _check(num_identities, seed, num_frames, num_processes)
    if layout not in LAYOUTS:
        raise ValueError(f"no raw layout {layout!r}; known are {', '.join(LAYOUTS)}")
    out = Path(out)
    if out.exists():
        raise FileExistsError(f"{out} exists already; choose another name or remove it")
    prepare_bodies()
    partial = partial_path(out)
    if partial.exists():
        shutil.rmtree(partial)  # of a run that was killed; it can't be told which of its files are whole
    partial.mkdir(parents=True)
    identities = range(1, num_identities + 1)
    try:
        with closing(_work(_Save(seed, num_frames, partial, layout), identities, num_processes)) as counts:
            for done, _ in enumerate(counts, start=1):
                if progress:
                    progress(done, num_identities)
    except BaseException:
        shutil.rmtree(partial)
        raise
    return partial.rename(out)


def _work(
    function: Callable[[int], Result], identities: range, num_processes: int | None
) -> Generator[Result, None, None]:
    workers = max(min(num_processes or num_cores(), len(identities)), 1)
    return in_order(process_pool(workers), function, identities, window=workers + 2)


def _aligned(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    silhouette = align_silhouette(frame, SIZE)
    assert not isinstance(silhouette, DropReason), "a rendered walker is in every frame"
    return silhouette


def _check(num_identities: int, seed: int, num_frames: int, num_processes: int | None) -> None:
    for name, value, least in (
        ("num_identities", num_identities, 1),
        ("num_frames", num_frames, 1),
        ("num_processes", 1 if num_processes is None else num_processes, 1),
        ("seed", seed, 0),
    ):
        if value < least:
            raise ValueError(f"{name} is {value}, expected at least {least}; give a larger number")
