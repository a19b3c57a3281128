"""PyTorch's batch normalisation of channels-last maps, made exact where it trains on a CPU.

There PyTorch adds up all pixels of channels-last maps one after the other in float32: at a hundred frames the result is
off by 1e-4 of itself, and more with more frames. In the other order of memory it adds in float64.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn


class BatchNorm2d(nn.BatchNorm2d):
    """Of maps `(frames, c, h, w)`."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise each channel."""
        if not self.training or x.device.type != "cpu":
            return super().forward(x)
        return _in_the_other_order(super().forward, x, torch.channels_last)


class BatchNorm3d(nn.BatchNorm3d):
    """Of clips `(n, c, t, h, w)`."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise each channel."""
        if not self.training or x.device.type != "cpu":
            return super().forward(x)
        return _in_the_other_order(super().forward, x, torch.channels_last_3d)


def _in_the_other_order(norm: Callable[[Tensor], Tensor], x: Tensor, order: torch.memory_format) -> Tensor:
    y = norm(x.contiguous())
    if y.requires_grad:  # in two orders of memory at once the backward pass takes three times as long
        y.register_hook(torch.Tensor.contiguous)  # type: ignore[no-untyped-call]
    return y.contiguous(memory_format=order)
