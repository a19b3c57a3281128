"""Write the HTML report of a run.

gaitway report runs/walkers-gaitset
gaitway report runs/walkers-gaitset --data walkers

The figures are those of the last `gaitway evaluate`. With --data the test subjects are embedded once more, for the map
of the test set and for the pictures of who was taken for whom. The report is one file, RUN/report.html, that any
browser shows without a network.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from gaitway.data import Store
    from gaitway.evaluation import EmbeddingSet, Result


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument("run", metavar="RUN", help="the folder of a run or checkpoint that has been evaluated")
    parser.add_argument("--data", metavar="STORE", help="the data set it was evaluated on, or the word walkers")


def run(args: argparse.Namespace) -> int:
    """Carry out the command."""
    from pathlib import Path

    from gaitway.data import open_store
    from gaitway.data.partitions import load_partition
    from gaitway.training.checkpoint import find_checkpoint, read_config
    from gaitway.training.evaluating import load_protocols

    folder = Path(args.run)
    evaluation = folder / "evaluation"
    circumstances = _read_circumstances(evaluation, folder)
    partition = load_partition(circumstances["partition"])
    protocols = [protocol.name for protocol in load_protocols(circumstances["protocols"], partition)]
    checkpoint = find_checkpoint(circumstances["checkpoint"])
    config = read_config(checkpoint)
    store = open_store(args.data) if args.data else None
    path = write_run_report(
        folder,
        run=folder,
        config=config,
        circumstances=circumstances,
        results=[_read_result(evaluation, protocol) for protocol in protocols],
        comparisons={
            method: _read_result(evaluation / method.replace(" ", "-"), protocols[0])
            for method in circumstances["comparisons"]
        },
        store=store,
        embeddings=_embed(checkpoint, config, circumstances, store) if store else None,
    )
    print(f"The report is {path}")
    return 0


def write_run_report(
    folder: Path,
    *,
    run: Path,
    config: Mapping[str, Any],
    circumstances: Mapping[str, Any],
    results: Sequence[Result],
    comparisons: Mapping[str, Result],
    store: Store | None,
    embeddings: EmbeddingSet | None,
) -> Path:
    """Write the report of a run.

    Args:
        folder: Where the report will be.
        run: The run's folder; its recipe and metrics are shown where it has them.
        config: The checkpoint's `config.json`.
        circumstances: What `gaitway evaluate` writes down about the figures.
        results: Of the checkpoint, by each protocol.
        comparisons: Other methods' results by the first protocol.
        store: The data set.
        embeddings: Of the test subjects.

    Returns:
        The path of the report.
    """
    import yaml

    from gaitway.data.partitions import load_partition
    from gaitway.report import FILE_NAME, Contents, write_report
    from gaitway.training.evaluating import load_protocols, published_figures
    from gaitway.training.logging import read_metrics
    from gaitway.training.recipe import list_recipes, load_recipe
    from gaitway.training.run import RECIPE

    recipe = run / RECIPE
    text = recipe.read_text() if recipe.is_file() else yaml.safe_dump(dict(config), sort_keys=False)
    name, model = config["recipe"], config["model"]["name"]
    (protocol,) = load_protocols(circumstances["protocols"][:1], load_partition(circumstances["partition"]))
    as_published = published_figures(config, protocol.name)
    contents = Contents(
        recipe_name=name,
        recipe_yaml=text,
        description=yaml.safe_load(text).get("description", f"{model} of {name}."),
        step=config["step"],
        published=config["published"] if as_published else {},
        published_steps=load_recipe(name).training.steps if name in list_recipes() else None,
        results=results,
        comparisons=comparisons,
        protocol=protocol,
        embeddings=embeddings,
        store=store,
        modalities=_modalities(config),
        metrics=read_metrics(run),
        circumstances=circumstances,
    )
    return write_report(contents, folder / FILE_NAME)


def _modalities(config: Mapping[str, Any]) -> tuple[str, ...]:
    """What the model of a checkpoint takes."""
    from typing import cast

    import torch

    from gaitway.training.recipe import Component, build_model

    arguments = dict(config["model"])
    with torch.device("meta"):  # no memory, no arithmetic
        model = build_model(Component(arguments.pop("name"), arguments), config["num_classes"])
    return cast("tuple[str, ...]", model.modalities)


def _read_circumstances(evaluation: Path, folder: Path) -> dict[str, Any]:
    import yaml

    path = evaluation / "circumstances.yaml"
    if not path.is_file():
        raise FileNotFoundError(
            f"{folder} is not evaluated yet (there is no {path}); `gaitway evaluate {folder} --data STORE` does it "
            "and writes the report too"
        )
    values: dict[str, Any] = yaml.safe_load(path.read_text())
    return values


def _read_result(folder: Path, protocol: str) -> Result:
    from gaitway.evaluation import Result

    return Result.from_json((folder / f"{protocol.replace('/', '-')}.json").read_text())


def _embed(checkpoint: Path, config: Mapping[str, Any], circumstances: Mapping[str, Any], store: Store) -> EmbeddingSet:
    """The embeddings that the figures are of, made once more."""
    from dataclasses import replace

    from gaitway.cli.progress import progress_bar
    from gaitway.data.partitions import load_partition
    from gaitway.evaluation.evaluator import check_finite
    from gaitway.training.checkpoint import load_model
    from gaitway.training.devices import create_fabric, launched
    from gaitway.training.evaluating import embed_test_subjects
    from gaitway.training.recipe import Evaluation

    evaluation = replace(
        Evaluation(**config["evaluation"]),
        precision=circumstances["precision"],
        max_frames=circumstances["max_frames"],
    )
    partition = load_partition(circumstances["partition"])
    fabric = create_fabric()
    with launched(fabric), progress_bar("embedding", "sequences") as show:
        model = load_model(checkpoint).to(fabric.device)
        min_frames = config["data"].get("min_frames", 1)
        found = embed_test_subjects(fabric, model, store, partition, evaluation, min_frames=min_frames, progress=show)
    check_finite(found)
    return found
