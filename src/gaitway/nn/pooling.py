"""Pooling of feature maps into horizontal parts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate

import numpy as np
import torch
from torch import Tensor, nn

SMALLEST = 1e-6
"""What activations are raised to before a generalised mean."""


class HorizontalPyramidPooling(nn.Module):
    """Mean plus maximum over horizontal strips, at several numbers of strips (HPP).

    "Horizontal Pyramid Matching for Person Re-identification", Fu et al., AAAI 2019, arXiv 1804.05275.

    Args:
        bins: Numbers of strips, e.g. 16 8 4 2 1; the map's h·w must be divisible by each.

    Shapes: `(n, c, h, w)` to `(n, p, c)` with p = sum of bins; parts in the order of `bins`, top to bottom.
    """

    def __init__(self, *, bins: Sequence[int]) -> None:
        super().__init__()
        self.bins = tuple(bins)
        self.num_parts = sum(self.bins)
        self._finest = math.lcm(*self.bins)  # every level is made from runs of this many

    def forward(self, x: Tensor) -> Tensor:
        """Pool the map; see the class for shapes."""
        h, w = x.shape[2:]
        if h * w % self._finest:
            raise ValueError(
                f"a feature map of {h}×{w} cannot be cut into {self.bins} equal strips; use frames whose final map has "
                f"h·w divisible by {self._finest}, such as 64×44 or 128×88"
            )
        runs = x.permute(0, 2, 3, 1).reshape(len(x), self._finest, -1, x.shape[1])  # (n, finest, pixels, c)
        mean, maximum = runs.mean(2), runs.amax(2)  # (n, finest, c)
        levels = [
            torch.unflatten(mean, 1, (num, -1)).mean(2) + torch.unflatten(maximum, 1, (num, -1)).amax(2)  # (n, num, c)
            for num in self.bins
        ]
        return torch.cat(levels, 1)  # (n, p, c)


class GeneralisedMeanPooling(nn.Module):
    """The generalised mean over horizontal strips, with learnable exponents (GeM).

    "Fine-tuning CNN Image Retrieval with No Human Annotation", Radenović et al., TPAMI 2019, arXiv 1711.02512. Each
    strip gives `mean(max(x, 1e-6)^q)^(1/q)`. It is computed from logarithms, since `1e-6^6.5` is no normal float32.

    Args:
        levels: Heights of the strips from top to bottom, in rows; several levels cut the same map in several ways.
        shared: One exponent for all strips, or one for each (of a single level).
        start: What the exponents start at.

    Shapes: `(n, c, h, w)` to `(n, p, c)` with p strips, level after level, each from top to bottom; float32 at least.
    """

    def __init__(self, *, levels: Sequence[Sequence[int]], shared: bool = True, start: float = 6.5) -> None:
        super().__init__()
        assert shared or len(levels) == 1, "rows of several levels have no exponent of their own"
        self.height = sum(levels[0])
        assert all(sum(level) == self.height for level in levels), "levels must cut the same map"
        rows = [height for level in levels for height in level]
        heights, position = np.array(rows)[:, None], np.arange(max(rows))  # in numpy: it is quick for meta models too
        starts = np.array([first for level in levels for first in accumulate((0, *level[:-1]))])[:, None]
        self.num_parts = len(rows)
        self.exponent = nn.Parameter(torch.full((1 if shared else self.num_parts,), start))
        self.register_buffer("_heights", torch.tensor(rows), persistent=False)
        self.register_buffer("_rows", torch.tensor(starts + np.minimum(position, heights - 1)), persistent=False)
        self.register_buffer("_beyond", torch.tensor(position >= heights), persistent=False)

    _heights: Tensor  # (p,)
    _rows: Tensor  # (p, tallest), the rows of each strip, the last one again where it is shorter
    _beyond: Tensor  # (p, tallest), where it is

    def forward(self, x: Tensor) -> Tensor:
        """Pool the map; see the class for shapes."""
        h, w = x.shape[2:]
        if h != self.height:
            raise ValueError(
                f"a feature map of {h} rows cannot be cut into strips that add up to {self.height}; use frames of the "
                "height that this model is made for"
            )
        x = x.to(torch.promote_types(x.dtype, torch.float32))
        exponent = self.exponent.to(x.dtype)
        of_row = exponent if len(exponent) == 1 else exponent.repeat_interleave(self._heights, output_size=h)
        rows = torch.logsumexp(of_row[:, None] * x.clamp(min=SMALLEST).log(), 3)  # (n, c, h)
        strips = torch.logsumexp(rows[:, :, self._rows].masked_fill(self._beyond, -torch.inf), 3)  # (n, c, p)
        return ((strips - (self._heights * w).to(x.dtype).log()) / exponent).exp().transpose(1, 2)  # (n, p, c)
