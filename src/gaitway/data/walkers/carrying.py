"""What walkers carry in the condition bg: a backpack, a shoulder bag or a hand bag, and how it changes their walk."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from gaitway.data.walkers.body import Body, follow
from gaitway.data.walkers.gait import Load
from gaitway.data.walkers.skeleton import SEGMENT, Floats

_POINTS_PER_SQUARE_METRE = 9_000


@dataclass(frozen=True, slots=True)
class Bag:
    """A bag: `size` is its extent forward, sideways and up in metres; `side` where it is carried."""

    kind: Literal["backpack", "shoulder bag", "hand bag"]
    side: Literal["left", "right"]
    size: tuple[float, float, float]
    strap: float
    weight: float
    """0 empty to 1 heavy: how much it changes the walk."""


def draw_bag(rng: np.random.Generator) -> Bag:
    """Draw a person's bag."""
    kind: Literal["backpack", "shoulder bag", "hand bag"] = rng.choice(["backpack", "shoulder bag", "hand bag"])
    side: Literal["left", "right"] = rng.choice(["left", "right"], p=[0.4, 0.6])
    low, high = {
        "backpack": ((0.08, 0.24, 0.32), (0.17, 0.32, 0.46)),
        "shoulder bag": ((0.22, 0.06, 0.16), (0.36, 0.12, 0.28)),
        "hand bag": ((0.22, 0.06, 0.16), (0.36, 0.13, 0.30)),
    }[kind]
    length, width, height = rng.uniform(low, high)
    return Bag(kind, side, (length, width, height), strap=rng.uniform(0.0, 0.12), weight=rng.random())


def load_of(bag: Bag) -> Load:
    """What the bag does to the walk."""
    left = bag.side == "left"

    def on_its_side(value: float, other: float) -> tuple[float, float]:
        return (value, other) if left else (other, value)

    away = (0.5 + 0.5 * bag.weight) * (-1.0 if left else 1.0)
    match bag.kind:
        case "backpack":
            swing = 0.95 - 0.2 * bag.weight
            return Load(arm_swing=(swing, swing), trunk_lean=1.0 + 3.0 * bag.weight)
        case "shoulder bag":
            return Load(
                bag_on="thorax",
                arm_swing=on_its_side(0.6, 0.95),
                arm_out=on_its_side(5.0, 0.0),
                elbow_bend=on_its_side(5.0, 0.0),
                trunk_bend=1.2 * away,
                bag_swing=3.0,
            )
        case "hand bag":
            return Load(
                bag_on=f"hand_{bag.side}",
                arm_swing=on_its_side(0.65 - 0.2 * bag.weight, 0.97),
                arm_out=on_its_side(3.0, 0.0),
                elbow_bend=on_its_side(-8.0, 0.0),
                trunk_bend=2.0 * away,
                bag_swing=5.0,
            )


def carry(body: Body, bag: Bag, rng: np.random.Generator) -> Body:
    """Hang a bag on a dressed body; `rng` scatters its points."""
    sign = 1.0 if bag.side == "left" else -1.0
    size = np.array(bag.size)
    if bag.kind == "backpack":
        thorax = body.points[body.segment("thorax") | body.segment("lumbar")]
        back = np.quantile(thorax[:, 0], 0.02)
        top = body.joints[SEGMENT["upper_arm_left"], 2] + 0.03
        points, normals = _box(np.array([back - 0.42 * size[0], 0.0, top - size[2] / 2 - bag.strap]), size, rng)
        return body.with_points(points, normals, follow(len(points), thorax=0.8, lumbar=0.2))

    if bag.kind == "shoulder bag":
        shoulder = body.joints[SEGMENT[f"upper_arm_{bag.side}"]]
        held = np.array([shoulder[0], 0.75 * shoulder[1], shoulder[2] + 0.06])
        hip = body.points[np.abs(body.points[:, 2] - body.joints[SEGMENT["pelvis"], 2]) < 0.05]
        hip = hip[np.abs(hip[:, 1]) < 0.9 * abs(shoulder[1])]
        outside = np.abs(hip[:, 1]).max() + 0.4 * size[1]
        center = np.array([held[0] - 0.03, sign * outside, body.joints[SEGMENT["pelvis"], 2] - 0.4 * bag.strap])
        ends = center[None] + np.array([[0.4, 0, 0.5], [-0.4, 0, 0.5]]) * size
    else:
        held = body.points[body.segment(f"hand_{bag.side}")].mean(axis=0) - [0.0, 0.0, 0.03]
        center = held - [0.0, 0.0, 0.5 * size[2] + 0.05 + 0.6 * bag.strap]
        ends = center[None] + np.array([[0.25, 0, 0.5], [-0.25, 0, 0.5]]) * size
    box, normals = _box(center, size, rng)
    straps = np.concatenate([_strap(held, end, rng) for end in ends])
    points = np.concatenate([box, straps])
    normals = np.concatenate([normals, np.zeros_like(straps)])
    joints = body.joints.copy()
    joints[SEGMENT["bag"]] = held
    return replace(body, joints=joints).with_points(points, normals, follow(len(points), bag=1.0))


def _box(center: Floats, size: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Points and normals on a box with rounded edges."""
    faces = np.array([size[1] * size[2], size[0] * size[2], size[0] * size[1]])
    num_points = int(2 * faces.sum() * _POINTS_PER_SQUARE_METRE)
    axis = rng.choice(3, num_points, p=faces / faces.sum())
    cube = rng.uniform(-1, 1, (num_points, 3))
    cube[np.arange(num_points), axis] = rng.choice([-1.0, 1.0], num_points)
    rounded = cube / (np.abs(cube) ** 6).sum(axis=1, keepdims=True) ** (1 / 6)
    return center + rounded * size / 2, rounded / np.linalg.norm(rounded, axis=1, keepdims=True)


def _strap(start: Floats, end: Floats, rng: np.random.Generator) -> Floats:
    """Points of a strap 3 cm wide."""
    num_points = int(np.linalg.norm(end - start) * 400)
    along = rng.random((num_points, 1))
    return np.asarray(start + along * (end - start) + rng.uniform(-0.015, 0.015, (num_points, 3)))
