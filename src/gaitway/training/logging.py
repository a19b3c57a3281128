"""What a run writes down while it trains: `metrics.jsonl` and TensorBoard events."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import torch
from lightning_fabric import Fabric
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from gaitway.evaluation import Result
from gaitway.training.devices import averaged

METRICS = "metrics.jsonl"


class Listener(Protocol):
    """Is told how training goes, on the first process."""

    def stepped(self, step: int) -> None:
        """Update number `step` is done."""

    def logged(self, step: int, figures: Mapping[str, float]) -> None:
        """The means since the last time, after update number `step`."""

    def evaluated(self, step: int, results: Sequence[Result]) -> None:
        """What an evaluation after update number `step` found."""


class Window:
    """Means of figures over the steps since the last log line; figures stay on their device until then."""

    def __init__(self) -> None:
        self._begin(waited=0.0)

    def _begin(self, waited: float) -> None:
        self._names: list[str] = []
        self._sums: Tensor | None = None
        self._count = 0
        self._waited = waited
        self._started = time.perf_counter()

    def add(self, figures: Mapping[str, Tensor]) -> None:
        """Take in the figures of a step, scalars on one device; every step has the same names."""
        self._names = list(figures)
        values = torch.stack([figure.float() for figure in figures.values()])
        self._sums = values if self._sums is None else self._sums + values
        self._count += 1

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leave the time of the block out of the steps per second."""
        began = time.perf_counter()
        yield
        self._started += time.perf_counter() - began

    def close(self, fabric: Fabric, *, waited: float) -> dict[str, float]:
        """The means over steps and processes, `steps_per_second` and `data_wait`, and begin again.

        Args:
            fabric: Of the run.
            waited: Seconds that the loop has waited for data so far.
        """
        assert self._sums is not None, "a window without a step has no means"
        means = averaged(fabric, self._sums / self._count)
        seconds = time.perf_counter() - self._started
        figures = dict(zip(self._names, means.tolist(), strict=True))
        speed = {"steps_per_second": self._count / seconds, "data_wait": (waited - self._waited) / seconds}
        self._begin(waited)
        return figures | speed


class RunLog:
    """Writes `metrics.jsonl` and TensorBoard events into a run's folder; a context manager that closes them.

    Args:
        run: The folder.
        step: Updates done so far. What an earlier part of the run logged after it is dropped, since it will be
            logged again.
    """

    def __init__(self, run: Path, step: int) -> None:
        path = run / METRICS
        kept = [line for line in read_metrics(run) if line["step"] <= step]
        partial = path.with_name(path.name + ".partial")
        partial.write_text("".join(json.dumps(line) + "\n" for line in kept))
        partial.replace(path)
        self._metrics = path.open("a", buffering=1)  # a line at a time: a killed run has all lines but the last
        self._events = SummaryWriter(str(run), purge_step=step + 1 if step else None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._metrics.close()
        self._events.close()

    def stepped(self, step: int) -> None:
        """Nothing is written for a single step."""

    def logged(self, step: int, figures: Mapping[str, float]) -> None:
        """Write the figures down."""
        self._write({"step": step, **figures})
        for name, value in figures.items():
            self._events.add_scalar(name, value, step)

    def evaluated(self, step: int, results: Sequence[Result]) -> None:
        """Write each protocol's figures down."""
        for result in results:
            figures = result.figures()
            self._write({"step": step, "evaluation": {"protocol": result.protocol, **figures}})
            for name, value in figures.items():
                self._events.add_scalar(f"{result.protocol}/{name}", value, step)

    def _write(self, line: Mapping[str, object]) -> None:
        self._metrics.write(json.dumps(line) + "\n")


def read_metrics(run: Path) -> list[dict[str, float]]:
    """The lines of a run's `metrics.jsonl`; a last line that a killed run left unfinished is left out."""
    path = run / METRICS
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    return [json.loads(line) for line in lines if line.endswith("\n")]
