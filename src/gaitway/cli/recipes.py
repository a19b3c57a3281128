"""List, show and copy the recipes that ship with Gaitway.

gaitway recipes ls
gaitway recipes show casia-b/gaitset
gaitway recipes copy casia-b/gaitset my-recipe.yaml
"""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("ls", help="list the recipes with their data set, model and published result")
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

    table = Table("recipe", "model", "data set", "steps", "published rank-1", "published size", box=None)
    for name in list_recipes():
        recipe = load_recipe(name)
        published = recipe.published
        figures = " / ".join(f"{figure:g}" for figure in published.rank1.values()) if published else ""
        names = " / ".join(published.rank1) if published else ""
        table.add_row(
            name,
            recipe.model.name,
            recipe.data.dataset,
            f"{recipe.training.steps:,}",
            f"{figures} ({names})" if figures else "–",
            (published and published.parameters) or "–",
        )
    Console().print(table)
    return 0


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
