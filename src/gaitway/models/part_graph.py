"""What GPGait and GPGait++ share: attention among joints within body parts, and three branches pooled over parts.

"GPGait: Generalized Pose-based Gait Recognition", Fu, Meng, Hou, Hu and Huang, ICCV 2023, arXiv 2303.05234.

Maps are rows of joints `(frames, v, c)`, the frames of all sequences and nothing else (see `gaitway.nn.joints`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import Protocol, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gaitway.models.poses import as_joint_maps
from gaitway.nn import (
    BatchNormNeck,
    Clips,
    JointBatchNorm,
    PartLinear,
    RowBatchNorm,
    adjacency,
    linear_norm,
    mish,
    same_part,
)
from gaitway.skeletons import COCO12, COCO17, Skeleton
from gaitway.types import Output

NUM_FEATURES = 6
"""Of each joint: places (2), bones (2), an angle, and a zero that no branch looks at."""

NUM_GRAPHS = 3
"""Of every layer: one per distance 0, 1, 2 between joints, each with an attention of its own."""

FIRST_ANGLE = COCO17.joints.index(COCO12.joints[0])
"""The angles of the joints from here on are looked at."""

SHARED_PARTITION = {COCO17.name: "limbs and head", COCO12.name: "limbs"}
"""By skeleton: the parts within which the first layers look."""

PARTITIONS = {
    COCO17.name: ("upper and lower body", "arms and the rest", "arms, legs and head"),
    COCO12.name: ("upper and lower body",),
}
"""By skeleton: the parts of the stacks that follow, in the order of their embeddings."""

WHOLE = "body"
"""The partition of the last stack, whose layers look at all joints."""


class GraphLayer(Protocol):
    """Builds a layer that takes rows and their `Clips`; without a partition it looks at all joints."""

    def __call__(self, *, in_channels: int, out_channels: int, skeleton: Skeleton, partition: str | None) -> nn.Module:
        """Build it."""


class PartAttention(nn.Module):
    """Three products of the joints with graphs that are partly fixed, partly learned and partly attention, added up.

    A graph is the attention of the joints to each other, plus the share of joints at its distance from each other, plus
    a learned matrix (PA), and is 0 between joints of different parts. The attention is one per sequence: queries and
    keys are compared over all channels and frames at once. Mish and batch normalisation follow.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output; queries and keys have a quarter of them.
        skeleton: Of the joints.
        partition: Name of the parts, or None for graphs among all joints.

    Shapes: rows `(frames, v, in_channels)` to `(frames, v, out_channels)`.
    """

    adjacency: Tensor
    mask: Tensor

    def __init__(self, *, in_channels: int, out_channels: int, skeleton: Skeleton, partition: str | None) -> None:
        super().__init__()
        v, d = skeleton.num_joints, out_channels // 4
        self.projection = nn.Parameter(torch.empty(NUM_GRAPHS, 2, d, in_channels))  # queries, keys
        self.projection_bias = nn.Parameter(torch.zeros(NUM_GRAPHS, 2, d))
        self.output = nn.Parameter(torch.empty(out_channels, NUM_GRAPHS, in_channels))
        self.output_bias = nn.Parameter(torch.zeros(NUM_GRAPHS, out_channels))
        self.PA = nn.Parameter(torch.full((NUM_GRAPHS, v, v), 1e-6))
        self.norm = RowBatchNorm(out_channels)
        shares = adjacency(v, skeleton.edges, max_hop=NUM_GRAPHS - 1)
        mask = torch.ones(v, v) if partition is None else same_part(v, skeleton.partitions[partition].values())
        self.register_buffer("adjacency", shares, persistent=False)
        self.register_buffer("mask", mask, persistent=False)
        # as if each graph had convolutions of its own
        _xavier_uniform(self.projection, in_channels + d)
        _xavier_uniform(self.output, in_channels + out_channels)

    def forward(self, x: Tensor, clips: Clips) -> Tensor:
        """Mix the joints of each frame; see the class for shapes."""
        projected = F.linear(x, self.projection.flatten(0, 2), self.projection_bias.flatten())
        # zeros beyond the end of a sequence add nothing to the products
        q, k = torch.unflatten(clips.maps(projected), 1, (NUM_GRAPHS, 2, -1)).permute(2, 0, 1, 5, 4, 3)
        num_frames = clips.num_frames if clips.lengths is None else clips.lengths.view(-1, 1, 1, 1)
        scores = q.flatten(3) @ k.flatten(3).transpose(2, 3) / (num_frames * q.shape[-1])  # (n, 3, v, v)
        graphs = (scores.softmax(2) + self.adjacency + self.PA) * self.mask
        by_joint = clips.spread(graphs.permute(0, 3, 1, 2).flatten(1, 2).to(x.dtype))  # (frames, v·3, v)
        mixed = torch.bmm(by_joint, x).view(*x.shape[:2], -1)  # (frames, v, 3·in_channels)
        return mish(linear_norm(mixed, self.output.flatten(1), self.output_bias.sum(0), self.norm))


class PartPooling(nn.Module):
    """Mean plus maximum over the joints of each part.

    Args:
        skeleton: Of the joints.
        partition: Name of the parts.

    Shapes: `(n, v, c)` to `(n, p, c)`.
    """

    members: Tensor
    inside: Tensor

    def __init__(self, *, skeleton: Skeleton, partition: str) -> None:
        super().__init__()
        parts = list(skeleton.partitions[partition].values())
        longest = max(map(len, parts))
        # a joint that is there twice changes no maximum
        members = torch.tensor([(*part, *part[:1] * (longest - len(part))) for part in parts])
        inside = torch.stack([F.one_hot(torch.tensor(part), skeleton.num_joints).sum(0) for part in parts])
        self.register_buffer("members", members, persistent=False)
        self.register_buffer("inside", inside.float(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Pool; see the class for shapes."""
        return self.inside @ x / self.inside.sum(1, keepdim=True) + x[:, self.members].amax(2)


