"""How paths are chosen."""

from __future__ import annotations

import statistics
from collections.abc import Callable

import pytest

from gaitway.models.sposgait import Architecture
from gaitway.nas.evolution import EvolutionSettings, ExhaustedError, Generation, evolve
from gaitway.nas.strategies import Strategy, generations

CHOICES = (1, 6, 6, 6, 6)
SETTINGS = EvolutionSettings(generations=6, population=20, parents=5, num_mutations=10, num_crossovers=10)
WAYS: list[tuple[Strategy, int]] = [("evolution", 1), ("nsga2", 1), ("nsga2", 2), ("random", 2)]


def figures(path: Architecture) -> tuple[float, float]:
    """Two figures that pull in different directions."""
    return sum(path) - abs(path[1] - 2.5), -(path[1] + path[2] ** 2)


def searched(
    strategy: Strategy,
    num_objectives: int,
    *,
    settings: EvolutionSettings = SETTINGS,
    accept: Callable[[Architecture], bool] = lambda path: True,
    known: dict[Architecture, tuple[float, ...]] | None = None,
    into: list[Architecture] | None = None,
) -> list[Generation]:
    """All generations, their paths also in the list `into`; `known` is what others have evaluated before."""
    values = dict(known or {})
    found = []
    iterator = generations(strategy, CHOICES, settings, values, num_objectives=num_objectives, accept=accept)
    for generation in iterator:
        found.append(generation)
        if into is not None:
            into += generation.paths
        values |= {path: figures(path)[:num_objectives] for path in generation.paths}
    return found


def paths(found: list[Generation]) -> list[Architecture]:
    return [path for generation in found for path in generation.paths]


@pytest.mark.parametrize(("strategy", "num_objectives"), WAYS)
def test_paths_are_in_the_space_and_come_once(strategy: Strategy, num_objectives: int) -> None:
    found = searched(strategy, num_objectives)
    assert [len(generation.paths) for generation in found] == [20] * 7
    assert len(set(paths(found))) == 140
    assert all(0 <= kind < count for path in paths(found) for kind, count in zip(path, CHOICES, strict=True))


@pytest.mark.parametrize(("strategy", "num_objectives"), WAYS)
def test_replayed_from_figures_that_are_known_it_is_the_same(strategy: Strategy, num_objectives: int) -> None:
    first = searched(strategy, num_objectives)
    known = {path: figures(path)[:num_objectives] for path in paths(first)[:90]}
    assert searched(strategy, num_objectives, known=known) == first


@pytest.mark.parametrize(("strategy", "num_objectives"), WAYS)
def test_seeds_differ(strategy: Strategy, num_objectives: int) -> None:
    other = EvolutionSettings(generations=6, population=20, parents=5, num_mutations=10, num_crossovers=10, seed=1)
    assert paths(searched(strategy, num_objectives, settings=other)) != paths(searched(strategy, num_objectives))


@pytest.mark.parametrize(("strategy", "num_objectives"), WAYS)
def test_only_accepted_paths_until_there_are_no_more(strategy: Strategy, num_objectives: int) -> None:
    def accept(path: Architecture) -> bool:
        return path[1] == path[2] == 3  # 36 of 1,296

    found: list[Architecture] = []

    with pytest.raises(ExhaustedError, match="all 36 paths"):
        searched(strategy, num_objectives, accept=accept, into=found)
    assert len(set(found)) == len(found) == 36
    assert all(map(accept, found))


def test_evolution_is_the_published_one() -> None:
    fitness: dict[Architecture, float] = {}
    published = []
    for generation in evolve(CHOICES, SETTINGS, fitness):
        published.append(generation)
        fitness |= {path: figures(path)[0] for path in generation.paths}
    assert searched("evolution", 1) == published


@pytest.mark.parametrize("strategy", ["evolution", "nsga2"])
def test_it_finds_better_paths_than_chance(strategy: Strategy) -> None:
    last = [figures(path)[0] for path in searched(strategy, 1)[-1].paths]
    by_chance = [figures(path)[0] for path in paths(searched("random", 1))]
    assert statistics.median(last) > statistics.median(by_chance) + 2


def test_evolution_knows_one_objective() -> None:
    with pytest.raises(ValueError, match="one objective, found 2; use --strategy nsga2"):
        searched("evolution", 2)
