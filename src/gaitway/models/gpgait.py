"""GPGait: places, bones and angles of joints, mixed by attention within parts of the body, one embedding per part.

"GPGait: Generalized Pose-based Gait Recognition", Fu, Meng, Hou, Hu and Huang, ICCV 2023, arXiv 2303.05234.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor, nn

from gaitway.models.part_graph import (
    NUM_FEATURES,
    PartAttention,
    PartGraphNetwork,
    published_network_names,
)
from gaitway.nn import Clips, LinearNorm, initialise_poses
from gaitway.skeletons import COCO17, Skeleton
from gaitway.types import Output

WIDE = (64, 128, 128, 128, 128, 256, 256)
"""Widths of the layers on GREW and OUMVLP."""


class GPGaitLayer(nn.Module):
    """Attention within parts, added to the input, or to a linear map of it where widths differ.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        skeleton: Of the joints.
        partition: Name of the parts, or None to look at all joints.

    Shapes: rows `(frames, v, in_channels)` to `(frames, v, out_channels)`.
    """

    def __init__(self, *, in_channels: int, out_channels: int, skeleton: Skeleton, partition: str | None) -> None:
        super().__init__()
        self.attention = PartAttention(
            in_channels=in_channels, out_channels=out_channels, skeleton=skeleton, partition=partition
        )
        self.shortcut: LinearNorm | None = None
        if in_channels != out_channels:
            self.shortcut = LinearNorm(in_channels=in_channels, out_channels=out_channels)

    def forward(self, x: Tensor, clips: Clips) -> Tensor:
        """Apply the layer; see the class for shapes."""
        y: Tensor = self.attention(x, clips)
        return y.add_(x if self.shortcut is None else self.shortcut(x))


class GPGait(nn.Module):
    """Three branches of graph layers, for places, bones and angles; 19 parts, a linear layer for each, and a BN neck.

    The attention of a sequence is over all its frames at once, and nothing depends on their order.

    Args:
        num_classes: Number of training subjects k.
        channels: Widths of the layers; the last is the width d of the embeddings.
        num_shared: How many of the layers all parts of a branch share.

    Shapes: poses `(n, t, 17, 6)` of COCO's joints with the features of
    `gaitway.pose_features.human_oriented_descriptors`, or `(sum of lengths, 17, 6)` with `lengths` `(n,)`; embeddings
    `(n, 19, d)` of length 1 and logits `(n, 19, k)`. The triplet loss works on the feature `before_neck`, of the same
    shape as the embeddings.

    Raises:
        ValueError: when `num_shared` leaves no layer before or after it.
    """

    modalities: ClassVar[tuple[str, ...]] = ("poses",)

    def __init__(self, *, num_classes: int, channels: Sequence[int] = (64, 64, 128, 256), num_shared: int = 3) -> None:
        super().__init__()
        self.network = PartGraphNetwork(
            num_classes=num_classes, channels=channels, num_shared=num_shared, layer=GPGaitLayer
        )
        initialise_poses(self)

    @property
    def frame_shape(self) -> tuple[int, ...]:
        """Joints and features of one frame."""
        return COCO17.num_joints, NUM_FEATURES

    def forward(self, poses: Tensor, lengths: Tensor | None = None, *, logits: bool | None = None) -> Output:
        """Embed each sequence; see the class for shapes.

        Logits are computed when training, and else only when asked for: the classifier is most of a large model.
        """
        output: Output = self.network(poses, lengths, logits=self.training if logits is None else logits)
        return output


def gpgait_casiab(*, num_classes: int = 74) -> GPGait:
    """GPGait as trained on CASIA-B: 3.65M parameters with 74 classes, 3.29M without them."""
    return GPGait(num_classes=num_classes)


def gpgait_ccpg(*, num_classes: int = 100) -> GPGait:
    """GPGait as trained on CCPG, the network of CASIA-B: 3.78M parameters with 100 classes."""
    return GPGait(num_classes=num_classes)


def gpgait_sustech1k(*, num_classes: int = 250) -> GPGait:
    """GPGait as trained on SUSTech1K, the network of CASIA-B: 4.51M parameters with 250 classes."""
    return GPGait(num_classes=num_classes)


def gpgait_gait3d(*, num_classes: int = 3000) -> GPGait:
    """GPGait as trained on Gait3D: 18.64M parameters with 3000 classes, 4.05M without them."""
    return GPGait(num_classes=num_classes, channels=(64, 64, 128, 128, 256))


def gpgait_grew(*, num_classes: int = 20000) -> GPGait:
    """GPGait as trained on GREW: 105.22M parameters with 20000 classes, 7.94M without them."""
    return GPGait(num_classes=num_classes, channels=WIDE)


def gpgait_oumvlp(*, num_classes: int = 5153) -> GPGait:
    """GPGait as trained on OUMVLP, with COCO's 17 joints: 32.48M parameters with 5153 classes, 7.41M without them."""
    return GPGait(num_classes=num_classes, channels=WIDE, num_shared=4)


def published_names(model: GPGait) -> dict[str, str]:
    """Names (or beginnings of names) in a published checkpoint of this model → here."""
    return published_network_names(
        model.network, {"residual_s.0.": "shortcut.conv.", "residual_s.1.": "shortcut.norm."}
    )
