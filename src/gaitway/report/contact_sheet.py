"""A picture of sequences: a strip of moments each, silhouettes with skeletons over them, and the mean of all frames."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import cv2
import numpy as np
import numpy.typing as npt

from gaitway.data.store import Store
from gaitway.report.moments import (
    FAINT,
    INK,
    PAPER,
    draw_moments,
    drawable,
    in_words,
    legend,
    lengths,
    tinted,
    width_of,
    write,
)
from gaitway.report.skeletons import Color, Image

FRAME_HEIGHT = 96  # pixels of a moment in the picture
LABEL_WIDTH, GAP, MARGIN = 116, 6, 16
MEAN: Color = (180, 90, 20)


def contact_sheet(store: Store, rows: Sequence[int], *, num_frames: int = 12, step: int = 2) -> Image:
    """Draw sequences below each other: frames from left to right, and the mean of all frames at the right end.

    Args:
        store: The store; what it has of silhouettes and of poses is drawn.
        rows: Rows of its index.
        num_frames: How many frames to show of each.
        step: Show every step-th frame from the middle of a sequence; a shorter one is shown more densely.

    Returns:
        The picture, `(h, w, 3)`, colours in OpenCV's order; below poses it says how the sides are drawn.

    Raises:
        ValueError: when there is nothing to draw.
    """
    modalities = drawable(store)
    rows = [row for row in rows if lengths(store, row, modalities)]
    if not rows:
        raise ValueError(f"none of the chosen sequences of {store.path} has {' or '.join(modalities)}; choose others")
    cell_width = width_of(store, FRAME_HEIGHT, modalities)
    foot = 2 * MARGIN if "poses" in modalities else MARGIN
    sheet = np.full(
        (
            MARGIN + len(rows) * (FRAME_HEIGHT + GAP) - GAP + foot,
            2 * MARGIN + LABEL_WIDTH + num_frames * (cell_width + GAP) + 2 * GAP + cell_width,
            3,
        ),
        PAPER,
        np.uint8,
    )
    for number, row in enumerate(rows):
        top = MARGIN + number * (FRAME_HEIGHT + GAP)
        info, counts = store.index[row], lengths(store, row, modalities)
        lines = (info.subject, info.condition, f"view {info.view}", *in_words(counts).split(", "))
        for line, text in enumerate(lines):
            write(sheet, text, MARGIN, top + 16 + 19 * line, INK if line == 0 else FAINT)
        positions = _middle(max(counts.values()), num_frames, step)
        shown = draw_moments(store, row, positions, height=FRAME_HEIGHT, modalities=modalities)
        for place, picture in enumerate(shown):
            left = MARGIN + LABEL_WIDTH + place * (cell_width + GAP)
            sheet[top : top + FRAME_HEIGHT, left : left + cell_width] = picture
        left = MARGIN + LABEL_WIDTH + num_frames * (cell_width + GAP) + 2 * GAP
        sheet[top : top + FRAME_HEIGHT, left : left + cell_width] = _mean(store, row, modalities)
    if "poses" in modalities:
        legend(sheet, MARGIN + LABEL_WIDTH, len(sheet) - 12)
    return sheet


def write_png(image: Image, path: str | Path) -> None:
    """Write a picture.

    Raises:
        ValueError: when the name does not end in `.png`.
        OSError: when the file can't be written.
    """
    if Path(path).suffix.lower() != ".png":
        raise ValueError(f"{path} does not end in .png; give the picture a name that does")
    _, content = cv2.imencode(".png", image)
    Path(path).write_bytes(content.tobytes())


def _middle(length: int, num_frames: int, step: int) -> npt.NDArray[np.int64]:
    """Positions of at most `num_frames` frames around the middle, `step` apart where the sequence is long enough."""
    step = max(1, min(step, length // num_frames))
    count = min(num_frames, length)
    return (length - (count - 1) * step) // 2 + step * np.arange(count)


def _mean(store: Store, row: int, modalities: Sequence[str]) -> Image:
    """The gait energy image, in a colour of its own; without silhouettes the mean of all skeletons."""
    counts = lengths(store, row, modalities)
    if "silhouettes" not in counts:
        every = np.arange(counts["poses"])
        drawn = draw_moments(store, row, every, height=FRAME_HEIGHT, modalities=modalities)
        return cast(Image, np.rint(drawn.mean(axis=0)).astype(np.uint8))
    energy: npt.NDArray[np.float64] = np.mean(store.frames("silhouettes", row), axis=0, keepdims=True)
    width = width_of(store, FRAME_HEIGHT, modalities)
    return cast(Image, tinted(np.rint(energy).astype(np.uint8), FRAME_HEIGHT, width, MEAN)[0])
