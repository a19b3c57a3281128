"""Skeletons as pictures: poses scaled to a body, bones coloured by side and faded by confidence.

The side can be told without colours too: joints on the left are dots, joints on the right are rings.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from gaitway.skeletons import Skeleton

Image = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]
Color = tuple[int, int, int]  # blue, green, red, as OpenCV has it

COLORS: dict[str, Color] = {"right": (0, 83, 199), "middle": (60, 52, 46), "left": (178, 114, 0)}
"""By side of the walker's body, in the order of drawing."""

HEIGHT_OF_JOINT = {
    "nose": 0.09,
    "eye": 0.075,
    "ear": 0.08,
    "neck": 0.165,
    "shoulder": 0.21,
    "elbow": 0.37,
    "wrist": 0.48,
    "hip": 0.485,
    "knee": 0.69,
    "ankle": 0.91,
}
"""How far below the top of the head a joint is while walking, as a share of the body's height; means over walkers."""

FACE = ("nose", "eye", "ear")  # joints so close together that they are drawn small

WHOLE_SEQUENCE = 0.1  # weight of the whole sequence, beside the frame's own joints, for how large the body is in it
FAINTEST = 0.15  # how opaque a joint of confidence 0 would be
LEVELS = 8  # of opacity
SUBPIXEL = 4  # bits of a coordinate after the point, for OpenCV
TALLEST = 16384  # rows of a canvas that OpenCV draws on at once


def confidences(poses: npt.NDArray[np.floating]) -> Floats:
    """How sure each joint is, `(t, v)` in [0, 1]; 0 where it is missing: no confidence, not finite, or at (0, 0).

    Args:
        poses: `(t, v, c)`: x, y and, where c is 3, a confidence; joints without one count as sure.
    """
    sure = poses[..., 2] if poses.shape[-1] > 2 else np.ones(poses.shape[:-1])
    there = np.isfinite(poses).all(-1) & (poses[..., :2] != 0).any(-1)
    return np.where(there, np.clip(np.nan_to_num(sure), 0, 1), 0).astype(np.float64)


def scaled_to_body(
    poses: npt.NDArray[np.floating], skeleton: Skeleton, *, height: float, width: float, sure: Floats
) -> Floats:
    """Poses in any unit as places in a picture of aligned silhouettes, where each frame's body fills the height.

    The size of the body in a frame is the one that a walking person's proportions fit best (least squares over the
    joints), so that it hardly matters which of them are missing; the mean of the joints is put into the middle.

    Args:
        poses: `(t, v, c)`: x to the right, y downwards.
        skeleton: Which joints they are.
        height: Of the picture.
        width: Of the picture.
        sure: `(t, v)` from `confidences`.

    Returns:
        x and y, `(t, v, 2)`; those of missing joints mean nothing.
    """
    share = np.array([HEIGHT_OF_JOINT[joint.rpartition("_")[2]] for joint in skeleton.joints])
    there = sure > 0
    x, y = (np.where(there, poses[..., axis], 0).astype(np.float64) for axis in (0, 1))

    total = np.maximum(sure.sum(1), 1e-9)
    mean_share, mean_y = sure @ share / total, (sure * y).sum(1) / total
    from_mean = share - mean_share[:, None]
    squares, products = ((sure * from_mean * values).sum(1) for values in (from_mean, y - mean_y[:, None]))
    size = (products + WHOLE_SEQUENCE * products.mean()) / np.maximum(squares + WHOLE_SEQUENCE * squares.mean(), 1e-9)
    size = np.maximum.reduce([size, _extent(x, there), _extent(y, there), np.full_like(size, 1e-9)])  # it always fits

    scale, mean_x = height / size, (sure * x).sum(1) / total
    return np.stack(
        [
            (x - mean_x[:, None]) * scale[:, None] + width / 2,
            (y - mean_y[:, None]) * scale[:, None] + height * mean_share[:, None],
        ],
        axis=2,
    )


