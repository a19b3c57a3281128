"""DyGait by the direct form of its description."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.direct.layers import frame_wise, part_linear
from gaitway.models import DyGait
from gaitway.models.dygait import Convolution, DynamicAugmentation, DynamicConvolution, TemporalAggregation
from gaitway.nn import BatchNormNeck
from gaitway.types import Output


def direct(model: DyGait, silhouettes: Tensor) -> Output:
    """All convolutions one by one, each frame's deviation stored, the classifier at any time; see `DyGait`."""
    x = silhouettes.unsqueeze(1)
    if x.shape[2] < 3:
        x = x.repeat(1, 1, 3 if x.shape[2] == 1 else 2, 1, 1)
    for stage in model.stages:
        if isinstance(stage, DynamicAugmentation):
            x = _block(stage, x)
        elif isinstance(stage, Convolution):
            x = F.leaky_relu(F.conv3d(x, stage.convolution.weight.contiguous(), padding=1), 0.01)
        elif isinstance(stage, TemporalAggregation):
            x = F.leaky_relu(F.conv3d(x, stage.convolution.weight.contiguous(), stride=(3, 1, 1)), 0.01)
        else:
            x = F.max_pool3d(x, (1, 2, 2), stride=(1, 2, 2))
    x = x.max(2).values  # (n, c, h, w)
    strips = [strip for num in model.bins for strip in x.chunk(num, 2)]
    parts = torch.stack([_generalised_mean(strip, model.pooling.exponent) for strip in strips], 1)  # (n, p, c)
    embeddings = part_linear(parts, model.head.weight)
    return Output(embeddings, logits=_classify(model.neck, embeddings))


def _block(block: DynamicAugmentation, x: Tensor) -> Tensor:
    y = _convolve(block.second, _convolve(block.first, x))
    if block.projection is not None:
        return y + frame_wise(block.projection, x)
    return y + x if block.adds_input else y


def _convolve(layer: DynamicConvolution, x: Tensor) -> Tensor:
    general = F.conv3d(x, layer.general.weight.contiguous(), padding=1)
    dynamic = F.conv3d(x - x.mean(2, keepdim=True), layer.dynamic.weight.contiguous(), padding=1)
    kernel = layer.static.weight.contiguous()
    static = F.conv3d(x, kernel, padding=(kernel.shape[2] // 2, 1, 1))
    return F.relu(general) + F.relu(dynamic + static)


def _generalised_mean(strip: Tensor, exponent: Tensor) -> Tensor:
    return strip.clamp(min=1e-6).pow(exponent).mean((2, 3)).pow(1 / exponent)


def _classify(neck: BatchNormNeck, x: Tensor) -> Tensor:
    n, p, c = x.shape
    feature = neck.bn(x.transpose(1, 2).reshape(n, c * p)).reshape(n, c, p).transpose(1, 2)
    return part_linear(F.normalize(feature, dim=2), F.normalize(neck.classifier.weight, dim=1))
