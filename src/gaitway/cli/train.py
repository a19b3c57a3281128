"""Train a model by a recipe.

gaitway train walkers/gaitset --data walkers
gaitway train casia-b/gaitset --data STORE --run runs/first training.steps=20000 optimizer.lr=0.05
gaitway train --resume runs/first --data STORE
gaitway train casia-b/gaitset --data STORE --devices 4 --precision bf16
torchrun --nproc-per-node 4 -m gaitway train casia-b/gaitset --data STORE --out runs/second

Ctrl-C and SIGTERM save a checkpoint and stop; another Ctrl-C some seconds later stops at once.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rich.console import Console

    from gaitway.training.loop import Outcome
    from gaitway.training.recipe import Recipe
    from gaitway.training.session import Session


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument("recipe", nargs="?", metavar="RECIPE", help="a shipped recipe or a YAML file")
    parser.add_argument(
        "overrides", nargs="*", metavar="key=value", help="changes to the recipe, such as training.steps=500 or lr=0.01"
    )
    add_run_arguments(parser)
    parser.add_argument("--resume", metavar="RUN", help="go on with this run, exactly, instead of RECIPE")
    parser.add_argument("--init", metavar="CHECKPOINT", help="start from the weights of a checkpoint or run")
    parser.add_argument(
        "--init-partial", action="store_true", help="of --init take the weights that fit, list the others"
    )
    parser.add_argument("--compile", action="store_true", help="make the model's kernels by torch.compile")


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe what a run is trained on, where it lies and where it is computed."""
    parser.add_argument("--data", required=True, metavar="STORE", help="a prepared data set, or the word walkers")
    parser.add_argument(
        "--run",
        "--out",
        metavar="DIR",
        help="folder of the run (default runs/<recipe>); under torchrun, which has a --run-path, write --out",
    )
    add_device_arguments(parser)
    parser.add_argument("--precision", choices=("32", "bf16", "fp16"), help="to compute in (default: the recipe's)")


def add_device_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe where to compute and where to keep the frames."""
    parser.add_argument("--accelerator", choices=("auto", "cpu", "cuda"), default="auto", help="auto: CUDA if there")
    parser.add_argument("--devices", type=int, default=1, help="devices of this machine, a process each (default 1)")
    parser.add_argument("--nodes", type=int, default=1, help="machines, each running this command (default 1)")
    parser.add_argument(
        "--residency",
        choices=("auto", "device", "host", "disk"),
        default="auto",
        help="where frames are kept; auto takes the fastest memory that they fit in",
    )


def run(args: argparse.Namespace) -> int:
    """Carry out the command."""
    from pathlib import Path

    from gaitway.training.checkpoint import find_checkpoint
    from gaitway.training.run import default_run

    recipe_name, recipe = _recipe(args)
    folder = Path(args.resume or args.run or default_run(recipe_name))
    init = find_checkpoint(args.init) if args.init else None

    def start(session: Session) -> list[str]:
        if args.resume:
            session.resume(find_checkpoint(folder))
        misfits = session.start_from(init, partial=args.init_partial) if init else []
        return [f"started fresh, {misfit}" for misfit in misfits]

    return train(args, recipe_name, recipe, folder, start=start, is_new=not args.resume, compile_model=args.compile)


def train(
    args: argparse.Namespace,
    recipe_name: str,
    recipe: Recipe,
    folder: Path,
    *,
    start: Callable[[Session], list[str]] = lambda session: [],
    is_new: bool = True,
    compile_model: bool = False,
) -> int:
    """Train by a recipe, and tell how it goes.

    Args:
        args: With the arguments of `add_run_arguments`.
        recipe_name: What the recipe was loaded by.
        recipe: What to train and how.
        folder: Of the run.
        start: Gives the session the weights that it starts from; returns what there is to note about them.
        is_new: Whether the folder must not exist yet.
        compile_model: Whether `torch.compile` makes the model's kernels.

    Returns:
        The exit status.
    """
    from dataclasses import replace

    from rich.console import Console

    from gaitway.data import open_store
    from gaitway.data.usable import LEFT_OUT
    from gaitway.training.devices import StopSignals, create_fabric, device_kind, launched, precision_for
    from gaitway.training.logging import RunLog
    from gaitway.training.loop import fit
    from gaitway.training.non_finite import NonFiniteError
    from gaitway.training.progress import Display
    from gaitway.training.run import check_new, write_recipe
    from gaitway.training.session import Session, is_supernet

    published = recipe.training.precision
    precision = precision_for(args.precision, published, device_kind(args.accelerator))
    recipe = replace(recipe, training=replace(recipe.training, precision=precision))
    store = open_store(args.data)
    fabric = create_fabric(
        accelerator=args.accelerator,
        devices=args.devices,
        nodes=args.nodes,
        precision=precision,
        some_unused=is_supernet(recipe),
    )
    first = fabric.is_global_zero
    if first and is_new:
        check_new(folder)
    console = Console(quiet=not first)
    try:
        with StopSignals() as stop, launched(fabric):
            session = Session(
                fabric,
                recipe,
                store,
                recipe_name=recipe_name,
                residency=args.residency,
                compile_model=compile_model,
            )
            notes = start(session)
            if precision != published and not args.precision:
                notes.append(f"computing in {precision}, since the recipe's {published} is for CUDA")
            if session.usable.left_out:
                notes.append(f"left out of training: {session.usable}; {folder / LEFT_OUT} names all")
            length = recipe.schedule.arguments.get("total_steps") or recipe.training.steps
            if length > recipe.training.steps:
                notes.append(
                    f"the schedule is for {length:,} steps, of which these are the first; for a whole one in fewer "
                    "steps set schedule.total_steps too"
                )
            _announce(console, session, folder, notes)
            if first:
                write_recipe(folder, recipe)
                session.usable.save(folder / LEFT_OUT)
                with (
                    RunLog(folder, session.step) as log,
                    Display(console, step=session.step, steps=recipe.training.steps) as display,
                ):
                    outcome = fit(session, folder, stop=stop, listeners=(log, display))
            else:
                outcome = fit(session, folder, stop=stop)
    except NonFiniteError as error:  # on all processes alike
        if first:
            print(f"gaitway train: training stopped: {error}", file=sys.stderr)
        return 1 if first else 0
    _conclude(console, outcome, folder, args.data, supernet=is_supernet(recipe))
    return 128 + outcome.stopped_by if outcome.stopped_by and first else 0


def _recipe(args: argparse.Namespace) -> tuple[str, Recipe]:
    """The recipe's name, and the recipe with its changes."""
    from pathlib import Path

    from gaitway.training.checkpoint import find_checkpoint, read_config
    from gaitway.training.recipe import load_recipe
    from gaitway.training.run import resumed_recipe

    if args.init_partial and not args.init:
        raise ValueError("--init-partial goes with --init CHECKPOINT")
    if args.resume:
        words = [word for word in (args.recipe, *args.overrides) if word]
        if args.run or args.init or args.precision or any("=" not in word for word in words):
            raise ValueError(
                "--resume RUN goes on with that run by its own recipe and in its own precision; leave out RECIPE, "
                "--run, --init and --precision"
            )
        recipe = resumed_recipe(Path(args.resume), words)
        return str(read_config(find_checkpoint(args.resume))["recipe"]), recipe
    if not args.recipe or "=" in args.recipe:
        raise ValueError("name a recipe (`gaitway recipes ls` lists them), or a run to go on with by --resume RUN")
    recipe = load_recipe(args.recipe, args.overrides)
    if recipe.training.starts_from and not args.init:
        raise ValueError(
            f"{args.recipe} starts from the weights of {recipe.training.starts_from}; train that first, then give its "
            "run or checkpoint here: --init RUN"
        )
    return args.recipe, with_whole_paths(recipe)


