"""What a transform is, and several in a row.

A transform draws its parameters for all sequences of a batch with a numpy generator on the CPU, and applies them to
frames on the device. The two are separate because every process of a run draws for the whole batch and applies its
own share, so that one process and N processes see the same frames.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gaitway.data.sampling import Ints, share_of

Draws = dict[str, npt.NDArray[Any]]
"""Random parameters by name; the first axis of each is the sequences of a batch."""


class Transform(Protocol):
    """One step between the store and a model."""

    def draw(self, counts: Ints, generator: np.random.Generator) -> Draws:
        """Random parameters of n sequences of `counts` `(n,)` frames; empty for a transform without randomness."""

    def __call__(self, frames: Tensor, counts: Ints, draws: Draws) -> Tensor:
        """Transform the frames of n sequences, which lie one after the other.

        Args:
            frames: `(m, h, w)` or `(m, ...)`.
            counts: `(n,)`, frames per sequence; they add up to m.
            draws: What `draw` gave for these n sequences.

        Returns:
            `(m, ...)`.
        """


@runtime_checkable
class Resampling(Protocol):
    """A transform that changes how many frames the sequences have, or how many sequences there are.

    Its frames are `(m, ...)` to those that `resampled` counts. With r times the sequences, all of the first kind come
    before all of the next, each in the order of the batch.
    """

    def resampled(self, counts: Ints) -> Ints:
        """Frames per sequence before, `(n,)`, to after, `(r·n,)`."""


def resampled(transform: Transform, counts: Ints) -> Ints:
    """Frames per sequence after a transform that has `counts` `(n,)` before it."""
    return transform.resampled(counts) if isinstance(transform, Resampling) else counts


class Chain:
    """Transforms of one modality, one after the other.

    Args:
        transforms: The transforms in their order.
    """

    def __init__(self, transforms: Sequence[Transform]) -> None:
        self.transforms = tuple(transforms)

    def draw(self, counts: Ints, generator: np.random.Generator, *, rank: int = 0, world_size: int = 1) -> list[Draws]:
        """Draw for a whole batch, of `counts` frames, and keep the parameters of the sequences of process `rank`."""
        drawn = []
        for transform in self.transforms:
            drawn.append(transform.draw(counts, generator))
            counts = resampled(transform, counts)
        return [{name: share_of(values, rank, world_size) for name, values in draws.items()} for draws in drawn]

    def __call__(self, frames: Tensor, counts: Ints, draws: Sequence[Draws]) -> tuple[Tensor, Ints]:
        """Transform the frames `(m, ...)` of n sequences that have `counts` `(n,)` frames each.

        Frames of floats are transformed in float64, since angles need it, and come out as float32.

        Returns:
            The frames, and how many of them each sequence has then.
        """
        if frames.is_floating_point():
            frames = frames.double()
        for transform, parameters in zip(self.transforms, draws, strict=True):
            frames = transform(frames, counts, parameters)
            counts = resampled(transform, counts)
        if frames.dtype == torch.float64:  # in order in memory too, whatever order a transform computed in
            frames = frames.to(torch.float32, memory_format=torch.contiguous_format)
        return frames, counts


def chains(
    transforms: Sequence[Transform] | Mapping[str, Sequence[Transform]], modalities: Sequence[str]
) -> dict[str, Chain]:
    """The chain of each modality, from transforms by modality, or from a bare list for the only one.

    Raises:
        ValueError: when it is not clear which modality the transforms are for.
    """
    if not isinstance(transforms, Mapping):
        if len(modalities) != 1:
            raise ValueError(
                f"one list of transforms for {len(modalities)} modalities; give {{modality: transforms}} for "
                f"{', '.join(modalities)}"
            )
        transforms = {modalities[0]: transforms}
    unknown = set(transforms) - set(modalities)
    if unknown:
        raise ValueError(
            f"transforms for {', '.join(sorted(unknown))}, but the model takes {', '.join(modalities)}; "
            "remove them or correct the name"
        )
    return {modality: Chain(transforms.get(modality, ())) for modality in modalities}


def probability(p: float, transform: str) -> float:
    """A transform's probability, checked.

    Raises:
        ValueError: when it is none.
    """
    if not 0 <= p <= 1:
        raise ValueError(f"{transform}: p is {p}, expected a probability from 0 to 1")
    return p
