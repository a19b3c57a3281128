"""From the poses of a data set as distributed to a store: what all such data sets share.

A data set is a `RawPoses`: how its files lie, which joints they have. A joint that was not found is (0, 0) with
confidence 0, and it is counted; so are frames without a person, people beside the one the sequence is of, and
confidences that a file doesn't give.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from gaitway.data.datasets.joined import Joined
from gaitway.data.datasets.people import BySilhouette
from gaitway.data.datasets.pose_files import Joints, People, read_people, rows_by_sequence
from gaitway.data.datasets.preparing import DAMAGED, NO_FILES, Prepared, Progress, num_cores
from gaitway.data.datasets.sequences import note_missing, write_sequences
from gaitway.data.datasets.sources import Layout, SequenceKey, Source, Work, find_sources, load
from gaitway.data.store import FrameFormat, LeftOut, Store
from gaitway.data.store_writer import StoreWriter
from gaitway.skeletons import COCO17, OPENPOSE18, OPENPOSE18_TO_COCO17, Skeleton, skeleton

MODALITY = "poses"
FIRST = "the first in each frame"
NOBODY = ("frames", "nobody in them")
OTHERS = ("people", "in a frame beside the person chosen")
UNDECIDED = ("frames", "several people and no silhouette, the first taken")
NO_CONFIDENCE = ("confidences", "not in the file, taken as 1")
NOT_FINITE = ("joints", "NaN or infinite, marked by confidence 0")
NOT_FOUND = ("joints", "not found, marked by confidence 0")
NO_JOINTS = ("frames", "kept without any joint, marked by confidence 0")

Choose = Callable[[SequenceKey, str, People], int | None]
"""From a sequence, the path of a frame and the people in it to the place of the one to take; None: can't be told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RawPoses:
    """A data set of poses as distributed.

    Args:
        name: Its name, also that of the partition.
        layout: How its files lie.
        joints: The skeleton in which it is prepared unless another is asked for.
        row_of: From the name of a frame in a CSV file to subject, condition and view, for data sets that come so.
        several_people: Frames may show others too.
        named_as_silhouettes: Names depend on what else is there, so that a store of silhouettes knows them better.
    """

    name: str
    layout: Layout
    joints: Skeleton = COCO17
    row_of: Callable[[str], SequenceKey | None] | None = None
    several_people: bool = False
    named_as_silhouettes: bool = False


