"""SkeletonGait: DeepGaitV2 on poses that are drawn as pictures of limbs and joints.

"SkeletonGait: Gait Recognition Using Skeleton Maps", Fan et al., AAAI 2024, arXiv 2311.13444.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from gaitway.models.deepgaitv2 import backbone_names
from gaitway.nn import BatchNormNeck, HorizontalPyramidPooling, PartLinear, ResidualNetwork, TimeAxis, initialise
from gaitway.types import Output

NUM_MAPS = 2


class SkeletonGait(nn.Module):
    """DeepGaitV2 with convolutions over time of their own (P3D), for frames of two maps.

    The poses of a store become maps by the transforms: `SkeletonMaps`, then those of silhouettes.

    Args:
        num_classes: Number of training subjects k.
        layers: Residual blocks in each of the four stages: 1 1 1 1 or 1 4 4 1.
        channels: Widths of the stages.
        bins: Numbers of horizontal strips.
        embedding_dim: Width d of each part's embedding.
        embed_after_neck: Embed after the batch normalisation of the neck, in vectors of length 1, as published for
            CCPG. The triplet loss still works on those before, the output `before_neck`.

    Shapes: maps `(n, t, 2, h, w)`, or `(sum of lengths, 2, h, w)` with `lengths` `(n,)`, in [0, 1], limbs and joints;
    embeddings `(n, 16, 256)` and logits `(n, 16, k)` with the defaults.
    """

    modalities: ClassVar[tuple[str, ...]] = ("poses",)

    def __init__(
        self,
        *,
        num_classes: int,
        layers: Sequence[int] = (1, 1, 1, 1),
        channels: Sequence[int] = (64, 128, 256, 512),
        bins: Sequence[int] = (16,),
        embedding_dim: int = 256,
        embed_after_neck: bool = False,
    ) -> None:
        super().__init__()
        self.embed_after_neck = embed_after_neck
        self.backbone = ResidualNetwork(in_channels=NUM_MAPS, channels=channels, layers=layers, mode="p3d")
        self.pyramid = HorizontalPyramidPooling(bins=bins)
        num_parts = self.pyramid.num_parts
        self.head = PartLinear(num_parts=num_parts, in_features=self.backbone.out_channels, out_features=embedding_dim)
        self.neck = BatchNormNeck(num_parts=num_parts, in_features=embedding_dim, num_classes=num_classes)
        initialise(self)

    @property
    def frame_shape(self) -> tuple[int, ...]:
        """Axes of one frame, as the model gets it in published recipes; other heights and widths work as well."""
        return NUM_MAPS, 64, 44

    def forward(self, maps: Tensor, lengths: Tensor | None = None, *, logits: bool | None = None) -> Output:
        """Embed each sequence; see the class for shapes.

        Logits are computed when training, and else only when asked for: no evaluation uses them.
        """
        _check(maps, lengths)
        time = TimeAxis(maps, lengths)
        x = self.backbone(time.folded.contiguous(memory_format=torch.channels_last), time)  # (frames, c, h/4, w/4)
        x = self.head(self.pyramid(time.max(x)))  # (n, p, d)
        y = self.neck.normalised(x) if self.embed_after_neck or self._wants(logits) else x
        scores = self.neck.classifier(y) if self._wants(logits) else None
        return Output(y, scores, {"before_neck": x}) if self.embed_after_neck else Output(x, scores)

    def _wants(self, logits: bool | None) -> bool:
        return self.training if logits is None else logits


def _check(maps: Tensor, lengths: Tensor | None) -> None:
    if maps.ndim != (5 if lengths is None else 4) or maps.shape[-3] != NUM_MAPS:
        expected = "(n, t, 2, h, w)" if lengths is None else "(sum of lengths, 2, h, w)"
        raise ValueError(
            f"maps of shape {tuple(maps.shape)}, expected {expected}; the recipe's transforms begin with SkeletonMaps, "
            "which draws poses as maps"
        )
    if not maps.is_floating_point():
        raise ValueError(
            f"maps of type {maps.dtype}, expected floats in [0, 1]; divide grey values by 255, as the transforms "
            "CutColumns and Scale do"
        )


def skeletongait_ccpg(*, num_classes: int = 100) -> SkeletonGait:
    """SkeletonGait as trained on CCPG: 8.45M parameters with 100 classes, 8.04M without."""
    return SkeletonGait(num_classes=num_classes, embed_after_neck=True)


def skeletongait_gait3d(*, num_classes: int = 3000) -> SkeletonGait:
    """SkeletonGait as trained on Gait3D and GREW: 25.49M parameters with 3000 classes, 13.21M without."""
    return SkeletonGait(num_classes=num_classes, layers=(1, 4, 4, 1))


def skeletongait_oumvlp(*, num_classes: int = 5153) -> SkeletonGait:
    """SkeletonGait as trained on OUMVLP and SUSTech1K: 29.14M parameters with 5153 classes, 8.04M without."""
    return SkeletonGait(num_classes=num_classes)


def published_names(model: SkeletonGait) -> dict[str, str]:
    """Names (or beginnings of names) in a published checkpoint of this model → here: those of DeepGaitV2."""
    names = {"FCs.fc_bin": "head.weight", "BNNecks.fc_bin": "neck.classifier.weight", "BNNecks.bn1d.": "neck.bn."}
    return names | backbone_names(model.backbone)
