"""The record of a search that any number of workers share: an Optuna study, in a journal file or in PostgreSQL.

A trial of the study is a path. A worker claims one by adding a running trial, and completes it with figures. Storages
number trials in the order in which they come, so of two claims to the same path the earlier one holds. Workers count
their heartbeats in the study; the claims of one that is gone are void, and others take the path.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gaitway.models.sposgait import Architecture
from gaitway.nas.extra import import_optuna
from gaitway.nas.objectives import OBJECTIVES
from gaitway.nas.results import Evaluation
from gaitway.nas.terms import JUDGED, check_terms, digest

HEARTBEAT = 15.0
"""Seconds between two heartbeats."""
SILENCE = 90.0
"""Seconds without a heartbeat after which a worker is taken to be gone; one of this machine is missed at once."""
OPENING = 10
"""Attempts to open a database, a second apart."""
TERMS, EVALUATED_AS, BEAT = "terms", "evaluated as", "heartbeat of "


def open_storage(place: str | Path) -> Any:
    """An Optuna storage.

    Args:
        place: A journal file, made if need be, or the URL of a database, `postgresql://…`.

    Raises:
        ValueError: when it can't be opened.
    """
    optuna = import_optuna()
    if "://" not in str(place):
        from gaitway.nas.journal import open_journal

        return open_journal(Path(place))
    if not str(place).startswith("postgresql"):
        raise ValueError(
            f"a search cannot be kept in {str(place).partition(':')[0]}; give a journal file, or a PostgreSQL database "
            "by postgresql://user@host/database (SQLite fails when several workers start at once)"
        )
    import sqlalchemy

    shown = sqlalchemy.engine.make_url(str(place)).render_as_string(hide_password=True)
    attempts = OPENING
    while True:
        attempts -= 1
        try:
            return optuna.storages.RDBStorage(str(place))
        except ImportError as error:
            raise ValueError(
                f"{shown}: no driver for PostgreSQL is installed ({error}); pip install 'psycopg[binary]' and write "
                "postgresql+psycopg://…"
            ) from error
        except sqlalchemy.exc.SQLAlchemyError as error:
            # workers that start at once all make the tables of a new database, and one of them succeeds
            made_twice = isinstance(error, (sqlalchemy.exc.IntegrityError, sqlalchemy.exc.ProgrammingError))
            if not made_twice or not attempts:
                reason = str(error).partition("\n")[0]
                raise ValueError(f"{shown} cannot be opened: {reason}") from error
            time.sleep(1)


@dataclass(frozen=True)
class Claim:
    """A path that this worker evaluates, and the trial that says so."""

    path: Architecture
    trial: int


class SharedStudy:
    """A search's study.

    Args:
        storage: From `open_storage`.
        name: Of the study; made if there is none of this name.
        objectives: What it aims for.
        terms: What makes it this search and no other; from `search_terms`.
        num_choices: Blocks to choose from in every layer.

    Attributes:
        figures: Of all paths that are complete, by path.
        remembered: Figures that other searches of the storage found under the same terms.

    Raises:
        ValueError: when there is another search of this name; says in what it differs.
    """

    def __init__(
        self,
        storage: Any,
        *,
        name: str,
        objectives: Sequence[str],
        terms: Mapping[str, Any],
        num_choices: Sequence[int],
    ) -> None:
        self._optuna = import_optuna()
        self.storage, self.name, self.objectives = storage, name, tuple(objectives)
        self.terms = dict(terms)
        self.worker, here = worker_name()
        self._names = [f"layer {place}" for place in range(len(num_choices))]
        categorical = self._optuna.distributions.CategoricalDistribution
        self._kinds = {layer: categorical(range(count)) for layer, count in zip(self._names, num_choices, strict=True)}
        self._presence = Presence(here)
        self._states = self._optuna.trial.TrialState
        self.figures: dict[Architecture, dict[str, float]] = {}
        self.evaluations: list[Evaluation] = []
        directions = self._optuna.study.StudyDirection
        aims = [directions.MAXIMIZE if OBJECTIVES[aim] > 0 else directions.MINIMIZE for aim in self.objectives]
        if name not in {study.study_name for study in storage.get_all_studies()}:
            with suppress(self._optuna.exceptions.DuplicatedStudyError):  # of another worker, in this very moment
                storage.create_new_study(aims, name)
        self.study: int = storage.get_study_id_from_name(name)
        kept = storage.get_study_user_attrs(self.study).get(TERMS)
        if kept is None:
            evaluated_as = digest({section: self.terms[section] for section in JUDGED})
            storage.set_study_user_attr(self.study, EVALUATED_AS, evaluated_as)
            storage.set_study_user_attr(self.study, TERMS, self.terms)
            kept = self.terms
        check_terms(kept, self.terms, name)
        self.remembered = self._from_other_searches()
        self.refresh()

    def _from_other_searches(self) -> dict[Architecture, dict[str, float]]:
        key = self.storage.get_study_user_attrs(self.study).get(EVALUATED_AS)
        others = [
            self.storage.get_study_id_from_name(study.study_name)
            for study in self.storage.get_all_studies()
            if study.study_name != self.name and study.user_attrs.get(EVALUATED_AS) == key
        ]
        return {
            self._path(trial): dict(trial.user_attrs["figures"])
            for other in others
            for trial in self.storage.get_all_trials(other, states=(self._states.COMPLETE,))
        }

    def refresh(self) -> None:
        """Take over what has been completed since."""
        complete = self.storage.get_all_trials(self.study, deepcopy=False, states=(self._states.COMPLETE,))
        found = [self._evaluation(trial) for trial in complete]
        self.evaluations = sorted(found, key=lambda one: (one.generation, one.place))
        self.figures.update((one.path, dict(one.figures)) for one in found)

    def claim(
        self, wanted: Sequence[Architecture], generation: int, places: Mapping[Architecture, int]
    ) -> Claim | None:
        """Claim the first of these paths that is free.

        Args:
            wanted: Paths that are not complete, most urgent first.
            generation: For the record.
            places: Of the paths in it, for the record.

        Returns:
            The claim; None when others are evaluating all of them.
        """
        taken = set(self._holders())
        for path in wanted:
            if path in taken:
                continue
            attributes = {"generation": generation, "place": places[path], "worker": self.worker}
            claim = Claim(path, self._add_running(path, attributes))
            if self._holders().get(path) == claim.trial:
                return claim
            self.release(claim)
        return None

    def complete(self, claim: Claim, figures: Mapping[str, float], seconds: float) -> None:
        """Record the figures of a path."""
        finished = self._optuna.exceptions.UpdateFinishedTrialError
        with suppress(finished):  # others took this worker to be gone; they find the same figures
            self.storage.set_trial_user_attr(claim.trial, "seconds", seconds)
            self.storage.set_trial_user_attr(claim.trial, "figures", dict(figures))
            values = [figures[name] for name in self.objectives]
            self.storage.set_trial_state_values(claim.trial, self._states.COMPLETE, values)

    def release(self, claim: Claim) -> None:
        """Leave a path to others."""
        with suppress(self._optuna.exceptions.UpdateFinishedTrialError):
            self.storage.set_trial_state_values(claim.trial, self._states.FAIL)

    @contextmanager
    def present(self) -> Iterator[None]:
        """Be seen by the other workers while the block runs."""
        stop = threading.Event()

        def beat() -> None:
            count = 0
            while not stop.wait(HEARTBEAT if count else 0):
                count += 1
                self.storage.set_study_user_attr(self.study, BEAT + self.worker, count)

        thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def _add_running(self, path: Architecture, attributes: Mapping[str, Any]) -> int:
        template = self._optuna.trial.create_trial(
            state=self._states.RUNNING,
            params=dict(zip(self._names, path, strict=True)),
            distributions=self._kinds,
            user_attrs=dict(attributes),
        )
        return int(self.storage.create_new_trial(self.study, template))

    def _holders(self) -> dict[Architecture, int | None]:
        """The trial that holds each path, None where it is complete; the claims of workers that are gone are ended."""
        attributes = self.storage.get_study_user_attrs(self.study)
        holders: dict[Architecture, int | None] = {}
        for trial in self.storage.get_all_trials(self.study, deepcopy=False):  # in the order of their numbers
            path = self._path(trial)
            if trial.state == self._states.COMPLETE:
                holders[path] = None
            elif trial.state == self._states.RUNNING:
                worker = trial.user_attrs["worker"]
                claim = Claim(path, self.storage.get_trial_id_from_study_id_trial_number(self.study, trial.number))
                if worker == self.worker or self._presence.sees(worker, attributes.get(BEAT + worker)):
                    holders.setdefault(path, claim.trial)
                else:
                    self.release(claim)
        return holders

    def _path(self, trial: Any) -> Architecture:
        return tuple(int(trial.params[name]) for name in self._names)

    def _evaluation(self, trial: Any) -> Evaluation:
        noted = trial.user_attrs
        figures = dict(noted["figures"])
        return Evaluation(
            self._path(trial), noted["generation"], noted["place"], figures, noted["seconds"], noted["worker"]
        )


class Presence:
    """Which workers are at work, as seen from this one.

    Args:
        here: This machine, as `worker_name` has it.
        clock: Seconds that go on, whatever the date does; clocks of several machines are never compared.
    """

    def __init__(self, here: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._here, self._clock = here, clock
        self._last: dict[str, tuple[int | None, float]] = {}  # heartbeats, and when they were seen to grow

    def sees(self, worker: str, beats: int | None) -> bool:
        """Whether a worker is at work, given how many heartbeats of it there are."""
        machine, process = worker.rsplit(" ", 1)
        if machine == self._here and not _is_running(int(process)):
            return False
        now = self._clock()
        if worker not in self._last or self._last[worker][0] != beats:
            self._last[worker] = beats, now
        return now - self._last[worker][1] < SILENCE


def worker_name() -> tuple[str, str]:
    """This process among all workers, `machine process`, and the machine alone, one since it was started."""
    machine = socket.gethostname()
    boot, namespace = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")
    if boot.exists() and namespace.exists():  # containers may share a name, and count processes each for themselves
        machine += " " + digest([boot.read_text(), os.readlink(namespace)])[:8]
    return f"{machine} {os.getpid()}", machine


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)  # sends nothing
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
