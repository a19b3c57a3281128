"""Search the paths of a trained supernet for the best ones.

gaitway nas search runs/supernet --data STORE
gaitway nas search runs/supernet --data STORE --generations 2 --max-macs 5e9
gaitway nas search runs/supernet --data STORE --strategy nsga2 --objective rank-1 macs
gaitway nas search runs/supernet --data STORE --storage postgresql+psycopg://me@host/searches

Start the same command as often as you like, on one machine or on several that see the same folder (or database), one
for each GPU (CUDA_VISIBLE_DEVICES=1 gaitway nas search …): all of them work on the same search and come to the same
paths as one alone. A search that was stopped or killed goes on by the same command, if you like with more
--generations.

Paths are judged with the supernet's weights, by training subjects that it has not seen. Every path is evaluated once:
searches of the same supernet in the same storage share what they have found.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from gaitway.data import Store
    from gaitway.nas.evolution import EvolutionSettings
    from gaitway.nas.judging import Jury
    from gaitway.nas.space import Constraints
    from gaitway.training.recipe import Data, Evaluation, Recipe

ENDS = {"min": "least", "max": "most"}
"""Of the bounds of constraints."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument("run", metavar="RUN", help="the run of a supernet (its latest checkpoint) or a checkpoint")
    parser.add_argument("--data", required=True, metavar="STORE", help="a prepared data set, or the word walkers")
    add_strategy_arguments(parser.add_argument_group("what to search"))
    add_judging_arguments(parser.add_argument_group("how paths are judged"))
    place = parser.add_argument_group("where")
    place.add_argument("--study", metavar="NAME", help="name of the search (default: the strategy's)")
    place.add_argument("--out", metavar="DIR", help="folder of searches (default: searches in the run's folder)")
    place.add_argument(
        "--storage",
        metavar="FILE_OR_URL",
        help="where workers meet: a journal file or postgresql://… (default: journal.log in the folder of searches)",
    )
    place.add_argument("--accelerator", choices=("auto", "cpu", "cuda"), default="auto", help="auto: CUDA if there")
    place.add_argument(
        "--residency", choices=("auto", "device", "host", "disk"), default="auto", help="where frames are kept"
    )


def add_strategy_arguments(group: argparse._ArgumentGroup) -> None:
    """Describe what is searched and how."""
    group.add_argument(
        "--strategy",
        choices=("evolution", "nsga2", "random"),
        default="evolution",
        help="evolution: as published, by one objective (default); nsga2: NSGA-II, by any number; random",
    )
    group.add_argument(
        "--objective",
        nargs="+",
        default=["rank-1"],
        metavar="O",
        help="rank-1 (default), rank-5, mAP, macs, parameters, latency (measured here); the first one ranks",
    )
    group.add_argument("--generations", type=int, default=20, metavar="E", help="after the first one (default 20)")
    group.add_argument("--population", type=int, default=50, metavar="N", help="paths of a generation (default 50)")
    group.add_argument("--parents", type=int, metavar="K", help="best paths that children come from (default N/5)")
    group.add_argument("--mutations", type=int, metavar="M", help="children by mutation (default N/2)")
    group.add_argument("--crossovers", type=int, metavar="C", help="children by crossover (default N/2)")
    group.add_argument("--mutation-probability", type=float, default=0.1, metavar="P", help="of a layer (default 0.1)")
    group.add_argument("--seed", type=int, default=0, help="of all random choices (default 0)")
    for cost, what in (("macs", "multiply-adds of a clip"), ("parameters", "parameters of an embedding")):
        for end in ("min", "max"):
            group.add_argument(
                f"--{end}-{cost}", type=float, metavar="X", help=f"only paths of at {ENDS[end]} so many {what}"
            )
    group.add_argument(
        "--clip", type=int, default=30, metavar="T", help="frames of the clip that costs are of (default 30)"
    )


def add_judging_arguments(group: argparse._ArgumentGroup) -> None:
    """Describe by whom paths are judged."""
    group.add_argument(
        "--fitness",
        choices=("held-out", "published"),
        default="held-out",
        help="by training subjects held out (default), or by the test subjects as published, which leaks the test set",
    )
    group.add_argument(
        "--held-out", type=float, metavar="SHARE", help="of the training subjects (default: the supernet's, else 0.2)"
    )
    group.add_argument(
        "--recalibrate",
        type=int,
        default=0,
        metavar="B",
        help="batches of training to measure batch normalisation with for every path (default 0: none, as published)",
    )
    group.add_argument("--batch-size", type=int, metavar="N", help="sequences embedded at once (default: the recipe's)")
    group.add_argument("--max-frames", type=int, metavar="T", help="take the first T frames of longer sequences")
    group.add_argument("--precision", choices=("32", "bf16", "fp16"), default="32", help="to compute in (default 32)")


