"""GaitTR's published files, written here from the layout's description."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from gaitway.cli import main
from gaitway.interop import import_model, model_from_config
from gaitway.models import create_model
from gaitway.training.checkpoint import load_model
from tests.interop.files import State, baseline_state, save

VANILLA = (64, 64, 128, 256)
GREW_PLUS = (64, 64, 128, 128, 128, 128, 128, 256)
OUMVLP_PLUS = (64, 64, 128, 128, 128, 128, 256)
SMALL = (32, 32, 64)


def norm_of(name: str, size: int) -> State:
    fields = {field: torch.rand(size) + 0.5 for field in ("weight", "bias", "running_mean", "running_var")}
    return {f"{name}.{field}": values for field, values in fields.items()} | {
        f"{name}.num_batches_tracked": torch.tensor(3)
    }


def convolution_of(name: str, *shape: int) -> State:
    return {f"{name}.weight": torch.randn(shape), f"{name}.bias": torch.randn(shape[0])}


def state_of(channels: Sequence[int] = SMALL, *, width: int = 5, num_joints: int = 17) -> State:
    torch.manual_seed(0)
    state = norm_of("data_bn", num_joints * 10)
    for i, (before, after) in enumerate(pairwise((10, *channels))):
        block = f"backbone.{i}"
        state |= convolution_of(f"{block}.tcn.conv", before, before, 9, 1) | norm_of(f"{block}.tcn.bn", before)
        state |= norm_of(f"{block}.st.bn", after) | norm_of(f"{block}.st.data_bn", before * num_joints)
        state |= convolution_of(f"{block}.st.attention_conv.qkv_conv", after * 3 // 2, before, 1, 1)
        state |= convolution_of(f"{block}.st.attention_conv.attn_out", after, after, 1, 1)
        if before != after:
            state |= convolution_of(f"{block}.residual_s.0", after, before, 1, 1) | norm_of(
                f"{block}.residual_s.1", after
            )
            state |= convolution_of(f"{block}.down.conv", after, before, 1, 1) | norm_of(f"{block}.down.bn", after)
    return state | convolution_of("fcn", width, channels[-1], 1)


def config_of(channels: Sequence[int] = SMALL, *, width: int = 5, joints: str = "coco") -> dict[str, Any]:
    return {"model": "GaitTR", "in_channels": [10, *channels], "num_class": width, "joint_format": joints}


@pytest.mark.parametrize(
    ("variant", "channels", "width", "joints", "num_tensors"),
    [
        ("gaittr_casiab", VANILLA, 128, "coco", 133),
        ("gaittr_gait3d", VANILLA, 128, "coco", 133),
        ("gaittr_grew", VANILLA, 256, "coco", 133),
        ("gaittr_grew_plus", GREW_PLUS, 256, "coco", 217),
        ("gaittr_oumvlp", VANILLA, 256, "alphapose", 133),
        ("gaittr_oumvlp17", VANILLA, 256, "coco", 133),
        ("gaittr_oumvlp_plus", OUMVLP_PLUS, 256, "openpose", 196),
    ],
)
def test_every_tensor_finds_its_place(
    tmp_path: Path, variant: str, channels: Sequence[int], width: int, joints: str, num_tensors: int
) -> None:
    num_joints = 17 if joints == "coco" else 18
    state = state_of(channels, width=width, num_joints=num_joints)
    assert len(state) == num_tensors
    component = model_from_config(config_of(channels, width=width, joints=joints))
    assert str(create_model(**component)) == str(create_model(variant))
    imported = import_model(save(tmp_path / "x.pt", state), {"name": variant})
    assert (imported.num_classes, imported.statements) == (0, ())
    found = imported.model.state_dict()
    assert len(found) == num_tensors
    places = {
        "data_bn.running_mean": "input_norm.bn.running_mean",
        "fcn.weight": "head.weight",
        "backbone.1.tcn.conv.weight": "blocks.1.temporal.conv.weight",
        "backbone.1.tcn.bn.bias": "blocks.1.temporal.norm.bias",
        "backbone.2.st.bn.running_var": "blocks.2.attention.norm.running_var",
        "backbone.2.st.attention_conv.qkv_conv.weight": "blocks.2.attention.projection.weight",
        "backbone.2.st.attention_conv.attn_out.bias": "blocks.2.attention.output.bias",
        "backbone.0.residual_s.0.weight": "blocks.0.inner.weight",
        "backbone.0.residual_s.1.running_var": "blocks.0.inner_norm.running_var",
        "backbone.0.down.conv.weight": "blocks.0.outer.weight",
        "backbone.0.down.bn.weight": "blocks.0.outer_norm.weight",
    }
    for theirs, ours in places.items():
        assert torch.equal(found[ours], state[theirs]), theirs


def test_batch_norms_of_joints_come_in_two_orders_and_are_kept_in_one(tmp_path: Path) -> None:
    state = state_of()
    found = import_model(save(tmp_path / "x.pt", state), model_from_config(config_of())).model.state_dict()
    for field in ("weight", "bias", "running_mean", "running_var"):
        channel_major = state[f"backbone.1.st.data_bn.{field}"].view(32, 17)
        joint_major = found[f"blocks.1.attention.input_norm.bn.{field}"].view(17, 32)
        assert torch.equal(joint_major, channel_major.T)


def test_configurations_that_gaitway_does_not_build() -> None:
    with pytest.raises(ValueError, match=r"in_channels\[0\] is 3, expected 10"):
        model_from_config(config_of() | {"in_channels": [3, 32]})
    with pytest.raises(ValueError, match="joint_format 'halpe', expected one of coco, openpose, alphapose"):
        model_from_config(config_of(joints="halpe"))
    with pytest.raises(ValueError, match="lacks or misspells something: 'num_class'"):
        model_from_config({"model": "GaitTR", "in_channels": [10, 32], "joint_format": "coco"})


def error(tmp_path: Path, state: State, component: dict[str, Any]) -> str:
    with pytest.raises(ValueError, match="is no checkpoint of this") as caught:
        import_model(save(tmp_path / "x.pt", state), component)
    return str(caught.value)


def test_a_file_of_another_variant(tmp_path: Path) -> None:
    message = error(tmp_path, state_of((32, 64)), model_from_config(config_of()))
    assert "channels [32, 64] in the file, [32, 32, 64] expected" in message
    assert "missing: backbone.2.tcn.conv.weight" in message
    message = error(tmp_path, state_of(num_joints=18), model_from_config(config_of()))
    assert "joints 18 in the file, 17 expected" in message
    assert "data_bn.weight is 180, expected 170" in message
    assert "embedding width 6 in the file, 5 expected" in error(
        tmp_path, state_of(width=6), model_from_config(config_of())
    )


def test_a_file_of_another_model(tmp_path: Path) -> None:
    assert "it holds a Baseline" in error(tmp_path, baseline_state(), model_from_config(config_of()))
    assert "it holds a GaitTR" in error(tmp_path, state_of(), {"name": "Baseline", "num_classes": 6})


def test_a_file_that_lacks_something(tmp_path: Path) -> None:
    state = state_of()
    del state["data_bn.weight"], state["backbone.1.st.data_bn.bias"]
    message = error(tmp_path, state, model_from_config(config_of()))
    assert "missing: data_bn.weight, backbone.1.st.data_bn.bias" in message


def test_the_command_takes_file_and_published_configuration(tmp_path: Path) -> None:
    file = save(tmp_path / "gaittr-40000.pt", state_of(num_joints=18))
    config = {
        "data_cfg": {"dataset_name": "OUMVLP"},
        "model_cfg": config_of(joints="alphapose"),
        "loss_cfg": [{"type": "TripletLoss", "loss_term_weight": 1.0, "margin": 0.3, "log_prefix": "triplet"}],
    }
    (tmp_path / "gaittr.yaml").write_text(yaml.safe_dump(config))
    command = ["import", "checkpoint", str(file), "--recipe", str(tmp_path / "gaittr.yaml"), str(tmp_path / "out")]
    assert main(command) == 0
    model = load_model(tmp_path / "out")
    assert model(torch.rand(1, 3, 18, 10)).embeddings.shape == (1, 1, 5)
