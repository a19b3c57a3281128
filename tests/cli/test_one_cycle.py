"""A schedule that knows how long it is: part of it, all of it in two runs, and no more than it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import yaml

from gaitway.cli import main
from gaitway.training.checkpoint import find_checkpoint, read_weights
from tests.conftest import MakeStore
from tests.training.tiny import tiny_store, tiny_values


def test_a_run_goes_on_in_its_cycle(make_store: MakeStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = str(tiny_store(make_store).path)
    values = tiny_values(tmp_path) | {
        "optimizer": {"name": "Adam", "lr": 0.01},
        "schedule": {"name": "OneCycleLR", "max_lr": 0.01, "total_steps": 4, "three_phase": True},
    }
    values["training"]["steps"] = 4
    recipe, parts, whole = tmp_path / "recipe.yaml", tmp_path / "parts", tmp_path / "whole"
    recipe.write_text(yaml.safe_dump(values))
    assert main(["train", str(recipe), "--data", data, "--run", str(parts), "steps=2"]) == 0
    assert "the schedule is for 4 steps, of which these are the first" in " ".join(capsys.readouterr().out.split())
    assert main(["train", "--resume", str(parts), "--data", data, "steps=4"]) == 0
    assert main(["train", str(recipe), "--data", data, "--run", str(whole)]) == 0
    assert "the schedule is for" not in capsys.readouterr().out
    first, second = (read_weights(find_checkpoint(run)) for run in (parts, whole))
    assert all(torch.equal(first[name], second[name]) for name in second)

    assert main(["train", "--resume", str(whole), "--data", data, "steps=5"]) == 2
    assert "training.steps is 5, but OneCycleLR ends after schedule.total_steps = 4" in capsys.readouterr().err
