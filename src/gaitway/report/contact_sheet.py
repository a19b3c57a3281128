"""A picture of sequences: a strip of silhouettes each, with its name and its mean silhouette."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from gaitway.data.store import Store

Image = npt.NDArray[np.uint8]
Color = tuple[int, int, int]  # blue, green, red, as OpenCV has it

FRAME_HEIGHT = 96  # pixels of a silhouette in the picture
LABEL_WIDTH, GAP, MARGIN = 116, 6, 16
PAPER, INK, FAINT, PERSON, CELL, MEAN = (
    (255, 255, 255),
    (50, 40, 35),
    (140, 128, 120),
    (70, 52, 40),
    (248, 244, 242),
    (180, 90, 20),
)


def contact_sheet(store: Store, rows: Sequence[int], *, num_frames: int = 12, step: int = 2) -> Image:
    """Draw sequences below each other: frames from left to right, and the mean of all frames at the right end.

    Args:
        store: The store; it must have silhouettes.
        rows: Rows of its index.
        num_frames: How many frames to show of each.
        step: Show every step-th frame from the middle of a sequence; a shorter one is shown more densely.

    Returns:
        The picture, `(h, w, 3)`, colours in OpenCV's order.

    Raises:
        ValueError: when there is nothing to draw.
    """
    height, width = store.frame_format("silhouettes").shape
    rows = [row for row in rows if store.index.num_frames["silhouettes"][row]]
    if not rows:
        raise ValueError(f"none of the chosen sequences of {store.path} has silhouettes; choose others")
    cell_width = FRAME_HEIGHT * width // height
    sheet = np.full(
        (
            2 * MARGIN + len(rows) * (FRAME_HEIGHT + GAP) - GAP,
            2 * MARGIN + LABEL_WIDTH + num_frames * (cell_width + GAP) + 2 * GAP + cell_width,
            3,
        ),
        PAPER,
        np.uint8,
    )
    for number, row in enumerate(rows):
        top = MARGIN + number * (FRAME_HEIGHT + GAP)
        info, frames = store.index[row], store.frames("silhouettes", row)
        lines = (info.subject, info.condition, f"view {info.view}", f"{len(frames)} frames")
        for line, text in enumerate(lines):
            _write(sheet, text, MARGIN, top + 24 + 21 * line, INK if line == 0 else FAINT)
        shown = [*frames[_middle(len(frames), num_frames, step)], *[None] * num_frames][:num_frames]
        for place, (image, color) in enumerate([*((frame, PERSON) for frame in shown), (_mean(frames), MEAN)]):
            left = MARGIN + LABEL_WIDTH + place * (cell_width + GAP) + 2 * GAP * (place == num_frames)
            if image is not None:
                sheet[top : top + FRAME_HEIGHT, left : left + cell_width] = _cell(image, cell_width, color)
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


def _mean(frames: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The gait energy image."""
    mean: npt.NDArray[np.float64] = np.mean(frames, axis=0)
    return np.rint(mean).astype(np.uint8)


def _cell(frame: npt.NDArray[np.uint8], width: int, color: Color) -> Image:
    """A frame `(h, w)` at the size of the picture, the person in a colour on a faint ground."""
    larger = cv2.INTER_AREA if frame.shape[0] > FRAME_HEIGHT else cv2.INTER_CUBIC
    share = cv2.resize(frame, (width, FRAME_HEIGHT), interpolation=larger)[:, :, None] / 255
    return np.rint(share * color + (1 - share) * CELL).astype(np.uint8)


def _write(sheet: Image, text: str, x: int, y: int, color: Color) -> None:
    cv2.putText(sheet, text, (x, y), cv2.FONT_HERSHEY_DUPLEX, 0.45, color, 1, cv2.LINE_AA)
