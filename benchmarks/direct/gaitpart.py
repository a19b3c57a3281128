"""GaitPart by the direct form of its description."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.direct.layers import frame_wise, part_linear
from gaitway.models import GaitPart
from gaitway.models.gaitpart import TemporalAggregator
from gaitway.nn import FocalConvolution, PlainBackbone
from gaitway.types import Output


def direct(model: GaitPart, silhouettes: Tensor) -> Output:
    """Strip by strip and part by part; see `gaitway.models.GaitPart` for shapes."""
    x = frame_wise(lambda frames: _backbone(model.backbone, frames), silhouettes.unsqueeze(1))  # (n, c, t, h, w)
    parts = torch.unflatten(x.flatten(3), 3, (model.parts.num_parts, -1))  # (n, c, t, p, pixels)
    parts = parts.mean(4) + parts.max(4).values
    aggregated = [_aggregated(model.temporal, part, parts[..., part]) for part in range(model.parts.num_parts)]
    return Output(part_linear(torch.stack(aggregated, 1), model.head.weight))


def _backbone(backbone: PlainBackbone, x: Tensor) -> Tensor:
    for layer, pool in zip(backbone.convolutions, backbone.pools, strict=True):
        convolution = cast(nn.Conv2d, layer)
        weight = convolution.weight.contiguous()
        height = x.shape[2] // 2**convolution.halvings if isinstance(convolution, FocalConvolution) else x.shape[2]
        strips = [F.conv2d(strip, weight, padding=weight.shape[2] // 2) for strip in torch.split(x, height, 2)]
        x = F.leaky_relu(torch.cat(strips, 2), 0.01)
        if pool:
            x = F.max_pool2d(x, 2)
    return x


def _aggregated(temporal: TemporalAggregator, part: int, x: Tensor) -> Tensor:
    """One part over time: `(n, c, t)` to `(n, c)`."""
    squeeze3, squeeze5 = temporal.squeeze[part]
    score3 = F.conv1d(F.leaky_relu(F.conv1d(x, squeeze3, padding=1), 0.01), temporal.excite3[part]).sigmoid()
    score5 = F.conv1d(F.leaky_relu(F.conv1d(x, squeeze5, padding=1), 0.01), temporal.excite5[part], padding=1).sigmoid()
    windows3 = F.avg_pool1d(x, 3, 1, padding=1) + F.max_pool1d(x, 3, 1, padding=1)
    windows5 = F.avg_pool1d(x, 5, 1, padding=2) + F.max_pool1d(x, 5, 1, padding=2)
    return (windows3 * score3 + windows5 * score5).max(2).values
