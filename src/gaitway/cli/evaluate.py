"""Evaluate a run or a checkpoint by the protocols of its data set.

gaitway evaluate runs/casia-b-gaitset --data STORE
gaitway evaluate runs/casia-b-gaitset/checkpoints/0040000 --data STORE --protocol casia-b --devices 2
gaitway evaluate runs/first --data STORE --save-embeddings first.safetensors --baseline gei
gaitway evaluate runs/grew-gaitbase --data STORE --submission grew.csv
gaitway evaluate --check-submission grew.csv --data STORE

Every sequence of the test subjects is embedded as a whole. The tables come on the terminal, JSON and CSV into --out,
and a report for the browser into the run's folder. Where only a test server knows who the probes are (GREW, HID), the
figures come from there: --submission writes the file that it takes.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from gaitway.cli.train import add_device_arguments

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from rich.console import Console

    from gaitway.data import Store
    from gaitway.data.partitions import Partition
    from gaitway.evaluation import EmbeddingSet, Protocol, Result
    from gaitway.training.recipe import Evaluation

GEI = "gait energy image"
ONLY_THE_SERVER = (
    "only the test server knows who its probes are; --submission FILE writes the file that the server takes"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument(
        "model", nargs="?", metavar="RUN_OR_CHECKPOINT", help="a run (its latest checkpoint) or a checkpoint"
    )
    parser.add_argument("--data", required=True, metavar="STORE", help="a prepared data set, or the word walkers")
    parser.add_argument(
        "--protocol",
        action="append",
        metavar="P",
        help="a shipped protocol or a YAML file; may come several times (default: all of the store's data set)",
    )
    parser.add_argument(
        "--rerank",
        nargs="?",
        const="6,6,0.3",
        metavar="K1,K2,LAMBDA",
        help="re-rank every search by k-reciprocal neighbours (default: 6,6,0.3), or `no` (default: the recipe's)",
    )
    parser.add_argument(
        "--submission", metavar="FILE", help="write the file that the data set's test server takes; must not exist"
    )
    parser.add_argument("--check-submission", metavar="FILE", help="only check such a file against the data set")
    parser.add_argument("--partition", metavar="P", help="says who the test subjects are (default: the recipe's)")
    parser.add_argument(
        "--out", metavar="DIR", help="folder for JSON and CSV (default: evaluation in the run's folder)"
    )
    parser.add_argument("--save-embeddings", metavar="FILE", help="write the embeddings into a safetensors file")
    parser.add_argument(
        "--baseline", choices=("gei",), help="also evaluate the gait energy image, which is not trained"
    )
    parser.add_argument("--max-frames", type=int, metavar="T", help="take the first T frames of longer sequences")
    parser.add_argument("--precision", choices=("32", "bf16", "fp16"), help="to compute in (default: the recipe's)")
    add_device_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Carry out the command."""
    from dataclasses import replace
    from pathlib import Path
    from typing import cast

    from rich.console import Console

    from gaitway.cli.progress import progress_bar
    from gaitway.cli.report import write_run_report
    from gaitway.cli.submission import check_file, only_file, write_file
    from gaitway.data import open_store
    from gaitway.data.partitions import load_partition
    from gaitway.data.usable import LEFT_OUT
    from gaitway.evaluation.submission import refuse_existing
    from gaitway.models import GaitEnergyImage
    from gaitway.training.checkpoint import find_checkpoint, load_model, read_config
    from gaitway.training.devices import create_fabric, device_kind, launched, precision_for, sigterm_interrupts
    from gaitway.training.evaluating import (
        check_protocol,
        embed_test_subjects,
        evaluate_embeddings,
        sequences_to_embed,
    )
    from gaitway.training.recipe import Evaluation

    store = open_store(args.data)
    if args.check_submission:
        return check_file(Path(args.check_submission), store, args.protocol, args.partition)
    if not args.model:
        raise ValueError("name the run or checkpoint to evaluate")
    if args.submission:
        refuse_existing(Path(args.submission))
    checkpoint = find_checkpoint(args.model)
    config = read_config(checkpoint)
    model = load_model(checkpoint)
    modalities = cast("tuple[str, ...]", model.modalities)
    check_frames(config, store, modalities[0])
    if args.baseline and modalities != GaitEnergyImage.modalities:
        raise ValueError(
            f"--baseline gei is the mean of silhouettes, the model takes {', '.join(modalities)}; leave it out"
        )
    min_frames = int(config["data"].get("min_frames", 1))
    partition = load_partition(args.partition or partition_name(config, store))
    evaluation = Evaluation(**config["evaluation"])
    precision = precision_for(args.precision, evaluation.precision, device_kind(args.accelerator))
    evaluation = replace(evaluation, precision=precision, max_frames=args.max_frames or evaluation.max_frames)
    if args.rerank:
        evaluation = replace(evaluation, rerank=[] if args.rerank == "no" else _numbers(args.rerank))
    models = {"": model} | ({GEI: GaitEnergyImage()} if args.baseline else {})
    fabric = create_fabric(accelerator=args.accelerator, devices=args.devices, nodes=args.nodes)
    out = Path(args.out) if args.out else _run_of(checkpoint) / "evaluation"
    console = Console(quiet=not fabric.is_global_zero)
    console.print(f"{checkpoint} (recipe {config['recipe']}, step {config['step']:,}) on {store.path}", soft_wrap=True)
    if store.manifest.dataset != config["data"]["dataset"]:
        console.print(f"Note: trained on {config['data']['dataset']}, evaluated on {store.manifest.dataset}.")
    chosen = _choose_protocols(args.protocol, config, store, partition, evaluation)
    files = [protocol for protocol in chosen.values() if protocol.submission]

    def can_be_done(protocol: Protocol) -> None:
        rows = sequences_to_embed(store, partition, modalities, [protocol], min_frames).rows
        check_protocol(protocol, store, rows, submission=protocol.submission is not None)

    required = set(args.protocol or [config["evaluation"]["protocol"]])
    figures = {name: protocol for name, protocol in chosen.items() if not protocol.submission}
    figures, notes = _possible(figures, required, can_be_done)
    protocols = list(figures.values())
    file_protocol = None
    if args.submission:
        file_protocol = only_file(files, store, named=bool(args.protocol))
        can_be_done(file_protocol)
    elif files and (args.protocol or not protocols):
        raise ValueError(f"protocol {files[0].name} gives no figures: {ONLY_THE_SERVER}")
    elif not protocols:
        raise ValueError(" ".join(notes))
    elif files:
        notes.append(f"protocol {files[0].name}: {ONLY_THE_SERVER}{_from_the_server(config, files[0])}")
    carried_out = [*protocols, file_protocol] if file_protocol else protocols
    usable = sequences_to_embed(store, partition, modalities, carried_out, min_frames)
    if usable.left_out:
        notes.append(f"left out of the test: {usable}; {out / LEFT_OUT} names all")
    for note in notes:
        console.print(f"Note: {note}", soft_wrap=True)

    found: dict[str, EmbeddingSet] = {}
    results: dict[str, list[Result]] = {}
    with sigterm_interrupts(), launched(fabric):
        for name, model in models.items():
            with progress_bar(f"embedding {name}".strip(), "sequences", visible=fabric.is_global_zero) as show:
                found[name] = embed_test_subjects(
                    fabric,
                    model.to(fabric.device),
                    store,
                    partition,
                    evaluation,
                    protocols=carried_out,
                    min_frames=min_frames,
                    residency=args.residency,
                    progress=show,
                )
            if not name and args.save_embeddings and fabric.is_global_zero:
                found[name].save(args.save_embeddings)
            results[name] = evaluate_embeddings(fabric, found[name], protocols, distance=evaluation.distance)
        if file_protocol and fabric.is_global_zero:
            path = Path(args.submission)
            num_probes = write_file(path, found[""], file_protocol, evaluation.distance, fabric.device)
            console.print(f"{path}: {num_probes:,} probes by protocol {file_protocol.name}, checked.", soft_wrap=True)
    if fabric.is_global_zero:
        usable.save(out / LEFT_OUT)
    if fabric.is_global_zero and protocols:
        _show(console, results, config, store)
        circumstances = {
            "checkpoint": str(checkpoint),
            "recipe": config["recipe"],
            "step": config["step"],
            "data": str(store.path),
            "partition": partition.name,
            "protocols": list(figures),
            "comparisons": [name for name in results if name],
            "precision": precision,
            "max_frames": evaluation.max_frames,
        }
        _save(out, results, circumstances)
        console.print(f"JSON and CSV are in {out}.", soft_wrap=True)
        report = write_run_report(
            out if args.out else out.parent,
            run=_run_of(checkpoint),
            config=config,
            circumstances=circumstances,
            results=results[""],
            comparisons={name: others[0] for name, others in results.items() if name},
            store=store,
            embeddings=found[""],
        )
        console.print(f"The report, for a browser, is {report}", soft_wrap=True)
    return 0


