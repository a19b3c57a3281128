"""GaitGraph and GaitGraph2 by the direct form of their descriptions."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gaitway.models import GaitGraph1, GaitGraph2
from gaitway.models.resgcn import Branch, GraphLayer, ResGCN, ResidualModule, TimeLayer
from gaitway.nn import LinearNorm
from gaitway.skeletons import Skeleton
from gaitway.types import Output


def direct_gaitgraph1(model: GaitGraph1, poses: Tensor) -> Output:
    """A pass of the network for each view; see `gaitway.models.GaitGraph1` for shapes."""
    embedded = F.normalize(_resgcn(model.resgcn, _maps(poses)), dim=1)
    if not model.training and model.tta:
        back = F.normalize(_resgcn(model.resgcn, _maps(poses.flip(1))), dim=1)
        embedded = torch.stack((embedded, back)).mean(0)
    return Output(embedded.unsqueeze(1))


def direct_gaitgraph2(model: GaitGraph2, poses: Tensor) -> Output:
    """A pass of the network for each view, streams sequence by sequence; see `gaitway.models.GaitGraph2` for shapes."""
    views = [poses]
    if not model.training and model.tta:
        coordinates, swapped = poses[:, :, :, 0, :3], list(model.skeleton.mirrored)
        for view in (coordinates.flip(1), coordinates[:, :, swapped]):
            views.append(torch.stack([_streams(sequence, model.skeleton) for sequence in view]))
    return Output(torch.cat([_resgcn(model.resgcn, _maps(view)) for view in views], 1).unsqueeze(1))


def _maps(poses: Tensor) -> Tensor:
    """`(n, t, v, ...)` as `(n, c, t, v)`."""
    return poses.flatten(3).permute(0, 3, 1, 2).contiguous()


def _streams(poses: Tensor, skeleton: Skeleton) -> Tensor:
    """Joints, velocities and bones of one sequence, frame by frame, joint by joint: `(t, v, 3)` to `(t, v, 3, 5)`."""
    places, confidence = poses[..., :2], poses[..., 2]
    streams = poses.new_zeros(*poses.shape[:2], 3, 5)
    streams[:, :, 0, :2] = places
    streams[:, :, 0, 2] = streams[:, :, 1, 3] = streams[:, :, 2, 3] = confidence
    for v in range(poses.shape[1]):
        streams[:, v, 0, 3:] = places[:, v] - places[:, skeleton.center]
        bone = places[:, v] - places[:, skeleton.parents[v]]
        streams[:, v, 2, :2] = bone
        streams[:, v, 2, 4] = torch.arccos(bone[:, 1] / (bone.norm(dim=1) + 1e-4))
    for t in range(len(poses) - 2):
        streams[t, :, 1, :2] = places[t + 1] - places[t]
        streams[t, :, 1, 4] = places[t + 2, :, 1] - places[t, :, 1]
    return streams


def _resgcn(network: ResGCN, x: Tensor) -> Tensor:
    streams = x.chunk(len(network.branches), 1)
    x = torch.cat([_branch(cast(Branch, branch), y) for branch, y in zip(network.branches, streams, strict=True)], 1)
    for stage in network.stages:
        x = _module(cast(ResidualModule, stage), x)
    return F.linear(x.mean((2, 3)), network.linear.weight, network.linear.bias)


def _branch(branch: Branch, x: Tensor) -> Tensor:
    x = F.relu(_along_edges(branch.graph, _norm(branch.norm, x)))
    x = F.relu(_along_time(branch.time, x))
    for stage in branch.stages:
        x = _module(cast(ResidualModule, stage), x)
    return x


def _module(module: ResidualModule, x: Tensor) -> Tensor:
    spatial, temporal = module.spatial, module.temporal
    y = F.relu(_along_edges(spatial.graph, F.relu(_joints(spatial.down, x))))
    x = F.relu(_joints(spatial.up, y) + (x if spatial.shortcut is None else _joints(spatial.shortcut, x)))
    y = F.relu(_along_time(temporal.time, F.relu(_joints(temporal.down, x)), stride=module.stride))
    shortcut = x if temporal.shortcut is None else _joints(temporal.shortcut, x, stride=module.stride)
    return F.relu(_joints(temporal.up, y) + shortcut)


def _joints(layer: LinearNorm, x: Tensor, *, stride: int = 1) -> Tensor:
    return _norm(layer.norm, F.conv2d(x, layer.conv.weight, layer.conv.bias, stride=(stride, 1)))


def _along_time(layer: TimeLayer, x: Tensor, *, stride: int = 1) -> Tensor:
    weight = layer.conv.weight.contiguous()
    return _norm(layer.norm, F.conv2d(x, weight, layer.conv.bias, stride=(stride, 1), padding=(4, 0)))


def _along_edges(layer: GraphLayer, x: Tensor) -> Tensor:
    groups = F.conv2d(x, layer.conv.weight, layer.conv.bias).chunk(3, 1)
    graph = layer.shares * layer.edge
    return _norm(layer.norm, torch.stack([group @ graph[k] for k, group in enumerate(groups)]).sum(0))


def _norm(norm: nn.BatchNorm1d, x: Tensor) -> Tensor:
    """Batch normalisation that leaves the running statistics as they are."""
    if norm.training:
        return F.batch_norm(x, None, None, norm.weight, norm.bias, training=True, eps=norm.eps)
    return F.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps)
