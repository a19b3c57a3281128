"""Every data set of poses from its layout as distributed: walkers' poses written as files, prepared and examined."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from gaitway.cli.pose_kinds import POSE_KINDS
from gaitway.data import Store, open_store
from gaitway.data.datasets import sequences
from gaitway.data.datasets.distributed import DISTRIBUTED
from gaitway.data.datasets.people import frame_of
from gaitway.data.datasets.pose_sets import POSES
from gaitway.data.datasets.poses import prepare_poses
from gaitway.data.datasets.silhouettes import prepare_silhouettes
from gaitway.data.doctor import Finding, Severity, examine
from gaitway.data.partitions import load_partition
from gaitway.data.store import LeftOut
from gaitway.data.walkers.layouts import Recording, write_recordings
from gaitway.data.walkers.pose_layouts import POSE_LAYOUTS, with_neck
from gaitway.data.walkers.writing import LAYOUTS
from gaitway.skeletons import COCO17, OPENPOSE18, OPENPOSE18_TO_COCO17

NUM_FRAMES = 6


@pytest.fixture(autouse=True)
def in_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in this process: starting others takes a second."""
    monkeypatch.setattr(sequences, "process_pool", ThreadPoolExecutor)


def recordings(layout: str, num_subjects: int) -> Iterator[Recording]:
    """Poses, or silhouettes in the same pixels: what lies between the joints."""
    store, of = open_store("walkers"), LAYOUTS[layout]
    for row, info in enumerate(store.index):
        if int(info.subject) <= num_subjects and info.condition in of.conditions and info.view in of.views:
            poses = store.frames("poses", row)[:NUM_FRAMES]
            frames = poses if of.modality == "poses" else np.stack([outlined(pose) for pose in poses])
            yield info.subject, info.condition, info.view, frames


