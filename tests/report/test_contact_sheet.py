from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from gaitway.data import Store
from gaitway.data.store import FrameFormat
from gaitway.data.store_writer import StoreWriter
from gaitway.report import contact_sheet as module
from gaitway.report.contact_sheet import contact_sheet, write_png
from gaitway.report.moments import CELL, PAPER
from gaitway.report.skeletons import COLORS
from tests.report import walking

CELL_HEIGHT, FIRST_LEFT = module.FRAME_HEIGHT, module.MARGIN + module.LABEL_WIDTH


def store_of(out: Path, *sequences: npt.NDArray[np.uint8]) -> Store:
    fmt = FrameFormat(sequences[0].shape[1:])
    with StoreWriter(out, dataset="made-up", modalities={"silhouettes": fmt}, made={}) as writer:
        for number, frames in enumerate(sequences):
            writer.add(f"{number:03}", "nm-01", "090", {"silhouettes": frames})
    return Store(out)


def clock(length: int, height: int = 64, width: int = 64) -> npt.NDArray[np.uint8]:
    """Frame number i has its i-th row white, so that a cell tells which frame it shows."""
    frames = np.zeros((length, height, width), np.uint8)
    frames[np.arange(length), np.arange(length) % height] = 255
    return frames


def cells(sheet: npt.NDArray[np.uint8], row: int, num: int, width: int = CELL_HEIGHT) -> list[npt.NDArray[np.uint8]]:
    """The frames of a row of the sheet, and its mean."""
    top = module.MARGIN + row * (CELL_HEIGHT + module.GAP)
    lefts = [FIRST_LEFT + place * (width + module.GAP) + 2 * module.GAP * (place == num) for place in range(num + 1)]
    return [sheet[top : top + CELL_HEIGHT, left : left + width] for left in lefts]


def shown(cell: npt.NDArray[np.uint8]) -> int:
    """Which frame of `clock` a cell shows: the darkest row."""
    return int(cell.mean(axis=(1, 2)).argmin() * 64 // CELL_HEIGHT)


@pytest.mark.parametrize(
    ("length", "expected"),
    [(40, [16, 18, 20, 22]), (6, [1, 2, 3, 4]), (4, [0, 1, 2, 3]), (60, [26, 28, 30, 32])],
)
def test_shows_frames_from_the_middle(tmp_path: Path, length: int, expected: list[int]) -> None:
    sheet = contact_sheet(store_of(tmp_path / "store", clock(length)), [0], num_frames=4, step=2)
    assert [shown(cell) for cell in cells(sheet, 0, 4)[:4]] == [pytest.approx(frame, abs=1) for frame in expected]


def test_a_short_sequence_leaves_cells_empty(tmp_path: Path) -> None:
    sheet = contact_sheet(store_of(tmp_path / "store", clock(2)), [0], num_frames=4)
    *frames, mean = cells(sheet, 0, 4)
    assert [bool((cell == PAPER).all()) for cell in frames] == [False, False, True, True]
    assert not (mean == PAPER).all()


@pytest.mark.parametrize(("height", "width"), [(64, 44), (128, 128)])
def test_a_row_per_sequence_with_its_mean_silhouette(tmp_path: Path, height: int, width: int) -> None:
    black, white = np.zeros((3, height, width), np.uint8), np.full((3, height, width), 255, np.uint8)
    store = store_of(tmp_path / "store", black, white, np.concatenate([black, white]))
    sheet = contact_sheet(store, [2, 0, 1], num_frames=6)
    cell_width = CELL_HEIGHT * width // height
    assert sheet.shape[0] == 2 * module.MARGIN + 3 * CELL_HEIGHT + 2 * module.GAP
    assert sheet.shape[1] == cells_end(cell_width, 6) + module.MARGIN
    means = [cells(sheet, row, 6, cell_width)[-1] for row in range(3)]
    half = (np.array(module.MEAN) + CELL) / 2
    for mean, color in zip(means, (half, np.array(CELL), np.array(module.MEAN)), strict=True):
        np.testing.assert_allclose(mean, np.broadcast_to(color, mean.shape), atol=1)
    labels = sheet[:, module.MARGIN : FIRST_LEFT]
    assert (labels != PAPER).any(axis=(1, 2))[module.MARGIN : module.MARGIN + CELL_HEIGHT].any()


def cells_end(cell_width: int, num: int) -> int:
    return FIRST_LEFT + num * (cell_width + module.GAP) + 2 * module.GAP + cell_width


def has(picture: npt.NDArray[np.uint8], color: tuple[int, int, int]) -> bool:
    return bool(np.all(np.abs(picture.astype(int) - color) < 3, axis=-1).any())


def test_skeletons_and_how_to_read_them(tmp_path: Path) -> None:
    both = {"silhouettes": walking.silhouettes(12), "poses": walking.poses(12)}
    store = walking.store_of(
        tmp_path / "store", both, {"poses": walking.poses(12)}, {"silhouettes": both["silhouettes"]}
    )
    sheet = contact_sheet(store, [0, 1, 2], num_frames=4)
    for row, (with_poses, with_mean) in enumerate([(True, True), (True, False), (False, True)]):
        *shown, mean = cells(sheet, row, 4)
        assert [has(cell, COLORS["left"]) and has(cell, COLORS["right"]) for cell in shown] == 4 * [with_poses]
        assert has(mean, module.MEAN) == with_mean
        assert has(mean, COLORS["left"]) != with_mean  # without silhouettes the mean of the skeletons
    foot = sheet[module.MARGIN + 3 * CELL_HEIGHT + 2 * module.GAP :]
    assert has(foot, COLORS["left"])
    assert has(foot, COLORS["right"])
    alone = contact_sheet(store_of(tmp_path / "alone", both["silhouettes"]), [0], num_frames=4)
    assert not has(alone, COLORS["left"])


def test_nothing_to_draw(tmp_path: Path) -> None:
    store = store_of(tmp_path / "store", clock(2), clock(0))
    with pytest.raises(ValueError, match="none of the chosen sequences .* has silhouettes"):
        contact_sheet(store, [])


def test_writes_a_png(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    write_png(image, tmp_path / "a.PNG")
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "a.PNG")), image)
    with pytest.raises(ValueError, match=r"a\.jpg does not end in \.png"):
        write_png(image, tmp_path / "a.jpg")
