"""Finds the runner of a case among the modules of this package, runs it and says how it went."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Literal

import tests.parity
from tests.parity.case import Case, Results, load_case, measure

Runner = Callable[[Case], Results]


class NotKnownError(Exception):
    """Raised by a runner for a case that needs what Gaitway does not have; its text says what."""


@dataclass(frozen=True)
class Outcome:
    """How a case went: `met`, `failed` (the worst figure first) or `not run` (with the reason)."""

    name: str
    status: Literal["met", "failed", "not run"]
    text: str
    problems: tuple[str, ...] = ()


@cache
def runners() -> dict[str, dict[str, Runner]]:
    """Family -> case name or pattern -> runner, from every module here that has `RUNNERS`.

    A module is named after the family of its cases: `protocol_losses` runs cases of the family `protocol`.
    `every_model` stands for all families.
    """
    found: dict[str, dict[str, Runner]] = {}
    for info in pkgutil.iter_modules(tests.parity.__path__):
        if info.name.startswith(("test_", "__")):
            continue
        module = importlib.import_module(f"tests.parity.{info.name}")
        found.setdefault(info.name.partition("_")[0], {}).update(getattr(module, "RUNNERS", {}))
    return found


def find_runner(case: Case) -> Runner | None:
    """The runner of a case: by its name, by a pattern, or, for a case that gives a `model_cfg`, that of models."""
    known = runners().get(case.family.replace("-", ""), {})
    if case.name in known:
        return known[case.name]
    matching = (runner for pattern, runner in known.items() if fnmatchcase(case.name, pattern))
    return next(matching, runners()["every"].get(case.mode) if "model_cfg" in case.hyperparameters else None)


def run_case(path: Path) -> Outcome:
    """Runs the case of a `NAME.json`."""
    case = load_case(path)
    runner = find_runner(case)
    if runner is None:
        return Outcome(case.name, "not run", f"no runner for {case.family} cases of this name (mode {case.mode})")
    try:
        outputs, scalars = runner(case)
    except NotKnownError as reason:
        return Outcome(case.name, "not run", str(reason))
    figures = sorted(measure(case, outputs, scalars), key=lambda figure: -figure.share)
    if not figures:
        return Outcome(case.name, "not run", "the case expects no figure that can be checked")
    problems = tuple(str(figure) for figure in figures if figure.share > 1)
    if problems:
        return Outcome(case.name, "failed", f"{len(problems)} of {len(figures)} figures; worst {problems[0]}", problems)
    worst = figures[0]
    return Outcome(
        case.name, "met", f"{len(figures)} figures, at most {worst.share:.2g} of the tolerance ({worst.name})"
    )


def find_cases(folder: Path) -> Iterator[Path]:
    """The `NAME.json` files of a folder and the folders in it, by name."""
    yield from sorted(folder.rglob("*.json"))
