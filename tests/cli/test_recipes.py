"""`gaitway recipes`: what the list shows, and copies that can be changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from gaitway.cli import main
from gaitway.training.recipe import list_recipes, load_recipe


def listed(capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    """The lines of the list, without its header."""
    assert main(["recipes", "ls", *words]) == 0
    return capsys.readouterr().out.splitlines()[1:]


@pytest.fixture(autouse=True)
def width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")


def test_a_line_for_every_recipe(capsys: pytest.CaptureFixture[str]) -> None:
    lines = listed(capsys)
    assert [line.split()[0] for line in lines if not line.startswith(" ")] == list_recipes()
    assert max(map(len, lines)) <= 100
    assert "…" not in "".join(lines)


def test_model_published_result_and_parameters(capsys: pytest.CaptureFixture[str]) -> None:
    (line,) = listed(capsys, "oumvlp/gaitpart")
    assert line.split() == ["oumvlp/gaitpart", "GaitPart", "NM", "88.6", "4.84M", "3.78M"]
    (line,) = listed(capsys, "gait3d", "deepgaitv2")
    assert line.split() == ["gait3d/deepgaitv2", "DeepGaitV2", "74.4", "25.49M", "11.1M", "backbone"]


def test_words_choose_by_data_set_and_model(capsys: pytest.CaptureFixture[str]) -> None:
    of_hstl = {line.split()[0] for line in listed(capsys, "hstl")}
    assert of_hstl == {"casia-b/hstl", "gait3d/hstl", "oumvlp/hstl", "walkers/hstl"}
    assert {line.partition("/")[0] for line in listed(capsys, "GREW")} == {"grew", "grew-pose"}
    assert all(line.partition("/")[0].endswith("-pose") for line in listed(capsys, "pose") if not line.startswith(" "))


def test_words_that_fit_nothing_name_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipes", "ls", "swingait"]) == 2
    said = capsys.readouterr().err
    assert "no recipe for swingait" in said
    assert "gait3d" in said
    assert "DeepGaitV2" in said


def test_a_copy_is_the_same_recipe(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copy = tmp_path / "mine.yaml"
    assert main(["recipes", "copy", "casia-b/gaitset", str(copy)]) == 0
    assert load_recipe(str(copy)) == load_recipe("casia-b/gaitset")
    assert main(["recipes", "copy", "casia-b/gaitset", str(copy)]) == 2
    assert "exists already" in capsys.readouterr().err
