"""Checkpoints: written whole, read without executing anything, and clear about what does not fit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from gaitway.training.checkpoint import (
    checkpoint_path,
    find_checkpoint,
    load_model,
    load_weights,
    model_config,
    read_trainer,
    save_checkpoint,
)
from tests.training.tiny import tiny_recipe


def save(folder: Path, tmp_path: Path, trainer: dict[str, Any] | None = None, step: int = 3) -> nn.Module:
    recipe = tiny_recipe(tmp_path, baseline=True)
    model = recipe.build_model(num_classes=5)
    config = model_config(recipe, recipe_name="tiny", num_classes=5, step=step)
    save_checkpoint(folder, weights=model.state_dict(), config=config, trainer=trainer)
    return model


def test_a_model_goes_round(tmp_path: Path) -> None:
    model = save(tmp_path / "checkpoint", tmp_path)
    loaded = load_model(tmp_path / "checkpoint")
    assert not loaded.training
    frames = torch.rand(2, 3, 16, 16)
    with torch.inference_mode():
        torch.testing.assert_close(loaded(frames).embeddings, model.eval()(frames).embeddings)
    assert not (tmp_path / "checkpoint.partial").exists()


def test_a_run_stands_for_its_latest_checkpoint(tmp_path: Path) -> None:
    run = tmp_path / "run"
    for step in (90, 100):
        save(checkpoint_path(run, step), tmp_path, step=step)
    checkpoint_path(run, 200).with_name("0000200.partial").mkdir()  # of a process that was killed
    assert find_checkpoint(run) == checkpoint_path(run, 100)
    assert find_checkpoint(checkpoint_path(run, 90)) == checkpoint_path(run, 90)


def test_a_partial_checkpoint_is_written_anew(tmp_path: Path) -> None:
    partial = tmp_path / "checkpoint.partial"
    partial.mkdir()
    (partial / "model.safetensors").write_text("half")
    save(tmp_path / "checkpoint", tmp_path)
    load_model(tmp_path / "checkpoint")
    assert not partial.exists()


def test_what_is_no_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="does not exist"):
        load_model(tmp_path / "nothing")
    with pytest.raises(FileNotFoundError, match="neither a checkpoint .* nor a run"):
        load_model(tmp_path)
    save(tmp_path / "checkpoint", tmp_path)
    with pytest.raises(FileNotFoundError, match="holds weights alone"):
        read_trainer(tmp_path / "checkpoint")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("config.json", "{", "config.json is damaged"),
        ("config.json", '{"format": 99}', "checkpoint format 99, this Gaitway reads 1"),
        ("model.safetensors", "no weights", "model.safetensors cannot be read"),
    ],
)
def test_damaged_files_are_named(tmp_path: Path, name: str, content: str, message: str) -> None:
    save(tmp_path / "checkpoint", tmp_path)
    (tmp_path / "checkpoint" / name).write_text(content)
    with pytest.raises(ValueError, match=message):
        load_model(tmp_path / "checkpoint")


class Evil:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return (Path.touch, (self.marker,))


def test_nothing_in_a_checkpoint_is_executed(tmp_path: Path) -> None:
    save(tmp_path / "checkpoint", tmp_path, trainer={"step": 3})
    torch.save({"evil": Evil(tmp_path / "executed")}, tmp_path / "checkpoint" / "trainer.pt")
    with pytest.raises(ValueError, match=r"trainer.pt cannot be read"):
        read_trainer(tmp_path / "checkpoint")
    assert not (tmp_path / "executed").exists()


def test_weights_that_do_not_fit_are_named(tmp_path: Path) -> None:
    recipe = tiny_recipe(tmp_path, baseline=True)
    weights = recipe.build_model(num_classes=5).state_dict()
    model = recipe.build_model(num_classes=7)
    del weights["head.weight"]
    weights["tail.weight"] = torch.zeros(1)
    with pytest.raises(
        ValueError, match="does not fit Baseline: head.weight is missing; tail.weight is left over"
    ) as e:
        load_weights(model, weights, source="a file")
    assert "neck.classifier.weight is (7, 8, 5), the model has (7, 8, 7)" in str(e.value)
    assert "--init-partial" in str(e.value)


def test_partial_weights_take_what_fits(tmp_path: Path) -> None:
    recipe = tiny_recipe(tmp_path, baseline=True)
    source, model = recipe.build_model(num_classes=5), recipe.build_model(num_classes=7)
    classifier = model.state_dict()["neck.classifier.weight"].clone()
    misfits = load_weights(model, source.state_dict(), source="a file", partial=True)
    assert misfits == ["neck.classifier.weight is (7, 8, 5), the model has (7, 8, 7)"]
    assert torch.equal(model.state_dict()["head.weight"], source.state_dict()["head.weight"])
    assert torch.equal(model.state_dict()["neck.classifier.weight"], classifier)


def test_another_model_is_refused_even_in_part(tmp_path: Path) -> None:
    weights = tiny_recipe(tmp_path).build_model(num_classes=5).state_dict()
    model = nn.Linear(2, 2)
    with pytest.raises(ValueError, match="It is of another model"):
        load_weights(model, {f"other.{name}": tensor for name, tensor in weights.items()}, source="x", partial=True)


def test_the_configuration_says_all_that_evaluation_needs(tmp_path: Path) -> None:
    save(tmp_path / "checkpoint", tmp_path)
    config = json.loads((tmp_path / "checkpoint" / "config.json").read_text())
    assert (config["recipe"], config["step"], config["num_classes"]) == ("tiny", 3, 5)
    assert config["model"]["name"] == "Baseline"
    assert config["evaluation"]["transforms"] == [{"name": "CutColumns", "columns": None}]
    assert config["published"]["rank1"] == {"NM": 50.5}
