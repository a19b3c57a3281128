"""Evaluate a run or a checkpoint by the protocols of its data set.

gaitway evaluate runs/casia-b-gaitset --data STORE
gaitway evaluate runs/casia-b-gaitset/checkpoints/0040000 --data STORE --protocol casia-b --devices 2
gaitway evaluate runs/first --data STORE --save-embeddings first.safetensors --baseline gei

Every sequence of the test subjects is embedded as a whole. The tables come on the terminal, JSON and CSV into --out,
and a report for the browser into the run's folder.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from gaitway.cli.train import add_device_arguments

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from rich.console import Console

    from gaitway.data import Store
    from gaitway.evaluation import EmbeddingSet, Result

GEI = "gait energy image"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument("model", metavar="RUN_OR_CHECKPOINT", help="a run (its latest checkpoint) or a checkpoint")
    parser.add_argument("--data", required=True, metavar="STORE", help="a prepared data set, or the word walkers")
    parser.add_argument(
        "--protocol",
        action="append",
        metavar="P",
        help="a shipped protocol or a YAML file; may come several times (default: all of the store's data set)",
    )
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
    from gaitway.data import open_store
    from gaitway.data.partitions import load_partition
    from gaitway.models import GaitEnergyImage
    from gaitway.training.checkpoint import find_checkpoint, load_model, read_config
    from gaitway.training.devices import create_fabric, device_kind, launched, precision_for, sigterm_interrupts
    from gaitway.training.evaluating import embed_test_subjects, evaluate_embeddings
    from gaitway.training.recipe import Evaluation

    checkpoint = find_checkpoint(args.model)
    config = read_config(checkpoint)
    store = open_store(args.data)
    model = load_model(checkpoint)
    _check_frames(config, store, cast("tuple[str, ...]", model.modalities)[0])
    protocols = args.protocol or _protocols(config, store)
    partition = load_partition(args.partition or _partition(config, store))
    evaluation = Evaluation(**config["evaluation"])
    precision = precision_for(args.precision, evaluation.precision, device_kind(args.accelerator))
    evaluation = replace(evaluation, precision=precision, max_frames=args.max_frames or evaluation.max_frames)
    models = {"": model} | ({GEI: GaitEnergyImage()} if args.baseline else {})
    fabric = create_fabric(accelerator=args.accelerator, devices=args.devices, nodes=args.nodes)
    out = Path(args.out) if args.out else _run_of(checkpoint) / "evaluation"
    console = Console(quiet=not fabric.is_global_zero)
    console.print(f"{checkpoint} (recipe {config['recipe']}, step {config['step']:,}) on {store.path}", soft_wrap=True)
    if store.manifest.dataset != config["data"]["dataset"]:
        console.print(f"Note: trained on {config['data']['dataset']}, evaluated on {store.manifest.dataset}.")

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
                    residency=args.residency,
                    progress=show,
                )
            if not name and args.save_embeddings and fabric.is_global_zero:
                found[name].save(args.save_embeddings)
            results[name] = evaluate_embeddings(fabric, found[name], protocols, distance=evaluation.distance)
    if fabric.is_global_zero:
        _show(console, results, config, store)
        circumstances = {
            "checkpoint": str(checkpoint),
            "recipe": config["recipe"],
            "step": config["step"],
            "data": str(store.path),
            "partition": partition.name,
            "protocols": protocols,
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


def _check_frames(config: Mapping[str, Any], store: Store, modality: str) -> None:
    wanted, found = tuple(config["data"]["frame_shape"]), store.frame_format(modality).shape
    if wanted != found:
        raise ValueError(
            f"the model was trained on {modality} of {' × '.join(map(str, wanted))}, {store.path} holds "
            f"{' × '.join(map(str, found))}; prepare the data set in the size of the model"
        )


def _protocols(config: Mapping[str, Any], store: Store) -> list[str]:
    """The protocols of the store's data set, that of the recipe first."""
    from gaitway.evaluation import list_protocols

    known = list_protocols(store.manifest.dataset)
    if store.manifest.dataset == config["data"]["dataset"]:
        return list(dict.fromkeys([str(config["evaluation"]["protocol"]), *known]))
    if not known:
        raise ValueError(f"no protocol of {store.manifest.dataset} ships with Gaitway; name one by --protocol")
    return known


def _partition(config: Mapping[str, Any], store: Store) -> str:
    """The recipe's partition, or that of the store's data set where it is another one."""
    same = store.manifest.dataset == config["data"]["dataset"]
    return str(config["data"]["partition"]) if same else store.manifest.dataset


def _run_of(checkpoint: Path) -> Path:
    """The folder of the run that a checkpoint belongs to; its own where it belongs to none."""
    from gaitway.training.checkpoint import CHECKPOINTS

    return checkpoint.parent.parent if checkpoint.parent.name == CHECKPOINTS else checkpoint


def _show(console: Console, results: Mapping[str, Sequence[Result]], config: Mapping[str, Any], store: Store) -> None:
    from gaitway.cli.result_table import result_table

    own, *others = results.items()
    for i, result in enumerate(own[1]):
        as_published = result.protocol == config["evaluation"]["protocol"] and result.dataset == store.manifest.dataset
        published = config.get("published") if as_published else None
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
