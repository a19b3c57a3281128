"""Folders, archives, and archives in archives, as sources of frames."""

from __future__ import annotations

import io
import shutil
import tarfile
from pathlib import Path

import pytest

from gaitway.data.datasets import sources
from gaitway.data.datasets.casia_b import CASIA_B
from gaitway.data.datasets.oumvlp import OUMVLP
from gaitway.data.datasets.sources import files_of, find_sources, load
from tests.data.datasets.raw import contents, write_png_tree


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return write_png_tree(tmp_path / "raw", num_frames=2)


def pack_each(tree: Path, packed: Path, kind: str) -> Path:
    """An archive per subject: 001.zip holds bg-01/000/…"""
    packed.mkdir()
    for subject in tree.iterdir():
        shutil.make_archive(str(packed / subject.name), kind, subject)
    return packed


def all_files(raw: Path) -> dict[tuple[str, str, str], list[bytes]]:
    found = {}
    for work in load(find_sources(raw, CASIA_B.layout), frozenset()):
        for key, files in files_of(work, CASIA_B.layout).items():
            found[key] = [files[name] for name in sorted(files)]
    return found


@pytest.mark.parametrize("kind", ["zip", "tar", "gztar", "bztar", "xztar"])
def test_an_archive_s_name_counts_as_a_folder(tree: Path, tmp_path: Path, kind: str) -> None:
    expected = all_files(tree)
    assert list(expected) == [(s, c, v) for s in ("001", "002") for c in ("bg-01", "nm-01") for v in ("000", "090")]
    assert expected["001", "nm-01", "090"] == list(
        dict(sorted(contents(tree / "001" / "nm-01" / "090").items())).values()
    )
    assert all_files(pack_each(tree, tmp_path / "packed", kind)) == expected


def test_few_archives_are_open_at_a_time(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sequences come by subject, though each archive holds one view of all."""
    for view in ("000", "090"):
        for subject in ("00001", "00002"):
            source = tree / subject.removeprefix("00") / "nm-01" / view
            shutil.copytree(source, tmp_path / "views" / f"Silhouette_{view}-00" / subject)
    shutil.rmtree(tree)
    for folder in list((tmp_path / "views").iterdir()):
        shutil.make_archive(str(folder), "zip", folder)
        shutil.rmtree(folder)
    monkeypatch.setattr(sources, "MOST_OPEN", 1)
    works = list(load(find_sources(tmp_path / "views", OUMVLP.layout), frozenset()))
    assert [work.source.key for work in works] == [(s, "00", v) for s in ("00001", "00002") for v in ("000", "090")]
    assert [len(work.contents) for work in works] == [2, 2, 2, 2]


def test_a_compressed_tar_among_others_is_not_read_whole_when_it_is_large(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = pack_each(tree, tmp_path / "packed", "gztar")
    monkeypatch.setattr(sources, "LARGEST_READ_WHOLE", 100)
    with pytest.raises(ValueError, match=r"001\.tar\.gz is too large to be unpacked in memory; unpack it"):
        find_sources(packed, CASIA_B.layout)


def test_what_macos_adds_is_passed_over(tree: Path, tmp_path: Path) -> None:
    expected = all_files(tree)
    packed = pack_each(tree, tmp_path / "packed", "tar")
    with tarfile.open(packed / "002.tar", "a") as archive:
        archive.addfile(tarfile.TarInfo("nm-01/000/._002-nm-01-000-001.png"), io.BytesIO())
    (packed / "._001.tar").write_bytes(b"")
    assert all_files(packed) == expected
