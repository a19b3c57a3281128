"""DyGait's released layout, written here from its description."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch.nn import functional as F

from gaitway.cli import main
from gaitway.interop import import_model, model_from_config
from gaitway.training.checkpoint import load_model
from tests.interop.files import State, baseline_state, save

DEEP, SHALLOW = (2, 3, 4, 5), (2, 3, 4)
IDENTITY = {"name": "DyGait", "channels": DEEP, "shortcut": "identity"}


def state_of(channels: Sequence[int], *, parts: int, num_classes: int = 6) -> State:
    """Four widths: the released network; three: that of CASIA-B."""
    torch.manual_seed(0)
    last = channels[-1]
    if len(channels) == 4:
        state, before, at_lta = {}, 1, channels[1]
        blocks = dict(zip((f"conv3d{i}" for i in range(5)), (*channels, last), strict=True))
    else:
        state, before, at_lta = (
            {"conv3d.0.conv3d.weight": torch.randn(channels[0], 1, 3, 3, 3)},
            channels[0],
            channels[0],
        )
        blocks = dict(zip(("GLConvA0", "GLConvA1", "GLConvB2"), (*channels[1:], last), strict=True))
    for name, width in blocks.items():
        for kind in "gds":
            state[f"{name}.conv1{kind}.weight"] = torch.randn(width, before, 1 if kind == "s" else 3, 3, 3)
            state[f"{name}.conv2{kind}.weight"] = torch.randn(width, width, 3, 3, 3)
        before = width
    state["LTA.0.conv3d.weight"] = torch.randn(at_lta, at_lta, 3, 1, 1)
    state["Head0.fc_bin"] = torch.randn(parts, last, last)
    state["HPP.p"] = torch.tensor([6.0])
    state["BNNecks.fc_bin"] = torch.randn(parts, last, num_classes)
    for field in ("weight", "bias", "running_mean", "running_var"):
        state[f"BNNecks.bn1d.{field}"] = torch.rand(parts * last)
    state["BNNecks.bn1d.num_batches_tracked"] = torch.tensor(9)
    return state


def config_of(channels: Sequence[int], *, parts: int, num_classes: int = 6) -> dict[str, Any]:
    neck = {"class_num": num_classes, "in_channels": channels[-1], "parts_num": parts}
    return {"model": "Dygait", "channels": list(channels), "SeparateBNNecks": neck}


@pytest.mark.parametrize(
    ("channels", "parts", "height", "places"),
    [
        (DEEP, 31, 64, {"conv3d0.conv1s": "0.first.static", "conv3d4.conv2g": "7.second.general", "LTA.0.conv3d": "3"}),
        (DEEP, 32, 128, {"conv3d1.conv2d": "2.second.dynamic", "conv3d2.conv1g": "4.first.general"}),
        (SHALLOW, 32, 64, {"GLConvA0.conv1d": "2.first.dynamic", "conv3d.0.conv3d": "0", "LTA.0.conv3d": "1"}),
    ],
)
def test_every_tensor_finds_its_place(
    tmp_path: Path, channels: Sequence[int], parts: int, height: int, places: dict[str, str]
) -> None:
    state = state_of(channels, parts=parts)
    imported = import_model(save(tmp_path / "x.pt", state), model_from_config(config_of(channels, parts=parts)))
    assert (imported.num_classes, imported.statements) == (6, ())
    found = imported.model.state_dict()
    assert sum(tensor.numel() for tensor in found.values()) == sum(tensor.numel() for tensor in state.values())
    for published, ours in places.items():
        ours = ours if "." in ours else f"{ours}.convolution"
        assert torch.equal(found[f"stages.{ours}.weight"], state[f"{published}.weight"])
    assert found["pooling.exponent"] == 6
    assert imported.model(torch.rand(1, 3, height, 44)).embeddings.shape == (1, parts, channels[-1])


def test_the_batch_norm_of_the_neck_is_always_part_major(tmp_path: Path) -> None:
    state = state_of(DEEP, parts=31)
    model = import_model(save(tmp_path / "x.pt", state), IDENTITY).model
    output = model(torch.rand(2, 3, 64, 44), logits=True)
    mean, variance, weight, bias = (
        state[f"BNNecks.bn1d.{field}"] for field in ("running_mean", "running_var", "weight", "bias")
    )
    normed = F.batch_norm(output.embeddings.flatten(1), mean, variance, weight, bias)
    feature = F.normalize(normed.reshape(output.embeddings.shape), dim=2)
    expected = torch.einsum("npc,pck->npk", feature, F.normalize(state["BNNecks.fc_bin"], dim=1))
    torch.testing.assert_close(output.logits, expected)


def test_the_class_count_is_the_files(tmp_path: Path) -> None:
    file = save(tmp_path / "x.pt", state_of(DEEP, parts=31, num_classes=11))
    assert import_model(file, IDENTITY).num_classes == 11
    with pytest.raises(ValueError, match="classes 11 in the file, 6 expected"):
        import_model(file, model_from_config(config_of(DEEP, parts=31)))


def test_a_file_of_another_variant_is_refused(tmp_path: Path) -> None:
    file = save(tmp_path / "x.pt", state_of(SHALLOW, parts=32))
    with pytest.raises(ValueError, match=r"widths of the blocks \[3, 4, 4\] in the file, \[2, 3, 4, 5, 5\] expected"):
        import_model(file, IDENTITY)
    with pytest.raises(ValueError, match="parts 32 in the file, 31 expected"):
        import_model(save(tmp_path / "y.pt", state_of(DEEP, parts=32)), IDENTITY)
    with pytest.raises(ValueError, match="it holds a Baseline; give the recipe of that model"):
        import_model(save(tmp_path / "z.pt", baseline_state()), IDENTITY)
    with pytest.raises(ValueError, match="it holds a DyGait; give the recipe of that model"):
        import_model(file, {"name": "GaitGL"})


def test_unknown_tensors_of_a_shortcut_are_named_and_not_dropped(tmp_path: Path) -> None:
    state = state_of(DEEP, parts=31)
    state["conv3d1.res.conv3d.weight"] = torch.randn(3, 2, 1, 1, 1)
    with pytest.raises(ValueError, match=r"left over: conv3d1\.res\.conv3d\.weight"):
        import_model(save(tmp_path / "x.pt", state), IDENTITY)


def test_a_model_with_projections_does_not_fit(tmp_path: Path) -> None:
    file = save(tmp_path / "x.pt", state_of(DEEP, parts=31))
    message = r"projections in the shortcuts \(shortcut: identity has none\) none in the file, 5 expected"
    with pytest.raises(ValueError, match=message):
        import_model(file, {**IDENTITY, "shortcut": "projection"})


@pytest.mark.parametrize(
    ("dataset", "channels", "expected"),
    [
        ("GREW", DEEP, {"bins": [16, 8, 4, 2, 1], "frame_height": 64, "layout": "deep"}),
        ("OUMVLP", DEEP, {"bins": [16, 8, 4, 2, 1], "frame_height": 64, "layout": "deep"}),
        ("Gait3D", DEEP, {"bins": [32], "frame_height": 128, "layout": "deep"}),
        ("Gait3D-128pixel", DEEP, {"bins": [32], "frame_height": 128, "layout": "deep"}),
        ("CASIA-B", SHALLOW, {"bins": [32], "frame_height": 64, "layout": "shallow"}),
    ],
)
def test_a_configuration_without_a_neck_follows_its_data_set(
    dataset: str, channels: Sequence[int], expected: dict[str, Any]
) -> None:
    found = model_from_config({"model": "Dygait", "channels": list(channels), "class_num": 7}, dataset)
    assert found == {
        "name": "DyGait",
        "channels": list(channels),
        "num_classes": 7,
        "shortcut": "identity",
        **expected,
    }


def test_the_name_that_the_published_code_lacks() -> None:
    config = config_of(DEEP, parts=32)
    assert model_from_config({**config, "model": "Dygait_aaai"}, "Gait3D") == model_from_config(config)


def test_contradictions_of_a_configuration_are_refused() -> None:
    config = config_of(DEEP, parts=31)
    with pytest.raises(ValueError, match="parts_num is 16, but a published DyGait has 31 or 32 parts"):
        model_from_config(config_of(DEEP, parts=16))
    with pytest.raises(ValueError, match=r"SeparateBNNecks.in_channels is 5, expected 6"):
        model_from_config({**config, "channels": [2, 3, 4, 6]})
    with pytest.raises(ValueError, match="class_num"):
        model_from_config({"model": "Dygait", "channels": list(DEEP)}, "GREW")


def test_the_command_takes_the_published_yaml(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, recipe, out = save(tmp_path / "x.pt", state_of(DEEP, parts=31)), tmp_path / "x.yaml", tmp_path / "imported"
    recipe.write_text(yaml.safe_dump({"data_cfg": {"dataset_name": "GREW"}, "model_cfg": config_of(DEEP, parts=31)}))
    assert main(["import", "checkpoint", str(file), "--recipe", str(recipe), str(out)]) == 0
    assert "Imported DyGait with " in capsys.readouterr().out
    assert load_model(out)(torch.rand(1, 3, 64, 44)).embeddings.shape == (1, 31, 5)