class PartStack(nn.Module):
    """Layers one after the other, the maximum over each sequence's frames, and what is pooled over parts.

    Args:
        channels: Widths before the first layer and after each.
        skeleton: Of the joints.
        partition: Name of the parts.
        layer: Builds a layer.
        masked: Whether the layers look within the parts only.

    Shapes: rows `(frames, v, channels[0])` to `(n, p, channels[-1])`.
    """

    def __init__(
        self, *, channels: Sequence[int], skeleton: Skeleton, partition: str, layer: GraphLayer, masked: bool
    ) -> None:
        super().__init__()
        self.layers = _layers(channels, skeleton, partition if masked else None, layer)
        self.pooling = PartPooling(skeleton=skeleton, partition=partition)

    def forward(self, x: Tensor, clips: Clips) -> Tensor:
        """Apply the stack; see the class for shapes."""
        for layer in self.layers:
            x = layer(x, clips)
        pooled: Tensor = self.pooling(clips.max(clips.maps(x)).transpose(1, 2))
        return pooled


class PartBranch(nn.Module):
    """Layers that all parts share, then a stack for each way of dividing the body, the last for the whole of it.

    Args:
        in_channels: Features of a joint.
        channels: Widths of the layers.
        num_shared: How many of them are shared.
        skeleton: Of the joints.
        layer: Builds a layer.

    Shapes: rows `(frames, v, in_channels)` to `(n, p, channels[-1])`.
    """

    def __init__(
        self, *, in_channels: int, channels: Sequence[int], num_shared: int, skeleton: Skeleton, layer: GraphLayer
    ) -> None:
        super().__init__()
        self.norm = JointBatchNorm(num_joints=skeleton.num_joints, channels=in_channels)
        self.shared = _layers((in_channels, *channels[:num_shared]), skeleton, SHARED_PARTITION[skeleton.name], layer)
        partitions = (*PARTITIONS[skeleton.name], WHOLE)
        self.stacks = nn.ModuleList(
            PartStack(
                channels=channels[num_shared - 1 :],
                skeleton=skeleton,
                partition=partition,
                layer=layer,
                masked=partition != WHOLE,
            )
            for partition in partitions
        )
        self.num_parts = sum(len(skeleton.partitions[partition]) for partition in partitions)

    def forward(self, x: Tensor, clips: Clips) -> Tensor:
        """Apply the branch; see the class for shapes."""
        x = self.norm(x)
        for layer in self.shared:
            x = layer(x, clips)
        return torch.cat([stack(x, clips) for stack in self.stacks], 1)