def draw_skeletons(
    pictures: Image, places: Floats, sure: Floats, skeleton: Skeleton, *, ground: Color, thin: int | None = None
) -> None:
    """Draw a skeleton over each picture.

    Args:
        pictures: `(t, h, w, 3)`, contiguous; changed in place.
        places: x and y of the joints in them, `(t, v, 2)`.
        sure: How opaque each joint is, `(t, v)` in [0, 1]; a missing one (0) is not drawn, nor are its bones.
        skeleton: Which joints they are and what connects them.
        ground: What rings on the right are filled with.
        thin: How thick bones are in pixels, a joint is three times as wide; None: as suits the height.
    """
    assert pictures.flags.c_contiguous, "they're drawn on as one picture, which a copy would not show"
    thin = thin or max(1, round(pictures.shape[1] / 64))
    step = max(1, TALLEST // pictures.shape[1])
    for first in range(0, len(pictures), step):
        block = slice(first, first + step)
        _draw(pictures[block], places[block], sure[block], skeleton, ground, thin)


def _draw(pictures: Image, places: Floats, sure: Floats, skeleton: Skeleton, ground: Color, thin: int) -> None:
    """All frames of `pictures` at once, as one picture below each other."""
    t, height, width, _ = pictures.shape
    canvas = pictures.reshape(t * height, width, 3)
    edge = 1.5 * thin + 1
    y = np.clip(places[..., 1], edge, height - 1 - edge)  # or a joint would reach into the next frame
    y += height * np.arange(t)[:, None]
    x = np.clip(places[..., 0], -width, 2 * width)
    points = np.rint(np.stack([x, y], axis=2) * 2**SUBPIXEL).astype(np.int32)
    ends = np.array(skeleton.edges)
    bones, dots = points[:, ends], points[:, :, None].repeat(2, axis=2)  # (t, e, 2, 2), (t, v, 2, 2)
    side_of_joint = _sides(skeleton)
    side_of_bone = np.array([_side_of_bone(*side_of_joint[bone]) for bone in ends])

    def strokes(lines: npt.NDArray[np.int32], opacity: Floats, thickness: int, color: Color) -> None:
        _strokes(canvas, lines.reshape(-1, 2, 2), opacity.ravel(), thickness, color)

    for side, color in COLORS.items():
        chosen = side_of_bone == side
        strokes(bones[:, chosen], sure[:, ends[chosen]].min(2), thin, color)
    of_face = np.array([joint.endswith(FACE) for joint in skeleton.joints])
    for side, color in COLORS.items():
        small, large = (side_of_joint == side) & of_face, (side_of_joint == side) & ~of_face
        strokes(dots[:, small], sure[:, small], 2 * thin, color)
        strokes(dots[:, large], sure[:, large], 3 * thin, color)
        if side == "right":
            strokes(dots[:, large], sure[:, large], thin, ground)


def _strokes(canvas: Image, lines: npt.NDArray[np.int32], sure: Floats, thickness: int, color: Color) -> None:
    """Lines `(m, 2, 2)` of one colour, each as opaque as it is sure; those that are missing (0) are left out."""
    ink = np.zeros(canvas.shape[:2], np.uint8)
    level = np.ceil(sure * LEVELS).astype(np.int64)
    for step in range(1, LEVELS + 1):  # the surest lie on top
        opacity = FAINTEST + (1 - FAINTEST) * step / LEVELS
        cv2.polylines(ink, list(lines[level == step]), False, 255 * opacity, thickness, cv2.LINE_AA, SUBPIXEL)
    inked, pixels = np.flatnonzero(ink), canvas.reshape(-1, 3)
    share = ink.ravel()[inked, None] / np.float32(255)
    pixels[inked] = np.rint(pixels[inked] * (1 - share) + np.array(color, np.float32) * share).astype(np.uint8)


def _sides(skeleton: Skeleton) -> npt.NDArray[np.str_]:
    """The side of each joint."""
    sides = [joint.partition("_")[0] for joint in skeleton.joints]
    return np.array([side if side in COLORS else "middle" for side in sides])


def _side_of_bone(one: str, other: str) -> str:
    """The side of a bone: that of its ends, the middle where it crosses the body."""
    sides = {one, other} - {"middle"}
    return sides.pop() if len(sides) == 1 else "middle"


def _extent(values: Floats, there: npt.NDArray[np.bool_]) -> Floats:
    """From the lowest to the highest value of each frame's joints that are there, `(t, v)` -> `(t,)`."""
    lowest = np.where(there, values, np.inf).min(1)
    highest = np.where(there, values, -np.inf).max(1)
    return np.where(there.any(1), highest - lowest, 0)
