"""DyGait: convolutions of what moves, each frame's deviation from the mean of its sequence, beside plain ones.

"DyGait: Exploiting Dynamic Representations for High-performance Gait Recognition", Wang et al., ICCV 2023,
arXiv 2303.14953.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gaitway.models.silhouettes import as_clips
from gaitway.nn import (
    BatchNormNeck,
    Clips,
    GeneralisedMeanPooling,
    PartLinear,
    conv3d,
    convolution2d,
    convolution3d,
    initialise,
    leaky_relu_,
)
from gaitway.types import Output

Shortcut = Literal["projection", "projection_bn", "identity"]
Layout = Literal["deep", "shallow"]
NUM_WIDTHS = {"deep": 4, "shallow": 3}


class DynamicConvolution(nn.Module):
    """`relu(general(x)) + relu(dynamic(x - mean over time) + static(x))`, all three of them convolutions.

    Convolutions are linear, so the second term is one convolution of x with the sum of both kernels, less
    `dynamic(mean)`: a map that is the same for all frames but the first and the last, where the kernel reaches beyond
    the sequence, and needs 2-D convolutions only.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        static_frames: Frames that the kernel of `static` spans, 1 or 3; the other kernels are 3×3×3.

    Shapes: `(n, in_channels, t, h, w)` to `(n, out_channels, t, h, w)`.
    """

    def __init__(self, *, in_channels: int, out_channels: int, static_frames: int) -> None:
        super().__init__()
        self.general = convolution3d(in_channels, out_channels)
        self.dynamic = convolution3d(in_channels, out_channels)
        self.static = convolution3d(in_channels, out_channels, (static_frames, 3, 3))

    def forward(self, x: Tensor, clips: Clips) -> Tensor:
        """Convolve clips, which must be 0 beyond the end of their sequences; see the class for shapes."""
        static = self.static.weight
        if static.shape[2] == 1:
            static = F.pad(static, (0, 0, 0, 0, 1, 1))
        moving = conv3d(x, self.dynamic.weight + static)
        moving = F.relu_(moving.sub_(self._dynamic_of_the_mean(x, clips)))
        return clips.clear(F.relu_(self.general(x)) + moving)

    def _dynamic_of_the_mean(self, x: Tensor, clips: Clips) -> Tensor:
        mean = clips.mean(x).squeeze(2)  # (n, c, h, w)
        before, at, after = self.dynamic.weight.unbind(2)
        kernels = torch.cat((at + after, before + at + after, before + at))  # at the first frame, inside, at the last
        maps = torch.unflatten(F.conv2d(mean, kernels, padding=1), 1, (3, -1))  # (n, 3, c', h, w)
        n, _, c, h, w = maps.shape
        rows = _positions(clips, maps) @ maps.permute(0, 1, 3, 4, 2).flatten(2)  # (n, t, h·w·c')
        return rows.view(n, -1, h, w, c).movedim(4, 1)  # (n, c', t, h, w)


def _positions(clips: Clips, like: Tensor) -> Tensor:
    """Which of three maps holds for which frame, `(n or 1, t, 3)`: that at the first frame, inside, at the last.

    For a frame that is both first and last, it is their sum less that inside.
    """
    frame = torch.arange(clips.num_frames, device=like.device)
    num_frames = clips.num_frames if clips.lengths is None else clips.lengths[:, None]
    last = (frame == num_frames - 1).expand(like.shape[0], -1).to(like.dtype)
    first = (frame == 0).to(like.dtype).expand_as(last)
    return torch.stack((first, 1 - first - last, last), 2)


class DynamicAugmentation(nn.Module):
    """Two dynamic convolutions with a shortcut (the paper's Dynamic Augmentation Module, DAM).

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        shortcut: `projection` is a 1×1×1 convolution of the input, `projection_bn` one with batch normalisation;
            `identity` the input itself where its channels are as many as the output's or one, and nothing elsewhere.

    Shapes: `(n, in_channels, t, h, w)` to `(n, out_channels, t, h, w)`, with the time axis as it was.
    """

    def __init__(self, *, in_channels: int, out_channels: int, shortcut: Shortcut) -> None:
        super().__init__()
        self.first = DynamicConvolution(in_channels=in_channels, out_channels=out_channels, static_frames=1)
        self.second = DynamicConvolution(in_channels=out_channels, out_channels=out_channels, static_frames=3)
        self.adds_input = shortcut == "identity" and in_channels in (1, out_channels)
        self.projection: nn.Sequential | None = None
        if shortcut != "identity":
            self.projection = nn.Sequential(convolution2d(in_channels, out_channels, 1))
            if shortcut == "projection_bn":
                self.projection.append(nn.BatchNorm2d(out_channels))

    def forward(self, x: Tensor, clips: Clips) -> tuple[Tensor, Clips]:
        """Apply the block to clips and return their time axis too; see the class for shapes."""
        y = self.second(self.first(x, clips), clips)
        if self.projection is not None:
            y = y + clips.frame_wise(self.projection, x)
        elif self.adds_input:
            y = y + x
        return y, clips


class Convolution(nn.Module):
    """A 3×3×3 convolution and a leaky ReLU: `(n, in_channels, t, h, w)` to `(n, out_channels, t, h, w)`."""

    def __init__(self, *, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.convolution = convolution3d(in_channels, out_channels)

    def forward(self, x: Tensor, clips: Clips) -> tuple[Tensor, Clips]:
        """Convolve clips and return their time axis too; see the class for shapes."""
        return leaky_relu_(clips.clear(self.convolution(x))), clips


class TemporalAggregation(nn.Module):
    """One frame of every three by a convolution, and a leaky ReLU: `(n, c, t, h, w)` to `(n, c, t/3, h, w)`."""

    def __init__(self, *, channels: int) -> None:
        super().__init__()
        self.convolution = convolution3d(channels, channels, (3, 1, 1), stride=(3, 1, 1), padding=(0, 0, 0))

    def forward(self, x: Tensor, clips: Clips) -> tuple[Tensor, Clips]:
        """Convolve clips and return their new time axis too; see the class for shapes."""
        clips = clips.shortened(3)
        return leaky_relu_(clips.clear(self.convolution(x))), clips


class SpatialPooling(nn.Module):
    """Maxima of 2×2 pixels: `(n, c, t, h, w)` to `(n, c, t, h/2, w/2)`."""

    def forward(self, x: Tensor, clips: Clips) -> tuple[Tensor, Clips]:
        """Pool clips and return their time axis too; see the class for shapes."""
        return F.max_pool3d(x, (1, 2, 2)), clips


class DyGait(nn.Module):
    """Dynamic augmentation modules, a convolution that makes one frame of three, maximum over time, horizontal parts.

    The released network cannot run: each block adds its input to its output, whose channels are others. `shortcut`
    says what is done instead. `projection` is what fits the cost that was published for the model, and is for training;
    `identity` holds exactly the released tensors.

    Args:
        num_classes: Number of training subjects k.
        channels: Widths of the blocks: 32 64 128 256 on OUMVLP, 64 128 256 512 on GREW and Gait3D; the last one is the
            width d of each part's embedding. The shallow layout has a stem and two widths, 32 64 128.
        bins: Numbers of horizontal strips, level after level.
        frame_height: Rows of the frames; the last map has a quarter of them, with the shallow layout half.
        layout: `deep` has five blocks and pools twice. `shallow` is for CASIA-B, a stem and three blocks as in GaitGL;
            its order is inferred, since none was released.
        shortcut: Of every block (`DynamicAugmentation`).

    Shapes: silhouettes `(n, t, h, w)`, or `(sum of lengths, h, w)` with `lengths` `(n,)`, in [0, 1], h as
    `frame_height` says; embeddings `(n, 31, 256)` and logits `(n, 31, k)` with the defaults. The embeddings are those
    before the neck. Sequences of one or two frames are repeated.

    Raises:
        ValueError: when the number of widths is not the layout's, or the last map can't be cut into the strips.
    """

    modalities: ClassVar[tuple[str, ...]] = ("silhouettes",)

    def __init__(
        self,
        *,
        num_classes: int,
        channels: Sequence[int] = (32, 64, 128, 256),
        bins: Sequence[int] = (16, 8, 4, 2, 1),
        frame_height: int = 64,
        layout: Layout = "deep",
        shortcut: Shortcut = "projection",
    ) -> None:
        super().__init__()
        if len(channels) != NUM_WIDTHS[layout]:
            raise ValueError(f"the {layout} layout has {NUM_WIDTHS[layout]} widths, but channels are {list(channels)}")
        self.bins = tuple(bins)
        self.frame_height = frame_height
        self.layout = layout
        num_rows, odd = divmod(frame_height, 4 if layout == "deep" else 2)
        if odd or any(num_rows % num for num in bins):
            raise ValueError(
                f"frames of {frame_height} rows give a last map of {num_rows}, which cannot be cut into {list(bins)} "
                "equal strips; use other bins, or taller frames (32 bins need 128×88 with the deep layout)"
            )

        def block(in_channels: int, out_channels: int) -> DynamicAugmentation:
            return DynamicAugmentation(in_channels=in_channels, out_channels=out_channels, shortcut=shortcut)

        c1, c2, c3, *c4 = channels
        stages: list[nn.Module]
        if layout == "deep":
            stages = [block(1, c1), SpatialPooling(), block(c1, c2), TemporalAggregation(channels=c2), block(c2, c3)]
            stages += [SpatialPooling(), block(c3, *c4), block(*c4, *c4)]
        else:
            stages = [Convolution(in_channels=1, out_channels=c1), TemporalAggregation(channels=c1), block(c1, c2)]
            stages += [SpatialPooling(), block(c2, c3), block(c3, c3)]
        self.stages = nn.ModuleList(stages)
        self.pooling = GeneralisedMeanPooling(levels=[[num_rows // num] * num for num in bins])
        num_parts, width = self.pooling.num_parts, channels[-1]
        self.head = PartLinear(num_parts=num_parts, in_features=width, out_features=width)
        self.neck = BatchNormNeck(num_parts=num_parts, in_features=width, num_classes=num_classes)
        initialise(self)

    def forward(self, silhouettes: Tensor, lengths: Tensor | None = None, *, logits: bool | None = None) -> Output:
        """Embed each sequence; see the class for shapes.

        Logits are computed when training, and else only when asked for: the classifier is most of a large model and
        no evaluation uses it.
        """
        x, clips = as_clips(silhouettes, lengths, at_least=3)
        if x.shape[3] != self.frame_height:
            raise ValueError(
                f"silhouettes of {x.shape[3]}×{x.shape[4]}, but this DyGait is made for frames of {self.frame_height} "
                "rows; use a store or a transform that gives those, or another variant of the model"
            )
        for stage in self.stages:
            x, clips = stage(x, clips)
        embeddings = self.head(self.pooling(clips.max(x)))  # (n, p, d)
        if not (self.training if logits is None else logits):
            return Output(embeddings)
        return Output(embeddings, logits=self.neck(embeddings)[1])


def dygait_grew(*, num_classes: int = 20000, shortcut: Shortcut = "projection") -> DyGait:
    """DyGait as trained on GREW, 64×44: 402.87M parameters with 20000 classes, 402.44M without projections."""
    return DyGait(num_classes=num_classes, channels=(64, 128, 256, 512), shortcut=shortcut)


def dygait_gait3d(*, num_classes: int = 3000, shortcut: Shortcut = "projection") -> DyGait:
    """DyGait as released for Gait3D, 128×88: 134.85M parameters with 3000 classes, 134.41M without projections."""
    return DyGait(
        num_classes=num_classes, channels=(64, 128, 256, 512), bins=(32,), frame_height=128, shortcut=shortcut
    )


def dygait_oumvlp(*, num_classes: int = 5153, shortcut: Shortcut = "projection") -> DyGait:
    """DyGait as once configured for OUMVLP, 64×44: 62.26M parameters with 5153 classes, 62.15M without projections."""
    return DyGait(num_classes=num_classes, channels=(32, 64, 128, 256), shortcut=shortcut)


def dygait_casiab(*, num_classes: int = 74, shortcut: Shortcut = "projection") -> DyGait:
    """DyGait on CASIA-B as inferred, 64×44: 5.53M parameters with 74 classes, 5.50M without projections."""
    return DyGait(num_classes=num_classes, channels=(32, 64, 128), bins=(32,), layout="shallow", shortcut=shortcut)


def published_names(model: DyGait) -> dict[str, str]:
    """Names (or beginnings of names) in a published checkpoint of this model → here; it has no projections."""
    stages = {
        "deep": {"conv3d0": 0, "conv3d1": 2, "conv3d2": 4, "conv3d3": 6, "conv3d4": 7},
        "shallow": {"GLConvA0": 2, "GLConvA1": 4, "GLConvB2": 5},
    }[model.layout]
    kinds = {"g": "general", "d": "dynamic", "s": "static"}
    names = {
        f"{stage}.conv{i}{kind}.": f"stages.{position}.{which}.{kinds[kind]}."
        for stage, position in stages.items()
        for i, which in ((1, "first"), (2, "second"))
        for kind in kinds
    }
    if model.layout == "shallow":
        names["conv3d.0.conv3d."] = "stages.0.convolution."
    names["LTA.0.conv3d."] = f"stages.{3 if model.layout == 'deep' else 1}.convolution."
    return names | {
        "HPP.p": "pooling.exponent",
        "Head0.fc_bin": "head.weight",
        "BNNecks.fc_bin": "neck.classifier.weight",
        "BNNecks.bn1d.": "neck.bn.",
    }
