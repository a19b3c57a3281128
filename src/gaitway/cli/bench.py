"""Measure throughput, waiting for data and memory on this machine.

gaitway bench train casia-b/gaitset --data STORE
gaitway bench train casia-b/gaitset --compare
gaitway bench embed casia-b/gaitset --data STORE
gaitway bench evaluate casia-b/gaitset
gaitway bench data casia-b/gaitset --json loading.json

Without --data the walkers are taken for a recipe of theirs, and for others a store of noise in the shape of the data
set, made for the time of the measurement. Weights are random: they change no speed.
"""

from __future__ import annotations

import argparse
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    import torch
    from rich.console import Console
    from rich.table import Table

    from gaitway.bench.measure import Comparison
    from gaitway.data import Store
    from gaitway.training.recipe import Precision, Recipe

STEPS, STEPS_COMPARED, SEQUENCES = 20, 5, {"embed": 256, "evaluate": 5500}
OPTIONS = {
    "train": ("data", "residency", "steps", "precision", "compile", "compare"),
    "embed": ("data", "residency", "sequences", "precision", "compile"),
    "evaluate": ("sequences",),
    "data": ("data", "residency", "steps"),
}
"""What is measured → the options that it has beside those of all."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument(
        "what",
        choices=tuple(OPTIONS),
        help="train: steps; embed: whole test sequences; evaluate: a protocol's figures from made-up embeddings; data: "
        "training batches from the store, against one pickle file per sequence",
    )
    parser.add_argument("recipe", metavar="RECIPE", help="a shipped recipe or a YAML file")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="changes to the recipe")
    parser.add_argument(
        "--data", metavar="STORE", help="a prepared data set (default: the walkers for a recipe of theirs, else noise)"
    )
    parser.add_argument("--residency", choices=("auto", "device", "host", "disk"), help="where frames are kept")
    parser.add_argument(
        "--steps",
        type=_positive,
        help=f"train, data: steps that count (default {STEPS}, with --compare {STEPS_COMPARED} of each way)",
    )
    parser.add_argument(
        "--sequences",
        type=_positive,
        help="embed, evaluate: at most so many (default {embed} and {evaluate:,}, as CASIA-B has)".format(**SEQUENCES),
    )
    parser.add_argument(
        "--precision", choices=("32", "bf16", "fp16"), help="train, embed: to compute in (default: the recipe's)"
    )
    parser.add_argument(
        "--compile", action="store_true", help="train, embed: make the model's kernels by torch.compile"
    )
    parser.add_argument(
        "--compare",
        action="store_true",
        help="train: compare precisions and memory formats with plain float32, in turns",
    )
    parser.add_argument("--accelerator", choices=("auto", "cpu", "cuda"), default="auto", help="auto: CUDA if there")
    parser.add_argument("--json", metavar="FILE", help="also write the figures into a file")


def _positive(text: str) -> int:
    """A whole number from 1 on."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return int(text)


def run(args: argparse.Namespace) -> int:
    """Carry out the command."""
    import json
    from dataclasses import replace
    from pathlib import Path

    import torch
    from rich.console import Console

    from gaitway.bench.measure import machine
    from gaitway.training.devices import device_kind
    from gaitway.training.recipe import load_recipe

    _check_options(args)
    recipe = load_recipe(args.recipe, args.overrides)
    device = torch.device(device_kind(args.accelerator))
    console = Console()
    if args.what == "train":
        precision = _precision(args, recipe.training.precision, device)
        recipe = replace(recipe, training=replace(recipe.training, precision=precision))
    elif args.what == "embed":
        precision = _precision(args, recipe.evaluation.precision, device)
        recipe = replace(recipe, evaluation=replace(recipe.evaluation, precision=precision))
    measure = {"train": _compare if args.compare else _train, "embed": _embed, "evaluate": _evaluate, "data": _data}
    figures = measure[args.what](args, recipe, device, console)
    around = machine(device)
    console.print(measured_on(around), style="dim")
    if args.json:
        found = {"bench": args.what, "recipe": args.recipe, "overrides": args.overrides}
        Path(args.json).write_text(json.dumps({**found, "figures": figures, "machine": around}, indent=2) + "\n")
    return 0


