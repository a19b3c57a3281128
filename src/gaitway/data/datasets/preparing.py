"""What the preparation of all data sets shares: work on many cores, results in order, damage reported."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import cv2
import numpy.typing as npt

from gaitway.data.store import LeftOut
from gaitway.data.store_writer import StoreWriter

Item = TypeVar("Item")
Result = TypeVar("Result")
Progress = Callable[[int, int], None]
"""Called with how many pieces of work are done and how many there are."""

DAMAGED, NO_FILES = "damaged", "no files in the folder"


@dataclass(slots=True)
class Prepared:
    """A sequence as it goes into the store.

    `left_out` is what the rules of the data set drop; `damage` are the files that can't be used, each with what is
    wrong with it as its detail. Without any frames the whole sequence is left out.
    """

    subject: str
    condition: str
    view: str
    frames: dict[str, npt.NDArray[Any]] = field(default_factory=dict)
    left_out: list[LeftOut] = field(default_factory=list)
    damage: list[LeftOut] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The sequence's name in partitions and protocols."""
        return f"{self.subject}-{self.condition}-{self.view}"


def write(sequence: Prepared, writer: StoreWriter, *, skip_bad: bool) -> None:
    """Add a sequence to a store.

    Raises:
        ValueError: when a file of it is damaged, unless `skip_bad`; the damage is then listed with what is left out.
    """
    if sequence.damage and not skip_bad:
        raise ValueError(
            f"{sequence.damage[0].detail}. The {len(writer)} sequences before it are kept: mend the file and run the "
            "same command again to go on from here, or add --skip-bad to leave out what is damaged"
        )
    left_out = sequence.left_out + sequence.damage
    if not sequence.frames and not any(missing.what == "sequence" for missing in left_out):
        left_out.append(LeftOut("sequence", "no frame left"))
    writer.add(sequence.subject, sequence.condition, sequence.view, sequence.frames, left_out)


def num_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_order(
    executor: Executor, function: Callable[[Item], Result], items: Iterable[Item], window: int
) -> Generator[Result, None, None]:
    """`map(function, items)` on the executor, in order, with at most `window` results held in memory.

    The executor is shut down at the end. Raises OSError when a worker process ends unexpectedly.
    """
    pending: deque[Future[Result]] = deque()
    try:
        for item in items:
            with _sigint_held_back():
                pending.append(executor.submit(function, item))
            if len(pending) >= window:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    except BrokenProcessPool as error:
        raise OSError(
            "a worker process was ended from outside, perhaps because memory ran out; "
            "run the same command again to go on, with fewer --processes"
        ) from error
    finally:
        executor.shutdown(cancel_futures=True)


def process_pool(num_processes: int) -> Executor:
    """Worker processes that end when this process ends, however it ends."""
    # spawned, not forked: a fork of a process with threads (a progress bar) may hang
    return ProcessPoolExecutor(num_processes, multiprocessing.get_context("spawn"), initializer=_begin)


@contextmanager
def _sigint_held_back() -> Iterator[None]:
    """Processes that are started in here never see Ctrl-C: it is this process that ends them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin() -> None:
    cv2.setNumThreads(1)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
