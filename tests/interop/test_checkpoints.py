from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional as F

from gaitway.interop import UnknownModelError, import_model, model_from_config
from gaitway.interop.checkpoints import to_ours, to_published
from gaitway.interop.published import PUBLISHED_MODELS
from gaitway.models import baseline_casiab, baseline_oumvlp, create_model, gaitset_casiab, gaitset_oumvlp
from tests.interop.files import BASELINE, GAITSET, GAITSET_CFG, baseline_cfg, baseline_state, gaitset_state, save


def test_gaitset(tmp_path: Path) -> None:
    state = gaitset_state()
    imported = import_model(save(tmp_path / "x.pt", state), GAITSET)
    assert (imported.num_classes, imported.iteration, imported.statements) == (0, 40000, ())
    assert not imported.model.training
    found = imported.model.state_dict()
    assert len(found) == len(state)
    assert torch.equal(found["set2.conv1.weight"], state["set_block2.forward_block.0.conv.weight"])
    assert torch.equal(found["global3.conv2.weight"], state["gl_block3.2.conv.weight"])
    assert torch.equal(found["head.weight"], state["Head.fc_bin"])


def test_baseline_takes_the_class_count_of_the_file(tmp_path: Path) -> None:
    state = baseline_state(num_classes=11)
    imported = import_model(save(tmp_path / "x.pt", state), BASELINE, bn_order="channel-major")
    assert imported.num_classes == 11
    found = imported.model.state_dict()
    assert torch.equal(found["backbone.convolutions.1.weight"], state["Backbone.forward_block.feature.3.conv.weight"])
    assert torch.equal(found["neck.bn.running_var"], state["BNNecks.bn1d.running_var"])
    assert found["neck.bn.num_batches_tracked"] == 9
    assert imported.model(torch.rand(1, 2, 16, 16), logits=True).logits.shape == (1, 7, 11)


def test_a_part_major_file_gives_the_logits_of_release_1(tmp_path: Path) -> None:
    state = baseline_state()
    imported = import_model(save(tmp_path / "x.pt", state), BASELINE, bn_order="part-major")
    silhouettes = torch.rand(3, 2, 16, 16)
    output = imported.model(silhouettes, logits=True)
    # release 1.0 flattened (n, p, c) as it is
    mean, variance, weight, bias = (
        state[f"BNNecks.bn1d.{field}"] for field in ("running_mean", "running_var", "weight", "bias")
    )
    normed = F.batch_norm(output.embeddings.flatten(1), mean, variance, weight, bias)
    feature = F.normalize(normed.reshape(output.embeddings.shape), dim=2)
    expected = torch.einsum("npc,pck->npk", feature, F.normalize(state["BNNecks.fc_bin"], dim=1))
    torch.testing.assert_close(output.logits, expected)
    other = import_model(tmp_path / "x.pt", BASELINE, bn_order="channel-major").model(silhouettes, logits=True)
    assert torch.equal(other.embeddings, output.embeddings)
    assert not torch.allclose(other.logits, expected, atol=1e-2)


def test_auto_says_what_it_took_and_why(tmp_path: Path) -> None:
    state = baseline_state()
    state["BNNecks.bn1d.running_var"] = state["FCs.fc_bin"].square().sum(1).flatten()  # (p, c), part-major
    (statement,) = import_model(save(tmp_path / "x.pt", state), BASELINE).statements
    assert statement.startswith("Channels of the BN neck: part-major (correlation")
    state["BNNecks.bn1d.running_var"] = torch.ones(56)
    (statement,) = import_model(save(tmp_path / "y.pt", state), BASELINE).statements
    assert "can't be inferred" in statement


def test_one_batch_norm_per_part(tmp_path: Path) -> None:
    state = baseline_state()
    joined = {f: state.pop(f"BNNecks.bn1d.{f}") for f in ("weight", "bias", "running_mean", "running_var")}
    state.pop("BNNecks.bn1d.num_batches_tracked")
    for part in range(7):
        state |= {f"BNNecks.bn1d.{part}.{f}": values.reshape(8, 7)[:, part] for f, values in joined.items()}
        state[f"BNNecks.bn1d.{part}.num_batches_tracked"] = torch.tensor(9)
    found = import_model(save(tmp_path / "x.pt", state), BASELINE, bn_order="channel-major").model.state_dict()
    assert torch.equal(found["neck.bn.running_mean"], joined["running_mean"])


def error(tmp_path: Path, state: dict[str, Any], component: dict[str, Any]) -> str:
    with pytest.raises(ValueError, match="is no checkpoint of this") as caught:
        import_model(save(tmp_path / "x.pt", state), component)
    return str(caught.value)


