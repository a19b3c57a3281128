"""From the silhouettes of a data set as distributed to a store: what all such data sets share.

A data set is a `RawSilhouettes`: how its files lie, which rule aligns a frame. Reading folders and archives, working on
many cores, resuming, and reporting what is damaged or left out are the same for all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from gaitway.data.datasets.pickles import unpickle_array
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
from gaitway.data.datasets.sources import Layout, SequenceKey, Work, files_of, find_sources, load
from gaitway.data.partitions import list_partitions, load_partition
from gaitway.data.pretreatment import DropReason, align_silhouette
from gaitway.data.store import FrameFormat, LeftOut, Store
from gaitway.data.store_writer import StoreWriter

Grey = npt.NDArray[np.uint8]
Align = Callable[[Grey, int], Grey | DropReason]
MISSING = "missing from the raw data"


@dataclass(frozen=True, slots=True, kw_only=True)
class RawSilhouettes:
    """A data set of silhouettes as distributed.

    Args:
        name: Its name, which is also the command's and, but for HID, the partition's.
        layout: How its files lie.
        align: From a grey frame `(h, w)` and a size to the aligned silhouette `(size, size)`, or why there is none.
        sizes: The sizes in which it can be prepared; the first is the usual one.
        one_size: All frames of a sequence have the same size, since the camera stood still.
        least_frames: A sequence of fewer is left out.
        options: What else the preparation depends on; kept in the manifest.
    """

    name: str
    layout: Layout
    align: Align = align_silhouette
    sizes: tuple[int, ...] = (64, 128)
    one_size: bool = False
    least_frames: int = 1
    options: Mapping[str, Any] = field(default_factory=dict)


def prepare_silhouettes(
    kind: RawSilhouettes,
    raw: str | Path,
    out: str | Path,
    *,
    dataset: str | None = None,
    size: int | None = None,
    compact: bool = False,
    num_processes: int | None = None,
    skip_bad: bool = False,
    progress: Progress | None = None,
) -> Store:
    """Align the silhouettes of a tree or of archives of image files and make a store of them.

    The work is done by processes; call it under `if __name__ == "__main__":`.

    Args:
        kind: Which data set.
        raw: The folder of the tree, a folder of archives, or an archive (of the tree, or of archives).
        out: The store's folder; must not exist.
        dataset: Name of the data set; that of `kind` when None.
        size: Height and width of the aligned silhouettes in pixels, one of `kind.sizes`; the first when None.
        compact: One bit per pixel; grey becomes white from 128 on.
        num_processes: How many; as many as there are cores when None.
        skip_bad: Leave out damaged files and list them, instead of stopping at the first.
        progress: Told how many sequences (of archives that are not opened yet: archives) of how many are done.

    Raises:
        FileNotFoundError: when `raw` does not exist.
        FileExistsError: when `out` exists.
        ValueError: when there are no frames, or one is damaged; the message names it.
        OSError: when the disk is full.
    """
    raw, num_processes = Path(raw), num_processes or num_cores()
    dataset, size = dataset or kind.name, size or kind.sizes[0]
    if size not in kind.sizes:
        raise ValueError(f"{kind.name} can't be prepared in {size}×{size} pixels; give {_or(kind.sizes)}")
    sources = find_sources(raw, kind.layout)
    formats = {"silhouettes": FrameFormat((size, size), "uint8", compact)}
    made = {"command": f"prepare {kind.name}", "source": str(raw.resolve()), "size": size, "compact": compact}
    with StoreWriter(out, dataset=dataset, modalities=formats, made={**made, **kind.options}) as writer:
        done = frozenset(writer)
        to_do = [source for source in sources if source.key is None or "-".join(source.key) not in done]
        prepare = partial(prepare_source, kind=kind, size=size)
        # how many results wait in memory at most: single sequences, or whole archives
        window = num_processes * (8 if all(source.key for source in sources) else 2)
        with closing(in_order(process_pool(num_processes), prepare, load(to_do, done), window)) as results:
            for number, sequences in enumerate(results, start=len(sources) - len(to_do) + 1):
                for sequence in sequences:
                    write(sequence, writer, skip_bad=skip_bad)
                if progress:
                    progress(number, len(sources))
        note_missing(writer, dataset)
    return Store(out)


def prepare_source(work: Work, *, kind: RawSilhouettes, size: int) -> list[Prepared]:
    """Read and align the frames of a source; an archive that can't be read counts as one damaged sequence."""
    label = work.source.label
    if f"{label}-*-*" in work.done:
        return []
    try:
        sequences = files_of(work, kind.layout)
    except ValueError as error:
        return [Prepared(label, "*", "*", damage=[LeftOut("sequence", DAMAGED, detail=str(error))])]
    return [
        align_sequence(key, files, kind=kind, size=size)
        for key, files in sequences.items()
        if "-".join(key) not in work.done
    ]


