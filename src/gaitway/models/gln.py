"""GLN: silhouettes at three depths, merged from the deepest down, in two phases of training.

"Gait Lateral Network: Learning Discriminative and Compact Representations for Gait Recognition", Hou, Cao, Liu and
Huang, ECCV 2020.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gaitway.models.silhouettes import as_maps
from gaitway.nn import (
    ConvPair,
    HorizontalPyramidPooling,
    PartLinear,
    convolution2d,
    initialise,
    leaky_relu,
    leaky_relu_,
)
from gaitway.types import Output


class GLN(nn.Module):
    """A set branch and a branch of maxima as in GaitSet, lateral connections between depths, a compact block.

    Args:
        num_classes: Number of training subjects k, for the classifier of the compact block.
        compact: Whether there is a compact block. Phase 1 trains without it; phase 2 starts from the weights of
            phase 1 and trains all. The embeddings do not depend on it.
        channels: Widths of the three stages.
        lateral_dim: Width of the merged maps.
        bins: Levels of the horizontal pyramid over each of the three merged maps, largest map first.
        embedding_dim: Width d of each part's embedding.
        compact_dim: Width of the compact embedding.
        dropout: Share of the embedding that the compact block does not see in training.

    Shapes: silhouettes `(n, t, h, w)`, or `(sum of lengths, h, w)` with `lengths` `(n,)`, in [0, 1], h and w
    divisible by 4, made for 128×88; embeddings `(n, 93, 256)` with the defaults. With the compact block logits
    `(n, 1, k)`, and the features `compact` and `compact_normalised` `(n, 256)`: its narrowest layer before and after
    batch normalisation.

    Raises:
        ValueError: when there is a compact block but no number of classes.
    """

    modalities: ClassVar[tuple[str, ...]] = ("silhouettes",)
    starts_fresh: ClassVar[tuple[str, ...]] = ("compact.",)
    """What the weights that training starts from may lack: those of phase 1 have no compact block."""

    def __init__(
        self,
        *,
        num_classes: int | None = None,
        compact: bool = True,
        channels: Sequence[int] = (32, 64, 128),
        lateral_dim: int = 256,
        bins: Sequence[int] = (16, 8, 4, 2, 1),
        embedding_dim: int = 256,
        compact_dim: int = 256,
        dropout: float = 0.9,
    ) -> None:
        super().__init__()
        c1, c2, c3 = channels
        self.frame1 = ConvPair(in_channels=1, out_channels=c1, kernel_size=5)
        self.frame2 = ConvPair(in_channels=c1, out_channels=c2)
        self.frame3 = ConvPair(in_channels=c2, out_channels=c3)
        self.set2 = ConvPair(in_channels=c1, out_channels=c2)
        self.set3 = ConvPair(in_channels=c2, out_channels=c3)
        self.lateral = LateralPyramid(in_channels=channels, out_channels=lateral_dim)
        self.pyramid = HorizontalPyramidPooling(bins=bins)
        num_parts = 3 * self.pyramid.num_parts
        self.head = PartLinear(num_parts=num_parts, in_features=lateral_dim, out_features=embedding_dim)
        self.compact: CompactBlock | None = None
        if compact:
            if num_classes is None:
                raise ValueError("the compact block of GLN has a classifier; give num_classes, or compact=False")
            self.compact = CompactBlock(
                in_features=embedding_dim * num_parts,
                out_features=compact_dim,
                num_classes=num_classes,
                dropout=dropout,
            )
        initialise(self)

    def forward(self, silhouettes: Tensor, lengths: Tensor | None = None, *, logits: bool | None = None) -> Output:
        """Embed each sequence; see the class for shapes.

        The compact block, if there is one, works when training, and else only when logits are asked for.
        """
        x, time = as_maps(silhouettes, lengths)  # (frames, 1, h, w)
        h, w = x.shape[2:]
        if h % 4 or w % 4:
            raise ValueError(f"silhouettes of {h}×{w} cannot be halved twice; use 128×88 or 64×44")
        x = self.frame1(x)
        s1 = leaky_relu(time.max(x))  # (n, c1, h, w)
        x = self.frame2(leaky_relu_(F.max_pool2d(x, 2)))
        s2 = leaky_relu(time.max(x))  # (n, c2, h/2, w/2)
        x = self.frame3(leaky_relu_(F.max_pool2d(x, 2)))
        s3 = leaky_relu(time.max(x))  # (n, c3, h/4, w/4)
        u2 = leaky_relu(self.set2(F.max_pool2d(s1, 2))) + s2
        u3 = leaky_relu(self.set3(F.max_pool2d(u2, 2))) + s3
        merged = self.lateral(s1, torch.cat((s2, u2), 1), torch.cat((s3, u3), 1))
        embeddings = self.head(torch.cat([self.pyramid(x) for x in merged], 1))  # (n, p, d)
        if self.compact is None or not (self.training if logits is None else logits):
            return Output(embeddings)
        compact, normalised, scores = self.compact(embeddings)
        features = {"compact": compact, "compact_normalised": normalised}
        return Output(embeddings, logits=scores.unsqueeze(1), features=features)


class LateralPyramid(nn.Module):
    """Maps of three depths, merged from the deepest down and smoothed.

    Args:
        in_channels: Widths (c1, c2, c3) of the stages; the maps have twice as many channels, but the first, whose two
            branches are the same, is given once.
        out_channels: Width d of the merged maps.

    Shapes: `(n, c1, h, w)`, `(n, 2·c2, h/2, w/2)` and `(n, 2·c3, h/4, w/4)` to three maps of those sizes with d
    channels each.
    """

    def __init__(self, *, in_channels: Sequence[int], out_channels: int) -> None:
        super().__init__()
        self.lateral1, self.lateral2, self.lateral3 = (convolution2d(2 * c, out_channels, 1) for c in in_channels)
        self.smooth1, self.smooth2, self.smooth3 = (convolution2d(out_channels, out_channels) for _ in in_channels)

    def forward(self, x1: Tensor, x2: Tensor, x3: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Merge the maps; see the class for shapes."""
        m3 = self.lateral3(x3)
        m2 = F.interpolate(m3, scale_factor=2.0) + self.lateral2(x2)
        return self._largest(x1, m2), self.smooth2(m2), self.smooth3(m3)

    def _largest(self, x: Tensor, below: Tensor) -> Tensor:
        """What `smooth1(up(below) + lateral1(cat(x, x)))` is, from half the arithmetic.

        Nothing there but the sum has a bias or an activation, so the smoothing can be joined with the lateral layer,
        and with the enlargement of the map below to a transposed convolution.
        """
        smooth = self.smooth1.weight  # (d, d, 3, 3)
        lateral = torch.unflatten(self.lateral1.weight.flatten(1), 1, (2, -1)).sum(1)  # (d, c1)
        joined = torch.einsum("oihw,ic->ochw", smooth, lateral)
        enlarging = F.avg_pool2d(smooth.flip(2, 3), 2, stride=1, padding=1, divisor_override=1).transpose(0, 1)
        return F.conv2d(x, joined, padding=1) + F.conv_transpose2d(below, enlarging, stride=2, padding=1)


