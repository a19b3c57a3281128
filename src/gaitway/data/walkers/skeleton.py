"""The segments of a walker and where they are when its joints turn.

Axes: x forward (the walking direction), y to the walker's left, z up; metres. The reference pose is standing upright
with hanging arms, so a joint angle of zero means what it means in gait analysis.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_TRUNK = (("pelvis", ""), ("lumbar", "pelvis"), ("thorax", "lumbar"), ("neck", "thorax"), ("head", "neck"))
_SIDE = (
    ("shoulder", "thorax"),
    ("upper_arm", "shoulder"),
    ("forearm", "upper_arm"),
    ("hand", "forearm"),
    ("thigh", "pelvis"),
    ("shank", "thigh"),
    ("foot", "shank"),
    ("toes", "foot"),
)
_CENTRAL = {"pelvis", "thorax"}

PARENTS: dict[str, str] = dict(_TRUNK)
for _side in ("left", "right"):
    PARENTS |= {f"{name}_{_side}": up if up in _CENTRAL else f"{up}_{_side}" for name, up in _SIDE}
PARENTS |= {"skirt": "pelvis", "bag": ""}
"""Segment → the segment that it hangs on. A coat's skirt swings below the pelvis; a bag hangs on what it is given."""

SEGMENTS = tuple(PARENTS)
SEGMENT = {name: number for number, name in enumerate(SEGMENTS)}


@dataclass(frozen=True, slots=True)
class Pose:
    """Where the segments are in each frame: `rotations` `(t, s, 3, 3)` in the room, `joints` `(t, s, 3)` in metres."""

    rotations: Floats
    joints: Floats

    def __len__(self) -> int:
        return len(self.joints)


def turn(axis: str, degrees: Floats | float) -> Floats:
    """Rotation matrices `(..., 3, 3)` about an axis `x`, `y` or `z`."""
    angle = np.deg2rad(degrees)
    first, second = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    matrix = np.zeros((*angle.shape, 3, 3))
    matrix[...] = np.eye(3)
    matrix[..., first, first] = matrix[..., second, second] = np.cos(angle)
    matrix[..., second, first] = np.sin(angle)
    matrix[..., first, second] = -np.sin(angle)
    return matrix


def turn_onto(source: Floats, target: Floats) -> Floats:
    """The smallest rotation `(3, 3)` that turns one direction into another (Rodrigues' formula)."""
    a, b = source / np.linalg.norm(source), target / np.linalg.norm(target)
    x, y, z = np.cross(a, b)
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    return np.asarray(np.eye(3) + cross + cross @ cross / (1.0 + a @ b))


def pose_segments(joints: Floats, turns: dict[str, Floats], pelvis: Floats, bag_on: str = "pelvis") -> Pose:
    """Forward kinematics.

    Args:
        joints: `(s, 3)` where each segment begins in the reference pose.
        turns: Segment → `(t, 3, 3)` rotation relative to its parent; a segment without turns moves with its parent.
            A bag's turns are relative to the room: it hangs.
        pelvis: `(t, 3)` position of the pelvis.
        bag_on: The segment that the bag hangs on.
    """
    t = len(pelvis)
    still = np.broadcast_to(np.eye(3), (t, 3, 3))
    rotations = np.empty((t, len(SEGMENTS), 3, 3))
    positions = np.empty((t, len(SEGMENTS), 3))
    for name, number in SEGMENT.items():
        own = turns.get(name, still)
        if name == "pelvis":
            rotations[:, number], positions[:, number] = own, pelvis
            continue
        parent = SEGMENT[bag_on if name == "bag" else PARENTS[name]]
        rotations[:, number] = own if name == "bag" and name in turns else rotations[:, parent] @ own
        positions[:, number] = positions[:, parent] + rotations[:, parent] @ (joints[number] - joints[parent])
    return Pose(rotations, positions)
