"""HSTL by the direct form of its description."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.direct.layers import part_linear
from gaitway.models import HSTL
from gaitway.models.hstl import FrameAggregation, RegionalConvolutions
from gaitway.nn import GeneralisedMeanPooling
from gaitway.types import Output


def direct(model: HSTL, silhouettes: Tensor) -> Output:
    """Every region, pooling and frame window by itself; see `gaitway.models.HSTL` for shapes."""
    if silhouettes.shape[1] < 3:
        silhouettes = silhouettes.repeat(1, -(-3 // silhouettes.shape[1]), 1, 1)
    level1, level2, *finer = cast(list[RegionalConvolutions], model.levels)
    astp1, astp2, astp2_aggregated, *others, rows = model.poolings
    x = _convolve(level1, silhouettes.unsqueeze(1))
    parts = [_pool(astp1, x)]
    if model.pool:
        x = F.max_pool3d(x, (1, 2, 2))
    x = _convolve(level2, x)
    parts.append(_pool(astp2, x))
    x = _aggregate(model.aggregation, level2.heights, x)
    parts.append(_pool(astp2_aggregated, x))
    for level, astp in zip(finer, others, strict=True):
        x = _convolve(level, x)
        parts.append(_pool(astp, x))
    parts.append(_pool(rows, x))
    y = part_linear(torch.cat(parts, 2).transpose(1, 2), model.head.weight)  # (n, p, d)
    y = model.bn(y.transpose(1, 2)).transpose(1, 2)
    return Output(y, logits=part_linear(y, model.classifier.weight))


def _convolve(level: RegionalConvolutions, x: Tensor) -> Tensor:
    kernels = [[convolution.weight for convolution in cast(list[nn.Conv3d], region)] for region in level.regions]
    for layer in zip(*kernels, strict=True):
        regions = zip(torch.split(x, level.heights, 3), layer, strict=True)
        done = [F.conv3d(rows, weight.contiguous(), padding=1) for rows, weight in regions]
        x = F.leaky_relu(torch.cat(done, 3), 0.01)
    return x


def _aggregate(aggregation: FrameAggregation, heights: list[int], x: Tensor) -> Tensor:
    regions = zip(torch.split(x, heights, 3), aggregation.weight, aggregation.bias, strict=True)
    return torch.cat([_aggregate_region(rows, weight, bias) for rows, weight, bias in regions], 3)


def _aggregate_region(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    three = F.max_pool3d(x, (3, 1, 1), (3, 1, 1))
    five = F.max_pool3d(x, (5, 1, 1), (3, 1, 1), (1, 0, 0))
    g = (three + five).mean((3, 4))  # (n, c, t/3)
    u = [F.conv1d(g, weight[i].unsqueeze(2), bias[i]) for i in (0, 1)]
    s = torch.stack(u).softmax(0)[..., None, None]
    return s[0] * three + s[1] * five


def _pool(pooling: nn.Module, x: Tensor) -> Tensor:
    """`(n, c, t, h, w)` to `(n, d, parts)`."""
    x = x.max(2).values
    if isinstance(pooling, nn.Sequential):
        projection, pooling = pooling
        x = F.conv2d(x, cast(nn.Conv2d, projection).weight.contiguous())
    assert isinstance(pooling, GeneralisedMeanPooling)
    exponents = pooling.exponent.expand(pooling.num_parts)
    regions = zip(torch.split(x, pooling._heights.tolist(), 2), exponents, strict=True)
    return torch.stack([rows.clamp(min=1e-6).pow(p).mean((2, 3)).pow(1 / p) for rows, p in regions], 2)
