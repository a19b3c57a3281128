"""`gaitway import checkpoint` and `gaitway import recipe`, as a user types them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from gaitway.cli import main
from gaitway.interop import import_model
from gaitway.training.checkpoint import load_model
from gaitway.training.recipe import load_recipe
from tests.conftest import MakeStore
from tests.interop.files import BASELINE, GAITSET, GAITSET_CFG, baseline_cfg, baseline_state, gaitset_state, save
from tests.interop.test_checkpoint_file import Attack
from tests.training.tiny import CONDITIONS


def published_yaml(folder: Path, **sections: Any) -> Path:
    path = folder / "published.yaml"
    path.write_text(yaml.safe_dump({"model_cfg": GAITSET_CFG, **sections}))
    return path


def own_recipe(folder: Path, model: dict[str, Any]) -> Path:
    values = {**load_recipe("casia-b/gaitset").as_dict(), "model": model}
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


@pytest.mark.parametrize("published", [True, False])
def test_a_checkpoint_becomes_a_folder_that_loads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], published: bool
) -> None:
    file, out = save(tmp_path / "GaitSet-40000.pt", gaitset_state()), tmp_path / "imported"
    recipe = published_yaml(tmp_path) if published else own_recipe(tmp_path, GAITSET)
    assert main(["import", "checkpoint", str(file), "--recipe", str(recipe), str(out)]) == 0
    assert "Imported GaitSet with 1,140 parameters into" in capsys.readouterr().out
    assert {path.name for path in out.iterdir()} == {"model.safetensors", "config.json"}
    config = json.loads((out / "config.json").read_text())
    assert config["step"] == 40000
    assert config["model"] == GAITSET
    assert config["evaluation"]["protocol"] == "casia-b"
    frames = torch.rand(2, 3, 16, 16)
    expected = import_model(file, GAITSET).model(frames)
    torch.testing.assert_close(load_model(out)(frames).embeddings, expected.embeddings, rtol=0, atol=0)


def test_an_imported_checkpoint_is_evaluated(tmp_path: Path, make_store: MakeStore) -> None:
    store = make_store(num_subjects=5, conditions=CONDITIONS, dataset="casia-b")
    split = tmp_path / "split.json"
    split.write_text(json.dumps({"TRAIN_SET": ["001", "002"], "TEST_SET": ["003", "004", "005"]}))
    file, out = save(tmp_path / "x.pt", gaitset_state()), tmp_path / "imported"
    recipe = published_yaml(tmp_path, data_cfg={"dataset_partition": str(split)})
    assert main(["import", "checkpoint", str(file), "--recipe", str(recipe), str(out)]) == 0
    results = tmp_path / "results"
    arguments = ["--data", str(store.path), "--accelerator", "cpu", "--out", str(results)]
    assert main(["evaluate", str(out), *arguments]) == 0
    assert any(results.rglob("*.json"))


def test_the_order_of_batch_norm_is_an_option_and_stated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = save(tmp_path / "Baseline-60000.pt", baseline_state())
    recipe = own_recipe(tmp_path, BASELINE)
    variances = {}
    for order in ("part-major", "channel-major", "auto"):
        out = tmp_path / order
        options = ["--recipe", str(recipe), "--bn-order", order]
        assert main(["import", "checkpoint", str(file), *options, str(out)]) == 0
        variances[order] = load_model(out).state_dict()["neck.bn.running_var"]
        assert ("Channels of the BN neck: " in capsys.readouterr().out) == (order == "auto")
    assert not torch.equal(variances["part-major"], variances["channel-major"])


def failing(arguments: list[str], capsys: pytest.CaptureFixture[str], folder: Path) -> str:
    """The message of a command that must fail and leave the folder as it was."""
    before = {path.name for path in folder.iterdir()}
    assert main(["import", *arguments]) == 2
    assert {path.name for path in folder.iterdir()} == before
    printed = capsys.readouterr()
    assert "Traceback" not in printed.err
    return printed.err


def test_checkpoints_that_do_not_fit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "out")
    other = save(tmp_path / "other.pt", gaitset_state())
    baseline_recipe = str(own_recipe(tmp_path, BASELINE))
    message = failing(["checkpoint", str(other), "--recipe", baseline_recipe, out], capsys, tmp_path)
    assert "it holds a GaitSet; give the recipe of that model" in message

    wider = save(tmp_path / "HID.pt", baseline_state(widths=(3, 4, 5), num_classes=500))
    published = str(published_yaml(tmp_path, model_cfg=baseline_cfg(num_classes=74)))
    message = failing(["checkpoint", str(wider), "--recipe", published, out], capsys, tmp_path)
    assert "channels [3, 4, 5] in the file, [3, 4] expected; classes 500 in the file, 74 expected" in message


def test_a_malicious_checkpoint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"model": {"x": Attack(tmp_path / "it ran")}}, tmp_path / "x.pt")
    recipe = str(own_recipe(tmp_path, GAITSET))
    message = failing(
        ["checkpoint", str(tmp_path / "x.pt"), "--recipe", recipe, str(tmp_path / "out")], capsys, tmp_path
    )
    assert "nothing was run" in message


def test_nothing_is_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, out = save(tmp_path / "x.pt", gaitset_state()), tmp_path / "out"
    out.mkdir()
    for arguments in (
        ["checkpoint", str(file), "--recipe", str(own_recipe(tmp_path, GAITSET)), str(out)],
        ["recipe", str(published_yaml(tmp_path)), str(out)],
    ):
        assert "exists already; choose another name or remove it" in failing(arguments, capsys, tmp_path)


def test_recipes_that_cannot_be_imported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "out.yaml")
    unknown = str(published_yaml(tmp_path, model_cfg={"model": "SwinGait"}))
    assert "Gaitway has no 'SwinGait' yet" in failing(["recipe", unknown, out], capsys, tmp_path)
    ours = str(own_recipe(tmp_path, GAITSET))
    assert "Gaitway's own recipes need no import" in failing(["recipe", ours, out], capsys, tmp_path)
    assert "is not a file" in failing(["recipe", str(tmp_path / "none.yaml"), out], capsys, tmp_path)


def test_an_imported_recipe_trains(tmp_path: Path, make_store: MakeStore, capsys: pytest.CaptureFixture[str]) -> None:
    store = make_store(conditions=CONDITIONS, dataset="casia-b")
    split = tmp_path / "split.json"
    split.write_text(json.dumps({"TRAIN_SET": ["001", "002"], "TEST_SET": ["003", "004"]}))
    sampler = {"batch_size": [2, 2], "frames_num_fixed": 3}
    published = published_yaml(
        tmp_path,
        data_cfg={"dataset_partition": str(split), "dataset_root": "your_path"},
        trainer_cfg={"total_iter": 2, "log_iter": 1, "enable_float16": False, "sampler": sampler},
    )
    out, run = tmp_path / "imported.yaml", tmp_path / "run"
    assert main(["import", "recipe", str(published), str(out)]) == 0
    table = capsys.readouterr().out
    for expected in ("dialect", "to fill in", "data_cfg.dataset_root", "CutColumns", "default"):
        assert expected in table
    assert load_recipe(str(out)).training.steps == 2
    assert main(["train", str(out), "--data", str(store.path), "--run", str(run), "--accelerator", "cpu"]) == 0
    assert load_model(run)(torch.rand(1, 2, 64, 44)).embeddings.shape == (1, 14, 5)


def test_a_protocol_that_is_not_there_yet_is_pointed_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    published = published_yaml(tmp_path, data_cfg={"test_dataset_name": "FVG"})
    assert main(["import", "recipe", str(published), str(tmp_path / "out.yaml")]) == 0
    assert "no protocol 'fvg' yet" in " ".join(capsys.readouterr().out.split())
