"""GaitHeat: heat maps of a pose estimator, put upright by the pose, in a network of three streams and their fusion.

"Cut out the Middleman: Revisiting Pose-based Gait Recognition", Fu et al., ECCV 2024, as FastPoseGait configures it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gaitway.nn import (
    BatchNormNeck,
    ConvNorm,
    HorizontalPyramidPooling,
    PartLinear,
    ResidualStage,
    TimeAxis,
    initialise_poses,
)
from gaitway.nn.residual import STRIDES
from gaitway.types import Output

NUM_STREAMS = 3
"""Two parts of the body, and all of it."""
BRANCHES = ("part", "global", "fusion")
"""What is pooled and classified by itself."""


class GaitHeat(nn.Module):
    """One residual network for two parts of the body and the whole, and a second one that fuses them stage by stage.

    Args:
        num_classes: Number of training subjects k.
        channels: Widths of the four stages.
        layers: Residual blocks in each of them.
        bins: Numbers of horizontal strips.
        embedding_dim: Width d of each part's embedding.

    Shapes: heat maps `(n, t, c, h, w)` in [0, 1], of which channels 0 and 1 are the parts of the body and the maximum
    of all is the whole, and matrices `(n, t, 2, 2, 3)` of `AlignmentMatrices`; or `(sum of lengths, ...)` of both with
    `lengths` `(n,)`. With the defaults h and w are 64 and 48, embeddings `(n, 16, 256)` of length 1 and logits
    `(n, 16, k)`, both of the fusion. In training, or where logits are asked for, there are also `part`, `global` and
    `fusion`, the embeddings before their necks, for the triplet losses, and `part_logits` and `global_logits`.
    """

    modalities: ClassVar[tuple[str, ...]] = ("heatmaps", "poses")

    def __init__(
        self,
        *,
        num_classes: int,
        channels: Sequence[int] = (64, 128, 256, 512),
        layers: Sequence[int] = (1, 1, 1, 1),
        bins: Sequence[int] = (16,),
        embedding_dim: int = 256,
    ) -> None:
        super().__init__()
        self.stem = ConvNorm(in_channels=1, out_channels=channels[0])
        before = (channels[0], *channels)
        self.stages, self.fusions = (
            nn.ModuleList(
                ResidualStage(in_channels=before[i], out_channels=channels[i], num_blocks=layers[i], stride=STRIDES[i])
                for i in range(first, len(channels))
            )
            for first in (0, 1)
        )
        self.pyramid = HorizontalPyramidPooling(bins=bins)
        p = self.pyramid.num_parts
        self.heads, self.necks = nn.ModuleDict(), nn.ModuleDict()
        for branch in BRANCHES:
            self.heads[branch] = PartLinear(num_parts=p, in_features=channels[-1], out_features=embedding_dim)
            self.necks[branch] = BatchNormNeck(num_parts=p, in_features=embedding_dim, num_classes=num_classes)
        initialise_poses(self)

    def forward(
        self, heatmaps: Tensor, matrices: Tensor, lengths: Tensor | None = None, *, logits: bool | None = None
    ) -> Output:
        """Embed each sequence; see the class for shapes.

        Logits are computed when training, and else only when asked for: no evaluation uses them.
        """
        _check(heatmaps, matrices, lengths)
        time = TimeAxis(heatmaps, lengths)
        x = aligned(time.folded, TimeAxis(matrices, lengths).folded)
        x = torch.cat((x[:, 0], x[:, 1], x.amax(1)))  # (streams·frames, h, w)
        # one channel can be taken for either order of memory; this one says channels-last, which all that follows keeps
        x = F.relu_(self.stem(x.unsqueeze(-1).permute(0, 3, 1, 2), time))
        first, *others = self.stages
        x = first(x, time)
        fused = _strongest(x, NUM_STREAMS)
        for stage, fusion in zip(others, self.fusions, strict=True):
            x = stage(x, time)
            fused = _strongest(x, NUM_STREAMS) + fusion(fused, time)

        wanted = self.training if logits is None else logits
        if not wanted:
            neck = cast(BatchNormNeck, self.necks["fusion"])
            return Output(neck.normalised(self._pooled("fusion", fused, time)))
        num_frames = len(fused)
        maps = {"part": _strongest(x[:-num_frames], 2), "global": x[-num_frames:], "fusion": fused}
        before = {branch: self._pooled(branch, of_branch, time) for branch, of_branch in maps.items()}
        after = {branch: self.necks[branch](x) for branch, x in before.items()}
        scores = {f"{branch}_logits": after[branch][1] for branch in ("part", "global")}
        embeddings, of_fusion = after["fusion"]
        return Output(embeddings, of_fusion, before | scores)

    def _pooled(self, branch: str, maps: Tensor, time: TimeAxis) -> Tensor:
        embeddings: Tensor = self.heads[branch](self.pyramid(time.max(maps)))  # (n, p, d)
        return embeddings


def aligned(heatmaps: Tensor, matrices: Tensor) -> Tensor:
    """Rotate, and then shift, every frame; published is a sampling for each, which is not the same as one for both.

    Args:
        heatmaps: `(frames, c, h, w)`.
        matrices: `(frames, 2, 2, 3)`, from places in the result to places in the map, from -1 to 1 along both axes.

    Returns:
        `(frames, c, h, w)`, float32 at least: places need it.
    """
    dtype = torch.promote_types(heatmaps.dtype, torch.float32)
    x = heatmaps.to(dtype)
    with torch.autocast(x.device.type, enabled=False):
        for matrix in matrices.to(dtype).unbind(1):
            grid = F.affine_grid(matrix, list(x.shape), align_corners=False)
            x = F.grid_sample(x, grid, padding_mode="border", align_corners=False)
    return x


def _strongest(x: Tensor, num: int) -> Tensor:
    """Maximum over `num` streams, which lie one after the other: `(num·frames, c, h, w)` to `(frames, c, h, w)`."""
    rows = torch.unflatten(x.permute(0, 2, 3, 1), 0, (num, -1))  # as channels-last maps are in memory
    training = rows.requires_grad and torch.is_grad_enabled()
    # streams are often equal; the gradient then goes to the first of them, where that of `amax` would be shared
    return (rows.max(0).values if training else rows.amax(0)).permute(0, 3, 1, 2)


def _check(heatmaps: Tensor, matrices: Tensor, lengths: Tensor | None) -> None:
    axes = 2 if lengths is None else 1
    frames = "n, t" if lengths is None else "sum of lengths"
    fits = heatmaps.ndim == axes + 3 and heatmaps.shape[axes] >= NUM_STREAMS - 1
    if not fits or matrices.shape != (*heatmaps.shape[:axes], 2, 2, 3):
        raise ValueError(
            f"heat maps of shape {tuple(heatmaps.shape)} and matrices of shape {tuple(matrices.shape)}, expected "
            f"({frames}, c, h, w) of at least two maps c and ({frames}, 2, 2, 3); the transform AlignmentMatrices "
            "makes the matrices of poses"
        )
    if not heatmaps.is_floating_point():
        raise ValueError(f"heat maps of type {heatmaps.dtype}, expected floats in [0, 1], as SequenceRange makes them")


def gaitheat_casiab(*, num_classes: int = 74) -> GaitHeat:
    """GaitHeat as configured for CASIA-B: 16.95M parameters with 74 classes."""
    return GaitHeat(num_classes=num_classes)


def published_names(model: GaitHeat) -> dict[str, str]:
    """Names (or beginnings of names) in a published checkpoint of this model → here."""
    names = {"Backbone1.forward_block.conv1.conv.": "stem.conv.", "Backbone1.forward_block.bn1.": "stem.norm."}
    stacks = (("", "stages", model.stages, 1), ("_fusion", "fusions", model.fusions, 2))
    for suffix, ours, stages, first in stacks:
        for i, stage in enumerate(stages):
            theirs = f"Backbone{i + first}{suffix}.forward_block.layer{i + first}."
            for j, _ in enumerate(stage):  # type: ignore[arg-type]
                block, mine = f"{theirs}{j}.", f"{ours}.{i}.{j}."
                names |= {f"{block}conv{k}.": f"{mine}conv{k}.conv." for k in (1, 2)}
                names |= {f"{block}bn{k}.": f"{mine}conv{k}.norm." for k in (1, 2)}
                names |= {f"{block}downsample.0.": f"{mine}shortcut.conv."}
                names |= {f"{block}downsample.1.": f"{mine}shortcut.norm."}
    for branch in BRANCHES:
        names |= {
            f"FCs_{branch}.fc_bin": f"heads.{branch}.weight",
            f"BNNecks_{branch}.fc_bin": f"necks.{branch}.classifier.weight",
            f"BNNecks_{branch}.bn1d.": f"necks.{branch}.bn.",
        }
    return names