def run(args: argparse.Namespace) -> int:
    """Carry out the command."""
    from dataclasses import replace
    from pathlib import Path

    from rich.console import Console

    from gaitway.cli.evaluate import check_frames
    from gaitway.cli.nas_show import print_results, write_pictures
    from gaitway.cli.progress import progress_bar
    from gaitway.data import open_store
    from gaitway.models.sposgait import Architecture, SPOSGait
    from gaitway.nas.evolution import ExhaustedError
    from gaitway.nas.judging import Judge, frame_size, training_batches
    from gaitway.nas.objectives import check_objectives
    from gaitway.nas.results import SEARCHES, SearchResults
    from gaitway.nas.search import work
    from gaitway.nas.shared_study import SharedStudy, open_storage
    from gaitway.nas.space import Space
    from gaitway.nas.strategies import generations
    from gaitway.nas.terms import search_terms
    from gaitway.training.checkpoint import find_checkpoint, load_model, read_config
    from gaitway.training.devices import create_fabric, launched, sigterm_interrupts
    from gaitway.training.recipe import Data

    objectives, constraints, settings = check_objectives(args.objective), _constraints(args), _settings(args)
    store = open_store(args.data)
    checkpoint = find_checkpoint(args.run)
    config = read_config(checkpoint)
    evaluation = _evaluation(args, config)
    height, width = frame_size(evaluation, config["data"]["frame_shape"])
    space = Space.of_supernet(config, height=height, width=width, source=str(checkpoint))
    space = replace(space, frames=args.clip)
    allowed = space.allowed(constraints)
    values: dict[Architecture, Sequence[float]] = {}
    proposed = generations(
        args.strategy,
        space.num_choices,
        settings,
        values,
        num_objectives=len(objectives),
        accept=lambda path: bool(allowed[path]),
    )
    check_frames(config, store, "silhouettes")
    jury = _jury(args, Data(**config["data"]), store, evaluation)
    recipe = _recipe(checkpoint) if args.recalibrate else None
    model = load_model(checkpoint)
    assert isinstance(model, SPOSGait)
    terms = search_terms(
        space=space,
        checkpoint=checkpoint,
        store=store,
        jury=jury,
        evaluation=evaluation,
        num_batches=args.recalibrate,
        objectives=objectives,
        constraints=constraints,
        strategy=args.strategy,
        settings=settings,
    )
    run_folder = _run_of(checkpoint)
    searches = Path(args.out) if args.out else run_folder / SEARCHES
    name = args.study or args.strategy
    folder = searches / name
    study = SharedStudy(
        open_storage(args.storage or searches / "journal.log"),
        name=f"{run_folder.resolve().name}/{name}",
        objectives=objectives,
        terms=terms,
        num_choices=space.num_choices,
    )
    fabric = create_fabric(accelerator=args.accelerator)
    console = Console()
    num_wanted = min(args.population * (args.generations + 1), int(allowed.sum()))
    console.print(
        f"{checkpoint}: {space.num_paths:,} paths, {int(allowed.sum()):,} of them allowed (constraints: "
        f"{constraints}); {num_wanted:,} to evaluate, {len(study.figures):,} are.\n"
        f"Judged by {jury.num_subjects} {jury.who}, {len(jury.rows):,} sequences, protocol {jury.protocol.name}.",
        soft_wrap=True,
        highlight=False,
    )
    if jury.warning:
        console.print(f"Note: {jury.warning}.", soft_wrap=True)

    def results() -> SearchResults:
        return SearchResults(name, objectives, terms, tuple(study.evaluations))

    saved = -1
    with sigterm_interrupts(), launched(fabric), study.present(), progress_bar("searching", "paths") as show:
        batches = None
        if recipe is not None:
            batches = training_batches(recipe, store, args.recalibrate, fabric.device, args.residency)
        judge = Judge(
            fabric,
            model.to(fabric.device),
            store,
            jury,
            evaluation,
            residency=args.residency,
            batches=batches,
        )

        def evaluate(path: Architecture, known: dict[str, float]) -> dict[str, float]:
            figures = known or judge.accuracies(path)
            costs = space.costs(path)
            figures = {**figures, "macs": costs.macs, "parameters": costs.parameters}
            if "latency" in objectives and "latency" not in figures:
                figures["latency"] = judge.latency(path, (height, width), space.frames)
            return figures

        def done() -> None:
            nonlocal saved
            show(len(study.evaluations), num_wanted)
            if len(study.evaluations) != saved:
                results().save(folder)
                saved = len(study.evaluations)

        try:
            work(study, proposed, values, evaluate, done=done)
        except ExhaustedError as error:
            console.print(f"Note: the search ends here: {error}.", soft_wrap=True)
    found = results()
    print_results(console, found)
    report = write_pictures(folder, found)
    console.print(f"figures    {folder}/history.csv and search.json", soft_wrap=True, highlight=False)
    console.print(f"report     {report}", soft_wrap=True, highlight=False)
    console.print(
        f"next       gaitway nas retrain {args.run} --architecture best --data {args.data}",
        soft_wrap=True,
        highlight=False,
    )
    return 0


