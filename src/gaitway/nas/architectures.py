"""Architectures as they are written on a command line."""

from __future__ import annotations

import re
from dataclasses import replace

from gaitway.models.sposgait import Architecture
from gaitway.training.recipe import Component, Recipe


def parse_architecture(text: str) -> Architecture:
    """`[0, 5, 5, 4]`, `0,5,5,4` or `0-5-5-4` as block numbers.

    Raises:
        ValueError: when it is none of these.
    """
    numbers = re.split(r"\s*[-,\s]\s*", text.strip().removeprefix("[").removesuffix("]").strip())
    if not all(number.isdecimal() for number in numbers):
        raise ValueError(f"{text!r} is no architecture; write a block number per layer, such as 0,5,5,4")
    return tuple(map(int, numbers))


def architecture_text(architecture: Architecture) -> str:
    """In short, as in names of folders: `0-5-5-4`."""
    return "-".join(map(str, architecture))


def recipe_of_path(recipe: Recipe, architecture: Architecture) -> Recipe:
    """The recipe with the network of a path as its model.

    Raises:
        ValueError: when its model has no paths.
    """
    if recipe.model.name != "SPOSGait":
        raise ValueError(
            f"the recipe's model is {recipe.model.name}, which has no paths; give one of a recipe of SPOSGait "
            "(`gaitway recipes ls sposgait`)"
        )
    arguments = recipe.model.arguments | {"architecture": list(architecture)}
    return replace(recipe, model=Component("SPOSGait", arguments))
