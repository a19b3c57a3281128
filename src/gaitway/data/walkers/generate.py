"""From a seed and a number to all recordings of one walker."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gaitway.data.walkers.body import Body, draw_shape, make_body
from gaitway.data.walkers.camera import VIEWS, camera_of, draw_silhouettes
from gaitway.data.walkers.carrying import Bag, carry, draw_bag, load_of
from gaitway.data.walkers.clothing import draw_coat, draw_outfit, dress, wear_coat
from gaitway.data.walkers.gait import Load, walk
from gaitway.data.walkers.keypoints import detect, hidden, joints_of
from gaitway.data.walkers.segmentation import draw_faults, spoil
from gaitway.data.walkers.skeleton import Floats, Pose, turn
from gaitway.data.walkers.skinning import Skin
from gaitway.data.walkers.style import Style, draw_style, vary_style

CONDITIONS = ("bg-01", "bg-02", "cl-01", "cl-02", "nm-01", "nm-02", "nm-03", "nm-04", "nm-05", "nm-06")
"""The conditions of CASIA-B, sorted: with a bag, in a coat, normal."""


@dataclass(frozen=True, slots=True)
class Walker:
    """An identity: a body in everyday clothes, with the bag and in the coat; a way of walking; the bag."""

    bodies: dict[str, Body]
    style: Style
    bag: Bag


@dataclass(frozen=True, slots=True)
class Recording:
    """A sequence as recorded: `frames` `(t, 240, 320)` uint8 silhouettes, `poses` `(t, 17, 3)` x, y, confidence."""

    subject: str
    condition: str
    view: str
    frames: NDArray[np.uint8]
    poses: NDArray[np.float32]


def make_walker(seed: int, identity: int) -> Walker:
    """Draw the identity with this number (from 1) of the population with this seed."""
    rng = _random(seed, identity, "who")
    naked = make_body(draw_shape(rng), rng)
    style = draw_style(rng)
    body = dress(naked, draw_outfit(rng))
    bag = draw_bag(rng)
    coat = draw_coat(rng)
    return Walker({"nm": body, "bg": carry(body, bag, rng), "cl": wear_coat(body, coat, rng)}, style, bag)


def record(
    seed: int,
    identity: int,
    *,
    num_frames: int,
    conditions: Sequence[str] = CONDITIONS,
    views: Sequence[str] = VIEWS,
) -> Iterator[Recording]:
    """Let an identity walk and record it, in the order of conditions and views.

    What comes out depends on the arguments alone; a view or a condition is the same whether others are recorded or
    not.

    Args:
        seed: Which population.
        identity: Number of the identity in it, from 1; names the subject.
        num_frames: Frames per sequence, at 25 per second.
        conditions: Some of `CONDITIONS`.
        views: Some of `VIEWS`.

    Raises:
        ModuleNotFoundError: when Anny isn't installed.
    """
    walker = make_walker(seed, identity)
    skins = {kind: Skin(walker.bodies[kind]) for kind in sorted({name[:2] for name in conditions})}
    for condition in conditions:
        kind = condition[:2]
        rng = _random(seed, identity, condition)
        body = walker.bodies[kind]
        pose = walk(
            body,
            vary_style(walker.style, rng),
            num_frames=num_frames,
            phase=rng.random(),
            load=load_of(walker.bag) if kind == "bg" else Load(),
            rng=rng,
        )
        pose = _cross_the_room(pose, rng)
        points = skins[kind].place(pose)
        joints = joints_of(pose, body)
        for view in views:
            rng = _random(seed, identity, f"{condition}-{view}")
            camera = camera_of(view)
            clean = draw_silhouettes(points, camera)
            frames = spoil(clean, draw_faults(VIEWS.index(view), rng), rng)
            poses = detect(joints, hidden(joints, pose, camera), camera, rng)
            yield Recording(f"{identity:03d}", condition, view, frames, poses)


def _random(seed: int, identity: int, what: str) -> np.random.Generator:
    return np.random.default_rng([seed, identity, zlib.crc32(what.encode())])


def _cross_the_room(pose: Pose, rng: np.random.Generator) -> Pose:
    """Nobody walks exactly through the middle of the room, nor exactly straight."""
    heading: Floats = turn("z", rng.normal(0, 2.0))
    start = np.array([rng.normal(0, 0.15), rng.normal(0, 0.10), 0.0])
    return Pose(heading @ pose.rotations, pose.joints @ heading.T + start)
