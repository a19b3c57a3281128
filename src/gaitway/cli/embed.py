"""Write the embeddings of a store's sequences into a file.

gaitway embed runs/first --data STORE --out first.safetensors
gaitway embed runs/first/checkpoints/0060000 --data STORE --out all.safetensors --sequences all --fold

Every sequence is embedded as a whole. `gaitway.evaluation.EmbeddingSet.load` reads the file: embeddings
(sequences, parts, width) with subject, condition and view of each. --fold makes one convolution of every convolution
and the batch normalisation after it, and says what that saves and changes.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from gaitway.cli.train import add_device_arguments

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import nn

    from gaitway.data import Store
    from gaitway.data.partitions import Partition
    from gaitway.data.sampling import Ints
    from gaitway.training.recipe import Precision
    from gaitway.types import Batch

REPEATS = 3
"""Runs of the first batch that --fold times, of which the fastest counts."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument("model", metavar="RUN_OR_CHECKPOINT", help="a run (its latest checkpoint) or a checkpoint")
    parser.add_argument("--data", required=True, metavar="STORE", help="a prepared data set, or the word walkers")
    parser.add_argument("--out", required=True, metavar="FILE", help="the safetensors file to write; not yet there")
    parser.add_argument(
        "--sequences",
        choices=("test", "train", "all"),
        default="test",
        help="of the partition's test or training subjects, or all in the store (default: test)",
    )
    parser.add_argument("--partition", metavar="P", help="says who the test subjects are (default: the recipe's)")
    parser.add_argument("--fold", action="store_true", help="fold batch normalisation into the convolutions")
    parser.add_argument("--max-frames", type=int, metavar="T", help="take the first T frames of longer sequences")
    parser.add_argument("--precision", choices=("32", "bf16", "fp16"), help="to compute in (default: the recipe's)")
    add_device_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Carry out the command."""
    from dataclasses import replace
    from pathlib import Path
    from time import perf_counter
    from typing import cast

    from rich.console import Console

    from gaitway.cli.evaluate import check_frames, partition_name
    from gaitway.cli.progress import progress_bar
    from gaitway.data import open_store
    from gaitway.data.loader import evaluation_batches
    from gaitway.data.partitions import load_partition
    from gaitway.data.usable import usable_rows
    from gaitway.evaluation.evaluator import check_finite
    from gaitway.nn import fold_batch_norm, has_foldable_batch_norm
    from gaitway.training.checkpoint import find_checkpoint, load_model, read_config
    from gaitway.training.devices import create_fabric, device_kind, launched, precision_for, sigterm_interrupts
    from gaitway.training.evaluating import embed_rows
    from gaitway.training.recipe import Evaluation, build_transforms

    out = Path(args.out)
    if out.exists():
        raise FileExistsError(f"{out} exists already; choose another name or remove it")
    out.parent.mkdir(parents=True, exist_ok=True)
    store = open_store(args.data)
    checkpoint = find_checkpoint(args.model)
    config = read_config(checkpoint)
    model = load_model(checkpoint)
    modalities = cast("tuple[str, ...]", model.modalities)
    check_frames(config, store, modalities[0])
    partition = None if args.sequences == "all" else load_partition(args.partition or partition_name(config, store))
    usable = usable_rows(
        store, _rows(store, partition, args.sequences), modalities, int(config["data"].get("min_frames", 1))
    )
    rows = usable.rows
    evaluation = Evaluation(**config["evaluation"])
    precision = precision_for(args.precision, evaluation.precision, device_kind(args.accelerator))
    evaluation = replace(evaluation, precision=precision, max_frames=args.max_frames or evaluation.max_frames)
    fabric = create_fabric(accelerator=args.accelerator, devices=args.devices, nodes=args.nodes)
    console = Console(quiet=not fabric.is_global_zero)
    console.print(f"{checkpoint} (recipe {config['recipe']}, step {config['step']:,}) on {store.path}", soft_wrap=True)
    if usable.left_out:
        console.print(f"Note: left out: {usable}.", soft_wrap=True)

    with sigterm_interrupts(), launched(fabric):
        model = model.to(fabric.device)
        if args.fold and not has_foldable_batch_norm(model):
            name = type(model).__name__
            console.print(f"Note: {name} has no batch normalisation after a convolution, so --fold changes nothing.")
        elif args.fold:
            folded = fold_batch_norm(model)
            batches = evaluation_batches(
                store,
                rows,
                build_transforms(evaluation.transforms),
                modalities=modalities,
                batch_size=evaluation.batch_size,
                max_frames=evaluation.max_frames,
                rank=fabric.global_rank,
                world_size=fabric.world_size,
                device=fabric.device,
                residency=args.residency,
            )
            console.print(_compare(model, folded, batches, precision), soft_wrap=True)
            model = folded
        begun = perf_counter()
        with progress_bar("embedding", "sequences", visible=fabric.is_global_zero) as show:
            found = embed_rows(fabric, model, store, rows, evaluation, residency=args.residency, progress=show)
        seconds = perf_counter() - begun
    check_finite(found)
    if fabric.is_global_zero:
        found.save(out)
        _, parts, width = found.embeddings.shape
        console.print(
            f"Wrote {out}: {len(found):,} sequences of {len(set(found.subjects)):,} subjects, {parts} × {width} each, "
            f"in {seconds:.1f} s ({len(found) / seconds:,.1f} sequences a second, {precision}).",
            soft_wrap=True,
        )
    return 0


def _rows(store: Store, partition: Partition | None, part: str) -> Ints:
    """The rows of a part of the partition, or without one all."""
    from typing import Literal, cast

    import numpy as np

    if partition is None:
        return np.arange(len(store.index))
    return partition.rows(store, cast(Literal["train", "test"], part), ())


def _compare(model: nn.Module, folded: nn.Module, batches: Iterable[Batch], precision: Precision) -> str:
    """What folding saves and changes on the first batch, the one of the longest sequences."""
    from time import perf_counter

    from gaitway.evaluation import EmbeddingSet, embed
    from gaitway.training.evaluating import AUTOCAST

    first = next(iter(batches))

    def timed(form: nn.Module) -> tuple[EmbeddingSet, float]:
        begun = perf_counter()
        found = embed(form, [first], autocast=AUTOCAST[precision])
        return found, perf_counter() - begun

    timed(model), timed(folded)  # the first run of a form is slower
    before, after = zip(*((timed(model), timed(folded)) for _ in range(REPEATS)), strict=True)
    slow, fast = min(seconds for _, seconds in before), min(seconds for _, seconds in after)
    exact, found = before[0][0].embeddings, after[0][0].embeddings
    return (
        f"Folded: {len(first)} sequences in {fast:.3f} s instead of {slow:.3f} s ({1 - fast / slow:.0%} less); "
        f"embeddings differ by at most {(found - exact).abs().max():.1e}, "
        f"where the largest value is {exact.abs().max():.1e}."
    )
