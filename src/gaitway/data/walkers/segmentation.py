"""What background subtraction does to a clean silhouette: ragged edges, holes, lost feet, shadows, specks.

Contrast belongs to a place, so most faults do too: to the background (they stay where they are while the person walks
through them) or to the clothes (they walk with the person). Only a small part flickers from frame to frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Frames = NDArray[np.uint8]
Field = NDArray[np.float32]

CAMERA_BIAS = (0.15, -0.12, 0.06, -0.17, 0.11, -0.05, 0.18, -0.12, 0.08, -0.15, 0.03)
"""How much too much (or too little) the segmentation of each of the eleven cameras takes for the person."""

_MARGIN = 6


@dataclass(frozen=True, slots=True)
class Faults:
    """How bad the segmentation of a sequence is.

    Args:
        edge: How far edges wander, as noise on a blurred mask (0.33 is about a pixel).
        flicker: The part of that noise that is new in each frame.
        bias: Positive where too much, negative where too little is taken for the person.
        holes: Share of the body that's missing in holes, about.
        feet: Rows that are lost at the feet, on average, in pixels.
        head: Rows that are lost at the head.
        shadow: Rows of shadow below the feet.
        speck: Chance of a speck far from the body at any time.
    """

    edge: float
    flicker: float
    bias: float
    holes: float
    feet: float
    head: float
    shadow: float
    speck: float


def draw_faults(camera: int, rng: np.random.Generator) -> Faults:
    """Draw the faults of one sequence from one camera (0 to 10)."""
    return Faults(
        edge=rng.uniform(0.06, 0.17),
        flicker=rng.uniform(0.04, 0.09),
        bias=CAMERA_BIAS[camera] + rng.normal(0, 0.04),
        holes=max(rng.normal(-0.01, 0.015), 0.0),
        feet=max(rng.normal(0.0, 1.3), 0.0),
        head=max(rng.normal(-1.0, 0.8), 0.0),
        shadow=max(rng.normal(-1.0, 1.5), 0.0),
        speck=0.01 * (rng.random() < 0.08),
    )


def spoil(frames: Frames, faults: Faults, rng: np.random.Generator) -> Frames:
    """Segment a sequence badly.

    Args:
        frames: `(t, h, w)` clean silhouettes, 0 and 255; none is empty.
        faults: How badly.
        rng: Draws where.

    Returns:
        `(t, h, w)`, 0 and 255.
    """
    t, height, width = frames.shape
    background, clothes, patches = _field(rng, height, width, 1.6), _field(rng, height, width, 1.6), None
    if faults.holes > 0:
        patches = _field(rng, height, width, 3.5)
        hole_level = float(np.quantile(patches[::4, ::4], 1 - faults.holes))
    fresh = _field(rng, height, width, 1.2)
    feet = _wandering(rng, t, faults.feet)
    head = _wandering(rng, t, faults.head)
    shadow = _wandering(rng, t, faults.shadow)
    shadow_side = rng.choice([-1, 1])

    spoilt = np.zeros_like(frames)
    for k, frame in enumerate(frames):
        x, y, w, h = cv2.boundingRect(frame)
        top, left = max(y - _MARGIN, 0), max(x - _MARGIN, 0)
        bottom, right = min(y + h + _MARGIN, height), min(x + w + _MARGIN, width)
        region = frame[top:bottom, left:right].copy()
        rows, columns = region.shape
        if shadow[k] >= 1:
            _add_shadow(region, int(shadow[k]), int(shadow_side))
        soft = cv2.GaussianBlur(region, (5, 5), 1.2).astype(np.float32) / 255
        there = background[top:bottom, left:right]
        worn = clothes[:rows, :columns]
        dy, dx = rng.integers(0, height - rows + 1), rng.integers(0, width - columns + 1)
        now = fresh[dy : dy + rows, dx : dx + columns]
        soft += 0.7 * faults.edge * (there + worn) + faults.flicker * now + faults.bias
        person = soft > 0.5
        if patches is not None:
            person &= patches[:rows, :columns] + 0.25 * now < hole_level
        near = cv2.dilate(region, np.ones((3, 3), np.uint8)) > 0  # noise in the open background is filtered out
        person &= near
        lost_head, lost_feet = round(head[k]), round(feet[k])
        person[: y - top + lost_head] &= lost_head == 0
        if lost_feet:
            person[y - top + h - lost_feet :] = False
        spoilt[k, top:bottom, left:right] = person * np.uint8(255)
    _add_specks(spoilt, faults.speck, rng)
    return spoilt


def _field(rng: np.random.Generator, height: int, width: int, grain: float) -> Field:
    """Smooth noise of standard deviation 1, about `grain` pixels coarse."""
    noise = cv2.GaussianBlur(rng.standard_normal((height, width), dtype=np.float32), (0, 0), grain)
    return np.asarray(noise / noise.std(), dtype=np.float32)


def _wandering(rng: np.random.Generator, t: int, mean: float) -> NDArray[np.float64]:
    """A non-negative quantity that wanders slowly around a mean, over t frames."""
    steps = rng.standard_normal(t)
    value = np.empty(t)
    value[0] = steps[0]
    for k in range(1, t):  # an autoregressive process of first order
        value[k] = 0.85 * value[k - 1] + 0.53 * steps[k]
    return np.clip(mean * (1 + 0.6 * value), 0, None)


def _add_shadow(region: Frames, rows: int, side: int) -> None:
    """Smear the lowest rows of the feet down and sideways."""
    lowest = int(np.flatnonzero(region.any(axis=1))[-1])
    feet = region[max(lowest - 2, 0) : lowest + 1].max(axis=0)
    for k in range(1, rows + 1):
        row = lowest + k
        if row < len(region):
            region[row] = np.roll(feet, 2 * k * side)


def _add_specks(frames: Frames, chance: float, rng: np.random.Generator) -> None:
    """Now and then something else moves in the room for a few frames."""
    t, height, width = frames.shape
    for start in np.flatnonzero(rng.random(t) < chance):
        y, x = rng.integers(10, height - 10), rng.integers(10, width - 10)
        frames[start : start + 4, y : y + rng.integers(1, 4), x : x + rng.integers(1, 4)] = 255
