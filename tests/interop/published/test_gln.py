"""GLN's published files, written here from the layout's description."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch.nn import functional as F

from gaitway.cli import main
from gaitway.interop import import_model, model_from_config
from gaitway.training.checkpoint import load_model
from tests.interop.files import State, gaitset_state, save

D = 4  # width of lateral maps and embeddings
PARTS = 93


def state_of(*, num_classes: int | None = None, widths: tuple[int, int, int] = (2, 3, 4), d: int = D) -> State:
    """Phase 1, or with a number of classes phase 2."""
    torch.manual_seed(0)
    c1, c2, c3 = widths
    pairs = {
        "sil_stage_0.forward_block": (1, c1),
        "sil_stage_1.forward_block": (c1, c2),
        "sil_stage_2.forward_block": (c2, c3),
        "set_stage_1": (c1, c2),
        "set_stage_2": (c2, c3),
    }
    state = {}
    for name, (before, width) in pairs.items():
        kernel = 5 if before == 1 else 3
        state[f"{name}.0.conv.weight"] = torch.randn(width, before, kernel, kernel)
        state[f"{name}.2.conv.weight"] = torch.randn(width, width, 3, 3)
    for i, width in enumerate(widths, 1):
        state[f"lateral_layer{i}.weight"] = torch.randn(d, 2 * width, 1, 1)
        state[f"smooth_layer{i}.weight"] = torch.randn(d, d, 3, 3)
    state["Head.fc_bin"] = torch.randn(PARTS, d, d)
    if num_classes is not None:
        for name, width in (("encoder_bn", d * PARTS), ("reduce_bn", d)):
            for field in ("weight", "bias", "running_mean", "running_var"):
                state[f"{name}.{field}"] = torch.rand(width) + 0.5
            state[f"{name}.num_batches_tracked"] = torch.tensor(9)
        state["reduce_fc.weight"] = torch.randn(d, d * PARTS)
        state["reduce_cls.weight"] = torch.randn(num_classes, d)
    return state


def config_of(*, phase: int, num_classes: int = 6, widths: tuple[int, int, int] = (2, 3, 4)) -> dict[str, Any]:
    return {
        "model": "GLN",
        "class_num": num_classes,
        "lateral_dim": D,
        "hidden_dim": D,
        "dropout": 0.9,
        "in_channels": [1, *widths],
        "SeparateFCs": {"in_channels": D, "out_channels": D, "parts_num": PARTS},
        "bin_num": [16, 8, 4, 2, 1],
        "Lateral_pretraining": phase == 1,
    }


PHASE1 = model_from_config(config_of(phase=1))
PHASE2 = model_from_config(config_of(phase=2))


@pytest.mark.parametrize(("variant", "num_classes"), [("gln_phase1", None), ("gln_phase2", 11)])
def test_every_tensor_finds_its_place(tmp_path: Path, variant: str, num_classes: int | None) -> None:
    state = state_of(num_classes=num_classes, widths=(32, 64, 128), d=256)
    imported = import_model(save(tmp_path / "x.pt", state), {"name": variant}, bn_order="channel-major")
    assert (imported.num_classes, imported.statements) == (num_classes or 0, ())
    found = imported.model.state_dict()
    places = {
        "sil_stage_0.forward_block.0.conv.weight": "frame1.conv1.weight",
        "sil_stage_2.forward_block.2.conv.weight": "frame3.conv2.weight",
        "set_stage_1.0.conv.weight": "set2.conv1.weight",
        "set_stage_2.2.conv.weight": "set3.conv2.weight",
        "lateral_layer1.weight": "lateral.lateral1.weight",
        "smooth_layer3.weight": "lateral.smooth3.weight",
        "Head.fc_bin": "head.weight",
        "encoder_bn.running_var": "compact.bn.running_var",
        "encoder_bn.bias": "compact.bn.bias",
        "reduce_fc.weight": "compact.reduce.weight",
        "reduce_bn.running_mean": "compact.reduced_bn.running_mean",
        "reduce_cls.weight": "compact.classifier.weight",
    }
    assert len(found) == len(state) == (17 if num_classes is None else 29)
    for theirs, ours in places.items():
        if theirs in state:
            assert torch.equal(found[ours], state[theirs])


def test_a_part_major_file_gives_the_logits_of_release_1(tmp_path: Path) -> None:
    state = state_of(num_classes=6)
    model = import_model(save(tmp_path / "x.pt", state), PHASE2, bn_order="part-major").model
    output = model(torch.rand(3, 2, 64, 44), logits=True)
    # release 1.0 flattened (n, p, c) as it is
    x = output.embeddings.flatten(1)
    for name, linear in (("encoder_bn", "reduce_fc"), ("reduce_bn", "reduce_cls")):
        mean, var, weight, bias = (state[f"{name}.{x}"] for x in ("running_mean", "running_var", "weight", "bias"))
        x = F.batch_norm(x, mean, var, weight, bias)
        x = F.linear(F.relu(x) if name == "encoder_bn" else x, state[f"{linear}.weight"])
    torch.testing.assert_close(output.logits, x.unsqueeze(1), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("order", ["channel-major", "part-major"])
def test_the_order_is_inferred_and_stated(tmp_path: Path, order: str) -> None:
    state = state_of(num_classes=6)
    power = state["Head.fc_bin"].square().sum(1)  # (p, c)
    state["encoder_bn.running_var"] = (power.T if order == "channel-major" else power).flatten()
    imported = import_model(save(tmp_path / "x.pt", state), PHASE2)
    assert f"Channels of the BN neck: {order} (" in imported.statements[0]
    assert torch.equal(imported.model.state_dict()["compact.bn.running_var"], power.T.flatten())


def test_files_of_the_other_phase_are_refused(tmp_path: Path) -> None:
    first, second = save(tmp_path / "1.pt", state_of()), save(tmp_path / "2.pt", state_of(num_classes=6))
    with pytest.raises(ValueError, match="phase 1 in the file, 2 expected; classes none in the file, 6 expected"):
        import_model(first, PHASE2)
    with pytest.raises(ValueError, match="phase 2 in the file, 1 expected.* left over: encoder_bn.weight"):
        import_model(second, PHASE1)


def test_other_classes_widths_and_models_are_refused(tmp_path: Path) -> None:
    file = save(tmp_path / "x.pt", state_of(num_classes=7))
    with pytest.raises(ValueError, match="classes 7 in the file, 6 expected"):
        import_model(file, PHASE2)
    wider = model_from_config(config_of(phase=2, num_classes=7, widths=(2, 3, 5)))
    with pytest.raises(ValueError, match=r"channels \[2, 3, 4\] in the file, \[2, 3, 5\] expected"):
        import_model(file, wider)
    with pytest.raises(ValueError, match="it holds a GaitSet; give the recipe of that model"):
        import_model(save(tmp_path / "y.pt", gaitset_state()), PHASE1)
    for state in (state_of(), state_of(num_classes=7)):
        with pytest.raises(ValueError, match="it holds a GLN; give the recipe of that model"):
            import_model(save(tmp_path / "z.pt", state), {"name": "GaitSet"})


def test_contradictory_configurations_are_refused() -> None:
    for key, value in (("bin_num", [8, 4]), ("lateral_dim", 8), ("in_channels", [3, 2, 3, 4])):
        with pytest.raises(ValueError, match="contradicts itself or Gaitway's model"):
            model_from_config({**config_of(phase=1), key: value})


@pytest.mark.parametrize("phase", [1, 2])
def test_the_command_takes_the_published_yaml(tmp_path: Path, capsys: pytest.CaptureFixture[str], phase: int) -> None:
    file = save(tmp_path / "x.pt", state_of(num_classes=6 if phase == 2 else None))
    recipe, out = tmp_path / "x.yaml", tmp_path / "imported"
    recipe.write_text(yaml.safe_dump({"model_cfg": config_of(phase=phase)}))
    assert main(["import", "checkpoint", str(file), "--recipe", str(recipe), str(out)]) == 0
    said = capsys.readouterr().out
    assert "Imported GLN with" in said
    assert ("parameters, 6 classes into" in said) == (phase == 2)
    model = load_model(out)
    output = model(torch.rand(2, 2, 64, 44), logits=True)
    assert output.embeddings.shape == (2, PARTS, D)
    assert (output.logits is None) == (phase == 1)
