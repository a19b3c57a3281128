"""Writing a store: appended sequence by sequence, resumable, and given its name only when it is whole."""

from __future__ import annotations

import csv
import errno
import json
import os
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict
from datetime import UTC, datetime
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
    Manifest,
    file_checksum,
    partial_path,
)

JOURNAL, SETTINGS = "journal.jsonl", "settings.json"


class StoreWriter:
    """Writes a store into `OUT.partial` and renames it to OUT at the end.

    Use as a context manager and add sequences in the order that the index shall have. When the block is left by an
    exception, what is written so far stays in `OUT.partial`: a writer with the same settings goes on from there, and
    `name in writer` tells which sequences are done already.

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
        settings = json.dumps(
            {
                "dataset": self.dataset,
                "modalities": {k: asdict(v) for k, v in self.modalities.items()},
                "made": self.made,
            }
        )
        self.partial.mkdir(parents=True, exist_ok=True)
        settings_file = self.partial / SETTINGS
        if not settings_file.exists():
            settings_file.write_text(settings)
        elif settings_file.read_text() != settings:
            raise ValueError(
                f"{self.partial} was begun with other settings ({settings_file.read_text()}) than these ({settings}); "
                "remove it to start again, or use the same settings to go on with it"
            )
        self._read_journal()
        self._files: dict[str, IO[bytes]] = {}
        for name, fmt in self.modalities.items():
            path = self.partial / f"{name}.bin"
            path.touch()
            os.truncate(path, self._num_frames[name] * fmt.bytes_per_frame)  # frames that no journal line vouches for
            self._files[name] = self._open_files.enter_context(path.open("ab"))
        self._journal = self._open_files.enter_context((self.partial / JOURNAL).open("a"))
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

    def __len__(self) -> int:
        return len(self._entries)

    def add(
        self,
        subject: str,
        condition: str,
        view: str,
        frames: Mapping[str, npt.NDArray[Any]],
        dropped: Mapping[str, int] | None = None,
    ) -> None:
        """Append a sequence.

        Args:
            subject: Name of the subject.
            condition: Name of the condition, e.g. `nm-01`.
            view: Name of the view, e.g. `090`.
            frames: Per modality the frames `(t, *shape)`; without any frame the sequence is left out.
            dropped: Reason → number of frames that were dropped from the sequence.

        Raises:
            ValueError: when the sequence was added before or a frame has another shape than the modality.
            OSError: when the disk is full.
        """
        name = f"{subject}-{condition}-{view}"
        if name in self._entries:
            raise ValueError(f"sequence {name} comes twice; each subject-condition-view may occur once")
        entry: dict[str, Any] = {
            "subject": subject,
            "condition": condition,
            "view": view,
            "dropped": dict(dropped or {}),
        }
        try:
            for modality, array in frames.items():
                fmt = self.modalities[modality]
                if array.shape[1:] != fmt.shape:
                    raise ValueError(f"sequence {name}: {modality} frames are {array.shape[1:]}, expected {fmt.shape}")
                self._files[modality].write(fmt.pack(array).tobytes())
                self._files[modality].flush()
                entry[modality] = len(array)
            self._journal.write(json.dumps(entry) + "\n")
            self._journal.flush()
        except OSError as failure:
            raise self._explained(failure) from failure
        self._remember(name, entry)

    def leave_out(self, subject: str, condition: str, view: str, reason: str) -> None:
        """Record that a whole sequence is not in the store, and why."""
        self.add(subject, condition, view, {}, {f"sequence: {reason}": 1})

    def _read_journal(self) -> None:
        path = self.partial / JOURNAL
        lines = path.read_text().splitlines(keepends=True) if path.exists() else []
        whole = [line for line in lines if line.endswith("\n")]  # the last line may have been cut off
        if len(whole) != len(lines):
            path.write_text("".join(whole))
        for line in whole:
            entry = json.loads(line)
            self._remember(f"{entry['subject']}-{entry['condition']}-{entry['view']}", entry)

    def _remember(self, name: str, entry: dict[str, Any]) -> None:
        for modality in self.modalities:
            entry[f"{modality}_first"] = self._num_frames[modality]
            self._num_frames[modality] += entry.get(modality, 0)
        self._entries[name] = entry

    def _finish(self) -> None:
        kept = [entry for entry in self._entries.values() if any(entry.get(m, 0) for m in self.modalities)]
        left_out: Counter[str] = Counter()
        with (self.partial / INDEX).open("w", newline="") as file:
            table = csv.writer(file)
            columns = [f"{modality}_{what}" for modality in self.modalities for what in ("first", "frames")]
            table.writerow(["subject", "condition", "view", *columns])
            for entry in kept:
                counts = [c for m in self.modalities for c in (entry[f"{m}_first"], entry.get(m, 0))]
                table.writerow([entry["subject"], entry["condition"], entry["view"], *counts])
        with (self.partial / LEFT_OUT).open("w", newline="") as file:
            table = csv.writer(file)
            table.writerow(["sequence", "reason", "count"])
            for name, entry in self._entries.items():
                for reason, count in entry["dropped"].items():
                    table.writerow([name, reason, count])
                    left_out[reason] += count
        files = [INDEX, *(f"{name}.bin" for name in self.modalities)]
        manifest = Manifest(
            dataset=self.dataset,
            modalities=self.modalities,
            num_sequences=len(kept),
            num_subjects=len({entry["subject"] for entry in kept}),
            num_frames=self._num_frames,
            checksums={name: file_checksum(self.partial / name) for name in files},
            made={**self.made, "gaitway": version("gaitway"), "date": datetime.now(UTC).isoformat(timespec="seconds")},
            left_out=dict(left_out),
        )
        (self.partial / MANIFEST).write_text(manifest.to_json())
        (self.partial / JOURNAL).unlink()
        (self.partial / SETTINGS).unlink()
        self.partial.rename(self.out)

    def _explained(self, failure: OSError) -> OSError:
        if failure.errno in (errno.ENOSPC, errno.EDQUOT):
            return OSError(
                failure.errno,
                f"the disk is full: {len(self)} sequences are written to {self.partial}; make room and run the same "
                "command again to go on from there, or remove that folder",
            )
        return failure
