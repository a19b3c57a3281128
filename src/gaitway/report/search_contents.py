"""What the report of an architecture search is made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """An architecture that was evaluated.

    Args:
        architecture: Block of each layer.
        generation: In which it was proposed.
        figures: Accuracies in percent, multiply-adds, parameters, milliseconds by name.
        on_front: Whether no other beats it.
    """

    architecture: tuple[int, ...]
    generation: int
    figures: Mapping[str, float]
    on_front: bool = False


@dataclass(frozen=True, kw_only=True)
class DrawnLayer:
    """A layer of an architecture, as it is drawn.

    Args:
        stage: Which stage it is in.
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        block: Which block was chosen.
        kernels: Its convolutions: frames, rows, columns.
        rectified: Whether a ReLU ends it.
        free: Whether there was a choice.
    """

    stage: int
    in_channels: int
    out_channels: int
    block: int
    kernels: Sequence[tuple[int, int, int]]
    rectified: bool
    free: bool


@dataclass(frozen=True, kw_only=True)
class SearchContents:
    """What the report of a search is made from.

    Args:
        name: Of the search.
        objectives: What it aims for, the first one ranks.
        candidates: All architectures, best first.
        history: Per generation its number, the best so far, its best and its median, by the first objective.
        drawn: The layers of the architecture that is drawn.
        seconds: What the evaluation of one architecture took, the median; None where all were known.
        num_frames: Length of the clip that multiply-adds are of.
        circumstances: What makes the search what it is, by name.
    """

    name: str
    objectives: Sequence[str]
    candidates: Sequence[Candidate]
    history: Sequence[tuple[int, float, float, float]]
    drawn: Sequence[DrawnLayer]
    seconds: float | None
    num_frames: int
    circumstances: Mapping[str, Any] = field(default_factory=dict)
