"""Measuring every frame of a store in one pass over its files."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from gaitway.data.store import Store

BLOCK_BYTES = 32 << 20  # of unpacked frames, measured at once
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SilhouetteMeasures:
    """What silhouettes look like, a value per frame in each array; foreground is what is not black.

    Args:
        area: Foreground as a share of the frame.
        height: Rows from the first to the last with foreground, as a share of the frame's.
        offset: From the frame's middle to the column where half of the foreground is reached, as a share of the width.
        brightest: The highest value of all frames.
        grey: Share of the foreground that is below 255, in all frames.
    """

    area: Floats
    height: Floats
    offset: Floats
    brightest: int
    grey: float


@dataclass(frozen=True, slots=True)
class PoseMeasures:
    """What poses look like, a value per frame in each array.

    Args:
        finite: Whether all numbers are finite.
        missing: Share of joints at exactly (0, 0), which stands for not found.
        middle: `(t, 2)`, mean of the joints found, in pixels; NaN where there is none.
        height: From the highest to the lowest joint found, in pixels; NaN where there is none.
        least: The lowest confidence of the joints found; NaN where there is none, or no confidences.
        most: The highest.
    """

    finite: npt.NDArray[np.bool_]
    missing: Floats
    middle: Floats
    height: Floats
    least: Floats
    most: Floats


@dataclass(frozen=True, slots=True)
class Measures:
    """All that is measured of a store.

    Args:
        silhouettes: Modality -> what its frames look like, for images.
        poses: Likewise for joints.
        checksums: Modality -> SHA-256 of its file, as found.
        duplicates: Modality -> groups of index rows that hold the very same frames.
    """

    silhouettes: dict[str, SilhouetteMeasures] = field(default_factory=dict)
    poses: dict[str, PoseMeasures] = field(default_factory=dict)
    checksums: dict[str, str] = field(default_factory=dict)
    duplicates: dict[str, list[list[int]]] = field(default_factory=dict)


def measure(store: Store, progress: Callable[[int, int], None] | None = None) -> Measures:
    """Read all frames of a store in blocks and measure them.

    Args:
        store: The store.
        progress: Told how many frames of how many are done.
    """
    measures = Measures()
    total, done = sum(store.manifest.num_frames.values()), 0
    for modality, fmt in store.manifest.modalities.items():
        stored, checksum = store.stored(modality), hashlib.sha256()
        step = max(1, BLOCK_BYTES // int(np.prod(fmt.shape)) // fmt.stored_dtype.itemsize)
        blocks: list[dict[str, Floats]] = []
        for first in range(0, len(stored), step):
            block = np.ascontiguousarray(stored[first : first + step])
            checksum.update(block.data)
            frames = fmt.unpack(block)
            blocks.append(_measure_images(frames) if _is_image(fmt.dtype) else _measure_joints(frames))
            done += len(block)
            if progress:
                progress(done, total)
        measures.checksums[modality] = checksum.hexdigest()
        measures.duplicates[modality] = _duplicates(store, modality)
        if not blocks:
            continue
        values = {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}
        if _is_image(fmt.dtype):
            measures.silhouettes[modality] = SilhouetteMeasures(
                area=values["area"] / np.prod(fmt.shape),
                height=values["height"] / fmt.shape[0],
                offset=values["offset"] / fmt.shape[1],
                brightest=int(values["brightest"].max()),
                grey=float(values["grey"].sum() / max(1.0, values["area"].sum())),
            )
        else:
            measures.poses[modality] = PoseMeasures(
                finite=values["finite"] > 0,
                missing=values["missing"] / fmt.shape[0],
                middle=np.stack([values["x"], values["y"]], axis=1),
                height=values["height"],
                least=values["least"],
                most=values["most"],
            )
    return measures


def _is_image(dtype: str) -> bool:
    return dtype == "uint8"


def _measure_images(frames: npt.NDArray[Any]) -> dict[str, Floats]:
    """Frames `(t, h, w)` -> `(t,)` each, in pixels."""
    _, height, width = frames.shape
    foreground: npt.NDArray[np.bool_] = frames > 0
    rows: npt.NDArray[np.bool_] = np.any(foreground, axis=2)  # (t, h)
    columns = foreground.sum(axis=1, dtype=np.uint16).cumsum(axis=1, dtype=np.int64)  # (t, w)
    area = columns[:, -1]
    centre = (2 * columns > area[:, None]).argmax(axis=1)
    extent = height - rows.argmax(axis=1) - rows[:, ::-1].argmax(axis=1)
    white = np.count_nonzero(frames == 255, axis=(1, 2))
    return {
        "area": area.astype(np.float64),
        "height": np.where(area > 0, extent, 0).astype(np.float64),
        "offset": np.where(area > 0, centre - width // 2, 0).astype(np.float64),
        "brightest": frames.max(axis=(1, 2)).astype(np.float64),
        "grey": (area - white).astype(np.float64),
    }


def _measure_joints(frames: npt.NDArray[Any]) -> dict[str, Floats]:
    """Frames `(t, v, c)` -> `(t,)` each."""
    joints = frames.astype(np.float64)
    x, y = joints[..., 0], joints[..., 1]
    there: npt.NDArray[np.bool_] = np.all(np.isfinite(joints), axis=2) & ((x != 0) | (y != 0))  # (t, v)
    number = there.sum(axis=1)
    some = number > 0
    sure = joints[..., 2] if frames.shape[2] > 2 else np.full(there.shape, np.nan)

    def of_found(values: Floats) -> Floats:
        return np.where(some, values, np.nan)

    return {
        "finite": np.all(np.isfinite(frames), axis=(1, 2)).astype(np.float64),
        "missing": np.all(frames[..., :2] == 0, axis=2).sum(axis=1).astype(np.float64),
        "x": of_found(np.where(there, x, 0).sum(axis=1) / np.maximum(number, 1)),
        "y": of_found(np.where(there, y, 0).sum(axis=1) / np.maximum(number, 1)),
        "height": of_found(np.where(there, y, -np.inf).max(axis=1) - np.where(there, y, np.inf).min(axis=1)),
        "least": of_found(np.where(there, sure, np.inf).min(axis=1)),
        "most": of_found(np.where(there, sure, -np.inf).max(axis=1)),
    }


def _duplicates(store: Store, modality: str) -> list[list[int]]:
    """Groups of rows whose frames are the same, byte for byte."""
    stored, index = store.stored(modality), store.index
    groups: defaultdict[bytes, list[int]] = defaultdict(list)
    for row, (first, count) in enumerate(zip(index.first[modality], index.num_frames[modality], strict=True)):
        if count:
            frames = np.ascontiguousarray(stored[first : first + count])
            groups[hashlib.blake2b(frames.data, digest_size=16).digest()].append(row)
    return [rows for rows in groups.values() if len(rows) > 1]
