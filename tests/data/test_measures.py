from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gaitway.data import Store, measures
from gaitway.data.measures import measure
from gaitway.data.store import FrameFormat
from gaitway.data.store_writer import StoreWriter

RNG = np.random.default_rng(0)


def store_of(out: Path, *sequences: np.ndarray, dtype: str = "uint8", compact: bool = False) -> Store:
    name = "silhouettes" if dtype == "uint8" else "poses"
    fmt = {name: FrameFormat(sequences[0].shape[1:], dtype, compact)}
    with StoreWriter(out, dataset="made-up", modalities=fmt, made={}) as writer:
        for number, frames in enumerate(sequences):
            writer.add(str(number), "nm", "0", {name: frames})
    return Store(out)


@pytest.mark.parametrize("compact", [False, True])
@pytest.mark.parametrize("block_bytes", [1, 300, 1 << 20])
def test_measures_every_frame_as_a_loop_would(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compact: bool, block_bytes: int
) -> None:
    monkeypatch.setattr(measures, "BLOCK_BYTES", block_bytes)
    frames = (RNG.random((9, 8, 6)) < RNG.random((9, 1, 1)) * 0.3).astype(np.uint8) * RNG.integers(
        128, 256, (9, 8, 6), np.uint8
    )
    frames[4] = 0
    store = store_of(tmp_path / "store", frames[:4], frames[4:], compact=compact)
    calls: list[tuple[int, int]] = []
    found = measure(store, lambda done, total: calls.append((done, total)))
    assert calls[-1] == (9, 9)
    assert found.checksums == {"silhouettes": store.manifest.checksums["silhouettes.bin"]}
    silhouettes = found.silhouettes["silhouettes"]
    for frame, area, height, offset in zip(
        frames, silhouettes.area, silhouettes.height, silhouettes.offset, strict=True
    ):
        rows, columns = np.nonzero(frame)
        assert area == pytest.approx(len(rows) / 48)
        if len(rows):
            assert height == pytest.approx((rows.max() - rows.min() + 1) / 8)
            centre = next(column for column in range(6) if 2 * (columns <= column).sum() > len(columns))
            assert offset == pytest.approx((centre - 3) / 6)
        else:
            assert (height, offset) == (0, 0)
    assert silhouettes.brightest == (255 if compact else frames.max())
    assert silhouettes.grey == (0 if compact else pytest.approx((frames[frames > 0] < 255).mean()))


def test_finds_the_same_frames_under_several_names(tmp_path: Path) -> None:
    a, b = RNG.integers(0, 256, (2, 3, 8, 8), np.uint8)
    found = measure(store_of(tmp_path / "store", a, b, a, a[:2], b))
    assert found.duplicates == {"silhouettes": [[0, 2], [1, 4]]}


def test_measures_poses(tmp_path: Path) -> None:
    frames = RNG.random((3, 4, 3)).astype(np.float32) + 1
    frames[1, :3, :2] = 0
    frames[2, 0, 2] = np.nan
    frames[2, 1, 0] = 0  # one coordinate alone may be 0
    poses = measure(store_of(tmp_path / "store", frames, dtype="float32")).poses["poses"]
    assert poses.finite.tolist() == [True, True, False]
    assert poses.missing.tolist() == [0, 0.75, 0]
    np.testing.assert_allclose(poses.middle[0], frames[0, :, :2].mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(poses.middle[1], frames[1, 3, :2], rtol=1e-6)
    np.testing.assert_allclose(poses.middle[2], frames[2, 1:, :2].mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(poses.height[:2], [float(np.ptp(frames[0, :, 1])), 0.0], rtol=1e-6)
    np.testing.assert_allclose(poses.least[:2], [frames[0, :, 2].min(), frames[1, 3, 2]])
    np.testing.assert_allclose(poses.most[:2], [frames[0, :, 2].max(), frames[1, 3, 2]])


def test_poses_without_joints_or_confidences(tmp_path: Path) -> None:
    frames = np.zeros((2, 4, 2), np.float32)
    frames[1] = 5
    poses = measure(store_of(tmp_path / "store", frames, dtype="float32")).poses["poses"]
    assert np.isnan(poses.middle[0]).all()
    assert np.isnan(poses.height[0])
    assert poses.middle[1].tolist() == [5, 5]
    assert np.isnan(poses.most).all()


def test_an_empty_modality_has_no_measures(tmp_path: Path) -> None:
    found = measure(store_of(tmp_path / "store", np.zeros((0, 8, 8), np.uint8)))
    assert found.silhouettes == {}
    assert found.duplicates == {"silhouettes": []}
