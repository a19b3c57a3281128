"""Architectures as text, in recipes, and their weights in a supernet."""

from __future__ import annotations

from pathlib import Path

import pytest

from gaitway.models import SPOSGait
from gaitway.nas.architectures import architecture_text, parse_architecture, recipe_of_path
from gaitway.nas.weights import path_weights
from gaitway.training.recipe import load_recipe
from tests.nas.tiny import tiny_recipe


@pytest.mark.parametrize("text", ["[0, 5, 5, 4]", "0,5,5,4", "0-5-5-4", " 0 5 5 4 ", "[0,5,5,4]"])
def test_ways_to_write_an_architecture(text: str) -> None:
    assert parse_architecture(text) == (0, 5, 5, 4)
    assert parse_architecture(architecture_text((0, 5, 5, 4))) == (0, 5, 5, 4)


@pytest.mark.parametrize("text", ["", "best", "[]", "0,5,,4", "0,x"])
def test_what_is_no_architecture(text: str) -> None:
    with pytest.raises(ValueError, match="is no architecture; write a block number per layer"):
        parse_architecture(text)


def test_the_recipe_of_a_path(tmp_path: Path) -> None:
    recipe = tiny_recipe(tmp_path)
    changed = recipe_of_path(recipe, (0, 5, 5, 4))
    assert changed.model.arguments == recipe.model.arguments | {"architecture": [0, 5, 5, 4]}
    with pytest.raises(ValueError, match="the recipe's model is GaitSet, which has no paths"):
        recipe_of_path(load_recipe("casia-b/gaitset"), (0, 5, 5, 4))


def test_weights_of_a_path_are_of_a_supernet_and_of_its_space() -> None:
    supernet = SPOSGait(num_classes=2, channels=(2, 3, 4), embedding_dim=4)
    network = SPOSGait(num_classes=2, channels=(2, 3, 4), embedding_dim=4, architecture=(0, 1, 2, 3))
    found = path_weights(supernet.state_dict(), (0, 1, 2, 3))
    assert {name: tensor.shape for name, tensor in found.items()} == {
        name: tensor.shape for name, tensor in network.state_dict().items()
    }
    with pytest.raises(ValueError, match="the weights of one network, not of a supernet"):
        path_weights(network.state_dict(), (0, 1, 2, 3))
    with pytest.raises(ValueError, match="has 3 entries, the search space 4 layers"):
        path_weights(supernet.state_dict(), (0, 1, 2))
    with pytest.raises(ValueError, match="has block 6 in layer 3"):
        path_weights(supernet.state_dict(), (0, 1, 2, 6))
