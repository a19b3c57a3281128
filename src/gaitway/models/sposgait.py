"""SPOSGait: a supernet of 3-D convolution blocks, six to choose from in every searched layer, and the networks found.

"Gait Recognition in the Wild: A Large-scale Benchmark and NAS-based Baseline", Guo et al., TPAMI 2025,
arXiv 2205.02692; single-path one-shot search is arXiv 1904.00420.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gaitway.models.silhouettes import as_clips
from gaitway.nn import (
    BatchNorm3d,
    BatchNormNeck,
    Clips,
    GeneralisedMeanPooling,
    PartLinear,
    convolution3d,
    initialise,
    leaky_relu_,
)
from gaitway.types import Output

Variant = Literal["small", "medium", "large"]
Architecture = tuple[int, ...]
"""A path through the supernet: a block per layer."""

KERNELS: tuple[tuple[tuple[int, int, int], ...], ...] = (
    ((3, 3, 3),),
    ((3, 1, 3),),
    ((3, 3, 1),),
    ((3, 3, 1), (3, 1, 3)),
    ((3, 1, 3), (3, 3, 1)),
    ((3, 1, 1), (1, 3, 3)),
)
"""The convolutions of each block, one after the other: frames, rows, columns."""

ROWS = 16
"""Of the last map, for frames of 64 rows."""


@dataclass(frozen=True)
class SearchedLayer:
    """One entry of an architecture.

    Args:
        name: Stage and place in it, as in published files (`21` is the second layer of stage 2).
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        rectified: Whether its blocks end with a ReLU.
        num_choices: Blocks to choose from, the first ones; of a layer with one choice the others are never used.
    """

    name: str
    in_channels: int
    out_channels: int
    rectified: bool
    num_choices: int

    @property
    def stage(self) -> int:
        """Which stage it is in."""
        return int(self.name[0])


def searched_layers(variant: Variant, channels: Sequence[int]) -> tuple[SearchedLayer, ...]:
    """The layers of a variant in the order of an architecture.

    Args:
        variant: `small` (216 paths), `medium` (7,776) or `large` (1,679,616).
        channels: Widths: three for `small`, four for the others.

    Raises:
        ValueError: on another variant or another number of widths.
    """
    expected = {"small": 3, "medium": 4, "large": 4}.get(variant)
    if expected != len(channels):
        raise ValueError(
            f"SPOSGait {variant!r} with {len(channels)} channels {list(channels)}; expected small with 3, or medium or "
            "large with 4"
        )
    if variant == "small":
        first, second, third = channels
        return (
            SearchedLayer("00", 1, first, True, 1),
            SearchedLayer("20", first, second, True, 6),
            SearchedLayer("30", second, third, True, 6),
            SearchedLayer("40", third, third, True, 6),
        )
    layers = []
    double = (0, 1) if variant == "medium" else (0, 1, 2, 3, 4)
    widths = (1, *channels, channels[-1])
    for stage in range(5):
        before, width = widths[stage], widths[stage + 1]
        num_choices = 1 if stage == 0 else 6
        layers.append(SearchedLayer(f"{stage}0", before, width, True, num_choices))
        if stage in double:
            layers.append(SearchedLayer(f"{stage}1", width, width, False, num_choices))
    return tuple(layers)


class SearchedBlock(nn.Module):
    """One of the six blocks: one convolution or two, each with batch normalisation, a ReLU between them.

    Args:
        kind: Which block, 0 to 5.
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        rectified: Whether a ReLU follows.

    Shapes: `(n, in_channels, t, h, w)` to `(n, out_channels, t, h, w)`.
    """

    def __init__(self, *, kind: int, in_channels: int, out_channels: int, rectified: bool) -> None:
        super().__init__()
        kernels = KERNELS[kind]
        widths = (in_channels, *(out_channels,) * len(kernels))
        self.convolutions = nn.ModuleList(
            convolution3d(before, width, kernel)
            for before, width, kernel in zip(widths, widths[1:], kernels, strict=False)
        )
        self.norms = nn.ModuleList(BatchNorm3d(out_channels) for _ in kernels)
        self.rectified = rectified

    def forward(self, x: Tensor, clips: Clips) -> Tensor:
        """Convolve; what lies beyond the end of a sequence is 0 afterwards."""
        for i, (convolution, norm) in enumerate(zip(self.convolutions, self.norms, strict=True)):
            x = norm(convolution(x))
            if self.rectified or i + 1 < len(self.norms):
                x = F.relu_(x)
            x = clips.clear(x)
        return x


class SPOSGait(nn.Module):
    """Five stages (four in `small`) with a shortcut each, one frame made of three, generalised means of strips.

    Args:
        num_classes: Number of training subjects k.
        variant: `small`, `medium` or `large`: see `searched_layers`.
        channels: Widths of the stages.
        bins: Levels of the pyramid of strips.
        embedding_dim: Width of each part's embedding.
        bn_neck: Whether there is a classifier; a supernet that is trained by the triplet loss alone has none.
        architecture: Block of each layer; only these are built. None builds the supernet with all blocks.

    Shapes: silhouettes `(n, t, 64, w)`, or `(sum of lengths, 64, w)` with `lengths` `(n,)`, in [0, 1]; embeddings
    `(n, p, embedding_dim)` with a part per strip, logits `(n, p, k)`. Sequences of one or two frames are repeated; of
    others up to two frames at the end are left out.

    Attributes:
        path: The architecture that a supernet runs when it is given none: that of the last `begin_step`.

    Raises:
        ValueError: on an architecture that is not one of the space.
    """

    modalities: ClassVar[tuple[str, ...]] = ("silhouettes",)

    def __init__(
        self,
        *,
        num_classes: int,
        variant: Variant = "small",
        channels: Sequence[int] = (64, 128, 256),
        bins: Sequence[int] = (16,),
        embedding_dim: int = 256,
        bn_neck: bool = True,
        architecture: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        self.layers = searched_layers(variant, channels)
        self.architecture = None if architecture is None else self.checked(architecture)
        self.path = self.architecture
        self.blocks = nn.ModuleDict()  # by `layer/block`
        for place, layer in enumerate(self.layers):
            for kind in range(layer.num_choices) if self.architecture is None else [self.architecture[place]]:
                self.blocks[f"{layer.name}/{kind}"] = SearchedBlock(
                    kind=kind,
                    in_channels=layer.in_channels,
                    out_channels=layer.out_channels,
                    rectified=layer.rectified,
                )
        self.stages = sorted({layer.stage for layer in self.layers})
        self.shortcuts = nn.ModuleDict()
        for stage in self.stages:
            inside = [layer for layer in self.layers if layer.stage == stage]
            before, width = inside[0].in_channels, inside[-1].out_channels
            self.shortcuts[str(stage)] = nn.Sequential(convolution3d(before, width, (1, 1, 1)), BatchNorm3d(width))
        aggregated = next(layer.in_channels for layer in self.layers if layer.stage == 2)
        self.aggregation = convolution3d(aggregated, aggregated, (3, 1, 1), stride=(3, 1, 1), padding=(0, 0, 0))
        self.pooling = GeneralisedMeanPooling(levels=[[ROWS // num] * num for num in bins])
        self.head = PartLinear(num_parts=sum(bins), in_features=channels[-1], out_features=embedding_dim)
        self.neck = (
            BatchNormNeck(num_parts=sum(bins), in_features=embedding_dim, num_classes=num_classes) if bn_neck else None
        )
        initialise(self)

    @property
    def is_supernet(self) -> bool:
        """Whether it holds all paths, and each training step uses another one."""
        return self.architecture is None

    def block(self, layer: str, kind: int) -> SearchedBlock:
        """One of the blocks of a layer."""
        block = self.blocks[f"{layer}/{kind}"]
        assert isinstance(block, SearchedBlock)
        return block

    def checked(self, architecture: Sequence[int]) -> Architecture:
        """An architecture as a tuple.

        Raises:
            ValueError: when it is none of the space's.
        """
        return check_architecture(architecture, [layer.num_choices for layer in self.layers])

    def begin_step(self, step: int) -> None:
        """Draw the path of a training step (from 0): the same on all processes, and after a restart."""
        if self.is_supernet:
            self.path = path_of_step(step, [layer.num_choices for layer in self.layers])

    def forward(
        self,
        silhouettes: Tensor,
        lengths: Tensor | None = None,
        *,
        logits: bool | None = None,
        path: Sequence[int] | None = None,
    ) -> Output:
        """Embed each sequence; see the class for shapes.

        Args:
            silhouettes: See the class.
            lengths: Likewise.
            logits: Whether to compute them; None: when training.
            path: Block of each layer; None: `self.path`.
        """
        architecture = self.path if path is None else self.checked(path)
        if architecture is None:
            raise ValueError(
                "a supernet has no embeddings of its own, only its paths have: find a good one by `gaitway nas search "
                f"RUN`, and train it by `gaitway nas retrain RUN --architecture best`, or one of your own by a list of "
                f"{len(self.layers)} block numbers in the place of best"
            )
        choice = {layer.name: kind for layer, kind in zip(self.layers, architecture, strict=True)}
        x, clips = as_clips(silhouettes, lengths, at_least=3)
        for stage in self.stages:
            y = x
            for layer in self.layers:
                if layer.stage == stage:
                    y = self.block(layer.name, choice[layer.name])(y, clips)
            x = y + clips.clear(self.shortcuts[str(stage)](x))
            if stage < 2:
                x = F.relu_(x)
            if stage in (0, 2):
                x = _half_size(x)
            if stage + 1 == (2 if 1 in self.stages else 1):
                clips = clips.shortened(3)
                x = leaky_relu_(clips.clear(self.aggregation(x)))  # (n, c, t/3, h, w)
        embeddings = self.head(self.pooling(clips.max(x)))  # (n, p, d)
        wanted = self.training if logits is None else logits
        if self.neck is None or not wanted:
            return Output(embeddings)
        return Output(embeddings, logits=self.neck(embeddings)[1])


def check_architecture(architecture: Sequence[int], num_choices: Sequence[int]) -> Architecture:
    """An architecture as a tuple, checked against the number of blocks that each layer has to choose from.

    Raises:
        ValueError: on another length, or on a block that is not there.
    """
    found = tuple(int(kind) for kind in architecture)
    if len(found) != len(num_choices):
        raise ValueError(
            f"the architecture {list(found)} has {len(found)} entries, the search space {len(num_choices)} layers; "
            "give one block number per layer"
        )
    for place, (kind, count) in enumerate(zip(found, num_choices, strict=True)):
        if not 0 <= kind < count:
            raise ValueError(
                f"the architecture {list(found)} has block {kind} in layer {place} (from 0), which has "
                f"{'only block 0' if count == 1 else f'blocks 0 to {count - 1}'}"
            )
    return found


def path_of_step(step: int, num_choices: Sequence[int]) -> Architecture:
    """The path that a supernet trains in a step, uniform over all paths and a function of the step alone."""
    generator = random.Random(step)
    return tuple(generator.randint(0, count - 1) for count in num_choices)


def _half_size(x: Tensor) -> Tensor:
    n, t = len(x), x.shape[2]
    # as frames, which 2-D pooling takes as they lie in memory; the backward pass of 3-D pooling copies them
    frames = F.max_pool2d(x.transpose(1, 2).flatten(0, 1), 2)
    return torch.unflatten(frames, 0, (n, t)).transpose(1, 2)


SMALL_GREW: Architecture = (0, 5, 5, 4)
SMALL_CASIAB: Architecture = (0, 5, 0, 1)
MEDIUM_GREW: Architecture = (0, 0, 4, 3, 0, 3, 0)
LARGE_GREW: Architecture = (0, 0, 4, 5, 2, 0, 4, 3, 4, 3)
LARGE_GREW_TWO_LOSSES: Architecture = (0, 0, 3, 0, 5, 4, 4, 1, 3, 4)


def sposgait_small_grew(*, num_classes: int = 20000) -> SPOSGait:
    """The small network found on GREW: 3.21M parameters without the classifier."""
    return SPOSGait(num_classes=num_classes, architecture=SMALL_GREW)


def sposgait_small_casiab(*, num_classes: int = 74) -> SPOSGait:
    """The small network found on CASIA-B: 3.52M parameters without the classifier, 3.83M with 74 classes."""
    return SPOSGait(num_classes=num_classes, channels=(96, 192, 256), architecture=SMALL_CASIAB)


def sposgait_medium_grew(*, num_classes: int = 20000) -> SPOSGait:
    """The medium network found on GREW: 20.75M parameters without the classifier."""
    return _with_pyramid(num_classes, "medium", MEDIUM_GREW)


def sposgait_large_grew(*, num_classes: int = 20000) -> SPOSGait:
    """The large network found on GREW: 28.91M parameters without the classifier."""
    return _with_pyramid(num_classes, "large", LARGE_GREW)


def sposgait_large_grew_two_losses(*, num_classes: int = 20000) -> SPOSGait:
    """The large network found on GREW with a supernet of two losses: 26.60M parameters without the classifier."""
    return _with_pyramid(num_classes, "large", LARGE_GREW_TWO_LOSSES)


def sposgait_large_oumvlp(*, num_classes: int = 5153) -> SPOSGait:
    """The large network as trained on OUMVLP: 22.88M parameters without the classifier."""
    return SPOSGait(num_classes=num_classes, variant="large", channels=(64, 128, 256, 512), architecture=LARGE_GREW)


def sposgait_large_gait3d(*, num_classes: int = 3000) -> SPOSGait:
    """The large network as trained on Gait3D: 24.97M parameters without the classifier."""
    return SPOSGait(num_classes=num_classes, variant="large", channels=(128, 256, 256, 512), architecture=LARGE_GREW)


def _with_pyramid(num_classes: int, variant: Variant, architecture: Architecture) -> SPOSGait:
    """The widths and parts of GREW's larger networks."""
    return SPOSGait(
        num_classes=num_classes,
        variant=variant,
        channels=(64, 128, 256, 512),
        bins=(16, 8, 4, 2, 1),
        embedding_dim=512,
        architecture=architecture,
    )


def published_names(model: SPOSGait) -> dict[str, str]:
    """Names (or beginnings of names) in a published checkpoint of this model → here."""
    names = {"LTA.0.conv3d.": "aggregation.", "HPP.p": "pooling.exponent", "Head0.fc_bin": "head.weight"}
    for block in model.blocks:
        layer, kind = block.split("/")
        for i in range(len(KERNELS[int(kind)])):
            theirs, ours = f"conv3d_{layer}.{kind}", f"blocks.{block}"
            names[f"{theirs}.{3 * i}.conv3d."] = f"{ours}.convolutions.{i}."
            names[f"{theirs}.{3 * i + 1}."] = f"{ours}.norms.{i}."
    names |= {f"downsample{stage}.": f"shortcuts.{stage}." for stage in model.stages}
    if model.neck is not None:
        names |= {"BNNecks.fc_bin": "neck.classifier.weight", "BNNecks.bn1d.": "neck.bn."}
    return names
