"""The published evolution beyond its parity cases: small spaces, and constraints."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from gaitway.models.sposgait import Architecture
from gaitway.nas.evolution import EvolutionSettings, ExhaustedError, Generation, draw_free, evolve


def all_generations(num_choices: tuple[int, ...], settings: EvolutionSettings) -> list[Generation]:
    fitness: dict[Architecture, float] = {}
    found = []
    for generation in evolve(num_choices, settings, fitness):
        found.append(generation)
        fitness |= {path: float(sum(path)) for path in generation.paths}
    return found


def test_invariants() -> None:
    """Section 5 of the specification: parents, order of children, where their blocks are from."""
    found = all_generations((1, 6, 6, 6, 6), EvolutionSettings(generations=5))
    seen: list[Architecture] = []
    for generation in found:
        assert len(set(generation.paths)) == 50
        best_first = sorted(seen, key=lambda path: -sum(path))
        assert list(generation.parents) == best_first[:10]
        assert list(generation.ranked) == best_first[:50]
        crossed = generation.paths[generation.num_mutations :][: generation.num_crossovers]
        for child in crossed:
            assert all(kind in {parent[place] for parent in generation.parents} for place, kind in enumerate(child))
        assert generation.num_mutations <= 25
        assert generation.num_crossovers <= 25
        seen += generation.paths
    assert len(set(seen)) == len(seen) == 300


def test_the_last_paths_come_as_a_smaller_generation() -> None:
    settings = EvolutionSettings(generations=9, population=10, parents=2, num_mutations=5, num_crossovers=5)
    fitness: dict[Architecture, float] = {}
    sizes = []
    iterator = evolve((1, 6, 6), settings, fitness)
    for generation in (next(iterator) for _ in range(4)):
        sizes.append(len(generation.paths))
        fitness |= dict.fromkeys(generation.paths, 0.0)
    assert sizes == [10, 10, 10, 6]
    with pytest.raises(ExhaustedError, match="all 36 paths"):
        next(iterator)


def test_free_paths_are_drawn_uniformly_however_rare() -> None:
    choices = random.Random(0)
    rare = {(0, 1, 2, 3, 4, 5, 0, 1), (5, 4, 3, 2, 1, 0, 5, 4)}  # of 1,679,616
    counts = Counter(draw_free(choices, (6,) * 4, lambda path: sum(path) == 1) for _ in range(400))
    assert len(counts) == 4
    assert min(counts.values()) > 70
    assert draw_free(choices, (6,) * 8, rare.__contains__) in rare
    assert draw_free(choices, (6,) * 4, lambda path: False) is None


def test_wrong_settings() -> None:
    with pytest.raises(ValueError, match="with 60 parents"):
        EvolutionSettings(parents=60)
    with pytest.raises(ValueError, match=r"mutation_probability is 1\.5"):
        EvolutionSettings(mutation_probability=1.5)
