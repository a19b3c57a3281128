"""GaitGL by the direct form of its description."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.direct.layers import part_linear
from gaitway.models import GaitGL
from gaitway.models.gaitgl import GlobalLocalConvolution
from gaitway.nn import BatchNormNeck, StripConvolution3d
from gaitway.types import Output


def direct(model: GaitGL, silhouettes: Tensor) -> Output:
    """Every strip by a convolution of its own, the classifier at any time; see `gaitway.models.GaitGL` for shapes."""
    x = silhouettes.unsqueeze(1)
    if x.shape[2] < 3:
        x = x.repeat(1, 1, 3 if x.shape[2] == 1 else 2, 1, 1)
    for convolution in model.stem:
        x = _activate(F.conv3d(x, _weight(convolution), padding=1))
    x = _activate(F.conv3d(x, _weight(model.aggregation), stride=(3, 1, 1)))  # (n, c1, t/3, h, w)
    for i, block in enumerate(model.blocks, start=1):
        assert isinstance(block, GlobalLocalConvolution)
        whole, strips = F.conv3d(x, _weight(block.whole), padding=1), _local(block.strips, x)
        last = i == len(model.blocks)
        x = _activate(torch.cat((whole, strips), 3)) if last else _activate(whole) + _activate(strips)
        if i == model.depth:
            x = F.max_pool3d(x, (1, 2, 2), stride=(1, 2, 2))
    x = x.max(2).values  # (n, c4, h, w/2)
    exponent = model.pooling.exponent
    parts = x.clamp(min=1e-6).pow(exponent).mean(3).pow(1 / exponent).transpose(1, 2)  # (n, p, c4)
    parts = part_linear(parts, model.head.weight)
    if model.bn_neck:
        return Output(parts, logits=_neck(model.neck, parts))
    embeddings = model.bn(parts.transpose(1, 2)).transpose(1, 2)
    return Output(embeddings, logits=part_linear(embeddings, model.classifier.weight))


def _local(layer: StripConvolution3d, x: Tensor) -> Tensor:
    strips = torch.split(x, x.shape[3] // 2**layer.halvings, 3)
    return torch.cat([F.conv3d(strip, _weight(layer), padding=1) for strip in strips], 3)


def _weight(layer: nn.Module) -> Tensor:
    return layer.get_parameter("weight").contiguous()


def _neck(neck: BatchNormNeck, x: Tensor) -> Tensor:
    n, p, c = x.shape
    feature = neck.bn(x.transpose(1, 2).reshape(n, c * p)).reshape(n, c, p).transpose(1, 2)
    return part_linear(F.normalize(feature, dim=2), F.normalize(neck.classifier.weight, dim=1))


def _activate(x: Tensor) -> Tensor:
    return F.leaky_relu(x, 0.01)
