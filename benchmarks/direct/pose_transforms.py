"""Pose transforms as the page of their definitions reads: one sequence at a time on the host, in numpy, with loops over
frames, joints and angles. The random parameters are those of our transforms, of one sequence.

An oracle for `tests/data/transforms/test_direct.py`, and what `python -m benchmarks.batches` compares the speed with.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from gaitway.data.transforms import Draws, Transform
from gaitway.pose_features import ANGLES
from gaitway.skeletons import OPENPOSE18_TO_COCO17, Skeleton, skeleton_of

Array = npt.NDArray[np.float64]
Direct = Callable[[Array, Any, Draws], Array]
"""From a sequence `(t, v, 3)`, our transform and its draws for this sequence, `(1, ...)`, to the sequence after it."""


def through(poses: npt.NDArray[Any], transforms: Sequence[Transform], draws: Sequence[Draws]) -> npt.NDArray[Any]:
    """One sequence `(t, v, 3)` through transforms, as float32 at the end."""
    frames = np.array(poses, np.float64)
    for transform, parameters in zip(transforms, draws, strict=True):
        frames = DIRECT[type(transform).__name__](frames, transform, parameters)
    return frames.astype(np.float32)


def to_coco17(x: Array, transform: Any, draws: Draws) -> Array:
    return np.stack([x[:, joint] for joint in OPENPOSE18_TO_COCO17], 1)


def select_joints(x: Array, transform: Any, draws: Draws) -> Array:
    return np.stack([x[:, _skeleton(x).joints.index(joint)] for joint in transform.joints], 1)


def normalize_empty(x: Array, transform: Any, draws: Draws) -> Array:
    for frame, joint in np.argwhere(x[:, :, 0] == 0):
        x[frame, joint] = *x[frame, :, :2].mean(0), 0
    return x


def rescale_center(x: Array, transform: Any, draws: Draws) -> Array:
    a, b = {"neck": (5, 6), "head": (1, 2), "hip": (11, 12)}[transform.center]
    for frame in x:
        frame[:, :2] *= transform.scale / (frame[:, 1].max() - frame[:, 1].min())
        frame[:, :2] -= (frame[a, :2] + frame[b, :2]) / 2
    return x


def upright_spine(x: Array, transform: Any, draws: Draws) -> Array:
    for frame in x:
        (nx, ny), (bx, by) = (frame[5, :2] + frame[6, :2]) / 2, (frame[11, :2] + frame[12, :2]) / 2
        angle = 0.0 if by == ny else math.atan((bx - nx) / (by - ny))
        cos, sin = math.cos(angle), math.sin(angle)
        for joint in frame:
            x_before, y_before = joint[0], joint[1]
            joint[0] = cos * x_before - sin * y_before + (1 - cos) * nx + sin * ny
            of_x = x_before if transform.rigid else joint[0]
            joint[1] = sin * of_x + cos * y_before + (1 - cos) * ny - sin * nx
    return x


def mirror_poses(x: Array, transform: Any, draws: Draws) -> Array:
    if draws["fires"][0]:
        x[:, :, 0] = 2 * x[:, :, 0].mean(1, keepdims=True) - x[:, :, 0]
    return x


def inverse_poses(x: Array, transform: Any, draws: Draws) -> Array:
    mirrored = list(_skeleton(x).mirrored)
    for frame, fires in zip(x, draws["fires"][0], strict=False):
        if fires:
            frame[:] = frame[mirrored]
    return x


def flip_sequence(x: Array, transform: Any, draws: Draws) -> Array:
    return x[::-1].copy() if draws["fires"][0] else x


def point_noise(x: Array, transform: Any, draws: Draws) -> Array:
    x += transform.std * draws["noise"][0, : len(x), : x.shape[1]]
    return x


def joint_noise(x: Array, transform: Any, draws: Draws) -> Array:
    for frame in x:
        frame[:, :2] += transform.std * draws["noise"][0, : x.shape[1]]
    return x


def random_move(x: Array, transform: Any, draws: Draws) -> Array:
    x[:, :, :2] += draws["by"][0] * (transform.x, transform.y)
    return x


def random_select_sequence(x: Array, transform: Any, draws: Draws) -> Array:
    start = int(draws["start"][0])
    return x[start : start + transform.num]


def select_sequence_center(x: Array, transform: Any, draws: Draws) -> Array:
    start = int(len(x) / 2 - transform.num / 2) if len(x) >= transform.num else 0
    return np.stack([x[(start + step) % len(x)] for step in range(transform.num)])


def gaittr_streams(x: Array, transform: Any, draws: Draws) -> Array:
    places, skeleton = x[:, :, :2], _skeleton(x)
    found = np.zeros((*x.shape[:2], 10))
    found[:, :, :2] = places
    for joint, parent in enumerate(skeleton.parents):
        found[:, joint, 2:4] = places[:, joint] - places[:, _center(skeleton, transform)]
        found[:, joint, 8:] = places[:, joint] - places[:, parent]
    for frame in range(len(x) - 2):
        found[frame, :, 4:6] = places[frame + 1] - places[frame]
        found[frame, :, 6:8] = places[frame + 2] - places[frame]
    return found


def gaitgraph_streams(x: Array, transform: Any, draws: Draws) -> Array:
    places, skeleton = x[:, :, :2], _skeleton(x)
    found = np.zeros((*x.shape[:2], 3, 5))
    found[:, :, 0, :3] = x
    for joint, parent in enumerate(skeleton.parents):
        found[:, joint, 0, 3:] = places[:, joint] - places[:, _center(skeleton, transform)]
        found[:, joint, 2, :2] = places[:, joint] - places[:, parent]
    for frame in range(len(x) - 2):
        found[frame, :, 1, :2] = places[frame + 1] - places[frame]
        found[frame, :, 1, 3:] = places[frame + 2] - places[frame]
    length = np.sqrt((found[:, :, 2, :2] ** 2).sum(-1)) + 1e-4
    for axis in (0, 1):
        found[:, :, 2, 3 + axis] = np.arccos(found[:, :, 2, axis] / length)
    found[:, :, 1, 3] = found[:, :, 2, 3] = x[:, :, 2]
    return found


def human_oriented_descriptors(x: Array, transform: Any, draws: Draws) -> Array:
    places, skeleton = x[:, :, :2], _skeleton(x)
    found = np.zeros((*x.shape[:2], 6))
    found[:, :, :2] = places
    for joint, parent in enumerate(skeleton.parents):
        found[:, joint, 2:4] = places[:, joint] - places[:, parent]
    for place, (at, left, right) in enumerate(ANGLES[skeleton.name]):
        corner, one = places[:, at], places[:, left]
        other = places[:, right] if right is not None else np.stack((corner[:, 0], one[:, 1]), 1)
        a, b, c = (np.sqrt(((p - q) ** 2).sum(1)) for p, q in ((corner, one), (corner, other), (one, other)))
        with np.errstate(divide="ignore", invalid="ignore"):
            cosine = (a**2 + b**2 - c**2) / (2 * a * b)
        found[:, place, 4] = np.where(a * b == 0, np.pi, np.pi - np.arccos(np.clip(cosine, -1, 1)))
    return np.nan_to_num(found)


def _skeleton(x: Array) -> Skeleton:
    skeleton = skeleton_of(x.shape[1])
    assert skeleton is not None
    return skeleton


def _center(skeleton: Skeleton, transform: Any) -> int:
    return skeleton.center if transform.center is None else skeleton.joints.index(transform.center)


DIRECT: dict[str, Direct] = {
    "FlipSequence": flip_sequence,
    "GaitGraphStreams": gaitgraph_streams,
    "GaitTRStreams": gaittr_streams,
    "HumanOrientedDescriptors": human_oriented_descriptors,
    "InversePoses": inverse_poses,
    "JointNoise": joint_noise,
    "MirrorPoses": mirror_poses,
    "NormalizeEmpty": normalize_empty,
    "PointNoise": point_noise,
    "RandomMove": random_move,
    "RandomSelectSequence": random_select_sequence,
    "RescaleCenter": rescale_center,
    "SelectJoints": select_joints,
    "SelectSequenceCenter": select_sequence_center,
    "ToCoco17": to_coco17,
    "UprightSpine": upright_spine,
}
"""By the name of our class."""
