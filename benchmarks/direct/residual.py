"""GaitBase and DeepGaitV2 by the direct form of their descriptions."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.direct.layers import frame_wise, part_linear, pyramid
from gaitway.models import DeepGaitV2, GaitBase
from gaitway.nn import ConvNorm, ResidualBlock
from gaitway.types import Output


def direct(model: GaitBase | DeepGaitV2, silhouettes: Tensor) -> Output:
    """2-D layers with the time axis moved in and out, 3-D ones on clips; see the models for shapes."""
    x = F.relu(_conv_norm(model.backbone.stem, silhouettes.unsqueeze(1)))  # (n, c, t, h, w)
    for stage in model.backbone.stages:
        for block in cast(nn.ModuleList, stage):
            x = _block(cast(ResidualBlock, block), x)
    embeddings = part_linear(pyramid(x.max(2).values, model.pyramid.bins), model.head.weight)
    return Output(embeddings, logits=_neck(model, embeddings) if model.training else None)


def _block(block: ResidualBlock, x: Tensor) -> Tensor:
    y = F.relu(_conv_norm(block.conv1, x))
    if block.temporal is not None:
        temporal = block.temporal
        z = F.conv3d(y, temporal.conv.weight.contiguous().unsqueeze(-1), padding=(1, 0, 0))
        y = F.relu(y + _norm(cast(nn.BatchNorm2d, temporal.norm), z))
    y = _conv_norm(block.conv2, y)
    return F.relu(y + (x if block.shortcut is None else _conv_norm(block.shortcut, x)))


def _conv_norm(layer: ConvNorm, x: Tensor) -> Tensor:
    norm, weight = cast(nn.BatchNorm2d, layer.norm), layer.conv.weight.contiguous()
    padding, stride = layer.conv.padding, layer.conv.stride
    if layer.over_time:
        return _norm(norm, F.conv3d(x, weight, padding=padding, stride=stride))
    return frame_wise(lambda frames: _norm(norm, F.conv2d(frames, weight, padding=padding, stride=stride)), x)


def _neck(model: GaitBase | DeepGaitV2, embeddings: Tensor) -> Tensor:
    n, p, d = embeddings.shape
    x = _norm(model.neck.bn, embeddings.transpose(1, 2).reshape(n, d * p))
    x = F.normalize(x.reshape(n, d, p), dim=1).transpose(1, 2)
    return part_linear(x, F.normalize(model.neck.classifier.weight, dim=1))


def _norm(norm: nn.BatchNorm1d | nn.BatchNorm2d, x: Tensor) -> Tensor:
    """Batch normalisation of tensors with any number of axes, that leaves the running statistics as they are."""
    if norm.training:
        return F.batch_norm(x, None, None, norm.weight, norm.bias, training=True, eps=norm.eps)
    return F.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps)
