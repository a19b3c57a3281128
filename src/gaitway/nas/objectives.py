"""What a search can aim for, and which of its architectures no other one beats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

OBJECTIVES = {"rank-1": 1, "rank-5": 1, "mAP": 1, "macs": -1, "parameters": -1, "latency": -1}
"""Objective → 1 where more is better, -1 where less is. Accuracies are in percent, latency in milliseconds."""
ACCURACIES = ("rank-1", "rank-5", "mAP")


def check_objectives(names: Sequence[str]) -> tuple[str, ...]:
    """Objectives as a tuple.

    Raises:
        ValueError: when one is unknown or named twice, or none is an accuracy.
    """
    unknown = [name for name in names if name not in OBJECTIVES]
    if unknown or len(set(names)) < len(names):
        what = f"no objective {unknown[0]!r}" if unknown else f"an objective twice: {', '.join(names)}"
        raise ValueError(f"{what}; name some of {', '.join(OBJECTIVES)}, each once")
    if not set(names) & set(ACCURACIES):
        raise ValueError(
            f"the objectives {', '.join(names)} are costs, and the cheapest path needs no search; add one of "
            f"{', '.join(ACCURACIES)}"
        )
    return tuple(names)


def upward(figures: Mapping[str, float], names: Sequence[str]) -> tuple[float, ...]:
    """The named figures, turned so that more is better."""
    return tuple(OBJECTIVES[name] * figures[name] for name in names)


def front(values: Sequence[Sequence[float]]) -> list[int]:
    """Positions of those that no other beats: at least as good in everything and better in something.

    Args:
        values: n times the same number of figures, more is better.
    """
    points: npt.NDArray[np.float64] = np.asarray(values, dtype=np.float64)  # (n, figures)
    return [
        place
        for place, point in enumerate(points)
        if not ((points >= point).all(axis=1) & (points > point).any(axis=1)).any()
    ]