def prepare_poses(
    kind: RawPoses,
    raw: str | Path,
    out: str | Path,
    *,
    dataset: str | None = None,
    joints: str | None = None,
    silhouettes: str | Path | None = None,
    join: str | Path | None = None,
    num_processes: int | None = None,
    skip_bad: bool = False,
    progress: Progress | None = None,
) -> Store:
    """Make a store of poses, in pixels as distributed, alone or together with the frames of a store that exists.

    The work is done by processes; call it under `if __name__ == "__main__":`.

    Args:
        kind: Which data set.
        raw: The folder of the tree, a folder of archives, or an archive; for some data sets CSV files.
        out: The store's folder; must not exist.
        dataset: Name of the data set; that of `kind` when None.
        joints: The skeleton, `coco17` or `openpose18`; that of `kind` when None. OpenPose's 18 joints become COCO's 17
            by leaving out the neck.
        silhouettes: Folder of OUMVLP's raw silhouettes: of several people in a frame the one who lies on the
            silhouette is taken. The first when None, as in published results.
        join: A store of silhouettes of the same data set. Its frames are copied, so that the new store has both.
        num_processes: How many; as many as there are cores when None.
        skip_bad: Leave out damaged files and list them, instead of stopping at the first.
        progress: Told how many sequences (of archives that are not opened yet: archives) of how many are done.

    Raises:
        FileNotFoundError: when `raw`, `silhouettes` or `join` does not exist.
        FileExistsError: when `out` exists.
        ValueError: when there are no poses, or a file is damaged; the message names it.
        OSError: when the disk is full.
    """
    raw, num_processes, dataset = Path(raw), num_processes or num_cores(), dataset or kind.name
    target = skeleton(joints) if joints else kind.joints
    choose = BySilhouette(Path(silhouettes).absolute()) if silhouettes else None
    joined = Joined(join, dataset=dataset, modality=MODALITY) if join else None
    rows = _csv_rows(raw, kind)
    sources = [rows[key].source for key in sorted(rows)] if rows else find_sources(raw, kind.layout)
    formats = {MODALITY: FrameFormat((target.num_joints, 3), "float32", joints=target.joints)}
    made: dict[str, Any] = {"command": f"prepare {kind.name}-pose", "source": str(raw.resolve()), "joints": target.name}
    if kind.several_people:
        made["person"] = f"by the silhouettes in {choose.silhouettes}" if choose else FIRST
    if joined:
        formats = {**joined.formats, **formats}
        made["with"] = joined.made
        if kind.named_as_silhouettes:
            names = joined.names_in_store(source.key for source in sources if source.key)
            sources = [replace(source, key=names[source.key]) if source.key else source for source in sources]
    with StoreWriter(out, dataset=dataset, modalities=formats, made=made) as writer:
        write_sequences(
            writer,
            sources,
            kind.layout,
            partial(pose_sequence, target=target, choose=choose),
            num_processes=num_processes,
            skip_bad=skip_bad,
            progress=progress,
            load=partial(_load_rows, rows) if rows else load,
            complete=joined.complete if joined else None,
        )
        if joined:
            joined.add_rest(writer)
        else:
            note_missing(writer, dataset)
    return Store(out)


def pose_sequence(
    key: SequenceKey, files: Mapping[str, bytes], *, target: Skeleton, choose: Choose | None = None
) -> Prepared:
    """Read the poses of a sequence, take one person per frame, and mark and count what is missing.

    Args:
        key: Subject, condition, view.
        files: Name -> content of the files; the frames follow each other by name.
        target: The joints that the poses shall have.
        choose: Picks one of several people; the first when None.

    Returns:
        `poses`, `(t, v, 3)` float64: x, y, confidence; with what was left out.
    """
    prepared, counts = Prepared(*key), Counter[tuple[str, str]]()
    people: list[tuple[str, Joints]] = []
    problems: list[str] = []
    for name in sorted(files):
        try:
            for found in read_people(name, files[name]):
                people += [(name, person) for person in _one_of(found, key, name, choose, counts)]
        except ValueError as error:
            problems.append(str(error))
    num_joints = Counter(len(person) for _, person in people).most_common(1)
    odd = [(name, person) for name, person in people if len(person) != num_joints[0][0]]
    problems += [f"{name} has {len(person)} joints, the sequence {num_joints[0][0]}" for name, person in odd]
    frames = [_with_confidence(person, counts) for _, person in people if len(person) == num_joints[0][0]]
    problem = _mixed(files) or _other_joints(sorted(files), frames, target)
    if problem:
        prepared.damage = [LeftOut("sequence", DAMAGED, detail=problem)]
        return prepared
    if frames:
        poses = np.stack(frames)
        poses = poses[:, OPENPOSE18_TO_COCO17] if poses.shape[1] > target.num_joints else poses
        prepared.frames = {MODALITY: mark_missing(poses, counts)}
    prepared.damage = [LeftOut("frames", DAMAGED, detail=text) for text in problems]
    prepared.left_out = [LeftOut(what, reason, count) for (what, reason), count in sorted(counts.items())]
    if not files:
        prepared.left_out.append(LeftOut("sequence", NO_FILES))
    return prepared


