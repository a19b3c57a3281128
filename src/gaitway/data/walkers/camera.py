"""Eleven cameras on a half circle around the walkway, as in CASIA-B; all of them record the same walk at once."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from gaitway.data.walkers.skeleton import Floats

VIEWS = ("000", "018", "036", "054", "072", "090", "108", "126", "144", "162", "180")
ELEVATIONS = (2.3, 1.0, 1.7, 0.8, 2.0, 1.3, 0.75, 1.9, 0.9, 1.7, 0.7)
"""Metres of each camera above the floor: tripods differ, so that no view is the mirror image of another."""

FRAME_HEIGHT, FRAME_WIDTH = 240, 320
DISTANCE = 4.6  # metres from the middle of the walkway
FOCAL = 300.0  # pixels: a person of 1.75 m is about 115 pixels tall


@dataclass(frozen=True, slots=True)
class Camera:
    """A pinhole camera: `projection` `(3, 4)` maps metres in the room to homogeneous pixels; `center` `(3,)`."""

    projection: Floats
    center: Floats

    def project(self, points: Floats) -> Floats:
        """Pixels `(..., 2)`, x to the right and y down, of points `(..., 3)`."""
        image = points @ self.projection[:, :3].T + self.projection[:, 3]
        return np.asarray(image[..., :2] / image[..., 2:])


def camera_of(view: str) -> Camera:
    """The camera of a view: 000 is in front of the walker, 090 on the left, 180 behind."""
    angle = np.deg2rad(int(view))
    center = np.array([DISTANCE * np.cos(angle), DISTANCE * np.sin(angle), ELEVATIONS[VIEWS.index(view)]])
    forward = np.array([0.0, 0.0, 0.95]) - center
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    down = np.cross(forward, right)
    rotation = np.stack([right, down, forward])
    lens = np.array([[FOCAL, 0, FRAME_WIDTH / 2], [0, FOCAL, FRAME_HEIGHT / 2], [0, 0, 1]])
    return Camera(lens @ np.concatenate([rotation, -(rotation @ center)[:, None]], axis=1), center)


def draw_silhouettes(points: NDArray[np.float32], camera: Camera) -> NDArray[np.uint8]:
    """Draw clouds of surface points as filled silhouettes.

    Args:
        points: `(3, t, m)` metres, dense enough for a pixel to hold about one.
        camera: Seen from here.

    Returns:
        `(t, 240, 320)`, 0 background and 255 person.
    """
    t = points.shape[1]
    x, y, z = points.reshape(3, -1)
    right, down, away = (a * x + b * y + c * z + d for a, b, c, d in camera.projection.astype(np.float32))
    columns, rows = (right / away).astype(np.int32), (down / away).astype(np.int32)
    np.clip(columns, 0, FRAME_WIDTH - 1, out=columns)
    np.clip(rows, 0, FRAME_HEIGHT - 1, out=rows)
    rows += np.repeat(np.arange(t, dtype=np.int32) * FRAME_HEIGHT, points.shape[2])
    frames = np.zeros((t, FRAME_HEIGHT, FRAME_WIDTH), np.uint8)
    frames.reshape(-1)[rows * FRAME_WIDTH + columns] = 255
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))
    for frame in frames:
        cv2.morphologyEx(frame, cv2.MORPH_CLOSE, kernel, dst=frame)
    return frames
