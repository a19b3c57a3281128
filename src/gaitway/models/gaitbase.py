"""GaitBase: a small residual network per silhouette, maximum over time, horizontal strips and BN necks.

"OpenGait: Revisiting Gait Recognition Toward Better Practicality", Fan et al., CVPR 2023, arXiv 2211.06597.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor, nn

from gaitway.models.silhouettes import as_maps
from gaitway.nn import BatchNormNeck, HorizontalPyramidPooling, PartLinear, ResidualNetwork, initialise
from gaitway.types import Output


class GaitBase(nn.Module):
    """A residual network, maximum over time, horizontal strips, one linear per part, BN neck with classifier.

    All published configurations are this network with the defaults, but for the number of classes: 74 (CASIA-B), 5153
    (OUMVLP), 20000 (GREW), 3000 (Gait3D), 100 (CCPG), 200 (CASIA-E). Only that of HID is another network, the
    `Baseline`'s (`gaitway.models.baseline.gaitbase_hid`).

    Args:
        num_classes: Number of training subjects k.
        channels: Widths of the four stages.
        layers: Residual blocks in each of them.
        bins: Numbers of horizontal strips.
        embedding_dim: Width d of each part's embedding.

    Shapes: silhouettes `(n, t, h, w)`, or `(sum of lengths, h, w)` with `lengths` `(n,)`, in [0, 1];
    embeddings `(n, 16, 256)` and logits `(n, 16, k)` with the defaults. The embeddings are those before the neck.
    """

    modalities: ClassVar[tuple[str, ...]] = ("silhouettes",)

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
        self.backbone = ResidualNetwork(channels=channels, layers=layers)
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
        x = time.max(self.backbone(x, time))  # (n, c, h/4, w/4)
        embeddings = self.head(self.pyramid(x))  # (n, p, d)
        wanted = self.training if logits is None else logits
        return Output(embeddings, logits=self.neck(embeddings)[1] if wanted else None)


def gaitbase_casiab(*, num_classes: int = 74) -> GaitBase:
    """GaitBase as trained on CASIA-B and, with other classes, elsewhere: 7.31M parameters with 74, 7.00M with none."""
    return GaitBase(num_classes=num_classes)


def published_names(model: GaitBase) -> dict[str, str]:
    """Names (or beginnings of names) in a published checkpoint of this model → here."""
    names = {"FCs.fc_bin": "head.weight", "BNNecks.fc_bin": "neck.classifier.weight", "BNNecks.bn1d.": "neck.bn."}
    prefix = "Backbone.forward_block."
    names |= {f"{prefix}conv1.conv.": "backbone.stem.conv.", f"{prefix}bn1.": "backbone.stem.norm."}
    for stage, i, _ in model.backbone.blocks():
        theirs, ours = f"{prefix}layer{stage + 1}.{i}.", f"backbone.stages.{stage}.{i}."
        names |= {f"{theirs}conv{j}.": f"{ours}conv{j}.conv." for j in (1, 2)}
        names |= {f"{theirs}bn{j}.": f"{ours}conv{j}.norm." for j in (1, 2)}
        names |= {f"{theirs}downsample.0.": f"{ours}shortcut.conv.", f"{theirs}downsample.1.": f"{ours}shortcut.norm."}
    return names
