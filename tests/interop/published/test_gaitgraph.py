"""GaitGraph's and GaitGraph2's published files, written here from the layout's description."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from gaitway.cli import main
from gaitway.interop import import_model, model_from_config
from gaitway.models import create_model
from gaitway.nn import adjacency
from gaitway.skeletons import COCO17, OPENPOSE18, Skeleton
from gaitway.training.checkpoint import load_model
from tests.interop.files import GAITSET, State, gaitset_state, save

SMALL_BRANCH, SMALL_MAIN = (8, 8, 4), (8, 8, 256)
SKELETONS = {"coco": COCO17, "alphapose": OPENPOSE18}


def conv_norm(conv: str, norm: str, outputs: int, inputs: int, kernel: int = 1, groups: int = 1) -> State:
    """A convolution to `groups · outputs` channels and a batch norm of `outputs`."""
    state = {f"{conv}.weight": torch.randn(groups * outputs, inputs, kernel, 1)}
    state[f"{conv}.bias"] = torch.randn(groups * outputs)
    return state | batch_norm(norm, outputs)


def batch_norm(name: str, channels: int) -> State:
    fields = ("weight", "bias", "running_mean", "running_var")
    return {f"{name}.{field}": torch.rand(channels) + 0.5 for field in fields} | {
        f"{name}.num_batches_tracked": torch.tensor(9)
    }


def bottlenecks(name: str, inputs: int, outputs: int, stride: int, reduction: int, joints: int) -> State:
    width = outputs // reduction
    state = {f"{name}.edge": torch.rand(4, joints, joints)}
    for half, before in (("scn", inputs), ("tcn", outputs)):
        middle = ("conv.gcn", 1, 3) if half == "scn" else ("conv", 9, 1)
        state |= conv_norm(f"{name}.{half}.conv_down", f"{name}.{half}.bn_down", width, before)
        state |= conv_norm(f"{name}.{half}.{middle[0]}", f"{name}.{half}.bn", width, width, *middle[1:])
        state |= conv_norm(f"{name}.{half}.conv_up", f"{name}.{half}.bn_up", outputs, width)
        if before != outputs or (half == "tcn" and stride == 2):
            state |= conv_norm(f"{name}.{half}.residual.0", f"{name}.{half}.residual.1", outputs, before)
    return state


def state_of(
    branch: Sequence[int],
    main: Sequence[int],
    *,
    streams: int = 1,
    reduction: int = 2,
    embedding_dim: int = 6,
    skeleton: Skeleton = COCO17,
) -> State:
    torch.manual_seed(0)
    state: State = {}
    joints, features, first = skeleton.num_joints, 3 if streams == 1 else 5, branch[0]
    for i in range(streams):
        head = f"ResGCN.head.{i}"
        state[f"{head}.A"] = adjacency(joints, skeleton.edges, max_hop=3)
        state |= batch_norm(f"{head}.bn", features) | {f"{head}.layers.0.edge": torch.rand(4, joints, joints)}
        state |= conv_norm(f"{head}.layers.0.scn.conv.gcn", f"{head}.layers.0.scn.bn", first, features, groups=3)
        state |= conv_norm(f"{head}.layers.0.tcn.conv", f"{head}.layers.0.tcn.bn", first, first, 9)
        for j in range(1, len(branch)):
            state |= bottlenecks(f"{head}.layers.{j}", branch[j - 1], branch[j], 1, reduction, joints)
    widths = (streams * branch[-1], *main)
    for j, width in enumerate(main):
        stride = 2 if j == 0 or widths[j] != width else 1
        state |= bottlenecks(f"ResGCN.backbone.{j}", widths[j], width, stride, reduction, joints)
    return state | {"ResGCN.fcn.weight": torch.randn(embedding_dim, 256), "ResGCN.fcn.bias": torch.randn(embedding_dim)}


def config_of(
    branch: Sequence[int] = SMALL_BRANCH,
    main: Sequence[int] = SMALL_MAIN,
    *,
    streams: int = 1,
    reduction: int = 2,
    embedding_dim: int = 6,
    joint_format: str = "coco",
) -> dict[str, Any]:
    return {
        "model": "GaitGraph1" if streams == 1 else "GaitGraph2",
        "joint_format": joint_format,
        "input_num": streams,
        "reduction": reduction,
        "block": "Bottleneck",
        "input_branch": [3 if streams == 1 else 5, *branch],
        "main_stream": [branch[-1], *main],
        "num_class": embedding_dim,
        "tta": True,
    }


ONE = {"branch": (64, 64, 32), "main": (128, 128, 256, 256), "reduction": 8}
TWO = {"branch": (64, 32), "main": (128, 256), "streams": 3, "reduction": 8, "embedding_dim": 128}
LARGE = {"branch": (64, 64, 32), "main": (128, 128, 128, 256, 256, 256), "streams": 3, "embedding_dim": 128}


@pytest.mark.parametrize(
    ("variant", "layout", "joint_format", "num_tensors"),
    [
        ("gaitgraph1_casiab", {**ONE, "embedding_dim": 128}, "coco", 316),
        ("gaitgraph1_grew", {**ONE, "embedding_dim": 256}, "coco", 316),
        ("gaitgraph1_oumvlp", {**ONE, "embedding_dim": 256}, "alphapose", 316),
        ("gaitgraph2_casiab", TWO, "coco", 329),
        ("gaitgraph2_grew", {**LARGE, "reduction": 4}, "coco", 630),
        ("gaitgraph2_oumvlp", {**LARGE, "reduction": 4}, "alphapose", 630),
    ],
)
def test_every_tensor_finds_its_place(
    tmp_path: Path, variant: str, layout: dict[str, Any], joint_format: str, num_tensors: int
) -> None:
    state = state_of(**layout, skeleton=SKELETONS[joint_format])
    assert len(state) == num_tensors
    file = save(tmp_path / "x.pt", state)
    imported = import_model(file, {"name": variant})
    assert (imported.num_classes, imported.statements) == (0, ())
    found = imported.model.state_dict()
    last = len(layout["main"]) - 1
    places = {
        "ResGCN.head.0.bn.running_var": "resgcn.branches.0.norm.running_var",
        "ResGCN.head.0.layers.0.edge": "resgcn.branches.0.graph.edge",
        "ResGCN.head.0.layers.0.scn.conv.gcn.weight": "resgcn.branches.0.graph.conv.weight",
        "ResGCN.head.0.layers.0.tcn.conv.weight": "resgcn.branches.0.time.conv.weight",
        "ResGCN.head.0.layers.1.scn.bn_down.bias": "resgcn.branches.0.stages.0.spatial.down.norm.bias",
        f"ResGCN.backbone.{last}.edge": f"resgcn.stages.{last}.spatial.graph.edge",
        f"ResGCN.backbone.{last}.scn.conv.gcn.bias": f"resgcn.stages.{last}.spatial.graph.conv.bias",
        f"ResGCN.backbone.{last}.tcn.conv.weight": f"resgcn.stages.{last}.temporal.time.conv.weight",
        "ResGCN.backbone.0.tcn.residual.0.weight": "resgcn.stages.0.temporal.shortcut.conv.weight",
        "ResGCN.backbone.0.scn.residual.1.running_mean": "resgcn.stages.0.spatial.shortcut.norm.running_mean",
        "ResGCN.fcn.weight": "resgcn.linear.weight",
    }
    for theirs, ours in places.items():
        assert torch.equal(found[ours], state[theirs]), theirs
    component = model_from_config(config_of(**layout, joint_format=joint_format))
    configured, built = create_model(**component), create_model(variant)
    assert str(configured) == str(built)
    shapes = {name: tensor.shape for name, tensor in built.state_dict().items()}
    assert {name: tensor.shape for name, tensor in configured.state_dict().items()} == shapes


def test_the_graph_in_a_file_may_be_missing(tmp_path: Path) -> None:
    state = state_of(SMALL_BRANCH, SMALL_MAIN)
    del state["ResGCN.head.0.A"]
    assert import_model(save(tmp_path / "x.pt", state), model_from_config(config_of())).statements == ()


def test_a_graph_in_a_file_that_is_another_one_is_pointed_out(tmp_path: Path) -> None:
    state = state_of((8, 4), SMALL_MAIN, streams=3)
    component = model_from_config(config_of((8, 4), streams=3))
    right = import_model(save(tmp_path / "x.pt", state), component)
    for other in (adjacency(17, COCO17.edges, max_hop=2), torch.zeros(3, 17, 17)):  # of other values, of another shape
        state["ResGCN.head.1.A"] = other if len(other) == 3 else other[:3]
        wrong = import_model(save(tmp_path / "y.pt", state), component)
        (statement,) = wrong.statements
        assert statement.startswith("Mind: ResGCN.head.1.A in the file differs from what the model builds itself")
        poses = 100 * torch.rand(2, 5, 17, 3, 5)
        assert torch.equal(wrong.model(poses).embeddings, right.model(poses).embeddings)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"joint_format": "coco-no-head"}, "joint_format 'coco-no-head', expected one of coco, openpose, alphapose"),
        ({"block": "Basic"}, "block is Basic, expected Bottleneck"),
        ({"input_num": 3}, "input_num is 3, expected 1"),
        ({"input_branch": [5, 8, 8, 4]}, r"input_branch\[0\] is 5, expected 3"),
        ({"main_stream": [8, 8, 8, 256]}, r"main_stream\[0\] is 8, expected 4"),
        ({"main_stream": [4, 8, 8, 128]}, r"main_stream\[-1\] is 128, expected 256"),
    ],
)
def test_configurations_that_contradict_themselves(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        model_from_config({**config_of(), **change})


def test_configurations_that_lack_something() -> None:
    config = config_of()
    del config["reduction"]
    with pytest.raises(ValueError, match="model_cfg of GaitGraph1 lacks or misspells something: 'reduction'"):
        model_from_config(config)


def error(tmp_path: Path, state: State, component: dict[str, Any]) -> str:
    with pytest.raises(ValueError, match="is no checkpoint of this") as caught:
        import_model(save(tmp_path / "x.pt", state), component)
    return str(caught.value)


def test_files_of_other_variants(tmp_path: Path) -> None:
    component = model_from_config(config_of())
    state = state_of(SMALL_BRANCH, SMALL_MAIN, skeleton=OPENPOSE18)
    assert "joints 18 in the file, 17 expected" in error(tmp_path, state, component)
    state = state_of(SMALL_BRANCH, SMALL_MAIN, embedding_dim=7)
    assert "embedding width 7 in the file, 6 expected" in error(tmp_path, state, component)
    message = error(tmp_path, state_of((8, 4), (8, 256)), component)
    assert "widths of a branch [4] in the file, [8, 4] expected" in message
    assert "widths after the branches [8, 256] in the file, [8, 8, 256] expected" in message
    message = error(tmp_path, state_of(SMALL_BRANCH, SMALL_MAIN, reduction=4), component)
    assert "widths of the bottlenecks after the branches [2, 2, 64] in the file, [4, 4, 128] expected" in message


def test_files_of_other_models(tmp_path: Path) -> None:
    one, three = state_of(SMALL_BRANCH, SMALL_MAIN), state_of(SMALL_BRANCH, SMALL_MAIN, streams=3)
    assert "it holds a GaitGraph2; give the recipe of that model" in error(
        tmp_path, three, model_from_config(config_of())
    )
    assert "it holds a GaitGraph1; give the recipe of that model" in error(
        tmp_path, one, model_from_config(config_of(streams=3))
    )
    assert "it holds a GaitSet" in error(tmp_path, gaitset_state(), model_from_config(config_of()))
    assert "it holds a GaitGraph1" in error(tmp_path, one, GAITSET)


def test_the_command_takes_file_and_published_configuration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = state_of(SMALL_BRANCH, SMALL_MAIN)
    state["ResGCN.head.0.A"] *= 2
    file = save(tmp_path / "GaitGraph1-06000.pt", state)
    config = {
        "data_cfg": {"dataset_name": "CASIA-B"},
        "model_cfg": config_of(),
        "loss_cfg": [{"type": "SupConLoss_Re", "temperature": 0.01, "log_prefix": "SupConLoss"}],
        "scheduler_cfg": {"scheduler": "OneCycleLR", "max_lr": 0.01, "total_steps": 6000},
        "trainer_cfg": {
            "total_iter": 6000,
            "transform": [{"type": "Compose", "trf_cfg": [{"type": "SkeletonInput"}]}],
        },
    }
    (tmp_path / "gaitgraph1.yaml").write_text(yaml.safe_dump(config))
    command = ["import", "checkpoint", str(file), "--recipe", str(tmp_path / "gaitgraph1.yaml"), str(tmp_path / "out")]
    assert main(command) == 0
    assert "ResGCN.head.0.A in the file differs" in " ".join(capsys.readouterr().out.split())
    model = load_model(tmp_path / "out")
    assert model(torch.rand(1, 3, 17, 3)).embeddings.shape == (1, 1, 6)
