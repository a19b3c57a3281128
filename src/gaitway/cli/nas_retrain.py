"""Train a path of a supernet on its own, from fresh weights.

gaitway nas retrain runs/supernet --architecture best --data STORE
gaitway nas retrain runs/supernet/searches/nsga2 --architecture 3 --data STORE --run runs/third --steps 20000
gaitway nas retrain runs/supernet --architecture 0,5,5,4 --data STORE --recipe casia-b/sposgait-small
gaitway nas retrain runs/supernet --architecture best --data STORE --from-supernet lr=0.01

The run is one as of `gaitway train`, which goes on with it by --resume; its recipe is the supernet's, or that of
--recipe, with the architecture, on all training subjects.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from gaitway.cli.train import add_run_arguments, train, with_whole_paths

if TYPE_CHECKING:
    from pathlib import Path

    from gaitway.models.sposgait import Architecture
    from gaitway.training.recipe import Recipe
    from gaitway.training.session import Session


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument("supernet", metavar="RUN", help="a supernet's run or checkpoint, or a search in its folder")
    parser.add_argument(
        "overrides", nargs="*", metavar="key=value", help="changes to the recipe, such as training.steps=500 or lr=0.01"
    )
    parser.add_argument(
        "--architecture",
        required=True,
        metavar="A",
        help="best, a number in the search's table (1 is the best), or a block number per layer such as 0,5,5,4",
    )
    parser.add_argument("--recipe", metavar="R", help="how to train it (default: the supernet's recipe)")
    parser.add_argument("--steps", type=int, metavar="N", help="length of training; milestones move in proportion")
    parser.add_argument("--from-supernet", action="store_true", help="start from the path's weights in the supernet")
    add_run_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Carry out the command."""
    from pathlib import Path

    from gaitway.nas.architectures import architecture_text
    from gaitway.training.checkpoint import run_of
    from gaitway.training.run import RECIPE

    given = Path(args.supernet)
    architecture = _architecture(given, args.architecture)
    supernet = _checkpoint(given)
    run = run_of(supernet)
    recipe = _recipe(args, run, architecture)
    folder = Path(args.run) if args.run else run.parent / f"{run.name}-{architecture_text(architecture)}"

    def start(session: Session) -> list[str]:
        return _take_path(session, supernet, architecture) if args.from_supernet else []

    return train(args, str(folder / RECIPE), with_whole_paths(recipe), folder, start=start)


def _architecture(given: Path, text: str) -> Architecture:
    """The architecture that is asked for; looks into the search only where it is not written out."""
    from gaitway.nas.architectures import parse_architecture
    from gaitway.nas.results import RESULTS, SearchResults, chosen, list_searches

    if text != "best" and not text.isdecimal():
        return parse_architecture(text)
    searches = [given] if (given / RESULTS).is_file() else list_searches(given)
    if len(searches) > 1:
        raise ValueError(f"{given} has {len(searches)} searches; name one of {', '.join(map(str, searches))}")
    return chosen(SearchResults.load(searches[0] if searches else given), text)


def _checkpoint(given: Path) -> Path:
    """The supernet: the checkpoint that is given, or the latest of the run that is given or that has the search."""
    from gaitway.nas.results import RESULTS, SEARCHES
    from gaitway.training.checkpoint import find_checkpoint

    if not (given / RESULTS).is_file():
        return find_checkpoint(given)
    searches = given.resolve().parent
    if searches.name != SEARCHES:
        raise ValueError(
            f"{given} does not lie in the run of its supernet; name that run, and the architecture by its block "
            f"numbers (`gaitway nas show {given}` prints them)"
        )
    return find_checkpoint(searches.parent)


def _recipe(args: argparse.Namespace, run: Path, architecture: Architecture) -> Recipe:
    """How the path is trained: on all training subjects, and so long as is asked for."""
    from dataclasses import replace

    from gaitway.nas.architectures import architecture_text, recipe_of_path
    from gaitway.training.recipe import load_recipe
    from gaitway.training.run import RECIPE

    if not args.recipe and not (run / RECIPE).is_file():
        raise ValueError(
            f"{run} does not say how it was trained (no {RECIPE} in it); say by --recipe R how to train the path"
        )
    name = args.recipe or str(run / RECIPE)
    changes = ["data.held_out=0.0", "training.idle_gradients=none"]
    if args.steps is not None:
        changes += [f"training.steps={args.steps}", *_moved_milestones(load_recipe(name), args.steps)]
    recipe = recipe_of_path(load_recipe(name, [*changes, *args.overrides]), architecture)
    how = f"as in {args.recipe}" if args.recipe else "as the supernet was"
    description = f"The path {architecture_text(architecture)} of the supernet {run}, trained {how}."
    return replace(recipe, description=description, published=None)


def _moved_milestones(recipe: Recipe, steps: int) -> list[str]:
    """The change of a schedule that goes with another length of training."""
    milestones = recipe.schedule.arguments.get("milestones")
    if milestones is None:
        raise ValueError(
            f"--steps moves milestones, and {recipe.schedule.name} has none; change training.steps and the schedule by "
            "key=value"
        )
    return [f"schedule.milestones={[round(step * steps / recipe.training.steps) for step in milestones]}"]


def _take_path(session: Session, supernet: Path, architecture: Architecture) -> list[str]:
    """Give a session the path's weights in the supernet; returns what starts fresh: a classifier of other classes."""
    from gaitway.nas.weights import path_weights
    from gaitway.training.checkpoint import load_weights, read_weights

    own = session.model.state_dict()
    weights = path_weights(read_weights(supernet), architecture)
    other = [name for name, tensor in weights.items() if name not in own or own[name].shape != tensor.shape]
    if any(not name.startswith("neck.") for name in other):
        raise ValueError(
            f"--from-supernet: {other[0]} and {len(other) - 1} more weights of {supernet} are of other sizes than "
            "the recipe's network; leave it out, or give a recipe with the supernet's channels, bins and embedding_dim"
        )
    fitting = {name: tensor for name, tensor in weights.items() if name not in other}
    lacking = load_weights(session.model, fitting, source=str(supernet), may_lack=("neck.",))
    return [f"started fresh, {tensor}" for tensor in lacking]
