"""Published files and configurations of SkeletonGait, which are those of DeepGaitV2 on two channels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from gaitway.interop import import_model, model_from_config, read_config, to_recipe
from gaitway.models import SkeletonGait
from gaitway.training.recipe import resolve
from tests.interop.files import State, save
from tests.interop.published.test_gaitbase import deep_cfg, deep_state


def skeletongait_state(layers: tuple[int, ...] = (1, 2, 1, 1), num_classes: int = 6) -> State:
    stem = {"layer0.forward_block.0.weight": torch.randn(2, 2, 3, 3)}
    return deep_state("p3d", layers, num_classes) | stem


def skeletongait_cfg(layers: tuple[int, ...] = (1, 2, 1, 1), **more: Any) -> dict[str, Any]:
    config = deep_cfg("p3d", layers)
    return {**config, "Backbone": {**config["Backbone"], "in_channels": 2}, **more}


def without_classes(config: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in model_from_config(config).items() if key != "num_classes"}


@pytest.mark.parametrize("after_neck", [False, True])
@pytest.mark.parametrize("layers", [(1, 1, 1, 1), (1, 4, 4, 1)])
def test_a_published_file_of_each_variant(tmp_path: Path, layers: tuple[int, ...], after_neck: bool) -> None:
    state = skeletongait_state(layers, num_classes=11)
    component = without_classes(skeletongait_cfg(layers, use_emb2=after_neck))
    imported = import_model(save(tmp_path / "x.pt", state), component, bn_order="channel-major")
    assert isinstance(imported.model, SkeletonGait)
    assert imported.model.embed_after_neck == after_neck
    assert imported.num_classes == 11
    found = imported.model.state_dict()
    assert len(found) == len(state)
    assert torch.equal(found["backbone.stem.conv.weight"], state["layer0.forward_block.0.weight"])
    kernel = state["layer3.0.shortcut3d.weight"]
    assert torch.equal(found["backbone.stages.2.0.temporal.conv.weight"], kernel.flatten(3))


@pytest.mark.parametrize(
    ("state", "config", "message"),
    [
        (deep_state("p3d"), skeletongait_cfg(), "it holds a DeepGaitV2; give the recipe of that model"),
        (skeletongait_state(), deep_cfg("p3d"), "it holds a SkeletonGait; give the recipe of that model"),
        (skeletongait_state(), skeletongait_cfg((1, 1, 1, 1)), r"blocks per stage \[1, 2, 1, 1\] in the file"),
    ],
)
def test_a_file_of_something_else(tmp_path: Path, state: State, config: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        import_model(save(tmp_path / "x.pt", state), model_from_config(config))


def test_other_modes_are_refused() -> None:
    config = deep_cfg("3d")
    with pytest.raises(ValueError, match="Backbone.mode is 3d, expected p3d"):
        model_from_config({**config, "Backbone": {**config["Backbone"], "in_channels": 2}})


@pytest.mark.parametrize("after_neck", [False, True])
def test_a_published_configuration_becomes_a_recipe_that_draws_the_maps(tmp_path: Path, after_neck: bool) -> None:
    losses = [
        {"type": "TripletLoss", "log_prefix": "triplet", "margin": 0.2, "loss_term_weight": 1.0},
        {"type": "CrossEntropyLoss", "log_prefix": "softmax", "scale": 16, "loss_term_weight": 1.0},
    ]
    cut = [{"type": "BaseSilCuttingTransform"}]
    sections = {
        "model_cfg": skeletongait_cfg(use_emb2=after_neck),
        "loss_cfg": losses,
        "trainer_cfg": {"transform": cut},
        "evaluator_cfg": {"transform": cut},
    }
    path = tmp_path / "published.yaml"
    path.write_text(yaml.safe_dump(sections))
    recipe, _ = to_recipe(read_config(path))
    for transforms in (recipe["transforms"], recipe["evaluation"]["transforms"]):
        assert transforms == [{"name": "SkeletonMaps"}, {"name": "CutColumns"}]
    resolved = resolve(recipe)
    assert resolved.losses["triplet"].arguments["on"] == ("before_neck" if after_neck else "embeddings")
    assert resolved.losses["softmax"].arguments["on"] == "logits"
