"""Layers that the direct forms share, with their loops written out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor


def frame_wise(block: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """A 2-D block on every frame: `(n, c, t, h, w)` to `(n, c', t, h', w')`, copied there and back."""
    n, c, t, h, w = x.shape
    x = block(x.transpose(1, 2).reshape(n * t, c, h, w))
    return x.reshape(n, t, *x.shape[1:]).transpose(1, 2).contiguous()


def pyramid(x: Tensor, bins: Sequence[int]) -> Tensor:
    """Mean plus maximum of every strip: `(n, c, h, w)` to `(n, p, c)`."""
    n, c = x.shape[:2]
    strips = [strip for num in bins for strip in x.reshape(n, c, num, -1).unbind(2)]
    return torch.stack([strip.mean(2) + strip.max(2).values for strip in strips], 1)


def part_linear(x: Tensor, weight: Tensor) -> Tensor:
    """One matrix product per part: `(n, p, c)` and `(p, c, d)` to `(n, p, d)`."""
    return torch.stack([x[:, p] @ weight[p] for p in range(len(weight))], 1)
