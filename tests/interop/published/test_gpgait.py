"""The published files of GPGait and GPGait++, written here from the layouts' description."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from gaitway.cli import main
from gaitway.interop import import_model, model_from_config, read_config, to_recipe
from gaitway.models import create_model
from gaitway.training.checkpoint import load_model
from tests.interop.files import State, baseline_state, save

CASIAB = (64, 64, 128, 256)
GAIT3D = (64, 64, 128, 128, 256)
GREW = (64, 128, 128, 128, 128, 256, 256)
SMALL = (8, 8, 12, 12)
STACKS = {17: ("part_2", "part_2_2", "part_3_1", "backbone"), 12: ("part_2", "backbone")}


def norm_of(name: str, size: int) -> State:
    fields = {field: torch.rand(size) + 0.5 for field in ("weight", "bias", "running_mean", "running_var")}
    return {f"{name}.{field}": values for field, values in fields.items()} | {
        f"{name}.num_batches_tracked": torch.tensor(3)
    }


def convolution_of(name: str, *shape: int) -> State:
    return {f"{name}.weight": torch.randn(shape), f"{name}.bias": torch.randn(shape[0])}


def attention_of(name: str, before: int, after: int, joints: int) -> State:
    state = {f"{name}.PA": torch.randn(3, joints, joints)} | norm_of(f"{name}.bn", after)
    for kind, width in (("a", after // 4), ("b", after // 4), ("d", after)):
        for i in range(3):
            state |= convolution_of(f"{name}.conv_{kind}.{i}", width, before, 1, 1)
    return state


def layer_of(name: str, before: int, after: int, joints: int, plus_plus: bool) -> State:
    if not plus_plus:
        state = attention_of(f"{name}.asg", before, after, joints)
        if before != after:
            state |= convolution_of(f"{name}.residual_s.0", after, before, 1, 1)
            state |= norm_of(f"{name}.residual_s.1", after)
        return state
    half, third = after // 2, after // 3
    rest = after - 2 * third - 1
    state = attention_of(f"{name}.asg", before, half, joints)
    state |= convolution_of(f"{name}.residual.0", after - half, before, 1, 1)
    state |= norm_of(f"{name}.residual.1", after - half)
    state |= convolution_of(f"{name}.tcn.conv", third + 1, after, 9, 1) | norm_of(f"{name}.tcn.bn", third + 1)
    state |= convolution_of(f"{name}.residual_s.0", third, after, 1, 1) | norm_of(f"{name}.residual_s.1", third)
    return state | convolution_of(f"{name}.down.conv", rest, before, 1, 1) | norm_of(f"{name}.down.bn", rest)


def state_of(
    channels: Sequence[int] = SMALL, *, shared: int = 3, plus_plus: bool = False, num_classes: int = 6
) -> State:
    torch.manual_seed(0)
    width = channels[-1]
    state: State = {}
    for branch, joints, features in (("bone", 17, 2), ("pose", 17, 2), ("angle", 12, 1)):
        state |= norm_of(f"{branch}.data_bn", joints * features)
        stacks = {"layer_share": (features, *channels[:shared])}
        stacks |= dict.fromkeys(STACKS[joints], tuple(channels[shared - 1 :]))
        for stack, widths in stacks.items():
            for i, (before, after) in enumerate(pairwise(widths)):
                state |= layer_of(f"{branch}.{stack}.{i}", before, after, joints, plus_plus)
    state["head.fc_bin"] = torch.randn(19, width, width)
    return state | {"BNNecks.fc_bin": torch.randn(19, width, num_classes)} | norm_of("BNNecks.bn1d", 19 * width)


def config_of(
    channels: Sequence[int] = SMALL, *, shared: int = 3, plus_plus: bool = False, mask: bool = True
) -> dict[str, Any]:
    config = {"in_channels": [2, *channels], "num_class": 6, "share_num": shared}
    return {"model": "GPGait_PlusPlus", **config, "mask": mask} if plus_plus else {"model": "gpgait", **config}


@pytest.mark.parametrize(
    ("variant", "channels", "shared", "num_tensors"),
    [
        ("gpgait_casiab", CASIAB, 3, 590),
        ("gpgait_ccpg", CASIAB, 3, 590),
        ("gpgait_gait3d", GAIT3D, 3, 830),
        ("gpgait_grew", GREW, 3, 1310),
        ("gpgait_oumvlp", GREW, 4, 1142),
        ("gpgait_sustech1k", CASIAB, 3, 590),
        ("gpgaitpp_casiab", CASIAB, 3, 1010),
        ("gpgaitpp_ccpg", CASIAB, 3, 1010),
        ("gpgaitpp_gait3d", GAIT3D, 3, 1530),
        ("gpgaitpp_grew", GREW, 3, 2570),
        ("gpgaitpp_oumvlp", GREW, 3, 2570),
        ("gpgaitpp_sustech1k", CASIAB, 3, 1010),
    ],
)
def test_every_tensor_finds_its_place(
    tmp_path: Path, variant: str, channels: Sequence[int], shared: int, num_tensors: int
) -> None:
    state = state_of(channels, shared=shared, plus_plus=variant.startswith("gpgaitpp"))
    assert len(state) == num_tensors
    imported = import_model(save(tmp_path / "x.pt", state), {"name": variant})
    assert (imported.num_classes, imported.statements) == (6, ())
    found = imported.model.state_dict()
    for theirs, ours in {
        "head.fc_bin": "network.head.weight",
        "BNNecks.fc_bin": "network.neck.classifier.weight",
        "BNNecks.bn1d.running_var": "network.neck.bn.running_var",
        "angle.data_bn.weight": "network.angle.norm.bn.weight",
        "pose.layer_share.2.asg.bn.running_mean": "network.pose.shared.2.attention.norm.running_mean",
        "bone.part_2_2.0.asg.PA": "network.bone.stacks.1.layers.0.attention.PA",
        "angle.backbone.0.asg.PA": "network.angle.stacks.1.layers.0.attention.PA",
    }.items():
        assert torch.equal(found[ours], state[theirs]), theirs
    attention = "network.pose.stacks.2.layers.0.attention."
    for i in range(3):
        theirs = "pose.part_3_1.0.asg.conv_{}." + f"{i}."
        for j, kind in enumerate("ab"):
            weight, bias = (state[theirs.format(kind) + field] for field in ("weight", "bias"))
            assert torch.equal(found[f"{attention}projection"][i, j], weight[:, :, 0, 0])
            assert torch.equal(found[f"{attention}projection_bias"][i, j], bias)
        assert torch.equal(found[f"{attention}output"][:, i], state[theirs.format("d") + "weight"][:, :, 0, 0])
        assert torch.equal(found[f"{attention}output_bias"][i], state[theirs.format("d") + "bias"])


@pytest.mark.parametrize(
    ("config", "variant"),
    [
        (config_of(CASIAB), "gpgait_casiab"),
        (config_of(GAIT3D), "gpgait_gait3d"),
        (config_of(GREW), "gpgait_grew"),
        (config_of(GREW, shared=4), "gpgait_oumvlp"),
        (config_of(CASIAB, plus_plus=True), "gpgaitpp_casiab"),
        (config_of(CASIAB, plus_plus=True, mask=False), "gpgaitpp_ccpg"),
        (config_of(GAIT3D, plus_plus=True, mask=False), "gpgaitpp_gait3d"),
        (config_of(GREW, plus_plus=True, mask=False, shared=4), "gpgaitpp_oumvlp"),
    ],
)
def test_published_configurations_are_the_variants(config: dict[str, Any], variant: str) -> None:
    """The number of shared layers that GPGait++ is configured with counts for nothing."""
    configured, expected = create_model(**model_from_config(config)), create_model(variant, num_classes=6)
    shapes = [{k: v.shape for k, v in model.state_dict().items()} for model in (configured, expected)]
    assert shapes[0] == shapes[1]
    assert getattr(configured, "mask", None) == getattr(expected, "mask", None)


def test_a_configuration_that_lacks_something() -> None:
    with pytest.raises(ValueError, match="lacks or misspells something: 'share_num'"):
        model_from_config({"model": "gpgait", "in_channels": [2, 8, 8], "num_class": 3})


def error(tmp_path: Path, state: State, component: dict[str, Any]) -> str:
    with pytest.raises(ValueError, match="is no checkpoint of this") as caught:
        import_model(save(tmp_path / "x.pt", state), component)
    return str(caught.value)


def test_another_variant(tmp_path: Path) -> None:
    message = error(tmp_path, state_of((8, 8, 12, 12, 12)), model_from_config(config_of()))
    assert "widths of the layers of each part [12, 12] in the file, [12] expected" in message
    message = error(tmp_path, state_of((8, 8, 12, 12), shared=2), model_from_config(config_of()))
    assert "widths of the shared layers [8, 8] in the file, [8, 8, 12] expected" in message


@pytest.mark.parametrize("plus_plus", [False, True])
def test_the_other_of_the_two(tmp_path: Path, plus_plus: bool) -> None:
    component = model_from_config(config_of(plus_plus=not plus_plus))
    message = error(tmp_path, state_of(plus_plus=plus_plus), component)
    assert f"it holds a {'GPGaitPlusPlus' if plus_plus else 'GPGait'};" in message


def test_another_model_and_other_classes(tmp_path: Path) -> None:
    component = model_from_config(config_of())
    assert "it holds a Baseline" in error(tmp_path, baseline_state(), component)
    assert "it holds a GPGait;" in error(tmp_path, state_of(), {"name": "Baseline", "num_classes": 6})
    assert "classes 5 in the file, 6 expected" in error(tmp_path, state_of(num_classes=5), component)


def test_a_file_of_which_something_is_missing(tmp_path: Path) -> None:
    state = state_of()
    del state["pose.part_2.0.asg.conv_b.1.weight"]
    assert "missing: pose.part_2.0.asg.projection" in error(tmp_path, state, model_from_config(config_of()))
    state = state_of()
    state["pose.part_2.0.asg.conv_d.2.weight"] = torch.randn(5, 12, 1, 1)
    message = error(tmp_path, state, model_from_config(config_of()))
    assert "left over" in message
    assert "pose.part_2.0.asg.conv_d.0.weight" in message


@pytest.mark.parametrize("plus_plus", [False, True])
def test_the_command_takes_file_and_published_configuration(tmp_path: Path, plus_plus: bool) -> None:
    file = save(tmp_path / "GPGait-40000.pt", state_of(plus_plus=plus_plus))
    losses = [
        {"type": "TripletLoss", "loss_term_weight": 1.0, "margin": 0.3, "log_prefix": "triplet", "is_hard_loss": True},
        {"type": "CrossEntropyLoss", "loss_term_weight": 1.0, "scale": 16, "log_prefix": "softmax"},
    ]
    config = {
        "data_cfg": {"dataset_name": "CASIA-B"},
        "model_cfg": config_of(plus_plus=plus_plus),
        "loss_cfg": losses,
        "optimizer_cfg": {"solver": "Adam", "lr": 0.001, "weight_decay": 2.0e-5},
        "scheduler_cfg": {"scheduler": "OneCycleLR", "max_lr": 0.001, "total_steps": 40000, "three_phase": True},
        "trainer_cfg": {"total_iter": 40000, "transform": [{"type": "HOD_MultiInput", "joint_format": "coco"}]},
    }
    (tmp_path / "gpgait.yaml").write_text(yaml.safe_dump(config))
    command = ["import", "checkpoint", str(file), "--recipe", str(tmp_path / "gpgait.yaml"), str(tmp_path / "out")]
    assert main(command) == 0
    recipe, _ = to_recipe(read_config(tmp_path / "gpgait.yaml"))
    assert recipe["losses"]["triplet"]["on"] == "before_neck"
    assert "on" not in recipe["losses"]["softmax"]
    model = load_model(tmp_path / "out")
    assert model(torch.rand(1, 3, 17, 6)).embeddings.shape == (1, 19, 12)
