"""Recipes: every shipped one resolves, and every mistake is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from gaitway.training.recipe import list_recipes, load_recipe, recipe_text, resolve


@pytest.fixture
def values() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(recipe_text("casia-b/baseline"))
    return loaded


@pytest.mark.parametrize("name", list_recipes())
def test_shipped_recipes_resolve_build_and_round_trip(name: str, tmp_path: Path) -> None:
    recipe = load_recipe(name)
    assert recipe.description.endswith(".")
    assert recipe.build_losses(num_classes=2)
    assert recipe.build_transforms()
    assert len(recipe.build_evaluation_transforms()) == len(recipe.evaluation.transforms)
    assert callable(recipe.build_sampler())
    file = tmp_path / "recipe.yaml"
    file.write_text(recipe.to_yaml())
    assert load_recipe(str(file)) == recipe


def test_the_published_hyperparameters_of_gaitset() -> None:
    recipe = load_recipe("casia-b/gaitset")
    assert recipe.optimizer.arguments["weight_decay"] == 0.0005
    assert recipe.schedule.arguments == {"milestones": [10000, 20000, 30000], "gamma": 0.1}
    assert (recipe.sampler.arguments["num_subjects"], recipe.sampler.arguments["num_sequences"]) == (8, 16)
    assert recipe.training.steps == 40000
    assert recipe.published is not None
    assert recipe.published.rank1 == {"NM": 95.8, "BG": 90.0, "CL": 75.4}
    assert sum(p.numel() for p in recipe.build_model(num_classes=74).parameters()) == 2_594_592


def test_resolved_recipes_hold_the_defaults(values: dict[str, Any]) -> None:
    assert resolve(values).as_dict()["optimizer"]["nesterov"] is False
    assert resolve(values).as_dict()["frames"]["skip"] == 0


@pytest.mark.parametrize(
    ("override", "path", "expected"),
    [
        ("training.steps=500", ["training", "steps"], 500),
        ("steps=500", ["training", "steps"], 500),
        ("lr=0.01", ["optimizer", "lr"], 0.01),
        ("losses.softmax.weight=0.5", ["losses", "softmax", "weight"], 0.5),
        ("milestones=[10, 20]", ["schedule", "milestones"], [10, 20]),
        ("evaluation.precision=bf16", ["evaluation", "precision"], "bf16"),
    ],
)
def test_overrides(override: str, path: list[str], expected: object) -> None:
    found: Any = load_recipe("casia-b/baseline", [override]).as_dict()
    for key in path:
        found = found[key]
    assert found == expected


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("stps=5", r"key 'stps' is unknown \(did you mean 'steps'\?\)"),
        ("weight=2", "ambiguous: losses.triplet.weight, losses.softmax.weight"),
        ("steps", "write key=value"),
        ("steps=many", "training: .*steps"),
        ("precision=fp8", "ambiguous"),
        ("training.precision=fp8", "training: .*precision"),
        ("sampler.num_subjects=three", "sampler: .*num_subjects"),
    ],
)
def test_bad_overrides_are_named(override: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_recipe("casia-b/baseline", [override])


@pytest.mark.parametrize(
    ("where", "key", "message"),
    [
        ([], "optimiser", r"unknown key 'optimiser' \(did you mean 'optimizer'\?\)"),
        (["optimizer"], "momentun", r"unknown key 'optimizer.momentun' \(did you mean 'momentum'\?\)"),
        (["losses", "triplet"], "margn", r"unknown key 'losses.triplet.margn' \(did you mean 'margin'\?\)"),
        (["training"], "sync_bn", "unknown key 'training.sync_bn'"),
        (["model"], "num_classes", "unknown key 'model.num_classes'"),
    ],
)
def test_misspelt_keys_name_the_nearest(values: dict[str, Any], where: list[str], key: str, message: str) -> None:
    section = values
    for part in where:
        section = section[part]
    section[key] = 1
    with pytest.raises(ValueError, match=message):
        resolve(values)


def test_unknown_components_name_the_nearest(values: dict[str, Any]) -> None:
    values["model"]["name"] = "BaseLine"
    with pytest.raises(ValueError, match=r"model.name: no 'BaseLine' \(did you mean 'Baseline'\?\)"):
        resolve(values)


def test_missing_sections_are_named(values: dict[str, Any]) -> None:
    del values["schedule"]
    with pytest.raises(ValueError, match="section 'schedule' is missing"):
        resolve(values)


def test_a_file_that_is_no_yaml(tmp_path: Path) -> None:
    file = tmp_path / "broken.yaml"
    file.write_text("model: {name: GaitSet")
    with pytest.raises(ValueError, match="not valid YAML"):
        load_recipe(str(file))


@pytest.mark.parametrize("section", ["transforms", "evaluation"])
def test_frames_are_cut_once(values: dict[str, Any], section: str) -> None:
    values["data"]["frame_shape"] = [64, 44]
    with pytest.raises(ValueError, match=r"frames of 64 × 44 .* are cut already, and CutColumns would cut them again"):
        resolve(values)
    if section == "transforms":
        values["evaluation"]["transforms"] = [{"name": "Scale"}]
    else:
        values["transforms"] = [{"name": "Scale"}]
    with pytest.raises(ValueError, match="use Scale in its place"):
        resolve(values)
    values["transforms"] = values["evaluation"]["transforms"] = [{"name": "Scale"}]
    assert resolve(values).data.frame_shape == [64, 44]


def test_poses_are_not_taken_for_frames_that_are_cut(values: dict[str, Any]) -> None:
    values["data"]["frame_shape"] = [17, 3]
    values["transforms"] = [{"name": "SkeletonMaps"}, {"name": "CutColumns"}]
    assert resolve(values).data.frame_shape == [17, 3]


def test_no_sequence_has_less_than_one_frame(values: dict[str, Any]) -> None:
    values["data"]["min_frames"] = 0
    with pytest.raises(ValueError, match="data.min_frames is 0, expected at least 1"):
        resolve(values)


def test_a_schedule_of_known_length_is_as_long_as_the_training(values: dict[str, Any]) -> None:
    values["schedule"] = {"name": "OneCycleLR", "max_lr": 0.1, "total_steps": 7}
    with pytest.raises(ValueError, match="training.steps is 60000, but OneCycleLR ends after schedule.total_steps = 7"):
        resolve(values)
    values["schedule"]["total_steps"] = 60000
    assert resolve(values).schedule.arguments["max_lr"] == 0.1