def align_sequence(key: SequenceKey, files: Mapping[str, bytes], *, kind: RawSilhouettes, size: int) -> Prepared:
    """Align the frames of a sequence.

    Args:
        key: Subject, condition, view.
        files: Name -> content of the files; the frames follow each other by name.
        kind: The data set's rules.
        size: Height and width of an aligned silhouette.
    """
    prepared = Prepared(*key)
    frames: list[tuple[str, Grey]] = []
    problems: list[str] = []
    for name in sorted(files):
        try:
            frames += [(name, frame) for frame in read_frames(name, files[name])]
        except ValueError as error:
            problems.append(str(error))
    usual = Counter(frame.shape for _, frame in frames).most_common(1)
    aligned: list[Grey] = []
    reasons: Counter[str] = Counter()
    for name, frame in frames:
        if kind.one_size and frame.shape != usual[0][0]:
            problems.append(f"{name} has {_pixels(frame)} pixels, the sequence {usual[0][0][1]}×{usual[0][0][0]}")
            continue
        result = kind.align(frame, size)
        if isinstance(result, DropReason):
            reasons[result.value] += 1
        elif result.shape != (size, size):
            problems.append(f"{name} has {_pixels(frame)} pixels, expected {size}×{size}, as {kind.name} comes")
        else:
            aligned.append(result)
    prepared.damage = [LeftOut("frames", DAMAGED, detail=problem) for problem in problems]
    prepared.left_out = [LeftOut("frames", reason, count) for reason, count in sorted(reasons.items())]
    if not files:
        prepared.left_out.append(LeftOut("sequence", NO_FILES))
    elif aligned and len(aligned) < kind.least_frames:
        prepared.left_out.append(LeftOut("sequence", f"fewer than {kind.least_frames} frames"))
    elif aligned:
        prepared.frames = {"silhouettes": np.stack(aligned)}
    return prepared


def read_frames(name: str, content: bytes) -> list[Grey]:
    """The grey frames in a file: one in an image, any number in a pickled array.

    Raises:
        ValueError: when the file is damaged; the message names it.
    """
    if name.endswith(".pkl"):
        array = unpickle_array(content, name)
        if array.ndim != 3 or array.dtype != np.uint8:
            raise ValueError(f"{name} has shape {array.shape} of {array.dtype}, expected (frames, h, w) of uint8")
        return list(array)
    image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_GRAYSCALE) if content else None
    if image is None:
        raise ValueError(f"{name} is damaged or no {name.rpartition('.')[2].upper()} ({len(content)} bytes)")
    return [np.asarray(image, dtype=np.uint8)]


def note_missing(writer: StoreWriter, dataset: str) -> None:
    """List the views and conditions of which the raw data hold nothing, where the data set is known to have them."""
    if dataset not in list_partitions():
        return
    partition = load_partition(dataset)
    present = {tuple(name.split("-", 1)[1].rsplit("-", 1)) for name in writer}
    for what, position, known in (("condition", 0, partition.types), ("view", 1, partition.views)):
        for name in sorted(set(known) - {names[position] for names in present}):
            detail = f"no sequence has the {what} {name}, which {dataset} has; is a folder or an archive lacking?"
            entry = ("*", name, "*") if what == "condition" else ("*", "*", name)
            writer.add(*entry, {}, [LeftOut(what, MISSING, detail=detail)])


def _pixels(frame: Grey) -> str:
    return f"{frame.shape[1]}×{frame.shape[0]}"


def _or(sizes: tuple[int, ...]) -> str:
    return " or ".join(map(str, sizes))
