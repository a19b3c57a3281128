from __future__ import annotations

import numpy as np

from gaitway.report.terminal import block_picture, side_by_side


def test_a_character_shows_its_four_quarters() -> None:
    picture = np.array([[1, 0, 0, 1], [0, 0, 1, 1], [1, 1, 0, 0], [1, 1, 0, 1]], np.uint8) * np.uint8(255)
    wide = picture.repeat(2, axis=0)  # characters are twice as high as wide
    assert block_picture(wide, 2) == ["▘▟", "█▗"]


def test_proportions_are_kept() -> None:
    lines = block_picture(np.full((64, 44), 255, np.uint8), 11)
    assert lines == ["█" * 15] * 11


def test_pictures_stand_side_by_side() -> None:
    assert side_by_side([["a", "b"], ["c", "d"]]) == ["a  c", "b  d"]
