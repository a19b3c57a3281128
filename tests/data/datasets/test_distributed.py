"""Every data set from its layout as distributed: walkers that ship, written as files, prepared and examined."""

from __future__ import annotations

import re
import shutil
import tarfile
import zipfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from gaitway.cli.walkers import RAW
from gaitway.data import Store, open_store
from gaitway.data.datasets import sequences
from gaitway.data.datasets.distributed import DISTRIBUTED
from gaitway.data.datasets.grew import grew
from gaitway.data.datasets.silhouettes import RawSilhouettes, align_sequence, prepare_silhouettes
from gaitway.data.doctor import Finding, Severity, examine
from gaitway.data.partitions import load_partition
from gaitway.data.walkers.layouts import RAW_LAYOUTS, Recording, write_recordings
from gaitway.data.walkers.writing import LAYOUTS
from tests.data.datasets.raw import contents, person, png, write_pickle

NUM_FRAMES = 6


@pytest.fixture(autouse=True)
def in_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in this process: starting others takes a second."""
    monkeypatch.setattr(sequences, "process_pool", ThreadPoolExecutor)


def recordings(layout: str, num_subjects: int) -> Iterable[Recording]:
    store, of = open_store("walkers"), RAW_LAYOUTS[layout]
    for row, info in enumerate(store.index):
        if int(info.subject) <= num_subjects and info.condition in of.conditions and info.view in of.views:
            yield info.subject, info.condition, info.view, store.frames("silhouettes", row)[:NUM_FRAMES]


def raw_tree(folder: Path, name: str, num_subjects: int = 3) -> Path:
    write_recordings(recordings(name, num_subjects), folder / name, RAW_LAYOUTS[name])
    return folder / name


def prepare(
    raw: Path, name: str, out: str = "store", *, kind: RawSilhouettes | None = None, skip_bad: bool = False
) -> Store:
    dataset = "hid2022" if name == "hid" else name
    return prepare_silhouettes(
        kind or DISTRIBUTED[name], raw, raw.parent / out, dataset=dataset, num_processes=2, skip_bad=skip_bad
    )


def finding(store: Store, check: str) -> Finding:
    (found,) = (finding for finding in examine(store).findings if finding.check == check)
    return found


EXPECTED = {  # files as the data set has them, and sequences in the store (first, last) of three walkers
    "casia-b": ("002/nm-01/090/002-nm-01-090-006.png", 220, ("001-bg-01-000", "002-nm-06-180")),
    "casia-e": ("forTrain/201/H/scene2/bg/000/1/0006.jpg", 180, ("001-H-scene1-nm-1-000", "201-L-scene2-nm-2-150")),
    "ccpg": ("100/U0_D0_BG/02_0/0006.png", 126, ("000-U0_D0-00_0", "100-U3_D3-10_0")),
    "gait3d": ("0002/camid33_videoid2/seq0/human_crop_f11632.png", 24, ("0000-camid1_videoid24-seq0", None)),
    "grew": ("train/00001/47502CDE/00006.png", 12, (None, None)),
    "hid": ("0500/C7907EE6/0006.png", 36, (None, None)),
    "oumvlp": ("Silhouette_270-01/00002/0006.png", 84, ("00001-00-000", "00003-01-270")),
    "sustech1k": ("0001/02-cl/315/06-Camera-Sils_aligned.pkl", 120, ("0000-00-nm-000", "0002-02-cl-315")),
}


@pytest.mark.parametrize("name", sorted(DISTRIBUTED))
def test_a_tree_as_distributed_becomes_a_store(name: str, tmp_path: Path) -> None:
    raw = raw_tree(tmp_path, name, num_subjects=2 if name == "casia-b" else 3)
    file, num_sequences, (first, last) = EXPECTED[name]
    assert (raw / file).is_file(), sorted(str(path.relative_to(raw)) for path in raw.rglob("*.*"))[:5]
    store = prepare(raw, name)
    names = [info.name for info in store.index]
    assert len(names) == num_sequences
    assert names[0] == (first or names[0])
    assert names[-1] == (last or names[-1])
    assert store.manifest.left_out == {}
    assert set(store.index.num_frames["silhouettes"].tolist()) == {NUM_FRAMES}
    size = DISTRIBUTED[name].sizes[0]
    assert store.frame_format("silhouettes").shape == (size, size)
    frame = store.frames("silhouettes", 0)[0]
    assert frame.any(axis=1).mean() > 0.9  # the person fills the height
    if name != "casia-b":  # whose walkers are numbered as walkers
        partition = load_partition(store.manifest.dataset)
        of_train, of_test = (set(partition.rows(store, part).tolist()) for part in ("train", "test"))
        assert of_train
        assert of_test
        assert of_train | of_test == set(range(len(names)))


def test_every_layout_can_be_written_and_prepared() -> None:
    assert set(RAW_LAYOUTS) == set(DISTRIBUTED)
    assert set(LAYOUTS) == set(RAW)


def test_oumvlp_is_the_same_rearranged_and_from_archives(tmp_path: Path) -> None:
    raw = raw_tree(tmp_path, "oumvlp", num_subjects=2)
    expected = contents(prepare(raw, "oumvlp").path)
    rearranged, archives, inside = tmp_path / "rearranged", tmp_path / "archives", tmp_path / "inside"
    for folder in (archives, inside):
        folder.mkdir()
    for folder in raw.iterdir():
        view, sequence = folder.name.removeprefix("Silhouette_").split("-")
        for subject in folder.iterdir():
            shutil.copytree(subject, rearranged / subject.name / sequence / view)
        shutil.make_archive(str(archives / folder.name), "zip", raw, folder.name)  # with the folder's name
        shutil.make_archive(str(inside / folder.name), "tar", folder)  # without
    for source in (rearranged, archives, inside):
        found = contents(prepare(source, "oumvlp", f"{source.name}-store").path)
        assert all(found[file] == expected[file] for file in ("index.csv", "silhouettes.bin"))


def test_a_raw_tree_with_a_missing_view(tmp_path: Path) -> None:
    raw = raw_tree(tmp_path, "oumvlp", num_subjects=2)
    for folder in raw.glob("Silhouette_045-*"):
        shutil.rmtree(folder)
    store = prepare(raw, "oumvlp")
    assert store.manifest.left_out == {"view: missing from the raw data": 1}
    ((name, missing),) = store.left_out
    assert (name, missing.detail) == (
        "*-*-045",
        "no sequence has the view 045, which oumvlp has; is a folder or an archive lacking?",
    )
    views = finding(store, "views")
    assert (views.severity, views.found) == (Severity.SERIOUS, "13, without 045")


def test_7z_archives_must_be_unpacked(tmp_path: Path) -> None:
    (tmp_path / "Silhouette_000-00.7z").write_bytes(b"7z\xbc\xaf\x27\x1c")
    with pytest.raises(ValueError, match=r"can't be read here \(Silhouette_000-00\.7z\); unpack them with 7-Zip"):
        prepare(tmp_path, "oumvlp")


def test_an_unreadable_archive_among_others_is_named_and_can_be_left_out(tmp_path: Path) -> None:
    raw = raw_tree(tmp_path, "oumvlp", num_subjects=1)
    archives = tmp_path / "archives"
    archives.mkdir()
    for folder in raw.iterdir():
        shutil.make_archive(str(archives / folder.name), "zip", raw, folder.name)
    bad = archives / "Silhouette_090-01.zip"
    bad.write_bytes(bad.read_bytes()[:500])
    with pytest.raises(ValueError, match=rf"{bad} can't be read as a tar or zip archive .*get it again.*--skip-bad"):
        prepare(archives, "oumvlp")
    store = prepare(archives, "oumvlp", skip_bad=True)
    assert len(store.index) == 27
    assert store.left_out[0][0] == "Silhouette_090-01-*-*"


def test_grew_is_rearranged(tmp_path: Path) -> None:
    raw = raw_tree(tmp_path, "grew", num_subjects=6)
    store = prepare(raw, "grew")
    index = store.index
    assert set(zip(index.subjects.tolist(), index.conditions.tolist(), strict=True)) == {
        *((subject, number) for subject in ("00001", "00002") for number in ("01", "02")),
        *((f"{subject}train", "00") for subject in ("00001", "00002")),
        ("probe", "03"),
    }
    for subject in ("00001", "00002"):
        videos = sorted(folder.name for folder in (raw / "test" / "gallery" / subject).iterdir() if folder.is_dir())
        of_subject = [(info.condition, info.view) for info in index if info.subject == subject]
        assert of_subject == [("01", videos[0]), ("02", videos[1])]
    with_others = prepare(raw, "grew", "large", kind=grew(distractors=True))
    extra = [info for info in with_others.index if info.name not in {info.name for info in index}]
    assert {(info.subject, info.condition) for info in extra} == {("99999", "04")}
    assert len(extra) == len(list((raw / "distractor").glob("*/")))
    assert finding(with_others, "other subjects").severity is Severity.FINE
    assert finding(store, "arrangement").severity is Severity.FINE
    assert finding(store, "gallery videos per subject").severity is Severity.FINE


def test_grew_frames_are_stored_as_they_are(tmp_path: Path) -> None:
    raw = raw_tree(tmp_path, "grew", num_subjects=1)
    first = next((raw / "train" / "00001").glob("*/00001.png"))
    first.write_bytes(png(np.zeros((64, 64), np.uint8)))
    store = prepare(raw, "grew")
    row = next(row for row, info in enumerate(store.index) if info.view == first.parent.name)
    assert not store.frames("silhouettes", row)[0].any()
    assert store.index.num_frames["silhouettes"][row] == NUM_FRAMES
    first.write_bytes(png(person(1)))
    with pytest.raises(ValueError, match=rf"{first} has 320×240 pixels, expected 64×64, as grew comes"):
        prepare(raw, "grew", "other")


def test_grew_rearranged_by_others_gives_the_same(tmp_path: Path) -> None:
    raw = raw_tree(tmp_path, "grew", num_subjects=5)
    store = prepare(raw, "grew")
    tree = tmp_path / "rearranged"
    for info in store.index:
        for folder in raw.glob(f"**/{info.view}/"):
            shutil.copytree(folder, tree / info.subject / info.condition / info.view)
    assert contents(prepare(tree, "grew", "again").path)["index.csv"] == contents(store.path)["index.csv"]


def test_grew_from_archives_of_archives(tmp_path: Path) -> None:
    """train.zip and test.zip hold a tgz per subject and per probe; distractors are not even opened."""
    raw, packed = raw_tree(tmp_path, "grew", num_subjects=6), tmp_path / "packed"
    packed.mkdir()
    for part in ("train", "test", "distractor"):
        with zipfile.ZipFile(packed / f"{part}.zip", "w") as outer:
            for folder in sorted([*raw.glob("train/*/"), *raw.glob("test/gallery/*/"), *raw.glob("test/probe/*/")]):
                if folder.relative_to(raw).parts[0] == part and folder.is_dir():
                    inner = tmp_path / f"{folder.name}.tgz"
                    with tarfile.open(inner, "w:gz") as archive:
                        archive.add(folder, folder.name)
                    outer.write(inner, str(folder.relative_to(raw)) + ".tgz")
    (packed / "distractor.zip").write_bytes(b"broken")
    found, expected = (
        sorted(info.name for info in prepare(source, "grew", out).index) for source, out in ((packed, "a"), (raw, "b"))
    )
    assert found == expected
    assert len(found) == 24


def test_grew_that_is_not_rearranged_is_said_so(tmp_path: Path) -> None:
    raw = raw_tree(tmp_path, "grew", num_subjects=3)
    store = prepare_silhouettes(DISTRIBUTED["casia-b"], raw / "train", tmp_path / "store", dataset="grew")
    assert finding(store, "arrangement").severity is Severity.SERIOUS
    assert "`gaitway prepare grew`" in finding(store, "arrangement").means

    from gaitway.data.datasets.tree import prepare_tree

    pickled = tmp_path / "pickled"
    write_pickle(pickled / "train" / "00001" / "4XPn5Z28" / "4XPn5Z28.pkl", np.zeros((2, 64, 64), np.uint8))
    with pytest.raises(ValueError, match=r"is GREW as distributed, it holds train, .*`gaitway prepare grew`"):
        prepare_tree(pickled, tmp_path / "other", dataset="grew")


def test_gait3d_s_listed_probes_are_found(tmp_path: Path) -> None:
    store = prepare(raw_tree(tmp_path, "gait3d", num_subjects=4), "gait3d")
    names = {info.name for info in store.index}
    assert {"0002-camid33_videoid2-seq0", "0007-camid9_videoid1-seq0"} <= names
    listed = finding(store, "listed probe sequences")
    assert (listed.severity, listed.found, listed.expected) == (Severity.SERIOUS, "2 of 1,000", "1,000")
    assert "The probe list of Gait3D doesn't match this store" in listed.means
    assert listed.examples[0] == "0011-camid34_videoid2-seq0"


def test_gait3d_passes_over_what_is_no_silhouette(tmp_path: Path) -> None:
    raw = tmp_path / "Gait3D"
    write_recordings(recordings("gait3d", 1), raw / "2D_Silhouettes", RAW_LAYOUTS["gait3d"])
    expected = contents(prepare(raw / "2D_Silhouettes", "gait3d", "../expected").path)
    shutil.copytree(raw / "2D_Silhouettes", raw / "2D_Parsings")
    (raw / "2D_Poses").mkdir()
    (raw / "2D_Poses" / "notes.txt").write_text("x, y")
    found = contents(prepare(raw, "gait3d").path)
    assert found["silhouettes.bin"] == expected["silhouettes.bin"]
    assert found["index.csv"] == expected["index.csv"]


def test_gait3d_in_128_pixels(tmp_path: Path) -> None:
    raw = raw_tree(tmp_path, "gait3d", num_subjects=1)
    store = prepare_silhouettes(DISTRIBUTED["gait3d"], raw, tmp_path / "store", size=128, num_processes=1)
    assert store.frame_format("silhouettes").shape == (128, 128)
    with pytest.raises(ValueError, match="grew can't be prepared in 128×128 pixels; give 64"):
        prepare_silhouettes(DISTRIBUTED["grew"], raw, tmp_path / "other", size=128)


def test_casia_e_leaves_out_five_frames_and_fewer() -> None:
    files = {f"{number}.png": png(np.full((128, 128), 40 * number, np.uint8)) for number in range(1, 7)}
    key = ("001", "H-scene1-nm-1", "000")
    whole = align_sequence(key, files, kind=DISTRIBUTED["casia-e"], size=64)
    assert whole.frames["silhouettes"][:, 5, 5].tolist() == [40, 80, 120, 160, 200, 240]
    del files["1.png"]
    short = align_sequence(key, files, kind=DISTRIBUTED["casia-e"], size=64)
    assert short.frames == {}
    assert [(missing.what, missing.reason) for missing in short.left_out] == [("sequence", "fewer than 6 frames")]


def test_sustech1k_reads_only_the_aligned_masks(tmp_path: Path) -> None:
    raw = raw_tree(tmp_path, "sustech1k", num_subjects=1)
    sequence = raw / "0000" / "00-nm" / "000"
    expected = np.load(sequence / "06-Camera-Sils_aligned.pkl", allow_pickle=True)
    np.testing.assert_array_equal(prepare(raw, "sustech1k").frames("silhouettes", 0), expected)
    write_pickle(sequence / "06-Camera-Sils_aligned.pkl", np.zeros((2, 3)))
    with pytest.raises(ValueError, match=r"06-Camera-Sils_aligned\.pkl has shape \(2, 3\) of float64, expected"):
        prepare(raw, "sustech1k", "other")


@pytest.mark.parametrize("name", sorted(set(DISTRIBUTED) - {"casia-b"}))
def test_files_in_another_layout_are_said_so(name: str, tmp_path: Path) -> None:
    file = {"casia-e": "1.jpg", "sustech1k": "06.pkl"}.get(name, "1.png")
    path = tmp_path / "raw" / "somebody" / "somewhere" / file
    path.parent.mkdir(parents=True)
    path.write_bytes(b"?")
    expected = re.escape(f"found {path}, expected {DISTRIBUTED[name].layout.path}; move it away")
    with pytest.raises(ValueError, match=expected):
        prepare(tmp_path / "raw", name)
