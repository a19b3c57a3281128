"""Warps of silhouettes and other maps, as OpenGait's `opengait/data/transform.py` defines them (arXiv:2211.06597), and
SPOSGait's.

Each sequence has its own map of the plane, which moves all its frames, with a black border. The published
mixtures of height and width are kept, since released weights were trained with them; random numbers are drawn before
the size of the frames is known, as places in [0, 1) of the possible range.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from gaitway.data.memory import on_device
from gaitway.data.sampling import Ints
from gaitway.data.transforms.chain import Draws, probability

Floats = npt.NDArray[np.float64]
Mode = Literal["bilinear", "nearest"]


class RandomAffine:
    """Moves three corners by a few pixels, 0 to 9 for frames of 64 rows.

    Args:
        p: Probability per sequence.
    """

    def __init__(self, *, p: float = 0.5) -> None:
        self.p = probability(p, "RandomAffine")

    def draw(self, counts: Ints, generator: np.random.Generator) -> Draws:
        """`fires` `(n,)` bool; `shifts` `(n, 12)` in [0, 1): see `affine_matrices`."""
        return {"fires": generator.random(len(counts)) < self.p, "shifts": generator.random((len(counts), 12))}

    def __call__(self, frames: Tensor, counts: Ints, draws: Draws) -> Tensor:
        """`(m, ..., h, w)` to the same shape; uint8 is rounded to uint8."""
        height, width = frames.shape[-2:]
        largest = 10 * (height // 64)
        if not largest:
            raise ValueError(
                f"RandomAffine moves corners by up to 10 pixels for every whole 64 rows, but the frames are {height} "
                "high; use frames of at least 64 × 64, or leave the transform out"
            )
        shifts = np.floor(draws["shifts"] * largest)
        return warp_where(draws["fires"], frames, counts, affine_matrices(shifts, height, width))


class RandomPerspective:
    """Squeezes the upper and the lower edge by a few pixels on each side, 0 to 10 for frames 64 columns wide.

    Args:
        p: Probability per sequence.
    """

    def __init__(self, *, p: float = 0.5) -> None:
        self.p = probability(p, "RandomPerspective")

    def draw(self, counts: Ints, generator: np.random.Generator) -> Draws:
        """`fires` `(n,)` bool; `corners` `(n, 4)` in [0, 1): top left, top right, bottom left, bottom right."""
        return {"fires": generator.random(len(counts)) < self.p, "corners": generator.random((len(counts), 4))}

    def __call__(self, frames: Tensor, counts: Ints, draws: Draws) -> Tensor:
        """`(m, ..., h, w)` to the same shape; uint8 is rounded to uint8."""
        height, width = frames.shape[-2:]
        largest = 10 * (width // 44)
        if not largest:
            raise ValueError(
                f"RandomPerspective squeezes by up to 10 pixels for every whole 44 columns, but the frames are {width} "
                "wide; use frames at least 44 wide, or leave the transform out"
            )
        corners = np.floor(draws["corners"] * largest) + np.array([0, width - largest] * 2)
        return warp_where(draws["fires"], frames, counts, perspective_matrices(corners, height, width))


class RandomRotate:
    """Rotates by a random angle.

    The centre is the published one, x = h // 2 and y = w // 2: for 64 × 44 frames (32, 22), not the middle of the
    frame, so that the walker also moves.

    Args:
        p: Probability per sequence.
        degree: Largest angle in either direction, in degrees.
    """

    def __init__(self, *, p: float = 0.5, degree: float = 10.0) -> None:
        if degree < 0:
            raise ValueError(f"RandomRotate: degree is {degree}, expected at least 0")
        self.p, self.degree = probability(p, "RandomRotate"), degree

    def draw(self, counts: Ints, generator: np.random.Generator) -> Draws:
        """`fires` `(n,)` bool, `angle` `(n,)` in degrees, counter-clockwise positive."""
        return {
            "fires": generator.random(len(counts)) < self.p,
            "angle": generator.uniform(-self.degree, self.degree, len(counts)),
        }

    def __call__(self, frames: Tensor, counts: Ints, draws: Draws) -> Tensor:
        """`(m, ..., h, w)` to the same shape; uint8 is rounded to uint8."""
        return warp_where(draws["fires"], frames, counts, rotation_matrices(draws["angle"], *frames.shape[-2:]))


class RotateFlip:
    """Mirrors left and right, then rotates about the middle of the frame, without blur: pixels keep their values.

    It is SPOSGait's `RandomRotateFlipTransform` (arXiv:2205.02692), which cuts columns and scales before that: use
    `CutColumns` before it.

    Args:
        p: Probability per sequence, of each of the two.
        degree: Largest angle in either direction, in degrees.
    """

    def __init__(self, *, p: float = 0.5, degree: float = 10.0) -> None:
        if degree < 0:
            raise ValueError(f"RotateFlip: degree is {degree}, expected at least 0")
        self.p, self.degree = probability(p, "RotateFlip"), degree

    def draw(self, counts: Ints, generator: np.random.Generator) -> Draws:
        """`rotates`, `flips` `(n,)` bool; `angle` `(n,)` in degrees, counter-clockwise positive."""
        return {
            "rotates": generator.random(len(counts)) < self.p,
            "flips": generator.random(len(counts)) < self.p,
            "angle": generator.uniform(-self.degree, self.degree, len(counts)),
        }

    def __call__(self, frames: Tensor, counts: Ints, draws: Draws) -> Tensor:
        """`(m, h, w)` to the same shape."""
        height, width = frames.shape[-2:]
        rotates, flips = draws["rotates"], draws["flips"]
        angles = np.where(rotates, draws["angle"], 0.0)
        matrices = turning_matrices(angles, x=(width - 1) / 2, y=(height - 1) / 2)
        mirror = np.array([[-1.0, 0.0, width - 1], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
        matrices = np.where(flips[:, None, None], matrices @ mirror, matrices)
        return warp_where(rotates | flips, frames, counts, matrices, mode="nearest")


def affine_matrices(shifts: Floats, height: int, width: int) -> Floats:
    """Affine maps `(n, 3, 3)` that take three points near corners to three others near the same corners.

    Args:
        shifts: `(n, 12)` pixels a, b, c, d, e, f of the points (x, y) = (a, b), (h - c, d), (e, w - f) before, and
            the same after.
        height: Height of the frames, which the published code takes for the largest x.
        width: Width of the frames, which it takes for the largest y.
    """
    corners = np.array([[0, 0], [height, 0], [0, width]])
    inwards = np.array([[1, 1], [-1, 1], [1, -1]])
    points = corners + inwards * shifts.reshape(-1, 2, 3, 2)
    columns = np.concatenate((points, np.ones((*points.shape[:-1], 1))), axis=-1).swapaxes(-1, -2)
    return columns[:, 1] @ np.linalg.inv(columns[:, 0])


def perspective_matrices(corners: Floats, height: int, width: int) -> Floats:
    """Homographies `(n, 3, 3)` that take a quadrilateral between the upper and the lower edge to the whole frame.

    Args:
        corners: `(n, 4)`, x of its top left, top right, bottom left and bottom right corner.
        height: Height of the frames.
        width: Width of the frames.
    """
    x, y = corners, np.broadcast_to([0, 0, height, height], corners.shape)
    zero, one = np.zeros_like(x), np.ones_like(x)
    to_x, to_y = np.array([0, width, 0, width]), np.array([0, 0, height, height])
    # x' (g x + h y + 1) = a x + b y + c and y' (g x + h y + 1) = d x + e y + f for each corner
    for_x = np.stack((x, y, one, zero, zero, zero, -to_x * x, -to_x * y), axis=-1)
    for_y = np.stack((zero, zero, zero, x, y, one, -to_y * x, -to_y * y), axis=-1)
    targets = np.broadcast_to(np.concatenate((to_x, to_y))[:, None], (len(x), 8, 1))
    solved = np.linalg.solve(np.concatenate((for_x, for_y), axis=1), targets)[:, :, 0]
    return np.concatenate((solved, one[:, :1]), axis=1).reshape(-1, 3, 3)


def rotation_matrices(angles: Floats, height: int, width: int) -> Floats:
    """Rotations `(n, 3, 3)` about x = h // 2, y = w // 2.

    Args:
        angles: `(n,)` degrees, counter-clockwise positive (y points down).
        height: Height of the frames.
        width: Width of the frames.
    """
    return turning_matrices(angles, x=height // 2, y=width // 2)  # the published order


def turning_matrices(angles: Floats, *, x: float, y: float) -> Floats:
    """Rotations `(n, 3, 3)` about the point (x, y) by angles `(n,)` in degrees, counter-clockwise positive."""
    cos, sin = np.cos(np.deg2rad(angles)), np.sin(np.deg2rad(angles))
    shift_x, shift_y = (1 - cos) * x - sin * y, sin * x + (1 - cos) * y
    zero, one = np.zeros_like(cos), np.ones_like(cos)
    return np.stack((cos, sin, shift_x, -sin, cos, shift_y, zero, zero, one), axis=-1).reshape(-1, 3, 3)


def warp_where(
    fires: npt.NDArray[np.bool_], frames: Tensor, counts: Ints, matrices: Floats, *, mode: Mode = "bilinear"
) -> Tensor:
    """Warp the frames of the sequences that `fires` says, each sequence by its own map; the others stay.

    Args:
        fires: `(n,)`.
        frames: `(m, ..., h, w)` of n sequences, one after the other.
        counts: `(n,)`, frames per sequence.
        matrices: `(n, 3, 3)`, from pixels (x, y, 1) of the frame to pixels of the result.
        mode: What lies between pixels: a mixture of them, or the nearest.

    Returns:
        `(m, ..., h, w)` of the same type; uint8 is rounded.
    """
    if not fires.any():
        return frames
    # the frames of a sequence as channels of one image, so that its sampling positions are computed once; shorter
    # sequences are filled up with copies of their last frame, which are thrown away
    first, num = (np.cumsum(counts) - counts)[fires, None], counts[fires, None]
    place = np.arange(num.max())
    chosen = on_device(first + np.minimum(place, num - 1), frames.device)
    images = frames[chosen]  # (n, t, ..., h, w)
    moved = warp(images.flatten(1, -3), matrices[fires], mode=mode).view_as(images)
    kept = np.flatnonzero(place < num)
    index = on_device((first + place).ravel()[kept], frames.device)
    return frames.index_copy(0, index, moved.flatten(0, 1)[on_device(kept, frames.device)])


def warp(images: Tensor, matrices: Floats, *, mode: Mode = "bilinear") -> Tensor:
    """Move the pixels of every image by its own map of the plane, with a black border.

    Args:
        images: `(n, c, h, w)`.
        matrices: `(n, 3, 3)`, from pixels (x, y, 1) of the image to pixels of the result.
        mode: What lies between pixels: a mixture of them, or the nearest.

    Returns:
        `(n, c, h, w)` of the same type; uint8 is rounded.
    """
    height, width = images.shape[-2:]
    to_unit = np.array([[2 / width, 0, 1 / width - 1], [0, 2 / height, 1 / height - 1], [0, 0, 1]])
    # from a pixel of the result to the sampling position in the image, in [-1, 1] from edge to edge
    sampling = on_device((to_unit @ np.linalg.inv(matrices)).astype(np.float32), images.device)
    x = torch.arange(width, device=images.device, dtype=torch.float32).expand(height, width)
    y = torch.arange(height, device=images.device, dtype=torch.float32)[:, None].expand(height, width)
    pixels = torch.stack((x, y, torch.ones_like(x)), dim=-1).flatten(0, 1)  # (h w, 3)
    positions = torch.unflatten(pixels @ sampling.mT, 1, (height, width))
    grid = positions[..., :2] / positions[..., 2:]
    moved = functional.grid_sample(images.float(), grid, mode=mode, align_corners=False)
    return moved.round().to(images.dtype) if images.dtype == torch.uint8 else moved
