"""GaitTR: temporal convolutions and attention among the joints of each frame.

"Spatial Transformer Network on Skeleton-based Gait Recognition", Zhang, Chen, Han and Liu, Expert Systems 2023,
arXiv 2204.03873.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn

from gaitway.models.poses import as_joint_maps
from gaitway.nn import (
    Clips,
    JointBatchNorm,
    JointConvolution,
    RowBatchNorm,
    initialise_poses,
    lay_channels_last,
    mish,
    normalise,
)
from gaitway.skeletons import skeleton as skeleton_called
from gaitway.types import Output

NUM_FEATURES = 10
"""Of each joint: places, places relative to the centre, two velocities and bones, x and y each."""

NUM_HEADS = 8
"""Of every attention."""


class TemporalConvolution(nn.Module):
    """A convolution over nine frames at every joint, Mish and batch normalisation.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        dropout: Share of the input's values that are left out in training.

    Shapes: rows `(frames, v, in_channels)` to `(frames, v, out_channels)`.
    """

    def __init__(self, *, in_channels: int, out_channels: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.conv = nn.Conv2d(in_channels, out_channels, (9, 1), padding=(4, 0))
        lay_channels_last(self.conv)
        self.norm = RowBatchNorm(out_channels)

    def forward(self, x: Tensor, clips: Clips) -> Tensor:
        """Convolve each sequence; see the class for shapes."""
        y = clips.rows(self.conv(clips.maps(self.dropout(x))))
        return activate_and_normalise(y, self.norm)


class JointAttention(nn.Module):
    """Attention of every joint of a frame to all of them, with eight heads, between batch normalisations.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output; queries and keys of all heads have a quarter of them.
        num_joints: Joints v.

    Shapes: rows `(frames, v, in_channels)` to `(frames, v, out_channels)`.
    """

    def __init__(self, *, in_channels: int, out_channels: int, num_joints: int) -> None:
        super().__init__()
        self.widths = [out_channels // 4, out_channels // 4, out_channels]
        self.input_norm = JointBatchNorm(num_joints=num_joints, channels=in_channels)
        self.projection = JointConvolution(in_channels=in_channels, out_channels=sum(self.widths))
        self.output = JointConvolution(in_channels=out_channels, out_channels=out_channels)
        self.norm = RowBatchNorm(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Attend within each frame; see the class for shapes."""
        projected = torch.split(self.projection(self.input_norm(x)), self.widths, 2)
        q, k, v = (torch.unflatten(y, 2, (NUM_HEADS, -1)).transpose(1, 2) for y in projected)  # (frames, heads, v, d)
        # over keys as the last axis but one, where a softmax of so few takes half as long
        weights = (k @ (q * q.shape[3] ** -0.5).transpose(2, 3)).softmax(2)  # (frames, heads, keys, queries)
        y = (weights.transpose(2, 3) @ v).transpose(1, 2).flatten(2)
        return activate_and_normalise(self.output(y), self.norm)


class GaitTRBlock(nn.Module):
    """A temporal convolution, then attention, each with a shortcut around it, and one around both.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output; where they differ, the last two shortcuts have a convolution.
        num_joints: Joints v.
        dropout: Before the temporal convolution.

    Shapes: rows `(frames, v, in_channels)` to `(frames, v, out_channels)`.
    """

    def __init__(self, *, in_channels: int, out_channels: int, num_joints: int, dropout: float) -> None:
        super().__init__()
        self.temporal = TemporalConvolution(in_channels=in_channels, out_channels=in_channels, dropout=dropout)
        self.attention = JointAttention(in_channels=in_channels, out_channels=out_channels, num_joints=num_joints)
        self.widens = in_channels != out_channels
        if self.widens:
            self.inner = JointConvolution(in_channels=in_channels, out_channels=out_channels)
            self.inner_norm = RowBatchNorm(out_channels)
            self.outer = JointConvolution(in_channels=in_channels, out_channels=out_channels)
            self.outer_norm = RowBatchNorm(out_channels)

    def forward(self, x: Tensor, clips: Clips) -> Tensor:
        """Apply the block; see the class for shapes."""
        y: Tensor = self.temporal(x, clips) + x
        attended: Tensor = self.attention(y)
        if not self.widens:
            return attended + y + x
        inner = normalise(self.inner(y), self.inner_norm)
        return attended + inner + activate_and_normalise(self.outer(x), self.outer_norm)