class PartGraphNetwork(nn.Module):
    """A branch each for places, bones and angles of the joints, a linear layer per part, and a BN neck.

    Args:
        num_classes: Number of training subjects k.
        channels: Widths of the layers.
        num_shared: How many of them all parts of a branch share.
        layer: Builds a layer.

    Shapes: poses `(n, t, 17, 6)`, or `(sum of lengths, 17, 6)` with `lengths` `(n,)`; embeddings
    `(n, 19, channels[-1])` and logits `(n, 19, k)`. The feature `before_neck` has the shape of the embeddings.

    Raises:
        ValueError: when not every branch has layers of both kinds.
    """

    def __init__(self, *, num_classes: int, channels: Sequence[int], num_shared: int, layer: GraphLayer) -> None:
        super().__init__()
        if not 0 < num_shared < len(channels):
            raise ValueError(
                f"{num_shared} shared of {len(channels)} layers, expected at least one that is shared and one after "
                "it, such as three of channels [64, 64, 128, 256]"
            )
        branch = partial(PartBranch, channels=channels, num_shared=num_shared, layer=layer)
        self.pose = branch(in_channels=2, skeleton=COCO17)
        self.bone = branch(in_channels=2, skeleton=COCO17)
        self.angle = branch(in_channels=1, skeleton=COCO12)
        num_parts = sum(branch.num_parts for branch in (self.pose, self.bone, self.angle))
        width = channels[-1]
        self.head = PartLinear(num_parts=num_parts, in_features=width, out_features=width)
        self.neck = BatchNormNeck(num_parts=num_parts, in_features=width, num_classes=num_classes)

    def forward(self, poses: Tensor, lengths: Tensor | None, *, logits: bool) -> Output:
        """Embed each sequence; see the class for shapes."""
        maps, clips = as_joint_maps(poses, lengths, joints=COCO17.num_joints, features=(NUM_FEATURES,))
        x = clips.rows(maps)  # (frames, v, 6)
        branches = (
            self.pose(x[..., :2], clips),
            self.bone(x[..., 2:4], clips),
            self.angle(x[:, FIRST_ANGLE:, 4:5], clips),
        )
        parts = self.head(torch.cat(branches, 1))  # (n, p, d)
        embeddings = self.neck.normalised(parts)
        scores = self.neck.classifier(embeddings) if logits else None
        return Output(embeddings, logits=scores, features={"before_neck": parts})


PUBLISHED_STACKS = ("part_2", "part_2_2", "part_3_1")
"""Names in published checkpoints of the stacks before the last, which is `backbone`."""


def published_network_names(network: PartGraphNetwork, of_layer: Mapping[str, str]) -> dict[str, str]:
    """Names (or beginnings of names) in a published checkpoint → here, where the network is called `network`.

    Args:
        network: The network.
        of_layer: The same of what a layer has besides its attention.
    """
    of_layer = {**of_layer, "asg.bn.": "attention.norm.", "asg.": "attention."}
    names = {"head.fc_bin": "network.head.weight"}
    names |= {"BNNecks.fc_bin": "network.neck.classifier.weight", "BNNecks.bn1d.": "network.neck.bn."}
    for name, branch in (("pose", network.pose), ("bone", network.bone), ("angle", network.angle)):
        stacks = (*PUBLISHED_STACKS[: len(branch.stacks) - 1], "backbone")
        layers = {f"layer_share.{i}": f"shared.{i}" for i in range(len(branch.shared))}
        for i, (stack, theirs) in enumerate(zip(branch.stacks, stacks, strict=True)):
            layers |= {f"{theirs}.{j}": f"stacks.{i}.layers.{j}" for j in range(len(cast(PartStack, stack).layers))}
        names[f"{name}.data_bn."] = f"network.{name}.norm.bn."
        names |= {
            f"{name}.{published}.{theirs}": f"network.{name}.{layer}.{ours}"
            for published, layer in layers.items()
            for theirs, ours in of_layer.items()
        }
    return names


def _layers(channels: Sequence[int], skeleton: Skeleton, partition: str | None, layer: GraphLayer) -> nn.ModuleList:
    return nn.ModuleList(
        layer(in_channels=before, out_channels=width, skeleton=skeleton, partition=partition)
        for before, width in pairwise(channels)
    )


def _xavier_uniform(weights: Tensor, fan_in_and_out: int) -> None:
    bound = math.sqrt(6 / fan_in_and_out)
    nn.init.uniform_(weights, -bound, bound)
