"""The files in which poses are distributed: pickled arrays, text and JSON per frame, CSV with a row per frame.

Whatever the file, what is read are frames, and in each frame the people who were detected, `(v, c)` each: x, y and, if
the file gives it, the confidence. Nothing is chosen or mended here.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from gaitway.data.datasets.pickles import unpickle_array
from gaitway.data.datasets.sources import SequenceKey
from gaitway.skeletons import COCO17, OPENPOSE18

Joints = npt.NDArray[np.float64]
"""A person in a frame, `(v, c)` with 2 or 3 channels."""
People = list[Joints]

SHAPES = {v * c: (v, c) for v in (COCO17.num_joints, OPENPOSE18.num_joints) for c in (2, 3)}
LAST_NUMBER = re.compile(r"\d+(?=\D*$)")
FRAME_DIGITS = 6  # to which numbers of frames are filled up, so that they follow each other as text


def read_people(name: str, content: bytes) -> list[People]:
    """The people in each frame of a file, by the suffix of its name.

    Args:
        name: Path of the file; `.pkl`, `.txt`, `.json`, or that of a row of a CSV file.
        content: Its bytes.

    Returns:
        The frames, one for all files but pickled arrays; nobody may be in them.

    Raises:
        ValueError: when the file is damaged or holds something else; the message names it.
    """
    return _READERS.get(PurePosixPath(name).suffix, from_row)(name, content)


def from_pickle(name: str, content: bytes) -> list[People]:
    """A pickled array `(t, v, c)`, one person in each frame; it is read without executing it."""
    array = unpickle_array(content, name)
    if array.ndim != 3 or array.shape[2] not in (2, 3):
        raise ValueError(
            f"{name} has shape {array.shape} of {array.dtype}, expected poses (frames, joints, 3) of x, y, confidence"
        )
    return [[person] for person in array.astype(np.float64)]


def from_text(name: str, content: bytes) -> list[People]:
    """Numbers with commas between them: the height and width of the picture, then x, y, confidence of each joint."""
    words = re.split(r"[,\s]+", _text(name, content).strip())
    return [[_joints(name, words[2:], "after the first two ")]]


def from_row(name: str, content: bytes) -> list[People]:
    """A row of a CSV file without the name of its frame: x, y, confidence of each joint; NaN where a cell is empty."""
    return [[_joints(name, [cell.strip() or "nan" for cell in _text(name, content).split(",")])]]


def from_json(name: str, content: bytes) -> list[People]:
    """What OpenPose writes, `{"people": [{"pose_keypoints_2d": […]}]}`, or COCO's form, `[{"keypoints": […]}]`."""
    text = _text(name, content)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{name} is damaged or no JSON ({error})") from error
    people, key = value, "keypoints"
    if isinstance(value, dict):
        people, key = value.get("people"), "pose_keypoints_2d"
    is_list = isinstance(people, list)
    if not is_list or not all(isinstance(person, dict) and isinstance(person.get(key), list) for person in people):
        raise ValueError(
            f'{name} holds no list of people, expected {{"people": [{{"pose_keypoints_2d": [x, y, confidence, …]}}]}} '
            'as of OpenPose, or [{"keypoints": […]}] as of COCO'
        )
    return [[_joints(name, person[key]) for person in people]]


def rows_by_sequence(
    name: str, content: bytes, key_of: Callable[[str], SequenceKey | None]
) -> dict[SequenceKey, dict[str, bytes]]:
    """The rows of a CSV file by sequence, as if each were a file in a folder that has the name of the CSV file.

    A row is the name of the frame, such as `001-nm-01-090-012.png`, and x, y, confidence of each joint. A first line of
    column names is passed over. Rows follow each other by the number at the end of the frame's name.

    Args:
        name: Path of the CSV file.
        content: Its bytes.
        key_of: From the name of a frame to subject, condition and view.

    Raises:
        ValueError: when a frame's name tells no sequence or comes twice; the message gives the line.
    """
    found: dict[SequenceKey, dict[str, bytes]] = {}
    try:
        table = list(csv.reader(io.StringIO(_text(name, content))))
    except csv.Error as error:
        raise ValueError(f"{name} is damaged or no CSV ({error})") from error
    for number, row in enumerate(table, start=1):
        if not row or (number == 1 and not any(map(_is_number, row[1:]))):
            continue
        key = key_of(row[0])
        if key is None:
            raise ValueError(
                f"{name}, line {number} begins with {row[0]!r}, expected the name of a frame that tells subject, "
                "condition, view and frame, such as 001-nm-01-090-012.png"
            )
        frames = found.setdefault(key, {})
        path = f"{name}/{LAST_NUMBER.sub(lambda digits: digits[0].zfill(FRAME_DIGITS), row[0])}"
        if path in frames:
            raise ValueError(f"{name}, line {number}: the frame {row[0]} comes twice; remove one")
        frames[path] = ",".join(row[1:]).encode()
    return found


_READERS: Mapping[str, Callable[[str, bytes], list[People]]] = {
    ".pkl": from_pickle,
    ".txt": from_text,
    ".json": from_json,
}


def _joints(name: str, values: Iterable[Any], where: str = "") -> Joints:
    """Numbers in a row as joints."""
    try:
        numbers = np.array([float(value) for value in values])
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{name} holds something that is no number ({error})") from error
    if len(numbers) not in SHAPES:
        raise ValueError(
            f"{name} holds {len(numbers)} numbers {where}for a person, expected 51 or 54, x, y and confidence of 17 or "
            "18 joints, or 34 or 36 without confidences"
        )
    return numbers.reshape(SHAPES[len(numbers)])


def _text(name: str, content: bytes) -> str:
    if not content.strip():
        raise ValueError(f"{name} is empty ({len(content)} bytes)")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{name} is damaged or no text ({len(content)} bytes; {error.reason})") from error


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
