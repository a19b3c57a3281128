from __future__ import annotations

import base64
from pathlib import Path

import cv2
import numpy as np

from gaitway.data.store import Store
from gaitway.report.strips import GAP, SKELETON_HEIGHT, data_uri, moments, strip_of
from tests.report.walking import poses, silhouettes, store_of


def test_moments_span_a_cycle_without_the_sides() -> None:
    frames = np.zeros((100, 64, 64), np.uint8) + np.arange(100, dtype=np.uint8)[:, None, None]
    frames[:, :, :10] = 255
    found = moments(frames, 4)
    assert found.shape == (4, 64, 44)
    assert found[:, 0, 0].tolist() == [0, 9, 18, 27]
    assert found.max() == 27


def test_short_and_narrow_sequences_are_taken_as_they_are() -> None:
    assert moments(np.zeros((1, 64, 44), np.uint8), 3).shape == (3, 64, 44)


def test_picture_in_a_page_is_black_on_white(store: Store) -> None:
    picture = strip_of(store, 0)
    assert picture.shape == (64, 8 * 44)
    assert picture[0, 0] == 255
    assert picture.min() == 0
    uri = data_uri(picture)
    assert uri.startswith("data:image/png;base64,")
    png = np.frombuffer(base64.b64decode(uri.partition(",")[2]), np.uint8)
    shown = cv2.imdecode(png, cv2.IMREAD_UNCHANGED)
    assert shown is not None
    assert np.array_equal(shown, picture)


def test_skeletons_are_drawn_in_colour(tmp_path: Path) -> None:
    store = store_of(tmp_path / "store", {"silhouettes": silhouettes(30), "poses": poses(30)}, {"poses": poses(5)})
    both = strip_of(store, 0, ("silhouettes", "poses"))
    assert both.shape == (SKELETON_HEIGHT, 8 * (SKELETON_HEIGHT - 40) + 7 * GAP, 3)
    assert strip_of(store, 1, ("poses",)).shape == (SKELETON_HEIGHT, 8 * 96 + 7 * GAP, 3)
    png = np.frombuffer(base64.b64decode(data_uri(both).partition(",")[2]), np.uint8)
    shown = cv2.imdecode(png, cv2.IMREAD_COLOR)
    assert shown is not None
    assert np.abs(shown.astype(int) - both).mean() < 1
