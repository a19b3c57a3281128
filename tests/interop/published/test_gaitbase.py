"""Published files of GaitBase and DeepGaitV2, written here from the layouts' description."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from gaitway.interop import import_model, model_from_config
from gaitway.models import DeepGaitV2, GaitBase
from gaitway.nn.residual import Mode
from tests.interop.files import BASELINE, State, baseline_cfg, baseline_state, save

PARTS, CHANNELS = 16, (2, 3, 4, 5)


def norm(name: str, width: int) -> State:
    fields = ("weight", "bias", "running_mean", "running_var")
    tensors = {f"{name}.{field}": torch.rand(width) + 0.5 for field in fields}
    return {**tensors, f"{name}.num_batches_tracked": torch.tensor(9)}


def head(num_classes: int) -> State:
    state = {"FCs.fc_bin": torch.randn(PARTS, 5, 256), "BNNecks.fc_bin": torch.randn(PARTS, 256, num_classes)}
    return {**state, **norm("BNNecks.bn1d", 256 * PARTS)}


def gaitbase_state(num_classes: int = 6) -> State:
    torch.manual_seed(0)
    prefix = "Backbone.forward_block."
    state = {f"{prefix}conv1.conv.weight": torch.randn(2, 1, 3, 3), **norm(f"{prefix}bn1", 2)}
    for stage, (before, width) in enumerate(zip((2, *CHANNELS), CHANNELS, strict=False), 1):
        name = f"{prefix}layer{stage}.0"
        state[f"{name}.conv1.weight"] = torch.randn(width, before, 3, 3)
        state[f"{name}.conv2.weight"] = torch.randn(width, width, 3, 3)
        state |= norm(f"{name}.bn1", width) | norm(f"{name}.bn2", width)
        if stage > 1:
            state[f"{name}.downsample.0.weight"] = torch.randn(width, before, 1, 1)
            state |= norm(f"{name}.downsample.1", width)
    return state | head(num_classes)


def gaitbase_cfg(num_classes: int = 6) -> dict[str, Any]:
    backbone = {"type": "ResNet9", "block": "BasicBlock", "channels": list(CHANNELS), "layers": [1, 1, 1, 1]}
    return {
        "model": "Baseline",
        "backbone_cfg": {**backbone, "strides": [1, 2, 2, 1], "maxpool": False},
        "SeparateFCs": {"in_channels": 5, "out_channels": 256, "parts_num": PARTS},
        "SeparateBNNecks": {"class_num": num_classes, "in_channels": 256, "parts_num": PARTS},
        "bin_num": [16],
    }


def deep_state(mode: Mode, layers: tuple[int, ...] = (1, 2, 1, 1), num_classes: int = 6) -> State:
    torch.manual_seed(0)
    state = {"layer0.forward_block.0.weight": torch.randn(2, 1, 3, 3), **norm("layer0.forward_block.1", 2)}
    for stage, (before, width) in enumerate(zip((2, *CHANNELS), CHANNELS, strict=False), 1):
        form: Mode = "2d" if stage == 1 else mode
        for i in range(layers[stage - 1]):
            name = f"layer{stage}.{'forward_block.' * (form == '2d')}{i}"
            kernel = (3, 3, 3) if form == "3d" else (3, 3)
            for j, given in ((1, before if i == 0 else width), (2, width)):
                inner = f"{name}.conv{j}.forward_block" if form == "p3d" else ""
                state[f"{inner}.0.weight" if inner else f"{name}.conv{j}.weight"] = torch.randn(width, given, *kernel)
                state |= norm(f"{inner}.1" if inner else f"{name}.bn{j}", width)
            if form == "p3d":
                state[f"{name}.shortcut3d.weight"] = torch.randn(width, width, 3, 1, 1)
                state |= norm(f"{name}.sbn", width)
            if stage > 1 and i == 0:
                pixel = (1, 1) if form == "2d" else (1, 1, 1)
                state[f"{name}.downsample.0.weight"] = torch.randn(width, before, *pixel)
                state |= norm(f"{name}.downsample.1", width)
    return state | head(num_classes)


def deep_cfg(mode: Mode, layers: tuple[int, ...] = (1, 2, 1, 1), num_classes: int = 6) -> dict[str, Any]:
    backbone = {"mode": mode, "in_channels": 1, "layers": list(layers), "channels": list(CHANNELS)}
    return {"model": "DeepGaitV2", "Backbone": backbone, "SeparateBNNecks": {"class_num": num_classes}}


def without_classes(config: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in model_from_config(config).items() if key != "num_classes"}


def test_gaitbase_takes_the_class_count_of_the_file(tmp_path: Path) -> None:
    state = gaitbase_state(num_classes=11)
    assert len(state) == 79
    imported = import_model(save(tmp_path / "x.pt", state), without_classes(gaitbase_cfg()), bn_order="channel-major")
    assert isinstance(imported.model, GaitBase)
    assert imported.num_classes == 11
    found = imported.model.state_dict()
    assert len(found) == len(state)
    prefix = "Backbone.forward_block."
    assert torch.equal(found["backbone.stem.norm.running_var"], state[f"{prefix}bn1.running_var"])
    assert torch.equal(found["backbone.stages.2.0.conv2.norm.bias"], state[f"{prefix}layer3.0.bn2.bias"])
    assert torch.equal(
        found["backbone.stages.1.0.shortcut.conv.weight"], state[f"{prefix}layer2.0.downsample.0.weight"]
    )


@pytest.mark.parametrize("mode", ["2d", "p3d", "3d"])
def test_deepgaitv2_of_each_mode(tmp_path: Path, mode: Mode) -> None:
    state = deep_state(mode, num_classes=11)
    imported = import_model(save(tmp_path / "x.pt", state), without_classes(deep_cfg(mode)), bn_order="channel-major")
    assert isinstance(imported.model, DeepGaitV2)
    assert imported.num_classes == 11
    found = imported.model.state_dict()
    assert len(found) == len(state)
    assert torch.equal(found["backbone.stem.conv.weight"], state["layer0.forward_block.0.weight"])
    if mode == "p3d":
        kernel = state["layer2.1.shortcut3d.weight"]
        assert torch.equal(found["backbone.stages.1.1.temporal.conv.weight"], kernel.flatten(3))
        shortcut = state["layer3.0.downsample.0.weight"]
        assert torch.equal(found["backbone.stages.2.0.shortcut.conv.weight"], shortcut.squeeze(2))


def test_tensor_counts_of_the_published_layouts() -> None:
    assert len(deep_state("p3d", (1, 1, 1, 1))) == 97
    assert len(deep_state("p3d", (1, 4, 4, 1))) == 205


@pytest.mark.parametrize(
    ("state", "config", "message"),
    [
        (deep_state("3d"), deep_cfg("p3d"), "mode 3d in the file, p3d expected"),
        (
            deep_state("p3d"),
            deep_cfg("p3d", (1, 4, 4, 1)),
            r"blocks per stage \[1, 2, 1, 1\] in the file, \[1, 4, 4, 1\]",
        ),
        (gaitbase_state(), deep_cfg("p3d"), "it holds a GaitBase; give the recipe of that model"),
        (deep_state("2d"), gaitbase_cfg(), "it holds a DeepGaitV2; give the recipe of that model"),
        (baseline_state(), gaitbase_cfg(), "it holds a Baseline; give the recipe of that model"),
        (gaitbase_state(num_classes=7), gaitbase_cfg(), "classes 7 in the file, 6 expected"),
    ],
)
def test_a_file_of_something_else(tmp_path: Path, state: State, config: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        import_model(save(tmp_path / "x.pt", state), model_from_config(config))


def test_the_backbone_decides_what_a_published_baseline_is() -> None:
    assert model_from_config(gaitbase_cfg())["name"] == "GaitBase"
    assert model_from_config(baseline_cfg()) == {**BASELINE, "num_classes": 6}


@pytest.mark.parametrize(
    ("config", "change", "message"),
    [
        (gaitbase_cfg(), {"backbone_cfg": {**gaitbase_cfg()["backbone_cfg"], "maxpool": True}}, "maxpool is True"),
        (gaitbase_cfg(), {"bin_num": [16, 8]}, "parts_num is 16, expected 24"),
        (deep_cfg("p3d"), {"use_emb2": True}, "use_emb2 is True, expected False"),
    ],
)
def test_configurations_that_are_not_our_model(config: dict[str, Any], change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        model_from_config({**config, **change})
