"""The harness itself: drawing, tolerances, comparison, and what `python -m tests.parity` says."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.parity import running
from tests.parity.__main__ import main
from tests.parity.case import Array, Case, compare, load_case, measure


def write(folder: Path, name: str = "made_up", arrays: dict[str, Array] | None = None, **fields: Any) -> Path:
    arrays = arrays or {}
    recipe: dict[str, Any] = {"name": name, "family": "protocol", "spec": "x.md", "mode": "function", "seed": 3}
    recipe |= {part: {} for part in ("hyperparameters", "state", "inputs", "scalars")}
    recipe["outputs"] = {key.removeprefix("output/"): {} for key in arrays if key.startswith("output/")}
    recipe |= fields
    np.savez(folder / f"{name}.npz", **arrays)  # type: ignore[arg-type]
    path = folder / f"{name}.json"
    path.write_text(json.dumps(recipe))
    return path


def case_of(folder: Path, expected: Array, name: str = "made_up", **fields: Any) -> Case:
    return load_case(write(folder, name, {"output/y": expected}, **fields))


def problems(case: Case, found: Any) -> list[str]:
    return compare(case, {"y": np.asarray(found)}, {})


def test_tensors_are_drawn_by_the_rule(tmp_path: Path) -> None:
    kinds = {
        "normal": ["normal", 1.0, 2.0],
        "uniform": ["uniform", -1, 3],
        "integers": ["integers", 0, 9],
        "constant": ["constant", 7],
    }
    recipe = {name: {"shape": [2, 3], "dtype": "float32", "init": init} for name, init in kinds.items()}
    recipe["stored"] = {"shape": [2], "dtype": "int64", "init": ["array"]}
    arrays = {"state/stored": np.array([4, 5]), "input/stored": np.array([6, 7])}
    case = load_case(write(tmp_path, arrays=arrays, state=recipe, inputs=recipe))

    def rng(key: str) -> np.random.Generator:
        return np.random.default_rng([zlib.crc32(key.encode()), 3])

    for prefix, drawn in (("", case.state), ("input/", case.inputs)):
        expected = {
            "normal": 1 + 2 * rng(f"{prefix}normal").standard_normal((2, 3)),
            "uniform": -1 + 4 * rng(f"{prefix}uniform").random((2, 3)),
            "integers": rng(f"{prefix}integers").integers(0, 9, (2, 3)),
            "constant": np.full((2, 3), 7),
        }
        assert list(drawn) == [*kinds, "stored"]
        for name, values in expected.items():
            assert drawn[name].dtype == np.float32
            assert np.array_equal(drawn[name], values.astype(np.float32))
    assert case.state["stored"].tolist() == [4, 5]
    assert case.inputs["stored"].tolist() == [6, 7]


def test_the_general_tolerance(tmp_path: Path) -> None:
    case = case_of(tmp_path, np.array([0.0, 100.0]))
    assert problems(case, [0.99e-4, 100.0100]) == []
    assert problems(case, [1.01e-4, 100.0]) == ["y: 0.000101 instead of 0 at (0,)"]
    assert problems(case, [0.0, 100.0102]) == ["y: 100.0102 instead of 100 at (1,)"]


def test_whole_numbers_and_texts_are_exact(tmp_path: Path) -> None:
    assert problems(case_of(tmp_path, np.array([5000000])), [5000001]) != []
    assert problems(case_of(tmp_path, np.array([True])), [True]) == []
    case = case_of(tmp_path, np.array(["a", "b"]))
    assert problems(case, np.array(["a", "b"])) == []
    assert problems(case, np.array(["a", "c"])) == ["y: 1 of 2 differ, first c instead of b"]


def test_rounded_percentages_are_exact(tmp_path: Path) -> None:
    case = case_of(tmp_path, np.array([99.99, 100.0]), name="eval_x")
    assert problems(case, [99.99, 100.0]) == []
    assert problems(case, [99.98, 100.0]) != []


def test_figures_after_several_steps_have_more_room(tmp_path: Path) -> None:
    scalars = {"loss_after_1_step": 1.0, "loss_after_3_steps": 1.0}
    case = load_case(write(tmp_path, mode="train", scalars=scalars))
    assert [figure.share > 1 for figure in measure(case, {}, dict.fromkeys(scalars, 1.0015))] == [True, False]


def test_entries_replace_the_general_tolerance(tmp_path: Path) -> None:
    tolerance = {
        "atol": 0.5,
        "rtol": 0,
        "a": {"atol": 0.1, "rtol": 0},
        "grad_norm/*": {"atol": 0.01, "rtol": 0},
        "grad_norm/b": {"atol": 1.0, "rtol": 0},
        "outputs": {"c_*": {"atol": 0, "rtol": 0}},
        "uncheckable": {"atol": None, "rtol": None},
        "words": "about the same",
    }
    names = ["a", "grad_norm/a", "grad_norm/b", "c_1", "other", "uncheckable", "words"]
    case = load_case(write(tmp_path, tolerance=tolerance, scalars=dict.fromkeys(names, 0.0)))

    def too_far(error: float) -> set[str]:
        return {text.partition(":")[0] for text in compare(case, {}, dict.fromkeys(names, error))}

    assert too_far(0.0) == set()
    assert too_far(0.005) == {"c_1"}
    assert too_far(0.05) == {"c_1", "grad_norm/a"}
    assert too_far(0.2) == {"c_1", "grad_norm/a", "a"}
    assert too_far(0.7) == {"c_1", "grad_norm/a", "a", "other", "words"}
    assert too_far(9.0) == set(names) - {"uncheckable"}


def test_a_float64_entry_holds_for_everything(tmp_path: Path) -> None:
    tolerance = {"atol": 1, "float64": {"atol": 1e-6, "rtol": 1e-6}, "y": {"atol": None, "rtol": None}}
    case = case_of(tmp_path, np.array([1.0]), tolerance=tolerance)
    assert case.float64
    assert problems(case, [1.000001]) == []
    assert problems(case, [1.00001]) != []
    assert not case_of(tmp_path, np.array([1.0])).float64


def test_a_fraction_may_miss_and_a_mean_is_bounded(tmp_path: Path) -> None:
    expected = np.zeros(100)
    found = expected.copy()
    found[0] = 1.0
    assert problems(case_of(tmp_path, expected, tolerance={"atol": 1e-6, "rtol": 0, "fraction": 0.01}), found) == []
    found[1] = 1.0
    assert problems(case_of(tmp_path, expected, tolerance={"atol": 1e-6, "rtol": 0, "fraction": 0.01}), found) != []
    assert problems(case_of(tmp_path, expected, tolerance={"atol": 2, "rtol": 0, "mean_abs": 0.03}), found) == []
    (problem,) = problems(case_of(tmp_path, expected, tolerance={"atol": 2, "rtol": 0, "mean_abs": 0.01}), found)
    assert "mean error 0.02" in problem


def test_strides_shapes_and_missing_figures(tmp_path: Path) -> None:
    full = np.arange(24.0).reshape(4, 6)
    case = case_of(tmp_path, full[:, ::2], outputs={"y": {"stride": [1, 2]}}, scalars={"loss": 1.0})
    assert compare(case, {"y": full}, {"loss": 1.0}) == []
    assert compare(case, {"y": full[:3]}, {"loss": 1.0}) == ["y: shape (3, 3) instead of (4, 3)"]
    assert compare(case, {"y": full}, {}) == ["loss: expected, but not computed"]


def test_what_is_not_finite(tmp_path: Path) -> None:
    case = case_of(tmp_path, np.array([np.nan, np.inf, 1.0]))
    assert problems(case, [np.nan, np.inf, 1.0]) == []
    for found in ([np.nan, np.inf, np.nan], [0.0, np.inf, 1.0], [np.nan, 1.0, 1.0], [np.nan, -np.inf, 1.0]):
        assert len(problems(case, found)) == 1


@pytest.fixture
def made_up_runner(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runners for cases of made-up names."""

    def run(case: Case) -> Any:
        return {"y": np.array([1.0])}, {}

    def refuse(case: Case) -> Any:
        raise running.NotKnownError("Gaitway has no time machine yet")

    known = {"protocol": {"made_*": run, "later": refuse}, "every": {}}
    monkeypatch.setattr(running, "runners", lambda: known)


