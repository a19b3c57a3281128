"""List, show and copy the recipes that ship with Gaitway.

gaitway recipes ls
gaitway recipes ls gait3d
gaitway recipes ls deepgaitv2
gaitway recipes show casia-b/gaitset
gaitway recipes copy casia-b/gaitset my-recipe.yaml
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gaitway.training.recipe import Recipe


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    actions = parser.add_subparsers(dest="action", required=True)
    ls = actions.add_parser("ls", help="list the recipes with their model, published result and number of parameters")
    ls.add_argument(
        "words", nargs="*", metavar="WORD", help="only recipes with this in the name, data set or model, such as gait3d"
    )
    show = actions.add_parser("show", help="print a recipe, complete with all defaults")
    show.add_argument("recipe", help="a shipped recipe or a YAML file")
    copy = actions.add_parser("copy", help="copy a recipe to a file, to change it")
    copy.add_argument("recipe", help="a shipped recipe or a YAML file")
    copy.add_argument("out", help="the file to write; must not exist")


def run(args: argparse.Namespace) -> int:
    """Carry out the command."""
    return {"ls": _list, "show": _show, "copy": _copy}[args.action](args)


def _list(args: argparse.Namespace) -> int:
    from rich.console import Console
    from rich.table import Table

    from gaitway.training.recipe import list_recipes, load_recipe

    recipes = {name: load_recipe(name) for name in list_recipes()}
    chosen = {name: recipe for name, recipe in recipes.items() if all(_has(name, recipe, word) for word in args.words)}
    if not chosen:
        datasets = ", ".join(sorted({recipe.data.dataset for recipe in recipes.values()}))
        models = ", ".join(sorted({recipe.model.name for recipe in recipes.values()}))
        raise ValueError(f"no recipe for {' '.join(args.words)}; there are recipes for {datasets}, of {models}")
    table = Table(box=None, pad_edge=False)
    for title in ("recipe", "model"):
        table.add_column(title, no_wrap=True)
    table.add_column("published rank-1", min_width=len("Occlusion 100.0,"))
    table.add_column("size", justify="right", no_wrap=True)
    table.add_column("published", min_width=len("backbone"))
    for name, recipe in chosen.items():
        published = recipe.published
        table.add_row(
            name,
            recipe.model.name,
            _figures(published.rank1) if published else "–",
            f"{_num_parameters(recipe) / 1e6:.2f}M",
            (published and published.parameters) or "–",
        )
    Console().print(table)
    return 0


def _has(name: str, recipe: Recipe, word: str) -> bool:
    return any(word.lower() in text.lower() for text in (name, recipe.data.dataset, recipe.model.name))


def _figures(rank1: dict[str, float]) -> str:
    """Rank-1 by condition, two or three to a line, without a name where all probes are one condition."""
    if not rank1:
        return "–"
    figures = [f"{figure:.1f}" if name == "all" else f"{name} {figure:.1f}" for name, figure in rank1.items()]
    per_line = 3 if len(figures) == 3 else 2  # the table stays within 100 columns
    return ",\n".join(", ".join(figures[i : i + per_line]) for i in range(0, len(figures), per_line))


def _num_parameters(recipe: Recipe) -> int:
    """Of the model with the classes of the data set's own partition, as published counts have them."""
    import torch

    with torch.device("meta"):  # shapes only
        model = recipe.build_model(len(recipe.data.load_partition().train))
    return sum(parameter.numel() for parameter in model.parameters())


def _show(args: argparse.Namespace) -> int:
    from gaitway.training.recipe import load_recipe

    print(load_recipe(args.recipe).to_yaml(), end="")
    return 0


def _copy(args: argparse.Namespace) -> int:
    from pathlib import Path

    from gaitway.training.recipe import load_recipe, recipe_text

    load_recipe(args.recipe)  # a copy of a broken recipe helps nobody
    out = Path(args.out)
    if out.exists():
        raise FileExistsError(f"{out} exists already; choose another name or remove it")
    out.write_text(recipe_text(args.recipe))
    print(f"Copied {args.recipe} to {out}. Change it, then: gaitway train {out} --data STORE")
    return 0