def _check_options(args: argparse.Namespace) -> None:
    """Make sure that no option is given in vain."""
    for option in sorted({option for options in OPTIONS.values() for option in options} - set(OPTIONS[args.what])):
        if getattr(args, option):
            known = ", ".join(f"--{name}" for name in OPTIONS[args.what])
            raise ValueError(f"--{option} does not go with {args.what}, which has {known}, --accelerator and --json")
    if args.compare and args.precision:
        raise ValueError("--compare measures float32 and bf16; leave out --precision")


def measured_on(machine: Mapping[str, object]) -> str:
    """A line about the machine that figures are from."""
    threads = f"{machine['threads']} thread" + ("s" if machine["threads"] != 1 else "")
    return f"Measured on {machine['processor']}, {threads}, {machine['device']}, PyTorch {machine['torch']}."


def _precision(args: argparse.Namespace, recipes: Precision, device: torch.device) -> Precision:
    from gaitway.training.devices import precision_for

    return precision_for(args.precision, recipes, "cuda" if device.type == "cuda" else "cpu")


@contextmanager
def _store(args: argparse.Namespace, recipe: Recipe, console: Console) -> Iterator[Store]:
    """The store asked for, the walkers, or one of noise while the block runs."""
    from pathlib import Path
    from tempfile import TemporaryDirectory

    from gaitway.bench.noise import noise_store
    from gaitway.data import open_store

    name = args.data or ("walkers" if recipe.data.dataset == "walkers" else None)
    if name is not None:
        yield open_store(name)
        return
    with TemporaryDirectory(prefix="gaitway-bench-") as folder:
        with console.status("making a store of noise"):
            store = noise_store(Path(folder) / "store", recipe)
        console.print(f"On noise in the shape of {recipe.data.dataset}; --data STORE measures on real frames.")
        yield store


def _train(args: argparse.Namespace, recipe: Recipe, device: torch.device, console: Console) -> dict[str, Any]:
    from dataclasses import asdict

    from gaitway.bench.training import bench_training
    from gaitway.cli.progress import progress_bar

    with _store(args, recipe, console) as store, progress_bar("training", "steps") as done:
        found = bench_training(
            recipe,
            store,
            steps=args.steps or STEPS,
            accelerator=args.accelerator,
            residency=args.residency or "auto",
            compile_model=args.compile,
            done=done,
        )
    _show(
        console,
        f"training {args.recipe}, {recipe.training.precision}",
        {
            "batch": f"{found.batch[0]:,} sequences, {found.batch[1]:,} frames",
            "steps/s": f"{found.steps_per_second:.3g}",
            "sequences/s": f"{found.sequences_per_second:,.1f}",
            "frames/s": f"{found.frames_per_second:,.0f}",
            "waiting for data": f"{found.data_wait:.1%} of the time",
            "peak memory": _megabytes(found.peak_memory),
            "frames kept": ", ".join(f"{modality} on {place}" for modality, place in found.residency.items()),
        },
    )
    return asdict(found)


def _compare(args: argparse.Namespace, recipe: Recipe, device: torch.device, console: Console) -> dict[str, Any]:
    from gaitway.bench.training import compare_training
    from gaitway.cli.progress import progress_bar

    with _store(args, recipe, console) as store, progress_bar("training", "steps") as done:
        found = compare_training(
            recipe,
            store,
            repeats=args.steps or STEPS_COMPARED,
            accelerator=args.accelerator,
            compile_model=args.compile,
            done=done,
        )
    console.print(_comparison(f"a training step of {args.recipe}", found, device))
    return found


