"""Processed data sets in OpenGait's layout: `ROOT/<id>/<type>/<view>/<file>.pkl`, one pickled array per modality.

The order and the choice of files are those of ShiqiYu/OpenGait, so that row numbers and class numbers of published
checkpoints mean the same here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gaitway.data.datasets.grew import is_rearranged
from gaitway.data.datasets.pickles import read_pickled_array
from gaitway.data.datasets.poses import mark_missing
from gaitway.data.datasets.preparing import DAMAGED, NO_FILES, Prepared, Progress, in_order, write
from gaitway.data.store import FrameFormat, LeftOut, Store
from gaitway.data.store_writer import StoreWriter
from gaitway.skeletons import skeleton_of

DataInUse = Sequence[bool] | Sequence[int]
NUM_READERS = 8  # threads that wait for files; unpickling a plain array costs nothing


@dataclass(frozen=True, slots=True)
class TreeSequence:
    """A folder of the tree: who, how, seen from where, and the files of its modalities in the order of use."""

    subject: str
    condition: str
    view: str
    files: tuple[Path, ...]

    @property
    def name(self) -> str:
        """The sequence's name in partitions and protocols."""
        return f"{self.subject}-{self.condition}-{self.view}"


def find_sequences(
    root: Path, *, dataset: str, subjects: Sequence[str] | None = None, data_in_use: DataInUse | None = None
) -> list[TreeSequence]:
    """The sequences of a tree in the published order.

    Args:
        root: Folder of the subjects.
        dataset: Name of the data set; in D-Gait the condition is called `<id>-<type>`.
        subjects: Which subjects, in which order (a partition's list); those without a folder are passed over.
            All, by name, when None.
        data_in_use: Which files of a folder, over their sorted names: a mask, or positions, which also set the order.

    Returns:
        By subject as given, then condition and view by name. Folders without `.pkl` files are in the list with no
        files.

    Raises:
        ValueError: when there is nothing, or a folder has other files than `data_in_use` needs.
    """
    if not root.is_dir():
        raise FileNotFoundError(f"{root} is not a folder; give the folder that holds the folders of the subjects")
    on_disk = {folder.name: folder for folder in _folders(root)}
    if dataset.lower() == "grew" and not is_rearranged(on_disk):
        raise ValueError(
            f"{root} is GREW as distributed, it holds {', '.join(sorted(on_disk))}, expected it rearranged to "
            "00001train/00/<video>, 00001/01/<video> and probe/03/<video>; prepare the silhouettes by "
            "`gaitway prepare grew`, which rearranges them, or rearrange the tree"
        )
    sequences = [
        TreeSequence(
            subject=subject,
            condition=f"{subject}-{condition.name}" if "d-gait" in dataset.lower() else condition.name,
            view=view.name,
            files=_chosen(sorted(view.glob("*.pkl")), data_in_use, view),
        )
        for subject in (sorted(on_disk) if subjects is None else subjects)
        if subject in on_disk
        for condition in _folders(on_disk[subject])
        for view in _folders(condition)
    ]
    if not any(sequence.files for sequence in sequences):
        raise ValueError(f"{root} holds no <id>/<type>/<view>/*.pkl; give the folder that holds those of the subjects")
    return sequences


def class_label(sequence: TreeSequence, *, dataset: str, training: bool, self_supervised: bool = False) -> str:
    """The published label of a sequence; a classifier's rows are the sorted labels of the training sequences."""
    if not training:
        return sequence.subject
    if self_supervised:
        return f"{dataset}-{sequence.subject}-{sequence.condition}-{sequence.view}"
    return f"{dataset}-{sequence.subject}"


def prepare_tree(
    raw: str | Path,
    out: str | Path,
    *,
    dataset: str,
    data_in_use: DataInUse | None = None,
    compact: bool = False,
    skip_bad: bool = False,
    progress: Progress | None = None,
) -> Store:
    """Make a store of a tree of pickles; nothing that a pickle says is executed.

    An array `(t, h, w)` of uint8 becomes the modality `silhouettes` (masks of 0 and 1 become 0 and 255), `(t, v, c)`
    floats become `poses` in float32.

    Args:
        raw: Folder of the subjects.
        out: The store's folder; must not exist.
        dataset: Name of the data set, e.g. `casia-b`.
        data_in_use: Which files of a sequence's folder, as in `find_sequences`.
        compact: One bit per pixel; grey becomes white from 128 on.
        skip_bad: Leave out sequences with damaged files and list them, instead of stopping at the first.
        progress: Told how many sequences of how many are done.

    Raises:
        FileNotFoundError: when `raw` is no folder.
        FileExistsError: when `out` exists.
        ValueError: when a file is damaged or does not fit the others; the message names it.
        OSError: when the disk is full.
    """
    raw = Path(raw)
    sequences = find_sequences(raw, dataset=dataset, data_in_use=data_in_use)
    made = {"command": "prepare opengait", "source": str(raw.resolve()), "compact": compact, "data_in_use": data_in_use}
    with StoreWriter(out, dataset=dataset, modalities=_formats(sequences, compact), made=made) as writer:
        to_do = [sequence for sequence in sequences if sequence.name not in writer]
        read = partial(read_sequence, formats=writer.modalities)
        with closing(in_order(ThreadPoolExecutor(NUM_READERS), read, to_do, window=4 * NUM_READERS)) as results:
            for prepared in results:
                write(prepared, writer, skip_bad=skip_bad)
                if progress:
                    progress(len(writer), len(sequences))
    return Store(out)


