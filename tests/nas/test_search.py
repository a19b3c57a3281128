"""Workers on one search."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from gaitway.models.sposgait import Architecture
from gaitway.nas.evolution import EvolutionSettings
from gaitway.nas.search import work
from gaitway.nas.shared_study import SharedStudy, open_storage
from gaitway.nas.strategies import Strategy, generations
from gaitway.nas.terms import JUDGED

CHOICES = (1, 6, 6, 6)
SETTINGS = EvolutionSettings(generations=3, population=8, parents=3, num_mutations=4, num_crossovers=4)


class StoppedError(Exception):
    """A worker that does not want to go on."""


class Worker:
    """One worker; counts what it evaluates, and stops before it evaluates more than `most`."""

    def __init__(
        self, journal: Path, strategy: Strategy = "evolution", *, most: int = 1000, name: str = "first"
    ) -> None:
        self.strategy, self.most = strategy, most
        self.evaluated: list[Architecture] = []
        terms: dict[str, Any] = {section: {} for section in JUDGED} | {"strategy": {"name": strategy}}
        self.study = SharedStudy(
            open_storage(journal), name=name, objectives=("rank-1",), terms=terms, num_choices=CHOICES
        )

    def evaluate(self, path: Architecture, known: dict[str, float]) -> dict[str, float]:
        if known:
            return known
        if len(self.evaluated) == self.most:
            raise StoppedError
        self.evaluated.append(path)
        return {"rank-1": 100.0 - sum((kind - 2.2) ** 2 for kind in path)}

    def run(self, others: Sequence[Worker] = ()) -> list[tuple[Architecture, int, int]]:
        """Work to the end; whenever there is nothing to do, the next of the others gets its turn."""
        values: dict[Architecture, Sequence[float]] = {}
        turns = iter(others)
        work(
            self.study,
            generations(self.strategy, CHOICES, SETTINGS, values),
            values,
            self.evaluate,
            wait=lambda seconds: next(turns).run(),
        )
        return [(found.path, found.generation, found.place) for found in self.study.evaluations]


@pytest.mark.parametrize("strategy", ["evolution", "nsga2", "random"])
def test_any_number_of_workers_stopped_anywhere_come_to_the_same(tmp_path: Path, strategy: Strategy) -> None:
    alone = Worker(tmp_path / "alone.log", strategy)
    expected = alone.run()
    assert len(expected) == len(alone.evaluated) == 32
    workers = []
    for most in (5, 1, 0, 9, 1000):
        worker = Worker(tmp_path / "shared.log", strategy, most=most)
        workers.append(worker)
        if most < 1000:
            with pytest.raises(StoppedError):
                worker.run()
    assert workers[-1].run() == expected
    counts = Counter(path for worker in workers for path in worker.evaluated)
    assert set(counts.values()) == {1}
    assert [len(worker.evaluated) for worker in workers] == [5, 1, 0, 9, 17]


def test_a_worker_waits_for_what_others_evaluate(tmp_path: Path) -> None:
    expected = Worker(tmp_path / "alone.log").run()
    journal = tmp_path / "shared.log"
    slow, fast = Worker(journal), Worker(journal)
    slow.study.worker = "elsewhere 1"
    first = next(iter(generations("evolution", CHOICES, SETTINGS, {})))
    claim = slow.study.claim(first.paths, 0, {path: place for place, path in enumerate(first.paths)})
    assert claim is not None

    class Finishing(Worker):
        def run(self, others: Sequence[Worker] = ()) -> list[tuple[Architecture, int, int]]:
            assert claim is not None
            slow.study.complete(claim, slow.evaluate(claim.path, {}), 1.0)
            return [(claim.path, 0, 0)]

    assert fast.run([Finishing(journal)]) == expected
    assert (len(slow.evaluated), len(fast.evaluated)) == (1, 31)


def test_another_search_remembers(tmp_path: Path) -> None:
    first, second = Worker(tmp_path / "journal.log"), Worker(tmp_path / "journal.log", name="again")
    expected = first.run()
    again = Worker(tmp_path / "journal.log", name="later")
    assert again.run() == expected
    assert again.evaluated == []
    assert {found.seconds for found in again.study.evaluations} == {0.0}
    assert second.run() == expected  # it was there before there was anything to remember
    assert len(second.evaluated) == 32


def test_an_error_leaves_the_path_to_others(tmp_path: Path) -> None:
    failing = Worker(tmp_path / "journal.log", most=0)
    with pytest.raises(StoppedError):
        failing.run()
    states = [trial.state.name for trial in failing.study.storage.get_all_trials(failing.study.study)]
    assert states == ["FAIL"]
