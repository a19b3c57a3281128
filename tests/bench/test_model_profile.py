"""Counts against the published ones and against counts by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from gaitway.bench.model_profile import Work, count_costs, count_supernet, time_sequences
from gaitway.nas.architectures import recipe_of_path
from gaitway.nas.costs import CostModel
from gaitway.training.recipe import list_recipes, load_recipe, resolve
from tests.training.tiny import tiny_recipe, tiny_values


@pytest.mark.parametrize(
    ("recipe", "parameters", "per_frame", "per_sequence", "embedding"),
    [
        ("casia-b/gaitset", 2_594_592, 106.1, 79.9, (2_594_592, 79.9)),
        ("oumvlp/gaitset", 6_313_536, 419.7, 315.5, (6_313_536, 315.5)),
        ("casia-b/baseline", 3_779_136, 419.7, 2.6, (3_176_000, 2.0)),
        ("oumvlp/baseline", 44_112_928, 261.8, 42.9, (3_202_848, 2.0)),
    ],
)
def test_published_models(
    recipe: str, parameters: int, per_frame: float, per_sequence: float, embedding: tuple[int, float]
) -> None:
    """Multiply-adds in millions, for 74 and 5153 training subjects."""
    costs = count_costs(load_recipe(recipe))
    assert costs.total.parameters == parameters
    assert costs.total.per_frame / 1e6 == pytest.approx(per_frame, abs=0.05)
    assert costs.total.per_sequence / 1e6 == pytest.approx(per_sequence, abs=0.05)
    assert costs.embedding.parameters == embedding[0]
    assert costs.embedding.per_frame == costs.total.per_frame
    assert costs.embedding.per_sequence / 1e6 == pytest.approx(embedding[1], abs=0.05)
    assert costs.frame_shape == (64, 44)
    assert costs.published == f"{parameters / 1e6:.2f}M"
    for count in ("parameters", "per_frame", "per_sequence"):
        assert sum(getattr(block, count) for block in costs.blocks.values()) == getattr(costs.total, count)


def test_work_in_lists_of_blocks_is_counted() -> None:
    costs = count_costs(load_recipe("casia-b/hstl"))
    assert costs.blocks["levels"].per_frame == pytest.approx(costs.total.per_frame, rel=1e-3)
    for count in ("parameters", "per_frame", "per_sequence"):
        assert sum(getattr(block, count) for block in costs.blocks.values()) == getattr(costs.total, count)


def test_blocks_and_classes_counted_by_hand(tmp_path: Path) -> None:
    costs = count_costs(tiny_recipe(tmp_path, baseline=True), num_classes=10)
    pixels = 16 * 16
    backbone = 25 * 4 * pixels + 9 * 4 * 8 * pixels // 4 + 9 * 8 * 8 * pixels // 16
    assert costs.num_classes == 10
    assert costs.blocks == {
        "backbone": Work(25 * 4 + 9 * 4 * 8 + 9 * 8 * 8, backbone, 0),
        "head": Work(7 * 8 * 8, 0, 7 * 8 * 8),
        "neck": Work(7 * 8 * 10 + 2 * 7 * 8, 0, 7 * 8 * 10),
    }
    assert costs.embedding == Work(25 * 4 + 9 * 4 * 8 + 9 * 8 * 8 + 7 * 8 * 8, backbone, 7 * 8 * 8)


def test_a_model_without_parameters_costs_nothing_to_count(tmp_path: Path) -> None:
    costs = count_costs(resolve(tiny_values(tmp_path) | {"model": {"name": "GaitEnergyImage"}}))
    assert costs.total == costs.embedding == Work(0, 0, 0)


SPOSGAIT = {  # parameters of an embedding and with the classifier in millions, multiply-adds of 30 frames in billions
    "casia-b/sposgait-small": (3.520, 3.831, 6.853),
    "grew/sposgait-small-500": (3.213, 5.269, 4.968),
    "grew/sposgait-small-5000": (3.213, 23.701, 4.968),
    "grew/sposgait-small-20000": (3.213, 85.141, 4.968),
    "grew/sposgait-medium-500": (20.748, 28.715, 46.758),
    "grew/sposgait-medium-5000": (20.748, 100.139, 46.758),
    "grew/sposgait-medium-20000": (20.748, 338.219, 46.758),
    "grew/sposgait-large-500": (28.913, 36.880, 65.444),
    "grew/sposgait-large-5000": (28.913, 108.304, 65.444),
    "grew/sposgait-large-20000": (28.913, 346.384, 65.444),
    "grew/sposgait-large-2loss": (26.602, 344.074, 65.098),
    "oumvlp/sposgait-large": (22.883, 43.998, 65.438),
    "gait3d/sposgait-large": (24.972, 37.268, 123.953),
}


def test_every_network_of_sposgait_is_here() -> None:
    names = {name for name in list_recipes() if "/sposgait" in name and "supernet" not in name}
    assert names - {"walkers/sposgait"} == set(SPOSGAIT)


@pytest.mark.parametrize("name", SPOSGAIT)
def test_networks_of_sposgait_cost_what_their_recipes_are_known_for(name: str) -> None:
    """Counted in the network, as calculated from the architecture."""
    recipe = load_recipe(name)
    counted = count_costs(recipe)
    embedding, training, multiply_adds = SPOSGAIT[name]
    assert counted.embedding.parameters / 1e6 == pytest.approx(embedding, abs=5e-4)
    assert counted.total.parameters / 1e6 == pytest.approx(training, abs=5e-4)
    assert counted.clip / 1e9 == pytest.approx(multiply_adds, abs=5e-4)
    assert counted.clip == pytest.approx(counted.embedding.per_sequence + 30 * counted.embedding.per_frame, abs=30)
    arguments = dict(recipe.model.arguments)
    path = arguments.pop("architecture")
    assert arguments.pop("bn_neck")
    calculated = CostModel(**arguments, num_classes=counted.num_classes).of(path)
    assert calculated.parameters == counted.embedding.parameters
    assert calculated.training_parameters == counted.total.parameters
    assert calculated.macs == counted.clip


@pytest.mark.parametrize("path", [(0, 0, 1, 2), (0, 3, 4, 5), (0, 5, 0, 1)])
def test_paths_of_a_supernet_cost_what_is_calculated(path: tuple[int, ...]) -> None:
    recipe = load_recipe("walkers/sposgait-supernet")
    counted = count_costs(recipe_of_path(recipe, path))
    costs = count_supernet(recipe)
    assert costs.num_paths == 216
    assert costs.frame_shape == (64, 44)
    layers = zip(costs.layers.values(), path, (0, 0, 0, 0), strict=True)
    others = count_costs(recipe_of_path(recipe, (0, 0, 0, 0)))
    added = [(blocks[kind], blocks[first]) for blocks, kind, first in layers]
    parameters = sum(one["parameters"] - other["parameters"] for one, other in added)
    multiply_adds = sum(one["macs"] - other["macs"] for one, other in added)
    assert counted.embedding.parameters == others.embedding.parameters + parameters
    assert counted.clip == others.clip + multiply_adds
    assert costs.least["macs"] <= counted.clip <= costs.most["macs"]
    assert costs.least["parameters"] <= counted.embedding.parameters <= costs.most["parameters"]


def test_a_supernet_has_all_blocks() -> None:
    costs = count_supernet(load_recipe("grew/sposgait-large-supernet"))
    assert costs.num_paths == 6**8
    assert [len(blocks) for blocks in costs.layers.values()] == [1, 1, *[6] * 8]
    # of the published file, which holds five blocks more in the first two layers
    assert costs.parameters == 110_176_641
    with pytest.raises(ValueError, match="no supernet"):
        count_supernet(load_recipe("grew/sposgait-large-500"))


def test_time_is_given_alone_and_in_batches(tmp_path: Path) -> None:
    times = time_sequences(tiny_recipe(tmp_path), device=torch.device("cpu"))
    assert set(times) >= {"32, alone", "32, batches of 8"}
    assert all(0 < milliseconds < 1000 for milliseconds in times.values())
