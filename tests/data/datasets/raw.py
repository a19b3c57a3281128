"""Raw data of made-up people, in the layouts in which data sets come."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Grey = npt.NDArray[np.uint8]


def person(frame: int, *, size: tuple[int, int] = (240, 320)) -> Grey:
    """A raw silhouette: head, body and swinging legs, walking to the right."""
    image = np.zeros(size, np.uint8)
    x, swing = 60 + 7 * frame % 200, 18 * np.sin(frame)
    cv2.circle(image, (x, 60), 12, 255, -1)
    cv2.ellipse(image, (x, 110), (20, 40), 0, 0, 360, 255, -1)
    for side in (-1, 1):
        cv2.line(image, (x, 140), (round(x + side * swing), 200), 255, 10)
    return image


def png(image: Grey) -> bytes:
    return bytes(cv2.imencode(".png", image)[1])


def write_png_tree(
    root: Path,
    *,
    subjects: Sequence[str] = ("001", "002"),
    conditions: Sequence[str] = ("nm-01", "bg-01"),
    views: Sequence[str] = ("000", "090"),
    num_frames: int = 3,
) -> Path:
    """CASIA-B's raw layout, a PNG per frame."""
    for number, (subject, condition, view) in enumerate(product(subjects, conditions, views)):
        folder = root / subject / condition / view
        folder.mkdir(parents=True)
        for frame in range(1, num_frames + 1):
            content = png(person(frame + number))  # no two sequences are alike
            (folder / f"{subject}-{condition}-{view}-{frame:03}.png").write_bytes(content)
    return root


def silhouettes(num_frames: int, *, size: int = 64, seed: int = 0) -> Grey:
    """Aligned silhouettes `(t, size, size)`: bars as high as the frame, in grey."""
    frames = np.zeros((num_frames, size, size), np.uint8)
    for frame, half in enumerate(np.random.default_rng(seed).integers(5, 20, num_frames)):
        frames[frame, :, size // 2 - half : size // 2 + half] = 200
    return frames


def write_pickle(file: Path, value: Any, protocol: int = 4) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(pickle.dumps(value, protocol))
    return file


def write_pickle_tree(
    root: Path,
    *,
    subjects: Sequence[str] = ("001", "002"),
    conditions: Sequence[str] = ("nm-01", "bg-01"),
    views: Sequence[str] = ("000", "090"),
    num_frames: int = 6,
) -> Path:
    """OpenGait's layout, a pickled array per sequence."""
    for number, (subject, condition, view) in enumerate(product(subjects, conditions, views)):
        write_pickle(root / subject / condition / view / f"{view}.pkl", silhouettes(num_frames, seed=number))
    return root


def contents(folder: Path) -> dict[str, bytes]:
    """Name -> content of the files of a folder."""
    return {file.name: file.read_bytes() for file in folder.iterdir()}
