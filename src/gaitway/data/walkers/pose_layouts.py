"""The files in which poses are distributed, for writing those of walkers in the same way.

Folders and names of subjects are those of the data set's silhouettes (`layouts`), so that both fit together. Where
OpenPose's joints are asked for, the neck is put between the shoulders. Now and then somebody else is in the picture of
OUMVLP, and first in the list.
"""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gaitway.data.walkers.camera import FRAME_HEIGHT, FRAME_WIDTH
from gaitway.data.walkers.layouts import RAW_LAYOUTS, RawLayout
from gaitway.skeletons import COCO17, OPENPOSE18_TO_COCO17, OPENPOSE_JOINTS

Poses = NDArray[np.float32]
NECK = OPENPOSE_JOINTS.index("neck")
SHOULDERS = COCO17.index("left_shoulder", "right_shoulder")
EVERY = 4  # frames, of which the second shows somebody else too


def with_neck(poses: Poses) -> Poses:
    """COCO's 17 joints `(t, 17, 3)` as OpenPose's 18; the neck is as sure as the less sure shoulder."""
    shoulders = poses[:, SHOULDERS]
    neck = np.concatenate([shoulders[..., :2].mean(axis=1), shoulders[..., 2:].min(axis=1)], axis=1)
    joints = np.empty((len(poses), len(OPENPOSE_JOINTS), 3), np.float32)
    joints[:, OPENPOSE18_TO_COCO17] = poses
    joints[:, NECK] = neck
    return joints


def _somebody_else(poses: Poses) -> Poses:
    """The mirror image of the poses, half the picture's width away."""
    middle = poses[..., 0].mean(axis=1, keepdims=True)
    away = np.where(middle < FRAME_WIDTH / 2, FRAME_WIDTH / 2, -FRAME_WIDTH / 2)
    others = poses.copy()
    others[..., 0] = np.clip(2 * middle - poses[..., 0] + away, 0, FRAME_WIDTH - 1)
    return others


def _write_array(folder: Path, poses: Poses) -> None:
    """An array in float64, and the list of its frames."""
    (folder / f"{folder.name}.pkl").write_bytes(pickle.dumps(poses.astype(np.float64)))
    (folder / "mapping.txt").write_text("".join(f"{number}\n" for number in range(1, len(poses) + 1)))


def _write_csv(folder: Path, poses: Poses) -> None:
    """A row per frame below the names of the columns."""
    stem = "-".join(folder.parts[-3:])
    columns = [f"{joint}_{channel}" for joint in COCO17.joints for channel in ("x", "y", "confidence")]
    rows = [",".join([f"{stem}-{number:03d}.png", *_numbers(pose)]) for number, pose in enumerate(poses, start=1)]
    (folder / f"{folder.name}.csv").write_text("\n".join([",".join(["image", *columns]), *rows]) + "\n")


def _write_ccpg(folder: Path, poses: Poses) -> None:
    (folder / f"{folder.name}-pose.pkl").write_bytes(pickle.dumps(poses))


def _write_sustech1k(folder: Path, poses: Poses) -> None:
    """Poses and the size of the picture, of the 16 files of a sequence."""
    (folder / "03-Camera-Pose.pkl").write_bytes(pickle.dumps(poses.astype(np.float64)))
    (folder / "04-Camera-Size.pkl").write_bytes(pickle.dumps(np.array([[FRAME_HEIGHT, FRAME_WIDTH]] * len(poses))))


def _write_gait3d(folder: Path, poses: Poses) -> None:
    for number, pose in enumerate(poses, start=11_627):
        (folder / f"human_crop_f{number}.txt").write_text(_line(pose))


def _write_grew(folder: Path, poses: Poses) -> None:
    """The 2-D poses, and the files beside them that aren't read."""
    for number, pose in enumerate(poses, start=1):
        (folder / f"{number:05d}_2d_pose.txt").write_text(_line(pose))
        (folder / f"{number:05d}_3d_pose.txt").write_text("0,0,0\n")


def _write_oumvlp(folder: Path, poses: Poses) -> None:
    """A JSON file per frame as OpenPose writes it; the first subject's are named otherwise."""
    people, others = with_neck(poses), with_neck(_somebody_else(poses))
    subject = folder.parent.name
    for number, (person, other) in enumerate(zip(people, others, strict=True), start=1):
        shown = [other, person] if number % EVERY == 2 else [person]
        found = {"people": [{"pose_keypoints_2d": _rounded(joints)} for joints in shown]}
        name = f"{subject}_{number:04d}.json" if int(subject) == 1 else f"{number:04d}_keypoints.json"
        (folder / name).write_text(json.dumps(found))


def _line(pose: Poses) -> str:
    """Height and width of the picture, then the joints."""
    return ",".join([str(FRAME_HEIGHT), str(FRAME_WIDTH), *_numbers(pose)]) + "\n"


def _numbers(pose: Poses) -> list[str]:
    return [f"{value:.6g}" for value in pose.ravel().tolist()]


def _rounded(pose: Poses) -> list[float]:
    return [round(value, 4) for value in pose.ravel().tolist()]


def _oumvlp_folder(number: int, condition: str, view: str) -> str | None:
    """`00001/000_00` for `Silhouette_000-00/00001`."""
    folder = RAW_LAYOUTS["oumvlp"].folder_of(number, condition, view)
    if folder is None:
        return None
    recording, _, subject = folder.partition("/")
    return f"{subject}/{recording.removeprefix('Silhouette_').replace('-', '_')}"


POSE_LAYOUTS: dict[str, RawLayout] = {
    "casia-b-pose": replace(RAW_LAYOUTS["casia-b"], write=_write_array, modality="poses"),
    "casia-b-pose-csv": replace(RAW_LAYOUTS["casia-b"], write=_write_csv, modality="poses"),
    "ccpg-pose": replace(RAW_LAYOUTS["ccpg"], write=_write_ccpg, modality="poses"),
    "gait3d-pose": replace(RAW_LAYOUTS["gait3d"], write=_write_gait3d, modality="poses"),
    "grew-pose": replace(RAW_LAYOUTS["grew"], write=_write_grew, modality="poses"),
    "oumvlp-pose": replace(RAW_LAYOUTS["oumvlp"], folder_of=_oumvlp_folder, write=_write_oumvlp, modality="poses"),
    "sustech1k-pose": replace(RAW_LAYOUTS["sustech1k"], write=_write_sustech1k, modality="poses"),
}
"""By the word after `--raw` of `gaitway data walkers`."""