def mark_missing(poses: Joints, counts: Counter[tuple[str, str]]) -> Joints:
    """Joints that are not finite (in float32) or at (0, 0) become (0, 0) with confidence 0, and are counted.

    Args:
        poses: `(t, v, 3)`.
        counts: What is missing and why -> how many; added to.
    """
    # NaN is not less than anything
    not_finite: npt.NDArray[np.bool_] = np.any(~(np.abs(poses) <= np.finfo(np.float32).max), axis=2)
    poses = np.where(not_finite[..., None], 0, poses)
    missing: npt.NDArray[np.bool_] = np.all(poses[..., :2] == 0, axis=2)
    found: dict[tuple[str, str], int] = {
        NOT_FINITE: int(not_finite.sum()),
        NOT_FOUND: int((missing & ~not_finite).sum()),
        NO_JOINTS: int(missing.all(axis=1).sum()),
    }
    counts.update({key: count for key, count in found.items() if count})
    return np.where(missing[..., None], 0, poses)


def _one_of(
    people: People, key: SequenceKey, name: str, choose: Choose | None, counts: Counter[tuple[str, str]]
) -> People:
    """The person of the sequence, or nobody."""
    if not people:
        counts[NOBODY] += 1
        return []
    if len(people) == 1:
        return people
    counts[OTHERS] += len(people) - 1
    chosen = choose(key, name, people) if choose else 0
    if chosen is None:
        counts[UNDECIDED] += 1
    return [people[chosen or 0]]


def _with_confidence(person: Joints, counts: Counter[tuple[str, str]]) -> Joints:
    if person.shape[1] == 3:
        return person
    counts[NO_CONFIDENCE] += 1
    return np.concatenate([person, np.ones((len(person), 1))], axis=1)


def _mixed(files: Mapping[str, bytes]) -> str:
    """What is wrong when a folder holds the same poses more than once."""
    kinds = {PurePosixPath(name).suffix for name in files}
    if len(kinds) > 1 or (kinds == {".pkl"} and len(files) > 1):
        names = ", ".join(name.rpartition("/")[2] for name in sorted(files)[:4])
        folder = min(files).rpartition("/")[0]
        return f"{folder} holds {names}, expected one pickle, or frames of one kind; move the others away"
    return ""


def _other_joints(names: Sequence[str], frames: Sequence[Joints], target: Skeleton) -> str:
    """What is wrong when a sequence has joints that can't become those of the store."""
    found = len(frames[0]) if frames else target.num_joints
    if found == target.num_joints or (found, target.name) == (OPENPOSE18.num_joints, COCO17.name):
        return ""
    other = f"; prepare with --joints {COCO17.name}" if found == COCO17.num_joints else ""
    return f"{names[0]} has {found} joints, expected {target.num_joints} ({target.name}){other}"


def _csv_rows(raw: Path, kind: RawPoses) -> dict[SequenceKey, Work]:
    """The rows of CSV files by sequence; nothing where there are none."""
    if kind.row_of is None:
        return {}
    files = [raw] if raw.suffix == ".csv" and raw.is_file() else sorted(raw.rglob("[!.]*.csv"))
    pickled = next(raw.rglob("*.pkl"), None) if files else None
    if pickled:
        raise ValueError(
            f"{raw} holds both {files[0]} and {pickled}; move one kind away, or give the folder of the other"
        )
    works: dict[SequenceKey, Work] = {}
    for file in files:
        for key, rows in rows_by_sequence(str(file), file.read_bytes(), kind.row_of).items():
            if key in works:
                raise ValueError(f"{'-'.join(key)} is in {works[key].source.path} and in {file}; give one of them")
            works[key] = Work(Source(file, key=key, members=tuple(rows)), tuple(rows.values()), frozenset())
    if files and not works:
        raise ValueError(
            f"{files[0]} holds no frames, expected a row for each: its name, then x, y, confidence of joints"
        )
    return works


def _load_rows(rows: Mapping[SequenceKey, Work], sources: Sequence[Source], done: frozenset[str]) -> Iterator[Work]:
    return (rows[source.key] for source in sources if source.key)
