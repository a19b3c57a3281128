from __future__ import annotations

import io
import os
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gaitway.data.datasets import sequences
from gaitway.data.datasets.casia_b import CASIA_B
from gaitway.data.datasets.preparing import in_order, process_pool
from gaitway.data.datasets.silhouettes import align_sequence, prepare_silhouettes
from gaitway.data.datasets.sources import find_sources
from gaitway.data.pretreatment import align_silhouette
from gaitway.data.store import LeftOut, Store
from tests.data.datasets.raw import contents, person, png, write_png_tree

NAMES = [f"{s}-{c}-{v}" for s in ("001", "002") for c in ("bg-01", "nm-01") for v in ("000", "090")]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return write_png_tree(tmp_path / "raw")


@pytest.fixture
def in_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in this process: starting others takes a second."""
    monkeypatch.setattr(sequences, "process_pool", ThreadPoolExecutor)


def prepare(raw: Path, out: str = "store", **options: Any) -> Store:
    return prepare_silhouettes(CASIA_B, raw, raw.parent / out, dataset="made-up", num_processes=2, **options)


def tar(folder: Path, file: Path, *, reverse: bool = False) -> Path:
    """Pack what is in a folder, files in or against the order of their names."""
    with tarfile.open(file, "w:gz" if file.suffix == ".gz" else "w") as archive:
        for path in sorted(folder.rglob("*"), reverse=reverse):
            archive.add(path, path.relative_to(folder), recursive=False)
    return file


def zipped(folder: Path, file: Path) -> Path:
    with zipfile.ZipFile(file, "w") as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(folder))
    return file


def per_subject(tree: Path, pack: Callable[[Path, Path], Path], suffix: str) -> Path:
    """A folder of an archive per subject, as CASIA-B comes: 001.tar.gz holds 001/bg-01/000/…"""
    packed = tree.with_name("packed")
    packed.mkdir()
    for subject in sorted(tree.iterdir()):
        alone = tree.with_name("alone")
        shutil.copytree(subject, alone / subject.name)
        pack(alone, packed / f"{subject.name}{suffix}")
        shutil.rmtree(alone)
    return packed


def test_aligns_every_frame_in_order_on_several_processes(tree: Path) -> None:
    calls: list[tuple[int, int]] = []
    store = prepare(tree, progress=lambda done, total: calls.append((done, total)))
    assert [info.name for info in store.index] == NAMES
    assert calls == [(done, 8) for done in range(1, 9)]
    expected = [align_silhouette(person(frame + 1), 64) for frame in (1, 2, 3)]  # the tree's second sequence
    np.testing.assert_array_equal(store.frames("silhouettes", NAMES.index("001-nm-01-090")), np.stack(expected))
    assert store.manifest.dataset == "made-up"
    assert store.manifest.left_out == {}


@pytest.mark.usefixtures("in_threads")
@pytest.mark.parametrize(("size", "compact", "bytes_per_frame"), [(128, False, 128 * 128), (64, True, 512)])
def test_sizes(tree: Path, size: int, compact: bool, bytes_per_frame: int) -> None:
    store = prepare(tree, size=size, compact=compact)
    assert store.frame_format("silhouettes").shape == (size, size)
    assert store.frames_file("silhouettes").stat().st_size == 8 * 3 * bytes_per_frame


@pytest.mark.usefixtures("in_threads")
@pytest.mark.parametrize(
    "packed",
    [
        lambda tree: per_subject(tree, tar, ".tar.gz"),
        lambda tree: per_subject(tree, lambda *a: tar(*a, reverse=True), ".tgz"),
        lambda tree: per_subject(tree, zipped, ".zip"),
        lambda tree: zipped(per_subject(tree, tar, ".tar.gz"), tree.with_name("all.zip")),
        lambda tree: tar(per_subject(tree, tar, ".tar.gz"), tree.with_name("all.tar.gz")),
        lambda tree: tar(per_subject(tree, zipped, ".zip"), tree.with_name("all.tar"), reverse=True),
        lambda tree: zipped(tree, tree.with_name("all.zip")),
        lambda tree: tar(tree, tree.with_name("all.tar.gz")),
    ],
    ids=["tar.gz", "unsorted tgz", "zip", "tar.gz in zip", "tar.gz in tar.gz", "zip in tar", "tree zip", "tree tar.gz"],
)
def test_an_archive_gives_the_same_as_the_tree(tree: Path, packed: Callable[[Path], Path]) -> None:
    from_tree, from_archive = prepare(tree), prepare(packed(tree), "from-archive")
    for name in ("index.csv", "left_out.csv", "silhouettes.bin"):
        assert (from_archive.path / name).read_bytes() == (from_tree.path / name).read_bytes()


@pytest.mark.usefixtures("in_threads")
def test_a_stopped_run_over_archives_goes_on(tree: Path) -> None:
    raw = per_subject(tree, tar, ".tar.gz")
    expected = contents(prepare(raw, "expected").path)

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(raw, progress=stop)
    journal = raw.parent / "store.partial" / "journal.jsonl"
    assert len(journal.read_text().splitlines()) == 4
    journal.write_text("".join(journal.read_text().splitlines(keepends=True)[:3]))  # in the middle of a subject
    assert contents(prepare(raw).path) == expected


@pytest.mark.usefixtures("in_threads")
def test_an_unsorted_compressed_archive_of_the_tree_must_be_unpacked(tree: Path) -> None:
    raw = tar(tree, tree.with_name("all.tar.gz"), reverse=True)
    with pytest.raises(ValueError, match=r"all\.tar\.gz is a compressed tar whose files are not in the order"):
        prepare(raw)


def test_frames_are_dropped_by_the_published_rule_and_counted() -> None:
    empty, speck, left = np.zeros((240, 320), np.uint8), np.zeros((240, 320), np.uint8), np.zeros((240, 320), np.uint8)
    speck[0, :39], left[:, 0] = 255, 255
    files = {"1.png": png(empty), "2.png": png(person(1)), "3.png": png(speck), "4.png": png(left)}
    prepared = align_sequence(("001", "nm-01", "000"), files, kind=CASIA_B, size=64)
    assert prepared.frames["silhouettes"].shape == (1, 64, 64)
    assert prepared.left_out == [LeftOut("frames", "no center", 1), LeftOut("frames", "no data", 2)]
    assert prepared.damage == []


@pytest.mark.usefixtures("in_threads")
def test_sequences_without_a_frame_are_left_out_and_counted(tree: Path) -> None:
    for file in (tree / "001" / "bg-01" / "000").iterdir():
        file.write_bytes(png(np.zeros((240, 320), np.uint8)))
    (tree / "001" / "bg-01" / "018").mkdir()
    store = prepare(tree)
    assert [info.name for info in store.index] == NAMES[1:]
    assert store.manifest.left_out == {
        "frames: no data": 3,
        "sequence: no files in the folder": 1,
        "sequence: no frame left": 1,
    }
    assert {name for name, _ in store.left_out} == {"001-bg-01-000", "001-bg-01-018"}


@pytest.mark.usefixtures("in_threads")
def test_only_frames_are_taken(tree: Path) -> None:
    expected = contents(prepare(tree, "expected").path)
    for name in ("001-nm-01-000-gei.png", "._001-nm-01-000-001.png", "notes.txt"):
        (tree / "001" / "nm-01" / "000" / name).write_bytes(b"no frame")
    (tree / ".hidden").mkdir()
    assert contents(prepare(tree).path) == expected


@pytest.mark.usefixtures("in_threads")
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"is damaged or no PNG \(0 bytes\)"),
        (png(person(1))[:500], r"is damaged or no PNG \(500 bytes\)"),
        (b"GIF89a, perhaps", "is damaged or no PNG"),
        (png(person(1, size=(120, 160))), "has 160×120 pixels, the sequence 320×240"),
    ],
    ids=["empty", "cut off", "no PNG", "another size"],
)
def test_names_the_file_that_is_bad_and_goes_on_without_it_when_asked(tree: Path, content: bytes, message: str) -> None:
    file = tree / "001" / "nm-01" / "000" / "001-nm-01-000-002.png"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=rf"{file} {message}.*2 sequences before it are kept.*--skip-bad"):
        prepare(tree)
    store = prepare(tree, skip_bad=True)
    assert store.index.num_frames["silhouettes"].tolist() == [3, 3, 2, 3, 3, 3, 3, 3]
    assert store.manifest.left_out == {"frames: damaged": 1}
    ((name, left_out),) = store.left_out
    assert name == "001-nm-01-000"
    assert str(file) in left_out.detail


@pytest.mark.usefixtures("in_threads")
@pytest.mark.parametrize("damage", ["cut off", "no frames"])
def test_a_damaged_archive_is_one_damaged_subject(tree: Path, damage: str) -> None:
    raw = per_subject(tree, tar, ".tar.gz")
    file = raw / "001.tar.gz"
    if damage == "cut off":
        file.write_bytes(file.read_bytes()[:2000])
    else:
        with tarfile.open(file, "w:gz") as archive:
            archive.addfile(tarfile.TarInfo("readme.txt"), io.BytesIO())
    with pytest.raises(ValueError, match=r"001\.tar\.gz (can't be read as a tar or zip|holds no).*--skip-bad"):
        prepare(raw)
    store = prepare(raw, skip_bad=True)
    assert [info.subject for info in store.index] == ["002"] * 4
    assert store.manifest.left_out == {"sequence: damaged": 1}
    assert store.left_out[0][0] == "001-*-*"


def test_a_locked_archive_is_said_so(tmp_path: Path) -> None:
    file = zipped(write_png_tree(tmp_path / "raw"), tmp_path / "all.zip")
    content = bytearray(file.read_bytes())
    for start, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = content.find(start)
        while place >= 0:
            content[place + flags] |= 1  # says that it is encrypted
            place = content.find(start, place + 1)
    file.write_bytes(content)
    with pytest.raises(ValueError, match=r"all\.zip can't be read as a tar or zip archive .*password"):
        prepare(file)


def test_what_is_no_raw_data_is_said_so(tree: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"there is no .*nothing; give the folder or archive"):
        find_sources(tmp_path / "nothing", CASIA_B.layout)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"empty holds no <subject>/<condition>/<view>/<frame>\.png and no archive"):
        find_sources(tmp_path / "empty", CASIA_B.layout)
    (tmp_path / "text.tar").write_text("no archive")
    with pytest.raises(ValueError, match=r"text\.tar can't be read as a tar or zip archive"):
        find_sources(tmp_path / "text.tar", CASIA_B.layout)
    (tree / "cover.png").write_bytes(png(person(1)))
    with pytest.raises(ValueError, match="holds frames at different depths"):
        find_sources(tree, CASIA_B.layout)
    (tree / "cover.png").unlink()
    shutil.copy(zipped(tree, tmp_path / "all.zip"), tree / "003.zip")
    with pytest.raises(ValueError, match=r"holds both files with frames .* and archives"):
        find_sources(tree, CASIA_B.layout)


def end_worker(number: int) -> int:
    if number == 3:
        os._exit(9)
    return number


def test_a_worker_that_ends_is_no_riddle() -> None:
    with pytest.raises(OSError, match="a worker process was ended from outside, perhaps because memory ran out"):
        list(in_order(process_pool(1), end_worker, range(5), window=2))


def test_results_come_in_order_and_few_wait() -> None:
    started: list[int] = []

    def work(number: int) -> int:
        started.append(number)
        return number

    results = in_order(ThreadPoolExecutor(4), work, range(100), window=5)
    assert next(results) == 0
    assert max(started) < 5
    assert list(results) == list(range(1, 100))
