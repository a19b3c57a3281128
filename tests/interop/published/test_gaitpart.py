"""GaitPart's published files, written here from the layout's description."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from gaitway.cli import main
from gaitway.interop import UnknownModelError, import_model, model_from_config
from gaitway.models import gaitpart
from gaitway.training.checkpoint import load_model
from tests.interop.files import State, gaitset_state, save

POSITIONS = (0, 2, 5, 7, 10, 12, 14, 16)  # of the convolutions among convolutions, activations and pools
WIDTHS = {"gaitpart_casiab": (32, 32, 64, 64, 128, 128), "gaitpart_oumvlp": (32, 32, 64, 64, 128, 128, 256, 256)}
LAYERS = {"gaitpart_casiab": gaitpart.LAYERS_CASIAB, "gaitpart_oumvlp": gaitpart.LAYERS_OUMVLP}


def state_of(variant: str) -> State:
    torch.manual_seed(0)
    widths = WIDTHS[variant]
    state = {}
    for position, before, width in zip(POSITIONS, (1, *widths), widths, strict=False):
        kernel = 3 if position else 5
        state[f"Backbone.forward_block.feature.{position}.conv.weight"] = torch.randn(width, before, kernel, kernel)
    c, hidden = widths[-1], widths[-1] // 4
    state["Head.fc_bin"] = torch.randn(16, c, c)
    for branch, kernel in (("1", 1), ("3", 3)):
        for part in range(16):
            prefix = f"TFA.pooling_func.conv1d3x{branch}.{part}"
            state[f"{prefix}.0.conv.weight"] = torch.randn(hidden, c, 3)
            state[f"{prefix}.2.conv.weight"] = torch.randn(c, hidden, kernel)
    return state


def config_of(variant: str) -> dict[str, Any]:
    width = WIDTHS[variant][-1]
    return {
        "model": "GaitPart",
        "backbone_cfg": {"type": "Plain", "in_channels": 1, "layers_cfg": list(LAYERS[variant])},
        "SeparateFCs": {"in_channels": width, "out_channels": width, "parts_num": 16},
        "bin_num": [16],
    }


@pytest.mark.parametrize("variant", WIDTHS)
@pytest.mark.parametrize("configured", [True, False])
def test_every_tensor_finds_its_place(tmp_path: Path, variant: str, configured: bool) -> None:
    state = state_of(variant)
    component = model_from_config(config_of(variant)) if configured else {"name": variant}
    imported = import_model(save(tmp_path / "x.pt", state), component)
    assert (imported.num_classes, imported.statements) == (0, ())
    found = imported.model.state_dict()
    assert sum(tensor.numel() for tensor in found.values()) == sum(tensor.numel() for tensor in state.values())
    for i in range(len(WIDTHS[variant])):
        published = state[f"Backbone.forward_block.feature.{POSITIONS[i]}.conv.weight"]
        assert torch.equal(found[f"backbone.convolutions.{i}.weight"], published)
    assert torch.equal(found["head.weight"], state["Head.fc_bin"])
    for part in range(16):
        short, long = (f"TFA.pooling_func.conv1d3x{branch}.{part}" for branch in (1, 3))
        assert torch.equal(found["temporal.squeeze"][part, 0], state[f"{short}.0.conv.weight"])
        assert torch.equal(found["temporal.squeeze"][part, 1], state[f"{long}.0.conv.weight"])
        assert torch.equal(found["temporal.excite3"][part], state[f"{short}.2.conv.weight"])
        assert torch.equal(found["temporal.excite5"][part], state[f"{long}.2.conv.weight"])


def test_a_file_of_the_other_variant_is_refused(tmp_path: Path) -> None:
    file = save(tmp_path / "x.pt", state_of("gaitpart_oumvlp"))
    with pytest.raises(ValueError, match="x.pt is no checkpoint of this GaitPart: channels") as error:
        import_model(file, {"name": "gaitpart_casiab"})
    assert "embedding width 256 in the file, 128 expected" in str(error.value)


def test_files_of_other_models_are_refused_both_ways(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="it holds a GaitSet; give the recipe of that model"):
        import_model(save(tmp_path / "x.pt", gaitset_state()), {"name": "GaitPart"})
    with pytest.raises(ValueError, match="it holds a GaitPart; give the recipe of that model"):
        import_model(save(tmp_path / "y.pt", state_of("gaitpart_casiab")), {"name": "GaitSet"})


@pytest.mark.parametrize(
    "damaged",
    ["TFA.pooling_func.conv1d3x1.3.0.conv.weight", "TFA.pooling_func.conv1d3x3.15.2.conv.weight"],
)
@pytest.mark.parametrize("how", ["missing", "misshapen"])
def test_a_file_without_one_temporal_network_is_refused(tmp_path: Path, damaged: str, how: str) -> None:
    state = state_of("gaitpart_casiab")
    if how == "missing":
        del state[damaged]
    else:
        state[damaged] = torch.zeros(1)
    with pytest.raises(ValueError, match=r"missing: TFA.pooling_func.conv1d3x\{1,3\}.\*.0.conv.weight") as error:
        import_model(save(tmp_path / "x.pt", state), {"name": "gaitpart_casiab"})
    assert "left over: TFA.pooling_func.conv1d3x1.0.0.conv.weight" in str(error.value)


def test_configurations_that_gaitway_does_not_have_are_refused() -> None:
    config = config_of("gaitpart_casiab")
    with pytest.raises(UnknownModelError, match="has the backbone 'Plain' only, not 'ResNet9'"):
        model_from_config({**config, "backbone_cfg": {"type": "ResNet9"}})
    with pytest.raises(ValueError, match=r"SeparateFCs.parts_num is 16, expected 8"):
        model_from_config({**config, "bin_num": [8]})


def test_the_command_takes_the_published_yaml(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, recipe, out = save(tmp_path / "x.pt", state_of("gaitpart_casiab")), tmp_path / "x.yaml", tmp_path / "imported"
    recipe.write_text(yaml.safe_dump({"model_cfg": config_of("gaitpart_casiab")}))
    assert main(["import", "checkpoint", str(file), "--recipe", str(recipe), str(out)]) == 0
    assert "Imported GaitPart with 1,204,000 parameters into" in capsys.readouterr().out
    assert load_model(out)(torch.rand(1, 2, 64, 44)).embeddings.shape == (1, 16, 128)
