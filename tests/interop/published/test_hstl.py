"""HSTL's published files, written here from the layout's description."""

from __future__ import annotations

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

# regions per level, parts, channels, and how often each level's convolutions are found in a file
REGIONS = {"HSTL": (1, 2, 4), "HSTL_OU": (1, 3, 5, 6), "HSTL_Gait3D": (1, 2, 4, 5)}
PARTS = {"HSTL": 73, "HSTL_OU": 50, "HSTL_Gait3D": 46}
VARIANTS = {"HSTL": "hstl_casiab", "HSTL_OU": "hstl_oumvlp", "HSTL_Gait3D": "hstl_gait3d"}
NUM_TENSORS = {"HSTL": 41, "HSTL_OU": 72, "HSTL_Gait3D": 58}


def config_of(name: str, *, num_classes: int = 6) -> dict[str, Any]:
    return {"model": name, "channels": [2, 3, 4] if name == "HSTL" else [2, 3, 4, 5], "class_num": num_classes}


def state_of(name: str, *, num_classes: int = 6) -> State:
    """A file of a published class with widths 2, 3, 4 (and 5)."""
    torch.manual_seed(0)
    widths = config_of(name)["channels"]
    dim, last = widths[-1], len(widths)
    state: State = {"arme1.0.conv3d.weight": torch.randn(2, 1, 3, 3, 3)}
    if name != "HSTL":
        state["arme1.2.conv3d.weight"] = torch.randn(2, 2, 3, 3, 3)
    for level, (width, regions) in enumerate(zip(widths, REGIONS[name], strict=True), 1):
        if level > 1:
            before = widths[level - 2]
            middle = before if name == "HSTL" and level == 2 else width
            for region in range(regions):
                state[f"arme{level}.0.conv3d.{region}.conv3d.weight"] = torch.randn(middle, before, 3, 3, 3)
                state[f"arme{level}.1.conv3d.{region}.conv3d.weight"] = torch.randn(width, middle, 3, 3, 3)
        for pooling in ("astp2", "astp2_fta") if level == 2 else (f"astp{level}",):
            state |= {f"{pooling}.hpp.{region}.p": torch.rand(1) + 6 for region in range(regions)}
            if level < last:
                state[f"{pooling}.proj.conv.weight"] = torch.randn(dim, width, 1, 1)
    for region in range(REGIONS[name][1]):
        for branch in (0, 1):
            state[f"fta.mma.{region}.fcs.{branch}.weight"] = torch.randn(3, 3, 1)
            state[f"fta.mma.{region}.fcs.{branch}.bias"] = torch.randn(3)
    state["HPP.p"] = torch.tensor([6.0])
    state["Head0.fc_bin"] = torch.randn(PARTS[name], dim, dim)
    state |= {f"Bn.{field}": torch.rand(dim) + 0.5 for field in ("weight", "bias", "running_mean", "running_var")}
    state["Bn.num_batches_tracked"] = torch.tensor(9)
    state["Head1.fc_bin"] = torch.randn(PARTS[name], dim, num_classes)
    return state


@pytest.mark.parametrize("name", REGIONS)
def test_every_tensor_finds_its_place(tmp_path: Path, name: str) -> None:
    state = state_of(name, num_classes=7)
    assert len(state) == NUM_TENSORS[name]
    component = model_from_config(config_of(name, num_classes=7))
    imported = import_model(save(tmp_path / "x.pt", state), component)
    assert (imported.num_classes, imported.iteration, imported.statements) == (7, 40000, ())
    found = imported.model.state_dict()
    assert sum(tensor.numel() for tensor in found.values()) == sum(tensor.numel() for tensor in state.values())
    last = len(REGIONS[name]) - 1
    places = {
        "arme1.0.conv3d.weight": "levels.0.regions.0.0.weight",
        "arme2.1.conv3d.1.conv3d.weight": "levels.1.regions.1.1.weight",
        f"arme{last + 1}.0.conv3d.3.conv3d.weight": f"levels.{last}.regions.3.0.weight",
        "astp2.proj.conv.weight": "poolings.1.0.weight",
        "astp2_fta.proj.conv.weight": "poolings.2.0.weight",
        "HPP.p": f"poolings.{last + 2}.exponent",
        "Head0.fc_bin": "head.weight",
        "Bn.running_var": "bn.running_var",
        "Head1.fc_bin": "classifier.weight",
    }
    places |= {"arme1.2.conv3d.weight": "levels.0.regions.0.1.weight"} if name != "HSTL" else {}
    for theirs, ours in places.items():
        assert torch.equal(found[ours], state[theirs]), theirs
    for region in range(REGIONS[name][1]):
        assert found["poolings.2.1.exponent"][region] == state[f"astp2_fta.hpp.{region}.p"]
        for branch in (0, 1):
            kernel, bias = (state[f"fta.mma.{region}.fcs.{branch}.{what}"] for what in ("weight", "bias"))
            assert torch.equal(found["aggregation.weight"][region, branch], kernel[..., 0])
            assert torch.equal(found["aggregation.bias"][region, branch], bias)


