"""DeepGaitV2: GaitBase made deeper, with convolutions over time in its last three stages.

"Exploring Deep Models for Practical Gait Recognition", Fan, Hou, Huang and Yu, arXiv 2303.03301; "OpenGait: A
Comprehensive Benchmark Study for Gait Recognition Towards Better Practicality", Fan et al., TPAMI 2025,
arXiv 2405.09138.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor, nn

from gaitway.models.silhouettes import as_maps
from gaitway.nn import BatchNormNeck, HorizontalPyramidPooling, PartLinear, ResidualNetwork, TimeAxis, initialise
from gaitway.nn.residual import Mode
from gaitway.types import Output


class DeepGaitV2(nn.Module):
    """A residual network over space and time, maximum over time, horizontal strips, one linear per part, BN neck.

    Args:
        num_classes: Number of training subjects k.
        mode: How the last three stages look along time: `2d` not at all, `p3d` by a convolution of its own in each
            block, `3d` by all 3×3×3 convolutions. With `2d` and one block per stage this is GaitBase.
        layers: Residual blocks in each of the four stages: 1 1 1 1 or 1 4 4 1.
        channels: Widths of the stages.
        bins: Numbers of horizontal strips.
        embedding_dim: Width d of each part's embedding.
        look_across_sequences: With sequences of unequal length, let the convolutions over time run from the end of one
            sequence into the next, as the published code does. For comparisons only: a sequence's embedding then
            depends on its neighbours in the batch.

    Shapes: silhouettes `(n, t, h, w)`, or `(sum of lengths, h, w)` with `lengths` `(n,)`, in [0, 1];
    embeddings `(n, 16, 256)` and logits `(n, 16, k)` with the defaults. The embeddings are those before the neck.
    """

    modalities: ClassVar[tuple[str, ...]] = ("silhouettes",)

    def __init__(
        self,
        *,
        num_classes: int,
        mode: Mode = "p3d",
        layers: Sequence[int] = (1, 1, 1, 1),
        channels: Sequence[int] = (64, 128, 256, 512),
        bins: Sequence[int] = (16,),
        embedding_dim: int = 256,
        look_across_sequences: bool = False,
    ) -> None:
        super().__init__()
        self.look_across_sequences = look_across_sequences
        self.backbone = ResidualNetwork(channels=channels, layers=layers, mode=mode)
        self.pyramid = HorizontalPyramidPooling(bins=bins)
        num_parts = self.pyramid.num_parts
        self.head = PartLinear(num_parts=num_parts, in_features=self.backbone.out_channels, out_features=embedding_dim)
        self.neck = BatchNormNeck(num_parts=num_parts, in_features=embedding_dim, num_classes=num_classes)
        initialise(self)

    def forward(self, silhouettes: Tensor, lengths: Tensor | None = None, *, logits: bool | None = None) -> Output:
        """Embed each sequence; see the class for shapes.

        Logits are computed when training, and else only when asked for: no evaluation uses them.
        """
        x, time = as_maps(silhouettes, lengths)
        one = self.look_across_sequences and lengths is not None
        x = self.backbone(x, TimeAxis(silhouettes.unsqueeze(0), None) if one else time)  # (frames, c, h/4, w/4)
        embeddings = self.head(self.pyramid(time.max(x)))  # (n, p, d)
        wanted = self.training if logits is None else logits
        return Output(embeddings, logits=self.neck(embeddings)[1] if wanted else None)


def deepgaitv2_casiab(*, num_classes: int = 74) -> DeepGaitV2:
    """DeepGaitV2 as trained on CASIA-B, CCPG, OUMVLP and SUSTech1K: 8.34M parameters with 74 classes, 8.04M without."""
    return DeepGaitV2(num_classes=num_classes, mode="p3d", layers=(1, 1, 1, 1))


def deepgaitv2_gait3d(*, num_classes: int = 3000) -> DeepGaitV2:
    """DeepGaitV2 as trained on Gait3D and GREW: 25.49M parameters with 3000 classes, 13.20M without them."""
    return DeepGaitV2(num_classes=num_classes, mode="p3d", layers=(1, 4, 4, 1))


def published_names(model: DeepGaitV2) -> dict[str, str]:
    """Names (or beginnings of names) in a published checkpoint of this model → here."""
    names = {"FCs.fc_bin": "head.weight", "BNNecks.fc_bin": "neck.classifier.weight", "BNNecks.bn1d.": "neck.bn."}
    return names | backbone_names(model.backbone)


def backbone_names(backbone: ResidualNetwork) -> dict[str, str]:
    """The same of the residual network alone, which is `backbone` here."""
    names = {"layer0.forward_block.0.": "backbone.stem.conv.", "layer0.forward_block.1.": "backbone.stem.norm."}
    for stage, i, block in backbone.blocks():
        by_frame = block.temporal is None and not block.conv1.over_time
        theirs, ours = f"layer{stage + 1}.{'forward_block.' * by_frame}{i}.", f"backbone.stages.{stage}.{i}."
        for j in (1, 2):
            wrapped = (f"conv{j}.forward_block.0.", f"conv{j}.forward_block.1.")
            conv, norm = (f"conv{j}.", f"bn{j}.") if block.temporal is None else wrapped
            names |= {f"{theirs}{conv}": f"{ours}conv{j}.conv.", f"{theirs}{norm}": f"{ours}conv{j}.norm."}
        names |= {f"{theirs}shortcut3d.": f"{ours}temporal.conv.", f"{theirs}sbn.": f"{ours}temporal.norm."}
        names |= {f"{theirs}downsample.0.": f"{ours}shortcut.conv.", f"{theirs}downsample.1.": f"{ours}shortcut.norm."}
    return names
