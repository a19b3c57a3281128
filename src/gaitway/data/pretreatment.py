"""From one raw silhouette frame to the aligned square silhouette that models are trained on.

The rule is that of ShiqiYu/OpenGait's preparation of CASIA-B, OUMVLP, Gait3D and others: crop the rows of the person,
scale to a common height, put the middle of the mass into the middle column. Data sets that come cropped have rules of
their own.
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
    _check(frame, size)
    if int(frame.sum(dtype=np.int64)) <= MINIMUM_SUM:
        return DropReason.NO_DATA
    return _align(frame, size, interpolation=cv2.INTER_CUBIC, first_center=1)


def align_ccpg(frame: NDArray[np.uint8], size: int) -> NDArray[np.uint8] | DropReason:
    """Likewise by CCPG's own script: scaled by area, however few pixels the person has, and wherever the mass is.

    Arguments, result and errors are those of `align_silhouette`; published code fails on an empty frame.
    """
    _check(frame, size)
    if not frame.any():
        return DropReason.NO_DATA
    return _align(frame, size, interpolation=cv2.INTER_AREA, first_center=0)


def scale_cubic(frame: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Scale a frame that is aligned already to `(size, size)` (SUSTech1K)."""
    return np.asarray(cv2.resize(frame, (size, size), interpolation=cv2.INTER_CUBIC), dtype=np.uint8)


def scale_other_heights(frame: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Scale a frame whose height isn't `size` to `(size, size)`, bilinear (CASIA-E)."""
    if frame.shape[0] == size:
        return frame
    return np.asarray(cv2.resize(frame, (size, size), interpolation=cv2.INTER_LINEAR), dtype=np.uint8)


def unchanged(frame: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """The frame as it is, also an empty one (GREW, HID)."""
    return frame


def _check(frame: NDArray[np.uint8], size: int) -> None:
    if frame.ndim != 2 or frame.dtype != np.uint8:
        raise ValueError(
            f"Found a frame of shape {frame.shape} and type {frame.dtype}, expected a grey frame (h, w) of uint8. "
            "Read it as grey values."
        )
    if size <= 0 or size % 2:
        raise ValueError(f"Found size {size}, expected a positive even number. Use 64 or 128.")


def _align(
    frame: NDArray[np.uint8], size: int, *, interpolation: int, first_center: int
) -> NDArray[np.uint8] | DropReason:
    """Crop, scale and centre a frame that is not empty; half of the mass ends at `first_center` or right of it."""
    rows = np.flatnonzero(frame.any(axis=1))
    frame = frame[rows[0] : rows[-1] + 1]

    height, width = frame.shape
    new_width = int(size * (width / height))
    if new_width == 0:
        return DropReason.NO_WIDTH
    scaled = cv2.resize(frame, (new_width, size), interpolation=interpolation)

    mass = scaled.sum(axis=0, dtype=np.int64).cumsum()
    center = int(np.searchsorted(2 * mass, mass[-1], side="right"))  # the first column beyond half of the mass
    if not first_center <= center < new_width:
        return DropReason.NO_CENTER

    left, right = center - size // 2, center + size // 2
    if left <= 0 or right >= new_width:
        scaled = np.pad(scaled, ((0, 0), (size // 2, size // 2)))
        left, right = left + size // 2, right + size // 2
    return np.ascontiguousarray(scaled[:, left:right], dtype=np.uint8)