@pytest.mark.usefixtures("made_up_runner")
def test_a_line_per_case_a_summary_and_the_exit_status(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    met, rest = tmp_path / "met", tmp_path / "rest"
    met.mkdir()
    rest.mkdir()
    case_of(met, np.array([1.0]), name="made_up")
    assert main([str(met)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "1 met, 0 failed, 0 not run"

    case_of(rest, np.array([2.0]), name="made_wrong")
    case_of(rest, np.array([2.0]), name="later")
    case_of(rest, np.array([2.0]), name="unknown")
    (rest / "no_case.json").write_text("{}")
    assert main([str(met), str(rest)]) == 1
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "met made_up 1 figures, at most 0 of the tolerance (y)",
        "not run later Gaitway has no time machine yet",
        "failed made_wrong 1 of 1 figures; worst y: 1 instead of 2",
        f"failed no_case ValueError: {rest / 'no_case.json'} is not a parity case: it lacks name, family, mode, "
        "outputs or scalars",
        "not run unknown no runner for protocol cases of this name (mode function)",
        "1 met, 2 failed, 2 not run",
    ]


@pytest.mark.usefixtures("made_up_runner")
@pytest.mark.parametrize("name", ["later", "unknown", "made_wrong"])
def test_one_case_that_is_not_met_is_enough(tmp_path: Path, name: str) -> None:
    case_of(tmp_path, np.array([1.0]), name="made_up")
    case_of(tmp_path, np.array([2.0]), name=name)
    assert main([str(tmp_path)]) == 1


def test_folders_without_cases_are_errors(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(SystemExit) as caught:
            main([str(folder)])
        assert caught.value.code == 2


def test_models_that_gaitway_lacks_are_not_run(tmp_path: Path) -> None:
    config = {"model_cfg": {"model": "SwinGait"}}
    path = write(tmp_path, "swingait_x", family="modern", mode="eval", hyperparameters=config, scalars={"x": 1.0})
    outcome = running.run_case(path)
    assert outcome.status == "not run"
    assert outcome.text.startswith("Gaitway has no 'SwinGait' yet; it imports Baseline, ")
