"""What an examination finds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How much a finding matters."""

    FINE = "fine"
    NOTE = "note"
    WARNING = "warning"
    SERIOUS = "serious"


@dataclass(frozen=True, slots=True)
class Finding:
    """One result of an examination.

    Args:
        check: What was looked at.
        severity: How much it matters.
        found: What the store has.
        expected: What it should have.
        means: What the difference means for results, in a sentence; empty when all is fine.
        examples: Names of all subjects or sequences that are concerned.
    """

    check: str
    severity: Severity
    found: str
    expected: str
    means: str = ""
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All findings on a store.

    Args:
        store: The store's folder.
        dataset: Name of the data set.
        known_as: What the store was compared with, in words.
        findings: In the order of the checks.
    """

    store: str
    dataset: str
    known_as: str
    findings: tuple[Finding, ...]

    def count(self, severity: Severity) -> int:
        """How many findings have this severity."""
        return sum(finding.severity is severity for finding in self.findings)

    @property
    def is_sound(self) -> bool:
        """Whether nothing serious was found."""
        return self.count(Severity.SERIOUS) == 0

    def to_json(self) -> str:
        """All of it as JSON."""
        return json.dumps(asdict(self), indent=2) + "\n"


def judge(
    check: str, is_fine: bool, severity: Severity, found: str, expected: str, means: str, examples: Sequence[str] = ()
) -> Finding:
    """A finding whose meaning is told only where something is wrong."""
    return Finding(
        check, Severity.FINE if is_fine else severity, found, expected, "" if is_fine else means, tuple(examples)
    )
