"""What paths cost, which paths a supernet trains, and the published search."""

from __future__ import annotations

from typing import Any

import numpy as np

from gaitway.models.sposgait import path_of_step
from gaitway.nas.costs import CostModel
from gaitway.nas.evolution import EvolutionSettings, Generation, evolve
from tests.parity.case import Array, Case, Results


def run_costs(case: Case) -> Results:
    """Parameters, multiply-adds and what pytorch-OpCounter would print."""
    given = case.hyperparameters
    neck = given["bnneck"]
    model = CostModel(
        variant=given["variant"],
        channels=given["channels"],
        bins=given["bin_num"],
        embedding_dim=given["head"]["out_channels"],
        num_classes=neck and neck["class_num"],
        height=given["height"],
        width=given["width"],
    )
    rows: dict[str, list[Any]] = {name: [] for name in case.outputs}
    for architecture in given["architectures"]:
        of_frames = [model.of(architecture, frames) for frames in given["frames"]]
        costs = of_frames[0]
        parts = sum(given["bin_num"])
        neck_norm = 2 * parts * model.embedding_dim if neck else 0
        found = {
            "params_conv": costs.convolution_parameters,
            "params_bn": costs.norm_parameters,
            "params_head": costs.head_parameters,
            "params_neck": costs.neck_parameters,
            "params_gem": 1,
            "params_inference": costs.parameters,
            "params_path": costs.training_parameters,
            "macs_conv": [one.convolution_macs for one in of_frames],
            "macs_head": [one.head_macs for one in of_frames],
            "macs_neck": [one.neck_macs for one in of_frames],
            "bn_elements": [one.norm_elements for one in of_frames],
            # OpCounter counts the neck's batch norm, but neither head nor classifier
            "thop_ops": [one.convolution_macs + 4 * (one.norm_elements + neck_norm // 2) for one in of_frames],
            "thop_params": costs.convolution_parameters + costs.norm_parameters + neck_norm,
        }
        for name, row in rows.items():
            row.append(found[name])
    return (
        {name: np.array(values) for name, values in rows.items()},
        {"params_supernet": float(model.supernet_parameters())},
    )


def run_sampling(case: Case) -> Results:
    """The paths of the first training steps."""
    steps = range(case.hyperparameters["iterations"])
    spaces = case.hyperparameters["choice_max_num"]
    paths = {
        f"paths/{variant}": np.array([path_of_step(step, choices) for step in steps])
        for variant, choices in spaces.items()
    }
    return paths, {}


def run_search(case: Case) -> Results:
    """All generations of a search by a table of fitness."""
    given, table = case.hyperparameters, case.inputs["fitness_table"]
    settings = EvolutionSettings(
        generations=given["max_epochs"],
        population=given["population_num"],
        parents=given["select_num"],
        mutation_probability=given["m_prob"],
        num_mutations=given["mutation_num"],
        num_crossovers=given["crossover_num"],
        seed=given["rng_seed"],
    )
    fitness: dict[tuple[int, ...], float] = {}
    generations: list[Generation] = []
    for generation in evolve(given["choice_max_num"], settings, fitness):
        generations.append(generation)
        for path in generation.paths:
            fitness[path] = int(table[np.arange(len(path)), list(path)].sum()) / 100
    outputs: dict[str, Array] = {"evaluated": np.array(list(fitness))}
    for number, generation in enumerate(generations):
        outputs[f"generation/{number}"] = np.array(generation.paths)
        if number:
            outputs[f"top_select/{number - 1}"] = np.array(generation.parents)
            outputs[f"top_population/{number - 1}"] = np.array(generation.ranked)
    outputs["mutation_kept"] = np.array([generation.num_mutations for generation in generations[1:]])
    outputs["crossover_kept"] = np.array([generation.num_crossovers for generation in generations[1:]])
    best_ranked = max(fitness[path] for generation in generations[:-1] for path in generation.paths)
    scalars = {"evaluations": len(fitness), "best_ranked": best_ranked, "best_evaluated": max(fitness.values())}
    return outputs, scalars


RUNNERS = {"cost_*": run_costs, "search_small": run_search, "supernet_path_sampling": run_sampling}
RUNNERS |= dict.fromkeys(("search_medium", "search_large", "search_large_options"), run_search)
