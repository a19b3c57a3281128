"""What a transform is, and several in a row.

A transform draws its parameters for all sequences of a batch with a numpy generator on the CPU, and applies them to
frames on the device. The two are separate because every process of a run draws for the whole batch and applies its
own share, so that one process and N processes see the same frames.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
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


class Chain:
    """Transforms of one modality, one after the other.

    Args:
        transforms: The transforms in their order.
    """

    def __init__(self, transforms: Sequence[Transform]) -> None:
        self.transforms = tuple(transforms)

    def draw(self, counts: Ints, generator: np.random.Generator, *, rank: int = 0, world_size: int = 1) -> list[Draws]:
        """Draw for a whole batch, of `counts` frames, and keep the parameters of the sequences of process `rank`."""
        drawn = [transform.draw(counts, generator) for transform in self.transforms]
        return [{name: share_of(values, rank, world_size) for name, values in draws.items()} for draws in drawn]

    def __call__(self, frames: Tensor, counts: Ints, draws: Sequence[Draws]) -> Tensor:
        """Transform the frames `(m, ...)` of n sequences that have `counts` `(n,)` frames each."""
        for transform, parameters in zip(self.transforms, draws, strict=True):
            frames = transform(frames, counts, parameters)
        return frames


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