@pytest.mark.parametrize("name", REGIONS)
def test_a_published_configuration_is_the_variant_of_that_name(name: str) -> None:
    widths = (32, 64, 128, 256)[: len(REGIONS[name])]
    component = model_from_config({"model": name, "channels": list(widths), "class_num": 5})
    configured, variant = create_model(**component), create_model(VARIANTS[name], num_classes=5)
    assert str(configured) == str(variant)
    assert {k: v.shape for k, v in configured.state_dict().items()} == {
        k: v.shape for k, v in variant.state_dict().items()
    }


def test_a_configuration_for_another_class_is_refused() -> None:
    with pytest.raises(ValueError, match="the number of channels of HSTL_OU is 3, expected 4"):
        model_from_config({"model": "HSTL_OU", "channels": [32, 64, 128], "class_num": 5})
    with pytest.raises(ValueError, match="lacks or misspells something: 'channels'"):
        model_from_config({"model": "HSTL", "class_num": 5})


def error(tmp_path: Path, state: State, name: str) -> str:
    with pytest.raises(ValueError, match="is no checkpoint of this") as caught:
        import_model(save(tmp_path / "x.pt", state), model_from_config(config_of(name)))
    return str(caught.value)


def test_the_file_of_another_variant(tmp_path: Path) -> None:
    message = error(tmp_path, state_of("HSTL_Gait3D", num_classes=9), "HSTL_OU")
    assert "regions per level [1, 2, 4, 5] in the file, [1, 3, 5, 6] expected" in message
    assert "parts 46 in the file, 50 expected" in message
    assert "classes 9 in the file, 6 expected" in message
    assert "missing: arme2.0.conv3d.2.conv3d.weight" in message
    assert "astp2.hpp.*.p is 2, expected 3" in message


def test_the_file_of_another_model(tmp_path: Path) -> None:
    assert "it holds a Baseline; give the recipe of that model" in error(tmp_path, baseline_state(), "HSTL")
    with pytest.raises(ValueError, match="it holds a HSTL; give the recipe of that model"):
        import_model(save(tmp_path / "y.pt", state_of("HSTL")), {"name": "gaitset_casiab"})


@pytest.mark.parametrize("name", ["fta.mma.0.fcs.1.weight", "astp2.hpp.0.p"])
def test_a_region_is_missing(tmp_path: Path, name: str) -> None:
    state = state_of("HSTL")
    del state[name]
    assert "not one tensor of the same shape for each number" in error(tmp_path, state, "HSTL")


def test_a_whole_layer_is_missing(tmp_path: Path) -> None:
    state = {name: tensor for name, tensor in state_of("HSTL").items() if not name.startswith("astp3.")}
    assert "missing: astp3.hpp.*.p" in error(tmp_path, state, "HSTL")


def test_the_layout_of_the_first_commit_is_refused(tmp_path: Path) -> None:
    state = state_of("HSTL")
    del state["HPP.p"]
    state |= {f"astp4.hpp.{region}.p": torch.ones(1) for region in range(8)}
    state["Head0.fc_bin"] = torch.randn(17, 4, 4)
    message = error(tmp_path, state, "HSTL")
    assert "17 parts are the layout of the code base's first commit of July 2023" in message
    assert "give a file of the later layout, which has 73 parts" in message


def test_the_command_imports_with_a_published_configuration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = {
        "data_cfg": {
            "dataset_name": "CASIA-B",
            "dataset_root": "your_path",
            "dataset_partition": "./misc/partitions/CASIA-B.json",
            "num_workers": 1,
            "remove_no_gallery": False,
            "test_dataset_name": "CASIA-B",
        },
        "model_cfg": config_of("HSTL"),
    }
    (tmp_path / "hstl.yaml").write_text(yaml.safe_dump(config))
    file = save(tmp_path / "HSTL-80000.pt", state_of("HSTL"))
    out = tmp_path / "imported"
    assert main(["import", "checkpoint", str(file), "--recipe", str(tmp_path / "hstl.yaml"), str(out)]) == 0
    assert "Imported HSTL with" in capsys.readouterr().out
    silhouettes = torch.rand(1, 4, 64, 44)
    expected = import_model(file, model_from_config(config_of("HSTL"))).model
    with torch.inference_mode():
        assert torch.equal(load_model(out).eval()(silhouettes).embeddings, expected(silhouettes).embeddings)