def with_whole_paths(recipe: Recipe) -> Recipe:
    """The recipe for a run that may be resumed and evaluated from elsewhere."""
    from dataclasses import replace
    from pathlib import Path

    partition = Path(recipe.data.partition)
    if not partition.is_file():
        return recipe
    return replace(recipe, data=replace(recipe.data, partition=str(partition.resolve())))


def _announce(console: Console, session: Session, folder: Path, notes: list[str]) -> None:
    """Print what will be done."""
    from rich.table import Table

    fabric, recipe, training = session.fabric, session.recipe, session.recipe.training
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_row("recipe", f"{session.recipe_name}: {recipe.description}")
    table.add_row("data", f"{session.store.path} ({session.store.manifest.dataset})")
    num_held_out = len(recipe.data.held_out_subjects())
    held_out = f"; {num_held_out:,} subjects held out" if num_held_out else ""
    table.add_row("training", f"{len(session.classes):,} subjects, {len(session.rows):,} sequences{held_out}")
    parameters = sum(parameter.numel() for parameter in session.model.parameters())
    table.add_row("model", f"{recipe.model.name}, {parameters:,} parameters")
    batch = f"{session.loader.sampler.batch_size} sequences ({recipe.sampler.name})"
    table.add_row("batch", batch + (f", in {fabric.world_size} processes" if fabric.world_size > 1 else ""))
    table.add_row("device", f"{fabric.device.type}, {training.precision}")
    table.add_row("frames kept", ", ".join(f"{name} on {place}" for name, place in session.loader.residency.items()))
    table.add_row("steps", f"{session.step:,} to {training.steps:,}")
    table.add_row("run", str(folder))
    console.print(table)
    if session.num_single:
        console.print(
            f"Note: {session.num_single} of the {len(session.classes)} subjects have one sequence only: they are "
            "negatives of the others and, repeated within a batch, their own positives."
        )
    for note in notes:
        console.print(f"Note: {note}.", soft_wrap=True)


def _conclude(console: Console, outcome: Outcome, folder: Path, data: str, *, supernet: bool) -> None:
    """Say where everything is and what to do next."""
    if outcome.stopped_by:
        console.print(
            f"Stopped by {outcome.stopped_by.name} after step {outcome.step:,}; {outcome.checkpoint} is saved."
        )
        console.print(f"Go on:     gaitway train --resume {folder} --data {data}", soft_wrap=True)
        return
    console.print(f"Trained to step {outcome.step:,}.")
    console.print(f"weights    {outcome.checkpoint}", soft_wrap=True)
    console.print(f"curves     {folder}/metrics.jsonl, or: tensorboard --logdir {folder}", soft_wrap=True)
    following = "nas search" if supernet else "evaluate"
    console.print(f"next       gaitway {following} {folder} --data {data}", soft_wrap=True)
