"""A store of one walker's poses and silhouettes, for tests of pictures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gaitway.data import Store
from gaitway.data.store import FrameFormat
from gaitway.data.store_writer import StoreWriter
from gaitway.report.skeletons import HEIGHT_OF_JOINT
from gaitway.skeletons import COCO_JOINTS

FORMATS = {"silhouettes": FrameFormat((64, 64)), "poses": FrameFormat((17, 3), "float32", joints=COCO_JOINTS)}


def silhouettes(t: int) -> npt.NDArray[Any]:
    """A column, `(t, 64, 64)`."""
    frames = np.zeros((t, 64, 64), np.uint8)
    frames[:, :, 24:40] = 255
    return frames


def poses(t: int) -> npt.NDArray[Any]:
    """Someone who faces us, in pixels of a frame, `(t, 17, 3)`."""
    sideways = {"left": 12, "right": -12, "nose": 0}
    joints = [joint.split("_") for joint in COCO_JOINTS]
    one = [(160 + sideways[words[0]], 60 + 120 * HEIGHT_OF_JOINT[words[-1]], 1) for words in joints]
    return np.tile(np.array(one, np.float32), (t, 1, 1))


def store_of(
    out: Path, *sequences: Mapping[str, npt.NDArray[Any]], formats: Mapping[str, FrameFormat] = FORMATS
) -> Store:
    """A store of these sequences, of the subjects 000, 001, …; with the modalities that there are."""
    have = {modality for frames in sequences for modality in frames}
    modalities = {modality: fmt for modality, fmt in formats.items() if modality in have}
    with StoreWriter(out, dataset="made-up", modalities=modalities, made={}) as writer:
        for number, frames in enumerate(sequences):
            writer.add(f"{number:03}", "nm-01", "090", dict(frames))
    return Store(out)
