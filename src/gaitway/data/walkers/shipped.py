"""The set of walkers that ships with the library, and where it is unpacked."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from gaitway.data.store import Store, file_checksum
from gaitway.data.walkers.packed import unpack

SHIPPED = Path(__file__).with_name("walkers-v1.npz.xz")
"""48 identities of 110 sequences, packed; subjects 001 to 030 train, 031 to 048 test (partition `walkers`)."""


def load() -> Store:
    """Open the walkers that ship with Gaitway: 48 identities, silhouettes and poses.

    The first time they're unpacked into the user's cache (`$GAITWAY_CACHE`, else `$XDG_CACHE_HOME/gaitway`, else
    `~/.cache/gaitway`), which takes a few seconds. A damaged or outdated cache is made anew.

    Raises:
        OSError: when the cache can't be written.
    """
    cache = _cache_folder()
    folder = cache / f"walkers-v1-{file_checksum(SHIPPED)[:12]}"  # another release's set is another folder
    try:
        return _whole(folder)
    except (FileNotFoundError, ValueError):
        pass
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix="walkers-") as scratch:
        fresh = unpack(SHIPPED, Path(scratch) / "store").path
        try:
            fresh.rename(folder)
        except OSError:  # there is one already
            with suppress(FileNotFoundError, ValueError):
                return _whole(folder)  # another process was faster
            folder.rename(Path(scratch) / "damaged")
            fresh.rename(folder)
    return Store(folder)


def _whole(folder: Path) -> Store:
    store = Store(folder)
    for modality in store.manifest.modalities:
        store.verify(modality)
    return store


def _cache_folder() -> Path:
    if chosen := os.environ.get("GAITWAY_CACHE"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gaitway"
