"""What walkers wear: everyday clothes and hair that never change, and a coat for the condition cl."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from gaitway.data.walkers.body import Body, follow
from gaitway.data.walkers.skeleton import SEGMENT, Floats

_POINTS_PER_SQUARE_METRE = 8_000
_TRUNK = ("pelvis", "lumbar", "thorax", "shoulder_left", "shoulder_right")
_UPPER_ARMS = ("upper_arm_left", "upper_arm_right")
_FOREARMS = ("forearm_left", "forearm_right")
_THIGHS = ("thigh_left", "thigh_right")
_SHANKS = ("shank_left", "shank_right")


@dataclass(frozen=True, slots=True)
class Outfit:
    """Everyday clothes and hair, in metres that they stand off the body."""

    top: float
    sleeves: float
    trousers: float
    trouser_legs: float
    hair: float
    hair_below: float
    """How far below the eyes the hair reaches at the back."""


@dataclass(frozen=True, slots=True)
class Coat:
    """A coat: how far trunk and sleeves stand off the body, where its hem is, how wide it falls; metres.

    `length` is where the hem is on the leg: 0 at the hip, 1 at the ankle. `flare` is how much half the width of the
    hem exceeds that of the hip, per metre of length. `collar` is the width of the collar or the hood on the back.
    """

    trunk: float
    sleeves: float
    length: float
    flare: float
    collar: float


def draw_outfit(rng: np.random.Generator) -> Outfit:
    """Draw a person's everyday clothes and hair."""
    long_hair = rng.random() < 0.35
    return Outfit(
        top=rng.uniform(0.004, 0.022),
        sleeves=rng.uniform(0.003, 0.016),
        trousers=rng.uniform(0.003, 0.016),
        trouser_legs=rng.uniform(0.004, 0.028),
        hair=rng.uniform(0.018, 0.04) if long_hair else rng.uniform(0.004, 0.024),
        hair_below=rng.uniform(0.12, 0.30) if long_hair else 0.06,
    )


def draw_coat(rng: np.random.Generator) -> Coat:
    """Draw a person's coat: a short padded jacket, a coat, or a long coat."""
    kind = rng.choice(["jacket", "coat", "long coat"], p=[0.3, 0.4, 0.3])
    length = {"jacket": (0.05, 0.22), "coat": (0.25, 0.45), "long coat": (0.5, 0.75)}[kind]
    trunk = {"jacket": (0.05, 0.10), "coat": (0.035, 0.08), "long coat": (0.03, 0.065)}[kind]
    return Coat(
        trunk=rng.uniform(*trunk),
        sleeves=rng.uniform(0.018, 0.045),
        length=rng.uniform(*length),
        flare=rng.uniform(0.02, 0.16),
        collar=rng.uniform(0.005, 0.07),
    )


def dress(body: Body, outfit: Outfit) -> Body:
    """Put everyday clothes and hair on a body."""
    knee, ankle = (body.joints[SEGMENT[f"{name}_left"], 2] for name in ("shank", "foot"))
    down_the_shank = np.clip((knee - body.points[:, 2]) / (knee - ankle), 0, 1)
    padding = (
        outfit.top * body.share(*_TRUNK)
        + outfit.sleeves * body.share(*_UPPER_ARMS, *_FOREARMS)
        + outfit.trousers * body.share(*_THIGHS)
        + (outfit.trousers + (outfit.trouser_legs - outfit.trousers) * down_the_shank) * body.share(*_SHANKS)
    )
    eyes = body.face[1:3].mean(axis=0)
    behind = body.points[:, 0] < body.face[3:, 0].mean() + 0.01  # behind the ears
    scalp = body.segment("head") & (
        (body.points[:, 2] > eyes[2] + 0.05) | (behind & (body.points[:, 2] > eyes[2] - outfit.hair_below))
    )
    padding += outfit.hair * scalp
    if outfit.hair_below > 0.1:  # it falls over the neck and on the back
        nape = (body.segment("neck") | body.segment("thorax")) & (body.normals[:, 0] < -0.2)
        nape &= np.abs(body.points[:, 1]) < 0.09
        padding += outfit.hair * nape * (body.points[:, 2] > eyes[2] - outfit.hair_below)
    return replace(body, points=body.points + padding[:, None] * body.normals)


def wear_coat(body: Body, coat: Coat, rng: np.random.Generator) -> Body:
    """Put a coat over a dressed body; `rng` scatters the points of its skirt."""
    wrist = body.joints[SEGMENT["hand_left"], 2]
    sleeve = body.share(*_UPPER_ARMS, *_FOREARMS) * (body.points[:, 2] > wrist + 0.02)
    padding = coat.trunk * body.share(*_TRUNK) + coat.sleeves * sleeve
    padding += coat.collar * body.share("neck") * np.where(body.normals[:, 0] < 0, 1.0, 0.4)
    thighs = body.share(*_THIGHS) * (body.points[:, 2] > body.joints[SEGMENT["thigh_left"], 2] - 0.1)
    padding += 0.6 * coat.trunk * thighs
    clothed = replace(body, points=body.points + padding[:, None] * body.normals)
    points, normals, weights = _skirt(clothed, coat, rng)
    return clothed.with_points(points, normals, weights)


def _skirt(body: Body, coat: Coat, rng: np.random.Generator) -> tuple[Floats, Floats, Floats]:
    """The part of a coat below the waist: a tube around the hips that falls freely and is pushed by the thighs."""
    hip, ankle = body.joints[SEGMENT["thigh_left"], 2], body.joints[SEGMENT["foot_left"], 2]
    top, hem = hip + 0.16, hip - coat.length * (hip - ankle)
    around = body.points[(np.abs(body.points[:, 2] - hip) < 0.10) & (body.share("pelvis", *_THIGHS) > 0.5)]
    low, high = around[:, :2].min(axis=0), around[:, :2].max(axis=0)
    center, radii = (low + high) / 2, (high - low) / 2

    wide = radii + coat.flare * (hip - hem)
    num_points = int(2 * np.pi * wide.mean() * (top - hem) * _POINTS_PER_SQUARE_METRE)
    angle = 2 * np.pi * (np.arange(num_points) + rng.random(num_points)) / num_points
    down = rng.random(num_points)  # 0 at the waist, 1 at the hem
    z = top + (hem - top) * down
    below = np.clip(hip - z, 0, None)
    direction = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    squarish = direction / (np.abs(direction) ** 2.6).sum(axis=1, keepdims=True) ** (1 / 2.6)
    narrower = 1 - 0.10 * np.clip((z - hip) / 0.16, 0, 1)  # towards the waist
    points = np.concatenate(
        [center + squarish * (radii * narrower[:, None] + coat.flare * below[:, None]), z[:, None]], axis=1
    )
    pushed = 0.7 * np.clip(below / 0.5, 0, 1) ** 0.7
    left = 0.5 + 0.5 * np.sin(angle)
    weights = follow(
        num_points,
        pelvis=0.6 * (1 - pushed),
        skirt=0.4 * (1 - pushed),
        thigh_left=pushed * left,
        thigh_right=pushed * (1 - left),
    )
    normals = np.concatenate([direction, np.zeros((num_points, 1))], axis=1)
    return points, normals, weights
