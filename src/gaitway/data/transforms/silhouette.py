"""Transforms of silhouettes, as OpenGait's `opengait/data/transform.py` defines them (arXiv:2211.06597).

Frames are `(m, h, w)`, or `(m, c, h, w)` of several maps each, which are treated alike. A random transform fires with
probability `p`, once for a whole sequence.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gaitway.data.memory import empty, on_device
from gaitway.data.sampling import Ints
from gaitway.data.transforms.chain import Draws, probability

Floats = npt.NDArray[np.float64]
NUM_ERASING_ATTEMPTS = 100


class CutColumns:
    """Drops background columns on both sides and scales to [0, 1] (OpenGait's `BaseSilCuttingTransform`).

    Args:
        columns: Columns to drop on each side; None takes 10 for every whole 64 columns of the width, so that
            64 become 44 and 44 stay.
    """

    def __init__(self, *, columns: int | None = None) -> None:
        self.columns = _columns(columns, "CutColumns")

    def draw(self, counts: Ints, generator: np.random.Generator) -> Draws:
        """Nothing is random."""
        return {}

    def __call__(self, frames: Tensor, counts: Ints, draws: Draws) -> Tensor:
        """`(m, ..., h, w)` uint8 to `(m, ..., h, w - 2 columns)` float32."""
        return _to_unit_range(_cut(frames, self.columns, "CutColumns"), "CutColumns")


class CutParsing:
    """The same for maps of body parts, whose labels stay as they are (OpenGait's `BaseParsingCuttingTransform`).

    Frames that are silhouettes after all, which is when the largest value is 255, are scaled to [0, 1].

    Args:
        columns: As in `CutColumns`.
    """

    def __init__(self, *, columns: int | None = None) -> None:
        self.columns = _columns(columns, "CutParsing")

    def draw(self, counts: Ints, generator: np.random.Generator) -> Draws:
        """Nothing is random."""
        return {}

    def __call__(self, frames: Tensor, counts: Ints, draws: Draws) -> Tensor:
        """`(m, ..., h, w)` uint8 to `(m, ..., h, w - 2 columns)` float32."""
        cut = _cut(frames, self.columns, "CutParsing")
        return cut / torch.where(cut.amax() == 255, 255.0, 1.0)


class Scale:
    """Scales to [0, 1] (OpenGait's `BaseSilTransform`), for frames that are cut already."""

    def draw(self, counts: Ints, generator: np.random.Generator) -> Draws:
        """Nothing is random."""
        return {}

    def __call__(self, frames: Tensor, counts: Ints, draws: Draws) -> Tensor:
        """`(m, ..., h, w)` uint8 to float32."""
        return _to_unit_range(frames, "Scale")


class RandomHorizontalFlip:
    """Mirrors left and right.

    Args:
        p: Probability per sequence.
    """

    def __init__(self, *, p: float = 0.5) -> None:
        self.p = probability(p, "RandomHorizontalFlip")

    def draw(self, counts: Ints, generator: np.random.Generator) -> Draws:
        """`fires` `(n,)` bool."""
        return {"fires": generator.random(len(counts)) < self.p}

    def __call__(self, frames: Tensor, counts: Ints, draws: Draws) -> Tensor:
        """`(m, ..., h, w)` to the same shape."""
        fires = _per_frame(draws["fires"], counts, frames.device)
        return torch.where(fires.view(-1, *(1,) * (frames.ndim - 1)), frames.flip(-1), frames)


class RandomErasing:
    """Sets a rectangle to 0 (Zhong et al., arXiv:1708.04896).

    Args:
        p: Probability per sequence, or per frame.
        min_area: Smallest share of the frame's area.
        max_area: Largest share.
        min_aspect: Smallest ratio of height to width; the largest is its inverse.
        per_frame: Whether each frame has a rectangle of its own, or none; otherwise all frames of a sequence have
            the same.
    """

    def __init__(
        self,
        *,
        p: float = 0.5,
        min_area: float = 0.05,
        max_area: float = 0.2,
        min_aspect: float = 0.3,
        per_frame: bool = False,
    ) -> None:
        if not (0 < min_area <= max_area < 1 and 0 < min_aspect <= 1):
            raise ValueError(
                f"RandomErasing: areas {min_area} to {max_area} with a least aspect of {min_aspect}; "
                "expected 0 < min_area <= max_area < 1 and 0 < min_aspect <= 1"
            )
        self.p, self.per_frame = probability(p, "RandomErasing"), per_frame
        self.min_area, self.max_area, self.min_aspect = min_area, max_area, min_aspect

    def draw(self, counts: Ints, generator: np.random.Generator) -> Draws:
        """Random parameters.

        Returns:
            `fires` `(n,)` bool; `area`, `aspect` `(n, attempts)`; `top`, `left` `(n,)` in [0, 1) of where it fits.
            With `per_frame` there is an axis of frames, up to the longest sequence, after the first.
        """
        shape = (len(counts), int(counts.max())) if self.per_frame else (len(counts),)
        attempts = (*shape, NUM_ERASING_ATTEMPTS)
        return {
            "fires": generator.random(shape) < self.p,
            "area": generator.uniform(self.min_area, self.max_area, attempts),
            "aspect": generator.uniform(self.min_aspect, 1 / self.min_aspect, attempts),
            "top": generator.random(shape),
            "left": generator.random(shape),
        }

    def __call__(self, frames: Tensor, counts: Ints, draws: Draws) -> Tensor:
        """`(m, ..., h, w)` to the same shape."""
        height, width = frames.shape[-2:]
        if self.per_frame:
            exists = np.arange(draws["fires"].shape[1]) < counts[:, None]
            draws = {name: values[exists] for name, values in draws.items()}
            counts = np.ones_like(counts, shape=len(frames))
        sides = erased_rectangles(draws["area"], draws["aspect"], draws["top"], draws["left"], height, width)
        sides[~draws["fires"]] = 0  # a rectangle without extent erases nothing
        top, left, tall, wide = _per_frame(sides, counts, frames.device)[:, :, None].unbind(1)  # each (m, 1)
        rows, columns = torch.arange(height, device=frames.device), torch.arange(width, device=frames.device)
        inside_rows = (top <= rows) & (rows < top + tall)  # (m, h)
        inside_columns = (left <= columns) & (columns < left + wide)  # (m, w)
        inside = inside_rows[:, :, None] & inside_columns[:, None, :]
        return frames.masked_fill(inside.view(len(frames), *(1,) * (frames.ndim - 3), height, width), 0)


def erased_rectangles(area: Floats, aspect: Floats, top: Floats, left: Floats, height: int, width: int) -> Ints:
    """The rectangles that `RandomErasing` sets to 0, one per sequence, or frame.

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


def _columns(columns: int | None, transform: str) -> int | None:
    if columns is not None and columns < 0:
        raise ValueError(f"{transform}: columns is {columns}, expected at least 0 or null")
    return columns


def _cut(frames: Tensor, columns: int | None, transform: str) -> Tensor:
    width = frames.shape[-1]
    columns = 10 * (width // 64) if columns is None else columns
    if 2 * columns >= width:
        raise ValueError(
            f"{transform} cuts {columns} columns on each side of frames that are {width} wide, so nothing is left; "
            "use a smaller number, or Scale for frames that are cut already"
        )
    return frames[..., columns : width - columns]


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
