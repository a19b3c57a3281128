"""Cases of which Gaitway has a part: that part must be met."""

from __future__ import annotations

from pathlib import Path

from tests.parity.case import load_case, measure
from tests.parity.every_model import run_train
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


def test_deepgaitv2_but_for_a_mean_of_rounding_errors() -> None:
    """The published mean distance counts the distances to oneself, which float32 makes up to 0.004 instead of 0."""
    case = load_case(CASES / "deepgaitv2_p3d_1111_train.json")
    figures = measure(case, *run_train(case))
    others = [figure for figure in figures if figure.name != "loss_info/triplet/mean_dist"]
    assert len(others) == len(figures) - 1 == 39
    assert [str(figure) for figure in others if figure.share > 1] == []
