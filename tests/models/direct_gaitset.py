"""GaitSet written down as its description reads, without any of the identities that make `gaitway.models` fast.

Activation before pooling, the time axis moved in and out of every frame-wise block, the pyramid strip by strip, one
matrix product per part. An oracle for the tests, and what `benchmarks/direct_gaitset.py` compares the speed with.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from gaitway.models import GaitSet
from gaitway.nn import ConvPair


def direct_embeddings(model: GaitSet, silhouettes: Tensor) -> Tensor:
    """Embeddings `(n, p, d)` of silhouettes `(n, t, h, w)` by the weights of `model`."""
    x = _frame_wise(model.set1, silhouettes.unsqueeze(1))  # (n, c1, t, h/2, w/2)
    whole = _block(model.global2, x.max(2).values)
    x = _frame_wise(model.set2, x)
    whole = whole + x.max(2).values
    whole = _block(model.global3, whole)
    x = _frame_wise(model.set3, x)
    set_map = x.max(2).values  # (n, c3, h/4, w/4)
    whole = whole + set_map
    parts = torch.cat((_pyramid(set_map, model.pyramid.bins), _pyramid(whole, model.pyramid.bins)), 2)  # (n, c3, p)
    return torch.stack([parts[:, :, p] @ weight for p, weight in enumerate(model.head.weight)], 1)


def _block(block: ConvPair, x: Tensor) -> Tensor:
    x = F.leaky_relu(F.conv2d(x, block.conv1.weight.contiguous(), padding=block.conv1.weight.shape[2] // 2), 0.01)
    x = F.leaky_relu(F.conv2d(x, block.conv2.weight.contiguous(), padding=1), 0.01)
    return F.max_pool2d(x, 2) if block.pool else x


def _frame_wise(block: ConvPair, x: Tensor) -> Tensor:
    n, c, t, h, w = x.shape
    x = _block(block, x.transpose(1, 2).reshape(n * t, c, h, w))
    return x.reshape(n, t, *x.shape[1:]).transpose(1, 2).contiguous()  # (n, c, t, h, w)


def _pyramid(x: Tensor, bins: tuple[int, ...]) -> Tensor:
    n, c = x.shape[:2]
    strips = [strip for num in bins for strip in x.reshape(n, c, num, -1).unbind(2)]
    return torch.stack([strip.mean(2) + strip.max(2).values for strip in strips], 2)  # (n, c, p)
