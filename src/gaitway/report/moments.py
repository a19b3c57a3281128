"""Moments of a sequence as pictures: its silhouettes, its skeletons, or the skeletons over the silhouettes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from gaitway.data.store import Store
from gaitway.report.skeletons import Color, Image, confidences, draw_skeletons, scaled_to_body
from gaitway.skeletons import SKELETONS, Skeleton, skeleton_of

PAPER, INK, FAINT, PERSON, PALE, CELL = (
    (255, 255, 255),
    (50, 40, 35),
    (140, 128, 120),
    (70, 52, 40),
    (205, 196, 188),
    (248, 244, 242),
)
"""Colours; PALE is a person behind a skeleton."""

CYCLE = 28  # frames; at the 25 frames per second of the data sets a little more than two steps
WIDTH_OF_BODY = 0.75  # of a picture without silhouettes, as a share of its height: room for a stride


def drawable(store: Store) -> tuple[str, ...]:
    """What of a store can be drawn: its silhouettes, its poses where their skeleton is known.

    Raises:
        ValueError: when nothing can.
    """
    modalities = store.manifest.modalities
    found = ["silhouettes"] * ("silhouettes" in modalities) + ["poses"] * (skeleton_in(store) is not None)
    if not found:
        poses = modalities.get("poses")
        known = ", ".join(f"{skeleton.name} with {skeleton.num_joints} joints" for skeleton in SKELETONS.values())
        what = f"its poses of {poses.shape[0]} joints are no known skeleton ({known})" if poses else "it has no such"
        raise ValueError(f"{store.path} has neither silhouettes nor poses that can be drawn: {what}")
    return tuple(found)


def skeleton_in(store: Store) -> Skeleton | None:
    """The skeleton of a store's poses: by the names of the joints where it has them, else by their number."""
    fmt = store.manifest.modalities.get("poses")
    if fmt is None:
        return None
    if not fmt.joints:
        return skeleton_of(fmt.shape[0])
    return next((skeleton for skeleton in SKELETONS.values() if skeleton.joints == tuple(fmt.joints)), None)


def lengths(store: Store, row: int, modalities: Sequence[str]) -> dict[str, int]:
    """How many frames a sequence has of each modality that it has."""
    counts = {modality: int(store.index.num_frames[modality][row]) for modality in modalities}
    return {modality: count for modality, count in counts.items() if count}


def in_words(counts: dict[str, int]) -> str:
    """`24 frames`, or `24 silhouettes, 22 poses` where a sequence has unequal numbers of them."""
    if len(set(counts.values())) == 1:
        return f"{next(iter(counts.values()))} frames"
    return ", ".join(f"{count} {modality}" for modality, count in counts.items())


def moments_of_a_cycle(length: int, num: int) -> npt.NDArray[np.int64]:
    """Positions of `num` moments of about one gait cycle in a sequence of `length` frames."""
    return np.linspace(0, min(length, CYCLE) - 1, num).round().astype(np.int64)


def width_of(store: Store, height: int, modalities: Sequence[str]) -> int:
    """How wide a picture of this height is."""
    if "silhouettes" not in modalities:
        return round(WIDTH_OF_BODY * height)
    of_frame = store.frame_format("silhouettes").shape
    return height * of_frame[1] // of_frame[0]


def draw_moments(
    store: Store, row: int, positions: npt.NDArray[np.int64], *, height: int, modalities: Sequence[str]
) -> Image:
    """Draw frames of a sequence.

    Args:
        store: The store.
        row: Of its index.
        positions: Which frames; where a modality has no such frame it is not drawn.
        height: Of a picture in pixels.
        modalities: Which to draw, out of `drawable`.

    Returns:
        `(len(positions), height, width, 3)`, colours in OpenCV's order.
    """
    width, counts = width_of(store, height, modalities), lengths(store, row, modalities)
    pictures = np.full((len(positions), height, width, 3), CELL, np.uint8)
    if "silhouettes" in counts:
        there = positions < counts["silhouettes"]
        frames = store.frames("silhouettes", row)[positions[there]]
        pictures[there] = tinted(frames, height, width, PALE if "poses" in counts else PERSON)
    if "poses" in counts:
        there = positions < counts["poses"]
        poses, skeleton = store.frames("poses", row), skeleton_in(store)
        assert skeleton is not None, "only drawable modalities are asked for"
        sure = confidences(poses)
        places = scaled_to_body(poses, skeleton, height=height, width=width, sure=sure)
        of_poses = pictures[there]
        draw_skeletons(of_poses, places[positions[there]], sure[positions[there]], skeleton, ground=PAPER)
        pictures[there] = of_poses
    return pictures


def without_sides(pictures: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Silhouettes `(t, h, w, ...)` without the empty columns at the sides, which models are not shown either."""
    width = pictures.shape[2]
    margin = 10 * (width // 64)
    return pictures[:, :, margin : width - margin]


def tinted(frames: npt.NDArray[Any], height: int, width: int, color: Color) -> Image:
    """Silhouettes `(t, h, w)` at the size of a picture `(t, height, width, 3)`, in a colour on a faint ground."""
    t, h, _ = frames.shape
    if not t:
        return np.empty((0, height, width, 3), np.uint8)
    larger = cv2.INTER_AREA if h > height else cv2.INTER_CUBIC
    share = np.stack([cv2.resize(frame, (width, height), interpolation=larger) for frame in frames])[..., None] / 255
    return np.rint(share * color + (1 - share) * CELL).astype(np.uint8)


def write(picture: Image, text: str, x: int, y: int, color: Color = INK, *, size: float = 0.45) -> int:
    """Write a line of text whose letters stand on `y`; returns where it ends."""
    cv2.putText(picture, text, (x, y), cv2.FONT_HERSHEY_DUPLEX, size, color, 1, cv2.LINE_AA)
    return x + int(cv2.getTextSize(text, cv2.FONT_HERSHEY_DUPLEX, size, 1)[0][0])


def legend(picture: Image, x: int, y: int, *, size: float = 0.45) -> None:
    """Say which side of the walker is drawn how, in a line whose letters stand on `y`."""
    for side in ("left", "right"):
        bone = Skeleton(name=side, joints=(f"{side}_one", f"{side}_other"), edges=((0, 1),), parents=(0, 0), center=0)
        sample = np.ascontiguousarray(picture[None, y - 10 : y + 3, x : x + 36])
        draw_skeletons(sample, np.array([[[6.0, 6.0], [29.0, 6.0]]]), np.ones((1, 2)), bone, ground=PAPER, thin=2)
        picture[y - 10 : y + 3, x : x + 36] = sample[0]
        x = write(picture, side, x + 40, y, size=size) + 14
    write(picture, "(paler: less sure)", x, y, FAINT, size=size)
