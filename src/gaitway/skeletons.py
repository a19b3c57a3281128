"""Skeletons as data: which joints a pose has, in which order, how they are connected, and which parts they form.

Joint orders are those of COCO (arXiv 1405.0312) and OpenPose (arXiv 1812.08008; AlphaPose's 18 joints of OUMVLP-Pose
are the same); edges, parents and parts are those that FastPoseGait's models were trained with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

COCO_JOINTS = (
    "nose",
    "left_eye",
    "right_eye",
    "left_ear",
    "right_ear",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_hip",
    "right_hip",
    "left_knee",
    "right_knee",
    "left_ankle",
    "right_ankle",
)
"""The 17 of COCO, in its order."""

OPENPOSE_JOINTS = (
    "nose",
    "neck",
    "right_shoulder",
    "right_elbow",
    "right_wrist",
    "left_shoulder",
    "left_elbow",
    "left_wrist",
    "right_hip",
    "right_knee",
    "right_ankle",
    "left_hip",
    "left_knee",
    "left_ankle",
    "right_eye",
    "left_eye",
    "right_ear",
    "left_ear",
)
"""The 18 of OpenPose and of both kinds of poses in OUMVLP-Pose."""

Parts = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, eq=False)
class Skeleton:
    """Joints by name, and what is built on them by index.

    Args:
        name: What recipes call it.
        joints: Names in the order of the arrays, `left_…` and `right_…` where a joint has a partner.
        edges: Pairs of connected joints.
        parents: For every joint the one that its bone begins at: bone v = joint v - joint parents[v]. As published
            these don't form a tree.
        center: The joint that coordinates are taken relative to.
        partitions: Divisions of the joints into parts, by name; the parts in the order of what is pooled over them.
    """

    name: str
    joints: tuple[str, ...]
    edges: tuple[tuple[int, int], ...]
    parents: tuple[int, ...]
    center: int
    partitions: Mapping[str, Parts] = field(default_factory=dict)

    @property
    def num_joints(self) -> int:
        """Joints v."""
        return len(self.joints)

    @cached_property
    def mirrored(self) -> tuple[int, ...]:
        """For every joint its partner on the other side of the body, itself in the middle."""
        other = {"left": "right", "right": "left"}
        partners = []
        for joint in self.joints:
            side, _, rest = joint.partition("_")
            partners.append(self.joints.index(f"{other[side]}_{rest}" if side in other else joint))
        return tuple(partners)

    def index(self, *joints: str) -> tuple[int, ...]:
        """Where joints are in the arrays."""
        return tuple(self.joints.index(joint) for joint in joints)


_HEAD, _ARMS, _LEGS = (0, 1, 2, 3, 4), (5, 6, 7, 8, 9, 10), (11, 12, 13, 14, 15, 16)

COCO17 = Skeleton(
    name="coco17",
    joints=COCO_JOINTS,
    edges=(
        *((0, 1), (0, 2), (1, 3), (2, 4), (3, 5), (4, 6)),  # head; the ears are connected to the shoulders
        *((5, 6), (5, 7), (7, 9), (6, 8), (8, 10)),
        *((5, 11), (6, 12), (11, 12), (11, 13), (13, 15), (12, 14), (14, 16)),
    ),
    parents=(5, 0, 0, 1, 2, 0, 0, 5, 6, 7, 8, 5, 6, 11, 12, 13, 14),
    center=0,
    partitions={
        "body": {"body": tuple(range(17))},
        "limbs and head": {
            "left arm": (5, 7, 9),
            "right arm": (6, 8, 10),
            "left leg": (11, 13, 15),
            "right leg": (12, 14, 16),
            "head": _HEAD,
        },
        "upper and lower body": {"upper body": _ARMS + _HEAD, "lower body": _LEGS},
        "arms and the rest": {"arms": _ARMS, "legs and head": _LEGS + _HEAD},
        "arms, legs and head": {"arms": _ARMS, "legs": _LEGS, "head": _HEAD},
        "crossed limbs and head": {
            "left arm and right leg": (5, 7, 9, 12, 14, 16),
            "right arm and left leg": (6, 8, 10, 11, 13, 15),
            "head": _HEAD,
        },
    },
)
"""COCO's 17 joints."""

COCO12 = Skeleton(
    name="coco12",
    joints=COCO_JOINTS[5:],
    edges=(
        *((0, 1), (0, 2), (2, 4), (1, 3), (3, 5)),
        *((0, 6), (1, 7), (6, 7), (6, 8), (8, 10), (7, 9), (9, 11)),
    ),
    parents=(3, 1, 0, 2, 4, 0, 6, 8, 10, 7, 9, 11),
    center=0,
    partitions={
        "body": {"body": tuple(range(12))},
        "limbs": {"left arm": (0, 2, 4), "right arm": (1, 3, 5), "left leg": (6, 8, 10), "right leg": (7, 9, 11)},
        "upper and lower body": {"upper body": (0, 1, 2, 3, 4, 5), "lower body": (6, 7, 8, 9, 10, 11)},
        "crossed limbs": {
            "left arm and right leg": (0, 2, 4, 7, 9, 11),
            "right arm and left leg": (1, 3, 5, 6, 8, 10),
        },
    },
)
"""COCO's joints without the head, of which joint v is COCO's v + 5; GPGait's joint angles."""

OPENPOSE18 = Skeleton(
    name="openpose18",
    joints=OPENPOSE_JOINTS,
    edges=(
        *((0, 1), (0, 14), (0, 15), (14, 16), (15, 17)),
        *((1, 2), (2, 3), (3, 4), (1, 5), (5, 6), (6, 7)),
        *((1, 8), (8, 9), (9, 10), (1, 11), (11, 12), (12, 13)),
    ),
    parents=(1, 1, 1, 2, 3, 1, 5, 6, 2, 8, 9, 5, 11, 12, 0, 0, 14, 15),
    center=1,
)
"""OpenPose's 18 joints."""

SKELETONS = {skeleton.name: skeleton for skeleton in (COCO17, COCO12, OPENPOSE18)}
"""Skeletons by name."""

OPENPOSE18_TO_COCO17 = OPENPOSE18.index(*COCO_JOINTS)
"""Which of OpenPose's joints is each of COCO's; the neck has no place among them."""


def skeleton_of(num_joints: int) -> Skeleton | None:
    """The skeleton that recorded poses of so many joints have, if it is known."""
    return {COCO17.num_joints: COCO17, OPENPOSE18.num_joints: OPENPOSE18}.get(num_joints)


def skeleton(name: str) -> Skeleton:
    """The skeleton called `name`.

    Raises:
        ValueError: when there is none.
    """
    if name not in SKELETONS:
        raise ValueError(f"no skeleton {name!r}; known are {', '.join(sorted(SKELETONS))}")
    return SKELETONS[name]
