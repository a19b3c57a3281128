"""Transforms that change which frames a sequence has, for every kind of frames."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from gaitway.data.memory import on_device
from gaitway.data.sampling import Ints
from gaitway.data.transforms.chain import Draws


class TwoViews:
    """Gives every sequence of a batch twice, for losses that compare two pictures of the same.

    All first views come before all second ones; the transforms that follow draw for each view apart. FastPoseGait's
    `TwoView`, except that there a second view that begins with mirrored or renamed joints begins with what the first
    one did to them.
    """

    def draw(self, counts: Ints, generator: np.random.Generator) -> Draws:
        """Nothing is random."""
        return {}

    def resampled(self, counts: Ints) -> Ints:
        """`(n,)` to `(2n,)`."""
        return np.tile(counts, 2)

    def __call__(self, frames: Tensor, counts: Ints, draws: Draws) -> Tensor:
        """`(m, ...)` to `(2m, ...)`."""
        return frames.repeat(2, *(1,) * (frames.ndim - 1))


class RandomSelectSequence:
    """Consecutive frames from a random place.

    Any place can be drawn; the published transform never draws the last one and fails when there is only one.

    Args:
        num: How many frames.
    """

    def __init__(self, *, num: int = 10) -> None:
        self.num = _number(num, "RandomSelectSequence")

    def draw(self, counts: Ints, generator: np.random.Generator) -> Draws:
        """`start` `(n,)`."""
        return {"start": generator.integers(0, np.maximum(counts - self.num, 0), endpoint=True)}

    def resampled(self, counts: Ints) -> Ints:
        """`(n,)` to the same shape."""
        if counts.min() < self.num:
            raise ValueError(
                f"RandomSelectSequence takes {self.num} frames, but a sequence has {counts.min()}; let `frames` take "
                "at least as many"
            )
        return np.full_like(counts, self.num)

    def __call__(self, frames: Tensor, counts: Ints, draws: Draws) -> Tensor:
        """`(m, ...)` to `(n·num, ...)`."""
        rows = (np.cumsum(counts) - counts + draws["start"])[:, None] + np.arange(self.num)
        return frames[on_device(rows.ravel(), frames.device)]


class SelectSequenceCenter:
    """Consecutive frames from the middle; a shorter sequence is repeated until it has as many.

    Args:
        num: How many frames.
    """

    def __init__(self, *, num: int = 10) -> None:
        self.num = _number(num, "SelectSequenceCenter")

    def draw(self, counts: Ints, generator: np.random.Generator) -> Draws:
        """Nothing is random."""
        return {}

    def resampled(self, counts: Ints) -> Ints:
        """`(n,)` to the same shape."""
        return np.full_like(counts, self.num)

    def __call__(self, frames: Tensor, counts: Ints, draws: Draws) -> Tensor:
        """`(m, ...)` to `(n·num, ...)`."""
        start = np.maximum((counts - self.num) // 2, 0)
        positions = (start[:, None] + np.arange(self.num)) % counts[:, None]
        rows = (np.cumsum(counts) - counts)[:, None] + positions
        return frames[on_device(rows.ravel(), frames.device)]


def _number(num: int, transform: str) -> int:
    if num < 1:
        raise ValueError(f"{transform}: num is {num}, expected at least 1")
    return num