def _numbers(text: str) -> tuple[float, ...]:
    from dataclasses import astuple

    from gaitway.evaluation import ReRanking

    return astuple(ReRanking.parse(text))


def check_frames(config: Mapping[str, Any], store: Store, modality: str) -> None:
    """Make sure that a store's frames have the size of those that a model was trained on."""
    from gaitway.training.session import frame_shape_in, joints_advice

    wanted, found = tuple(config["data"]["frame_shape"]), frame_shape_in(store, modality)
    if wanted != found:
        in_size = "prepare the data set in the size of the model"
        advice = joints_advice(wanted, found) if modality == "poses" else in_size
        raise ValueError(
            f"the model was trained on {modality} of {' × '.join(map(str, wanted))}, {store.path} holds "
            f"{' × '.join(map(str, found))}; {advice}"
        )


def _choose_protocols(
    named: Sequence[str] | None, config: Mapping[str, Any], store: Store, partition: Partition, evaluation: Evaluation
) -> dict[str, Protocol]:
    """The protocols in question, by the names or files that were given for them.

    Without names these are the protocols of the store's data set, the recipe's first.
    """
    from gaitway.evaluation import list_protocols
    from gaitway.training.evaluating import load_protocols

    dataset = store.manifest.dataset
    own = [str(config["evaluation"]["protocol"])] if dataset == config["data"]["dataset"] else []
    names = list(dict.fromkeys(named or [*own, *list_protocols(dataset)]))
    if not names:
        raise ValueError(f"no protocol of {dataset} ships with Gaitway; name one by --protocol")
    return dict(zip(names, load_protocols(names, partition, evaluation.rerank), strict=True))


