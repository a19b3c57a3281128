"""GaitGL: 3-D convolutions of the whole body beside those of horizontal strips, and one part per row.

"Gait Recognition via Effective Global-Local Feature Representation and Local Temporal Aggregation", Lin, Zhang and Yu,
ICCV 2021, arXiv 2011.01461.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gaitway.models.silhouettes import as_clips
from gaitway.nn import (
    BatchNormNeck,
    GeneralisedMeanPooling,
    PartLinear,
    StemConvolution3d,
    StripConvolution3d,
    convolution3d,
    initialise,
    leaky_relu,
    leaky_relu_,
)
from gaitway.types import Output


class GlobalLocalConvolution(nn.Module):
    """Two 3×3×3 convolutions of one map: of all of it, and of its horizontal strips each by itself.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of both outputs.
        halvings: There are `2**halvings` strips.

    Shapes: `(n, in_channels, t, h, w)` to the global map `(n, out_channels, t, h, w)` and the local one as strips
    `(n, out_channels, t, num, rows, w)`, both without activation.
    """

    def __init__(self, *, in_channels: int, out_channels: int, halvings: int) -> None:
        super().__init__()
        self.whole = convolution3d(in_channels, out_channels)
        self.strips = StripConvolution3d(in_channels=in_channels, out_channels=out_channels, halvings=halvings)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Convolve the map twice; see the class for shapes."""
        return self.whole(x), self.strips(x)


class GaitGL(nn.Module):
    """A stem, one frame made of three, three stages of global-local convolutions, maximum over time, a part per row.

    The two maps of a global-local convolution are added, those of the last one put one above the other.

    Args:
        num_classes: Number of training subjects k.
        channels: Widths of the stem and the three stages.
        depth: Convolutions of the stem, and global-local convolutions of each stage.
        halvings: The local convolutions work on `2**halvings` strips.
        bn_neck: Classify by cosines after a batch norm of each part (BNNeck), and embed before it; else one batch norm
            is shared by all parts, the embedding comes after it, and the classifier is a plain linear layer per part.
        num_parts: Rows of the frames; the last map has as many, and each row gives a part. Even.

    Shapes: silhouettes `(n, t, h, w)`, or `(sum of lengths, h, w)` with `lengths` `(n,)`, in [0, 1]; with the defaults
    h is 64, embeddings are `(n, 64, 128)`, logits `(n, 64, k)`. Sequences of one or two frames are repeated.
    """

    modalities: ClassVar[tuple[str, ...]] = ("silhouettes",)

    def __init__(
        self,
        *,
        num_classes: int,
        channels: Sequence[int] = (32, 64, 128, 128),
        depth: int = 1,
        halvings: int = 3,
        bn_neck: bool = False,
        num_parts: int = 64,
    ) -> None:
        super().__init__()
        first, *_, last = channels
        self.stem = nn.ModuleList(
            convolution3d(first, first) if i else StemConvolution3d(out_channels=first) for i in range(depth)
        )
        self.aggregation = convolution3d(first, first, (3, 1, 1), stride=(3, 1, 1), padding=(0, 0, 0))
        widths = [width for width in channels[1:] for _ in range(depth)]
        self.depth = depth
        self.blocks = nn.ModuleList(
            GlobalLocalConvolution(in_channels=before, out_channels=width, halvings=halvings)
            for before, width in zip((first, *widths), widths, strict=False)
        )
        self.pooling = GeneralisedMeanPooling(levels=[[1] * num_parts])
        self.head = PartLinear(num_parts=num_parts, in_features=last, out_features=last)
        self.bn_neck = bn_neck
        if bn_neck:
            self.neck = BatchNormNeck(num_parts=num_parts, in_features=last, num_classes=num_classes)
        else:
            self.bn = nn.BatchNorm1d(last)
            self.classifier = PartLinear(num_parts=num_parts, in_features=last, out_features=num_classes)
        initialise(self)

    def forward(self, silhouettes: Tensor, lengths: Tensor | None = None, *, logits: bool | None = None) -> Output:
        """Embed each sequence; see the class for shapes.

        Logits are computed when training, and else only when asked for: the classifier is most of a large model and
        no evaluation uses it.
        """
        x, clips = as_clips(silhouettes, lengths, at_least=3)
        x = clips.clear(self.stem[0](x))
        for convolution in self.stem[1:]:
            x = leaky_relu_(clips.clear(convolution(x)))
        clips = clips.shortened(3)
        x = leaky_relu_(clips.clear(self.aggregation(x)))  # (n, c1, t/3, h, w)
        *blocks, last = self.blocks
        for i, block in enumerate(blocks, start=1):
            x = clips.clear(add_maps(*block(x)))
            if i == self.depth:
                x = _half_size(x)
        whole, strips = last(x)
        local = clips.max(strips).flatten(2, 3)[:, :, : x.shape[3]]
        x = leaky_relu(torch.cat((clips.max(whole), local), 2))  # (n, c4, h, w/2)
        parts = self.head(self.pooling(x))  # (n, p, c4)
        wanted = self.training if logits is None else logits
        if self.bn_neck:
            return Output(parts, logits=self.neck(parts)[1] if wanted else None)
        embeddings = torch.unflatten(self.bn(parts.flatten(0, 1)), 0, parts.shape[:2])
        return Output(embeddings, logits=self.classifier(embeddings) if wanted else None)


