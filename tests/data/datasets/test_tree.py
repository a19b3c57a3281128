from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from gaitway.data.datasets.tree import find_sequences, prepare_tree
from gaitway.data.store import LeftOut, Store
from gaitway.skeletons import COCO_JOINTS, OPENPOSE_JOINTS
from tests.data.datasets.raw import silhouettes, write_pickle, write_pickle_tree

RNG = np.random.default_rng(0)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return write_pickle_tree(tmp_path / "raw")


def prepare(raw: Path, **options: Any) -> Store:
    return prepare_tree(raw, raw.parent / "store", dataset="made-up", **options)


def test_makes_a_store_in_the_published_order(tree: Path) -> None:
    (tree / ".git").mkdir()
    (tree / "README.txt").write_text("not a subject")
    (tree / "001" / "nm-01" / "090" / "mapping.txt").write_text("not a modality")
    calls: list[tuple[int, int]] = []
    store = prepare(tree, progress=lambda done, total: calls.append((done, total)))
    assert [info.name for info in store.index][:5] == [
        "001-bg-01-000",
        "001-bg-01-090",
        "001-nm-01-000",
        "001-nm-01-090",
        "002-bg-01-000",
    ]
    assert calls == [(done, 8) for done in range(1, 9)]
    row = [info.name for info in store.index].index("001-nm-01-090")
    np.testing.assert_array_equal(store.frames("silhouettes", row), silhouettes(6, seed=1))
    assert store.manifest.left_out == {}


def test_compact_keeps_black_and_white(tree: Path) -> None:
    store = prepare(tree, compact=True)
    assert store.frames_file("silhouettes").stat().st_size == 8 * 6 * 64 * 64 // 8
    row = [info.name for info in store.index].index("001-nm-01-000")
    np.testing.assert_array_equal(store.frames("silhouettes", row), (silhouettes(6, seed=0) > 0) * np.uint8(255))


@pytest.mark.parametrize("kind", [np.uint8, np.bool])
def test_masks_become_black_and_white(tmp_path: Path, kind: type) -> None:
    mask: npt.NDArray[Any] = RNG.integers(0, 2, (3, 64, 44)).astype(kind)
    write_pickle(tmp_path / "raw" / "001" / "nm" / "0" / "0.pkl", mask)
    store = prepare(tmp_path / "raw", compact=True)
    np.testing.assert_array_equal(store.frames("silhouettes", 0), mask * np.uint8(255))


def test_takes_several_modalities(tmp_path: Path) -> None:
    folder, poses = tmp_path / "raw" / "001" / "nm" / "0", RNG.random((3, 17, 3))
    write_pickle(folder / "0-sils.pkl", silhouettes(3))
    write_pickle(folder / "1-pose.pkl", poses)
    store = prepare(tmp_path / "raw")
    assert store.index[0].num_frames == {"silhouettes": 3, "poses": 3}
    assert store.frame_format("poses").joints == COCO_JOINTS
    np.testing.assert_array_equal(store.frames("poses", 0), poses.astype(np.float32))


def test_missing_joints_are_marked_and_counted(tmp_path: Path) -> None:
    poses = RNG.uniform(1, 100, (3, 18, 3))
    expected = poses.astype(np.float32)
    poses[1, 4, 1], poses[2, 5, :2] = np.nan, 0
    expected[1, 4] = expected[2, 5] = 0
    write_pickle(tmp_path / "raw" / "001" / "nm" / "0" / "pose.pkl", poses)
    store = prepare(tmp_path / "raw")
    np.testing.assert_array_equal(store.frames("poses", 0), expected)
    assert store.frame_format("poses").joints == OPENPOSE_JOINTS
    assert store.manifest.left_out == {
        "joints: NaN or infinite, marked by confidence 0": 1,
        "joints: not found, marked by confidence 0": 1,
    }


@pytest.mark.parametrize("data_in_use", [[2], [False, False, True]])
def test_data_in_use_chooses_files(tmp_path: Path, data_in_use: list[int] | list[bool]) -> None:
    folder = tmp_path / "raw" / "001" / "nm" / "0"
    for name, size in (("a", 32), ("b", 64), ("c", 128)):
        write_pickle(folder / f"{name}.pkl", silhouettes(3, size=size))
    with pytest.raises(ValueError, match=r"b\.pkl and a\.pkl are both silhouettes; choose one of them with"):
        prepare(tmp_path / "raw")
    assert prepare(tmp_path / "raw", data_in_use=data_in_use).frame_format("silhouettes").shape == (128, 128)


