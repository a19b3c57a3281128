"""GaitTR by the direct form of its description."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gaitway.models import GaitTR
from gaitway.models.gaittr import NUM_HEADS, GaitTRBlock, JointAttention
from gaitway.nn import JointBatchNorm
from gaitway.types import Output


def direct(model: GaitTR, poses: Tensor) -> Output:
    """Maps of frames and joints, a loop over heads; see `gaitway.models.GaitTR` for shapes."""
    n, t, v, c = poses.shape
    x = poses.permute(0, 2, 3, 1).reshape(n, v * c, t)
    x = F.batch_norm(x, *_affine(model.input_norm.bn), training=model.training)
    x = x.reshape(n, v, c, t).permute(0, 2, 3, 1).contiguous()  # (n, c, t, v)
    for block in model.blocks:
        x = _block(cast(GaitTRBlock, block), x)
    pooled = x.mean(3).mean(2)  # (n, c)
    return Output(F.conv1d(pooled.unsqueeze(2), model.head.weight, model.head.bias).transpose(1, 2))


def _block(block: GaitTRBlock, x: Tensor) -> Tensor:
    temporal = block.temporal
    y = F.dropout(x, temporal.dropout.p, block.training)
    y = F.mish(F.conv2d(y, temporal.conv.weight.contiguous(), temporal.conv.bias, padding=(4, 0)))
    y = _norm(y, temporal.norm) + x
    attended = _norm(F.mish(_attention(block.attention, y)), block.attention.norm)
    if not block.widens:
        return attended + y + x
    inner = _norm(F.conv2d(y, block.inner.weight, block.inner.bias), block.inner_norm)
    outer = _norm(F.mish(F.conv2d(x, block.outer.weight, block.outer.bias)), block.outer_norm)
    return attended + inner + outer


def _attention(attention: JointAttention, x: Tensor) -> Tensor:
    n, c, t, v = x.shape
    x = x.permute(0, 1, 3, 2).reshape(n, c * v, t)
    x = F.batch_norm(x, *_channel_major(attention.input_norm, v), training=attention.training)
    x = x.reshape(n, c, v, t).permute(0, 3, 1, 2).reshape(n * t, c, 1, v)
    projected = F.conv2d(x, attention.projection.weight, attention.projection.bias)  # (n·t, 1.5·c', 1, v)
    q, k, values = torch.split(projected.squeeze(2), attention.widths, 1)
    width = q.shape[1] // NUM_HEADS
    heads = []
    for q_head, k_head, v_head in zip(*(y.chunk(NUM_HEADS, 1) for y in (q, k, values)), strict=True):
        weights = ((q_head * width**-0.5).transpose(1, 2) @ k_head).softmax(2)  # (n·t, v, v)
        heads.append(v_head @ weights.transpose(1, 2))  # (n·t, d, v)
    y = F.conv2d(torch.cat(heads, 1).unsqueeze(2), attention.output.weight, attention.output.bias)
    return torch.unflatten(y.squeeze(2), 0, (n, t)).transpose(1, 2)


def _norm(x: Tensor, norm: nn.BatchNorm1d) -> Tensor:
    return F.batch_norm(x, *_affine(norm), training=norm.training)


def _affine(norm: nn.BatchNorm1d) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Statistics, copied since our own model moves them in training, weight and bias."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    return norm.running_mean.clone(), norm.running_var.clone(), norm.weight, norm.bias


def _channel_major(norm: JointBatchNorm, num_joints: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The same in the published order of channels, channel·v + joint."""
    mean, var, weight, bias = (values.view(num_joints, -1).T.flatten() for values in _affine(norm.bn))
    return mean, var, weight, bias
