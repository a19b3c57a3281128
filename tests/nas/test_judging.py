"""How good a path is."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric

from gaitway.data import Store
from gaitway.evaluation import EmbeddingSet, evaluate, load_protocol
from gaitway.models.sposgait import Architecture, SPOSGait
from gaitway.nas.judging import (
    Batches,
    Judge,
    frame_size,
    held_out_jury,
    mean_figures,
    published_jury,
    training_batches,
)
from gaitway.training.devices import create_fabric
from gaitway.training.recipe import Recipe
from tests.conftest import MakeStore
from tests.nas.tiny import SUBJECTS, tiny_recipe, tiny_store

PATHS: list[Architecture] = [(0, 1, 2, 3), (0, 4, 5, 0)]


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    return tiny_recipe(tmp_path)


@pytest.fixture
def store(make_store: MakeStore) -> Store:
    return tiny_store(make_store)


@pytest.fixture
def fabric() -> Fabric:
    fabric: Fabric = create_fabric(accelerator="cpu")
    fabric.launch()
    return fabric


def supernet(recipe: Recipe) -> SPOSGait:
    """One whose shared statistics fit no path."""
    torch.manual_seed(0)
    model = recipe.build_model(num_classes=4).eval()
    assert isinstance(model, SPOSGait)
    for name, buffer in model.named_buffers():
        if name.endswith("running_var"):
            buffer.uniform_(0.5, 2)
    return model


def judge(fabric: Fabric, recipe: Recipe, store: Store, batches: Batches | None = None) -> Judge:
    jury = held_out_jury(recipe.data, store, recipe.evaluation)
    return Judge(fabric, supernet(recipe), store, jury, recipe.evaluation, batches=batches)


def test_the_held_out_subjects_judge(recipe: Recipe, store: Store) -> None:
    jury = held_out_jury(recipe.data, store, recipe.evaluation)
    subjects = set(store.index.subjects[jury.rows].tolist())
    assert subjects == set(recipe.data.held_out_subjects())
    assert subjects.isdisjoint(recipe.data.load_partition().train)
    assert subjects <= set(SUBJECTS[:6])
    assert (jury.num_subjects, len(jury.rows), jury.protocol.name, jury.warning) == (2, 40, "casia-b", "")


def test_of_a_supernet_that_saw_everyone_a_share_judges(recipe: Recipe, store: Store) -> None:
    data = replace(recipe.data, held_out=0.0)
    jury = held_out_jury(data, store, recipe.evaluation)
    assert jury.num_subjects == 2
    assert "was trained on the subjects" in jury.warning
    assert held_out_jury(data, store, recipe.evaluation, 0.5).num_subjects == 3
    with pytest.raises(ValueError, match=r"trained without 0\.3 of its subjects.*leave out --held-out 0\.5"):
        held_out_jury(recipe.data, store, recipe.evaluation, 0.5)


def test_the_published_choice_is_called_what_it_is(recipe: Recipe, store: Store) -> None:
    jury = published_jury(recipe.data, store, recipe.evaluation)
    assert set(store.index.subjects[jury.rows].tolist()) == set(SUBJECTS[6:])
    assert "has seen the test set" in jury.warning


def test_where_the_protocol_lists_test_sequences_every_second_is_a_probe(recipe: Recipe, make_store: MakeStore) -> None:
    store = make_store(
        num_subjects=8, conditions=[f"{i:02}" for i in range(5)], shape=(64, 44), num_frames=(3, 3), dataset="gait3d"
    )
    evaluation = replace(recipe.evaluation, protocol="gait3d")
    jury = held_out_jury(replace(recipe.data, dataset="gait3d"), store, evaluation)
    assert jury.protocol.name == "every second sequence"
    embeddings = torch.eye(8)[[int(name) - 1 for name in store.index.subjects[jury.rows]]][:, None]
    names = [getattr(store.index, key)[jury.rows].tolist() for key in ("subjects", "conditions", "views")]
    result = evaluate(EmbeddingSet(embeddings, *map(tuple, names)), jury.protocol)
    assert (result.sets["all"].num_probes, result.num_gallery) == (10, 10)
    assert mean_figures(result)["rank-1"] == 100.0


def test_figures_are_means_over_the_probe_sets() -> None:
    people, conditions = range(6), ("nm-01", "nm-05", "bg-01", "cl-01")
    names = [(f"{subject}", condition, view) for subject in people for condition in conditions for view in ("0", "90")]
    noise = torch.randn(len(names), 1, 6, generator=torch.Generator().manual_seed(0))
    embeddings = torch.eye(6)[[int(subject) for subject, _, _ in names]][:, None] + 0.6 * noise
    protocol = replace(load_protocol("casia-b"), ranks=(1, 5))
    result = evaluate(EmbeddingSet(embeddings, *map(tuple, zip(*names, strict=True))), protocol)
    by_set = result.figures()
    for name, figure in mean_figures(result).items():
        parts = [by_set[f"{probes}/{name}"] for probes in ("NM", "BG", "CL")]
        assert figure == pytest.approx(np.mean(parts))
        assert min(parts) < figure < max(parts)


def test_a_path_has_the_figures_of_its_network(fabric: Fabric, recipe: Recipe, store: Store) -> None:
    judging = judge(fabric, recipe, store)
    figures = judging.accuracies(PATHS[0])
    torch.manual_seed(1)
    network = SPOSGait(num_classes=4, **{**recipe.model.arguments, "architecture": PATHS[0]})
    weights = judging.model.state_dict()
    network.load_state_dict({name: weights[name] for name in network.state_dict()})
    judging.model = network.eval()
    assert judging.accuracies(PATHS[0]) == figures


@pytest.mark.parametrize("recalibrate", [False, True])
def test_paths_do_not_affect_each_other(fabric: Fabric, recipe: Recipe, store: Store, recalibrate: bool) -> None:
    batches = training_batches(recipe, store, 2, fabric.device, "host") if recalibrate else None
    judging = judge(fabric, recipe, store, batches)
    before = {name: tensor.clone() for name, tensor in judging.model.state_dict().items()}
    first = [judging.accuracies(path) for path in PATHS]
    assert [judging.accuracies(path) for path in reversed(PATHS)] == first[::-1]
    assert first[0] != first[1]
    assert all(torch.equal(tensor, before[name]) for name, tensor in judging.model.state_dict().items())


def test_recalibration_changes_figures(fabric: Fabric, recipe: Recipe, store: Store) -> None:
    fresh = judge(fabric, recipe, store, training_batches(recipe, store, 2, fabric.device, "host"))
    assert fresh.accuracies(PATHS[0]) != judge(fabric, recipe, store).accuracies(PATHS[0])


def test_embeddings_that_are_not_finite_name_the_path(fabric: Fabric, recipe: Recipe, store: Store) -> None:
    judging = judge(fabric, recipe, store)
    with torch.no_grad():
        judging.model.head.weight.fill_(torch.inf)
    with pytest.raises(ValueError, match=r"path \[0, 1, 2, 3\]: 40 of 40 embeddings are not finite"):
        judging.accuracies(PATHS[0])


def test_latency_is_measured(fabric: Fabric, recipe: Recipe, store: Store) -> None:
    judging = judge(fabric, recipe, store)
    assert 0 < judging.latency(PATHS[0], (64, 44), 3) < 10_000


def test_size_of_frames_after_the_transforms(recipe: Recipe) -> None:
    assert frame_size(recipe.evaluation, (64, 44)) == (64, 44)
    assert frame_size(replace(recipe.evaluation, transforms=[{"name": "CutColumns"}]), (64, 64)) == (64, 44)


def test_too_few_held_out_subjects(recipe: Recipe, store: Store, tmp_path: Path) -> None:
    (tmp_path / "few.json").write_text(json.dumps({"train": ["001", "002", "003"], "test": ["004"]}))
    data = replace(recipe.data, partition=str(tmp_path / "few.json"), held_out=0.0)
    with pytest.raises(ValueError, match="at least two must be left"):
        held_out_jury(data, store, recipe.evaluation)
