"""GaitBase, DeepGaitV2 and SkeletonGait by the direct form of their descriptions."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.direct.layers import frame_wise, part_linear, pyramid
from gaitway.models import DeepGaitV2, GaitBase, SkeletonGait
from gaitway.nn import BatchNormNeck, ConvNorm, ResidualBlock
from gaitway.types import Output


def direct(model: GaitBase | DeepGaitV2 | SkeletonGait, frames: Tensor) -> Output:
    """2-D layers with the time axis moved in and out, 3-D ones on clips; see the models for shapes."""
    clips = frames.unsqueeze(1) if frames.ndim == 4 else frames.transpose(1, 2).contiguous()
    x = F.relu(conv_norm(model.backbone.stem, clips))  # (n, c, t, h, w)
    for stage in model.backbone.stages:
        for layer in cast(nn.ModuleList, stage):
            x = block(cast(ResidualBlock, layer), x)
    embeddings = part_linear(pyramid(x.max(2).values, model.pyramid.bins), model.head.weight)
    return Output(embeddings, logits=neck(model.neck, embeddings)[1] if model.training else None)


def block(layer: ResidualBlock, x: Tensor) -> Tensor:
    """A residual block on clips `(n, c, t, h, w)`."""
    y = F.relu(conv_norm(layer.conv1, x))
    if layer.temporal is not None:
        temporal = layer.temporal
        z = F.conv3d(y, temporal.conv.weight.contiguous().unsqueeze(-1), padding=(1, 0, 0))
        y = F.relu(y + _norm(cast(nn.BatchNorm2d, temporal.norm), z))
    y = conv_norm(layer.conv2, y)
    return F.relu(y + (x if layer.shortcut is None else conv_norm(layer.shortcut, x)))


def conv_norm(layer: ConvNorm, x: Tensor) -> Tensor:
    """A convolution and its batch normalisation on clips."""
    norm, weight = cast(nn.BatchNorm2d, layer.norm), layer.conv.weight.contiguous()
    padding, stride = layer.conv.padding, layer.conv.stride
    if layer.over_time:
        return _norm(norm, F.conv3d(x, weight, padding=padding, stride=stride))
    return frame_wise(lambda frames: _norm(norm, F.conv2d(frames, weight, padding=padding, stride=stride)), x)


def neck(layer: BatchNormNeck, embeddings: Tensor) -> tuple[Tensor, Tensor]:
    """Features and logits of a BN neck, `(n, p, d)` and `(n, p, k)`."""
    n, p, d = embeddings.shape
    x = _norm(layer.bn, embeddings.transpose(1, 2).reshape(n, d * p))
    x = F.normalize(x.reshape(n, d, p), dim=1).transpose(1, 2)
    return x, part_linear(x, F.normalize(layer.classifier.weight, dim=1))


def _norm(norm: nn.BatchNorm1d | nn.BatchNorm2d, x: Tensor) -> Tensor:
    """Batch normalisation of tensors with any number of axes, that leaves the running statistics as they are."""
    if norm.training:
        return F.batch_norm(x, None, None, norm.weight, norm.bias, training=True, eps=norm.eps)
    return F.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps)