def outlined(pose: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """A raw silhouette of 320×240: the hull of the joints, `(17, 3)`."""
    image = np.zeros((240, 320), np.uint8)
    cv2.fillConvexPoly(image, cv2.convexHull(pose[:, :2].astype(np.int32)), 255)
    return cv2.dilate(image, np.ones((7, 7), np.uint8)).astype(np.uint8)


def raw_tree(folder: Path, name: str, num_subjects: int = 2) -> Path:
    write_recordings(recordings(name, num_subjects), folder / name, LAYOUTS[name])
    return folder / name


def prepare(raw: Path, kind: str, out: str = "store", **options: Any) -> Store:
    return prepare_poses(POSES[kind], raw, raw.parent / out, num_processes=2, **options)


def silhouettes(raw: Path, kind: str, out: str = "silhouettes") -> Store:
    return prepare_silhouettes(DISTRIBUTED[kind], raw, raw.parent / out, dataset=kind, num_processes=2)


def finding(store: Store, check: str) -> Finding:
    (found,) = (finding for finding in examine(store).findings if finding.check == check)
    return found


def left_out(store: Store, name: str) -> list[LeftOut]:
    return [missing for of, missing in store.left_out if of == name]


EXPECTED = {  # files as the data set has them, and sequences in the store (number, first)
    "casia-b-pose": ("002/nm-01/090/090.pkl", 220, "001-bg-01-000"),
    "casia-b-pose-csv": ("002/nm-01/090/090.csv", 220, "001-bg-01-000"),
    "ccpg-pose": ("100/U0_D0_BG/02_0/02_0-pose.pkl", 84, "000-U0_D0-00_0"),
    "gait3d-pose": ("0002/camid33_videoid2/seq0/human_crop_f11632.txt", 16, "0000-camid1_videoid24-seq0"),
    "grew-pose": ("train/00001/47502CDE/00006_2d_pose.txt", 12, "00001train-00-47502CDE"),
    "oumvlp-pose": ("00002/270_01/0006_keypoints.json", 56, "00001-00-000"),
    "sustech1k-pose": ("0001/02-cl/315/03-Camera-Pose.pkl", 80, "0000-00-nm-000"),
}


@pytest.mark.parametrize("name", sorted(POSE_LAYOUTS))
def test_a_tree_as_distributed_becomes_a_store(name: str, tmp_path: Path) -> None:
    raw, kind = raw_tree(tmp_path, name), name.partition("-pose")[0]
    file, num_sequences, first = EXPECTED[name]
    assert (raw / file).is_file(), sorted(str(path.relative_to(raw)) for path in raw.rglob("*.*"))[:5]
    store = prepare(raw, kind)
    assert len(store.index) == num_sequences
    assert first in {info.name for info in store.index}
    assert store.manifest.dataset == kind
    assert set(store.index.num_frames["poses"].tolist()) == {NUM_FRAMES}
    skeleton = OPENPOSE18 if kind == "oumvlp" else COCO17
    assert store.frame_format("poses").joints == skeleton.joints
    assert store.frame_format("poses").shape == (skeleton.num_joints, 3)
    for check in ("numbers in poses", "joints found in poses", "confidences in poses", "size of the person in poses"):
        assert finding(store, check).severity is Severity.FINE
    if not name.startswith("casia-b"):  # whose walkers are numbered as walkers
        partition = load_partition(store.manifest.dataset)
        assert len(partition.rows(store, "train", ["poses"]))
        assert len(partition.rows(store, "test", ["poses"]))


def test_every_data_set_of_poses_can_be_prepared_by_a_command_and_written() -> None:
    assert {name.removesuffix("-pose") for name in POSE_KINDS} == set(POSES)
    assert {name.removesuffix("-csv") for name in POSE_LAYOUTS} == set(POSE_KINDS)


def test_an_array_and_rows_give_the_same_poses(tmp_path: Path) -> None:
    expected = open_store("walkers")
    arrays = prepare(raw_tree(tmp_path, "casia-b-pose", 1), "casia-b", "arrays")
    np.testing.assert_array_equal(arrays.frames("poses", 7), expected.frames("poses", 7)[:NUM_FRAMES])
    rows = prepare(raw_tree(tmp_path, "casia-b-pose-csv", 1), "casia-b", "rows")
    assert [info.name for info in rows.index] == [info.name for info in arrays.index]
    np.testing.assert_allclose(rows.frames("poses", 7), arrays.frames("poses", 7), rtol=1e-5)


def test_one_csv_file_of_all_sequences_in_any_order(tmp_path: Path) -> None:
    numbers = ",".join(["1.5"] * 50 + [""])  # an empty cell is NaN
    lines = [f"b/001-nm-01-{view}-{frame}.png,{frame}{numbers[3:]}" for frame in (10, 9, 1) for view in ("018", "000")]
    file = tmp_path / "poses.csv"
    file.write_text("\n".join(["image," + ",".join(f"c{n}" for n in range(51)), "", *lines]))
    store = prepare(file, "casia-b")
    assert [info.name for info in store.index] == ["001-nm-01-000", "001-nm-01-018"]
    assert store.frames("poses", 1)[:, 0, 0].tolist() == [1, 9, 10]
    assert store.manifest.left_out["joints: NaN or infinite, marked by confidence 0"] == 6

    file.write_text(f"001-nm-01-000-001.png,{numbers}\n001-nm-01-000-1.png,{numbers}\n")
    with pytest.raises(ValueError, match=r"poses\.csv, line 2: the frame 001-nm-01-000-1\.png comes twice; remove one"):
        prepare(file, "casia-b", "other")
    file.write_text(f"somebody,{numbers}\n")
    with pytest.raises(ValueError, match=r"poses\.csv, line 1 begins with 'somebody', expected the name of a frame"):
        prepare(file, "casia-b", "other")
    file.write_text(f"001-nm-01-000-001.png,{numbers},1\n")
    with pytest.raises(ValueError, match=r"poses\.csv/001-nm-01-000-000001\.png holds 52 numbers for a person"):
        prepare(file, "casia-b", "other")
    file.write_text("image,x,y\n")
    with pytest.raises(ValueError, match=r"poses\.csv holds no frames, expected a row for each"):
        prepare(file, "casia-b", "other")
    file.write_text("1" * 200_000)
    with pytest.raises(ValueError, match=r"poses\.csv is damaged or no CSV \(field larger than field limit"):
        prepare(file, "casia-b", "other")
    (tmp_path / "000.pkl").touch()
    with pytest.raises(ValueError, match=r"holds both .*poses\.csv and .*000\.pkl; move one kind away"):
        prepare(tmp_path, "casia-b", "other")
    file.write_text("")
    with pytest.raises(ValueError, match=r"poses\.csv is empty \(0 bytes\)"):
        prepare(file, "casia-b", "other")


def test_oumvlp_takes_the_person_on_the_silhouette_or_the_first(tmp_path: Path) -> None:
    raw, pictures = raw_tree(tmp_path, "oumvlp-pose"), raw_tree(tmp_path, "oumvlp")
    walkers, (right, first) = (
        open_store("walkers"),
        (prepare(raw, "oumvlp", out, silhouettes=of) for out, of in (("right", pictures), ("first", None))),
    )
    names = [info.name for info in walkers.index]
    for name, walker in (("00001-00-000", "001-nm-01-000"), ("00002-01-090", "002-nm-02-108")):
        row = next(row for row, info in enumerate(right.index) if info.name == name)
        expected = with_neck(walkers.frames("poses", names.index(walker))[:NUM_FRAMES])
        np.testing.assert_allclose(right.frames("poses", row), expected, atol=1e-4)
        is_other = np.abs(first.frames("poses", row) - expected).max(axis=(1, 2)) > 10
        assert is_other.tolist() == [False, True, False, False, False, True]
    assert right.manifest.left_out == {"people: in a frame beside the person chosen": 2 * 56}
    assert first.manifest.left_out == right.manifest.left_out
    assert finding(right, "jumps in poses").severity is Severity.FINE
    assert finding(right, "person in poses").severity is Severity.FINE
    assert finding(first, "person in poses").severity is Severity.NOTE
    jumps = finding(first, "jumps in poses")
    assert jumps.severity is Severity.WARNING
    assert "00002-01-090" in jumps.examples


def test_oumvlp_without_some_silhouettes_and_as_coco17(tmp_path: Path) -> None:
    raw, pictures = raw_tree(tmp_path, "oumvlp-pose", 1), raw_tree(tmp_path, "oumvlp", 1)
    (pictures / "Silhouette_000-00" / "00001" / "0002.png").unlink()
    shutil.rmtree(pictures / "Silhouette_015-00")
    store = prepare(raw, "oumvlp", silhouettes=pictures, joints="coco17")
    assert store.manifest.left_out == {
        "frames: several people and no silhouette, the first taken": 3,
        "people: in a frame beside the person chosen": 56,
    }
    row = next(row for row, info in enumerate(store.index) if info.name == "00001-00-090")
    walkers = open_store("walkers")
    of_walker = next(row for row, info in enumerate(walkers.index) if info.name == "001-nm-01-108")
    expected = walkers.frames("poses", of_walker)[:NUM_FRAMES]
    np.testing.assert_allclose(store.frames("poses", row), expected, atol=1e-4)
    assert store.frame_format("poses").joints == COCO17.joints

    (pictures / "Silhouette_000-01" / "00001" / "0002.png").write_bytes(b"broken")
    with pytest.raises(ValueError, match=r"0002\.png is damaged or no PNG \(6 bytes\).*--skip-bad"):
        prepare(raw, "oumvlp", "other", silhouettes=pictures)
    with pytest.raises(FileNotFoundError, match="there is no folder .*nowhere; give that of Silhouette_000-00"):
        prepare(raw, "oumvlp", "third", silhouettes=tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("name", "frame"),
    [("0021.json", "0021"), ("a/0021_keypoints.json", "0021"), ("00001_0021.json", "0021"), ("x_keypoints.json", "")],
)
def test_numbers_of_frames(name: str, frame: str) -> None:
    assert frame_of(name) == frame


def test_oumvlp_from_an_archive_per_subject_and_rearranged(tmp_path: Path) -> None:
    raw, archives = raw_tree(tmp_path, "oumvlp-pose"), tmp_path / "archives"
    expected = prepare(raw, "oumvlp", "expected")
    archives.mkdir()
    for subject in raw.iterdir():
        shutil.make_archive(str(archives / subject.name), "zip", subject)
        for folder in subject.iterdir():
            view, sequence = folder.name.split("_")
            shutil.copytree(folder, tmp_path / "rearranged" / subject.name / sequence / view)
    for source in (archives, tmp_path / "rearranged"):
        assert prepare(source, "oumvlp", f"{source.name}-store").manifest.checksums == expected.manifest.checksums


def test_ccpg_of_18_joints_among_other_pickles(tmp_path: Path) -> None:
    raw = raw_tree(tmp_path, "ccpg-pose", 1)
    folder = raw / "000" / "U0_D0" / "00_0"
    for name in ("aligned-sils", "ratios", "rgbs", "sils"):
        (folder / f"00_0-{name}.pkl").write_bytes(b"not read")
    expected = prepare(raw, "ccpg", "expected")
    for file in raw.rglob("*-pose.pkl"):
        file.write_bytes(with_neck(np.load(file, allow_pickle=True)).dumps())
    assert prepare(raw, "ccpg").manifest.checksums == expected.manifest.checksums
    kept = prepare(raw, "ccpg", "kept", joints="openpose18")
    assert kept.frame_format("poses").joints == OPENPOSE18.joints
    np.testing.assert_array_equal(kept.frames("poses", 0)[:, OPENPOSE18_TO_COCO17], expected.frames("poses", 0))


def test_files_in_another_layout_and_empty_folders_are_said_so(tmp_path: Path) -> None:
    (tmp_path / "raw" / "somebody").mkdir(parents=True)
    with pytest.raises(ValueError, match=r"raw holds no .*/<view>\.pkl or <name>\.csv and no archive of such files"):
        prepare(tmp_path / "raw", "casia-b")
    for kind, name in (("oumvlp", "1.json"), ("gait3d", "1.txt"), ("grew", "1_2d_pose.txt"), ("sustech1k", "03.pkl")):
        file = tmp_path / "raw" / "somebody" / name
        file.touch()
        with pytest.raises(ValueError, match=rf"found {file}, expected .*; move it away"):
            prepare(tmp_path / "raw", kind)
        file.unlink()
    with pytest.raises(FileNotFoundError, match="there is no .*nowhere; give the folder or archive of"):
        prepare(tmp_path / "nowhere", "casia-b")


def test_gait3d_from_json(tmp_path: Path) -> None:
    text = raw_tree(tmp_path, "gait3d-pose", 1)
    expected = prepare(text, "gait3d", "expected")
    for number, file in enumerate(sorted(text.rglob("*.txt"))):
        joints = [float(word) for word in file.read_text().split(",")[2:]]
        coco, openpose = [{"keypoints": joints}], {"people": [{"pose_keypoints_2d": joints}]}
        file.with_suffix(".json").write_text(json.dumps(coco if number % 2 else openpose))
        file.unlink()
    found = prepare(text, "gait3d")
    assert found.manifest.checksums == expected.manifest.checksums
    (next(text.rglob("*.json")).parent / "human_crop_f1.txt").write_text("1")
    with pytest.raises(
        ValueError, match=r"holds human_crop_f1\.txt, .*\.json.*, expected one pickle, or frames of one"
    ):
        prepare(text, "gait3d", "other")


def test_grew_s_poses_get_the_names_of_the_silhouettes(tmp_path: Path) -> None:
    """Where the first gallery video has no poses, the second is still 02."""
    write_recordings(recordings("grew", 2), tmp_path / "grew", LAYOUTS["grew"])
    raw = raw_tree(tmp_path, "grew-pose")
    gallery = sorted((raw / "test" / "gallery" / "00001").iterdir())
    shutil.rmtree(gallery[0])
    assert f"00001-01-{gallery[1].name}" in {info.name for info in prepare(raw, "grew").index}
    store = silhouettes(tmp_path / "grew", "grew")
    both = prepare(raw, "grew", "both", join=store.path)
    assert sorted(info.name for info in both.index) == sorted(info.name for info in store.index)
    second = next(info for info in both.index if info.view == gallery[1].name)
    assert (second.name, sorted(second.num_frames)) == (f"00001-02-{second.view}", ["poses", "silhouettes"])
    lacking = next(info for info in both.index if info.view == gallery[0].name)
    assert sorted(lacking.num_frames) == ["silhouettes"]
    assert left_out(both, lacking.name) == [LeftOut("poses", "no such sequence in the raw data")]
    probes = raw / "test" / "probe"
    (tmp_path / "moved").mkdir()
    shutil.move(probes, tmp_path / "moved" / "03")  # where another script puts them
    assert {info.subject for info in prepare(tmp_path / "moved", "grew", "probes").index} == {"probe"}


@pytest.fixture
def both(tmp_path: Path) -> tuple[Path, Store]:
    """Raw poses of CASIA-B, and a store of the silhouettes, of two conditions from two views."""
    for name in ("casia-b", "casia-b-pose"):
        few = [r for r in recordings(name, 1) if r[1] in ("nm-01", "bg-01") and r[2] in ("000", "090")]
        write_recordings(few, tmp_path / name, LAYOUTS[name])
    return tmp_path / "casia-b-pose", silhouettes(tmp_path / "casia-b", "casia-b")


def test_poses_join_a_store_of_silhouettes(both: tuple[Path, Store]) -> None:
    raw, store = both
    found = prepare(raw, "casia-b", join=store.path)
    assert list(found.manifest.modalities) == ["silhouettes", "poses"]
    assert [info.name for info in found.index] == [info.name for info in store.index]
    assert found.manifest.checksums["silhouettes.bin"] == store.manifest.checksums["silhouettes.bin"]
    assert found.manifest.checksums["poses.bin"] == prepare(raw, "casia-b", "alone").manifest.checksums["poses.bin"]
    assert found.manifest.made["with"]["made"] == dict(store.manifest.made)
    assert found.left_out[-1][1].reason == "missing from the raw data (silhouettes)"  # said when those were prepared
    with pytest.raises(ValueError, match="has poses already; give a store without"):
        prepare(raw, "casia-b", "again", join=found.path)
    with pytest.raises(ValueError, match="is of casia-b, the poses are of mine; give the store of mine, or the name"):
        prepare(raw, "casia-b", "again", join=store.path, dataset="mine")
    frames = bytearray(store.frames_file("silhouettes").read_bytes())
    frames[100] ^= 1
    store.frames_file("silhouettes").write_bytes(frames)
    with pytest.raises(ValueError, match=r"silhouettes\.bin is damaged"):
        prepare(raw, "casia-b", "again", join=store.path)


def test_what_does_not_fit_together_is_listed(both: tuple[Path, Store]) -> None:
    raw, store = both
    shutil.rmtree(raw / "001" / "bg-01" / "000")
    (raw / "001" / "bg-01" / "090" / "090.pkl").write_bytes(np.zeros((2, 16, 3)).dumps())
    (raw / "001" / "nm-01" / "090" / "090.pkl").write_bytes(np.ones((4, 17, 3)).dumps())
    (raw / "001" / "nm-01" / "018").mkdir()
    (raw / "001" / "nm-01" / "018" / "018.pkl").write_bytes(np.ones((4, 17, 3)).dumps())
    (raw / "001" / "nm-01" / "036").mkdir()
    found = prepare(raw, "casia-b", join=store.path, skip_bad=True)
    frames = {info.name: dict(info.num_frames) for info in found.index}
    assert frames == {
        "001-bg-01-000": {"silhouettes": 6},
        "001-bg-01-090": {"silhouettes": 6},
        "001-nm-01-000": {"silhouettes": 6, "poses": 6},
        "001-nm-01-018": {"poses": 4},
        "001-nm-01-090": {"silhouettes": 6, "poses": 4},
    }
    assert left_out(found, "001-bg-01-000") == [LeftOut("poses", "no such sequence in the raw data")]
    (damaged,) = left_out(found, "001-bg-01-090")
    assert (damaged.what, damaged.reason) == ("poses", "damaged")
    assert "090.pkl has 16 joints, expected 17 (coco17)" in damaged.detail
    assert left_out(found, "001-nm-01-000") == []
    assert left_out(found, "001-nm-01-018") == [LeftOut("silhouettes", "no such sequence in the store")]
    assert left_out(found, "001-nm-01-036") == [LeftOut("sequence", "no files in the folder")]
    assert left_out(found, "001-nm-01-090") == [
        LeftOut(
            "lengths",
            "unequal numbers of frames",
            detail="6 silhouettes, 4 poses: frame by frame they don't match",
        )
    ]
    names = ("001-bg-01-000", "001-bg-01-090", "001-nm-01-018")
    assert tuple(sorted(finding(found, "modalities per sequence").examples)) == names
    assert finding(found, "lengths of modalities").examples == ("001-nm-01-090",)
    assert set(names) < set(finding(found, "left out when prepared").examples)


def test_a_stopped_join_goes_on(both: tuple[Path, Store]) -> None:
    raw, store = both
    shutil.rmtree(raw / "001" / "bg-01" / "000")
    expected = prepare(raw, "casia-b", "expected", join=store.path)

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(raw, "casia-b", join=store.path, progress=stop)
    found = prepare(raw, "casia-b", join=store.path)
    assert found.manifest.checksums == expected.manifest.checksums
    assert found.left_out == expected.left_out
