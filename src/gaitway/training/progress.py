"""How training goes, on the terminal: a bar where there is one, else a line per log step."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import timedelta
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from gaitway.evaluation import Result


class Display:
    """Shows loss, active-triplet share, steps per second, the share of time waiting for data and the time left.

    Use as a context manager.

    Args:
        console: Where to.
        step: Updates done so far.
        steps: Updates of the whole run.
    """

    def __init__(self, console: Console, *, step: int, steps: int) -> None:
        self._console, self._steps = console, steps
        self._bar = Progress(
            TextColumn("training"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("{task.fields[figures]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("training", total=steps, completed=step, figures="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bar.stop()

    def stepped(self, step: int) -> None:
        """Move the bar."""
        self._bar.update(self._task, completed=step)

    def logged(self, step: int, figures: Mapping[str, float]) -> None:
        """Show the figures."""
        text = in_words(figures)
        self._bar.update(self._task, figures=text)
        if not self._console.is_terminal:
            left = timedelta(seconds=math.ceil((self._steps - step) / figures["steps_per_second"]))
            self._console.print(f"step {step}/{self._steps}  {text}  {left} left", soft_wrap=True)

    def evaluated(self, step: int, results: Sequence[Result]) -> None:
        """Print rank-1 of each probe set."""
        for result in results:
            rank1 = "  ".join(f"{name} {found.ranks[1]:.1f}" for name, found in result.sets.items())
            self._console.print(f"step {step}: rank-1 in %, protocol {result.protocol}: {rank1}", soft_wrap=True)


def in_words(figures: Mapping[str, float]) -> str:
    """The figures of a log step in a line."""
    active = [value for name, value in figures.items() if name.endswith("/active")]
    parts = [f"loss {figures['loss']:.4f}"]
    if active:
        parts.append(f"active {sum(active) / len(active):.1%}")
    parts += [f"{figures['steps_per_second']:.2f} steps/s", f"waiting for data {figures['data_wait']:.1%}"]
    return "  ".join(parts)