def add_maps(whole: Tensor, strips: Tensor) -> Tensor:
    """Activate the two maps of a global-local convolution and add them: `(n, c, t, h, w)`."""
    h, (num, rows) = whole.shape[3], strips.shape[3:5]
    whole, strips = leaky_relu_(whole), leaky_relu(strips)
    if num * rows > h:
        return whole + strips.flatten(3, 4)[:, :, :, :h]
    return (torch.unflatten(whole, 3, (num, rows)) + strips).flatten(3, 4)  # spares a copy of the strips


def _half_size(x: Tensor) -> Tensor:
    n, t = len(x), x.shape[2]
    # as frames, which 2-D pooling takes as they lie in memory; the backward pass of 3-D pooling copies them
    frames = F.max_pool2d(x.transpose(1, 2).flatten(0, 1), 2)
    return torch.unflatten(frames, 0, (n, t)).transpose(1, 2)


def gaitgl_casiab(*, num_classes: int = 74) -> GaitGL:
    """GaitGL as trained on CASIA-B: 3.10M parameters with 74 classes."""
    return GaitGL(num_classes=num_classes)


def gaitgl_oumvlp(*, num_classes: int = 5153) -> GaitGL:
    """GaitGL as trained on OUMVLP: 95.62M parameters with 5153 classes, 11.19M without them."""
    return GaitGL(num_classes=num_classes, channels=(32, 64, 128, 256), depth=2, halvings=1)


def gaitgl_grew(*, num_classes: int = 20000) -> GaitGL:
    """GaitGL as trained on GREW, the network of OUMVLP: 338.87M parameters with 20000 classes."""
    return gaitgl_oumvlp(num_classes=num_classes)


def gaitgl_grew_bnneck(*, num_classes: int = 20000) -> GaitGL:
    """GaitGL with a BN neck as trained on GREW: 338.91M parameters with 20000 classes."""
    return GaitGL(num_classes=num_classes, channels=(32, 64, 128, 256), depth=2, halvings=1, bn_neck=True)


def published_names(model: GaitGL) -> dict[str, str]:
    """Names (or beginnings of names) in a published checkpoint of this model → here."""
    names = {f"conv3d.{2 * i}.conv3d.": f"stem.{i}." for i in range(len(model.stem))}
    names["LTA.0.conv3d."] = "aggregation."
    for i in range(len(model.blocks)):
        stage, position = divmod(i, model.depth)
        theirs = ("GLConvA0", "GLConvA1", "GLConvB2")[stage] + (f".{position}" if model.depth > 1 else "")
        names |= {f"{theirs}.global_conv3d.conv3d.": f"blocks.{i}.whole."}
        names |= {f"{theirs}.local_conv3d.conv3d.": f"blocks.{i}.strips."}
    names |= {"HPP.p": "pooling.exponent", "Head0.fc_bin": "head.weight"}
    if model.bn_neck:
        return names | {"BNNecks.fc_bin": "neck.classifier.weight", "BNNecks.bn1d.": "neck.bn."}
    return names | {"Bn.": "bn.", "Head1.fc_bin": "classifier.weight"}