def _embed(args: argparse.Namespace, recipe: Recipe, device: torch.device, console: Console) -> dict[str, Any]:
    from dataclasses import asdict

    from gaitway.bench.embedding import bench_embedding
    from gaitway.cli.progress import progress_bar

    with _store(args, recipe, console) as store, progress_bar("embedding", "sequences") as done:
        found = bench_embedding(
            recipe,
            store,
            num_sequences=args.sequences or SEQUENCES[args.what],
            device=device,
            residency=args.residency or "auto",
            compile_model=args.compile,
            done=done,
        )
    _show(
        console,
        f"embedding by {args.recipe}, {recipe.evaluation.precision}",
        {
            "embedded": f"{found.num_sequences:,} sequences, {found.num_frames:,} frames",
            "sequences/s": f"{found.sequences_per_second:,.1f}",
            "frames/s": f"{found.frames_per_second:,.0f}",
            "the store's test set": f"{found.test_set_seconds:,.1f} s at this speed",
            "peak memory": _megabytes(found.peak_memory),
        },
    )
    return asdict(found)


def _evaluate(args: argparse.Namespace, recipe: Recipe, device: torch.device, console: Console) -> dict[str, Any]:
    from dataclasses import asdict

    from gaitway.bench.evaluating import bench_evaluation
    from gaitway.cli.progress import progress_bar

    with progress_bar("evaluating", "probes") as done:
        found = bench_evaluation(recipe, num_sequences=args.sequences or SEQUENCES[args.what], device=device, done=done)
    parts, width = found.embedding_shape
    _show(
        console,
        f"evaluation by {found.protocol}, {recipe.evaluation.distance} distance",
        {
            "embeddings": f"{found.num_embeddings:,} of {parts} × {width}, {_megabytes(found.embedding_memory)}",
            "time": f"{found.seconds:.2f} s, {found.cpu_seconds:.2f} s of the processor",
            "peak memory": f"{_megabytes(found.peak_memory)}, embeddings and libraries included",
        },
    )
    return asdict(found)


def _data(args: argparse.Namespace, recipe: Recipe, device: torch.device, console: Console) -> dict[str, Any]:
    from dataclasses import asdict

    from gaitway.bench.loading import bench_loading
    from gaitway.cli.progress import progress_bar

    with _store(args, recipe, console) as store, progress_bar("loading", "batches") as done:
        found = bench_loading(
            recipe, store, steps=args.steps or STEPS, device=device, residency=args.residency or "auto", done=done
        )
    _show(
        console,
        f"batches of {args.recipe}, frames on {found.residency}",
        {
            "batch": f"{found.batch[0]:,} sequences, {found.batch[1]:,} frames",
            "batches/s from the store": f"{found.batches_per_second:,.1f}",
            "frames/s from the store": f"{found.frames_per_second:,.0f}",
        },
    )
    console.print(_comparison("reading the frames of a batch", found.reading, device))
    console.print(_comparison("making a whole batch", found.making, device))
    return asdict(found)


def _comparison(title: str, found: Comparison, device: torch.device) -> Table:
    """Variants beside each other; processor time only where the processor computes."""
    from rich import box
    from rich.table import Table

    table = Table(
        title=title,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        caption="Medians of runs in turns, in brackets of processor time.",
        caption_justify="left",
    )
    for column in ("", "seconds", "times as fast"):
        table.add_column(column, justify="right" if column else "left")
    for name, figures in found.items():
        cells = [f"{figures['seconds']:.3g}", f"{figures['speedup']:.2f}"]
        if device.type == "cpu":
            cells = [f"{cells[0]} ({figures['cpu_seconds']:.3g})", f"{cells[1]} ({figures['cpu_speedup']:.2f})"]
        table.add_row(name, *cells)
    return table


def _show(console: Console, title: str, rows: dict[str, str]) -> None:
    from rich import box
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=box.SIMPLE, show_header=False)
    for row in rows.items():
        table.add_row(*row)
    console.print(table)


def _megabytes(size: int) -> str:
    return f"{size / 2**20:,.0f} MB"