def _constraints(args: argparse.Namespace) -> Constraints:
    from gaitway.nas.space import COSTS, Constraints

    bounds = {end: {cost: getattr(args, f"{end}_{cost}") for cost in COSTS} for end in ENDS}
    given = {
        end: {cost: bound for cost, bound in of_end.items() if bound is not None} for end, of_end in bounds.items()
    }
    return Constraints(least=given["min"], most=given["max"])


def _settings(args: argparse.Namespace) -> EvolutionSettings:
    """How the search evolves; what is not given keeps the published proportions."""
    from gaitway.nas.evolution import EvolutionSettings

    half, fifth = args.population // 2, max(1, args.population // 5)
    return EvolutionSettings(
        generations=args.generations,
        population=args.population,
        parents=fifth if args.parents is None else args.parents,
        mutation_probability=args.mutation_probability,
        num_mutations=half if args.mutations is None else args.mutations,
        num_crossovers=half if args.crossovers is None else args.crossovers,
        seed=args.seed,
    )


def _evaluation(args: argparse.Namespace, config: Mapping[str, Any]) -> Evaluation:
    """How sequences are embedded: as the recipe says, but in the precision asked for and without re-ranking."""
    from dataclasses import replace

    from gaitway.training.recipe import Evaluation

    for name, number, least in (
        ("--clip", args.clip, 1),
        ("--recalibrate", args.recalibrate, 0),
        ("--batch-size", args.batch_size, 1),
        ("--max-frames", args.max_frames, 1),
    ):
        if number is not None and number < least:
            raise ValueError(f"{name} {number}: expected a number from {least} on")
    evaluation = replace(Evaluation(**config["evaluation"]), precision=args.precision, rerank=None)
    batch_size, max_frames = args.batch_size or evaluation.batch_size, args.max_frames or evaluation.max_frames
    return replace(evaluation, batch_size=batch_size, max_frames=max_frames)


def _jury(args: argparse.Namespace, data: Data, store: Store, evaluation: Evaluation) -> Jury:
    from gaitway.nas.judging import held_out_jury, published_jury

    if store.manifest.dataset != data.dataset:
        raise ValueError(
            f"the supernet was trained on {data.dataset}, {store.path} holds {store.manifest.dataset}; give the store "
            "that it was trained on"
        )
    if args.fitness == "held-out":
        return held_out_jury(data, store, evaluation, args.held_out)
    if args.held_out is not None:
        raise ValueError("--fitness published judges by the test subjects; leave out --held-out")
    return published_jury(data, store, evaluation)


def _recipe(checkpoint: Path) -> Recipe:
    """The recipe of the supernet's run, which says how it was trained."""
    from gaitway.training.recipe import load_recipe
    from gaitway.training.run import RECIPE

    path = _run_of(checkpoint) / RECIPE
    if not path.is_file():
        raise ValueError(
            f"--recalibrate takes batches as in training, but {path} is not there to say how; search a run of "
            "`gaitway nas train`, or without recalibration"
        )
    return load_recipe(str(path))


def _run_of(checkpoint: Path) -> Path:
    """The folder of the run that a checkpoint belongs to; its own where it belongs to none."""
    from gaitway.training.checkpoint import CHECKPOINTS

    return checkpoint.parent.parent if checkpoint.parent.name == CHECKPOINTS else checkpoint
