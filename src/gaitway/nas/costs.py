"""What a path through SPOSGait's search space costs, counted without building it.

Every layer adds what its block costs, so a table of six numbers per layer gives the cost of any path.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gaitway.models.sposgait import KERNELS, SearchedLayer, Variant, check_architecture, searched_layers

FRAMES = 30
"""Length of the clip that costs are given for, when none is stated."""


@dataclass(frozen=True)
class Costs:
    """Exact counts of one path, for one sequence; a multiply-add is one multiplication with its addition.

    Args:
        convolution_parameters: Weights of the convolutions on the path, shortcuts and aggregation included.
        norm_parameters: Weights and biases of the batch norms on the path.
        head_parameters: Of the linear layer per part.
        neck_parameters: Of the classifier and its batch norm; 0 without one.
        convolution_macs: Multiply-adds of the convolutions.
        head_macs: Of the linear layer per part.
        neck_macs: Of the classifier.
        norm_elements: Values that enter a batch norm on the path.
    """

    convolution_parameters: int
    norm_parameters: int
    head_parameters: int
    neck_parameters: int
    convolution_macs: int
    head_macs: int
    neck_macs: int
    norm_elements: int

    @property
    def parameters(self) -> int:
        """What an embedding needs: all but the neck; one is the exponent of the generalised mean."""
        return self.convolution_parameters + self.norm_parameters + self.head_parameters + 1

    @property
    def training_parameters(self) -> int:
        """With the neck."""
        return self.parameters + self.neck_parameters

    @property
    def macs(self) -> int:
        """Multiply-adds of an embedding."""
        return self.convolution_macs + self.head_macs


@dataclass(frozen=True)
class BlockCosts:
    """Exact counts of one block, for one sequence; the fields mean the same as those of `Costs`."""

    convolution_parameters: int
    norm_parameters: int
    macs: int
    norm_elements: int

    @property
    def parameters(self) -> int:
        """Of the convolutions and batch norms."""
        return self.convolution_parameters + self.norm_parameters


@dataclass(frozen=True, kw_only=True)
class CostModel:
    """Counts the costs of paths.

    Args:
        variant: As for `SPOSGait`.
        channels: Likewise.
        bins: Likewise.
        embedding_dim: Likewise.
        num_classes: Of the classifier, or None without one.
        height: Rows of a frame.
        width: Columns of a frame.
    """

    variant: Variant
    channels: Sequence[int]
    bins: Sequence[int] = (16,)
    embedding_dim: int = 256
    num_classes: int | None = None
    height: int = 64
    width: int = 44

    @property
    def layers(self) -> tuple[SearchedLayer, ...]:
        """The entries of an architecture."""
        return searched_layers(self.variant, self.channels)

    def of(self, architecture: Sequence[int], frames: int = FRAMES) -> Costs:
        """The costs of a path for a sequence of `frames` frames.

        Raises:
            ValueError: when the path is none of the space's.
        """
        layers = self.layers
        path = check_architecture(architecture, [layer.num_choices for layer in layers])
        weights = norms = macs = elements = 0
        for layer, kind in zip(layers, path, strict=True):
            block = self.of_block(layer, kind, frames)
            weights, norms = weights + block.convolution_parameters, norms + block.norm_parameters
            macs, elements = macs + block.macs, elements + block.norm_elements
        for stage in sorted({layer.stage for layer in layers}):
            inside = [layer for layer in layers if layer.stage == stage]
            positions = self.positions(stage, frames)
            size, width = inside[0].in_channels * inside[-1].out_channels, inside[-1].out_channels
            weights, norms = weights + size, norms + 2 * width
            macs, elements = macs + size * positions, elements + width * positions
        aggregated = next(layer.in_channels for layer in layers if layer.stage == 2)
        weights += 3 * aggregated**2
        macs += 3 * aggregated**2 * self.positions(2, frames)
        parts, head_width = sum(self.bins), self.embedding_dim
        head = parts * self.channels[-1] * head_width
        classifier = parts * head_width * (self.num_classes or 0)
        neck_norm = 2 * parts * head_width if self.num_classes is not None else 0
        return Costs(weights, norms, head, classifier + neck_norm, macs, head, classifier, elements)

    def of_block(self, layer: SearchedLayer, kind: int, frames: int = FRAMES) -> BlockCosts:
        """What a block of a layer adds to the costs of the paths that it is on."""
        positions = self.positions(layer.stage, frames)
        before, width = layer.in_channels, layer.out_channels
        weights = 0
        for frames_wide, rows, columns in KERNELS[kind]:
            weights += frames_wide * rows * columns * before * width
            before = width
        num = len(KERNELS[kind])
        return BlockCosts(weights, 2 * num * width, weights * positions, num * width * positions)

    def positions(self, stage: int, frames: int) -> int:
        """Places of a stage's maps: frames × rows × columns; sequences of one or two frames are repeated first."""
        frames = frames if frames > 2 else frames * -(-3 // frames)
        halvings = (0, 1, 1, 2, 2)[stage]
        rows, columns = self.height >> halvings, self.width >> halvings
        return (frames if stage < 2 else frames // 3) * rows * columns

    def supernet_parameters(self) -> int:
        """Parameters of the published supernet: six blocks in every layer, the neck where there is one."""
        total = self.of([0] * len(self.layers)).training_parameters
        for layer in self.layers:
            i, o = layer.in_channels, layer.out_channels
            alternatives = (9 * i * o + 2 * o) * 2 + (9 * i * o + 9 * o * o + 4 * o) * 2 + 3 * i * o + 9 * o * o + 4 * o
            total += alternatives
        return total
