"""Writing a store: appended sequence by sequence, resumable, and given its name only when it is whole."""

from __future__ import annotations

import csv
import errno
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import numpy.typing as npt

from gaitway.data.store import (
    INDEX,
    LEFT_OUT,
    MANIFEST,
    FrameFormat,
    LeftOut,
    Manifest,
    file_checksum,
    partial_path,
)

JOURNAL, SETTINGS = "journal.jsonl", "settings.json"


class StoreWriter:
    """Writes a store into `OUT.partial` and renames it to OUT at the end.

    Use as a context manager and add sequences in the order that the index shall have. When the block is left by an
    exception, what is written so far stays in `OUT.partial`: a writer with the same settings goes on from there, and
    `name in writer` tells which sequences are done already. The result is the same, byte for byte, as without the
    interruption.

    Args:
        out: The store's folder; must not exist.
        dataset: Name of the data set, e.g. `casia-b`.
        modalities: What the frames of each modality are.
        made: How it is made (command, options), kept in the manifest; part of the settings that a resumed run
            must share.

    Raises:
        FileExistsError: when `out` exists.
        ValueError: when an unfinished store of other settings is in the way.
        OSError: when the disk is full; the message says how to go on.
    """

    def __init__(
        self, out: str | Path, *, dataset: str, modalities: Mapping[str, FrameFormat], made: Mapping[str, Any]
    ) -> None:
        self.out, self.dataset, self.modalities, self.made = Path(out), dataset, dict(modalities), dict(made)
        if self.out.exists():
            raise FileExistsError(f"{self.out} exists already; choose another name or remove it")
        self.partial = partial_path(self.out)
        self._entries: dict[str, dict[str, Any]] = {}
        self._num_frames = dict.fromkeys(self.modalities, 0)
        self._open_files = ExitStack()

    def __enter__(self) -> Self:
        try:
            self.partial.mkdir(parents=True, exist_ok=True)
            self._check_settings()
            self._read_journal()
            self._files: dict[str, IO[bytes]] = {}
            for name, fmt in self.modalities.items():
                self._files[name] = self._open_files.enter_context((self.partial / f"{name}.bin").open("ab"))
                self._files[name].truncate(self._num_frames[name] * fmt.bytes_per_frame)  # what no journal line has
            self._journal = self._open_files.enter_context((self.partial / JOURNAL).open("a", encoding="utf-8"))
        except OSError as failure:
            self._open_files.close()
            raise self._explained(failure) from failure
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self._open_files.close()
            if kind is None:
                self._finish()
        except OSError as failure:
            raise self._explained(failure) from failure

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def add(
        self,
        subject: str,
        condition: str,
        view: str,
        frames: Mapping[str, npt.NDArray[Any]],
        left_out: Sequence[LeftOut] = (),
    ) -> None:
        """Append a sequence.

        Args:
            subject: Name of the subject.
            condition: Name of the condition, e.g. `nm-01`.
            view: Name of the view, e.g. `090`.
            frames: Per modality the frames `(t, *shape)`; without any frame the sequence is not in the index.
            left_out: What is missing from the sequence, and why.

        Raises:
            ValueError: when the sequence was added before or a frame has another shape than the modality.
            OSError: when the disk is full.
        """
        name = f"{subject}-{condition}-{view}"
        if name in self._entries:
            raise ValueError(f"sequence {name} comes twice; each subject-condition-view may occur once")
        for modality, array in frames.items():
            if array.shape[1:] != self.modalities[modality].shape:
                raise ValueError(
                    f"sequence {name}: {modality} frames are {array.shape[1:]}, "
                    f"expected {self.modalities[modality].shape}; a store holds frames of one shape"
                )
        entry: dict[str, Any] = {"subject": subject, "condition": condition, "view": view}
        entry["left_out"] = [asdict(missing) for missing in left_out]
        try:
            for modality, array in frames.items():
                self._files[modality].write(self.modalities[modality].pack(array).tobytes())
                self._files[modality].flush()
                entry[modality] = len(array)
            self._journal.write(json.dumps(entry) + "\n")
            self._journal.flush()
        except OSError as failure:
            raise self._explained(failure) from failure
        self._remember(entry)

    def leave_out(self, subject: str, condition: str, view: str, reason: str, detail: str = "") -> None:
        """Record that a whole sequence is not in the store, and why."""
        self.add(subject, condition, view, {}, [LeftOut("sequence", reason, 1, detail)])

    def _check_settings(self) -> None:
        """Write the settings into a new partial store; compare them with those of one that was begun."""
        settings = {
            "data set": self.dataset,
            **{f"{name} frames": str(fmt) for name, fmt in self.modalities.items()},
            **{f"made: {key}": value for key, value in self.made.items()},
            "gaitway": version("gaitway"),
        }
        text = json.dumps(settings, indent=2) + "\n"
        file = self.partial / SETTINGS
        if not file.exists():
            _write_whole(file, text)
        begun, settings = json.loads(file.read_text(encoding="utf-8")), json.loads(text)
        different = sorted(key for key in begun.keys() | settings.keys() if begun.get(key) != settings.get(key))
        if different:
            changes = "; ".join(f"{key} {begun.get(key)!r}, now {settings.get(key)!r}" for key in different)
            raise ValueError(
                f"{self.partial} was begun with other settings ({changes}); "
                "use those settings to go on with it, or remove the folder to start again"
            )

    def _read_journal(self) -> None:
        """Take up the sequences that are whole; forget what was cut off, in the journal or in the frames."""
        path = self.partial / JOURNAL
        path.touch()
        held = {name: _size(self.partial / f"{name}.bin") for name in self.modalities}
        num_bytes = 0
        for line in path.read_bytes().splitlines(keepends=True):
            entry = json.loads(line) if line.endswith(b"\n") else None
            if entry is None or any(
                (self._num_frames[name] + entry.get(name, 0)) * fmt.bytes_per_frame > held[name]
                for name, fmt in self.modalities.items()
            ):
                break
            self._remember(entry)
            num_bytes += len(line)
        os.truncate(path, num_bytes)

    def _remember(self, entry: dict[str, Any]) -> None:
        for modality in self.modalities:
            entry[f"{modality}_first"] = self._num_frames[modality]
            self._num_frames[modality] += entry.get(modality, 0)
        self._entries[f"{entry['subject']}-{entry['condition']}-{entry['view']}"] = entry

    def _finish(self) -> None:
        kept = [entry for entry in self._entries.values() if any(entry.get(m, 0) for m in self.modalities)]
        left_out: Counter[str] = Counter()
        with (self.partial / INDEX).open("w", newline="", encoding="utf-8") as file:
            table = csv.writer(file)
            columns = [f"{modality}_{what}" for modality in self.modalities for what in ("first", "frames")]
            table.writerow(["subject", "condition", "view", *columns])
            for entry in kept:
                counts = [c for m in self.modalities for c in (entry[f"{m}_first"], entry.get(m, 0))]
                table.writerow([entry["subject"], entry["condition"], entry["view"], *counts])
        with (self.partial / LEFT_OUT).open("w", newline="", encoding="utf-8") as file:
            table = csv.writer(file)
            table.writerow(["sequence", "what", "reason", "count", "detail"])
            for name, entry in self._entries.items():
                for missing in (LeftOut(**values) for values in entry["left_out"]):
                    table.writerow([name, missing.what, missing.reason, missing.count, missing.detail])
                    left_out[f"{missing.what}: {missing.reason}"] += missing.count
        files = [INDEX, *(f"{name}.bin" for name in self.modalities)]
        manifest = Manifest(
            dataset=self.dataset,
            modalities=self.modalities,
            num_sequences=len(kept),
            num_subjects=len({entry["subject"] for entry in kept}),
            num_frames=self._num_frames,
            checksums={name: file_checksum(self.partial / name) for name in files},
            made={**self.made, "gaitway": version("gaitway")},
            left_out=dict(sorted(left_out.items())),
        )
        _write_whole(self.partial / MANIFEST, manifest.to_json())
        self.partial.rename(self.out)
        (self.out / JOURNAL).unlink()  # only now: until the rename they are what a resumed run starts from
        (self.out / SETTINGS).unlink()

    def _explained(self, failure: OSError) -> OSError:
        if failure.errno in (errno.ENOSPC, errno.EDQUOT):
            return OSError(
                failure.errno,
                f"the disk is full: {len(self)} sequences are written to {self.partial}; make room and run the same "
                "command again to go on from there, or remove that folder",
            )
        return failure


def _write_whole(file: Path, text: str) -> None:
    """Write a small file so that it is there with all of its text or not at all."""
    new = file.with_name(file.name + ".new")
    new.write_text(text, encoding="utf-8")
    new.rename(file)


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0
