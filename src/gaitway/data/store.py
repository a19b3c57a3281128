"""The store: a prepared data set as one folder of flat arrays with an index.

    STORE/manifest.json     format, data set, modalities, counts, checksums, how it was made
    STORE/index.csv         a row per sequence
    STORE/left_out.csv      what was dropped while it was made, and why
    STORE/<modality>.bin    all frames of a modality, one after the other

Frames lie row-major in little-endian order, so that `numpy.fromfile` reads them without this library. In a compact
modality a frame is one bit per pixel (`numpy.packbits`, first pixel in the highest bit).
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gaitway.types import SequenceInfo

FORMAT_VERSION = 1
MANIFEST, INDEX, LEFT_OUT = "manifest.json", "index.csv", "left_out.csv"
FOREGROUND_THRESHOLD = 128  # a compact pixel is set from this grey value on


@dataclass(frozen=True, slots=True)
class FrameFormat:
    """What one frame of a modality is: `shape` (h, w) or (v, c), `dtype`, one bit per pixel or not, joint names."""

    shape: tuple[int, ...]
    dtype: str = "uint8"
    compact: bool = False
    joints: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.compact and (self.dtype != "uint8" or int(np.prod(self.shape)) % 8):
            raise ValueError(
                f"a compact modality needs uint8 frames with a multiple of 8 pixels, found {self.dtype} {self.shape}; "
                "store it without compact"
            )

    @property
    def bytes_per_frame(self) -> int:
        """Size of one frame on disk."""
        num_values = int(np.prod(self.shape))
        return num_values // 8 if self.compact else num_values * np.dtype(self.dtype).itemsize

    @property
    def stored_shape(self) -> tuple[int, ...]:
        """Shape of one frame as it lies on disk (of `stored_dtype`)."""
        return (self.bytes_per_frame,) if self.compact else self.shape

    @property
    def stored_dtype(self) -> np.dtype[Any]:
        """Little-endian type of the values on disk."""
        return np.dtype(self.dtype).newbyteorder("<")

    def pack(self, frames: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Frames `(t, *shape)` as they lie on disk, `(t, *stored_shape)`."""
        if self.compact:
            return np.packbits((frames >= FOREGROUND_THRESHOLD).reshape(len(frames), -1), axis=1)
        return np.ascontiguousarray(frames, dtype=self.stored_dtype)

    def unpack(self, stored: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The reverse of `pack`; bits become 0 and 255."""
        if self.compact:
            return (np.unpackbits(stored, axis=1) * np.uint8(255)).reshape(len(stored), *self.shape)
        return stored


@dataclass(frozen=True, slots=True)
class Index:
    """The index table as columns: one entry per sequence in each array.

    `first[modality]` and `num_frames[modality]` say which frames of the modality's array belong to the sequence;
    a sequence without the modality has 0 frames of it.
    """

    subjects: npt.NDArray[np.str_]
    conditions: npt.NDArray[np.str_]
    views: npt.NDArray[np.str_]
    first: Mapping[str, npt.NDArray[np.int64]]
    num_frames: Mapping[str, npt.NDArray[np.int64]]

    def __len__(self) -> int:
        return len(self.subjects)

    def __getitem__(self, row: int) -> SequenceInfo:
        frames = {name: int(counts[row]) for name, counts in self.num_frames.items() if counts[row]}
        return SequenceInfo(str(self.subjects[row]), str(self.conditions[row]), str(self.views[row]), frames)

    def __iter__(self) -> Iterator[SequenceInfo]:
        return (self[row] for row in range(len(self)))

    def rows_of(self, subjects: set[str] | frozenset[str]) -> npt.NDArray[np.int64]:
        """Rows of these subjects, in the order of the index."""
        return np.flatnonzero(np.isin(self.subjects, sorted(subjects)))


@dataclass(frozen=True, slots=True)
class Manifest:
    """What `manifest.json` says; see the module's description."""

    dataset: str
    modalities: Mapping[str, FrameFormat]
    num_sequences: int
    num_subjects: int
    num_frames: Mapping[str, int]
    checksums: Mapping[str, str]
    made: Mapping[str, Any]
    left_out: Mapping[str, int] = field(default_factory=dict)
    format: int = FORMAT_VERSION

    def to_json(self) -> str:
        """The text of `manifest.json`."""
        return json.dumps(asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str, path: Path) -> Manifest:
        """Read the text of the manifest at `path`."""
        try:
            values = json.loads(text)
            if values["format"] != FORMAT_VERSION:
                raise ValueError(
                    f"{path}: store format {values['format']}, this Gaitway reads format {FORMAT_VERSION}; "
                    "prepare the data set again, or install the matching version"
                )
            values["modalities"] = {
                name: FrameFormat(tuple(f["shape"]), f["dtype"], f["compact"], tuple(f["joints"]))
                for name, f in values["modalities"].items()
            }
            return cls(**values)
        except (json.JSONDecodeError, KeyError, TypeError) as error:
            raise ValueError(f"{path} is not the manifest of a store ({error}); prepare the data set again") from error


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Something that is not in the store: how many frames of a sequence, or the whole sequence, and why."""

    what: str
    """`frames` or `sequence`."""
    reason: str
    count: int = 1
    detail: str = ""
    """What the reason leaves open, e.g. the name of a damaged file."""


class Store:
    """A prepared data set, opened for reading.

    Opening checks the sizes of all files and the checksum of the index; `verify` checks every frame's file.

    Args:
        path: The store's folder.

    Raises:
        FileNotFoundError: when `path` is no store.
        ValueError: when the store is damaged.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        manifest = self.path / MANIFEST
        if not manifest.is_file():
            partial = partial_path(self.path)
            hint = (
                f"; {partial} is an unfinished one: run the same command again to finish it" if partial.is_dir() else ""
            )
            raise FileNotFoundError(
                f"{self.path} is not a store (no {MANIFEST} in it){hint or '; make one with `gaitway prepare`'}"
            )
        self.manifest = Manifest.from_json(manifest.read_text(encoding="utf-8"), manifest)
        self._check_file(INDEX)
        for name, fmt in self.manifest.modalities.items():
            expected = self.manifest.num_frames[name] * fmt.bytes_per_frame
            found = self.frames_file(name).stat().st_size if self.frames_file(name).is_file() else 0
            if found != expected:
                raise ValueError(
                    f"{self.frames_file(name)} has {found} bytes, expected {expected}: the store is damaged; "
                    "copy it again or prepare the data set again"
                )

    def __repr__(self) -> str:
        return f"Store({str(self.path)!r}, {self.manifest.dataset}, {self.manifest.num_sequences} sequences)"

    @cached_property
    def index(self) -> Index:
        """The index table."""
        with (self.path / INDEX).open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        names = list(self.manifest.modalities)

        def column(key: str) -> npt.NDArray[np.int64]:
            return np.array([int(row[key]) for row in rows], dtype=np.int64)

        return Index(
            subjects=np.array([row["subject"] for row in rows], dtype=np.str_),
            conditions=np.array([row["condition"] for row in rows], dtype=np.str_),
            views=np.array([row["view"] for row in rows], dtype=np.str_),
            first={name: column(f"{name}_first") for name in names},
            num_frames={name: column(f"{name}_frames") for name in names},
        )

    @cached_property
    def left_out(self) -> tuple[tuple[str, LeftOut], ...]:
        """What was left out when the store was made: name of the sequence, and what of it."""
        if not (self.path / LEFT_OUT).is_file():
            return ()
        with (self.path / LEFT_OUT).open(newline="", encoding="utf-8") as file:
            return tuple(
                (row["sequence"], LeftOut(row["what"], row["reason"], int(row["count"]), row["detail"]))
                for row in csv.DictReader(file)
            )

    def frames_file(self, modality: str) -> Path:
        """The file of a modality's frames."""
        return self.path / f"{modality}.bin"

    def frame_format(self, modality: str) -> FrameFormat:
        """What a frame of the modality is.

        Raises:
            ValueError: when the store does not have the modality.
        """
        if modality not in self.manifest.modalities:
            raise ValueError(
                f"{self.path} has no {modality!r}, it has {', '.join(self.manifest.modalities)}; "
                "use a recipe of such a modality or add it to the store"
            )
        return self.manifest.modalities[modality]

    def stored(self, modality: str) -> npt.NDArray[Any]:
        """All frames of a modality as they lie on disk, memory-mapped: `(frames, *stored_shape)`."""
        fmt = self.frame_format(modality)
        shape = (self.manifest.num_frames[modality], *fmt.stored_shape)
        if shape[0] == 0:
            return np.zeros(shape, fmt.stored_dtype)
        return np.memmap(self.frames_file(modality), dtype=fmt.stored_dtype, mode="r", shape=shape)

    def frames(self, modality: str, row: int) -> npt.NDArray[Any]:
        """The frames of one sequence, `(t, *shape)`, unpacked."""
        first, count = int(self.index.first[modality][row]), int(self.index.num_frames[modality][row])
        return self.frame_format(modality).unpack(np.asarray(self.stored(modality)[first : first + count]))

    def verify(self, modality: str) -> None:
        """Compare the checksum of a modality's frames with the manifest's.

        Raises:
            ValueError: when they differ.
        """
        self._check_file(self.frames_file(modality).name)

    def _check_file(self, name: str) -> None:
        found = file_checksum(self.path / name) if (self.path / name).is_file() else "no such file"
        expected = self.manifest.checksums[name]
        if found != expected:
            raise ValueError(
                f"{self.path / name} is damaged: its SHA-256 is {found[:16]}…, the manifest says {expected[:16]}…; "
                "copy the store again or prepare the data set again"
            )


def partial_path(out: Path) -> Path:
    """Where a store that will be called `out` is written until it is whole."""
    return out.with_name(out.name + ".partial")


def file_checksum(path: Path) -> str:
    """SHA-256 of a file, as `sha256sum` prints it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
