"""Training subjects that a model does not see, so that choices can be judged by people who are new to it."""

from __future__ import annotations

import random
from collections.abc import Sequence


def split(subjects: Sequence[str], share: float, seed: int = 0) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Draw the subjects to hold out; a function of the set of names, the share and the seed alone.

    Args:
        subjects: Names of the training subjects, in any order.
        share: Of them to hold out, more than 0 and less than 1; rounded, but at least two subjects.
        seed: Of the draw.

    Returns:
        The subjects that are left for training, and those held out, each in the given order.

    Raises:
        ValueError: when the share is none, or fewer than two subjects would be left on either side.
    """
    names = sorted(set(subjects))
    if not 0 < share < 1:
        raise ValueError(f"a held-out share of {share}; expected more than 0 and less than 1, such as 0.2")
    count = max(2, round(share * len(names)))
    if len(names) - count < 2:
        raise ValueError(
            f"{len(names)} training subjects with a share of {share} held out leave {max(0, len(names) - count)} to "
            "train on; at least two must be left on either side: hold out less, or use a larger data set"
        )
    held_out = frozenset(random.Random(seed).sample(names, count))
    left = tuple(name for name in subjects if name not in held_out)
    return left, tuple(name for name in subjects if name in held_out)
