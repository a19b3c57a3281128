"""The folders and files in which data sets are distributed, for writing walkers in the same way.

A layout says which recordings of a walker it takes, what a sequence's folder is called, and how frames are stored.
Subjects are named as in the data set's partition, by turns one of the training and one of the test part, so that what
is prepared from the files can be trained on and evaluated by the data set's own recipes and protocols. Walkers have
fewer views, clothes and cameras than some data sets: a name says nothing of what is to be seen.
"""

from __future__ import annotations

import pickle
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from gaitway.data.partitions import load_partition
from gaitway.data.pretreatment import DropReason, align_silhouette
from gaitway.data.walkers.camera import VIEWS
from gaitway.data.walkers.generate import CONDITIONS

Frames = NDArray[np.uint8]
Recording = tuple[str, str, str, NDArray[Any]]
"""Subject, condition and view as in `walkers`, and the frames `(t, …)`: rendered, or from a store."""

OUMVLP_VIEWS = ("000", "015", "030", "045", "060", "075", "090", "180", "195", "210", "225", "240", "255", "270")
CCPG_OUTFITS = {
    "nm-01": "U0_D0",
    "bg-01": "U0_D0_BG",
    "cl-01": "U1_D1",
    "cl-02": "U2_D2",
    "nm-02": "U3_D3",
    "nm-03": "U0_D3",
    "nm-04": "U1_D0",
}
SUSTECH1K_CONDITIONS = {"nm-01": "00-nm", "nm-02": "01-nm", "bg-01": "02-bg", "cl-01": "02-cl", "nm-03": "01-nt"}
GREW_TEST = {
    ("nm-01", "036"): "gallery",
    ("nm-02", "090"): "gallery",
    ("nm-03", "036"): "probe",
    ("nm-04", "090"): "probe",
}


@dataclass(frozen=True, slots=True)
class RawLayout:
    """How a data set lies as distributed.

    Args:
        folder_of: From a walker's number (from 1), condition and view to the folder of the sequence, or None where the
            data set has no place for it.
        write: Writes the frames of a sequence into its folder.
        conditions: The conditions of walkers that it takes.
        views: The views of walkers that it takes.
        modality: What the frames are: raw silhouettes `(t, 240, 320)`, or poses `(t, 17, 3)` in their pixels.
    """

    folder_of: Callable[[int, str, str], str | None]
    write: Callable[[Path, NDArray[Any]], None]
    conditions: Sequence[str] = CONDITIONS
    views: Sequence[str] = VIEWS
    modality: Literal["silhouettes", "poses"] = "silhouettes"


def write_recordings(recordings: Iterable[Recording], folder: Path, layout: RawLayout) -> int:
    """Write recordings as files below a folder.

    Args:
        recordings: Of walkers; their subjects are numbers.
        folder: The folder of the data set.
        layout: Which data set's.

    Returns:
        How many sequences were written: those for which the layout has a place.
    """
    written = 0
    for subject, condition, view, frames in recordings:
        name = layout.folder_of(int(subject), condition, view)
        if name is not None:
            (folder / name).mkdir(parents=True, exist_ok=True)
            layout.write(folder / name, frames)
            written += 1
    return written


