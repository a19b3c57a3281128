"""How a search chooses its paths: generation after generation, from the figures of those before.

Every strategy is replayed from the figures that are known: it draws from a generator with a seed and sees figures of
whole generations only. So any number of workers come to the same generations, and a search that was killed goes on as
if it had not been.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, get_args

from gaitway.models.sposgait import Architecture
from gaitway.nas.evolution import EvolutionSettings, ExhaustedError, Generation, draw_free, evolve
from gaitway.nas.extra import import_optuna

Strategy = Literal["evolution", "nsga2", "random"]
STRATEGIES: tuple[str, ...] = get_args(Strategy)
VAIN_CHILDREN = 200
"""Children of NSGA-II in a row that were seen before or refused, after which one is drawn at random instead."""

Values = Mapping[Architecture, Sequence[float]]
"""The objectives of a path, turned so that more is better."""


def generations(
    strategy: Strategy,
    num_choices: Sequence[int],
    settings: EvolutionSettings,
    values: Values,
    *,
    num_objectives: int = 1,
    accept: Callable[[Architecture], bool] = lambda path: True,
) -> Iterator[Generation]:
    """The generations of a search, one after the other.

    Args:
        strategy: `evolution` is the published one and knows one objective; `nsga2` and `random` take any number.
        num_choices: Blocks to choose from in every layer.
        settings: Generations, population, seed and, for `evolution` and `nsga2`, the probability of a mutation.
        values: Before the next generation is asked for, it must hold all paths of the last one.
        num_objectives: How many values a path has.
        accept: Paths for which it is False are drawn again, as if they had been seen.

    Raises:
        ValueError: on another strategy, or on `evolution` with several objectives.
        ExhaustedError: when there are no more paths.
    """
    if strategy == "nsga2":
        return nsga2(num_choices, settings, values, num_objectives=num_objectives, accept=accept)
    if strategy == "random":
        blind = replace(settings, num_mutations=0, num_crossovers=0)
        return _by_one_figure(num_choices, blind, values, accept)
    if strategy != "evolution":
        raise ValueError(f"no strategy {strategy!r}; expected one of {', '.join(STRATEGIES)}")
    if num_objectives != 1:
        raise ValueError(
            f"the published evolution knows one objective, found {num_objectives}; use --strategy nsga2 for several"
        )
    return _by_one_figure(num_choices, settings, values, accept)


def _by_one_figure(
    num_choices: Sequence[int], settings: EvolutionSettings, values: Values, accept: Callable[[Architecture], bool]
) -> Iterator[Generation]:
    fitness: dict[Architecture, float] = {}
    for generation in evolve(num_choices, settings, fitness, accept=accept):
        yield generation
        fitness |= {path: values[path][0] for path in generation.paths}


def nsga2(
    num_choices: Sequence[int],
    settings: EvolutionSettings,
    values: Values,
    *,
    num_objectives: int,
    accept: Callable[[Architecture], bool] = lambda path: True,
) -> Iterator[Generation]:
    """The generations of NSGA-II (Deb et al., 2002) as Optuna has it, without paths that were seen before.

    The arguments are those of `generations`. Optuna's study lies in memory; it is told each generation in the order in
    which it proposed it.
    """
    optuna = import_optuna()
    names = [f"layer {place}" for place in range(len(num_choices))]
    kinds = {
        name: optuna.distributions.CategoricalDistribution(range(count))
        for name, count in zip(names, num_choices, strict=True)
    }
    sampler = optuna.samplers.NSGAIISampler(
        population_size=settings.population, mutation_prob=settings.mutation_probability, seed=settings.seed
    )
    study = optuna.create_study(directions=["maximize"] * num_objectives, sampler=sampler)
    choices = random.Random(settings.seed)
    seen: set[Architecture] = set()

    def is_free(path: Architecture) -> bool:
        return path not in seen and accept(path)

    for _ in range(settings.generations + 1):
        asked: dict[Architecture, Any] = {}
        in_vain = 0
        while len(asked) < settings.population:
            if in_vain >= VAIN_CHILDREN:
                drawn = draw_free(choices, num_choices, is_free)
                if drawn is None:
                    break
                study.enqueue_trial(dict(zip(names, drawn, strict=True)))
            trial = study.ask(kinds)
            path = tuple(int(trial.params[name]) for name in names)
            if is_free(path):
                seen.add(path)
                asked[path] = trial
                in_vain = 0
            else:
                study.tell(trial, state=optuna.trial.TrialState.FAIL)
                in_vain += 1
        if not asked:
            raise ExhaustedError(f"all {len(seen):,} paths that the space holds and the constraints allow are taken")
        yield Generation(tuple(asked))
        for path, trial in asked.items():
            study.tell(trial, list(values[path]))
