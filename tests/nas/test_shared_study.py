"""A study that workers share: claims, heartbeats, what is remembered, what is refused."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest
import sqlalchemy

from gaitway.models.sposgait import Architecture
from gaitway.nas import shared_study
from gaitway.nas.shared_study import Presence, SharedStudy, open_storage, worker_name
from gaitway.nas.terms import JUDGED

CHOICES = (1, 6, 6)
FIGURES = {"rank-1": 50.0, "macs": 7}
PATHS: list[Architecture] = [(0, 1, 2), (0, 3, 4), (0, 5, 5)]
PLACES: dict[Architecture, int] = {path: place for place, path in enumerate(PATHS)}


@pytest.fixture(params=["journal", "database"])
def storages(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Any, Any]]:
    """A storage as two workers see it; SQLite stands for a database server."""
    if request.param == "journal":
        yield open_storage(tmp_path / "journal.log"), open_storage(tmp_path / "journal.log")
        return
    both = [optuna.storages.RDBStorage(f"sqlite:///{tmp_path}/study.db") for _ in range(2)]
    yield both[0], both[1]
    for storage in both:
        storage.remove_session()
        storage.engine.dispose()


def joined(storage: Any, worker: str | None = None, *, name: str = "run/first", other: str = "") -> SharedStudy:
    """A study as a worker sees it: this process, or one on another machine; the section `other` is as nowhere else."""
    terms = {section: {"is": section} for section in (*JUDGED, "aim", "strategy")}
    if other:
        terms[other] = {"is": "other"}
    study = SharedStudy(storage, name=name, objectives=("rank-1", "macs"), terms=terms, num_choices=CHOICES)
    if worker is not None:
        study.worker = worker
    return study


def test_two_workers_never_have_the_same_path(storages: tuple[Any, Any]) -> None:
    first, second = joined(storages[0]), joined(storages[1], "elsewhere 1")
    claims = [study.claim(PATHS, 0, PLACES) for study in (first, second, first, second)]
    assert [claim and claim.path for claim in claims] == [*PATHS, None]
    assert claims[0] is not None
    first.complete(claims[0], FIGURES, 1.0)
    assert second.claim(PATHS, 0, PLACES) is None
    second.refresh()
    assert second.figures == {PATHS[0]: FIGURES}
    (found,) = second.evaluations
    assert (found.worker, found.seconds, found.generation, found.place) == (first.worker, 1.0, 0, 0)


def test_workers_that_claim_at_the_same_time(tmp_path: Path) -> None:
    studies = [joined(open_storage(tmp_path / "journal.log"), f"elsewhere {i}") for i in range(4)]
    start = threading.Barrier(4)
    got: list[Any] = [None] * 4

    def claim(i: int) -> None:
        start.wait()
        got[i] = studies[i].claim(PATHS[:1], 0, PLACES)

    threads = [threading.Thread(target=claim, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(claim is not None for claim in got) == 1


def test_a_path_that_is_released_is_free(storages: tuple[Any, Any]) -> None:
    first, second = joined(storages[0]), joined(storages[1], "elsewhere 1")
    claim = first.claim(PATHS[:1], 0, PLACES)
    assert claim is not None
    assert second.claim(PATHS[:1], 0, PLACES) is None
    first.release(claim)
    assert second.claim(PATHS[:1], 0, PLACES) is not None


def test_the_path_of_a_process_that_ended_is_taken_over(storages: tuple[Any, Any]) -> None:
    gone = f"{worker_name()[1]} {2**22 + 1}"  # beyond the largest process number of Linux
    claim = joined(storages[0], gone).claim(PATHS[:1], 0, PLACES)
    other = joined(storages[1])
    taken = other.claim(PATHS[:1], 0, PLACES)
    assert claim is not None
    assert taken is not None
    # the first was not gone after all: what it says comes too late, and does no harm
    joined(storages[0], gone).complete(claim, FIGURES | {"rank-1": 1.0}, 1.0)
    other.complete(taken, FIGURES, 1.0)
    other.refresh()
    assert other.figures == {PATHS[0]: FIGURES}


def test_a_worker_elsewhere_is_missed_after_a_silence() -> None:
    now = 0.0
    presence = Presence("here", clock=lambda: now)
    assert presence.sees("elsewhere 1", 5)
    now = shared_study.SILENCE - 1
    assert presence.sees("elsewhere 1", 6)
    now += shared_study.SILENCE - 1
    assert presence.sees("elsewhere 1", 6)
    now += 2
    assert not presence.sees("elsewhere 1", 6)
    assert presence.sees("elsewhere 1", 7)
    assert presence.sees(f"here {1}", 1)  # the first process of a machine is always there
    assert not presence.sees(f"here {2**22 + 1}", 1)


def test_heartbeats(storages: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_study, "HEARTBEAT", 0.05)
    first, second = joined(storages[0]), joined(storages[1])
    with first.present():
        threading.Event().wait(0.5)
    beats = second.storage.get_study_user_attrs(second.study)[shared_study.BEAT + first.worker]
    assert 2 <= beats <= 11


def test_searches_with_the_same_judging_share_figures(storages: tuple[Any, Any]) -> None:
    first = joined(storages[0])
    claim = first.claim(PATHS, 0, PLACES)
    assert claim is not None
    first.complete(claim, FIGURES, 1.0)
    other = joined(storages[1], name="run/second", other="strategy")
    assert (other.remembered, other.figures) == ({PATHS[0]: FIGURES}, {})
    assert joined(storages[1], name="run/third", other="supernet").remembered == {}


@pytest.mark.parametrize("section", [*JUDGED, "aim", "strategy"])
def test_another_search_of_the_same_name(section: str, tmp_path: Path) -> None:
    storage = open_storage(tmp_path / "journal.log")
    joined(storage)
    with pytest.raises(ValueError, match=rf"run/first differs in its {section}: it was begun with is {section}, asked"):
        joined(storage, other=section)


def test_a_line_that_was_not_finished_is_mended(tmp_path: Path) -> None:
    path = tmp_path / "journal.log"
    study = joined(open_storage(path))
    claim = study.claim(PATHS, 0, PLACES)
    assert claim is not None
    study.complete(claim, FIGURES, 1.0)
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"op_code":6,"worker_id":"gone')  # killed while it wrote
    other = joined(open_storage(path), "elsewhere 1")
    assert other.figures == {PATHS[0]: FIGURES}
    assert other.claim(PATHS, 0, PLACES) is not None
    assert path.read_bytes().startswith(whole)
    assert joined(open_storage(path)).figures == {PATHS[0]: FIGURES}


def test_places_that_are_no_storage(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("my notes\nof today\n")
    with pytest.raises(ValueError, match=r"notes\.txt is no journal of a search"):
        open_storage(tmp_path / "notes.txt")
    with pytest.raises(ValueError, match=r"cannot be kept in sqlite; give a journal file"):
        open_storage("sqlite:///study.db")


URL = "postgresql://me:secret@nowhere/searches"


def test_tables_that_another_worker_makes_at_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    attempts = []

    def storage(url: str) -> str:
        attempts.append(url)
        if len(attempts) == 1:
            raise sqlalchemy.exc.IntegrityError("CREATE TABLE", None, Exception("already exists"))
        return "opened"

    monkeypatch.setattr(optuna.storages, "RDBStorage", storage)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    assert open_storage(URL) == "opened"
    assert attempts == [URL, URL]


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ImportError("no psycopg2"), r"no driver for PostgreSQL is installed \(no psycopg2\); pip install"),
        (sqlalchemy.exc.InterfaceError("", None, Exception("no route")), r"cannot be opened: .*no route"),
        (sqlalchemy.exc.ProgrammingError("", None, Exception("denied")), r"cannot be opened: .*denied"),
    ],
)
def test_databases_that_cannot_be_opened(error: Exception, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def storage(url: str) -> None:
        raise error

    monkeypatch.setattr(optuna.storages, "RDBStorage", storage)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    with pytest.raises(ValueError, match=message) as caught:
        open_storage(URL)
    assert "secret" not in str(caught.value)


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ValueError, match=r"pip install 'gaitway\[nas\]'"):
        open_storage(tmp_path / "journal.log")
