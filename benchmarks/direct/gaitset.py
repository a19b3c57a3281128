"""GaitSet by the direct form of its description."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.direct.layers import frame_wise, part_linear, pyramid
from gaitway.models import GaitSet
from gaitway.nn import ConvPair
from gaitway.types import Output


def direct(model: GaitSet, silhouettes: Tensor) -> Output:
    """Frame-wise blocks, each with the time axis moved in and out; see `gaitway.models.GaitSet` for shapes."""
    x = frame_wise(lambda frames: _block(model.set1, frames), silhouettes.unsqueeze(1))  # (n, c1, t, h/2, w/2)
    whole = _block(model.global2, x.max(2).values)
    x = frame_wise(lambda frames: _block(model.set2, frames), x)
    whole = whole + x.max(2).values
    whole = _block(model.global3, whole)
    x = frame_wise(lambda frames: _block(model.set3, frames), x)
    set_map = x.max(2).values  # (n, c3, h/4, w/4)
    whole = whole + set_map
    parts = torch.cat((pyramid(set_map, model.pyramid.bins), pyramid(whole, model.pyramid.bins)), 1)  # (n, p, c3)
    return Output(part_linear(parts, model.head.weight))


def _block(block: ConvPair, x: Tensor) -> Tensor:
    x = F.leaky_relu(F.conv2d(x, block.conv1.weight.contiguous(), padding=block.conv1.weight.shape[2] // 2), 0.01)
    x = F.leaky_relu(F.conv2d(x, block.conv2.weight.contiguous(), padding=1), 0.01)
    return F.max_pool2d(x, 2) if block.pool else x
