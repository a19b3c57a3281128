"""Train a supernet, whose paths `gaitway nas search` ranks afterwards.

gaitway nas train walkers/sposgait-supernet --data walkers
gaitway nas train grew/sposgait-small-supernet --data STORE --run runs/supernet --devices 8
gaitway nas train casia-b/sposgait-small-supernet --data STORE --held-out 0 training.steps=50000

It is the training of `gaitway train`, which goes on with such a run by --resume. A share of the training subjects is
left out, for the search to measure on: a path that is chosen by the test set has seen it.
"""

from __future__ import annotations

import argparse

from gaitway.cli.train import add_run_arguments, train, with_whole_paths


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument("recipe", metavar="RECIPE", help="a recipe of a supernet, shipped or a YAML file")
    parser.add_argument(
        "overrides", nargs="*", metavar="key=value", help="changes to the recipe, such as training.steps=500 or lr=0.01"
    )
    parser.add_argument(
        "--held-out",
        type=float,
        default=0.2,
        metavar="SHARE",
        help="of the training subjects that are left out (default 0.2); 0 trains on all of them, as published",
    )
    add_run_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Carry out the command."""
    from pathlib import Path

    from gaitway.training.recipe import load_recipe
    from gaitway.training.run import default_run
    from gaitway.training.session import is_supernet

    if "=" in args.recipe:
        raise ValueError("name the recipe of a supernet (`gaitway recipes ls supernet` lists them) before key=value")
    recipe = load_recipe(args.recipe, [*args.overrides, f"data.held_out={args.held_out}"])
    if not is_supernet(recipe):
        raise ValueError(
            f"{args.recipe} is the recipe of one network, there are no paths to search; take one of those that "
            "`gaitway recipes ls supernet` lists, or train this one by `gaitway train`"
        )
    return train(args, args.recipe, with_whole_paths(recipe), Path(args.run or default_run(args.recipe)))
