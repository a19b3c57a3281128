"""Prepared data sets, and batches from them."""

from __future__ import annotations

from pathlib import Path

from gaitway.data.store import Store


def open_store(name: str | Path) -> Store:
    """Open a prepared data set.

    Args:
        name: A store's folder, or `walkers` for the data set that ships with Gaitway.

    Raises:
        FileNotFoundError: when there is no such store.
        ValueError: when it is damaged.
    """
    if str(name) == "walkers" and not Path(name).exists():
        from gaitway.data import walkers

        return walkers.load()
    return Store(name)


__all__ = ["Store", "open_store"]
