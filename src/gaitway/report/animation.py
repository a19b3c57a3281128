"""A sequence in motion: its skeleton over its silhouette, as an animated GIF, an MP4, or moments side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from PIL import Image as Pictures

from gaitway.data.store import Store
from gaitway.report.moments import (
    CELL,
    FAINT,
    INK,
    PALE,
    PAPER,
    PERSON,
    draw_moments,
    drawable,
    in_words,
    legend,
    lengths,
    moments_of_a_cycle,
    without_sides,
    write,
)
from gaitway.report.skeletons import COLORS, Image

HEIGHT, LINE, FOOT, MARGIN = 320, 19, 32, 12  # pixels of the walker, of a line above, of the legend below, and around
NARROWEST = 320  # for the lines to fit
BLOCK = 32  # frames drawn at once
NUM_MOMENTS, GAP = 8, 6
SHADES = 12  # between two colours of a GIF

Progress = Callable[[int, int], object]


def write_sequence(
    store: Store, row: int, path: str | Path, *, frames_per_second: int = 10, progress: Progress | None = None
) -> None:
    """Draw a sequence into a file: all frames one after the other, or in a `.png` moments of one gait cycle.

    Where the sequence has unequal numbers of silhouettes and poses, the picture says so; they are shown together in
    the order that they have, the longer ones alone at the end.

    Args:
        store: The store.
        row: Of its index.
        path: Ends in `.gif`, `.mp4` or `.png`; an existing file is replaced.
        frames_per_second: Of a GIF or MP4.
        progress: Told how many frames of how many are done.

    Raises:
        ValueError: when the path ends in something else, there is nothing to draw, or no MP4 can be written here.
        OSError: when the file can't be written.
    """
    path = Path(path)
    check_name(path)
    modalities = drawable(store)
    counts = lengths(store, row, modalities)
    if not counts:
        raise ValueError(f"{store.index[row].name} has no {' or '.join(modalities)} that could be drawn")
    partial = path.with_name(f"{path.stem}.partial{path.suffix.lower()}")
    try:
        if path.suffix.lower() == ".png":
            Pictures.fromarray(still(store, row)[..., ::-1]).save(partial)
        else:
            pages = _with_progress(animated(store, row), max(counts.values()), progress)
            {".gif": _write_gif, ".mp4": _write_mp4}[path.suffix.lower()](partial, pages, frames_per_second)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def check_name(path: str | Path) -> None:
    """Make sure that a picture's name ends in what can be written.

    Raises:
        ValueError: when it does not.
    """
    if Path(path).suffix.lower() not in (".gif", ".mp4", ".png"):
        raise ValueError(f"{path} ends in neither .gif, .mp4 nor .png; give the picture a name that does")


def animated(store: Store, row: int) -> Iterator[Image]:
    """Each frame of a sequence as a picture `(h, w, 3)` in OpenCV's colours, with its name, its number and a legend."""
    modalities = drawable(store)
    total = max(lengths(store, row, modalities).values())
    for first in range(0, total, BLOCK):
        positions = np.arange(first, min(first + BLOCK, total))
        drawn = draw_moments(store, row, positions, height=HEIGHT, modalities=modalities)
        for position, picture in zip(positions.tolist(), drawn, strict=True):
            yield _page(store, row, picture, f"frame {position + 1} of {total}")


def still(store: Store, row: int) -> Image:
    """Moments of about one gait cycle side by side, a picture as those of `animated`."""
    modalities = drawable(store)
    total = max(lengths(store, row, modalities).values())
    positions = moments_of_a_cycle(total, NUM_MOMENTS)
    drawn = draw_moments(store, row, positions, height=HEIGHT, modalities=modalities)
    if "silhouettes" in modalities:
        drawn = without_sides(drawn)
    drawn = np.pad(drawn, ((0, 0), (0, 0), (0, GAP), (0, 0)), constant_values=PAPER[0])
    frames = ", ".join(str(position + 1) for position in positions)
    return _page(store, row, np.concatenate(list(drawn), axis=1)[:, :-GAP], f"frames {frames} of {total}")


def _page(store: Store, row: int, picture: Image, caption: str) -> Image:
    """A picture with what it shows above and how to read it below."""
    modalities = drawable(store)
    counts = lengths(store, row, modalities)
    height, width, _ = picture.shape
    above = [(store.index[row].name, INK), (caption, FAINT)]
    if len(set(counts.values())) > 1:
        above.append((f"unequal: {in_words(counts)}", COLORS["right"]))
    head, wide = LINE * len(above) + MARGIN, max(width, NARROWEST) + 2 * MARGIN
    wide += wide % 2  # MP4 takes even sizes
    page = np.full((head + height + FOOT + len(above) % 2, wide, 3), PAPER, np.uint8)
    for number, (text, color) in enumerate(above, start=1):
        write(page, text, MARGIN, LINE * number, color)
    left = (wide - width) // 2
    page[head : head + height, left : left + width] = picture
    if "poses" in counts:
        legend(page, MARGIN, head + height + 21)
    return page


def _with_progress(pages: Iterator[Image], total: int, progress: Progress | None) -> Iterator[Image]:
    for done, page in enumerate(pages, start=1):
        yield page
        if progress is not None:
            progress(done, total)


def _write_gif(path: Path, pages: Iterator[Image], frames_per_second: int) -> None:
    """All frames in the same colours, so that only what moves takes room."""
    palette = _palette()
    images = (
        Pictures.fromarray(page[..., ::-1]).quantize(palette=palette, dither=Pictures.Dither.NONE) for page in pages
    )
    first = next(images)
    pause = round(1000 / frames_per_second)  # milliseconds
    with path.open("wb") as file:
        first.save(file, "GIF", save_all=True, append_images=images, duration=pause, loop=0)


def _palette() -> Pictures.Image:
    """Every colour that is drawn, shaded into everything that it is drawn on."""
    bones = [(color, ground) for color in COLORS.values() for ground in (PAPER, CELL, PALE)]
    pairs = [(INK, PAPER), (FAINT, PAPER), (PERSON, CELL), (PALE, CELL), *bones]
    shades = np.concatenate([np.linspace(color, ground, SHADES) for color, ground in pairs])
    palette = Pictures.new("P", (1, 1))
    palette.putpalette(np.rint(shades[:, ::-1]).astype(np.uint8).tobytes())
    return palette


def _write_mp4(path: Path, pages: Iterator[Image], frames_per_second: int) -> None:
    first = next(pages)
    height, width, _ = first.shape
    video = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), frames_per_second, (width, height))
    if not video.isOpened():
        raise ValueError(f"{path} can't be written as MP4 by the OpenCV of this machine; give a name that ends in .gif")
    video.write(first)
    for page in pages:
        video.write(page)
    video.release()
