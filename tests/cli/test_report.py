"""`gaitway report`, and the report that `gaitway evaluate` writes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gaitway.cli import main
from tests.conftest import MakeStore
from tests.training.tiny import tiny_recipe_file, tiny_store


@pytest.fixture
def data(make_store: MakeStore) -> str:
    return str(tiny_store(make_store).path)


@pytest.fixture
def run(data: str, tmp_path: Path) -> Path:
    """A run that is trained for 8 steps and evaluated beside the gait energy image."""
    folder = tmp_path / "run"
    recipe = str(tiny_recipe_file(tmp_path))
    assert main(["train", recipe, "--data", data, "--run", str(folder), "--accelerator", "cpu"]) == 0
    assert main(["evaluate", str(folder), "--data", data, "--baseline", "gei", "--accelerator", "cpu"]) == 0
    return folder


def without_time(html: str) -> str:
    return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", "", html)


def test_report_says_what_evaluate_found(run: Path, data: str, capsys: pytest.CaptureFixture[str]) -> None:
    report = run / "report.html"
    written_by_evaluate = report.read_text(encoding="utf-8")
    for words in (
        "this run, 8 steps",
        "gait energy image",
        "50.5",  # published
        "Protocol casia-b/cross-view",
        "share of triplets that still teach",
        "<img ",
        "A map of the test set",
        "MultiStepLR",
    ):
        assert words in written_by_evaluate
    report.unlink()
    assert main(["report", str(run), "--data", data]) == 0
    assert str(report) in capsys.readouterr().out
    assert without_time(report.read_text(encoding="utf-8")) == without_time(written_by_evaluate)


def test_without_data_it_says_what_is_left_out(run: Path) -> None:
    assert main(["report", str(run)]) == 0
    html = (run / "report.html").read_text(encoding="utf-8")
    assert "<img" not in html
    assert "gaitway report RUN --data STORE" in html
    assert "this run, 8 steps" in html


def test_published_figures_of_another_protocol_are_not_shown(run: Path, data: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ["evaluate", str(run), "--data", data, "--protocol", "casia-b/cross-view", "--out", str(out)]
    assert main([*words, "--accelerator", "cpu"]) == 0
    html = (out / "report.html").read_text(encoding="utf-8")
    assert "There are no published figures" in html
    assert "published, " not in html


def test_run_that_is_not_evaluated_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(tmp_path)]) == 2
    assert f"gaitway evaluate {tmp_path} --data STORE" in capsys.readouterr().err
