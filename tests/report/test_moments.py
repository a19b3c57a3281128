from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gaitway.data.store import FrameFormat
from gaitway.report import moments
from gaitway.report.moments import draw_moments, drawable, in_words, skeleton_in
from gaitway.report.skeletons import COLORS
from gaitway.skeletons import COCO17, OPENPOSE18, OPENPOSE_JOINTS
from tests.report.walking import poses, silhouettes, store_of

EVERY = np.arange(4)


def has(picture: np.ndarray, color: tuple[int, int, int]) -> bool:
    return bool(np.all(np.abs(picture.astype(int) - color) < 3, axis=-1).any())


def test_skeletons_are_drawn_over_pale_silhouettes(tmp_path: Path) -> None:
    store = store_of(tmp_path / "store", {"silhouettes": silhouettes(4), "poses": poses(4)})
    for picture in draw_moments(store, 0, EVERY, height=128, modalities=drawable(store)):
        assert picture.shape == (128, 128, 3)
        assert all(has(picture, color) for color in (*COLORS.values(), moments.PALE, moments.CELL))
        assert not has(picture, moments.PERSON)
    alone = draw_moments(store, 0, EVERY, height=128, modalities=("silhouettes",))[0]
    assert has(alone, moments.PERSON)
    assert not has(alone, COLORS["left"])


def test_the_shorter_modality_ends_first(tmp_path: Path) -> None:
    store = store_of(tmp_path / "store", {"silhouettes": silhouettes(2), "poses": poses(3)})
    drawn = draw_moments(store, 0, EVERY, height=64, modalities=drawable(store))
    assert [has(picture, moments.PALE) for picture in drawn] == [True, True, False, False]
    assert [has(picture, COLORS["left"]) for picture in drawn] == [True, True, True, False]


def test_poses_alone(tmp_path: Path) -> None:
    store = store_of(tmp_path / "store", {"poses": poses(4)})
    assert drawable(store) == ("poses",)
    drawn = draw_moments(store, 0, EVERY, height=100, modalities=("poses",))
    assert drawn.shape == (4, 100, 75, 3)
    assert all(has(picture, COLORS["left"]) for picture in drawn)


def test_which_skeleton_poses_are(tmp_path: Path) -> None:
    def stored(name: str, joints: int, names: tuple[str, ...] = ()) -> object:
        formats = {"poses": FrameFormat((joints, 3), "float32", joints=names)}
        frames = {"poses": np.ones((2, joints, 3), np.float32)}
        return skeleton_in(store_of(tmp_path / name, frames, formats=formats))

    assert stored("seventeen", 17) is COCO17
    assert stored("eighteen", 18) is OPENPOSE18
    assert stored("named", 18, OPENPOSE_JOINTS) is OPENPOSE18
    assert stored("other order", 18, OPENPOSE_JOINTS[::-1]) is None
    assert stored("other number", 21) is None


def test_unknown_joints_are_not_drawn(tmp_path: Path) -> None:
    formats = {"silhouettes": FrameFormat((64, 64)), "poses": FrameFormat((21, 3), "float32")}
    unknown = {"poses": np.ones((2, 21, 3), np.float32)}
    both = store_of(tmp_path / "both", {"silhouettes": silhouettes(2), **unknown}, formats=formats)
    assert drawable(both) == ("silhouettes",)
    with pytest.raises(ValueError, match="its poses of 21 joints are no known skeleton .*coco17 with 17 joints"):
        drawable(store_of(tmp_path / "poses", unknown, formats=formats))


def test_in_words() -> None:
    assert in_words({"silhouettes": 24, "poses": 24}) == "24 frames"
    assert in_words({"poses": 3}) == "3 frames"
    assert in_words({"silhouettes": 24, "poses": 22}) == "24 silhouettes, 22 poses"
