"""Published files of GaitHeat, written here from the layout's description."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from gaitway.interop import import_model, model_from_config
from gaitway.interop.published import PUBLISHED_MODELS
from gaitway.models import GaitHeat
from tests.interop.files import State, save
from tests.interop.published.test_gaitbase import gaitbase_cfg, gaitbase_state, norm

PARTS, CHANNELS = 16, (2, 3, 4, 5)


def block(name: str, before: int, width: int) -> State:
    state = {f"{name}.conv1.weight": torch.randn(width, before, 3, 3)}
    state |= {f"{name}.conv2.weight": torch.randn(width, width, 3, 3), **norm(f"{name}.bn1", width)}
    state |= norm(f"{name}.bn2", width)
    if before != width:
        state |= {
            f"{name}.downsample.0.weight": torch.randn(width, before, 1, 1),
            **norm(f"{name}.downsample.1", width),
        }
    return state


def gaitheat_state(num_classes: int = 6, second: int = 1) -> State:
    """With `second` blocks in the second stage."""
    torch.manual_seed(0)
    prefix = "Backbone1.forward_block."
    state = {f"{prefix}conv1.conv.weight": torch.randn(2, 1, 3, 3), **norm(f"{prefix}bn1", 2)}
    state |= block(f"{prefix}layer1.0", 2, 2)
    for stage in (2, 3, 4):
        for suffix in ("", "_fusion"):
            for i in range(second if stage == 2 else 1):
                name = f"Backbone{stage}{suffix}.forward_block.layer{stage}.{i}"
                state |= block(name, CHANNELS[stage - 2 if i == 0 else stage - 1], CHANNELS[stage - 1])
    for branch in ("part", "global", "fusion"):
        state |= {
            f"FCs_{branch}.fc_bin": torch.randn(PARTS, 5, 7),
            f"BNNecks_{branch}.fc_bin": torch.randn(16, 7, num_classes),
        }
        state |= norm(f"BNNecks_{branch}.bn1d", 7 * PARTS)
    return state


def gaitheat_cfg(num_classes: int = 6, **backbone: Any) -> dict[str, Any]:
    given = {"type": "ResNet9", "in_channel": 1, "block": "BasicBlock", "channels": list(CHANNELS)}
    given |= {"layers": [1, 1, 1, 1], "strides": [1, 2, 2, 1], "maxpool": False, **backbone}
    return {
        "model": "GaitHeat",
        "backbone_cfg": given,
        "SeparateFCs": {"in_channels": 5, "out_channels": 7, "parts_num": PARTS},
        "SeparateBNNecks": {"class_num": num_classes, "in_channels": 7, "parts_num": PARTS},
        "bin_num": [16],
    }


def test_a_published_file(tmp_path: Path) -> None:
    state = gaitheat_state(num_classes=11)
    assert len(state) == 147
    component = {key: value for key, value in model_from_config(gaitheat_cfg()).items() if key != "num_classes"}
    imported = import_model(save(tmp_path / "x.pt", state), component, bn_order="channel-major")
    assert isinstance(imported.model, GaitHeat)
    assert imported.num_classes == 11
    found = imported.model.state_dict()
    assert len(found) == len(state)
    for ours, theirs in {
        "stem.norm.running_var": "Backbone1.forward_block.bn1.running_var",
        "stages.2.0.conv1.conv.weight": "Backbone3.forward_block.layer3.0.conv1.weight",
        "fusions.0.0.shortcut.norm.bias": "Backbone2_fusion.forward_block.layer2.0.downsample.1.bias",
        "heads.global.weight": "FCs_global.fc_bin",
        "necks.part.bn.running_mean": "BNNecks_part.bn1d.running_mean",
        "necks.fusion.classifier.weight": "BNNecks_fusion.fc_bin",
    }.items():
        assert torch.equal(found[ours], state[theirs])


@pytest.mark.parametrize(
    ("state", "config", "message"),
    [
        (gaitheat_state(second=2), gaitheat_cfg(), r"blocks per stage \[1, 2, 1, 1\] in the file, \[1, 1, 1, 1\]"),
        (gaitheat_state(num_classes=7), gaitheat_cfg(), "classes 7 in the file, 6 expected"),
        (gaitbase_state(), gaitheat_cfg(), "it holds a GaitBase; give the recipe of that model"),
        (gaitheat_state(), gaitbase_cfg(), "it holds a GaitHeat; give the recipe of that model"),
    ],
)
def test_a_file_of_something_else(tmp_path: Path, state: State, config: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        import_model(save(tmp_path / "x.pt", state), model_from_config(config))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"maxpool": True}, "maxpool is True"),
        ({"in_channel": 17}, "in_channel is 17"),
        ({"strides": [1] * 4}, "strides is"),
    ],
)
def test_configurations_that_are_not_our_model(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        model_from_config(gaitheat_cfg(**change))


def test_losses_work_on_the_output_that_they_are_named_after() -> None:
    output_of = PUBLISHED_MODELS["GaitHeat"].output_of
    component = model_from_config(gaitheat_cfg())
    assert output_of(component, "part_triplet", "TripletLoss") == "part"
    assert output_of(component, "fusion_triplet", "TripletLoss") == "fusion"
    assert output_of(component, "global_softmax", "CrossEntropyLoss") == "global_logits"
    assert output_of(component, "fusion_softmax", "CrossEntropyLoss") == "logits"
    assert output_of(component, "triplet", "TripletLoss") is None