class GaitTR(nn.Module):
    """Blocks of temporal convolution and attention among joints, and a linear map of the mean.

    Which joints are connected plays no part, only how many there are.

    Args:
        channels: Widths of the blocks, multiples of 32.
        embedding_dim: Width d of the embedding.
        skeleton: Name of the joints' order, `coco17` or `openpose18`.
        dropout: Before each temporal convolution.

    Shapes: poses `(n, t, v, 10)` with the features of `gaitway.pose_features.gaittr_streams`, or `(sum of lengths, v,
    10)` with `lengths` `(n,)`; embeddings `(n, 1, 128)` with the defaults, not normalised.

    Raises:
        ValueError: when a width is no multiple of 32.
    """

    modalities: ClassVar[tuple[str, ...]] = ("poses",)

    def __init__(
        self,
        *,
        channels: Sequence[int] = (64, 64, 128, 256),
        embedding_dim: int = 128,
        skeleton: str = "coco17",
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        if any(width % (4 * NUM_HEADS) for width in channels):
            raise ValueError(
                f"channels {list(channels)}, expected multiples of {4 * NUM_HEADS}: a share for every head"
            )
        self.num_joints = skeleton_called(skeleton).num_joints
        self.input_norm = JointBatchNorm(num_joints=self.num_joints, channels=NUM_FEATURES)
        self.blocks = nn.ModuleList(
            GaitTRBlock(in_channels=before, out_channels=width, num_joints=self.num_joints, dropout=dropout)
            for before, width in pairwise((NUM_FEATURES, *channels))
        )
        self.head = nn.Conv1d(channels[-1], embedding_dim, 1)
        initialise_poses(self)

    @property
    def frame_shape(self) -> tuple[int, ...]:
        """Joints and features of one frame."""
        return self.num_joints, NUM_FEATURES

    def forward(self, poses: Tensor, lengths: Tensor | None = None, *, logits: bool | None = None) -> Output:
        """Embed each sequence; see the class for shapes. There is no classifier, `logits` changes nothing."""
        maps, clips = as_joint_maps(poses, lengths, joints=self.num_joints, features=(NUM_FEATURES,))
        x = self.input_norm(clips.rows(maps))  # (frames, v, c)
        for block in self.blocks:
            x = block(x, clips)
        pooled = clips.mean(clips.maps(x.mean(1)))  # (n, c, 1)
        return Output(self.head(pooled).transpose(1, 2))


def activate_and_normalise(x: Tensor, norm: nn.Module) -> Tensor:
    """Mish, then batch normalisation."""
    return normalise(mish(x), norm)


def gaittr_casiab() -> GaitTR:
    """GaitTR as trained on CASIA-B: 0.51M parameters."""
    return GaitTR()


def gaittr_gait3d() -> GaitTR:
    """GaitTR as trained on Gait3D, the network of CASIA-B."""
    return GaitTR()


def gaittr_grew() -> GaitTR:
    """GaitTR as trained on GREW: 0.54M parameters."""
    return GaitTR(embedding_dim=256)


def gaittr_grew_plus() -> GaitTR:
    """GaitTR+ as trained on GREW: 1.32M parameters."""
    return GaitTR(channels=(64, 64, *[128] * 5, 256), embedding_dim=256)


def gaittr_oumvlp() -> GaitTR:
    """GaitTR as trained on OUMVLP with OpenPose's 18 joints: 0.55M parameters."""
    return GaitTR(embedding_dim=256, skeleton="openpose18")


def gaittr_oumvlp17() -> GaitTR:
    """GaitTR as trained on OUMVLP with COCO's 17 joints, the network of GREW."""
    return gaittr_grew()


def gaittr_oumvlp_plus() -> GaitTR:
    """GaitTR+ as trained on OUMVLP with OpenPose's 18 joints: 1.13M parameters."""
    return GaitTR(channels=(64, 64, *[128] * 4, 256), embedding_dim=256, skeleton="openpose18")


def published_names(model: GaitTR) -> dict[str, str]:
    """Names (or beginnings of names) in a published checkpoint of this model → here."""
    names = {"data_bn.": "input_norm.bn.", "fcn.": "head."}
    for i in range(len(model.blocks)):
        theirs, ours = f"backbone.{i}.", f"blocks.{i}."
        names |= {
            f"{theirs}tcn.conv.": f"{ours}temporal.conv.",
            f"{theirs}tcn.bn.": f"{ours}temporal.norm.",
            f"{theirs}st.data_bn.": f"{ours}attention.input_norm.bn.",
            f"{theirs}st.attention_conv.qkv_conv.": f"{ours}attention.projection.",
            f"{theirs}st.attention_conv.attn_out.": f"{ours}attention.output.",
            f"{theirs}st.bn.": f"{ours}attention.norm.",
            f"{theirs}residual_s.0.": f"{ours}inner.",
            f"{theirs}residual_s.1.": f"{ours}inner_norm.",
            f"{theirs}down.conv.": f"{ours}outer.",
            f"{theirs}down.bn.": f"{ours}outer_norm.",
        }
    return names
