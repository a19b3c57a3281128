"""Every case that is copied here must be met."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.parity.running import find_cases, run_case

CASES = list(find_cases(Path(__file__).parent / "cases"))


@pytest.mark.parametrize("path", CASES, ids=[f"{path.parent.name}/{path.stem}" for path in CASES])
def test_case_is_met(path: Path) -> None:
    outcome = run_case(path)
    assert outcome.status == "met", "\n".join((outcome.text, *outcome.problems))
