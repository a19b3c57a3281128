"""What a run is built from: data and recipe that go together, weights to start from, batch normalisation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from gaitway.training.checkpoint import read_trainer
from gaitway.training.recipe import Recipe, resolve
from gaitway.training.session import modalities_of
from tests.conftest import MakeStore
from tests.training.tiny import tiny_recipe, tiny_session, tiny_store, tiny_values


def test_classes_are_the_training_subjects_by_name(make_store: MakeStore, tmp_path: Path) -> None:
    session = tiny_session(tiny_store(make_store), tiny_recipe(tmp_path, baseline=True))
    assert list(session.classes) == ["001", "002", "003", "004"]
    assert len(session.rows) == 4 * 20
    assert session.num_single == 0
    assert session.model.state_dict()["neck.classifier.weight"].shape[2] == 4
    batch = session.loader.batch(0)
    assert batch.labels is not None
    assert [str(session.classes[label]) for label in batch.labels] == list(batch.subjects)


def test_subjects_of_one_sequence_are_counted_and_trained_on(make_store: MakeStore, tmp_path: Path) -> None:
    values = tiny_values(tmp_path)
    values["data"]["dataset"] = "made-up"
    store = make_store(num_subjects=4, conditions=("nm-01",), views=("000",), shape=(16, 16))
    session = tiny_session(store, resolve(values))
    assert session.num_single == 4
    batch = session.loader.batch(0)
    total, _ = session.objective(batch.frames, batch.lengths, batch.labels)
    assert torch.isfinite(total)


def test_a_store_of_another_data_set_is_refused(make_store: MakeStore, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="the recipe is for casia-b, .* holds made-up; .*data.dataset=made-up"):
        tiny_session(make_store(shape=(16, 16)), tiny_recipe(tmp_path))


def test_frames_of_another_size_are_refused(make_store: MakeStore, tmp_path: Path) -> None:
    store = make_store(shape=(32, 24), dataset="casia-b")
    with pytest.raises(ValueError, match=r"silhouettes of 16 × 16, .* holds 32 × 24; .*data.frame_shape=\[32, 24\]"):
        tiny_session(store, tiny_recipe(tmp_path))


def test_frames_that_are_cut_already_are_said_to_be(make_store: MakeStore, tmp_path: Path) -> None:
    store, recipe = make_store(shape=(16, 12), dataset="casia-b"), tiny_recipe(tmp_path)
    with pytest.raises(ValueError, match=r"of 16 × 16, .* holds 16 × 12; .* cut already, so that it takes Scale in pl"):
        tiny_session(store, recipe)


def test_the_same_seed_starts_from_the_same_weights(make_store: MakeStore, tmp_path: Path) -> None:
    store, recipe = tiny_store(make_store), tiny_recipe(tmp_path)
    other = replace(recipe, training=replace(recipe.training, seed=1))
    first, same, different = (tiny_session(store, r).model.state_dict()["head.weight"] for r in (recipe, recipe, other))
    assert torch.equal(first, same)
    assert not torch.equal(first, different)


def test_convolutions_are_channels_last(make_store: MakeStore, tmp_path: Path) -> None:
    model = tiny_session(tiny_store(make_store), tiny_recipe(tmp_path)).model
    weights = [layer.weight for layer in model.modules() if isinstance(layer, nn.Conv2d)]
    assert weights
    assert all(weight.is_contiguous(memory_format=torch.channels_last) for weight in weights)


@pytest.mark.parametrize("frozen", [True, False])
def test_frozen_batch_norm_stays_frozen_after_an_evaluation(
    make_store: MakeStore, tmp_path: Path, frozen: bool
) -> None:
    recipe = tiny_recipe(tmp_path, baseline=True, frozen_batch_norm=frozen)
    session = tiny_session(tiny_store(make_store), recipe)
    session.train_mode()
    session.evaluate()
    layers = [layer for layer in session.model.modules() if isinstance(layer, nn.BatchNorm1d)]
    assert layers
    assert all(layer.training != frozen for layer in layers)
    assert session.model.training


def test_start_from_a_checkpoint(make_store: MakeStore, tmp_path: Path) -> None:
    store = tiny_store(make_store)
    recipe = tiny_recipe(tmp_path)
    source = tiny_session(store, replace(recipe, training=replace(recipe.training, seed=5)))
    checkpoint = source.save(tmp_path / "run")
    session = tiny_session(store, recipe)
    assert session.start_from(checkpoint) == []
    assert session.step == 0
    for name, tensor in source.model.state_dict().items():
        assert torch.equal(session.model.state_dict()[name], tensor)


def gln_recipe(folder: Path, phase: int, **arguments: Any) -> Recipe:
    values = tiny_values(folder)
    size: dict[str, Any] = {"channels": [2, 2, 2], "lateral_dim": 4, "embedding_dim": 4, "compact_dim": 4}
    values["model"] = {"name": "GLN", "compact": phase == 2, "bins": [4, 2, 1], **size, **arguments}
    if phase == 2:
        values["losses"]["softmax"] = {"name": "CrossEntropyLoss", "weight": 0.1}
    return resolve(values)


def test_a_second_phase_starts_from_the_first(make_store: MakeStore, tmp_path: Path) -> None:
    """Only what the second phase adds may be missing, and only to start from, not to resume."""
    store = tiny_store(make_store)
    first = tiny_session(store, gln_recipe(tmp_path, 1))
    checkpoint = first.save(tmp_path / "run")
    second = tiny_session(store, gln_recipe(tmp_path, 2))
    fresh = {name: tensor.clone() for name, tensor in second.model.state_dict().items() if name.startswith("compact.")}
    assert second.start_from(checkpoint) == [f"{name} is missing" for name in fresh]
    for name, tensor in second.model.state_dict().items():
        assert torch.equal(tensor, fresh[name] if name in fresh else first.model.state_dict()[name])
    batch = second.loader.batch(0)
    total, figures = second.objective(batch.frames, batch.lengths, batch.labels)
    second.fabric.backward(total)
    assert second.updates.step()
    assert "softmax/loss" in figures
    with pytest.raises(ValueError, match="does not fit GLN: compact.bn.weight is missing"):
        second.resume(checkpoint)
    wider = tiny_session(store, gln_recipe(tmp_path, 2, embedding_dim=6))
    with pytest.raises(ValueError, match=r"does not fit GLN: head.weight is \(21, 4, 4\), the model has \(21, 4, 6\)"):
        wider.start_from(checkpoint)
    with pytest.raises(ValueError, match="does not fit GLN: .*compact.bn.weight is left over"):
        first.start_from(second.save(tmp_path / "second"))


def test_resuming_needs_the_same_sequences(make_store: MakeStore, tmp_path: Path) -> None:
    recipe = tiny_recipe(tmp_path)
    checkpoint = tiny_session(tiny_store(make_store), recipe).save(tmp_path / "run")
    other = make_store("other", num_subjects=8, shape=(16, 16), dataset="casia-b")
    with pytest.raises(ValueError, match="has other sequences than the store that .* was trained on"):
        tiny_session(other, recipe).resume(checkpoint)


def test_the_trainer_holds_what_resuming_needs(make_store: MakeStore, tmp_path: Path) -> None:
    checkpoint = tiny_session(tiny_store(make_store), tiny_recipe(tmp_path)).save(tmp_path / "run")
    state: dict[str, Any] = read_trainer(checkpoint)
    assert state.keys() == {"step", "store", "losses", "updates", "random"}
    assert state["updates"].keys() == {"optimizer", "schedule", "scaler", "used"}


def test_modalities_are_found_without_building_the_model(tmp_path: Path) -> None:
    assert modalities_of(tiny_recipe(tmp_path, baseline=True)) == ("silhouettes",)


def test_a_protocol_that_cannot_work_is_an_error_before_training(make_store: MakeStore, tmp_path: Path) -> None:
    """Only where the run evaluates while it trains."""
    store, values = tiny_store(make_store), tiny_values(tmp_path)
    values["evaluation"]["protocol"] = "grew"
    tiny_session(store, resolve(values))  # it does not evaluate
    values["training"]["evaluate_every"] = 4
    with pytest.raises(ValueError, match="protocol grew gives no figures"):
        tiny_session(store, resolve(values))
    values["evaluation"]["protocol"] = "casia-e"
    with pytest.raises(ValueError, match="no sequence is of the gallery"):
        tiny_session(store, resolve(values))
