"""CASIA-B (Yu et al., ICPR 2006) as distributed: silhouettes from background subtraction, a PNG per frame.

124 subjects, 10 sequences each (nm-01..06, bg-01..02, cl-01..02) from 11 views, as files such as
`001/bg-01/000/001-bg-01-000-001.png`: unpacked, or in an archive per subject, or in one archive of those. Any data
set in this layout can be prepared so. The rule is that of ShiqiYu/OpenGait; `pretreatment.py` has its core.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path, PurePosixPath

import cv2
import numpy as np
import numpy.typing as npt

from gaitway.data.datasets.archive import Archive, is_archive, without_suffix
from gaitway.data.datasets.preparing import (
    DAMAGED,
    NO_FILES,
    Prepared,
    Progress,
    in_order,
    num_cores,
    process_pool,
    write,
)
from gaitway.data.pretreatment import DropReason, align_silhouette
from gaitway.data.store import FrameFormat, LeftOut, Store
from gaitway.data.store_writer import StoreWriter

SKIPPED = "gei.png"  # gait energy images, which lie between the frames of some distributions

SequenceKey = tuple[str, str, str]  # subject, condition, view


@dataclass(frozen=True, slots=True)
class Source:
    """Where the frames of one sequence are, or, without a `key`, those of a subject: an archive still to be opened.

    `path` is a folder or an archive on disk; `members` are the names of files in that archive.
    """

    path: Path
    key: SequenceKey | None = None
    members: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Work:
    """A source on its way to a worker process: with the contents of its members, and what need not be done again."""

    source: Source
    contents: tuple[bytes, ...]
    done: frozenset[str]


def prepare_casia_b(
    raw: str | Path,
    out: str | Path,
    *,
    dataset: str = "casia-b",
    size: int = 64,
    compact: bool = False,
    num_processes: int | None = None,
    skip_bad: bool = False,
    progress: Progress | None = None,
) -> Store:
    """Align the silhouettes of a tree or archive of PNG files and make a store of them.

    The work is done by processes; call it under `if __name__ == "__main__":`.

    Args:
        raw: The folder of the tree, a folder of archives, or an archive (of the tree, or of archives).
        out: The store's folder; must not exist.
        dataset: Name of the data set.
        size: Height and width of the aligned silhouettes in pixels; even.
        compact: One bit per pixel; grey becomes white from 128 on.
        num_processes: How many; as many as there are cores when None.
        skip_bad: Leave out damaged files and list them, instead of stopping at the first.
        progress: Told how many sequences (in archives: subjects) of how many are done.

    Raises:
        FileNotFoundError: when `raw` does not exist.
        FileExistsError: when `out` exists.
        ValueError: when there are no PNG files, or one is damaged; the message names it.
        OSError: when the disk is full.
    """
    raw, num_processes = Path(raw), num_processes or num_cores()
    sources = find_sources(raw)
    formats = {"silhouettes": FrameFormat((size, size), "uint8", compact)}
    made = {"command": "prepare casia-b", "source": str(raw.resolve()), "size": size, "compact": compact}
    with StoreWriter(out, dataset=dataset, modalities=formats, made=made) as writer:
        done = frozenset(writer)
        to_do = [source for source in sources if source.key is None or "-".join(source.key) not in done]
        prepare = partial(prepare_source, size=size)
        # how many results wait in memory at most: single sequences, or whole subjects
        window = num_processes * (8 if all(source.key for source in sources) else 2)
        with closing(in_order(process_pool(num_processes), prepare, load(to_do, done), window)) as results:
            for number, sequences in enumerate(results, start=len(sources) - len(to_do) + 1):
                for sequence in sequences:
                    write(sequence, writer, skip_bad=skip_bad)
                if progress:
                    progress(number, len(sources))
    return Store(out)


def find_sources(raw: Path) -> list[Source]:
    """Where the frames are, in the order of the store: by subject, condition and view, or by name of archive.

    Raises:
        FileNotFoundError: when `raw` does not exist.
        ValueError: when it holds no PNG files, or it can't be told which to take.
    """
    if raw.is_dir():
        folders, archives = _walk(raw)
        if folders and archives:
            raise ValueError(
                f"{raw} holds both PNG files ({folders[0].path}) and archives ({archives[0].path}); "
                "move one kind away, or give the folder of the other"
            )
        sources = folders or archives
    elif raw.is_file():
        sources = _in_archive(raw)
    else:
        raise FileNotFoundError(f"there is no {raw}; give the folder or archive of CASIA-B's silhouettes")
    if not sources:
        raise ValueError(f"{raw} holds no <subject>/<condition>/<view>/*.png and no archive of such files")
    return sources


def load(sources: Sequence[Source], done: frozenset[str]) -> Iterator[Work]:
    """Read what lies in an archive of archives, one source after the other."""
    if not sources or not sources[0].members:
        yield from (Work(source, (), frozenset() if source.key else done) for source in sources)
        return
    with Archive(sources[0].path, str(sources[0].path)) as archive:  # one archive holds all of them
        for source in sources:
            contents = tuple(archive.read(member) for member in source.members)
            yield Work(source, contents, frozenset() if source.key else done)


def prepare_source(work: Work, *, size: int) -> list[Prepared]:
    """Read and align the frames of a source; an archive that can't be read counts as one damaged sequence."""
    source = work.source
    if source.key is not None:
        named = zip(source.members, work.contents, strict=True) if source.members else _read_folder(source.path)
        return [align_sequence(source.key, dict(named), size=size)]
    name = "/".join([str(source.path), *source.members])
    subject = without_suffix(name)
    if f"{subject}-*-*" in work.done:
        return []
    try:
        with Archive(work.contents[0] if work.contents else source.path, name) as archive:
            contents = {f"{subject}/{member}": content for member, content in archive.read_all().items()}
        by_key = _by_sequence(contents, name)
        if not by_key:
            raise ValueError(f"{name} holds no <condition>/<view>/*.png")
    except ValueError as error:
        return [Prepared(subject, "*", "*", damage=[LeftOut("sequence", DAMAGED, detail=str(error))])]
    return [
        align_sequence(key, {member: contents[member] for member in members}, size=size)
        for key, members in by_key.items()
        if "-".join(key) not in work.done
    ]


