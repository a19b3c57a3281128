from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageSequence

from gaitway.data import Store
from gaitway.report import moments
from gaitway.report.animation import animated, still, write_sequence
from gaitway.report.skeletons import COLORS
from tests.report.walking import poses, silhouettes, store_of


@pytest.fixture
def store(tmp_path: Path) -> Store:
    moving = poses(40)
    moving[:, :, 0] += np.arange(40)[:, None]
    moving[:, 9, 0] += 20 * np.sin(np.arange(40) / 4)  # a hand
    both = {"silhouettes": silhouettes(40), "poses": moving}
    return store_of(tmp_path / "store", both, {"silhouettes": silhouettes(40), "poses": moving[:30]})


def has(picture: np.ndarray, color: tuple[int, int, int], within: int = 3) -> bool:
    return bool(np.all(np.abs(picture.astype(int) - color) < within, axis=-1).any())


def test_a_gif_shows_all_frames_in_the_drawn_colours(store: Store, tmp_path: Path) -> None:
    done: list[tuple[int, int]] = []
    write_sequence(store, 0, tmp_path / "walk.gif", frames_per_second=25, progress=lambda *counts: done.append(counts))
    assert done == [(number, 40) for number in range(1, 41)]
    with Image.open(tmp_path / "walk.gif") as gif:
        assert gif.info["duration"] == 40
        assert gif.info["loop"] == 0
        frames = [np.array(frame.convert("RGB"))[..., ::-1] for frame in ImageSequence.Iterator(gif)]
    assert len(frames) == 40
    for frame, page in zip(frames, animated(store, 0), strict=True):
        assert np.abs(frame.astype(int) - page).mean() < 0.5
        assert all(has(frame, color) for color in (COLORS["left"], COLORS["right"], moments.PALE))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["store", "walk.gif"]


def test_an_mp4_has_all_frames(store: Store, tmp_path: Path) -> None:
    write_sequence(store, 0, tmp_path / "walk.MP4", frames_per_second=25)
    video = cv2.VideoCapture(str(tmp_path / "walk.MP4"))
    assert video.get(cv2.CAP_PROP_FRAME_COUNT) == 40
    assert video.get(cv2.CAP_PROP_FPS) == 25
    video.release()


def test_a_png_shows_moments_side_by_side(store: Store, tmp_path: Path) -> None:
    write_sequence(store, 0, tmp_path / "walk.png")
    picture = cv2.imread(str(tmp_path / "walk.png"))
    assert picture is not None
    np.testing.assert_array_equal(picture, still(store, 0))
    one = next(animated(store, 0))
    assert picture.shape[0] == one.shape[0]
    assert picture.shape[1] > 4 * one.shape[1]


def test_unequal_numbers_are_said_in_the_picture(store: Store) -> None:
    equal, unequal = list(animated(store, 0)), list(animated(store, 1))
    assert len(unequal) == 40
    more = unequal[0].shape[0] - equal[0].shape[0]
    assert more > 10  # a line of text
    line = unequal[39][40:64]
    assert has(line, COLORS["right"], 20)
    assert not has(equal[39][40:48], COLORS["right"], 20)


@pytest.mark.parametrize("modality", ["silhouettes", "poses"])
def test_one_modality_is_enough(tmp_path: Path, modality: str) -> None:
    frames = {"silhouettes": silhouettes(3), "poses": poses(3)}
    store = store_of(tmp_path / "store", {modality: frames[modality]})
    pages = list(animated(store, 0))
    assert len(pages) == 3
    assert has(pages[0], COLORS["left"]) == (modality == "poses")
    assert has(pages[0], moments.PERSON) == (modality == "silhouettes")


def test_errors_leave_nothing_behind(store: Store, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"walk\.jpg ends in neither \.gif, \.mp4 nor \.png"):
        write_sequence(store, 0, tmp_path / "walk.jpg")

    def interrupted(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_sequence(store, 0, tmp_path / "walk.gif", progress=interrupted)
    assert [path.name for path in tmp_path.iterdir()] == ["store"]
