"""What becomes of the files of a sequence of poses, good and bad."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from gaitway.data.datasets.pose_files import read_people
from gaitway.data.datasets.poses import pose_sequence
from gaitway.data.datasets.preparing import Prepared
from gaitway.data.store import LeftOut
from gaitway.skeletons import COCO17, OPENPOSE18, OPENPOSE18_TO_COCO17, Skeleton

KEY = ("001", "nm-01", "000")
RNG = np.random.default_rng(0)
POSES = np.round(RNG.uniform(1, 200, (4, 17, 3)), 3)


def text(pose: npt.NDArray[Any]) -> bytes:
    return ",".join(["240", "320", *map(str, pose.ravel().tolist())]).encode()


def openpose(*people: npt.NDArray[Any]) -> bytes:
    return json.dumps({"people": [{"pose_keypoints_2d": pose.ravel().tolist()} for pose in people]}).encode()


def prepared(files: Mapping[str, bytes], target: Skeleton = COCO17) -> Prepared:
    return pose_sequence(KEY, files, target=target)


def test_frames_follow_each_other_by_name() -> None:
    files = {f"{number}_2d_pose.txt": text(POSES[number]) for number in (2, 0, 3, 1)}
    found = prepared(files)
    np.testing.assert_array_equal(found.frames["poses"], POSES)
    assert (found.left_out, found.damage) == ([], [])


def test_missing_joints_are_marked_and_counted() -> None:
    poses = POSES.copy()
    poses[0, 3] = 0, 0, 0.4  # not found, whatever the confidence says
    poses[1, 4, 0] = np.nan
    poses[1, 5, 2] = np.inf
    poses[1, 6, 1] = 1e39  # more than float32 holds
    poses[2] = 0
    poses[3, 7, 0] = 0  # one coordinate alone may be 0
    found = prepared({f"{number}.txt": text(pose) for number, pose in enumerate(poses)})
    expected = POSES.copy()
    expected[0, 3] = expected[1, 4:7] = expected[2] = expected[3, 7, 0] = 0
    np.testing.assert_array_equal(found.frames["poses"], expected)
    assert found.left_out == [
        LeftOut("frames", "kept without any joint, marked by confidence 0", 1),
        LeftOut("joints", "NaN or infinite, marked by confidence 0", 3),
        LeftOut("joints", "not found, marked by confidence 0", 18),
    ]
    assert found.damage == []


def test_frames_without_people_are_dropped_and_others_passed_over() -> None:
    files = {"1.json": openpose(POSES[0]), "2.json": openpose(), "3.json": openpose(POSES[1], POSES[2], POSES[3])}
    found = prepared(files)
    np.testing.assert_array_equal(found.frames["poses"], POSES[:2])
    assert found.left_out == [
        LeftOut("frames", "nobody in them", 1),
        LeftOut("people", "in a frame beside the person chosen", 2),
    ]
    nobody = prepared({"1.json": openpose()})
    assert (nobody.frames, nobody.left_out) == ({}, [LeftOut("frames", "nobody in them", 1)])


def test_confidences_that_are_missing_become_1_and_are_counted() -> None:
    missing = POSES[1, :, :2].copy()
    missing[5] = 0
    found = prepared({"1.json": openpose(POSES[0]), "2.json": openpose(missing)})
    poses = found.frames["poses"]
    np.testing.assert_array_equal(poses[0], POSES[0])
    np.testing.assert_array_equal(poses[1, :, :2], missing)
    assert poses[1, :, 2].tolist() == [1.0] * 5 + [0.0] + [1.0] * 11
    assert LeftOut("confidences", "not in the file, taken as 1", 1) in found.left_out


def test_18_joints_become_17_and_not_the_other_way() -> None:
    poses = RNG.uniform(1, 200, (2, 18, 3))
    files = {"000.pkl": poses.dumps()}
    np.testing.assert_array_equal(prepared(files).frames["poses"], poses[:, OPENPOSE18_TO_COCO17])
    np.testing.assert_array_equal(prepared(files, OPENPOSE18).frames["poses"], poses)
    (damage,) = prepared({"000.pkl": POSES.dumps()}, OPENPOSE18).damage
    assert damage.detail == "000.pkl has 17 joints, expected 18 (openpose18); prepare with --joints coco17"


def test_frames_with_other_joints_than_the_sequence_are_damaged() -> None:
    other = RNG.uniform(1, 200, (18, 3))
    found = prepared({"1.json": openpose(POSES[0]), "2.json": openpose(other), "3.json": openpose(POSES[1])})
    np.testing.assert_array_equal(found.frames["poses"], POSES[:2])
    assert found.damage == [LeftOut("frames", "damaged", detail="2.json has 18 joints, the sequence 17")]


NUMBERS = "holds 5 numbers for a person, expected 51 or 54"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("1.txt", b"", "1.txt is empty (0 bytes)"),
        ("1.txt", b" \n", "1.txt is empty (2 bytes)"),
        ("1.txt", b"240,320,1,2,3", "1.txt holds 3 numbers after the first two for a person, expected 51 or 54"),
        ("1.txt", b"240,320,1,x,3", "1.txt holds something that is no number (could not convert string to float: 'x'"),
        ("1.txt", b"\xff\xfe\x00", "1.txt is damaged or no text (3 bytes; invalid start byte)"),
        ("1.json", b'{"people": [', "1.json is damaged or no JSON (Expecting value"),
        ("1.json", b"[" * 100_000, "1.json is damaged or no JSON (maximum recursion depth"),
        ("1.json", b"1" * 5_000, "1.json is damaged or no JSON (Exceeds the limit"),
        ("1.json", b'{"bodies": []}', "1.json holds no list of people"),
        ("1.json", b"7", "1.json holds no list of people"),
        ("1.json", b'{"people": [{"joints": []}]}', "1.json holds no list of people"),
        ("1.json", b'{"people": ["me"]}', "1.json holds no list of people"),
        ("1.json", b'{"people": [{"pose_keypoints_2d": [1, 2, 3, 4, 5]}]}', f"1.json {NUMBERS}"),
        ("1.json", b'[{"keypoints": [1, 2, 3, 4, null]}]', "1.json holds something that is no number"),
        ("1.json", b'[{"keypoints": [1%s]}]' % (b"0" * 400), "1.json holds something that is no number (int too large"),
        ("1.pkl", np.zeros((3, 17, 5)).dumps(), "1.pkl has shape (3, 17, 5) of float64, expected poses"),
        ("1.pkl", b"cos\nsystem\n(S'true'\ntR.", "1.pkl is not read: it asks for os.system"),
        ("1.pkl", b"\x80\x04", "1.pkl is damaged or no pickle of an array"),
    ],
)
def test_bad_files_are_named(name: str, content: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=r"^1\.") as error:
        read_people(name, content)
    assert str(error.value).startswith(message)
    found = prepared({name: content})
    (damage,) = found.damage
    assert (damage.detail, found.frames) == (str(error.value), {})


def test_a_folder_without_files_or_with_the_same_poses_twice() -> None:
    assert prepared({}).left_out == [LeftOut("sequence", "no files in the folder")]
    (damage,) = prepared({"a/000.pkl": POSES.dumps(), "a/001.pkl": POSES.dumps()}).damage
    assert damage.detail == (
        "a holds 000.pkl, 001.pkl, expected one pickle, or frames of one kind; move the others away"
    )
