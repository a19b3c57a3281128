from __future__ import annotations

import json
from pathlib import Path

import pytest

from gaitway.cli import main
from tests.conftest import MakeStore
from tests.training.tiny import tiny_recipe_file, tiny_store


@pytest.mark.parametrize(
    ("words", "shown", "figure"),
    [
        (["train", "--steps", "2"], "waiting for data", "steps_per_second"),
        (["train", "--steps", "2", "--compare"], "times as fast", "bf16 channels-last"),
        (["embed", "--sequences", "8"], "sequences/s", "sequences_per_second"),
        (["data", "--steps", "2"], "one pickle per sequence", "making"),
    ],
)
def test_figures_come_as_table_and_json(
    words: list[str],
    shown: str,
    figure: str,
    tmp_path: Path,
    make_store: MakeStore,
    capsys: pytest.CaptureFixture[str],
) -> None:
    recipe, store = tiny_recipe_file(tmp_path), tiny_store(make_store).path
    what, *options = words
    out = tmp_path / "figures.json"
    assert main(["bench", what, str(recipe), *options, "--data", str(store), "--json", str(out), "seed=3"]) == 0
    text = capsys.readouterr().out
    assert shown in text
    assert "Measured on" in text
    found = json.loads(out.read_text())
    assert found["bench"] == what
    assert found["recipe"] == str(recipe)
    assert found["overrides"] == ["seed=3"]
    assert found["figures"][figure]
    assert found["machine"]["device"] == "CPU"


def test_without_data_the_walkers_or_noise_are_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "embed", "walkers/demo", "--sequences", "2", "--accelerator", "cpu"]) == 0
    assert "noise" not in capsys.readouterr().out
    recipe = str(tiny_recipe_file(tmp_path))
    assert main(["bench", "embed", recipe, "--sequences", "2", "--accelerator", "cpu"]) == 0
    assert "On noise in the shape of casia-b" in capsys.readouterr().out


def test_evaluation_needs_no_data(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "evaluate", "walkers/demo", "--sequences", "350", "--accelerator", "cpu"]) == 0
    assert "330 of 62 × 128" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["evaluate", "casia-b/gaitset", "--steps", "3"], "--steps does not go with evaluate"),
        (["data", "casia-b/gaitset", "--compare"], "--compare does not go with data"),
        (["train", "casia-b/gaitset", "--compare", "--precision", "bf16"], "leave out --precision"),
        (["train", "casia-b/gaitsett"], "did you mean 'casia-b/gaitset'"),
    ],
)
def test_user_errors(words: list[str], problem: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", *words]) == 2
    assert problem in capsys.readouterr().err


@pytest.mark.parametrize("steps", ["0", "-1", "many"])
def test_counts_must_be_positive(steps: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["bench", "train", "casia-b/gaitset", "--steps", steps])
    assert "not a whole number from 1 on" in capsys.readouterr().err