def _subject(dataset: str, number: int) -> str:
    """The name of the walker with this number: 1, 3, … are in the training part, 2, 4, … in the test part."""
    train, test = _parts(dataset)
    part = test if number % 2 == 0 else train
    if (number - 1) // 2 >= len(part):
        raise ValueError(f"{dataset} has {len(train)} training and {len(test)} test subjects; give fewer identities")
    return part[(number - 1) // 2]


@cache
def _parts(dataset: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    partition = load_partition(dataset)
    return partition.train, tuple(name for name in partition.test if name != "probe")


@cache
def _listed_probes() -> dict[str, str]:
    """Gait3D's probe of each test subject: condition and view."""
    return {name.split("-")[0]: name.split("-", 1)[1] for name in load_partition("gait3d").probe}


def _video(number: int, condition: str, view: str) -> str:
    """A name of eight characters, as GREW's videos have."""
    return f"{zlib.crc32(f'{number}-{condition}-{view}'.encode()):08X}"


def _casia_b(number: int, condition: str, view: str) -> str:
    return f"{number:03d}/{condition}/{view}"


def _oumvlp(number: int, condition: str, view: str) -> str | None:
    sequence, place = f"{(int(condition[-1]) - 1) % 2:02d}", VIEWS.index(view)
    if condition in ("nm-03", "nm-04"):  # for the views that walkers don't have
        place += len(VIEWS)
    if place >= len(OUMVLP_VIEWS):
        return None
    return f"Silhouette_{OUMVLP_VIEWS[place]}-{sequence}/{_subject('oumvlp', number)}"


def _grew(number: int, condition: str, view: str) -> str | None:
    """By turns a training subject, a test subject and a distractor."""
    kind, subject, video = number % 3, f"{(number + 2) // 3:05d}", _video(number, condition, view)
    if kind == 1:
        return f"train/{subject}/{video}"
    if kind == 0:
        return f"distractor/{video}"
    part = GREW_TEST.get((condition, view))
    return {"gallery": f"test/gallery/{subject}/{video}", "probe": f"test/probe/{video}", None: None}[part]


def _gait3d(number: int, condition: str, view: str) -> str:
    subject = _subject("gait3d", number)
    if (condition, view) == ("nm-01", "090") and subject in _listed_probes():
        return f"{subject}/{_listed_probes()[subject].replace('-', '/')}"
    # no listed probe has a video of such a number
    return f"{subject}/camid{VIEWS.index(view)}_videoid{20 + CONDITIONS.index(condition)}/seq0"


def _casia_e(number: int, condition: str, view: str) -> str:
    walk, take = condition.split("-")
    scene, of_scene = ("scene1", int(take)) if condition in ("nm-01", "nm-02") else ("scene2", 1 + (int(take) - 1) % 2)
    height = "L" if condition in ("nm-05", "nm-06") else "H"
    subject = _subject("casia-e", number)
    part = "forTrain" if int(subject) <= 500 else "forVal" if int(subject) <= 614 else "forTest"
    return f"{part}/{subject}/{height}/{scene}/{walk}/{15 * VIEWS.index(view):03d}/{of_scene}"


def _ccpg(number: int, condition: str, view: str) -> str:
    return f"{_subject('ccpg', number)}/{CCPG_OUTFITS[condition]}/{VIEWS.index(view):02d}_0"


def _sustech1k(number: int, condition: str, view: str) -> str:
    return f"{_subject('sustech1k', number)}/{SUSTECH1K_CONDITIONS[condition]}/{45 * VIEWS.index(view):03d}"


def _hid(number: int, condition: str, view: str) -> str:
    subject = _subject("hid2022", number)
    if number % 2 == 0 and condition == "nm-02":
        return f"probe/{_video(number, condition, view)}"
    return f"{subject}/{_video(number, condition, view)}"


def _png(folder: Path, name: str, frame: Frames) -> None:
    content = cv2.imencode(".png", frame, [cv2.IMWRITE_PNG_COMPRESSION, 3])[1].tobytes()
    (folder / name).write_bytes(content)


def _write_casia_b(folder: Path, frames: Frames) -> None:
    stem = "-".join(folder.parts[-3:])
    for number, frame in enumerate(frames, start=1):
        _png(folder, f"{stem}-{number:03d}.png", frame)


def _write_numbered(folder: Path, frames: Frames) -> None:
    for number, frame in enumerate(frames, start=1):
        _png(folder, f"{number:04d}.png", frame)


def _write_grew(folder: Path, frames: Frames) -> None:
    """Aligned frames, and beside the folder their mean."""
    aligned = _aligned(frames, 64)
    for number, frame in enumerate(aligned, start=1):
        _png(folder, f"{number:05d}.png", frame)
    _png(folder.parent, f"{folder.name}_gei.png", aligned.mean(axis=0).astype(np.uint8))


def _write_hid(folder: Path, frames: Frames) -> None:
    _write_numbered(folder, _aligned(frames, 128))


def _write_gait3d(folder: Path, frames: Frames) -> None:
    """Each frame is the box around the person, with a margin."""
    for number, frame in enumerate(frames, start=11_627):
        _png(folder, f"human_crop_f{number}.png", _cropped(frame))


def _write_casia_e(folder: Path, frames: Frames) -> None:
    for number, frame in enumerate(_aligned(frames, 128), start=1):
        content = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()
        (folder / f"{number:04d}.jpg").write_bytes(content)


def _write_ccpg(folder: Path, frames: Frames) -> None:
    """A picture, grey here, and its silhouette."""
    for number, frame in enumerate(frames, start=1):
        picture = cv2.cvtColor(_cropped(frame) // 2 + 60, cv2.COLOR_GRAY2BGR)
        (folder / f"{number:04d}.jpg").write_bytes(cv2.imencode(".jpg", picture)[1].tobytes())
        _png(folder, f"{number:04d}.png", _cropped(frame))


def _write_sustech1k(folder: Path, frames: Frames) -> None:
    """Aligned and raw masks, of the 16 files of a sequence."""
    (folder / "06-Camera-Sils_aligned.pkl").write_bytes(pickle.dumps(_aligned(frames, 64)))
    (folder / "07-Camera-Sils_raw.pkl").write_bytes(pickle.dumps([_cropped(frame) for frame in frames]))


def _aligned(frames: Frames, size: int) -> Frames:
    results = [align_silhouette(frame, size) for frame in frames]
    return np.stack([result for result in results if not isinstance(result, DropReason)])


def _cropped(frame: Frames) -> Frames:
    x, y, width, height = cv2.boundingRect(frame)
    margin = height // 8
    return np.pad(frame[y : y + height, x : x + width], margin)


NORMAL = ("nm-01", "nm-02", "nm-03", "nm-04")

RAW_LAYOUTS: dict[str, RawLayout] = {
    "casia-b": RawLayout(_casia_b, _write_casia_b),
    "casia-e": RawLayout(_casia_e, _write_casia_e, views=VIEWS[::2]),
    "ccpg": RawLayout(_ccpg, _write_ccpg, tuple(CCPG_OUTFITS), VIEWS[::2]),
    "gait3d": RawLayout(_gait3d, _write_gait3d, ("nm-01", "nm-02"), VIEWS[1:9:2]),
    "grew": RawLayout(_grew, _write_grew, NORMAL, ("036", "090")),
    "hid": RawLayout(_hid, _write_hid, ("nm-01", "nm-02"), VIEWS[::2]),
    "oumvlp": RawLayout(_oumvlp, _write_numbered, NORMAL),
    "sustech1k": RawLayout(_sustech1k, _write_sustech1k, tuple(SUSTECH1K_CONDITIONS), VIEWS[:8]),
}
"""By the word after `--raw` of `gaitway data walkers`."""
