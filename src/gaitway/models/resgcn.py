"""ResGCN: residual graph convolutions of joints, the backbone of GaitGraph and GaitGraph2.

"Stronger, Faster and More Explainable: A Graph Convolutional Baseline for Skeleton-based Action Recognition", Song,
Zhang, Shan and Wang, ACM Multimedia 2020, arXiv 2010.09978, with the graphs of ST-GCN (arXiv 1801.07455).

Layers work on rows of joints `(frames, v, c)`, the frames of all sequences and nothing else (see `Clips.rows`); those
that look along time put them in the places of clips first.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gaitway.nn import (
    Clips,
    JointConvolution,
    LinearNorm,
    RowBatchNorm,
    adjacency,
    folded,
    lay_channels_last,
    normalise,
)
from gaitway.skeletons import Skeleton

MAX_HOP = 3
"""Joints so many edges away count as neighbours."""

NUM_HOPS = 3
"""Distances that have weights of their own: 0, 1 and 2. Those of 3 only make the shares of the others smaller."""

TIME_KERNEL = 9
"""Frames."""


class GraphLayer(nn.Module):
    """Each joint gathers from those 0, 1 and 2 edges away, for each distance with other weights; then batch norm.

    The shares that joints have in each other are those of `gaitway.nn.adjacency`, times learnt factors (`edge`).

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        skeleton: Of the joints.

    Shapes: rows `(frames, v, in_channels)` to `(frames, v, out_channels)`.
    """

    shares: Tensor

    def __init__(self, *, in_channels: int, out_channels: int, skeleton: Skeleton) -> None:
        super().__init__()
        self.conv = JointConvolution(in_channels=in_channels, out_channels=NUM_HOPS * out_channels)
        shares = adjacency(skeleton.num_joints, skeleton.edges, max_hop=MAX_HOP)
        self.register_buffer("shares", shares, persistent=False)  # (4, v, v)
        self.edge = nn.Parameter(torch.ones_like(shares))
        self.norm = RowBatchNorm(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layer; see the class for shapes."""
        gathered = self.conv(x)  # (frames, v, hops·c)
        frames, v, c = gathered.shape
        gathered = gathered.view(frames, v * NUM_HOPS, c // NUM_HOPS)
        factors = (self.shares * self.edge)[:NUM_HOPS].to(gathered.dtype)  # (hops, from v, to v)
        # one product sums over distances and joints; with an expanded matrix it copies no rows, forth or back
        matrices = factors.permute(2, 1, 0).flatten(1).expand(frames, -1, -1)  # (frames, to v, from v·hops)
        return normalise(torch.bmm(matrices, gathered), self.norm)


class TimeLayer(nn.Module):
    """A convolution over nine frames, the same for every joint, then batch norm.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        stride: Of frames.

    Shapes: rows `(frames, v, in_channels)` to `(fewer frames, v, out_channels)`: ceil(t / stride) of each sequence.
    """

    def __init__(self, *, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__()
        padding = (TIME_KERNEL // 2, 0)
        self.conv = nn.Conv2d(in_channels, out_channels, (TIME_KERNEL, 1), (stride, 1), padding)
        lay_channels_last(self.conv)
        self.norm = RowBatchNorm(out_channels)

    def forward(self, x: Tensor, before: Clips, after: Clips) -> Tensor:
        """Apply the layer; see the class for shapes. The time axes are those of its input and its output."""
        maps = before.maps(x)
        if not self.norm.training:
            assert self.conv.bias is not None
            weight, bias = folded(self.conv.weight, self.conv.bias, self.norm)
            return after.rows(F.conv2d(maps, weight, bias, self.conv.stride, self.conv.padding))
        return normalise(after.rows(self.conv(maps)), self.norm)


class SpatialBottleneck(nn.Module):
    """A narrow graph layer between two that reduce and restore the width, with a shortcut around them.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output; where they differ, the shortcut has a layer.
        width: Channels of the graph layer.
        skeleton: Of the joints.

    Shapes: rows `(frames, v, in_channels)` to `(frames, v, out_channels)`.
    """

    def __init__(self, *, in_channels: int, out_channels: int, width: int, skeleton: Skeleton) -> None:
        super().__init__()
        self.down = LinearNorm(in_channels=in_channels, out_channels=width)
        self.graph = GraphLayer(in_channels=width, out_channels=width, skeleton=skeleton)
        self.up = LinearNorm(in_channels=width, out_channels=out_channels)
        self.shortcut: LinearNorm | None = None
        if in_channels != out_channels:
            self.shortcut = LinearNorm(in_channels=in_channels, out_channels=out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layers; see the class for shapes."""
        y = self.up(F.relu_(self.graph(F.relu_(self.down(x)))))
        return F.relu_(y.add_(x if self.shortcut is None else self.shortcut(x)))


class TemporalBottleneck(nn.Module):
    """A narrow time layer between two that reduce and restore the width, with a shortcut around them.

    Args:
        channels: Of the input and the output.
        width: Channels of the time layer.
        stride: Of frames; where it is not 1, the shortcut has a layer.

    Shapes: rows `(frames, v, channels)` to `(fewer frames, v, channels)`: ceil(t / stride) of each sequence.
    """

    def __init__(self, *, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.down = LinearNorm(in_channels=channels, out_channels=width)
        self.time = TimeLayer(in_channels=width, out_channels=width, stride=stride)
        self.up = LinearNorm(in_channels=width, out_channels=channels)
        self.shortcut: LinearNorm | None = None
        if stride > 1:
            self.shortcut = LinearNorm(in_channels=channels, out_channels=channels)

    def forward(self, x: Tensor, before: Clips, after: Clips) -> Tensor:
        """Apply the layers; see the class for shapes. The time axes are those of its input and its output."""
        y = self.up(F.relu_(self.time(F.relu_(self.down(x)), before, after)))
        if self.shortcut is not None:
            x = self.shortcut(after.rows(before.maps(x)[:, :, :: self.stride]))
        return F.relu_(y.add_(x))


class ResidualModule(nn.Module):
    """A bottleneck along the edges of the graph, then one along time.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        reduction: The bottlenecks are `out_channels // reduction` wide.
        stride: Of frames.
        skeleton: Of the joints.

    Shapes: rows `(frames, v, in_channels)` to `(fewer frames, v, out_channels)`: ceil(t / stride) of each sequence.
    """

    def __init__(
        self, *, in_channels: int, out_channels: int, reduction: int, stride: int = 1, skeleton: Skeleton
    ) -> None:
        super().__init__()
        self.stride = stride
        width = out_channels // reduction
        self.spatial = SpatialBottleneck(
            in_channels=in_channels, out_channels=out_channels, width=width, skeleton=skeleton
        )
        self.temporal = TemporalBottleneck(channels=out_channels, width=width, stride=stride)

    def forward(self, x: Tensor, before: Clips, after: Clips) -> Tensor:
        """Apply both; see the class for shapes. The time axes are those of its input and its output."""
        y: Tensor = self.temporal(self.spatial(x), before, after)
        return y


class Branch(nn.Module):
    """What one stream of features goes through by itself.

    Args:
        in_channels: Features of a joint.
        channels: Widths of its layers: the first along edges and along time, then residual modules.
        reduction: Of the residual modules.
        skeleton: Of the joints.

    Shapes: rows `(frames, v, in_channels)` to `(frames, v, channels[-1])`.
    """

    def __init__(self, *, in_channels: int, channels: Sequence[int], reduction: int, skeleton: Skeleton) -> None:
        super().__init__()
        first = channels[0]
        self.norm = RowBatchNorm(in_channels)
        self.graph = GraphLayer(in_channels=in_channels, out_channels=first, skeleton=skeleton)
        self.time = TimeLayer(in_channels=first, out_channels=first)
        self.stages = nn.ModuleList(
            ResidualModule(in_channels=narrow, out_channels=width, reduction=reduction, skeleton=skeleton)
            for narrow, width in pairwise(channels)
        )

    def forward(self, x: Tensor, clips: Clips) -> Tensor:
        """Apply the layers; see the class for shapes."""
        x = F.relu_(self.graph(normalise(x, self.norm)))
        x = F.relu_(self.time(x, clips, clips))
        for stage in self.stages:
            x = stage(x, clips, clips)
        return x


class ResGCN(nn.Module):
    """A branch per stream of features, residual modules on all of them together, the mean over frames and joints.

    The first of the modules in common, and each that changes the width, takes every other frame.

    Args:
        num_branches: Streams.
        in_channels: Features of a joint in each stream.
        branch_channels: Widths of the layers of each branch.
        channels: Widths of the modules in common.
        reduction: How much narrower than its module a bottleneck is; every width of a module must be a multiple of it.
        out_features: Width d of the output.
        skeleton: Of the joints.

    Shapes: maps `(n, num_branches·in_channels, t, v)` to `(n, d)`.

    Raises:
        ValueError: when a width is no multiple of the reduction.
    """

    def __init__(
        self,
        *,
        num_branches: int,
        in_channels: int,
        branch_channels: Sequence[int],
        channels: Sequence[int],
        reduction: int,
        out_features: int,
        skeleton: Skeleton,
    ) -> None:
        super().__init__()
        uneven = [width for width in (*branch_channels[1:], *channels) if width % reduction]
        if uneven:
            raise ValueError(
                f"branch_channels {list(branch_channels)} and channels {list(channels)} with reduction {reduction}: "
                f"expected multiples of {reduction}, but {uneven[0]} is none"
            )
        self.branches = nn.ModuleList(
            Branch(in_channels=in_channels, channels=branch_channels, reduction=reduction, skeleton=skeleton)
            for _ in range(num_branches)
        )
        joined = num_branches * branch_channels[-1]
        self.stages = nn.ModuleList(
            ResidualModule(
                in_channels=narrow,
                out_channels=width,
                reduction=reduction,
                stride=2 if i == 0 or narrow != width else 1,
                skeleton=skeleton,
            )
            for i, (narrow, width) in enumerate(pairwise((joined, *channels)))
        )
        self.linear = nn.Linear(channels[-1], out_features)

    def forward(self, x: Tensor, clips: Clips) -> Tensor:
        """Apply the network; see the class for shapes. `clips` is the time axis of the maps."""
        streams = clips.rows(x).chunk(len(self.branches), -1)
        y = torch.cat([branch(stream, clips) for branch, stream in zip(self.branches, streams, strict=True)], -1)
        for stage in self.stages:
            after = clips.strided(cast(ResidualModule, stage).stride)
            y = stage(y, clips, after)
            clips = after
        embedded: Tensor = self.linear(clips.mean(clips.maps(y.mean(1))).squeeze(2))
        return embedded

    def start_as_identity(self) -> None:
        """Let every residual module begin as its shortcuts, by a weight of 0 in the last normalisation of each half."""
        for layer in self.modules():
            if isinstance(layer, (SpatialBottleneck, TemporalBottleneck)):
                nn.init.zeros_(layer.up.norm.weight)


LAYERS = {
    "edge": "spatial.graph.edge",
    "scn.conv_down.": "spatial.down.conv.",
    "scn.bn_down.": "spatial.down.norm.",
    "scn.conv.gcn.": "spatial.graph.conv.",
    "scn.bn.": "spatial.graph.norm.",
    "scn.conv_up.": "spatial.up.conv.",
    "scn.bn_up.": "spatial.up.norm.",
    "scn.residual.0.": "spatial.shortcut.conv.",
    "scn.residual.1.": "spatial.shortcut.norm.",
    "tcn.conv_down.": "temporal.down.conv.",
    "tcn.bn_down.": "temporal.down.norm.",
    "tcn.conv.": "temporal.time.conv.",
    "tcn.bn.": "temporal.time.norm.",
    "tcn.conv_up.": "temporal.up.conv.",
    "tcn.bn_up.": "temporal.up.norm.",
    "tcn.residual.0.": "temporal.shortcut.conv.",
    "tcn.residual.1.": "temporal.shortcut.norm.",
}
"""Of a residual module, published → here."""

FIRST_LAYERS = {
    "bn.": "norm.",
    "layers.0.edge": "graph.edge",
    "layers.0.scn.conv.gcn.": "graph.conv.",
    "layers.0.scn.bn.": "graph.norm.",
    "layers.0.tcn.conv.": "time.conv.",
    "layers.0.tcn.bn.": "time.norm.",
}
"""Of a branch, published → here."""


def published_names(resgcn: ResGCN) -> dict[str, str]:
    """Names (or beginnings of names) in a published checkpoint of GaitGraph or GaitGraph2 → here."""
    modules = {f"ResGCN.backbone.{i}": f"resgcn.stages.{i}" for i in range(len(resgcn.stages))}
    names = {"ResGCN.fcn.": "resgcn.linear."}
    for i, branch in enumerate(resgcn.branches):
        theirs, ours = f"ResGCN.head.{i}", f"resgcn.branches.{i}"
        names |= {f"{theirs}.{a}": f"{ours}.{b}" for a, b in FIRST_LAYERS.items()}
        stages = range(len(cast(Branch, branch).stages))
        modules |= {f"{theirs}.layers.{j + 1}": f"{ours}.stages.{j}" for j in stages}
    return names | {f"{theirs}.{a}": f"{ours}.{b}" for theirs, ours in modules.items() for a, b in LAYERS.items()}


def built_shares(resgcn: ResGCN) -> dict[str, Tensor]:
    """What published files hold of the graph, and ResGCN builds itself: one copy per branch, by its name there."""
    return {f"ResGCN.head.{i}.A": cast(Branch, branch).graph.shares for i, branch in enumerate(resgcn.branches)}
