"""GaitHeat by the direct form of its description."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.direct.layers import part_linear, pyramid
from benchmarks.direct.residual import block, conv_norm, neck
from gaitway.models import GaitHeat
from gaitway.nn import BatchNormNeck, PartLinear, ResidualBlock
from gaitway.types import Output


def direct(model: GaitHeat, heatmaps: Tensor, matrices: Tensor) -> Output:
    """Frame by frame put upright, all three branches to their ends; see the model for shapes."""
    upright = torch.stack([_aligned(x, m) for x, m in zip(heatmaps, matrices, strict=True)]).transpose(1, 2)
    n = len(upright)
    x = torch.cat((upright[:, 0:1], upright[:, 1:2], upright.max(1, keepdim=True).values))  # (3n, 1, t, h, w)
    x = _stage(model.stages[0], F.relu(conv_norm(model.stem, x)))
    fused = _strongest(torch.split(x, n))
    for stage, fusion in zip(list(model.stages)[1:], model.fusions, strict=True):
        x = _stage(stage, x)
        fused = _strongest(torch.split(x, n)) + _stage(fusion, fused)
    first, second, whole = torch.split(x, n)
    maps = {"part": _strongest((first, second)), "global": whole, "fusion": fused}
    before, after, scores = {}, {}, {}
    for branch, clips in maps.items():
        head, of_branch = cast(PartLinear, model.heads[branch]), cast(BatchNormNeck, model.necks[branch])
        before[branch] = part_linear(pyramid(clips.max(2).values, model.pyramid.bins), head.weight)
        after[branch], scores[branch] = neck(of_branch, before[branch])
    if not model.training:
        return Output(after["fusion"])
    features = {**before, "part_logits": scores["part"], "global_logits": scores["global"]}
    return Output(after["fusion"], scores["fusion"], features)


def _aligned(frames: Tensor, matrices: Tensor) -> Tensor:
    """The frames of a sequence, `(t, c, h, w)`, each rotated and then shifted."""
    upright = []
    for frame, (rotation, shift) in zip(frames, matrices, strict=True):
        x = frame.unsqueeze(0)
        for matrix in (rotation, shift):
            grid = F.affine_grid(matrix.unsqueeze(0), list(x.shape), align_corners=False)
            x = F.grid_sample(x, grid, mode="bilinear", padding_mode="border", align_corners=False)
        upright.append(x[0])
    return torch.stack(upright)


def _stage(blocks: nn.Module, x: Tensor) -> Tensor:
    for layer in cast(nn.ModuleList, blocks):
        x = block(cast(ResidualBlock, layer), x)
    return x


def _strongest(streams: tuple[Tensor, ...]) -> Tensor:
    return torch.stack(streams).max(0).values