def read_sequence(sequence: TreeSequence, formats: Mapping[str, FrameFormat]) -> Prepared:
    """Read the files of a sequence and check that they fit each other and the store."""
    prepared = Prepared(sequence.subject, sequence.condition, sequence.view)
    if not sequence.files:
        prepared.left_out.append(LeftOut("sequence", NO_FILES))
        return prepared
    try:
        arrays = _read_modalities(sequence)
        folder = sequence.files[0].parent
        for name, fmt in formats.items():
            if name not in arrays:
                raise ValueError(f"{folder} has no {name}, as other sequences have")
            file, frames = arrays[name]
            if frames.shape[1:] != fmt.shape:
                raise ValueError(f"{file} has frames {_size(frames.shape[1:])}, the other sequences {_size(fmt.shape)}")
            if not len(frames):
                raise ValueError(f"{file} has no frames")
        lengths = {f"{file.name} {len(frames)}" for file, frames in arrays.values()}
        if len({len(frames) for _, frames in arrays.values()}) > 1:
            raise ValueError(f"{folder} has files of different lengths ({', '.join(sorted(lengths))} frames)")
        prepared.frames = {name: frames for name, (_, frames) in arrays.items()}
        if "poses" in arrays:
            counts = Counter[tuple[str, str]]()
            prepared.frames["poses"] = mark_missing(arrays["poses"][1], counts)
            prepared.left_out = [LeftOut(what, reason, count) for (what, reason), count in sorted(counts.items())]
    except ValueError as error:
        prepared.damage.append(LeftOut("sequence", DAMAGED, detail=str(error)))
    return prepared


def _folders(folder: Path) -> list[Path]:
    """The folders in a folder by name, without hidden ones (such as `.git`) and files."""
    return sorted(entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def _chosen(files: list[Path], data_in_use: DataInUse | None, folder: Path) -> tuple[Path, ...]:
    if data_in_use is None or not files:
        return tuple(files)
    names = ", ".join(file.name for file in files)
    if all(isinstance(use, bool) for use in data_in_use):
        if len(data_in_use) != len(files):
            raise ValueError(
                f"{folder} has {len(files)} files ({names}), data_in_use says which of {len(data_in_use)} to take; "
                "give as many values, or positions"
            )
        return tuple(file for file, use in zip(files, data_in_use, strict=True) if use)
    if max(data_in_use) >= len(files) or min(data_in_use) < 0:
        raise ValueError(
            f"{folder} has {len(files)} files ({names}), data_in_use asks for the positions {list(data_in_use)}; "
            f"give positions from 0 to {len(files) - 1}"
        )
    return tuple(files[position] for position in data_in_use)


def _read_modalities(sequence: TreeSequence) -> dict[str, tuple[Path, npt.NDArray[Any]]]:
    """Modality -> file and array; what an array is shows in its type and shape."""
    found: dict[str, tuple[Path, npt.NDArray[Any]]] = {}
    for file in sequence.files:
        array = read_pickled_array(file)
        if array.ndim == 3 and array.dtype in (np.uint8, np.bool):
            name, array = "silhouettes", _grey(array)
        elif array.ndim == 3 and array.dtype.kind == "f" and array.shape[2] <= 4:
            name, array = "poses", array.astype(np.float32)
        else:
            raise ValueError(
                f"{file} has shape {array.shape} and type {array.dtype}, expected silhouettes (frames, height, width) "
                "of uint8 or poses (frames, joints, 3) of floats; choose the right files with --data-in-use"
            )
        if name in found:
            raise ValueError(f"{file} and {found[name][0].name} are both {name}; choose one of them with --data-in-use")
        found[name] = file, array
    return found


def _grey(silhouettes: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Masks of 0 and 1 become 0 and 255; other values stay."""
    if silhouettes.dtype == np.bool or (silhouettes.size and silhouettes.max() == 1):
        return silhouettes.astype(np.uint8) * np.uint8(255)
    return silhouettes


def _formats(sequences: Sequence[TreeSequence], compact: bool) -> dict[str, FrameFormat]:
    """What most of a few sequences, spread over the data set, agree on, so that one odd sequence does not decide."""
    votes: Counter[tuple[tuple[str, tuple[int, ...]], ...]] = Counter()
    error: ValueError | None = None
    with_files = [sequence for sequence in sequences if sequence.files]
    for sequence in with_files[:: max(1, len(with_files) // 5)]:
        try:
            arrays = _read_modalities(sequence)
            votes[tuple((name, frames.shape[1:]) for name, (_, frames) in arrays.items())] += 1
        except ValueError as failure:
            error = failure
    if not votes:
        assert error is not None
        raise error
    return {name: _format(name, shape, compact) for name, shape in votes.most_common(1)[0][0]}


def _format(modality: str, shape: tuple[int, ...], compact: bool) -> FrameFormat:
    if modality == "silhouettes":
        return FrameFormat(shape, "uint8", compact)
    known = skeleton_of(shape[0])
    return FrameFormat(shape, "float32", joints=known.joints if known else ())


def _size(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))
