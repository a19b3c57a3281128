"""A progress bar with the time left, for commands that take longer than a few seconds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress_bar(description: str, unit: str, *, visible: bool = True) -> Iterator[Callable[[int, int], None]]:
    """Show a bar on the terminal's error stream while the block runs.

    Args:
        description: What is going on.
        unit: What is counted, in the plural.
        visible: False shows nothing, for processes other than the first.

    Returns:
        A function to be called with how many pieces are done and how many there are.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f} of {task.total:,.0f} " + unit),
        TimeRemainingColumn(),
        TextColumn("left"),
    )
    with Progress(*columns, console=Console(stderr=True), disable=not visible) as bar:
        task = bar.add_task(description, total=0)

        def show(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield show
