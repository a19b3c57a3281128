"""Training a supernet: paths by step, weights that are idle, clipping, subjects that are left out."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from gaitway.models.sposgait import SPOSGait, path_of_step
from gaitway.training.checkpoint import checkpoint_path, read_weights
from gaitway.training.devices import StopSignals, create_fabric
from gaitway.training.loop import fit, update
from gaitway.training.recipe import Data, IdleGradients, Recipe, resolve
from gaitway.training.session import Session, is_supernet
from tests.conftest import MakeStore
from tests.nas.tiny import tiny_recipe, tiny_store
from tests.training.tiny import tiny_session


def recipe_with(folder: Path, model: dict[str, Any] | None = None, **training: Any) -> Recipe:
    recipe = tiny_recipe(folder, **model or {})
    sgd = replace(recipe.optimizer, arguments=recipe.optimizer.arguments | {"momentum": 0.9, "weight_decay": 0.01})
    return replace(recipe, optimizer=sgd, training=replace(recipe.training, **training))


def weights_by_step(session: Session, steps: int, run: Path) -> list[dict[str, torch.Tensor]]:
    """The parameters before the first step and after each."""
    session.train_mode()
    found = []
    for batch in islice(session.loader.batches(), steps):
        found.append(copies(session.model))
        update(session, batch, run, StopSignals())
        session.step += 1
    return [*found, copies(session.model)]


def copies(model: nn.Module) -> dict[str, torch.Tensor]:
    """The parameters as they are now."""
    return {name: parameter.detach().clone() for name, parameter in model.named_parameters()}


def test_each_step_trains_the_path_of_its_number(make_store: MakeStore, tmp_path: Path) -> None:
    session = tiny_session(tiny_store(make_store), recipe_with(tmp_path))
    model = session.model
    assert isinstance(model, SPOSGait)
    weights = weights_by_step(session, 4, tmp_path / "run")
    for step, (before, after) in enumerate(pairwise(weights)):
        path = path_of_step(step, [1, 6, 6, 6])
        changed = {name for name in before if not torch.equal(before[name], after[name])}
        on_path = tuple(f"blocks.{layer.name}/{kind}." for layer, kind in zip(model.layers, path, strict=True))
        blocks = {name for name in before if name.startswith("blocks.")}
        assert changed & blocks == {name for name in blocks if name.startswith(on_path)}
        assert {"head.weight", "aggregation.weight"} <= changed


def test_idle_weights_go_on_once_they_were_used(make_store: MakeStore, tmp_path: Path) -> None:
    """By weight decay and momentum: w - lr (0.9 m + decay w) with the momentum m before."""
    session = tiny_session(tiny_store(make_store), recipe_with(tmp_path, idle_gradients="zero"))
    weights = weights_by_step(session, 3, tmp_path / "run")
    paths = [path_of_step(step, [1, 6, 6, 6]) for step in range(3)]
    assert paths[0][1] not in (paths[1][1], paths[2][1]), "a block that is idle in both steps"
    used = f"blocks.20/{paths[0][1]}.convolutions.0.weight"
    never = next(kind for kind in range(6) if all(path[1] != kind for path in paths))
    momentum = (weights[0][used] - weights[1][used]) / 0.05
    for before, after in pairwise(weights[1:]):
        momentum = 0.9 * momentum + 0.01 * before[used]
        torch.testing.assert_close(after[used], before[used] - 0.05 * momentum, rtol=1e-5, atol=1e-7)
    unused = f"blocks.20/{never}.convolutions.0.weight"
    assert torch.equal(weights[0][unused], weights[3][unused])


@pytest.mark.parametrize("idle", ["none", "zero"])
def test_a_resumed_supernet_is_the_same_bit_for_bit(make_store: MakeStore, tmp_path: Path, idle: IdleGradients) -> None:
    store, recipe = tiny_store(make_store), recipe_with(tmp_path, save_every=3, idle_gradients=idle)
    whole = fit(tiny_session(store, recipe), tmp_path / "whole", stop=StopSignals())
    session = tiny_session(store, recipe)
    session.resume(checkpoint_path(tmp_path / "whole", 3))
    resumed = fit(session, tmp_path / "resumed", stop=StopSignals())
    first, second = read_weights(whole.checkpoint), read_weights(resumed.checkpoint)
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("precision", ["32", "fp16"])
def test_elements_of_gradients_are_clipped(make_store: MakeStore, tmp_path: Path, precision: Any) -> None:
    recipe = tiny_recipe(tmp_path, bn_neck=True)
    recipe = replace(recipe, training=replace(recipe.training, clip_gradient_value=1e-3))
    session = tiny_session(tiny_store(make_store), recipe, precision)
    before, after = weights_by_step(session, 1, tmp_path / "run")
    # the first update of SGD is the learning rate times the gradient
    changes = torch.cat([(after[name] - before[name]).flatten() for name in before])
    assert float(changes.abs().max()) == pytest.approx(0.05 * 1e-3, rel=1e-2)
    assert int((changes.abs() > 0.9 * 0.05 * 1e-3).sum()) > 1, "elements are clipped, not the norm"


def test_gradients_are_clipped_in_one_way(tmp_path: Path) -> None:
    values = tiny_recipe(tmp_path).as_dict()
    values["training"] |= {"clip_gradient_norm": 1.0, "clip_gradient_value": 0.1}
    with pytest.raises(ValueError, match="clip_gradient_norm 1.0 and training.clip_gradient_value 0.1: .* one way"):
        resolve(values)


def test_what_needs_one_network_is_refused(make_store: MakeStore, tmp_path: Path) -> None:
    store, recipe = tiny_store(make_store), recipe_with(tmp_path)
    with pytest.raises(ValueError, match="evaluate_every is 4, but a supernet's paths have no figure in common"):
        tiny_session(store, recipe_with(tmp_path, evaluate_every=4))
    with pytest.raises(ValueError, match="--compile makes kernels for one network"):
        Session(create_fabric(accelerator="cpu"), recipe, store, recipe_name="tiny", compile_model=True)


def test_a_supernet_is_the_model_without_an_architecture(tmp_path: Path) -> None:
    assert is_supernet(tiny_recipe(tmp_path))
    assert not is_supernet(tiny_recipe(tmp_path, architecture=[0, 5, 5, 4]))


class TestSubjects:
    """`data.first_subjects` and `data.held_out`."""

    def data(self, folder: Path, **arguments: Any) -> Data:
        (folder / "p.json").write_text(json.dumps({"train": list("jihgfedcba"), "test": ["z"]}))
        return Data(dataset="casia-b", partition=str(folder / "p.json"), **arguments)

    def test_the_first_ones(self, tmp_path: Path) -> None:
        partition = self.data(tmp_path, first_subjects=4).load_partition()
        assert (partition.train, partition.test) == (("j", "i", "h", "g"), ("z",))
        assert self.data(tmp_path).held_out_subjects() == ()

    def test_some_are_held_out(self, tmp_path: Path) -> None:
        data = self.data(tmp_path, first_subjects=8, held_out=0.25)
        kept, held_out = data.load_partition().train, data.held_out_subjects()
        assert (len(kept), len(held_out)) == (6, 2)
        assert {*kept, *held_out} == set("jihgfedc")
        assert list(kept) == sorted(kept, reverse=True), "the order of the partition"

    @pytest.mark.parametrize("count", [1, 11])
    def test_as_many_as_there_are(self, tmp_path: Path, count: int) -> None:
        data = self.data(tmp_path, first_subjects=count)
        with pytest.raises(ValueError, match=rf"first_subjects is {count}, .* has 10 training subjects; take 2 to 10"):
            data.load_partition()

    def test_a_run_leaves_them_out(self, make_store: MakeStore, tmp_path: Path) -> None:
        recipe = tiny_recipe(tmp_path)
        session = tiny_session(tiny_store(make_store), recipe)
        held_out = recipe.data.held_out_subjects()
        assert len(held_out) == 2
        assert sorted([*session.classes, *held_out]) == [f"{subject:03}" for subject in range(1, 7)]
