"""What a search has found: a folder with everything as JSON (`search.json`) and as a table (`history.csv`).

Every worker of a search writes both after each of its paths, so that they are there whatever happens to it.
"""

from __future__ import annotations

import csv
import io
import json
import os
import statistics
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gaitway.models.sposgait import Architecture
from gaitway.nas.objectives import front, upward

FORMAT_VERSION = 1
RESULTS, HISTORY = "search.json", "history.csv"
SEARCHES = "searches"
"""Folder in a run's folder that holds its searches."""


@dataclass(frozen=True)
class Evaluation:
    """A path that was evaluated.

    Args:
        path: The architecture.
        generation: In which it was proposed.
        place: In that generation, from 0.
        figures: Accuracies in percent and costs by name.
        seconds: How long it took; 0 where the figures were known from another search.
        worker: Who did it: machine and process; empty where the figures were known.
    """

    path: Architecture
    generation: int
    place: int
    figures: Mapping[str, float]
    seconds: float = 0.0
    worker: str = ""


@dataclass(frozen=True)
class GenerationSummary:
    """A generation's figures of the first objective.

    Args:
        generation: Its number.
        best_so_far: Of all generations until this one.
        best: Of this one.
        median: Likewise.
    """

    generation: int
    best_so_far: float
    best: float
    median: float


@dataclass(frozen=True)
class SearchResults:
    """What a search has found so far.

    Args:
        name: Of the study.
        objectives: What it aims for; the first one ranks.
        terms: What makes it this search and no other: space, supernet, data, how paths are judged, strategy.
        evaluations: In the order in which the strategy proposed them.
    """

    name: str
    objectives: tuple[str, ...]
    terms: Mapping[str, Any]
    evaluations: tuple[Evaluation, ...]

    @property
    def ranked(self) -> list[Evaluation]:
        """All evaluations, best first: by the first objective, then the next ones, then as they were proposed."""
        return sorted(self.evaluations, key=lambda found: upward(found.figures, self.objectives), reverse=True)

    @property
    def best(self) -> Evaluation:
        """The first of `ranked`.

        Raises:
            ValueError: when nothing is evaluated yet.
        """
        if not self.evaluations:
            raise ValueError(f"search {self.name} has evaluated nothing yet; start `gaitway nas search` again")
        return self.ranked[0]

    @property
    def front(self) -> list[Evaluation]:
        """Those that no other beats, best first; of one objective together with multiply-adds."""
        aims = self.objectives if len(self.objectives) > 1 else (*self.objectives, "macs")
        ranked = self.ranked
        return [ranked[place] for place in front([upward(found.figures, aims) for found in ranked])]

    @property
    def summaries(self) -> list[GenerationSummary]:
        """The first objective by generation."""
        (name,) = self.objectives[:1]
        better = max if upward({name: 1.0}, [name]) > (0,) else min
        by_generation: dict[int, list[float]] = {}
        for found in self.evaluations:
            by_generation.setdefault(found.generation, []).append(found.figures[name])
        summaries: list[GenerationSummary] = []
        for generation, figures in sorted(by_generation.items()):
            best = better(figures)
            so_far = better(best, summaries[-1].best_so_far) if summaries else best
            summaries.append(GenerationSummary(generation, so_far, best, statistics.median(figures)))
        return summaries

    def save(self, folder: Path) -> None:
        """Write both files; what is there is replaced."""
        folder.mkdir(parents=True, exist_ok=True)
        values = {"format": FORMAT_VERSION, **asdict(self)}
        values["best"] = list(self.best.path) if self.evaluations else None
        _replace(folder / RESULTS, json.dumps(values, indent=1) + "\n")
        _replace(folder / HISTORY, self._table())

    def _table(self) -> str:
        names = list(self.evaluations[0].figures) if self.evaluations else []
        best = {found.path for found in self.front}
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow(["generation", "place", "architecture", *names, "on_front", "seconds", "worker"])
        for found in self.evaluations:
            figures = [found.figures.get(name) for name in names]
            mark = int(found.path in best)
            words = " ".join(map(str, found.path))
            table.writerow(
                [found.generation, found.place, words, *figures, mark, round(found.seconds, 3), found.worker]
            )
        return text.getvalue()

    @classmethod
    def load(cls, folder: Path) -> SearchResults:
        """Read what a search has written.

        Raises:
            FileNotFoundError: when the folder is none of a search; names those below it.
            ValueError: when the file is damaged.
        """
        path = folder / RESULTS
        if not path.is_file():
            below = list_searches(folder)
            hint = f"; searches below it: {', '.join(map(str, below))}" if below else ""
            raise FileNotFoundError(
                f"{folder} holds no search (no {RESULTS}){hint}; `gaitway nas search RUN` makes one"
            )
        try:
            values = json.loads(path.read_text())
            if values["format"] != FORMAT_VERSION:
                raise ValueError(f"{path}: format {values['format']}, this Gaitway reads {FORMAT_VERSION}")
            found = tuple(Evaluation(**one | {"path": tuple(one["path"])}) for one in values["evaluations"])
            return cls(values["name"], tuple(values["objectives"]), values["terms"], found)
        except (json.JSONDecodeError, KeyError, TypeError) as error:
            raise ValueError(f"{path} is damaged ({error!r}); start the search again, which writes it anew") from error


def list_searches(run: Path) -> list[Path]:
    """The folders of a run's searches."""
    return sorted(path.parent for path in (*run.glob(f"*/{RESULTS}"), *run.glob(f"{SEARCHES}/*/{RESULTS}")))


def _replace(path: Path, text: str) -> None:
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")  # other workers may write at the same time
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def chosen(results: SearchResults, which: str) -> Architecture:
    """An architecture of a search, or any other.

    Args:
        results: Of the search.
        which: `best`, the number of a row of the table of the best (from 1), or the numbers of blocks, such as
            `0,5,5,4` or `[0, 5, 5, 4]`.

    Raises:
        ValueError: when it is none of these, or there is no such row.
    """
    if which == "best":
        return results.best.path
    words = which.strip("[]").replace(",", " ").split()
    if len(words) > 1 and all(word.isdecimal() for word in words):
        return tuple(map(int, words))
    if which.isdecimal() and 1 <= int(which) <= len(results.evaluations):
        return results.ranked[int(which) - 1].path
    raise ValueError(
        f"no architecture {which!r} in search {results.name}; give best, a number from 1 to {len(results.evaluations)} "
        "as `gaitway nas show` prints it, or block numbers such as 0,5,5,4"
    )
