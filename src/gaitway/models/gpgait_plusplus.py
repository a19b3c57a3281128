"""GPGait++: GPGait with an attention per frame, and convolutions over time in every layer.

"From FastPoseGait to GPGait++: Bridging the Past and Future for Pose-based Gait Recognition", Meng, Fu, Hou, Huang and
others, IEEE Transactions on Pattern Analysis and Machine Intelligence, 2025.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor, nn

from gaitway.models.gaittr import TemporalConvolution, activate_and_normalise
from gaitway.models.gpgait import WIDE
from gaitway.models.part_graph import (
    NUM_FEATURES,
    PartAttention,
    PartGraphNetwork,
    published_network_names,
)
from gaitway.nn import Clips, JointConvolution, LinearNorm, RowBatchNorm, initialise_poses
from gaitway.skeletons import COCO17, Skeleton
from gaitway.types import Output

NUM_SHARED = 3
"""Layers that all parts of a branch share, whatever published configurations say."""


class GPGaitPlusPlusLayer(nn.Module):
    """Attention among the joints of each frame, then a convolution over time, each beside linear maps of its input.

    What GPGait adds up stands side by side here: half of the channels before the convolution come from the attention,
    and of the output a third each from the convolution, a map of what the convolution sees, and a map of the input.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        skeleton: Of the joints.
        partition: Name of the parts, or None to look at all joints.
        masked: Whether the partition counts.
        dropout: Share of the convolution's input that is left out in training.

    Shapes: rows `(frames, v, in_channels)` to `(frames, v, out_channels)`.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        out_channels: int,
        skeleton: Skeleton,
        partition: str | None,
        masked: bool,
        dropout: float,
    ) -> None:
        super().__init__()
        attended, third = out_channels // 2, out_channels // 3
        self.attention = PartAttention(
            in_channels=in_channels,
            out_channels=attended,
            skeleton=skeleton,
            partition=partition if masked else None,
        )
        self.beside_attention = LinearNorm(in_channels=in_channels, out_channels=out_channels - attended)
        self.temporal = TemporalConvolution(in_channels=out_channels, out_channels=third + 1, dropout=dropout)
        self.beside_temporal = LinearNorm(in_channels=out_channels, out_channels=third)
        rest = out_channels - 2 * third - 1
        self.shortcut = JointConvolution(in_channels=in_channels, out_channels=rest)
        self.shortcut_norm = RowBatchNorm(rest)

    def forward(self, x: Tensor, clips: Clips) -> Tensor:
        """Apply the layer; see the class for shapes."""
        each_frame = Clips(1)
        y = torch.cat((self.attention(x, each_frame), self.beside_attention(x)), 2)
        shortcut = activate_and_normalise(self.shortcut(x), self.shortcut_norm)
        return torch.cat((self.temporal(y, clips), self.beside_temporal(y), shortcut), 2)


class GPGaitPlusPlus(nn.Module):
    """Three branches of graph layers, for places, bones and angles; 19 parts, a linear layer for each, and a BN neck.

    Args:
        num_classes: Number of training subjects k.
        channels: Widths of the layers, more than three; the last is the width d of the embeddings.
        mask: Whether the layers look within parts, as published for CASIA-B; otherwise the stacks of a branch differ
            only in what they pool.
        dropout: Before each convolution over time.

    Shapes: poses `(n, t, 17, 6)` of COCO's joints with the features of
    `gaitway.pose_features.human_oriented_descriptors`, or `(sum of lengths, 17, 6)` with `lengths` `(n,)`; embeddings
    `(n, 19, d)` of length 1 and logits `(n, 19, k)`. The triplet loss works on the feature `before_neck`, of the same
    shape as the embeddings.

    Raises:
        ValueError: when there are not more than three layers.
    """

    modalities: ClassVar[tuple[str, ...]] = ("poses",)

    def __init__(
        self,
        *,
        num_classes: int,
        channels: Sequence[int] = (64, 64, 128, 256),
        mask: bool = True,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.mask = mask
        layer = partial(GPGaitPlusPlusLayer, masked=mask, dropout=dropout)
        self.network = PartGraphNetwork(num_classes=num_classes, channels=channels, num_shared=NUM_SHARED, layer=layer)
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


def gpgaitpp_casiab(*, num_classes: int = 74) -> GPGaitPlusPlus:
    """GPGait++ as trained on CASIA-B: 5.23M parameters with 74 classes, 4.87M without them."""
    return GPGaitPlusPlus(num_classes=num_classes)


def gpgaitpp_ccpg(*, num_classes: int = 100) -> GPGaitPlusPlus:
    """GPGait++ as trained on CCPG: 5.35M parameters with 100 classes."""
    return GPGaitPlusPlus(num_classes=num_classes, mask=False)


def gpgaitpp_sustech1k(*, num_classes: int = 250) -> GPGaitPlusPlus:
    """GPGait++ as trained on SUSTech1K, the network of CCPG: 6.08M parameters with 250 classes."""
    return GPGaitPlusPlus(num_classes=num_classes, mask=False)


def gpgaitpp_gait3d(*, num_classes: int = 3000) -> GPGaitPlusPlus:
    """GPGait++ as trained on Gait3D: 20.53M parameters with 3000 classes, 5.94M without them."""
    return GPGaitPlusPlus(num_classes=num_classes, channels=(64, 64, 128, 128, 256), mask=False)


def gpgaitpp_grew(*, num_classes: int = 20000) -> GPGaitPlusPlus:
    """GPGait++ as trained on GREW: 108.78M parameters with 20000 classes, 11.50M without them."""
    return GPGaitPlusPlus(num_classes=num_classes, channels=WIDE, mask=False)


def gpgaitpp_oumvlp(*, num_classes: int = 5153) -> GPGaitPlusPlus:
    """GPGait++ as trained on OUMVLP with COCO's 17 joints, the network of GREW: 36.56M parameters with 5153 classes."""
    return GPGaitPlusPlus(num_classes=num_classes, channels=WIDE, mask=False)


def published_names(model: GPGaitPlusPlus) -> dict[str, str]:
    """Names (or beginnings of names) in a published checkpoint of this model → here."""
    of_layer = {
        "residual.0.": "beside_attention.conv.",
        "residual.1.": "beside_attention.norm.",
        "tcn.conv.": "temporal.conv.",
        "tcn.bn.": "temporal.norm.",
        "residual_s.0.": "beside_temporal.conv.",
        "residual_s.1.": "beside_temporal.norm.",
        "down.conv.": "shortcut.",
        "down.bn.": "shortcut_norm.",
    }
    return published_network_names(model.network, of_layer)
