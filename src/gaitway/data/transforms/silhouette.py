"""Transforms of silhouettes, as OpenGait's `opengait/data/transform.py` defines them (arXiv:2211.06597).

Frames are `(m, h, w)`. A random transform fires with probability `p`, once for a whole sequence.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from gaitway.data.memory import empty, on_device
from gaitway.data.sampling import Ints
from gaitway.data.transforms.chain import Draws

Floats = npt.NDArray[np.float64]
NUM_ERASING_ATTEMPTS = 100


class CutColumns:
    """Drops background columns on both sides and scales to [0, 1] (OpenGait's `BaseSilCuttingTransform`).

    Args:
        columns: Columns to drop on each side; None takes 10 for every whole 64 columns of the width, so that
            64 become 44 and 44 stay.
    """

    def __init__(self, *, columns: int | None = None) -> None:
        if columns is not None and columns < 0:
            raise ValueError(f"CutColumns: columns is {columns}, expected at least 0 or null")
        self.columns = columns

    def draw(self, num_sequences: int, generator: np.random.Generator) -> Draws:
        """Nothing is random."""
        return {}

    def __call__(self, frames: Tensor, counts: Ints, draws: Draws) -> Tensor:
        """`(m, h, w)` uint8 to `(m, h, w - 2 columns)` float32."""
        width = frames.shape[-1]
        columns = 10 * (width // 64) if self.columns is None else self.columns
        if 2 * columns >= width:
            raise ValueError(
                f"CutColumns cuts {columns} columns on each side of frames that are {width} wide, so nothing is left; "
                "use a smaller number, or Scale for frames that are cut already"
            )
        return _to_unit_range(frames[..., columns : width - columns], "CutColumns")


class Scale:
    """Scales to [0, 1] (OpenGait's `BaseSilTransform`), for frames that are cut already."""

    def draw(self, num_sequences: int, generator: np.random.Generator) -> Draws:
        """Nothing is random."""
        return {}

    def __call__(self, frames: Tensor, counts: Ints, draws: Draws) -> Tensor:
        """`(m, h, w)` uint8 to float32."""
        return _to_unit_range(frames, "Scale")


class RandomHorizontalFlip:
    """Mirrors left and right.

    Args:
        p: Probability per sequence.
    """

    def __init__(self, *, p: float = 0.5) -> None:
        self.p = _probability(p, "RandomHorizontalFlip")

    def draw(self, num_sequences: int, generator: np.random.Generator) -> Draws:
        """`fires` `(n,)` bool."""
        return {"fires": generator.random(num_sequences) < self.p}

    def __call__(self, frames: Tensor, counts: Ints, draws: Draws) -> Tensor:
        """`(m, h, w)` to the same shape."""
        fires = _per_frame(draws["fires"], counts, frames.device)
        return torch.where(fires[:, None, None], frames.flip(-1), frames)


class RandomErasing:
    """Sets a rectangle to 0, the same in all frames of a sequence (Zhong et al., arXiv:1708.04896).

    Args:
        p: Probability per sequence.
        min_area: Smallest share of the frame's area.
        max_area: Largest share.
        min_aspect: Smallest ratio of height to width; the largest is its inverse.
    """

    def __init__(
        self, *, p: float = 0.5, min_area: float = 0.05, max_area: float = 0.2, min_aspect: float = 0.3
    ) -> None:
        if not (0 < min_area <= max_area < 1 and 0 < min_aspect <= 1):
            raise ValueError(
                f"RandomErasing: areas {min_area} to {max_area} with a least aspect of {min_aspect}; "
                "expected 0 < min_area <= max_area < 1 and 0 < min_aspect <= 1"
            )
        self.p = _probability(p, "RandomErasing")
        self.min_area, self.max_area, self.min_aspect = min_area, max_area, min_aspect

    def draw(self, num_sequences: int, generator: np.random.Generator) -> Draws:
        """`fires` `(n,)` bool; `area`, `aspect` `(n, attempts)`; `top`, `left` `(n,)` in [0, 1) of where it fits."""
        attempts = (num_sequences, NUM_ERASING_ATTEMPTS)
        return {
            "fires": generator.random(num_sequences) < self.p,
            "area": generator.uniform(self.min_area, self.max_area, attempts),
            "aspect": generator.uniform(self.min_aspect, 1 / self.min_aspect, attempts),
            "top": generator.random(num_sequences),
            "left": generator.random(num_sequences),
        }

    def __call__(self, frames: Tensor, counts: Ints, draws: Draws) -> Tensor:
        """`(m, h, w)` to the same shape."""
        height, width = frames.shape[-2:]
        sides = erased_rectangles(draws["area"], draws["aspect"], draws["top"], draws["left"], height, width)
        sides[~draws["fires"]] = 0  # a rectangle without extent erases nothing
        top, left, tall, wide = _per_frame(sides, counts, frames.device)[:, :, None].unbind(1)  # each (m, 1)
        rows, columns = torch.arange(height, device=frames.device), torch.arange(width, device=frames.device)
        inside_rows = (top <= rows) & (rows < top + tall)  # (m, h)
        inside_columns = (left <= columns) & (columns < left + wide)  # (m, w)
        return frames.masked_fill(inside_rows[:, :, None] & inside_columns[:, None, :], 0)


class RandomRotate:
    """Rotates by a random angle, bilinear with a black border.

    The centre is the published one, x = h // 2 and y = w // 2: for 64 × 44 frames (32, 22), not the middle of the
    frame, so that the walker also moves. Released weights were trained so.

    Args:
        p: Probability per sequence.
        degree: Largest angle in either direction, in degrees.
    """

    def __init__(self, *, p: float = 0.5, degree: float = 10.0) -> None:
        if degree < 0:
            raise ValueError(f"RandomRotate: degree is {degree}, expected at least 0")
        self.p, self.degree = _probability(p, "RandomRotate"), degree

    def draw(self, num_sequences: int, generator: np.random.Generator) -> Draws:
        """`fires` `(n,)` bool, `angle` `(n,)` in degrees, counter-clockwise positive."""
        return {
            "fires": generator.random(num_sequences) < self.p,
            "angle": generator.uniform(-self.degree, self.degree, num_sequences),
        }

    def __call__(self, frames: Tensor, counts: Ints, draws: Draws) -> Tensor:
        """`(m, h, w)` to the same shape; uint8 is rounded to uint8."""
        fires = np.repeat(draws["fires"], counts)
        if not fires.any():
            return frames
        matrices = rotation_matrices(np.repeat(draws["angle"], counts)[fires], *frames.shape[-2:])
        chosen = on_device(np.flatnonzero(fires), frames.device)
        return frames.index_copy(0, chosen, warp(frames[chosen], matrices))


def erased_rectangles(area: Floats, aspect: Floats, top: Floats, left: Floats, height: int, width: int) -> Ints:
    """The rectangles that `RandomErasing` sets to 0, one per sequence.

    Args:
        area: `(n, attempts)`, shares of the frame's area.
        aspect: `(n, attempts)`, height divided by width.
        top: `(n,)` in [0, 1): where in the possible range the upper edge lies.
        left: `(n,)` in [0, 1): likewise for the left edge.
        height: Height of the frames.
        width: Width of the frames.

    Returns:
        `(n, 4)`: top, left, height, width, of the first attempt that fits; 0 where none does.
    """
    tall = np.rint(np.sqrt(area * height * width * aspect)).astype(np.int64)
    wide = np.rint(np.sqrt(area * height * width / aspect)).astype(np.int64)
    fits = (tall < height) & (wide < width)
    first = (np.arange(len(area)), fits.argmax(axis=1))
    tall, wide = tall[first], wide[first]
    places = (np.floor(top * (height - tall + 1)), np.floor(left * (width - wide + 1)))
    return np.where(fits[first][:, None], np.stack((*places, tall, wide), axis=1), 0).astype(np.int64)


def rotation_matrices(angles: Floats, height: int, width: int) -> Floats:
    """Rotations `(n, 2, 3)` about x = h // 2, y = w // 2, which take pixel (x, y, 1) of a frame to its new place.

    Args:
        angles: `(n,)` degrees, counter-clockwise positive (y points down).
        height: Height of the frames.
        width: Width of the frames.
    """
    x, y = height // 2, width // 2  # the published order
    cos, sin = np.cos(np.deg2rad(angles)), np.sin(np.deg2rad(angles))
    shift_x, shift_y = (1 - cos) * x - sin * y, sin * x + (1 - cos) * y
    return np.stack((cos, sin, shift_x, -sin, cos, shift_y), axis=-1).reshape(-1, 2, 3)


def warp(frames: Tensor, matrices: Floats) -> Tensor:
    """Move the pixels of every frame by its own affine map, bilinear with a black border.

    Args:
        frames: `(m, h, w)`.
        matrices: `(m, 2, 3)`, from pixels of the frame to pixels of the result.

    Returns:
        `(m, h, w)` of the same type; uint8 is rounded.
    """
    height, width = frames.shape[-2:]
    to_unit = np.array([[2 / width, 0, 1 / width - 1], [0, 2 / height, 1 / height - 1], [0, 0, 1]])
    square = np.concatenate((matrices, np.broadcast_to([0.0, 0.0, 1.0], (len(matrices), 1, 3))), axis=1)
    # the sampling position in the frame of each pixel of the result, both in [-1, 1]
    sampling = (to_unit @ np.linalg.inv(square) @ np.linalg.inv(to_unit))[:, :2]
    theta = on_device(sampling.astype(np.float32), frames.device)
    grid = functional.affine_grid(theta, [len(frames), 1, height, width], align_corners=False)
    moved = functional.grid_sample(frames[:, None].float(), grid, align_corners=False)[:, 0]
    return moved.round().to(frames.dtype) if frames.dtype == torch.uint8 else moved


def _to_unit_range(frames: Tensor, transform: str) -> Tensor:
    if frames.is_floating_point():
        raise ValueError(
            f"{transform} divides by 255 and takes frames of whole numbers, found {frames.dtype}; "
            "use only one of CutColumns and Scale"
        )
    return empty(frames.shape, torch.float32, frames.device).copy_(frames).div_(255)


def _per_frame(values: npt.NDArray[Any], counts: Ints, device: torch.device) -> Tensor:
    """Values of sequences `(n, ...)` as values of their frames `(m, ...)`, on the device."""
    return on_device(np.repeat(values, counts, axis=0), device)


def _probability(p: float, transform: str) -> float:
    if not 0 <= p <= 1:
        raise ValueError(f"{transform}: p is {p}, expected a probability from 0 to 1")
    return p
