"""Adding a modality to a store that exists: a new store with one index and both."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy.typing as npt

from gaitway.data.datasets.preparing import Prepared
from gaitway.data.datasets.sources import SequenceKey
from gaitway.data.store import INDEX, FrameFormat, LeftOut, Store
from gaitway.data.store_writer import StoreWriter

UNEQUAL = "unequal numbers of frames"


class Joined:
    """The sequences of a store, waiting for another modality.

    Args:
        path: The store.
        dataset: Name of the data set that is added.
        modality: What is added.

    Raises:
        ValueError: when the store is of another data set, has the modality already, or is damaged.
    """

    def __init__(self, path: str | Path, *, dataset: str, modality: str) -> None:
        self.store, self.modality = Store(path), modality
        manifest = self.store.manifest
        if manifest.dataset != dataset:
            raise ValueError(
                f"{path} is of {manifest.dataset}, the {modality} are of {dataset}; give the store of {dataset}, or "
                "the name of the data set by --dataset"
            )
        if modality in manifest.modalities:
            raise ValueError(f"{path} has {modality} already; give a store without, or do without --with")
        for name in manifest.modalities:
            self.store.verify(name)  # its frames get new checksums
        self._rows = {info.name: row for row, info in enumerate(self.store.index)}
        self._left_out: dict[str, list[LeftOut]] = defaultdict(list)
        self._title = " and ".join(manifest.modalities)
        for name, missing in self.store.left_out:
            self._left_out[name].append(replace(missing, reason=f"{missing.reason} ({self._title})"))

    @property
    def formats(self) -> Mapping[str, FrameFormat]:
        """What the frames of the store are."""
        return self.store.manifest.modalities

    @property
    def made(self) -> dict[str, Any]:
        """Which store it is, for the manifest."""
        return {
            "store": str(self.store.path.resolve()),
            "index": self.store.manifest.checksums[INDEX],
            "made": dict(self.store.manifest.made),
        }

    def names_in_store(self, keys: Iterable[SequenceKey]) -> dict[SequenceKey, SequenceKey]:
        """The names that the store gives to sequences which are called otherwise: same subject and view.

        The gallery of GREW is numbered by what is there; where poses are missing, the numbers would differ.
        """
        known: dict[tuple[str, str], list[SequenceKey]] = defaultdict(list)
        for info in self.store.index:
            known[info.subject, info.view].append((info.subject, info.condition, info.view))
        names = {}
        for key in keys:
            candidates = known.get((key[0], key[2]), [])
            names[key] = candidates[0] if len(candidates) == 1 else key
        return names

    def complete(self, sequence: Prepared) -> None:
        """Add the store's frames to a sequence; list it when they are lacking, or are more or fewer."""
        row = self._rows.get(sequence.name)
        from_store = self._left_out.get(sequence.name, [])
        if row is None:
            if sequence.frames:
                missing = LeftOut(self._title, "no such sequence in the store")
                sequence.left_out += [*_of(self._title, from_store), missing]
            else:
                sequence.left_out += from_store
            return
        if not sequence.frames:
            sequence.left_out = _of(self.modality, sequence.left_out)
            sequence.damage = _of(self.modality, sequence.damage)
            if not any(missing.what == self.modality for missing in sequence.left_out + sequence.damage):
                sequence.left_out.append(LeftOut(self.modality, "no frame left"))
        frames = self._frames(row) | sequence.frames
        counts = {name: len(array) for name, array in frames.items()}
        if len(set(counts.values())) > 1:
            found = ", ".join(f"{count} {name}" for name, count in counts.items())
            sequence.left_out.append(LeftOut("lengths", UNEQUAL, detail=f"{found}: frame by frame they don't match"))
        sequence.left_out += from_store
        sequence.frames = frames

    def add_rest(self, writer: StoreWriter) -> None:
        """Add the sequences of which there is nothing to be added, and what else the store says was left out."""
        missing = LeftOut(self.modality, "no such sequence in the raw data")
        for name, row in self._rows.items():
            if name not in writer:
                info = self.store.index[row]
                left_out = [*self._left_out.get(name, []), missing]
                writer.add(info.subject, info.condition, info.view, self._frames(row), left_out)
        for name, left_out in self._left_out.items():
            if name not in writer:
                subject, *condition, view = name.split("-")
                writer.add(subject, "-".join(condition), view, {}, left_out)

    def _frames(self, row: int) -> dict[str, npt.NDArray[Any]]:
        """Those of the modalities that the sequence has."""
        return {name: self.store.frames(name, row) for name in self.store.index[row].num_frames}


def _of(modality: str, left_out: Sequence[LeftOut]) -> list[LeftOut]:
    """What would be left out as a sequence is left out as this modality of a sequence that stays."""
    return [replace(missing, what=modality) if missing.what == "sequence" else missing for missing in left_out]