def align_sequence(key: SequenceKey, files: Mapping[str, bytes], *, size: int) -> Prepared:
    """Align the frames of a sequence.

    Args:
        key: Subject, condition, view.
        files: Name -> content of the PNG files; the frames follow each other by name.
        size: Height and width of an aligned silhouette.
    """
    prepared = Prepared(*key)
    images: dict[str, npt.NDArray[np.uint8]] = {}
    problems: list[str] = []
    for name in sorted(files):
        image = cv2.imdecode(np.frombuffer(files[name], np.uint8), cv2.IMREAD_GRAYSCALE) if files[name] else None
        if image is None:
            problems.append(f"{name} is damaged or no PNG ({len(files[name])} bytes)")
        else:
            images[name] = np.asarray(image, dtype=np.uint8)
    sizes = Counter(image.shape for image in images.values())
    for name, (height, width) in [(name, image.shape) for name, image in images.items()]:
        (usual_height, usual_width), _ = sizes.most_common(1)[0]
        if (height, width) != (usual_height, usual_width):
            problems.append(f"{name} has {width}×{height} pixels, the sequence {usual_width}×{usual_height}")
            del images[name]
    prepared.damage = [LeftOut("frames", DAMAGED, detail=problem) for problem in problems]
    aligned = [align_silhouette(image, size) for image in images.values()]
    reasons = Counter(result.value for result in aligned if isinstance(result, DropReason))
    prepared.left_out = [LeftOut("frames", reason, count) for reason, count in sorted(reasons.items())]
    if not files:
        prepared.left_out.append(LeftOut("sequence", NO_FILES))
    kept = [result for result in aligned if not isinstance(result, DropReason)]
    if kept:
        prepared.frames = {"silhouettes": np.stack(kept)}
    return prepared


def _walk(raw: Path) -> tuple[list[Source], list[Source]]:
    """The folders of sequences, also empty ones, and the archives below a folder."""
    with_frames: list[Path] = []
    empty: list[Path] = []
    archives: list[Path] = []
    for folder, subfolders, files in os.walk(raw.absolute(), followlinks=True):
        subfolders[:] = [name for name in subfolders if not _hidden(name)]
        if any(_is_frame(f"{folder}/{name}") for name in files):
            with_frames.append(Path(folder))
        elif not subfolders and not files:
            empty.append(Path(folder))
        archives += [Path(folder, name) for name in files if is_archive(name) and not _hidden(name)]
    by_depth = {len(folder.parts): folder for folder in with_frames}
    if len(by_depth) > 1:
        one, other, *_ = by_depth.values()
        raise ValueError(
            f"{raw} holds PNG files at different depths ({one} and {other}), expected "
            "<subject>/<condition>/<view>/<frame>.png for all; move the others away"
        )
    folders = with_frames + [folder for folder in empty if len(folder.parts) in by_depth]
    sources = [Source(folder, key=(folder.parts[-3], folder.parts[-2], folder.parts[-1])) for folder in folders]
    return sorted(sources, key=lambda source: (source.key, source.path)), [Source(path) for path in sorted(archives)]


def _in_archive(raw: Path) -> list[Source]:
    """What one archive holds: archives, or the frames themselves."""
    with Archive(raw, str(raw)) as archive:
        inner = [name for name in archive.names if is_archive(name) and not _hidden(PurePosixPath(name).name)]
        if inner:
            sources = [Source(raw, members=(name,)) for name in inner]
        else:
            by_key = _by_sequence(archive.names, str(raw))
            sources = [Source(raw, key=key, members=tuple(members)) for key, members in by_key.items()]
        archive.check_order([member for source in sources for member in source.members])
    return sources


def _by_sequence(names: Iterable[str], archive: str) -> dict[SequenceKey, list[str]]:
    """The frames among the files of an archive, by subject, condition and view, in order."""
    frames = sorted((PurePosixPath(name).parts[-4:], name) for name in names if _is_frame(name))
    for parts, name in frames:
        if len(parts) < 4:
            raise ValueError(f"{archive} holds {name}, expected <subject>/<condition>/<view>/<frame>.png")
    groups = groupby(frames, key=lambda frame: (frame[0][0], frame[0][1], frame[0][2]))
    return {key: [name for _, name in group] for key, group in groups}


def _read_folder(folder: Path) -> Iterator[tuple[str, bytes]]:
    for file in folder.iterdir():
        if _is_frame(str(file)):
            yield str(file), file.read_bytes()


def _is_frame(path: str) -> bool:
    return path.endswith(".png") and SKIPPED not in path and not _hidden(path.rpartition("/")[2])


def _hidden(name: str) -> bool:
    """Also what macOS adds to archives."""
    return name.startswith(".") or name == "__MACOSX"
