"""Silhouettes in a terminal, drawn with block characters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

QUADRANTS = " ▘▝▀▖▌▞▛▗▚▐▜▄▙▟█"  # bits: upper left, upper right, lower left, lower right


def block_picture(picture: npt.NDArray[Any], rows: int) -> list[str]:
    """A picture as `rows` lines of text; a character is two by two pixels.

    Args:
        picture: `(h, w)` uint8, white on black.
        rows: Height in lines; the width follows for characters that are twice as high as wide.
    """
    height, width = picture.shape
    columns = max(1, round(2 * rows * width / height))
    small = cv2.resize(picture, (2 * columns, 2 * rows), interpolation=cv2.INTER_AREA) >= 110
    bits = np.array([[1, 2], [4, 8]])
    codes = (small.reshape(rows, 2, columns, 2) * bits[None, :, None, :]).sum((1, 3))
    return ["".join(QUADRANTS[code] for code in line) for line in codes]


def side_by_side(pictures: Sequence[Sequence[str]], gap: int = 2) -> list[str]:
    """Pictures of equal height beside each other."""
    return [(" " * gap).join(line) for line in zip(*pictures, strict=True)]
