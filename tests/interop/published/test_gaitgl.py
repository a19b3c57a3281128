"""GaitGL's published files, written here from the layout's description."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from gaitway.cli import main
from gaitway.interop import import_model, model_from_config
from gaitway.models import GaitGL, create_model
from gaitway.training.checkpoint import load_model
from tests.interop.files import State, baseline_state, save

PARTS = 64
SMALL, LARGE = (2, 3, 4), (2, 3, 4, 5)


def state_of(channels: Sequence[int], *, num_classes: int = 6, bn_neck: bool = False) -> State:
    """Three widths: the small layout, with one convolution per stage; four: the large one, with two."""
    torch.manual_seed(0)
    depth = len(channels) - 2
    first, *widths = channels if depth == 2 else (*channels, channels[-1])
    state = {"conv3d.0.conv3d.weight": torch.randn(first, 1, 3, 3, 3)}
    if depth == 2:
        state["conv3d.2.conv3d.weight"] = torch.randn(first, first, 3, 3, 3)
    state["LTA.0.conv3d.weight"] = torch.randn(first, first, 3, 1, 1)
    before = first
    for stage, width in zip(("GLConvA0", "GLConvA1", "GLConvB2"), widths, strict=True):
        for name in (stage,) if depth == 1 else (f"{stage}.0", f"{stage}.1"):
            for half in ("global_conv3d", "local_conv3d"):
                state[f"{name}.{half}.conv3d.weight"] = torch.randn(width, before, 3, 3, 3)
            before = width
    state["HPP.p"] = torch.tensor([6.0])
    state["Head0.fc_bin"] = torch.randn(PARTS, before, before)
    norm, size = ("BNNecks.bn1d", before * PARTS) if bn_neck else ("Bn", before)
    for field in ("weight", "bias", "running_mean", "running_var"):
        state[f"{norm}.{field}"] = torch.rand(size) + 0.5
    state[f"{norm}.num_batches_tracked"] = torch.tensor(9)
    state["BNNecks.fc_bin" if bn_neck else "Head1.fc_bin"] = torch.randn(PARTS, before, num_classes)
    return state


def blocks_of(model: GaitGL) -> list[Any]:
    return list(model.blocks)


def config_of(channels: Sequence[int], *, num_classes: int = 6, bn_neck: bool = False) -> dict[str, Any]:
    neck = {"class_num": num_classes, "in_channels": channels[-1], "parts_num": PARTS}
    return {
        "model": "GaitGL",
        "channels": list(channels),
        "class_num": num_classes,
        **({"SeparateBNNecks": neck} if bn_neck else {}),
    }


@pytest.mark.parametrize(
    ("variant", "channels", "bn_neck", "num_tensors"),
    [
        ("gaitgl_casiab", (32, 64, 128), False, 16),
        ("gaitgl_oumvlp", (32, 64, 128, 256), False, 23),
        ("gaitgl_grew", (32, 64, 128, 256), False, 23),
        ("gaitgl_grew_bnneck", (32, 64, 128, 256), True, 23),
    ],
)
def test_every_tensor_finds_its_place(
    tmp_path: Path, variant: str, channels: Sequence[int], bn_neck: bool, num_tensors: int
) -> None:
    state = state_of(channels, num_classes=7, bn_neck=bn_neck)
    assert len(state) == num_tensors
    imported = import_model(save(tmp_path / "x.pt", state), {"name": variant}, bn_order="channel-major")
    assert (imported.num_classes, imported.statements) == (7, ())
    found = imported.model.state_dict()
    assert len(found) == num_tensors
    large = len(channels) == 4
    places = {
        "conv3d.0.conv3d.weight": "stem.0.weight",
        "LTA.0.conv3d.weight": "aggregation.weight",
        "HPP.p": "pooling.exponent",
        "Head0.fc_bin": "head.weight",
    }
    places |= {"GLConvA1.0.local_conv3d.conv3d.weight": "blocks.2.strips.weight"} if large else {}
    places |= {"GLConvB2.1.global_conv3d.conv3d.weight": "blocks.5.whole.weight"} if large else {}
    places |= {} if large else {"GLConvB2.global_conv3d.conv3d.weight": "blocks.2.whole.weight"}
    places |= (
        {"BNNecks.bn1d.running_var": "neck.bn.running_var", "BNNecks.fc_bin": "neck.classifier.weight"}
        if bn_neck
        else {"Bn.running_var": "bn.running_var", "Head1.fc_bin": "classifier.weight"}
    )
    for theirs, ours in places.items():
        assert torch.equal(found[ours], state[theirs]), theirs


@pytest.mark.parametrize(
    ("dataset", "channels", "bn_neck"),
    [("CASIA-B", SMALL, False), ("Gait3D", SMALL, True), ("OUMVLP", LARGE, False), ("GREW", LARGE, True)],
)
def test_the_data_set_says_which_layout(tmp_path: Path, dataset: str, channels: Sequence[int], bn_neck: bool) -> None:
    component = model_from_config(config_of(channels, bn_neck=bn_neck), dataset)
    large = dataset in ("OUMVLP", "GREW")
    assert component == {
        "name": "GaitGL",
        "channels": [2, 3, 4, 5] if large else [2, 3, 4, 4],
        "depth": 2 if large else 1,
        "halvings": 1 if large else 3,
        "bn_neck": bn_neck,
        "num_classes": 6,
    }
    file = save(tmp_path / "x.pt", state_of(channels, bn_neck=bn_neck))
    assert import_model(file, component, bn_order="channel-major").num_classes == 6
    published = {"CASIA-B": "gaitgl_casiab", "OUMVLP": "gaitgl_oumvlp", "GREW": "gaitgl_grew_bnneck"}
    if dataset in published:
        variant = create_model(published[dataset], num_classes=6)
        widths = (32, 64, 128, 256)[: len(channels)]
        configured = model_from_config(config_of(widths, bn_neck=bn_neck), dataset)
        assert str(create_model(**configured)) == str(variant)
        assert isinstance(variant, GaitGL)
        assert all(block.strips.halvings == configured["halvings"] for block in blocks_of(variant))


def test_configurations_that_contradict_themselves() -> None:
    with pytest.raises(ValueError, match="channels for the data set OUMVLP is 3, expected 4"):
        model_from_config(config_of(SMALL), "OUMVLP")
    with pytest.raises(ValueError, match="channels for the data set of no name is 4, expected 3"):
        model_from_config(config_of(LARGE))
    wrong = config_of(LARGE, bn_neck=True)
    wrong["SeparateBNNecks"]["in_channels"] = 4
    with pytest.raises(ValueError, match=r"SeparateBNNecks.in_channels is 4, expected 5"):
        model_from_config(wrong, "GREW")
    with pytest.raises(ValueError, match="lacks or misspells something: 'class_num'"):
        model_from_config({"model": "GaitGL", "channels": [2, 3, 4]})


def test_a_part_major_file_of_before_july_2022(tmp_path: Path) -> None:
    """The released file of GREW with BN necks is one."""
    component, state = model_from_config(config_of(LARGE, bn_neck=True), "GREW"), state_of(LARGE, bn_neck=True)
    today = import_model(save(tmp_path / "x.pt", state), component, bn_order="channel-major").model.state_dict()
    old = {
        name: values.reshape(5, PARTS).T.flatten() if name.startswith("BNNecks.bn1d.") and values.ndim else values
        for name, values in state.items()
    }
    turned = import_model(save(tmp_path / "y.pt", old), component, bn_order="part-major").model.state_dict()
    assert all(torch.equal(turned[name], values) for name, values in today.items())


def error(tmp_path: Path, state: State, component: dict[str, Any]) -> str:
    with pytest.raises(ValueError, match="is no checkpoint of this") as caught:
        import_model(save(tmp_path / "x.pt", state), component)
    return str(caught.value)


def test_the_other_layout(tmp_path: Path) -> None:
    message = error(tmp_path, state_of(LARGE), model_from_config(config_of(SMALL)))
    assert "widths of the global-local convolutions [3, 3, 4, 4, 5, 5] in the file, [3, 4, 4] expected" in message
    assert "missing: GLConvA0.global_conv3d.conv3d.weight" in message
    message = error(tmp_path, state_of(SMALL), model_from_config(config_of(LARGE), "OUMVLP"))
    assert "[3, 4, 4] in the file, [3, 3, 4, 4, 5, 5] expected" in message


def test_the_other_head(tmp_path: Path) -> None:
    message = error(tmp_path, state_of(LARGE, bn_neck=True), model_from_config(config_of(LARGE), "GREW"))
    assert "batch norm of the head per part in the file, shared expected" in message
    message = error(tmp_path, state_of(LARGE), model_from_config(config_of(LARGE, bn_neck=True), "GREW"))
    assert "batch norm of the head shared in the file, per part expected" in message


def test_another_number_of_classes_and_another_model(tmp_path: Path) -> None:
    message = error(tmp_path, state_of(SMALL, num_classes=5), model_from_config(config_of(SMALL)))
    assert "classes 5 in the file, 6 expected" in message
    assert "it holds a Baseline" in error(tmp_path, baseline_state(), model_from_config(config_of(SMALL)))
    assert "it holds a GaitGL" in error(tmp_path, state_of(SMALL), {"name": "Baseline", "num_classes": 6})


def test_the_command_takes_file_and_published_configuration(tmp_path: Path) -> None:
    file = save(tmp_path / "GaitGL-250000.pt", state_of(LARGE, bn_neck=True))
    config = {
        "data_cfg": {"dataset_name": "GREW"},
        "model_cfg": config_of(LARGE, bn_neck=True),
        "loss_cfg": [
            {"type": "TripletLoss", "loss_term_weight": 1.0, "margin": 0.2, "log_prefix": "triplet"},
            {"type": "CrossEntropyLoss", "loss_term_weight": 1.0, "scale": 1, "log_prefix": "softmax"},
        ],
    }
    (tmp_path / "gaitgl.yaml").write_text(yaml.safe_dump(config))
    command = ["import", "checkpoint", str(file), "--recipe", str(tmp_path / "gaitgl.yaml"), str(tmp_path / "out")]
    assert main(command) == 0
    model = load_model(tmp_path / "out")
    assert model(torch.rand(1, 3, 64, 8)).embeddings.shape == (1, PARTS, 5)
