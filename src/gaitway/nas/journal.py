"""Optuna's journal file, which a worker that is killed while it writes does not spoil."""

from __future__ import annotations

import os
from pathlib import Path

from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock

GRACE = 10
"""Seconds after which the lock of a worker that was killed while it wrote is broken; writing takes milliseconds."""


class MendingLock(JournalFileSymlinkLock):
    """The lock of whoever writes; takes away the beginning of a line that another left when it was killed.

    Args:
        path: The journal.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), GRACE)
        self._path = path

    def acquire(self) -> bool:
        """Wait for the lock, and mend the end of the file."""
        acquired = super().acquire()
        with self._path.open("r+b") as file:
            if (end := file.seek(0, os.SEEK_END)) and _byte(file.fileno(), end - 1) != b"\n":
                while end and _byte(file.fileno(), end - 1) != b"\n":
                    end -= 1
                file.truncate(end)
        return acquired


def _byte(file: int, place: int) -> bytes:
    return os.pread(file, 1, place)


def open_journal(path: Path) -> JournalStorage:
    """A storage in a journal file, made if need be.

    Raises:
        ValueError: when the file is something else.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        return JournalStorage(JournalFileBackend(str(path), MendingLock(path)))
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is no journal of a search, or damaged ({error!r}); name another file") from error
