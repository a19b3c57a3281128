"""SPOSGait's published files, written here from the layout's description."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from gaitway.cli import main
from gaitway.interop import import_model, model_from_config, read_config, to_recipe
from gaitway.models import SPOSGait
from gaitway.training.checkpoint import load_model
from gaitway.training.checkpoint import read_config as read_checkpoint_config
from gaitway.training.recipe import load_recipe, resolve
from tests.interop.files import State, save

KERNELS = {0: ["333"], 1: ["313"], 2: ["331"], 3: ["331", "313"], 4: ["313", "331"], 5: ["311", "133"]}
CHANNELS = {"small": [2, 3, 4], "medium": [2, 3, 4, 5], "large": [2, 3, 4, 5]}
STAGES = {
    "small": [["00"], ["20"], ["30"], ["40"]],
    "medium": [["00", "01"], ["10", "11"], ["20"], ["30"], ["40"]],
    "large": [["00", "01"], ["10", "11"], ["20", "21"], ["30", "31"], ["40", "41"]],
}
CHOICES = {"small": [1, 6, 6, 6], "medium": [1, 1] + [6] * 5, "large": [1, 1] + [6] * 8}
PATHS = {"small": [0, 5, 0, 1], "medium": [0, 0, 4, 3, 0, 3, 0], "large": [0, 0, 4, 5, 2, 0, 4, 3, 4, 3]}
BINS, WIDTH = [16, 1], 6


def state_of(variant: str, *, trained: list[int] | None = None, num_classes: int | None = 7) -> State:
    """A file with six blocks in every layer: of a supernet, or, where `trained` says which, of a network."""
    torch.manual_seed(0)
    channels, parts = CHANNELS[variant], sum(BINS)
    widths = [1, *channels, channels[-1]]
    state: State = {}

    def norm(name: str, width: int, count: int) -> None:
        for field in ("weight", "bias", "running_mean", "running_var"):
            state[f"{name}.{field}"] = torch.rand(width) + 0.5
        state[f"{name}.num_batches_tracked"] = torch.tensor(count)

    layer_number = 0
    for place, layers in enumerate(STAGES[variant]):
        before, width = widths[place], widths[place + 1]
        for layer, choices in zip(layers, CHOICES[variant][layer_number:], strict=False):
            inside = before if layer.endswith("0") else width
            for kind, kernels in KERNELS.items():
                used = kind < choices if trained is None else kind == trained[layer_number]
                for i, kernel in enumerate(kernels):
                    shape = (width, width if i else inside, *map(int, kernel))
                    state[f"conv3d_{layer}.{kind}.{3 * i}.conv3d.weight"] = torch.randn(shape)
                    norm(f"conv3d_{layer}.{kind}.{3 * i + 1}", width, 9 * used)
            layer_number += 1
        stage = layers[0][0]
        state[f"downsample{stage}.0.weight"] = torch.randn(width, before, 1, 1, 1)
        norm(f"downsample{stage}.1", width, 9)
    aggregated = channels[0] if variant == "small" else channels[1]
    state["LTA.0.conv3d.weight"] = torch.randn(aggregated, aggregated, 3, 1, 1)
    state["HPP.p"] = torch.tensor([6.0])
    state["Head0.fc_bin"] = torch.randn(parts, channels[-1], WIDTH)
    if num_classes is not None:
        state["BNNecks.fc_bin"] = torch.randn(parts, WIDTH, num_classes)
        norm("BNNecks.bn1d", parts * WIDTH, 9)
    return state


def config_of(variant: str, *, num_classes: int = 7, **beside: Any) -> dict[str, Any]:
    parts = sum(BINS)
    return {
        "model": f"SPOSGait_{variant}",
        "channels": CHANNELS[variant],
        "bin_num": BINS,
        "SeparateFCs": {"in_channels": CHANNELS[variant][-1], "out_channels": WIDTH, "parts_num": parts},
        "SeparateBNNecks": {"class_num": num_classes, "in_channels": WIDTH, "parts_num": parts},
        **beside,
    }


def component_of(variant: str, architecture: list[int] | None = None, **arguments: Any) -> dict[str, Any]:
    shape = {"variant": variant, "channels": CHANNELS[variant], "bins": BINS, "embedding_dim": WIDTH}
    return {"name": "SPOSGait", **shape, "architecture": architecture, **arguments}


@pytest.mark.parametrize(
    ("variant", "num_classes", "num_tensors"),
    [("small", None, 243), ("small", 7, 249), ("medium", 7, 417), ("large", None, 573), ("large", 7, 579)],
)
def test_every_tensor_of_a_supernet_finds_its_place(
    tmp_path: Path, variant: str, num_classes: int | None, num_tensors: int
) -> None:
    state = state_of(variant, num_classes=num_classes)
    assert len(state) == num_tensors
    component = component_of(variant, bn_neck=num_classes is not None)
    imported = import_model(save(tmp_path / "x.pt", state), component)
    assert (imported.num_classes, imported.iteration, imported.statements) == (num_classes or 0, 40000, ())
    assert isinstance(imported.model, SPOSGait)
    assert imported.model.is_supernet
    found = imported.model.state_dict()
    fixed = ("conv3d_00", "conv3d_01")  # of these only block 0 is ever used
    used = {name: tensor for name, tensor in state.items() if not name.startswith(fixed) or name.split(".")[1] == "0"}
    assert sum(tensor.numel() for tensor in found.values()) == sum(tensor.numel() for tensor in used.values())
    places = {
        "conv3d_00.0.0.conv3d.weight": "blocks.00/0.convolutions.0.weight",
        "conv3d_20.5.3.conv3d.weight": "blocks.20/5.convolutions.1.weight",
        "conv3d_40.3.4.running_var": "blocks.40/3.norms.1.running_var",
        "downsample3.0.weight": "shortcuts.3.0.weight",
        "downsample3.1.bias": "shortcuts.3.1.bias",
        "LTA.0.conv3d.weight": "aggregation.weight",
        "HPP.p": "pooling.exponent",
        "Head0.fc_bin": "head.weight",
    }
    for theirs, ours in places.items():
        assert torch.equal(found[ours].flatten(), state[theirs].flatten()), theirs


@pytest.mark.parametrize("variant", ["small", "medium", "large"])
@pytest.mark.parametrize("says", [True, False], ids=["configured", "inferred"])
def test_a_network_that_was_trained_again_is_that_of_its_path(tmp_path: Path, variant: str, says: bool) -> None:
    path = PATHS[variant]
    file = save(tmp_path / "x.pt", state_of(variant, trained=path))
    imported = import_model(file, component_of(variant, path if says else None))
    model = imported.model
    assert isinstance(model, SPOSGait)
    assert model.architecture == tuple(path)
    assert imported.changes == ({} if says else {"architecture": path})
    assert any("network of one architecture" in said for said in imported.statements) != says
    supernet = import_model(save(tmp_path / "y.pt", state_of(variant)), component_of(variant)).model
    silhouettes = torch.rand(2, 4, 64, 12)
    with torch.inference_mode():
        # the two files differ in their counts of batches only
        assert torch.equal(model(silhouettes).embeddings, supernet(silhouettes, path=path).embeddings)


def test_a_path_is_taken_from_the_file_of_a_supernet(tmp_path: Path) -> None:
    file = save(tmp_path / "x.pt", state_of("small"))
    imported = import_model(file, component_of("small", [0, 1, 2, 3]))
    assert imported.statements[0] == "The file holds a supernet; its path [0, 1, 2, 3] is taken."


def test_the_network_of_another_path_is_refused(tmp_path: Path) -> None:
    file = save(tmp_path / "x.pt", state_of("small", trained=[0, 5, 0, 1]))
    with pytest.raises(ValueError, match=r"those of architecture \[0, 5, 0, 1\], the recipe .* has \[0, 5, 5, 4\]"):
        import_model(file, component_of("small", [0, 5, 5, 4]))


def test_a_file_without_a_classifier(tmp_path: Path) -> None:
    file = save(tmp_path / "x.pt", state_of("small", num_classes=None))
    imported = import_model(file, component_of("small"))
    assert imported.changes == {"bn_neck": False}
    assert imported.num_classes == 0
    assert "no classifier" in imported.statements[0]


def test_a_supernet_of_another_size_is_refused(tmp_path: Path) -> None:
    file = save(tmp_path / "x.pt", state_of("medium"))
    with pytest.raises(
        ValueError, match=r"is no checkpoint of this SPOSGait: layers .*'10'.* in the file, \['00', '20'"
    ):
        import_model(file, component_of("small"))


def published_config(*, losses: list[dict[str, Any]], **sections: Any) -> dict[str, Any]:
    """A published YAML of the small network on GREW."""
    parts, width = 16, 256
    model: dict[str, Any] = {
        "model": "SPOSGait_small",
        "channels": [64, 128, 256],
        "bin_num": [16],
        "SeparateFCs": {"in_channels": 256, "out_channels": width, "parts_num": parts},
        "SeparateBNNecks": {"class_num": 500, "in_channels": width, "parts_num": parts},
    }
    sampler = {"batch_size": [32, 4], "sample_type": "fixed_ordered", "frames_num_fixed": 30, "frames_skip_num": 0}
    trainer = {"sampler": sampler, "sync_BN": True, "save_iter": 10000, "find_unused_parameters": True}
    return {
        "data_cfg": {
            "dataset_name": "GREW",
            "test_dataset_name": "GREW",
            "dataset_partition": "./misc/partitions/GREW.json",
            "num_train": 500,
        },
        "evaluator_cfg": {"eval_func": "GREW_submission", "sampler": {"frames_all_limit": 720}},
        "model_cfg": model,
        "choice_max_num": [1, 6, 6, 6],
        "loss_cfg": losses,
        "trainer_cfg": trainer | sections.pop("trainer_cfg"),
        **sections,
    }


TRIPLET = {"type": "TripletLoss", "log_prefix": "triplet", "margin": 0.2, "loss_term_weight": 1.0}
SOFTMAX = {"type": "CrossEntropyLoss", "log_prefix": "softmax", "scale": 16, "loss_term_weight": 0.1}


def imported_recipe(folder: Path, config: dict[str, Any]) -> dict[str, Any]:
    path = folder / "published.yaml"
    path.write_text(yaml.safe_dump(config))
    values, notes = to_recipe(read_config(path))
    assert not [note for note in notes if note.kind == "not carried over"]
    found = resolve(values).as_dict()
    return {key: value for key, value in found.items() if key not in ("description", "published")}


def shipped(name: str) -> dict[str, Any]:
    found = load_recipe(name).as_dict()
    return {key: value for key, value in found.items() if key not in ("description", "published")}


def test_the_configuration_of_a_supernet_becomes_the_shipped_recipe(tmp_path: Path) -> None:
    config = published_config(
        losses=[TRIPLET],
        trainer_cfg={"total_iter": 100000},
        scheduler_cfg={"milestones": [40000, 60000, 80000]},
    )
    assert imported_recipe(tmp_path, config) == shipped("grew/sposgait-small-supernet")


def test_the_configuration_of_a_found_network_becomes_the_shipped_recipe(tmp_path: Path) -> None:
    config = published_config(
        losses=[TRIPLET, SOFTMAX],
        retrain={"search_network": [0, 5, 5, 4]},
        trainer_cfg={"total_iter": 50000, "with_test": True, "transform": [{"type": "RandomRotateFlipTransform"}]},
        scheduler_cfg={"milestones": [20000, 40000]},
    )
    path = tmp_path / "published.yaml"
    path.write_text(yaml.safe_dump(config))
    assert imported_recipe(tmp_path, config) == shipped("grew/sposgait-small-500")


@pytest.mark.parametrize(
    ("clip", "found"),
    [
        ({"type": "value", "clip_value": 0.1}, (None, 0.1)),
        ({"type": "norm", "max_norm": 35, "norm_type": 2}, (35.0, None)),
        (None, (None, None)),
    ],
)
def test_clipping(tmp_path: Path, clip: dict[str, Any] | None, found: tuple[float | None, float | None]) -> None:
    trainer = {"total_iter": 100000} | ({"clip_grad_cfg": clip} if clip else {})
    training = imported_recipe(tmp_path, published_config(losses=[TRIPLET], trainer_cfg=trainer))["training"]
    assert (training["clip_gradient_norm"], training["clip_gradient_value"]) == found


def test_clipping_without_a_kind_is_refused(tmp_path: Path) -> None:
    config = published_config(losses=[TRIPLET], trainer_cfg={"clip_grad_cfg": {"clip_value": 0.1}})
    with pytest.raises(ValueError, match="clip_grad_cfg .*: expected type value, or type norm"):
        imported_recipe(tmp_path, config)


def test_another_number_of_choices_is_refused() -> None:
    with pytest.raises(ValueError, match=r"choice_max_num is \[1, 6, 6\], expected \[1, 6, 6, 6\]"):
        model_from_config(config_of("small", choice_max_num=[1, 6, 6]))


def test_the_command_writes_the_inferred_architecture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = published_config(losses=[TRIPLET, SOFTMAX], trainer_cfg={}) | {"model_cfg": config_of("small")}
    (tmp_path / "sposgait.yaml").write_text(yaml.safe_dump(config))
    file = save(tmp_path / "SPOSGait-50000.pt", state_of("small", trained=PATHS["small"]))
    out = tmp_path / "imported"
    assert main(["import", "checkpoint", str(file), "--recipe", str(tmp_path / "sposgait.yaml"), str(out)]) == 0
    said = capsys.readouterr().out
    assert "the network of one architecture, [0, 5, 0, 1]" in said
    assert f"Next: gaitway evaluate {out}" in said
    assert read_checkpoint_config(out)["model"]["architecture"] == PATHS["small"]
    model = load_model(out)
    assert isinstance(model, SPOSGait)
    assert model.architecture == tuple(PATHS["small"])


def test_the_command_imports_a_supernet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = published_config(losses=[TRIPLET], trainer_cfg={}) | {"model_cfg": config_of("small")}
    (tmp_path / "sposgait.yaml").write_text(yaml.safe_dump(config))
    file = save(tmp_path / "SPOSGait-50000.pt", state_of("small", num_classes=None))
    out = tmp_path / "imported"
    assert main(["import", "checkpoint", str(file), "--recipe", str(tmp_path / "sposgait.yaml"), str(out)]) == 0
    assert f"Next: gaitway nas search {out}" in capsys.readouterr().out
    model = load_model(out)
    assert isinstance(model, SPOSGait)
    assert model.is_supernet
