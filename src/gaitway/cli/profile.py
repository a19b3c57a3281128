"""Count the parameters and multiply-adds of a recipe's model, and time a sequence on this machine.

gaitway profile casia-b/gaitset
gaitway profile oumvlp/baseline --classes 10000 --json baseline.json
gaitway profile casia-b/baseline --size 128x128
gaitway profile grew/sposgait-small-supernet
gaitway profile grew/sposgait-small-supernet --architecture 0,5,5,4
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.table import Table

    from gaitway.bench.model_profile import ModelCosts, SupernetCosts
    from gaitway.training.recipe import Recipe


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument("recipe", help="a shipped recipe or a YAML file")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="changes to the recipe")
    parser.add_argument(
        "--size",
        type=_size,
        metavar="HxW",
        help="height and width of stored frames, before the recipe's transforms (default: the recipe's)",
    )
    parser.add_argument(
        "--classes", type=int, metavar="K", help="identities of the classifier (default: the training subjects)"
    )
    parser.add_argument(
        "--architecture", metavar="A", help="of a recipe of SPOSGait: the path, a block number per layer, as 0,5,5,4"
    )
    parser.add_argument("--accelerator", choices=("auto", "cpu", "cuda"), default="auto", help="where to time")
    parser.add_argument("--json", metavar="FILE", help="also write the figures into a file")


def _size(text: str) -> tuple[int, ...]:
    """`128x128` as numbers."""
    numbers = text.split("x")
    if len(numbers) != 2 or not all(number.isdecimal() and int(number) for number in numbers):
        raise argparse.ArgumentTypeError(f"{text!r} is not a size; write height x width, such as 128x128")
    return tuple(map(int, numbers))


def run(args: argparse.Namespace) -> int:
    """Carry out the command."""
    import json
    from dataclasses import asdict
    from pathlib import Path

    import torch
    from rich.console import Console

    from gaitway.bench.measure import machine
    from gaitway.bench.model_profile import NUM_FRAMES, count_costs, time_sequences
    from gaitway.cli.bench import measured_on
    from gaitway.cli.progress import progress_bar
    from gaitway.nas.architectures import parse_architecture, recipe_of_path
    from gaitway.training.devices import device_kind
    from gaitway.training.recipe import load_recipe
    from gaitway.training.session import is_supernet

    if args.classes is not None and args.classes < 1:
        raise ValueError(f"--classes {args.classes}: a classifier has at least 1 class")
    size = [f"data.frame_shape={list(args.size)}"] if args.size else []
    recipe = load_recipe(args.recipe, [*args.overrides, *size])
    if args.architecture:
        recipe = recipe_of_path(recipe, parse_architecture(args.architecture))
    if is_supernet(recipe):
        return _supernet(args, recipe)
    device = torch.device(device_kind(args.accelerator))
    costs = count_costs(recipe, num_classes=args.classes)
    console = Console()
    console.print(_costs_table(args.recipe, costs))
    console.print(f"The embedding of {NUM_FRAMES} frames takes {costs.clip:,} multiply-adds.\n", highlight=False)
    with progress_bar("timing", "runs") as done:
        milliseconds = time_sequences(recipe, device=device, done=done)
    console.print(_times_table(milliseconds))
    around = machine(device)
    console.print(measured_on(around), style="dim")
    if args.json:
        figures = {"recipe": args.recipe, **asdict(costs), "milliseconds": milliseconds, "machine": around}
        Path(args.json).write_text(json.dumps(figures, indent=2) + "\n")
    return 0


def _supernet(args: argparse.Namespace, recipe: Recipe) -> int:
    """Tell what the paths of a supernet cost."""
    import json
    from dataclasses import asdict
    from pathlib import Path

    from rich.console import Console

    from gaitway.bench.model_profile import NUM_FRAMES, count_supernet

    costs = count_supernet(recipe, num_classes=args.classes)
    console = Console()
    console.print(_blocks_table(args.recipe, costs))
    shape = " × ".join(map(str, costs.frame_shape))
    console.print(
        f"{costs.num_paths:,} paths; for the embedding of {NUM_FRAMES} frames of {shape} they take "
        f"{_of_path(costs.least)} to {_of_path(costs.most)}. The supernet has {costs.parameters:,} parameters.\n"
        f"One path: gaitway profile {args.recipe} --architecture {','.join('0' for _ in costs.layers)}",
        soft_wrap=True,
        highlight=False,
    )
    if args.json:
        Path(args.json).write_text(json.dumps({"recipe": args.recipe, **asdict(costs)}, indent=2) + "\n")
    return 0


def _of_path(costs: Mapping[str, int]) -> str:
    return f"{_short(costs['parameters'])} parameters and {_short(costs['macs'])} multiply-adds"


def _blocks_table(name: str, costs: SupernetCosts) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(
        title=f"blocks of {name}: parameters, multiply-adds", title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1)
    )
    table.add_column("layer")
    for kind in range(max(map(len, costs.layers.values()))):
        table.add_column(str(kind), justify="right")
    for layer, blocks in costs.layers.items():
        table.add_row(layer, *(f"{_short(block['parameters'])}\n{_short(block['macs'])}" for block in blocks))
    return table


def _costs_table(name: str, costs: ModelCosts) -> Table:
    from rich import box
    from rich.table import Table

    from gaitway.bench.model_profile import Work

    table = Table(
        title=f"{costs.model} of {name}, frames of {' × '.join(map(str, costs.frame_shape))}",
        title_justify="left",
        box=box.SIMPLE_HEAD,
    )
    table.add_column("")
    for column in ("parameters", "multiply-adds\nper frame", "multiply-adds\nper sequence"):
        table.add_column(column, justify="right")

    def add(what: str, work: Work, style: str = "") -> None:
        table.add_row(
            what, f"{work.parameters:,}", _millions(work.per_frame), _millions(work.per_sequence), style=style
        )

    for block, work in costs.blocks.items():
        add(block, work)
    table.add_section()
    with_classifier = costs.total.parameters != costs.embedding.parameters
    if with_classifier:
        add(f"with {costs.num_classes:,} classes", costs.total, "bold")
        add("for an embedding", costs.embedding, "bold")
    else:
        add("in all, no classifier", costs.total, "bold")
    if costs.published:
        table.add_row("published, with classes" if with_classifier else "published", costs.published, "", "")
    return table


def _times_table(times: Mapping[str, float]) -> Table:
    from rich import box
    from rich.table import Table

    from gaitway.bench.model_profile import NUM_FRAMES

    table = Table(title=f"time per sequence of {NUM_FRAMES} frames", title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("precision and batch")
    table.add_column("ms", justify="right")
    for name, milliseconds in times.items():
        table.add_row(name, f"{milliseconds:,.1f}")
    return table


def _short(number: int) -> str:
    """Three digits: `12.5 G`."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return str(number)


def _millions(number: int) -> str:
    return f"{number / 1e6:,.1f} M" if number else "–"
