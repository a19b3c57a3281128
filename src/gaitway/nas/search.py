"""A worker of a search: evaluates paths of the present generation until there are no more."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from time import perf_counter, sleep

from gaitway.models.sposgait import Architecture
from gaitway.nas.evolution import Generation
from gaitway.nas.objectives import upward
from gaitway.nas.shared_study import SharedStudy

PATIENCE = 0.5
"""Seconds between two looks at what other workers have done."""

Evaluate = Callable[[Architecture, dict[str, float]], dict[str, float]]
"""The figures of a path, given those that another search found."""


def work(
    study: SharedStudy,
    generations: Iterable[Generation],
    values: dict[Architecture, Sequence[float]],
    evaluate: Evaluate,
    *,
    done: Callable[[], object] = lambda: None,
    wait: Callable[[float], object] = sleep,
) -> None:
    """Work on a search together with all others that do, until all its generations are evaluated.

    Args:
        study: The search's record.
        generations: From `strategies.generations`, which reads `values`.
        values: Filled with the objectives of all paths, turned so that more is better.
        evaluate: Makes the figures of a path.
        done: Called whenever there may be something new in the study.
        wait: Called with how many seconds to leave the other workers to their work.

    Raises:
        ExhaustedError: when the space has no more paths.
    """
    for number, generation in enumerate(generations):
        places = {path: place for place, path in enumerate(generation.paths)}
        while True:
            study.refresh()
            done()
            missing = [path for path in generation.paths if path not in study.figures]
            if not missing:
                break
            claim = study.claim(missing, number, places)
            if claim is None:
                wait(PATIENCE)
                continue
            begun = perf_counter()
            known = study.remembered.get(claim.path, {})
            try:
                figures = evaluate(claim.path, known)
            except BaseException:  # Ctrl-C as well
                study.release(claim)
                raise
            seconds = 0.0 if known.keys() >= figures.keys() else perf_counter() - begun
            study.complete(claim, figures, seconds)
        values.update((path, upward(study.figures[path], study.objectives)) for path in generation.paths)
