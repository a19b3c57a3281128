import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gaitway.data.pretreatment import DropReason, align_silhouette

CASE = Path(__file__).parents[1] / "parity" / "cases" / "protocol" / "data_silhouette_pretreatment"


@pytest.mark.parametrize("size", [64, 128])
def test_gives_the_published_silhouettes(size: int) -> None:
    frames = json.loads(CASE.with_suffix(".json").read_text())["hyperparameters"]["frames"]
    with np.load(CASE.with_suffix(".npz")) as arrays:
        aligned = [align_silhouette(arrays[f"input/{name}"], size) for name in frames]
        kept = [not isinstance(result, DropReason) for result in aligned]
        assert kept == arrays[f"output/kept_{size}"].astype(bool).tolist()
        survivors = [result for result in aligned if not isinstance(result, DropReason)]
        np.testing.assert_array_equal(np.stack(survivors), arrays[f"output/sequence_{size}"])


def test_the_middle_of_the_mass_comes_to_the_middle_column() -> None:
    frame = np.zeros((100, 200), np.uint8)
    frame[20:84, 150:161] = 255  # 64 rows high, so that nothing is scaled
    aligned = align_silhouette(frame, 64)
    assert isinstance(aligned, np.ndarray)
    assert np.flatnonzero(aligned.any(axis=0)).tolist() == list(range(27, 38))
    assert aligned.any(axis=1).all()


def test_says_why_a_frame_is_dropped() -> None:
    assert align_silhouette(np.zeros((50, 50), np.uint8), 64) is DropReason.NO_DATA
    assert align_silhouette(np.full((100, 1), 255, np.uint8), 64) is DropReason.NO_WIDTH
    assert align_silhouette(np.full((100, 2), 255, np.uint8), 64) is DropReason.NO_CENTER


@pytest.mark.parametrize(("frame", "size"), [(np.zeros((4, 4, 3), np.uint8), 64), (np.zeros((4, 4), np.uint8), 63)])
def test_refuses_what_it_cannot_align(frame: NDArray[Any], size: int) -> None:
    with pytest.raises(ValueError, match="Found .* expected"):
        align_silhouette(frame, size)
