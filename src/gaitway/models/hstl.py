"""HSTL: 3-D convolutions of ever finer horizontal regions of the body, each with its own kernels.

"Hierarchical Spatio-Temporal Representation Learning for Gait Recognition", Wang, Liu, Liang and Wang, ICCV 2023,
arXiv 2307.09856.

There are published variants for CASIA-B, OUMVLP and Gait3D. The paper reports GREW too, but nothing that is public
says into which regions it cuts the body there, so there is no variant for it: train one of the other two large ones.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import ClassVar, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gaitway.models.silhouettes import as_clips
from gaitway.nn import (
    Clips,
    GeneralisedMeanPooling,
    PartLinear,
    convolution3d,
    initialise,
    leaky_relu_,
)
from gaitway.types import Output

CHANNELS_LARGE = ((32, 32), (64, 64), (128, 128), (256, 256))
HEIGHTS_CASIAB = ((64,), (40, 24), (8, 32, 16, 8))
HEIGHTS_OUMVLP = ((64,), (4, 24, 4), (4, 4, 12, 8, 4), (4, 4, 12, 4, 4, 4))
HEIGHTS_GAIT3D = ((64,), (20, 12), (4, 16, 8, 4), (4, 4, 12, 8, 4))


class RegionalConvolutions(nn.Module):
    """3×3×3 convolutions of horizontal regions, each with kernels and zero padding of its own (ARME).

    No region sees another. There is a convolution per region, not a grouped one per height: a region's maps and
    kernels are large, and regions of equal height as groups took 1.0 to 1.3 times as long in float32 and 0.9 to 1.5
    times in bf16 (one core, two clips; the more channels, the longer).

    Args:
        in_channels: Channels of the input.
        channels: Output channels of the convolutions, one after the other; each is followed by a leaky ReLU.
        heights: Rows of the regions, from top to bottom.

    Shapes: `(n, in_channels, t, h, w)` to `(n, channels[-1], t, h, w)`, h being the sum of `heights`.
    """

    def __init__(self, *, in_channels: int, channels: Sequence[int], heights: Sequence[int]) -> None:
        super().__init__()
        self.heights = list(heights)
        widths = (in_channels, *channels)
        self.regions = nn.ModuleList(
            nn.ModuleList(convolution3d(before, after) for before, after in pairwise(widths)) for _ in heights
        )

    def forward(self, x: Tensor, clips: Clips) -> Tensor:
        """Convolve every region; see the class for shapes. What is beyond the end of a clip must be 0, and is again."""
        done = []
        for rows, convolutions in zip(torch.split(x, self.heights, 3), self.regions, strict=True):
            for convolution in cast(nn.ModuleList, convolutions):
                rows = clips.clear(leaky_relu_(convolution(rows)))
            done.append(rows)
        return torch.cat(done, 3) if len(done) > 1 else done[0]


class FrameAggregation(nn.Module):
    """One frame of three: a mixture of the maxima over three and over five frames (FTA).

    Frame k is `s·a + (1 - s)·b`, with a the maximum over frames 3k to 3k+2 and b over 3k-1 to 3k+3 as far as the clip
    has them. For each region, channel and frame, s comes from a softmax of two linear maps of the mean of a + b.

    Args:
        channels: Channels c of input and output.
        heights: Rows of the regions, from top to bottom.

    Shapes: `(n, c, t, h, w)` to `(n, c, t // 3, h, w)`, t at least 3.
    """

    def __init__(self, *, channels: int, heights: Sequence[int]) -> None:
        super().__init__()
        num_regions = len(heights)
        self.weight = nn.Parameter(torch.empty(num_regions, 2, channels, channels))  # (region, a or b, out, in)
        self.bias = nn.Parameter(torch.zeros(num_regions, 2, channels))
        bound = math.sqrt(3 / channels)  # Xavier
        nn.init.uniform_(self.weight, -bound, bound)
        region = np.repeat(np.arange(num_regions), heights)  # in numpy: it is quick for meta models too
        self.register_buffer("_heights", torch.tensor(heights), persistent=False)
        self.register_buffer("_region", torch.tensor(region), persistent=False)
        self.register_buffer("_members", torch.tensor(np.eye(num_regions, dtype=np.float32)[region]), persistent=False)

    _heights: Tensor  # (r,)
    _region: Tensor  # (h,), the region of each row
    _members: Tensor  # (h, r), 1 where the row belongs to the region

    def forward(self, x: Tensor, clips: Clips) -> Tensor:
        """Aggregate the frames; see the class for shapes. What is beyond the end of a clip is 0 afterwards."""
        shortened = clips.shortened(3)
        x = clips.fill(x, -torch.inf)
        # channels-last, chains of `torch.maximum` take as long, with the backward pass five to eight times as long
        three = shortened.clear(_max_pool(x, (3, 1, 1), stride=(3, 1, 1)))  # (n, c, t/3, h, w)
        five = shortened.clear(_max_pool(x, (5, 1, 1), stride=(3, 1, 1), padding=(1, 0, 0)))

        means = (three + five).mean(4) @ self._members / self._heights  # (n, c, t/3, r)
        weight, bias = (pair[:, 0] - pair[:, 1] for pair in (self.weight, self.bias))  # all that a softmax of two needs
        score = means.permute(3, 0, 2, 1).flatten(1, 2) @ weight.transpose(1, 2) + bias[:, None]  # (r, n·t/3, c)
        share = torch.unflatten(score.sigmoid().to(x.dtype), 1, (len(x), -1))[self._region]  # (h, n, t/3, c)
        mixed = torch.lerp(five, three, share.permute(1, 3, 2, 0).unsqueeze(4))
        return shortened.clear(mixed)


class HSTL(nn.Module):
    """Levels of regional convolutions from coarse to fine; each is pooled to one part per region, the last also by row.

    After the first level the maps may be halved; after the second one frame is made of three, and the outcome pooled
    once more. A pooling (ASTP) is the maximum over time, a projection to the width of the last level, and a generalised
    mean over the region.

    Args:
        num_classes: Number of training subjects k.
        channels: Per level the output channels of its convolutions.
        heights: Per level the rows of its regions, from top to bottom.
        pool: Halve height and width after the first level.

    Shapes: silhouettes `(n, t, h, w)`, or `(sum of lengths, h, w)` with `lengths` `(n,)`, in [0, 1], h being the sum
    of each level's heights (twice that sum for later levels with `pool`); with the defaults h is 64, embeddings are
    `(n, 73, 128)`, logits `(n, 73, k)`. Sequences of one or two frames are repeated.

    Raises:
        ValueError: when there are no two levels, or the heights of a level do not add up to those of the maps.
    """

    modalities: ClassVar[tuple[str, ...]] = ("silhouettes",)

    def __init__(
        self,
        *,
        num_classes: int,
        channels: Sequence[Sequence[int]] = ((32,), (32, 64), (128, 128)),
        heights: Sequence[Sequence[int]] = HEIGHTS_CASIAB,
        pool: bool = False,
    ) -> None:
        super().__init__()
        _check(channels, heights, pool)
        self.height, self.pool = sum(heights[0]), pool
        widths = [level[-1] for level in channels]
        dim = widths[-1]
        self.levels = nn.ModuleList(
            RegionalConvolutions(in_channels=before, channels=level, heights=regions)
            for before, level, regions in zip((1, *widths), channels, heights, strict=False)
        )
        self.aggregation = FrameAggregation(channels=widths[1], heights=heights[1])
        # in the order of the parts: level 1, level 2, level 2 aggregated, level 3 ..., rows
        pooled = list(zip(widths, heights, strict=True))
        pooled.insert(2, pooled[1])
        *others, (_, finest) = pooled
        self.poolings = nn.ModuleList(
            nn.Sequential(nn.Conv2d(width, dim, 1, bias=False), GeneralisedMeanPooling(levels=[regions], shared=False))
            for width, regions in others
        )
        self.poolings.append(GeneralisedMeanPooling(levels=[finest], shared=False))
        self.poolings.append(GeneralisedMeanPooling(levels=[[1] * sum(finest)]))
        num_parts = sum(len(regions) for _, regions in pooled) + sum(finest)
        self.head = PartLinear(num_parts=num_parts, in_features=dim, out_features=dim)
        self.bn = nn.BatchNorm1d(dim)
        self.classifier = PartLinear(num_parts=num_parts, in_features=dim, out_features=num_classes)
        initialise(self)

    def forward(self, silhouettes: Tensor, lengths: Tensor | None = None, *, logits: bool | None = None) -> Output:
        """Embed each sequence; see the class for shapes.

        Logits are computed when training, and else only when asked for: the classifier is most of a large model and
        no evaluation uses it.
        """
        x, clips = as_clips(silhouettes, lengths, at_least=3)
        if x.shape[3] != self.height:
            raise ValueError(
                f"silhouettes of {x.shape[3]} rows, but the regions of this HSTL add up to {self.height}; give it "
                f"frames of {self.height} rows"
            )
        first, second, *finer = self.levels
        x = first(x, clips)
        maxima = [clips.max(x)]  # over time, (n, c, h, w)
        if self.pool:
            x = _max_pool(x, (1, 2, 2), stride=(1, 2, 2))
        x = second(x, clips)
        maxima.append(clips.max(x))
        x = self.aggregation(x, clips)
        clips = clips.shortened(3)
        maxima.append(clips.max(x))
        for level in finer:
            x = level(x, clips)
            maxima.append(clips.max(x))
        maxima.append(maxima[-1])  # of which the rows are pooled too
        parts = torch.cat([pooling(x) for pooling, x in zip(self.poolings, maxima, strict=True)], 1)  # (n, p, d)
        y = self.head(parts)
        embeddings = torch.unflatten(self.bn(y.flatten(0, 1)), 0, y.shape[:2])  # one batch norm for all parts
        wanted = self.training if logits is None else logits
        return Output(embeddings, logits=self.classifier(embeddings) if wanted else None)


def _max_pool(
    x: Tensor, size: tuple[int, int, int], *, stride: tuple[int, int, int], padding: tuple[int, int, int] = (0, 0, 0)
) -> Tensor:
    with torch.autocast("cpu", enabled=False):  # which would only turn the map into float32 for it
        return F.max_pool3d(x, size, stride, padding)


def _check(channels: Sequence[Sequence[int]], heights: Sequence[Sequence[int]], pool: bool) -> None:
    if len(channels) != len(heights) or len(heights) < 2:
        raise ValueError(
            f"channels for {len(channels)} levels and heights for {len(heights)}; give both for the same levels, at "
            "least two"
        )
    for number, regions in enumerate(heights[1:], 2):
        rows = sum(heights[0]) // (2 if pool else 1)
        if sum(regions) != rows:
            raise ValueError(
                f"the heights {list(regions)} of level {number} add up to {sum(regions)}, but its maps have {rows} rows"
            )


def hstl_casiab(*, num_classes: int = 74) -> HSTL:
    """HSTL as trained on CASIA-B: 4.75M parameters with 74 classes, 4.05M without them."""
    return HSTL(num_classes=num_classes)


def hstl_oumvlp(*, num_classes: int = 5153) -> HSTL:
    """HSTL as trained on OUMVLP: 89.10M parameters with 5153 classes, 23.15M without them."""
    return HSTL(num_classes=num_classes, channels=CHANNELS_LARGE, heights=HEIGHTS_OUMVLP, pool=True)


def hstl_gait3d(*, num_classes: int = 3000) -> HSTL:
    """HSTL as trained on Gait3D: 54.72M parameters with 3000 classes, 19.39M without them."""
    return HSTL(num_classes=num_classes, channels=CHANNELS_LARGE, heights=HEIGHTS_GAIT3D, pool=True)


def published_names(model: HSTL) -> dict[str, str]:
    """Names (or beginnings of names) in a published checkpoint of this model → here.

    What the published code stores per region and here is one tensor has a `*` in place of the region.
    """
    names = {}
    for number, level in enumerate(model.levels, 1):
        assert isinstance(level, RegionalConvolutions)
        for region, convolutions in enumerate(level.regions):
            for i in range(len(cast(nn.ModuleList, convolutions))):
                # the first level has no regions, and its list counts activations too
                theirs = f"arme{number}.{i}.conv3d.{region}" if number > 1 else f"arme{number}.{2 * i}"
                names[f"{theirs}.conv3d."] = f"levels.{number - 1}.regions.{region}.{i}."
    numbers = range(1, len(model.levels) + 1)
    poolings = [f"astp{number}" + fta for number in numbers for fta in (("", "_fta") if number == 2 else ("",))]
    for i, theirs in enumerate(poolings[:-1]):
        names |= {f"{theirs}.proj.conv.": f"poolings.{i}.0.", f"{theirs}.hpp.*.p": f"poolings.{i}.1.exponent"}
    last = len(poolings) - 1
    names |= {f"{poolings[-1]}.hpp.*.p": f"poolings.{last}.exponent", "HPP.p": f"poolings.{last + 1}.exponent"}
    names |= {f"fta.mma.*.fcs.*.{what}": f"aggregation.{what}" for what in ("weight", "bias")}
    return names | {"Head0.fc_bin": "head.weight", "Bn.": "bn.", "Head1.fc_bin": "classifier.weight"}
