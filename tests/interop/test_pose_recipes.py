"""Configurations of pose models, written by hand after the descriptions of FastPoseGait's and OpenGait's files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from gaitway.cli import main
from gaitway.interop import Note, read_config, to_recipe
from gaitway.interop.opengait_config import parse
from gaitway.training.optim import build_optimizer, build_schedule
from gaitway.training.recipe import Recipe, load_recipe, resolve

CONFIGS = Path(__file__).with_name("pose_configs")
Change = Callable[[dict[str, Any]], object]


def convert(name: str, folder: Path, change: Change = lambda config: None) -> tuple[dict[str, Any], list[Note]]:
    config = parse((CONFIGS / f"{name}.yaml").read_text())
    change(config)
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    recipe, notes = to_recipe(read_config(path))
    resolve(recipe)  # every recipe that comes out is a valid one
    return recipe, notes


def texts(notes: list[Note], kind: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for note in notes:
        if note.kind == kind:
            found.setdefault(note.key, []).append(note.text)
    return found


def comparable(recipe: Recipe) -> dict[str, Any]:
    """A recipe without what has no effect on figures: words, published figures, names of losses, batches of tests."""
    values = recipe.as_dict()
    for key in ("description", "published"):
        values.pop(key, None)
    values["losses"] = list(values["losses"].values())
    values["evaluation"].pop("batch_size")
    return values


@pytest.mark.parametrize(
    ("config", "recipe"),
    [
        ("gaittr_casiab", "casia-b-pose/gaittr"),
        ("gaitgraph1_casiab", "casia-b-pose/gaitgraph1"),
        ("gaitgraph1_grew", "grew-pose/gaitgraph1"),
        ("gaitgraph2_oumvlp", "oumvlp-pose/gaitgraph2"),
    ],
)
def test_published_settings_become_the_shipped_recipes(config: str, recipe: str, tmp_path: Path) -> None:
    found, _ = convert(config, tmp_path)
    assert comparable(resolve(found)) == comparable(load_recipe(recipe))


def test_gpgait(tmp_path: Path) -> None:
    recipe, notes = convert("gpgait_grew", tmp_path)
    assert recipe["model"]["name"] == "GPGait"
    assert recipe["losses"] == {
        "triplet": {"name": "TripletLoss", "margin": 0.3, "hard": False, "weight": 1.0, "on": "before_neck"},
        "softmax": {"name": "CrossEntropyLoss", "scale": 16.0, "label_smoothing": 0.1, "weight": 0.1},
    }
    assert recipe["data"] == {"dataset": "grew", "partition": "grew", "frame_shape": [17, 3]}
    assert recipe["frames"] == {"count": "fixed", "order": "unordered", "num": 60}
    assert recipe["transforms"] == [
        {"name": "UprightSpine"},
        {"name": "RescaleCenter"},
        {"name": "InversePoses", "p": 0.01},
        {"name": "JointNoise", "std": 0.3},
        {"name": "HumanOrientedDescriptors"},
    ]
    assert recipe["evaluation"] == {
        "protocol": "grew/local",
        "distance": "euclidean",
        "transforms": [
            {"name": "UprightSpine"},
            {"name": "RescaleCenter", "center": "neck", "scale": 225},
            {"name": "HumanOrientedDescriptors"},
        ],
        "precision": "32",
    }
    assert "20000; Gaitway counts" in texts(notes, "different here")["model_cfg.SeparateBNNecks.class_num"][0]
    assert "to fill in" not in {note.kind for note in notes}  # the frames of poses are known


def test_notes_of_gaitgraph(tmp_path: Path) -> None:
    _, notes = convert("gaitgraph1_casiab", tmp_path)
    assert notes[0].text.startswith("fastposegait: ")
    different = texts(notes, "different here")
    (text,) = different["evaluator_cfg.sampler.sample_type"]
    assert text.startswith("60 frames from a random place, so that published results vary")
    assert text.endswith("takes those in the middle of a sequence")
    assert {"data_cfg.dataset_root", "data_cfg.num_workers", "evaluator_cfg.sampler.batch_size"} <= different.keys()
    renamed = texts(notes, "renamed")
    assert renamed["data_cfg.frame_threshold"] == [
        "data.min_frames = 61: shorter sequences are left out, in training and in testing"
    ]
    assert "CommonSampler is RandomSampler here" in renamed["trainer_cfg.sampler.type"]
    assert "TwoView is TwoViews here" in renamed["trainer_cfg.transform"]
    assert "not carried over" not in {note.kind for note in notes}
    defaults = texts(notes, "default")
    assert defaults["evaluator_cfg.eval_func"] == ["'identification', the default of fastposegait"]
    assert defaults["trainer_cfg.enable_float16"] == ["False, the default of fastposegait"]
    assert "evaluator_cfg.sampler.frames_num_fixed" not in defaults


def test_the_weight_of_the_contrastive_loss_is_dropped(tmp_path: Path) -> None:
    def heavier(config: dict[str, Any]) -> None:
        config["loss_cfg"]["loss_term_weight"] = 5.0

    recipe, notes = convert("gaitgraph1_casiab", tmp_path, heavier)
    assert recipe["losses"] == {"SupConLoss": {"name": "SupConLoss", "temperature": 0.01, "weight": 1.0}}
    (text,) = texts(notes, "dropped")["loss_cfg.SupConLoss.loss_term_weight"]
    assert text == "SupConLoss_Re has no such argument; the published code ignores it too"


def test_a_window_of_the_middle_of_a_sequence_is_tested(tmp_path: Path) -> None:
    recipe, _ = convert("gaitgraph1_grew", tmp_path)
    assert recipe["evaluation"]["transforms"] == [{"name": "SelectSequenceCenter", "num": 16}]  # not of 501 first
    assert recipe["evaluation"]["protocol"] == "grew"
    assert recipe["training"]["evaluate_every"] == 0
    recipe, _ = convert("gaitgraph2_oumvlp", tmp_path)
    names = [transform["name"] for transform in recipe["evaluation"]["transforms"]]
    assert names == ["SelectSequenceCenter", "NormalizeEmpty", "GaitGraphStreams"]
    assert recipe["evaluation"]["distance"] == "cosine"

    def unordered(config: dict[str, Any]) -> None:
        config["evaluator_cfg"]["sampler"]["sample_type"] = "fixed_unordered"

    recipe, notes = convert("gaitgraph2_oumvlp", tmp_path, unordered)
    assert recipe["evaluation"]["transforms"][0]["name"] == "NormalizeEmpty"
    (text,) = texts(notes, "not carried over")["evaluator_cfg.sampler.sample_type"]
    assert text == "fixed_unordered tests random frames of a sequence; Gaitway tests whole sequences"


def test_every_argument_of_a_one_cycle_schedule(tmp_path: Path) -> None:
    def other(config: dict[str, Any]) -> None:
        config["scheduler_cfg"] |= {"anneal_strategy": "linear", "cycle_momentum": False, "gamma": 0.1}

    recipe, notes = convert("gaittr_casiab", tmp_path, other)
    assert recipe["schedule"] == {
        "name": "OneCycleLR",
        "max_lr": 0.001,
        "total_steps": 40000,
        "three_phase": True,
        "div_factor": 100,
        "final_div_factor": 1000,
        "pct_start": 0.475,
        "anneal_strategy": "linear",
        "cycle_momentum": False,
    }
    assert texts(notes, "dropped")["scheduler_cfg.gamma"][0].startswith("OneCycleLR has no such argument")
    resolved = resolve(convert("gaittr_casiab", tmp_path)[0])
    optimizer = build_optimizer(resolved.optimizer, [torch.nn.Parameter(torch.zeros(1))])
    build_schedule(resolved.schedule, optimizer)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.001 / 100)
    assert optimizer.param_groups[0]["betas"] == (pytest.approx(0.95), 0.999)
    assert optimizer.param_groups[0]["weight_decay"] == 2e-5


def test_what_fastposegait_takes_for_granted(tmp_path: Path) -> None:
    def silent(config: dict[str, Any]) -> None:
        config["scheduler_cfg"] = {}
        config["optimizer_cfg"] = {"solver": "Adam"}
        for key in ("sync_BN", "enable_float16", "total_iter"):
            del config["trainer_cfg"][key]
        config["trainer_cfg"]["total_iter"] = 20000
        del config["evaluator_cfg"]["eval_func"]

    recipe, _ = convert("gaittr_casiab", tmp_path, silent)
    assert recipe["schedule"] == {"name": "OneCycleLR", "max_lr": 0.01, "total_steps": 20000}
    assert recipe["optimizer"] == {"name": "Adam", "lr": 0.1, "weight_decay": 0.0005}
    assert recipe["training"]["sync_batch_norm"]
    assert recipe["training"]["precision"] == "32"
    assert recipe["evaluation"]["protocol"] == "casia-b"


def test_a_schedule_that_ends_before_the_training(tmp_path: Path) -> None:
    def shorter(config: dict[str, Any]) -> None:
        config["scheduler_cfg"]["total_steps"] = 100

    with pytest.raises(ValueError, match="OneCycleLR ends after schedule.total_steps = 100"):
        convert("gaittr_casiab", tmp_path, shorter)


def test_opengait_takes_joints_relative_to_the_nose(tmp_path: Path) -> None:
    recipe, notes = convert("gaittr_oumvlp_opengait", tmp_path)
    assert notes[0].text.startswith("opengait: ")
    streams = {"name": "GaitTRStreams", "center": "nose"}
    assert recipe["transforms"] == [{"name": "MirrorPoses", "p": 0.5}, {"name": "InversePoses", "p": 0.1}, streams]
    assert recipe["evaluation"]["transforms"] == [streams]
    assert "MirrorPoses has no such argument" in texts(notes, "dropped")["trainer_cfg.transform.probability"][0]
    assert recipe["data"]["frame_shape"] == [18, 3]
    assert "min_frames" not in recipe["data"]
    assert texts(notes, "dropped")["data_cfg.frame_threshold"] == ["the published code ignores it too"]
    assert not recipe["training"]["sync_batch_norm"]


def test_17_joints_of_oumvlp_are_to_be_made(tmp_path: Path) -> None:
    def of_17(config: dict[str, Any]) -> None:
        config["model_cfg"]["joint_format"] = "coco"

    recipe, notes = convert("gaitgraph2_oumvlp", tmp_path, of_17)
    assert recipe["data"]["frame_shape"] == [17, 3]
    (text,) = texts(notes, "to fill in")[""]
    assert text.endswith("prepare OUMVLP-Pose, which has 18, with --joints coco17")
    different = texts(notes, "different here")
    assert different["trainer_cfg.transform"] == [
        "InversePosesPre takes alphapose joints, the model coco17; Gaitway goes by the number of joints",
        "GaitGraph_MultiInput takes alphapose joints, the model coco17; Gaitway goes by the number of joints",
    ]


def test_the_command_writes_the_recipe(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "recipe.yaml"
    assert main(["import", "recipe", str(CONFIGS / "gaitgraph2_oumvlp.yaml"), str(out)]) == 0
    assert comparable(load_recipe(str(out))) == comparable(load_recipe("oumvlp-pose/gaitgraph2"))
    assert "30 frames from a random place" in " ".join(capsys.readouterr().out.split())
