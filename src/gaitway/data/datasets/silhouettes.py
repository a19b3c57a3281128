"""From the silhouettes of a data set as distributed to a store: what all such data sets share.

A data set is a `RawSilhouettes`: how its files lie, which rule aligns a frame. Reading folders and archives, working on
many cores, resuming, and reporting what is damaged or left out are the same for all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from gaitway.data.datasets.pickles import unpickle_array
from gaitway.data.datasets.preparing import DAMAGED, NO_FILES, Prepared, Progress, num_cores
from gaitway.data.datasets.sequences import note_missing, write_sequences
from gaitway.data.datasets.sources import Layout, SequenceKey, find_sources
from gaitway.data.pretreatment import DropReason, align_silhouette
from gaitway.data.store import FrameFormat, LeftOut, Store
from gaitway.data.store_writer import StoreWriter

Grey = npt.NDArray[np.uint8]
Align = Callable[[Grey, int], Grey | DropReason]


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
        write_sequences(
            writer,
            sources,
            kind.layout,
            partial(align_sequence, kind=kind, size=size),
            num_processes=num_processes,
            skip_bad=skip_bad,
            progress=progress,
        )
        note_missing(writer, dataset)
    return Store(out)


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


def _pixels(frame: Grey) -> str:
    return f"{frame.shape[1]}×{frame.shape[0]}"


def _or(sizes: tuple[int, ...]) -> str:
    return " or ".join(map(str, sizes))