def test_a_checkpoint_of_another_data_set_names_channels_and_classes(tmp_path: Path) -> None:
    """OpenGait issue 104: the HID checkpoint taken for CASIA-B's."""
    state = baseline_state(widths=(3, 4, 5), num_classes=500)
    message = error(tmp_path, state, model_from_config(baseline_cfg(num_classes=74)))
    assert str(tmp_path / "x.pt") in message
    assert "channels [3, 4, 5] in the file, [3, 4] expected" in message
    assert "classes 500 in the file, 74 expected" in message
    assert "left over: Backbone.forward_block.feature.6.conv.weight" in message
    assert "FCs.fc_bin is 7×5×8, expected 7×4×8" in message


def test_a_class_count_that_differs_from_the_published_file(tmp_path: Path) -> None:
    message = error(tmp_path, baseline_state(num_classes=73), model_from_config(baseline_cfg(num_classes=74)))
    assert "classes 73 in the file, 74 expected" in message
    assert "BNNecks.fc_bin is 7×8×73, expected 7×8×74" in message


def test_a_class_count_that_differs_from_the_training_subjects(tmp_path: Path) -> None:
    """Not an error by itself: people train on their own splits, and embeddings need no classifier."""
    file = save(tmp_path / "x.pt", baseline_state(num_classes=73))
    imported = import_model(file, BASELINE, bn_order="channel-major", num_subjects=74)
    assert imported.num_classes == 73
    (statement,) = imported.statements
    assert "classes 73 in the file, 74 training subjects" in statement
    assert import_model(file, BASELINE, bn_order="channel-major", num_subjects=73).statements == ()
    with pytest.raises(ValueError, match=r"channels .*; classes 73 in the file, 74 training subjects"):
        import_model(file, {**BASELINE, "layers": ["BC-3", "M", "BC-5"]}, num_subjects=74)


def test_a_checkpoint_of_another_model(tmp_path: Path) -> None:
    message = error(tmp_path, gaitset_state(), BASELINE)
    assert "it holds a GaitSet; give the recipe of that model" in message
    assert "missing: Backbone.forward_block.feature.0.conv.weight" in message
    assert "left over: set_block1.forward_block.0.conv.weight" in message
    assert "and 3 more" in message
    assert "it holds a Baseline" in error(tmp_path, baseline_state(), GAITSET)


def test_a_tensor_is_missing_and_one_is_left_over(tmp_path: Path) -> None:
    state = gaitset_state()
    state["Extra.weight"] = state.pop("gl_block3.2.conv.weight")
    message = error(tmp_path, state, GAITSET)
    assert "missing: gl_block3.2.conv.weight; left over: Extra.weight" in message


def test_a_model_without_published_files(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no published files of GaitEnergyImage are known"):
        import_model(save(tmp_path / "x.pt", gaitset_state()), {"name": "GaitEnergyImage"})


@pytest.mark.parametrize("build", [gaitset_casiab, gaitset_oumvlp, baseline_casiab, baseline_oumvlp])
def test_every_tensor_has_one_published_name(build: Any) -> None:
    model = build(**({"num_classes": 3} if "baseline" in build.__name__ else {}))
    names = PUBLISHED_MODELS[type(model).__name__].names(model)
    ours = list(model.state_dict())
    published = [to_published(name, names) for name in ours]
    assert len(set(published)) == len(ours)
    assert not set(published) & set(ours)
    assert [to_ours(name, names) for name in published] == ours


def test_models_from_published_configurations() -> None:
    assert model_from_config(GAITSET_CFG) == GAITSET
    assert model_from_config(baseline_cfg()) == {**BASELINE, "num_classes": 6}
    for config in (GAITSET_CFG, baseline_cfg()):
        create_model(**model_from_config(config))


def test_models_that_gaitway_does_not_have() -> None:
    with pytest.raises(UnknownModelError, match="no 'GaitFormer' yet; it imports Baseline, DeepGaitV2"):
        model_from_config({"model": "GaitFormer"})
    resnet = {**baseline_cfg(), "backbone_cfg": {"type": "ResNet50"}}
    with pytest.raises(UnknownModelError, match="'Plain' and 'ResNet9', not 'ResNet50'"):
        model_from_config(resnet)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bin_num": [16]}, "SeparateFCs.parts_num is 7, expected 16"),
        (
            {"SeparateFCs": {"in_channels": 9, "out_channels": 8, "parts_num": 7}},
            "SeparateFCs.in_channels is 9, expected 4",
        ),
        ({"SeparateFCs": {"in_channels": 4}}, "lacks or misspells something: 'parts_num'"),
        ({"SeparateBNNecks": {"class_num": 6, "in_channels": 8, "parts_num": 7, "norm": False}}, "norm is False"),
    ],
)
def test_configurations_that_contradict_themselves(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        model_from_config({**baseline_cfg(), **change})
