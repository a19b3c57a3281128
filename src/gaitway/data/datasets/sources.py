"""Where the frames of a data set lie: in folders, in archives, in archives within archives.

An archive counts as a folder of its name without the suffix, so that one pattern finds a frame wherever it lies.
"""

from __future__ import annotations

import os
import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Self

from gaitway.data.datasets.archive import Archive, is_archive, is_compressed_tar, without_suffix

SequenceKey = tuple[str, str, str]  # subject, condition, view

MOST_OPEN = 64  # archives; as many files a process may open on any system
LARGEST_READ_WHOLE = 4 * 2**30  # bytes of a compressed tar among others, which one process unpacks in memory
NOT_READ_HERE = (".7z", ".rar")


def names_as_found(keys: Iterable[SequenceKey]) -> Mapping[SequenceKey, SequenceKey]:
    """The sequences keep the names that their paths give them."""
    return {key: key for key in keys}


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How the files of a data set lie as distributed.

    Args:
        path: What the path of a frame looks like, for messages.
        key_of: From a frame's path to subject, condition and view; None where the path is no such. What lies above
            the data set must not matter.
        frame: Pattern of the names of files with frames.
        skipped: Pattern of paths that are passed over.
        same_depth: All frames lie equally deep; for a layout that any four names in a row would fit.
        arrange: From the keys of a whole tree, or of a whole archive, to the final ones.
    """

    path: str
    key_of: Callable[[str], SequenceKey | None]
    frame: re.Pattern[str] = re.compile(r"\.png$")
    skipped: re.Pattern[str] = re.compile(r"gei\.png")  # gait energy images, which lie between the frames
    same_depth: bool = False
    arrange: Callable[[Iterable[SequenceKey]], Mapping[SequenceKey, SequenceKey]] = names_as_found

    def is_frame(self, path: str) -> bool:
        """Whether a file holds frames of the data set, as far as its name tells."""
        name = path.rpartition("/")[2]
        return bool(self.frame.search(name)) and not self.skipped.search(path) and not _hidden(name)

    def is_archive(self, path: str) -> bool:
        """Whether a file is an archive that may hold such files."""
        return (
            is_archive(path) and not self.skipped.search(f"{_opened(path)}/") and not _hidden(path.rpartition("/")[2])
        )


@dataclass(frozen=True, slots=True)
class Source:
    """Where the frames of one sequence are, or, without a `key`, an archive of sequences still to be opened.

    `path` is a folder or an archive on disk; `members` are the names of files in that archive; `label` is what an
    archive is called in the list of what was left out.
    """

    path: Path
    key: SequenceKey | None = None
    members: tuple[str, ...] = ()
    label: str = ""


@dataclass(frozen=True, slots=True)
class Work:
    """A source on its way to a worker process: with the contents of its members, and what need not be done again."""

    source: Source
    contents: tuple[bytes, ...]
    done: frozenset[str]


def find_sources(raw: Path, layout: Layout) -> list[Source]:
    """Where the frames are, in the order of the store: by subject, condition and view, or by name of archive.

    Raises:
        FileNotFoundError: when `raw` does not exist.
        ValueError: when it holds no frames in the layout, or it can't be told which to take.
    """
    if raw.is_dir():
        folders, archives = _walk(raw, layout)
        if folders and archives:
            raise ValueError(
                f"{raw} holds both files with frames (in {folders[0].path}) and archives ({archives[0]}); "
                "move one kind away, or give the folder of the other"
            )
        alone = len(archives) == 1
        sources = folders or [source for path in archives for source in _in_archive(path, layout, raw, alone=alone)]
    elif raw.is_file():
        sources = _in_archive(raw, layout, raw, alone=True)
    else:
        raise FileNotFoundError(f"there is no {raw}; give the folder or archive of {layout.path}")
    if not sources:
        locked = next((file for file in raw.rglob("*") if file.suffix in NOT_READ_HERE), None)
        if locked:
            raise ValueError(
                f"{raw} holds archives that can't be read here ({locked.name}); unpack them with 7-Zip (`7z x`, and "
                "the data set's password) and give the folder"
            )
        raise ValueError(f"{raw} holds no {layout.path} and no archive of such files")
    return sorted(sources, key=lambda source: (source.key or (source.label,), source.path))


def load(sources: Sequence[Source], done: frozenset[str]) -> Iterator[Work]:
    """Read what lies in archives that are opened here, one source after the other."""
    with _OpenArchives() as archives:
        for source in sources:
            contents = tuple(archives[source.path].read(member) for member in source.members)
            yield Work(source, contents, frozenset() if source.key else done)


def files_of(work: Work, layout: Layout) -> dict[SequenceKey, dict[str, bytes]]:
    """The files of each sequence of a source, name -> content.

    Raises:
        ValueError: when an archive can't be read, or holds no frames in the layout.
    """
    source = work.source
    if source.key is not None:
        named = zip(source.members, work.contents, strict=True) if source.members else _read_folder(source.path, layout)
        return {source.key: dict(named)}
    name = "/".join([str(source.path), *source.members])
    contents = _read_archive(work.contents[0] if work.contents else source.path, name, layout)
    by_key = _by_sequence(contents, layout, name)
    if not by_key:
        raise ValueError(f"{name} holds no {layout.path}")
    return {key: {path: contents[path] for path in paths} for key, paths in by_key.items()}


def _walk(raw: Path, layout: Layout) -> tuple[list[Source], list[Path]]:
    """The folders of sequences, also empty ones, and the archives below a folder."""
    with_frames: dict[Path, SequenceKey] = {}
    empty: dict[Path, SequenceKey] = {}
    archives: list[Path] = []
    for folder, subfolders, files in os.walk(raw.absolute(), followlinks=True):
        subfolders[:] = [name for name in subfolders if not _hidden(name)]
        frame = next((name for name in files if layout.is_frame(f"{folder}/{name}")), None)
        if frame:
            with_frames[Path(folder)] = _key(f"{folder}/{frame}", layout)
        elif not subfolders and not files and (key := layout.key_of(f"{folder}/frame")):
            empty[Path(folder)] = key
        archives += [Path(folder, name) for name in files if layout.is_archive(f"{folder}/{name}")]
    _check_depth((str(folder / "frame") for folder in with_frames), layout, str(raw))
    depths = {len(folder.parts) for folder in with_frames}
    found = with_frames | {folder: key for folder, key in empty.items() if len(folder.parts) in depths}
    names = layout.arrange(found.values())
    return [Source(folder, key=names[key]) for folder, key in found.items()], sorted(archives)


def _in_archive(path: Path, layout: Layout, raw: Path, *, alone: bool) -> list[Source]:
    """What one archive holds: archives, or the frames themselves; itself where a worker process is to find out."""
    label = "" if path == raw else str(_opened(str(path)).relative_to(raw.absolute()))
    itself = Source(path, label=label)
    if not alone and is_compressed_tar(path.name):
        if path.stat().st_size > LARGEST_READ_WHOLE:
            raise ValueError(f"{path} is too large to be unpacked in memory; unpack it and give the folder")
        return [itself]
    try:
        with Archive(path, str(path)) as archive:
            folder = _opened(str(path.absolute()))
            members = {_joined(folder, name): name for name in archive.names}
            sources = [
                Source(path, members=(member,), label=str(_opened(str(PurePosixPath(label, member)))))
                for name, member in members.items()
                if layout.is_archive(name)
            ]
            if not sources:
                by_key = _by_sequence(filter(layout.is_frame, members), layout, str(path))
                sources = [
                    Source(path, key=key, members=tuple(members[name] for name in names))
                    for key, names in by_key.items()
                ]
            archive.check_order([member for source in sources for member in source.members])
            return sources if sources or alone else [itself]
    except ValueError:
        if alone:
            raise
        return [itself]  # whose worker says what is wrong, and it can be left out


def _read_archive(file: Path | bytes, name: str, layout: Layout) -> dict[str, bytes]:
    """The frames in an archive, and in the archives in it, by their paths."""
    contents: dict[str, bytes] = {}
    with Archive(file, name) as archive:
        for member, content in archive.read_all().items():
            path = _joined(_opened(name), member)
            if layout.is_archive(path):
                contents |= _read_archive(content, path, layout)
            elif layout.is_frame(path):
                contents[path] = content
    return contents


def _by_sequence(paths: Iterable[str], layout: Layout, archive: str) -> dict[SequenceKey, list[str]]:
    """The paths of frames in an archive by subject, condition and view, in order."""
    found: dict[SequenceKey, list[str]] = {}
    for path in sorted(paths):
        found.setdefault(_key(path, layout), []).append(path)
    _check_depth((path for paths in found.values() for path in paths), layout, archive)
    names = layout.arrange(found)
    return {names[key]: found[key] for key in sorted(found, key=names.__getitem__)}


def _key(path: str, layout: Layout) -> SequenceKey:
    key = layout.key_of(path)
    if key is None:
        raise ValueError(f"found {path}, expected {layout.path}; move it away, or give the folder of the data set")
    return key


def _check_depth(paths: Iterable[str], layout: Layout, raw: str) -> None:
    by_depth = {path.count("/"): path for path in paths} if layout.same_depth else {}
    if len(by_depth) > 1:
        one, other, *_ = (path.rpartition("/")[0] for path in by_depth.values())
        raise ValueError(
            f"{raw} holds frames at different depths (in {one} and {other}), expected {layout.path} for all; "
            "move the others away"
        )


def _opened(archive: str) -> PurePosixPath:
    """The path of an archive as if it were a folder."""
    return PurePosixPath(archive).parent / without_suffix(archive)


def _joined(folder: PurePosixPath, member: str) -> str:
    """The path of an archive's file as if the archive were a folder, whose name is not doubled."""
    member = member.removeprefix("./")
    return f"{folder}/{member.removeprefix(f'{folder.name}/')}"


def _read_folder(folder: Path, layout: Layout) -> Iterator[tuple[str, bytes]]:
    for file in folder.iterdir():
        if layout.is_frame(str(file)):
            yield str(file), file.read_bytes()


def _hidden(name: str) -> bool:
    """Also what macOS adds to archives."""
    return name.startswith(".") or name == "__MACOSX"


class _OpenArchives:
    """Archives by path, the last few of which stay open; use as a context manager."""

    def __init__(self) -> None:
        self._opened: OrderedDict[Path, Archive] = OrderedDict()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        for archive in self._opened.values():
            archive.close()

    def __getitem__(self, path: Path) -> Archive:
        if path not in self._opened:
            if len(self._opened) == MOST_OPEN:
                self._opened.popitem(last=False)[1].close()
            self._opened[path] = Archive(path, str(path))
        self._opened.move_to_end(path)
        return self._opened[path]
