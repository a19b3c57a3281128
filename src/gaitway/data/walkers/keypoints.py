"""The 17 COCO joints as a detector would see them: in pixels, with noise, less sure of what is hidden."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gaitway.data.walkers.body import Body
from gaitway.data.walkers.camera import Camera
from gaitway.data.walkers.skeleton import SEGMENT, Floats, Pose

_LIMB_JOINTS = [
    SEGMENT[f"{segment}_{side}"]
    for segment in ("upper_arm", "forearm", "hand", "thigh", "shank", "foot")
    for side in ("left", "right")
]
_MIRRORED = np.array([0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15])
_ERROR = np.array([1.0, 0.9, 0.9, 1.1, 1.1, 1.5, 1.5, 1.6, 1.6, 1.7, 1.7, 2.2, 2.2, 1.7, 1.7, 1.6, 1.6])
"""Standard deviation per joint in per cent of the person's height; COCO's own annotators differ in the same order."""

# body parts that hide joints: from, to (segments), radius in metres, joints that they don't hide
_PARTS: tuple[tuple[str, str, float, tuple[int, ...]], ...] = (
    ("pelvis", "neck", 0.10, (5, 6, 11, 12)),
    ("head", "head", 0.08, (0, 1, 2, 3, 4)),
    *(
        part
        for side, first in (("left", 0), ("right", 1))
        for part in (
            (f"upper_arm_{side}", f"forearm_{side}", 0.045, (5 + first, 7 + first)),
            (f"forearm_{side}", f"hand_{side}", 0.035, (7 + first, 9 + first)),
            (f"thigh_{side}", f"shank_{side}", 0.065, (11 + first, 13 + first)),
            (f"shank_{side}", f"foot_{side}", 0.05, (13 + first, 15 + first)),
        )
    ),
)


def joints_of(pose: Pose, body: Body) -> Floats:
    """The COCO joints `(t, 17, 3)` in metres."""
    head = SEGMENT["head"]
    face = (
        np.einsum("tij,kj->tki", pose.rotations[:, head], body.face - body.joints[head]) + pose.joints[:, head][:, None]
    )
    return np.concatenate([face, pose.joints[:, _LIMB_JOINTS]], axis=1)


def hidden(joints: Floats, pose: Pose, camera: Camera) -> Floats:
    """How far each joint is hidden from the camera by other parts of the body: `(t, 17)`, 0 seen to 1 hidden.

    Parts are capsules; a joint is hidden where the line of sight passes through one. A face looks one way.
    """
    start = np.stack([pose.joints[:, SEGMENT[a]] for a, *_ in _PARTS], axis=1)  # (t, parts, 3)
    end = np.stack([pose.joints[:, SEGMENT[b]] for _, b, *_ in _PARTS], axis=1)
    sight = camera.center - joints
    distance = np.linalg.norm(sight, axis=-1, keepdims=True)
    gap, along = _gap(joints, sight / distance, start, end)
    radius = np.array([r for *_, r, _ in _PARTS])
    cover = np.clip((radius - gap) / 0.03 + 0.5, 0, 1) * (along > 0.04)
    for part, (*_, spared) in enumerate(_PARTS):
        cover[:, list(spared), part] = 0
    cover = cover.max(axis=2)

    rotation = pose.rotations[:, SEGMENT["head"]]
    to_camera = camera.center - pose.joints[:, SEGMENT["head"]]
    to_camera = np.einsum("tij,ti->tj", rotation, to_camera / np.linalg.norm(to_camera, axis=1, keepdims=True))
    ahead, left = to_camera[:, 0], to_camera[:, 1]
    seen = np.stack([ahead + 0.35, ahead + 0.6 * left, ahead - 0.6 * left, left + 0.25, -left + 0.25], axis=1)
    cover[:, :5] = np.maximum(cover[:, :5], np.clip(0.5 - 3 * seen, 0, 1))
    return np.asarray(cover)


def detect(joints: Floats, covered: Floats, camera: Camera, rng: np.random.Generator) -> NDArray[np.float32]:
    """Detect the joints in the frames of one view.

    Args:
        joints: `(t, 17, 3)` metres.
        covered: `(t, 17)` from `hidden`.
        camera: Seen from here.
        rng: Draws the errors.

    Returns:
        `(t, 17, 3)`: x, y in pixels of the raw frame, confidence in [0, 1].
    """
    t = len(joints)
    pixels = camera.project(joints)
    height = np.ptp(pixels[..., 1], axis=1)[:, None]

    if covered[:, 13:].mean() > 0.15:  # in a side view the legs are taken for each other now and then
        swapped = rng.random(t) < 0.03
        pixels[swapped, 11:] = pixels[swapped][:, _MIRRORED][:, 11:]

    slow = _slow_noise(rng, (t, 17, 2))
    fast = rng.standard_normal((t, 17, 2))
    error = _ERROR / 100 * height * (0.55 + 1.1 * covered)
    pixels += error[..., None] * (0.85 * slow + 0.4 * fast)
    sureness = 0.93 - 0.5 * covered - 0.02 * np.abs(fast).sum(axis=2) + 0.03 * _slow_noise(rng, (t, 17))
    confidence = np.clip(sureness, 0.05, 0.99)
    return np.concatenate([pixels, confidence[..., None]], axis=2).astype(np.float32)


def _slow_noise(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Noise of standard deviation 1 that lasts for some frames (the first axis is time)."""
    kernel = np.exp(-0.5 * (np.arange(-6, 7) / 2.5) ** 2)
    kernel /= np.sqrt((kernel**2).sum())
    noise = rng.standard_normal((shape[0] + 12, *shape[1:]))
    windows = np.lib.stride_tricks.sliding_window_view(noise, 13, axis=0)
    return np.asarray(windows @ kernel)


def _gap(joints: Floats, sight: Floats, start: Floats, end: Floats) -> tuple[Floats, Floats]:
    """Distance `(t, 17, parts)` between lines of sight and the axes of parts, and how far along the line it is."""
    axis = (end - start)[:, None]
    offset = start[:, None] - joints[:, :, None]  # (t, 17, parts, 3)
    ray = np.broadcast_to(sight[:, :, None], offset.shape)
    a = (axis**2).sum(-1) + 1e-9
    b = (axis * ray).sum(-1)
    c = (axis * offset).sum(-1)
    d = (ray * offset).sum(-1)
    share = np.clip((b * d - c) / np.maximum(a - b**2, 1e-9), 0, 1)  # closest place on the part's axis
    along = np.maximum(d + share * b, 0)
    nearest = offset + share[..., None] * axis - along[..., None] * ray
    return np.linalg.norm(nearest, axis=-1), along
