"""SPOSGait's published search: evolution of paths by one figure (arXiv 2205.02692, after arXiv 1904.00420).

Which paths come next depends on the figures of whole generations only, so that any number of workers can evaluate a
generation, and a search that was stopped is resumed by telling it the figures it has been told before.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from gaitway.models.sposgait import Architecture

DRAWN_PER_CANDIDATE = 10_000
"""The published code draws a made-up number of operations below this for every new path; drawn here as well, or all
later paths would differ."""
HOPELESS = 10_000
"""Random paths in a row that were seen before or refused, after which all paths are looked at for one that was not."""


@dataclass(frozen=True, kw_only=True)
class EvolutionSettings:
    """How a search evolves; the defaults are the published ones.

    Args:
        generations: Generations after the first one.
        population: Paths of a generation.
        parents: Best paths so far, which children come from.
        mutation_probability: Of each layer of a mutated child.
        num_mutations: Children by mutation in a generation.
        num_crossovers: Children by crossover in a generation.
        seed: Of all random choices.
    """

    generations: int = 20
    population: int = 50
    parents: int = 10
    mutation_probability: float = 0.1
    num_mutations: int = 25
    num_crossovers: int = 25
    seed: int = 0

    def __post_init__(self) -> None:
        counts = (self.generations, self.num_mutations, self.num_crossovers)
        too_many = self.num_mutations + self.num_crossovers > self.population
        if min(counts) < 0 or not 1 <= self.parents <= self.population or too_many:
            raise ValueError(
                f"evolution of {self.generations} generations of {self.population} with {self.parents} parents, "
                f"{self.num_mutations} mutations and {self.num_crossovers} crossovers; expected counts of at least 0, "
                "1 to population parents, and no more children than population"
            )
        if not 0 <= self.mutation_probability <= 1:
            raise ValueError(f"mutation_probability is {self.mutation_probability}, expected 0 to 1")


@dataclass(frozen=True)
class Generation:
    """Paths to evaluate, and how they came about.

    Args:
        paths: In the order in which the published code evaluates them.
        num_mutations: How many of the first are children by mutation.
        num_crossovers: How many of the next are children by crossover.
        parents: What they come from, best first; none in the first generation.
        ranked: The best paths of all generations before, as many as a population has, best first.
    """

    paths: tuple[Architecture, ...]
    num_mutations: int = 0
    num_crossovers: int = 0
    parents: tuple[Architecture, ...] = ()
    ranked: tuple[Architecture, ...] = ()


class ExhaustedError(ValueError):
    """There are no more paths to evaluate."""


def draw_free(
    choices: random.Random, num_choices: Sequence[int], is_free: Callable[[Architecture], bool]
) -> Architecture | None:
    """A path drawn uniformly from the free ones, or None when there is none."""
    for _ in range(HOPELESS):
        path = tuple(choices.randint(0, count - 1) for count in num_choices)
        if is_free(path):
            return path
    left = [path for path in product(*map(range, num_choices)) if is_free(path)]
    return choices.choice(left) if left else None


def evolve(
    num_choices: Sequence[int],
    settings: EvolutionSettings,
    fitness: Mapping[Architecture, float],
    *,
    accept: Callable[[Architecture], bool] = lambda path: True,
) -> Iterator[Generation]:
    """The generations of a search, one after the other: `generations + 1` of them.

    Args:
        num_choices: Blocks to choose from in every layer.
        settings: How it evolves.
        fitness: Larger is better. Before the next generation is asked for, it must hold all paths of the last one.
        accept: Paths for which it is False (they cost too much) are drawn again, as if they had been seen.

    Raises:
        ExhaustedError: when a generation finds no new path; before that the last paths come as a smaller one.
    """
    choices = random.Random(settings.seed)
    numbers = np.random.RandomState(settings.seed)  # the published code's generator, to the number
    seen: set[Architecture] = set()
    ranked: list[Architecture] = []

    def is_free(path: Architecture) -> bool:
        return path not in seen and accept(path)

    def take(path: Architecture) -> None:
        seen.add(path)
        numbers.randint(DRAWN_PER_CANDIDATE)

    def filled(paths: list[Architecture]) -> tuple[Architecture, ...]:
        while len(paths) < settings.population:
            path = draw_free(choices, num_choices, is_free)
            if path is None:
                break
            take(path)
            paths.append(path)
        if not paths:
            raise ExhaustedError(f"all {len(seen):,} paths that the space holds and the constraints allow are taken")
        return tuple(paths)

    def mutated(parents: Sequence[Architecture]) -> Architecture:
        path = list(choices.choice(parents))
        for place, count in enumerate(num_choices):
            if numbers.random_sample() < settings.mutation_probability:
                path[place] = int(numbers.randint(count))
        return tuple(path)

    def crossed(parents: Sequence[Architecture]) -> Architecture:
        first, second = choices.choice(parents), choices.choice(parents)
        return tuple(choices.choice(pair) for pair in zip(first, second, strict=True))

    def children(how: Callable[[Sequence[Architecture]], Architecture], wanted: int) -> list[Architecture]:
        found: list[Architecture] = []
        for _ in range(10 * wanted):
            if len(found) == wanted:
                break
            path = how(parents)
            if is_free(path):
                take(path)
                found.append(path)
        return found

    generation = Generation(filled([]))
    yield generation
    for _ in range(settings.generations):
        ranked = sorted([*ranked, *generation.paths], key=lambda path: -fitness[path])[: settings.population]
        parents = ranked[: settings.parents]
        mutations = children(mutated, settings.num_mutations)
        crossovers = children(crossed, settings.num_crossovers)
        generation = Generation(
            filled(mutations + crossovers), len(mutations), len(crossovers), tuple(parents), tuple(ranked)
        )
        yield generation
