from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from gaitway.bench.model_profile import count_costs
from gaitway.cli import main
from gaitway.training.recipe import load_recipe
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


def test_a_path_of_a_supernet(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    recipe, out = "walkers/sposgait-supernet", tmp_path / "path.json"
    words = ["profile", recipe, "--architecture", "0,5,5,4", "--accelerator", "cpu", "--json", str(out)]
    assert main(words) == 0
    assert "for an embedding" in capsys.readouterr().out
    by_recipe = load_recipe("walkers/sposgait")
    assert by_recipe.model.arguments["architecture"] == [0, 5, 5, 4]
    assert json.loads(out.read_text())["embedding"] == asdict(count_costs(by_recipe).embedding)


def test_a_supernet_is_a_table_of_blocks(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out = tmp_path / "supernet.json"
    assert main(["profile", "grew/sposgait-small-supernet", "--json", str(out)]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "216 paths" in said
    assert "2.13 M parameters and 2.55 G multiply-adds to 4.05 M parameters and 6.7 G multiply-adds" in said
    assert "gaitway profile grew/sposgait-small-supernet --architecture 0,0,0,0" in said
    assert len(json.loads(out.read_text())["layers"]["20"]) == 6


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
    assert main(["profile", "casia-b/gaitset", "--architecture", "0,5"]) == 2
    assert "the recipe's model is GaitSet, which has no paths" in capsys.readouterr().err
    assert main(["profile", "walkers/sposgait", "--architecture", "0,5,5"]) == 2
    assert "has 3 entries, the search space 4 layers" in capsys.readouterr().err
