"""GPGait and GPGait++ by the direct form of their descriptions, with loops over graphs, parts and joints."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.direct.layers import part_linear
from gaitway.models import GPGait, GPGaitPlusPlus
from gaitway.models.gpgait import GPGaitLayer
from gaitway.models.gpgait_plusplus import GPGaitPlusPlusLayer
from gaitway.models.part_graph import (
    NUM_GRAPHS,
    PARTITIONS,
    SHARED_PARTITION,
    WHOLE,
    PartAttention,
    PartBranch,
    PartGraphNetwork,
)
from gaitway.nn import LinearNorm, adjacency
from gaitway.skeletons import COCO12, COCO17, Skeleton
from gaitway.types import Output

Parts = Iterable[Sequence[int]]
Layer = Callable[[Any, Tensor, Tensor, Parts | None], Tensor]
"""From a layer, maps `(n, c, t, v)`, adjacency and parts to maps."""


def direct_gpgait(model: GPGait, poses: Tensor) -> Output:
    """See `gaitway.models.GPGait` for shapes."""
    return _network(model.network, poses, _gpgait_layer)


def direct_gpgait_plus_plus(model: GPGaitPlusPlus, poses: Tensor) -> Output:
    """See `gaitway.models.GPGaitPlusPlus` for shapes."""
    layer = _gpgait_plus_plus_layer if model.mask else _unmasked_layer
    return _network(model.network, poses, layer)


def _network(network: PartGraphNetwork, poses: Tensor, layer: Layer) -> Output:
    x = poses.permute(0, 3, 1, 2)  # (n, 6, t, v)
    pose = _branch(network.pose, x[:, 0:2], COCO17, layer)
    bone = _branch(network.bone, x[:, 2:4], COCO17, layer)
    angle = _branch(network.angle, x[:, 4:5, :, 5:], COCO12, layer)
    parts = part_linear(torch.cat((pose, bone, angle), 1), network.head.weight)  # (n, p, d)
    n, p, d = parts.shape
    normalised = _norm(parts.transpose(1, 2).reshape(n, d * p), network.neck.bn).view(n, d, p).transpose(1, 2)
    embeddings = F.normalize(normalised, dim=2)
    classifier = F.normalize(network.neck.classifier.weight, dim=1)
    logits = part_linear(embeddings, classifier) if network.training else None
    return Output(embeddings, logits=logits, features={"before_neck": parts})


def _branch(branch: PartBranch, x: Tensor, skeleton: Skeleton, layer: Layer) -> Tensor:
    n, c, t, v = x.shape
    x = _norm(x.permute(0, 3, 1, 2).reshape(n, v * c, t), branch.norm.bn)
    x = x.view(n, v, c, t).permute(0, 2, 3, 1).contiguous()
    graph = adjacency(v, skeleton.edges, max_hop=NUM_GRAPHS - 1).to(x)
    for shared in branch.shared:
        x = layer(shared, x, graph, skeleton.partitions[SHARED_PARTITION[skeleton.name]].values())
    columns = []
    for stack, partition in zip(branch.stacks, (*PARTITIONS[skeleton.name], WHOLE), strict=True):
        parts = list(skeleton.partitions[partition].values())
        y = x
        for own in cast(nn.ModuleList, stack.layers):
            y = layer(own, y, graph, None if partition == WHOLE else parts)
        y = y.max(2).values  # (n, c, v)
        columns += [y[:, :, part].mean(2) + y[:, :, part].max(2).values for part in map(list, parts)]
    return torch.stack(columns, 1)


def _gpgait_layer(layer: GPGaitLayer, x: Tensor, graph: Tensor, parts: Parts | None) -> Tensor:
    n, _, t, v = x.shape

    def compare(q: Tensor, k: Tensor) -> Tensor:
        d = q.shape[1]
        q = q.permute(0, 3, 1, 2).reshape(n, v, d * t)
        return (q @ k.reshape(n, d * t, v)) / (d * t)  # (n, v, v)

    def mix(x: Tensor, mixing: Tensor) -> Tensor:
        return (x.reshape(n, -1, v) @ mixing).view_as(x)

    y = _attention(layer.attention, x, graph, parts, compare, mix)
    return y + (x if layer.shortcut is None else _linear_norm(layer.shortcut, x))


def _gpgait_plus_plus_layer(layer: GPGaitPlusPlusLayer, x: Tensor, graph: Tensor, parts: Parts | None) -> Tensor:
    def compare(q: Tensor, k: Tensor) -> Tensor:
        d = q.shape[1]
        return q.permute(0, 2, 3, 1) @ k.permute(0, 2, 1, 3) / d  # (n, t, v, v)

    def mix(x: Tensor, mixing: Tensor) -> Tensor:
        return (x.transpose(1, 2) @ mixing).transpose(1, 2)

    attended = _attention(layer.attention, x, graph, parts, compare, mix)
    y = torch.cat((attended, _linear_norm(layer.beside_attention, x)), 1)
    temporal = layer.temporal
    dropped = F.dropout(y, temporal.dropout.p, layer.training)
    convolved = F.conv2d(dropped, temporal.conv.weight.contiguous(), temporal.conv.bias, padding=(4, 0))
    shortcut = F.mish(_conv(x, layer.shortcut.weight, layer.shortcut.bias))
    return torch.cat(
        (
            _norm(F.mish(convolved), temporal.norm),
            _linear_norm(layer.beside_temporal, y),
            _norm(shortcut, layer.shortcut_norm),
        ),
        1,
    )


def _unmasked_layer(layer: GPGaitPlusPlusLayer, x: Tensor, graph: Tensor, parts: Parts | None) -> Tensor:
    return _gpgait_plus_plus_layer(layer, x, graph, None)


def _attention(
    attention: PartAttention,
    x: Tensor,
    graph: Tensor,
    parts: Parts | None,
    compare: Callable[[Tensor, Tensor], Tensor],
    mix: Callable[[Tensor, Tensor], Tensor],
) -> Tensor:
    """`compare` makes scores `(..., v, v)` of queries and keys, `mix` multiplies maps with such matrices."""
    total: Tensor | None = None
    for i in range(NUM_GRAPHS):
        (q_weight, k_weight), (q_bias, k_bias) = attention.projection[i], attention.projection_bias[i]
        scores = compare(_conv(x, q_weight, q_bias), _conv(x, k_weight, k_bias))
        mixing = scores.softmax(-2) + graph[i] + attention.PA[i]
        if parts is not None:
            mixing = mixing * _mask(x.shape[3], parts).to(x)
        y = _conv(mix(x, mixing), attention.output[:, i], attention.output_bias[i])
        total = y if total is None else total + y
    assert total is not None
    return F.mish(_norm(total, attention.norm))


def _mask(num_joints: int, parts: Parts) -> Tensor:
    mask = torch.zeros(num_joints, num_joints)
    for part in parts:
        for i in part:
            for j in part:
                mask[i, j] = 1
    return mask


def _conv(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return F.conv2d(x, weight.reshape(*weight.shape[:2], 1, 1), bias)


def _linear_norm(layer: LinearNorm, x: Tensor) -> Tensor:
    return _norm(_conv(x, layer.conv.weight, layer.conv.bias), layer.norm)


def _norm(x: Tensor, norm: nn.BatchNorm1d) -> Tensor:
    """With copied statistics, since our own model moves them in training."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    mean, var = norm.running_mean.clone(), norm.running_var.clone()
    return F.batch_norm(x, mean, var, norm.weight, norm.bias, training=norm.training)
