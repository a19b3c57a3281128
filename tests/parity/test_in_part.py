"""Cases of which Gaitway has a part: that part must be met."""

from __future__ import annotations

from pathlib import Path

from tests.parity.case import load_case, measure
from tests.parity.protocol_training import known_schedules, opengait_start

CASES = Path(__file__).parent / "in_part"


def test_weights_start_as_in_opengait() -> None:
    case = load_case(CASES / "train_initialisation.json")
    figures = [figure for figure in measure(case, {}, opengait_start(case)) if figure.name.startswith("opengait/")]
    assert len(figures) == 6
    assert [str(figure) for figure in figures if figure.share > 1] == []


def test_schedules_by_step() -> None:
    case = load_case(CASES / "train_schedules.json")
    expected = case.outputs.keys() - {"lr_5"}  # SwinGait's own schedule
    figures = [figure for figure in measure(case, known_schedules(case), {}) if figure.name in expected]
    assert len(figures) == len(expected) == 8
    assert [str(figure) for figure in figures if figure.share > 1] == []
