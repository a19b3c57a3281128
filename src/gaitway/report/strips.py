"""Strips: a few moments of a walk side by side, silhouettes or skeletons, as a picture for a page."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from gaitway.data.store import Store
from gaitway.report.moments import PAPER, draw_moments, lengths, moments_of_a_cycle, without_sides

NUM_MOMENTS = 8
SKELETON_HEIGHT, GAP = 128, 4  # pixels of a moment with a skeleton, and between two of them
NUM_COLORS = 64

Frames = npt.NDArray[np.uint8]


def moments(frames: npt.NDArray[Any], num: int = NUM_MOMENTS) -> Frames:
    """Moments of about one gait cycle, without the empty columns at the sides.

    Args:
        frames: `(t, h, w)` uint8 silhouettes.
        num: How many moments.

    Returns:
        `(num, h, w')` uint8, white on black.
    """
    chosen: Frames = frames[moments_of_a_cycle(len(frames), num)]
    return without_sides(chosen)


def strip_of(store: Store, row: int, modalities: Sequence[str] = ("silhouettes",)) -> Frames:
    """Moments of a sequence of a store side by side, dark on white.

    Args:
        store: The store.
        row: Of its index.
        modalities: Which to draw: silhouettes alone are grey, `(h, num · w')`; with poses the picture has OpenCV's
            three colours, `(SKELETON_HEIGHT, ..., 3)`, and silhouettes are pale behind the skeletons.
    """
    if "poses" not in modalities:
        return 255 - np.concatenate(list(moments(store.frames("silhouettes", row))), axis=1)
    positions = moments_of_a_cycle(max(lengths(store, row, modalities).values()), NUM_MOMENTS)
    drawn = draw_moments(store, row, positions, height=SKELETON_HEIGHT, modalities=modalities)
    if "silhouettes" in modalities:
        drawn = without_sides(drawn)
    gaps = ((0, 0), (0, 0), (0, GAP), (0, 0))
    strip: Frames = np.concatenate(list(np.pad(drawn, gaps, constant_values=PAPER[0])), axis=1)
    return strip[:, :-GAP]


def data_uri(picture: Frames) -> str:
    """A picture as a `data:` address of a PNG; one in colour keeps as many colours as a drawing needs."""
    image, png = Image.fromarray(picture if picture.ndim == 2 else picture[..., ::-1]), io.BytesIO()
    if picture.ndim == 3:
        image = image.quantize(NUM_COLORS, dither=Image.Dither.NONE)
    image.save(png, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(png.getvalue()).decode()
