"""GaitSet: a walk as an unordered set of silhouettes.

"GaitSet: Regarding Gait as a Set for Cross-View Gait Recognition", Chao, He, Zhang and Feng, AAAI 2019,
arXiv 1811.06186.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from gaitway.models.silhouettes import as_maps
from gaitway.nn import ConvPair, HorizontalPyramidPooling, PartLinear, initialise, leaky_relu, leaky_relu_
from gaitway.types import Output


class GaitSet(nn.Module):
    """Frame-wise convolutions, maxima over the set at three depths, and a second branch that works on the maxima.

    Args:
        channels: Widths of the three stages: 32 64 128 on CASIA-B, 64 128 256 on OUMVLP and GREW.
        bins: Levels of the horizontal pyramid; there are twice their sum of parts, first those of the set branch,
            then those of the global branch.
        embedding_dim: Width d of each part's embedding.

    Shapes: silhouettes `(n, t, h, w)`, or `(sum of lengths, h, w)` with `lengths` `(n,)`, in [0, 1];
    embeddings `(n, 62, 256)` with the defaults. Height and width must be divisible by 4, and h·w/16 by every bin.
    """

    modalities: ClassVar[tuple[str, ...]] = ("silhouettes",)

    def __init__(
        self,
        *,
        channels: Sequence[int] = (32, 64, 128),
        bins: Sequence[int] = (16, 8, 4, 2, 1),
        embedding_dim: int = 256,
    ) -> None:
        super().__init__()
        c1, c2, c3 = channels
        self.set1 = ConvPair(in_channels=1, out_channels=c1, kernel_size=5, pool=True)
        self.set2 = ConvPair(in_channels=c1, out_channels=c2, pool=True)
        self.set3 = ConvPair(in_channels=c2, out_channels=c3)
        self.global2 = ConvPair(in_channels=c1, out_channels=c2, pool=True)
        self.global3 = ConvPair(in_channels=c2, out_channels=c3)
        self.pyramid = HorizontalPyramidPooling(bins=bins)
        self.head = PartLinear(num_parts=2 * self.pyramid.num_parts, in_features=c3, out_features=embedding_dim)
        initialise(self)

    def forward(self, silhouettes: Tensor, lengths: Tensor | None = None, *, logits: bool | None = None) -> Output:
        """Embed each sequence; see the class for shapes. There is no classifier, `logits` changes nothing."""
        x, time = as_maps(silhouettes, lengths)  # (frames, 1, h, w)
        x = leaky_relu_(self.set1(x))
        whole = leaky_relu(self.global2(time.max(x)))
        x = leaky_relu_(self.set2(x))
        whole = leaky_relu(self.global3(whole + time.max(x)))
        set_map = leaky_relu(time.max(self.set3(x)))  # (n, c3, h/4, w/4)
        parts = torch.cat((self.pyramid(set_map), self.pyramid(whole + set_map)), 1)  # (n, p, c3)
        return Output(self.head(parts))


def gaitset_casiab() -> GaitSet:
    """GaitSet as trained on CASIA-B: 2.59M parameters."""
    return GaitSet(channels=(32, 64, 128))


def gaitset_oumvlp() -> GaitSet:
    """GaitSet as trained on OUMVLP and GREW: 6.31M parameters."""
    return GaitSet(channels=(64, 128, 256))


def published_names(model: GaitSet) -> dict[str, str]:
    """Names (or beginnings of names) in a published checkpoint of this model → here."""
    names = {"Head.fc_bin": "head.weight"}
    names |= {f"set_block{i}.forward_block.{2 * j}.conv.": f"set{i}.conv{j + 1}." for i in (1, 2, 3) for j in (0, 1)}
    names |= {f"gl_block{i}.{2 * j}.conv.": f"global{i}.conv{j + 1}." for i in (2, 3) for j in (0, 1)}
    return names
