"""GaitGraph: graph convolutions of joint coordinates, trained on two augmented views of each sequence.

"GaitGraph: Graph Convolutional Network for Skeleton-Based Gait Recognition", Teepe, Khan, Gilg, Herzog, Hörmann and
Rigoll, ICIP 2021, arXiv 2101.11228.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gaitway.models import resgcn
from gaitway.models.poses import as_joint_maps
from gaitway.models.resgcn import ResGCN
from gaitway.nn import initialise_poses
from gaitway.skeletons import skeleton as skeleton_called
from gaitway.types import Output

NUM_FEATURES = 3
"""Of each joint: x, y in pixels, and confidence."""


class GaitGraph1(nn.Module):
    """A residual graph network of joint coordinates; embeddings of length 1 for the supervised contrastive loss.

    Args:
        branch_channels: Widths of the layers at full length.
        channels: Widths of the modules after them; the first, and each that changes the width, halves the length.
        reduction: How much narrower than its module a bottleneck is.
        embedding_dim: Width d of the embedding.
        skeleton: Name of the joints' order, `coco17` or `openpose18`.
        tta: In evaluation, embed the mean of the embeddings of a sequence and of its time reversal, whose length is
            below 1 where the two differ.

    Shapes: poses `(n, t, v, 3)`, or `(sum of lengths, v, 3)` with `lengths` `(n,)`, as x, y in pixels and confidence;
    embeddings `(n, 1, 128)` with the defaults. Training on two views takes them as sequences, `(2n, t, v, 3)` as the
    transform `TwoViews` gives them.

    Raises:
        ValueError: when a width is no multiple of the reduction, or there is no such skeleton.
    """

    modalities: ClassVar[tuple[str, ...]] = ("poses",)

    def __init__(
        self,
        *,
        branch_channels: Sequence[int] = (64, 64, 32),
        channels: Sequence[int] = (128, 128, 256, 256),
        reduction: int = 8,
        embedding_dim: int = 128,
        skeleton: str = "coco17",
        tta: bool = True,
    ) -> None:
        super().__init__()
        joints = skeleton_called(skeleton)
        self.num_joints = joints.num_joints
        self.tta = tta
        self.resgcn = ResGCN(
            num_branches=1,
            in_channels=NUM_FEATURES,
            branch_channels=branch_channels,
            channels=channels,
            reduction=reduction,
            out_features=embedding_dim,
            skeleton=joints,
        )
        initialise_poses(self)
        self.resgcn.start_as_identity()

    @property
    def frame_shape(self) -> tuple[int, ...]:
        """Joints and features of one frame."""
        return self.num_joints, NUM_FEATURES

    def forward(self, poses: Tensor, lengths: Tensor | None = None, *, logits: bool | None = None) -> Output:
        """Embed each sequence; see the class for shapes. There is no classifier, `logits` changes nothing."""
        maps, clips = as_joint_maps(poses, lengths, joints=self.num_joints, features=(NUM_FEATURES,))
        if self.training or not self.tta:
            return Output(F.normalize(self.resgcn(maps, clips), dim=1).unsqueeze(1))
        both = torch.cat((maps, clips.reversed(maps)))
        forth, back = F.normalize(self.resgcn(both, clips.repeated(2)), dim=1).chunk(2)
        return Output(((forth + back) / 2).unsqueeze(1))


def gaitgraph1_casiab() -> GaitGraph1:
    """GaitGraph as trained on CASIA-B and Gait3D: 0.32M parameters."""
    return GaitGraph1()


def gaitgraph1_grew() -> GaitGraph1:
    """GaitGraph as trained on GREW, and on OUMVLP with COCO's 17 joints: 0.35M parameters."""
    return GaitGraph1(embedding_dim=256)


def gaitgraph1_oumvlp() -> GaitGraph1:
    """GaitGraph as trained on OUMVLP with 18 joints: 0.35M parameters."""
    return GaitGraph1(embedding_dim=256, skeleton="openpose18")


def published_names(model: GaitGraph1) -> dict[str, str]:
    """Names (or beginnings of names) in a published checkpoint of this model → here."""
    return resgcn.published_names(model.resgcn)
