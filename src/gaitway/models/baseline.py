"""The OpenGait 1.0 baseline: a plain CNN per silhouette, maximum over time, horizontal parts and BN necks.

"OpenGait: Revisiting Gait Recognition Toward Better Practicality", Fan et al., CVPR 2023, arXiv 2211.06597.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor, nn

from gaitway.models.silhouettes import as_maps
from gaitway.nn import BatchNormNeck, HorizontalPyramidPooling, PartLinear, PlainBackbone, initialise, leaky_relu
from gaitway.types import Output

LAYERS_CASIAB = ("BC-64", "BC-64", "M", "BC-128", "BC-128", "M", "BC-256", "BC-256")
LAYERS_OUMVLP = ("BC-32", "BC-32", "M", "BC-64", "BC-64", "M", "BC-128", "BC-128", "BC-256", "BC-256")

LAYERS_HID = ("BC-64", "BC-64", "M", "BC-128", "BC-128", "M", "BC-256", "BC-256", "M", "BC-512", "BC-512")


class Baseline(nn.Module):
    """A VGG-like backbone, maximum over time, horizontal pyramid, one linear per part, BN neck with classifier.

    Args:
        num_classes: Number of training subjects k.
        layers: Layer codes of the backbone (`gaitway.nn.PlainBackbone`).
        bins: Levels of the horizontal pyramid.
        embedding_dim: Width d of each part's embedding.

    Shapes: silhouettes `(n, t, h, w)`, or `(sum of lengths, h, w)` with `lengths` `(n,)`, in [0, 1];
    embeddings `(n, 31, 256)` and logits `(n, 31, k)` with the defaults. The embeddings are those before the neck.
    """

    modalities: ClassVar[tuple[str, ...]] = ("silhouettes",)

    def __init__(
        self,
        *,
        num_classes: int,
        layers: Sequence[str] = LAYERS_CASIAB,
        bins: Sequence[int] = (16, 8, 4, 2, 1),
        embedding_dim: int = 256,
    ) -> None:
        super().__init__()
        self.backbone = PlainBackbone(layers=layers)
        self.pyramid = HorizontalPyramidPooling(bins=bins)
        num_parts = self.pyramid.num_parts
        self.head = PartLinear(num_parts=num_parts, in_features=self.backbone.out_channels, out_features=embedding_dim)
        self.neck = BatchNormNeck(num_parts=num_parts, in_features=embedding_dim, num_classes=num_classes)
        initialise(self)

    def forward(self, silhouettes: Tensor, lengths: Tensor | None = None, *, logits: bool | None = None) -> Output:
        """Embed each sequence; see the class for shapes.

        Logits are computed when training, and else only when asked for: they need half of the time of a small
        batch and no evaluation uses them.
        """
        x, time = as_maps(silhouettes, lengths)
        x = leaky_relu(time.max(self.backbone(x)))  # (n, c, h/4, w/4)
        embeddings = self.head(self.pyramid(x))  # (n, p, d)
        if not (self.training if logits is None else logits):
            return Output(embeddings)
        return Output(embeddings, logits=self.neck(embeddings)[1])


def baseline_casiab(*, num_classes: int = 74) -> Baseline:
    """The baseline as trained on CASIA-B: 3.78M parameters with 74 classes."""
    return Baseline(num_classes=num_classes, layers=LAYERS_CASIAB)


def baseline_oumvlp(*, num_classes: int = 5153) -> Baseline:
    """The baseline as trained on OUMVLP: 44.11M parameters with 5153 classes."""
    return Baseline(num_classes=num_classes, layers=LAYERS_OUMVLP)


def gaitbase_hid(*, num_classes: int = 500) -> Baseline:
    """What is published as GaitBase on HID, for frames of 128×88: 12.73M parameters with 500 classes."""
    return Baseline(num_classes=num_classes, layers=LAYERS_HID)


def published_names(model: Baseline) -> dict[str, str]:
    """Names (or beginnings of names) in a published checkpoint of this model → here."""
    names = {"FCs.fc_bin": "head.weight", "BNNecks.fc_bin": "neck.classifier.weight", "BNNecks.bn1d.": "neck.bn."}
    return names | published_backbone_names(model.backbone)


def published_backbone_names(backbone: PlainBackbone) -> dict[str, str]:
    """Beginnings of names in a published checkpoint → here, of the plain backbone of a model."""
    names = {}
    position = 0  # the published list counts activations and pools too
    for i, pool in enumerate(backbone.pools):
        names[f"Backbone.forward_block.feature.{position}.conv."] = f"backbone.convolutions.{i}."
        position += 3 if pool else 2
    return names