def _possible(
    protocols: Mapping[str, Protocol], required: Collection[str], can_be_done: Callable[[Protocol], None]
) -> tuple[dict[str, Protocol], list[str]]:
    """The protocols that the store has everything for, and why the others are left out.

    Raises:
        ValueError: when one of the required ones can't be carried out.
    """
    possible: dict[str, Protocol] = {}
    reasons: list[str] = []
    for name, protocol in protocols.items():
        try:
            can_be_done(protocol)
            possible[name] = protocol
        except ValueError as error:
            if name in required:
                raise
            reasons.append(f"left out: {error}.")
    return possible, reasons


def partition_name(config: Mapping[str, Any], store: Store) -> str:
    """The recipe's partition, or that of the store's data set where it is another one."""
    same = store.manifest.dataset == config["data"]["dataset"]
    return str(config["data"]["partition"]) if same else store.manifest.dataset


def _run_of(checkpoint: Path) -> Path:
    """The folder of the run that a checkpoint belongs to; its own where it belongs to none."""
    from gaitway.training.checkpoint import CHECKPOINTS

    return checkpoint.parent.parent if checkpoint.parent.name == CHECKPOINTS else checkpoint


def _from_the_server(config: Mapping[str, Any], protocol: Protocol) -> str:
    """What is published by a protocol that gives no figures here."""
    from gaitway.training.evaluating import published_figures

    figures = published_figures(config, protocol.name).get("rank-1", {})
    if protocol.dataset != config["data"]["dataset"] or not figures:
        return ""
    values = ", ".join(f"{value:g} %" for value in figures.values())
    return f". Published by it: rank-1 {values}, with which no figure below can be compared"


def _show(console: Console, results: Mapping[str, Sequence[Result]], config: Mapping[str, Any], store: Store) -> None:
    from gaitway.cli.result_table import result_table
    from gaitway.training.evaluating import published_figures

    own, *others = results.items()
    same = store.manifest.dataset == config["data"]["dataset"]
    for i, result in enumerate(own[1]):
        published = published_figures(config, result.protocol) if same else {}
        console.print(result_table(result, published=published, others={name: found[i] for name, found in others}))
        console.print(result.measures, style="dim")
        for note in result.notes():
            console.print(f"Note: {note}", soft_wrap=True)


def _save(out: Path, results: Mapping[str, Sequence[Result]], circumstances: Mapping[str, Any]) -> None:
    """Write every result as JSON and CSV, and `circumstances.yaml` about what they are of."""
    import yaml

    for name, found in results.items():
        for result in found:
            result.save(out / name.replace(" ", "-") if name else out)
    (out / "circumstances.yaml").write_text(yaml.safe_dump(dict(circumstances), sort_keys=False))