@pytest.mark.parametrize(
    ("data_in_use", "message"),
    [
        ([True, False], r"has 1 files \(000\.pkl\), data_in_use says which of 2 to take"),
        ([1], r"data_in_use asks for the positions \[1\]; give positions from 0 to 0"),
        ([-1], r"data_in_use asks for the positions \[-1\]"),
    ],
)
def test_data_in_use_must_fit_the_folders(tree: Path, data_in_use: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        prepare(tree, data_in_use=data_in_use)


def spoil(tree: Path, how: str) -> Path:
    """Make one sequence bad, in the way that `how` says."""
    file = tree / "001" / "nm-01" / "090" / "090.pkl"
    match how:
        case "cut off":
            file.write_bytes(file.read_bytes()[:-100])
        case "another size":
            write_pickle(file, silhouettes(6, size=32))
        case "no frames":
            write_pickle(file, np.zeros((0, 64, 64), np.uint8))
        case "another kind":
            write_pickle(file, RNG.random((6, 64, 64)))
        case "no modality":
            write_pickle(file, RNG.random((6, 17, 3)))
        case "two lengths":
            for pickle in tree.rglob("*.pkl"):
                write_pickle(pickle.with_name("pose.pkl"), RNG.random((6, 17, 3)))
            write_pickle(file.with_name("pose.pkl"), RNG.random((5, 17, 3)))
    return file


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("cut off", "is damaged or no pickle of an array"),
        ("another size", "has frames 32×32, the other sequences 64×64"),
        ("no frames", "has no frames"),
        ("another kind", r"has shape \(6, 64, 64\) and type float64, expected silhouettes .* or poses"),
        ("no modality", "has no silhouettes, as other sequences have"),
        ("two lengths", r"files of different lengths \(090.pkl 6, pose.pkl 5 frames\)"),
    ],
)
def test_names_the_file_that_is_bad_and_goes_on_without_it_when_asked(tree: Path, how: str, message: str) -> None:
    folder = spoil(tree, how).parent
    with pytest.raises(ValueError, match=rf"{folder}.*{message}.*3 sequences before it are kept.*--skip-bad"):
        prepare(tree)
    store = prepare(tree, skip_bad=True)
    assert len(store.index) == 7
    assert "001-nm-01-090" not in {info.name for info in store.index}
    assert store.manifest.left_out == {"sequence: damaged": 1}
    ((name, left_out),) = store.left_out
    assert name == "001-nm-01-090"
    assert str(folder) in left_out.detail


def test_a_mended_file_lets_the_run_go_on(tree: Path, tmp_path: Path) -> None:
    expected = prepare_tree(tree, tmp_path / "expected", dataset="made-up")
    file = tree / "001" / "nm-01" / "090" / "090.pkl"
    whole = file.read_bytes()
    spoil(tree, "cut off")
    with pytest.raises(ValueError, match="is damaged"):
        prepare(tree)
    file.write_bytes(whole)
    assert prepare(tree).manifest == expected.manifest


def test_one_odd_sequence_does_not_decide_the_size(tree: Path) -> None:
    write_pickle(tree / "001" / "bg-01" / "000" / "000.pkl", silhouettes(3, size=128))
    with pytest.raises(ValueError, match="bg-01/000/000.pkl has frames 128×128, the other sequences 64×64"):
        prepare(tree)


def test_a_folder_without_files_is_left_out(tree: Path) -> None:
    (tree / "001" / "nm-01" / "180").mkdir()
    store = prepare(tree)
    assert len(store.index) == 8
    assert store.left_out == (("001-nm-01-180", LeftOut("sequence", "no files in the folder")),)


def test_what_is_no_tree_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="is not a folder"):
        prepare(tmp_path / "nothing")
    (tmp_path / "raw" / "001" / "nm").mkdir(parents=True)
    with pytest.raises(ValueError, match="holds no <id>/<type>/<view>"):
        prepare(tmp_path / "raw")
    write_pickle(tmp_path / "raw" / "001" / "nm" / "0" / "0.pkl", {"not": "an array"})
    with pytest.raises(ValueError, match=r"0\.pkl is not read: it holds a dict"):
        prepare(tmp_path / "raw", skip_bad=True)
    assert not (tmp_path / "store.partial").exists()


def test_finds_the_subjects_that_are_asked_for_in_their_order(tree: Path) -> None:
    found = find_sequences(tree, dataset="D-Gait", subjects=["002", "050", "001"])
    assert [sequence.subject for sequence in found] == ["002"] * 4 + ["001"] * 4
    assert found[0].condition == "002-bg-01"
