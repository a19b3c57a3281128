"""GaitGraph2: graph convolutions of joints, velocities and bones, each first in a branch of its own.

"Towards a Deeper Understanding of Skeleton-based Gait Recognition", Teepe, Gilg, Herzog, Hörmann and Rigoll, CVPR
Workshops 2022, arXiv 2204.07855.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from gaitway.models import resgcn
from gaitway.models.poses import as_joint_maps
from gaitway.models.resgcn import ResGCN
from gaitway.nn import Clips, initialise_poses
from gaitway.pose_features import gaitgraph_streams
from gaitway.skeletons import skeleton as skeleton_called
from gaitway.types import Output

NUM_STREAMS, NUM_FEATURES = 3, 5
"""Joints, velocities and bones, and what each has of every joint."""

NUM_COORDINATES = 3
"""The first features of the first stream: x, y and confidence, of which all others are computed."""


class GaitGraph2(nn.Module):
    """A residual graph network with a branch per stream of features.

    Args:
        branch_channels: Widths of the layers of each branch.
        channels: Widths of the modules after them; the first, and each that changes the width, halves the length.
        reduction: How much narrower than its module a bottleneck is.
        embedding_dim: Width d of one embedding.
        skeleton: Name of the joints' order, `coco17` or `openpose18`.
        tta: In evaluation, embed three views one beside the other, `(n, 1, 3·d)`: the sequence, its time reversal, and
            the sequence with left and right joints exchanged, which as published is no mirror image, since they stay
            where they are.

    Shapes: poses `(n, t, v, 3, 5)` with the streams of `gaitway.pose_features.gaitgraph_streams`, or `(sum of lengths,
    v, 3, 5)` with `lengths` `(n,)`; embeddings `(n, 1, 128)` in training and `(n, 1, 384)` in evaluation with the
    defaults, not normalised.

    Raises:
        ValueError: when a width is no multiple of the reduction, or there is no such skeleton.
    """

    modalities: ClassVar[tuple[str, ...]] = ("poses",)

    def __init__(
        self,
        *,
        branch_channels: Sequence[int] = (64, 32),
        channels: Sequence[int] = (128, 256),
        reduction: int = 8,
        embedding_dim: int = 128,
        skeleton: str = "coco17",
        tta: bool = True,
    ) -> None:
        super().__init__()
        self.skeleton = skeleton_called(skeleton)
        self.tta = tta
        self.resgcn = ResGCN(
            num_branches=NUM_STREAMS,
            in_channels=NUM_FEATURES,
            branch_channels=branch_channels,
            channels=channels,
            reduction=reduction,
            out_features=embedding_dim,
            skeleton=self.skeleton,
        )
        initialise_poses(self)
        self.resgcn.start_as_identity()

    @property
    def frame_shape(self) -> tuple[int, ...]:
        """Joints, streams and features of one frame."""
        return self.skeleton.num_joints, NUM_STREAMS, NUM_FEATURES

    def forward(self, poses: Tensor, lengths: Tensor | None = None, *, logits: bool | None = None) -> Output:
        """Embed each sequence; see the class for shapes. There is no classifier, `logits` changes nothing."""
        joints = self.skeleton.num_joints
        maps, clips = as_joint_maps(poses, lengths, joints=joints, features=(NUM_STREAMS, NUM_FEATURES))
        if self.training or not self.tta:
            return Output(self.resgcn(maps, clips).unsqueeze(1))
        views = torch.cat((maps, self.other_views(maps, clips)))
        embedded = self.resgcn(views, clips.repeated(3))
        return Output(torch.cat(embedded.chunk(3), 1).unsqueeze(1))

    def other_views(self, maps: Tensor, clips: Clips) -> Tensor:
        """Streams of the time reversal, then with left and right exchanged: `(n, c, t, v)` to `(2n, c, t, v)`."""
        coordinates = maps[:, :NUM_COORDINATES]
        views = torch.cat((clips.reversed(coordinates), coordinates[..., list(self.skeleton.mirrored)]))
        both = clips.repeated(2)
        left = both.rows(both.frames_left(views).unsqueeze(1)).squeeze(1)
        streams = gaitgraph_streams(both.rows(views), left >= 2)  # (frames, v, 3, 5)
        return both.maps(streams.flatten(2))


def gaitgraph2_casiab() -> GaitGraph2:
    """GaitGraph2 as trained on CASIA-B and Gait3D: 0.35M parameters."""
    return GaitGraph2()


def gaitgraph2_grew() -> GaitGraph2:
    """GaitGraph2 as trained on GREW, and on OUMVLP with COCO's 17 joints: 0.76M parameters."""
    return _large("coco17")


def gaitgraph2_oumvlp() -> GaitGraph2:
    """GaitGraph2 as trained on OUMVLP with 18 joints: 0.77M parameters."""
    return _large("openpose18")


def _large(skeleton: str) -> GaitGraph2:
    return GaitGraph2(
        branch_channels=(64, 64, 32), channels=(128, 128, 128, 256, 256, 256), reduction=4, skeleton=skeleton
    )


def published_names(model: GaitGraph2) -> dict[str, str]:
    """Names (or beginnings of names) in a published checkpoint of this model → here."""
    return resgcn.published_names(model.resgcn)
