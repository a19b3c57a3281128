"""From one raw silhouette frame to the aligned square silhouette that models are trained on.

The rule is that of ShiqiYu/OpenGait's preparation of CASIA-B, OUMVLP, Gait3D and others: crop the rows of the person,
scale to a common height, put the middle of the mass into the middle column.
"""

from enum import StrEnum

import cv2
import numpy as np
from numpy.typing import NDArray

MINIMUM_SUM = 10_000
"""A frame whose grey values sum to this or less (about 39 white pixels) shows no person."""


class DropReason(StrEnum):
    """Why a frame has no aligned silhouette."""

    NO_DATA = "no data"
    """The frame is empty, or nearly so."""
    NO_CENTER = "no center"
    """Half of the mass lies in the first column."""
    NO_WIDTH = "no width"
    """The frame is so narrow that nothing of it is left at the new height (published code crashes here)."""


def align_silhouette(frame: NDArray[np.uint8], size: int) -> NDArray[np.uint8] | DropReason:
    """Crop, scale and centre the silhouette in one grey frame.

    Args:
        frame: `(h, w)` grey values, 0 background to 255 person.
        size: height and width of the result in pixels; even.

    Returns:
        The aligned silhouette, `(size, size)`, or the reason for dropping the frame.

    Raises:
        ValueError: the frame isn't a two-dimensional uint8 array, or `size` isn't a positive even number.
    """
    if frame.ndim != 2 or frame.dtype != np.uint8:
        raise ValueError(
            f"Found a frame of shape {frame.shape} and type {frame.dtype}, expected a grey frame (h, w) of uint8. "
            "Read it as grey values."
        )
    if size <= 0 or size % 2:
        raise ValueError(f"Found size {size}, expected a positive even number. Use 64 or 128.")
    if int(frame.sum(dtype=np.int64)) <= MINIMUM_SUM:
        return DropReason.NO_DATA

    rows = np.flatnonzero(frame.any(axis=1))
    frame = frame[rows[0] : rows[-1] + 1]

    height, width = frame.shape
    new_width = int(size * (width / height))
    if new_width == 0:
        return DropReason.NO_WIDTH
    scaled = cv2.resize(frame, (new_width, size), interpolation=cv2.INTER_CUBIC)

    mass = scaled.sum(axis=0, dtype=np.int64).cumsum()
    center = int(np.searchsorted(2 * mass, mass[-1], side="right"))  # the first column beyond half of the mass
    if center in (0, new_width):
        return DropReason.NO_CENTER

    left, right = center - size // 2, center + size // 2
    if left <= 0 or right >= new_width:
        scaled = np.pad(scaled, ((0, 0), (size // 2, size // 2)))
        left, right = left + size // 2, right + size // 2
    return np.ascontiguousarray(scaled[:, left:right], dtype=np.uint8)
