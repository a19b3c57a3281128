"""Sequences that a model can't take are left out, counted and named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gaitway.data import Store
from gaitway.data.store import FrameFormat
from gaitway.data.store_writer import StoreWriter
from gaitway.data.usable import usable_rows

NUM_POSES = {"a": 9, "b": 0, "c": 4, "d": 8, "e": 0, "f": 0, "g": 0, "h": 7}
"""Frames with poses of each of one subject's sequences, which have 9 silhouettes (h none)."""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    formats = {"silhouettes": FrameFormat((4, 4)), "poses": FrameFormat((17, 3), "float32")}
    with StoreWriter(tmp_path / "store", dataset="made-up", modalities=formats, made={"by": "a test"}) as writer:
        for condition, num in NUM_POSES.items():
            frames = {"poses": np.ones((num, 17, 3), np.float32)} if num else {}
            silhouettes = {} if condition == "h" else {"silhouettes": np.ones((9, 4, 4), np.uint8)}
            writer.add("001", condition, "000", silhouettes | frames)
    return Store(tmp_path / "store")


def test_reasons_and_names(store: Store, tmp_path: Path) -> None:
    found = usable_rows(store, np.arange(8)[::-1], ["poses"], min_frames=8)
    assert found.rows.tolist() == [3, 0]  # in the order of what was asked for
    assert found.left_out == {
        "without poses": ("001-g-000", "001-f-000", "001-e-000", "001-b-000"),
        "of fewer than 8 frames": ("001-h-000", "001-c-000"),
    }
    assert str(found) == (
        "4 without poses (001-g-000, 001-f-000, 001-e-000, …); 2 of fewer than 8 frames (001-h-000, 001-c-000)"
    )
    found.save(tmp_path / "left_out.csv")
    lines = (tmp_path / "left_out.csv").read_text().splitlines()
    assert lines[:2] == ["sequence,reason", "001-g-000,without poses"]
    assert lines[-1] == "001-c-000,of fewer than 8 frames"
    assert len(lines) == 1 + 6


def test_nothing_is_left_out(store: Store, tmp_path: Path) -> None:
    found = usable_rows(store, np.array([0, 2]), ["poses"])
    assert (found.rows.tolist(), found.left_out, str(found)) == ([0, 2], {}, "")
    (tmp_path / "left_out.csv").write_text("of an earlier time")
    found.save(tmp_path / "left_out.csv")
    assert not (tmp_path / "left_out.csv").exists()


def test_two_modalities_have_the_same_frames(store: Store) -> None:
    found = usable_rows(store, np.arange(8), ["silhouettes", "poses"])
    assert found.rows.tolist() == [0]
    assert {reason: len(names) for reason, names in found.left_out.items()} == {
        "without silhouettes": 1,
        "without poses": 4,
        "with unequal numbers of silhouettes and poses": 2,
    }


def test_none_is_left(store: Store) -> None:
    with pytest.raises(ValueError, match=r"none of 2 sequences in .*: 1 without poses \(.*; 1 of fewer than 5 frames"):
        usable_rows(store, np.array([1, 2]), ["poses"], min_frames=5)


def test_a_modality_that_the_store_does_not_have(store: Store) -> None:
    with pytest.raises(ValueError, match="has no 'parsing', it has silhouettes, poses"):
        usable_rows(store, np.array([0]), ["parsing"])
