"""Pooling of feature maps into horizontal parts."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn


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