class CompactBlock(nn.Module):
    """Squeezes the embeddings of all parts into one short vector, with a classifier; for the second phase of training.

    Args:
        in_features: d·p.
        out_features: Width of the short vector.
        num_classes: Number of classes k.
        dropout: Share of the input that is dropped in training.

    Shapes: embeddings `(n, p, d)` to `(n, out_features)`, the same after batch normalisation, and class scores
    `(n, k)`. The d·p channels are ordered channel·p + part, as in the published checkpoints of today.
    """

    def __init__(self, *, in_features: int, out_features: int, num_classes: int, dropout: float) -> None:
        super().__init__()
        self.bn = _unshifted(in_features)
        self.dropout = nn.Dropout(dropout)
        self.reduce = nn.Linear(in_features, out_features, bias=False)
        self.reduced_bn = _unshifted(out_features)
        self.classifier = nn.Linear(out_features, num_classes, bias=False)

    def forward(self, embeddings: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the short vectors, these normalised, and their class scores; see the class for shapes."""
        x = self.bn(embeddings.transpose(1, 2).flatten(1))
        compact = self.reduce(F.relu(self.dropout(x)))
        normalised = self.reduced_bn(compact)
        return compact, normalised, self.classifier(normalised)


def _unshifted(num_features: int) -> nn.BatchNorm1d:
    """Batch normalisation whose bias is no weight to train: it stays at 0, or at what a checkpoint says."""
    layer = nn.BatchNorm1d(num_features)
    layer.bias.requires_grad_(False)
    return layer


def gln_phase1() -> GLN:
    """GLN in its first phase of training: 8.54M parameters."""
    return GLN(compact=False)


def gln_phase2(*, num_classes: int = 74) -> GLN:
    """GLN with the compact block, in its second phase of training: 14.70M parameters with 74 classes."""
    return GLN(num_classes=num_classes)


def published_names(model: GLN) -> dict[str, str]:
    """Names (or beginnings of names) in a published checkpoint of this model → here."""
    names = {"Head.fc_bin": "head.weight"}
    for i in (0, 1, 2):
        names |= {f"sil_stage_{i}.forward_block.{2 * j}.conv.": f"frame{i + 1}.conv{j + 1}." for j in (0, 1)}
        names |= {f"{layer}_layer{i + 1}.": f"lateral.{layer}{i + 1}." for layer in ("lateral", "smooth")}
    names |= {f"set_stage_{i}.{2 * j}.conv.": f"set{i + 1}.conv{j + 1}." for i in (1, 2) for j in (0, 1)}
    return names | {
        "encoder_bn.": "compact.bn.",
        "reduce_fc.": "compact.reduce.",
        "reduce_bn.": "compact.reduced_bn.",
        "reduce_cls.": "compact.classifier.",
    }
