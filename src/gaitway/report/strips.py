"""Strips of silhouettes: a few moments of a walk side by side, as a picture for a page."""

from __future__ import annotations

import base64
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from gaitway.data.store import Store

NUM_MOMENTS = 8
CYCLE = 28  # frames; at the 25 frames per second of the data sets a little more than two steps

Frames = npt.NDArray[np.uint8]


def moments(frames: npt.NDArray[Any], num: int = NUM_MOMENTS) -> Frames:
    """Moments of about one gait cycle, without the empty columns at the sides.

    Args:
        frames: `(t, h, w)` uint8 silhouettes.
        num: How many moments.

    Returns:
        `(num, h, w')` uint8, white on black.
    """
    chosen: Frames = frames[np.linspace(0, min(len(frames), CYCLE) - 1, num).round().astype(np.int64)]
    width = chosen.shape[-1]
    margin = 10 * (width // 64)  # what models are not shown either
    return chosen[..., margin : width - margin]


def strip_of(store: Store, row: int) -> Frames:
    """Moments of a sequence of a store side by side, `(h, num · w')` uint8."""
    return np.concatenate(list(moments(store.frames("silhouettes", row))), axis=1)


def data_uri(picture: Frames) -> str:
    """A picture as a `data:` address of a PNG, black on white, for the page to colour."""
    written, png = cv2.imencode(".png", 255 - picture)
    assert written, "OpenCV encodes every uint8 picture"
    return "data:image/png;base64," + base64.b64encode(png.tobytes()).decode()
