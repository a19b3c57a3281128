"""The files that test servers take: a row per probe with the subjects that are nearest to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SubmissionFormat:
    """A CSV file with a header and a row per probe: its name, then the subjects of the nearest gallery sequences.

    Args:
        header: Names of the columns; there is one per rank after the probe's.
        integers: Whether subjects are written as integers, without leading zeros.
    """

    header: tuple[str, ...]
    integers: bool

    @property
    def num_ranks(self) -> int:
        """How many of the nearest gallery sequences a row names."""
        return len(self.header) - 1

    def subject(self, name: str) -> str:
        """A subject as the file names it.

        Raises:
            ValueError: when the file names subjects by number and this name is not one.
        """
        if self.integers and not name.isdecimal():
            raise ValueError(f"the file names subjects by number, but {name!r} is none; rename it in the data set")
        return str(int(name)) if self.integers else name


FORMATS: Mapping[str, SubmissionFormat] = {
    "grew": SubmissionFormat(("videoId", *(f"rank{k}" for k in range(1, 21))), integers=True),
    "hid": SubmissionFormat(("videoID", "label"), integers=False),
}
"""Formats by the name that a protocol's `submission` gives."""
