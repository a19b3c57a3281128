"""Which sequences of a store a model can take, and by name those that it can't."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gaitway.data.sampling import Ints
from gaitway.data.store import Store

LEFT_OUT = "left_out.csv"
"""The file beside figures or a run that names what was left out."""

FIRST_NAMES = 3
"""How many of the sequences that are left out for the same reason a message names."""


@dataclass(frozen=True)
class Usable:
    """What `usable_rows` found.

    Args:
        rows: Of the sequences that can be taken, in the order that they were given in.
        left_out: Names of the others by reason, such as `without poses`.
    """

    rows: Ints
    left_out: Mapping[str, tuple[str, ...]]

    def __str__(self) -> str:
        """How many are left out and why, with the first names; empty when none is."""
        reasons = [
            f"{len(names):,} {reason} ({', '.join(names[:FIRST_NAMES])}{', …' if len(names) > FIRST_NAMES else ''})"
            for reason, names in self.left_out.items()
        ]
        return "; ".join(reasons)

    def save(self, path: Path) -> None:
        """Write the names of all that are left out, with the reason, as CSV; no file when none is."""
        if not self.left_out:
            path.unlink(missing_ok=True)  # of an earlier time
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", newline="", encoding="utf-8") as file:
            table = csv.writer(file)
            table.writerow(("sequence", "reason"))
            table.writerows((name, reason) for reason, names in self.left_out.items() for name in names)


def usable_rows(store: Store, rows: Ints, modalities: Sequence[str], min_frames: int = 1) -> Usable:
    """Those of the rows that have all modalities, equally many frames of each, and enough of them.

    Args:
        store: The data set.
        rows: Of the sequences in question.
        modalities: What the model takes.
        min_frames: How many frames a sequence must have.

    Raises:
        ValueError: when none is left, or the store does not have a modality at all.
    """
    for modality in modalities:
        store.frame_format(modality)  # says clearly when the store does not have it
    counts = np.stack([store.index.num_frames[modality][rows] for modality in modalities])  # (modalities, n)
    reasons = {f"without {modality}": count == 0 for modality, count in zip(modalities, counts, strict=True)}
    reasons[f"with unequal numbers of {' and '.join(modalities)}"] = (counts != counts[0]).any(0)
    reasons[f"of fewer than {min_frames} frames"] = counts[0] < min_frames
    kept = np.ones(len(rows), bool)
    left_out: dict[str, tuple[str, ...]] = {}
    for reason, applies in reasons.items():  # a sequence counts for the first reason that applies
        names = tuple(store.index[int(row)].name for row in rows[kept & applies])
        kept &= ~applies
        if names:
            left_out[reason] = names
    usable = Usable(rows[kept], left_out)
    if not len(usable.rows):
        raise ValueError(f"none of {len(rows)} sequences in {store.path} can be used: {usable}")
    return usable
