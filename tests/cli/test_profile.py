from __future__ import annotations

import json
from pathlib import Path

import pytest

from gaitway.cli import main
from tests.training.tiny import tiny_recipe_file


def test_counts_and_times_come_as_tables_and_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe, out = tiny_recipe_file(tmp_path, baseline=True), tmp_path / "profile.json"
    words = ["profile", str(recipe), "--classes", "1000", "--size", "32x32", "--accelerator", "cpu", "--json", str(out)]
    assert main(words) == 0
    text = capsys.readouterr().out
    assert "frames of 32 × 32" in text
    assert "with 1,000 classes" in text
    assert "for an embedding" in text
    assert "32, batches of 8" in text
    found = json.loads(out.read_text())
    assert found["frame_shape"] == [32, 32]
    assert found["blocks"]["neck"]["per_sequence"] == 7 * 8 * 1000
    assert found["milliseconds"]["32, alone"] > 0


def test_overrides_change_the_recipe(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["profile", str(tiny_recipe_file(tmp_path)), "--accelerator", "cpu", "model.embedding_dim=16"]
    assert main(words) == 0
    text = capsys.readouterr().out
    assert "in all, no classifier" in text
    assert f"{14 * 8 * 16:,}" in text  # the head: 14 parts of 8 channels


@pytest.mark.parametrize("size", ["64", "64x", "0x44", "axb", "64x44x3"])
def test_a_size_is_two_numbers(size: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["profile", "casia-b/gaitset", "--size", size])
    assert "is not a size" in capsys.readouterr().err


def test_user_errors(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["profile", "casia-b/gaitset", "--classes", "0"]) == 2
    assert "at least 1 class" in capsys.readouterr().err
    assert main(["profile", "casia-b/gaitset", "--size", "60x64"]) == 2
    assert "cannot be cut" in capsys.readouterr().err
