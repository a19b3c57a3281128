from __future__ import annotations

import errno
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gaitway.cli import main
from gaitway.cli.prepare import KINDS
from gaitway.data import Store
from gaitway.data.datasets.casia_b import CASIA_B
from gaitway.data.datasets.distributed import DISTRIBUTED
from gaitway.data.datasets.silhouettes import prepare_silhouettes
from gaitway.data.partitions import list_partitions, load_partition
from gaitway.data.store import partial_path
from tests.data.datasets.raw import contents, person, png, write_pickle, write_pickle_tree, write_png_tree

GAITWAY = [sys.executable, "-c", "import sys; from gaitway.cli import main; sys.exit(main())"]


def test_prepares_the_raw_data_and_says_what_was_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw, out = write_png_tree(tmp_path / "raw"), tmp_path / "store"
    bad = raw / "001" / "nm-01" / "090" / "001-nm-01-090-002.png"
    bad.write_bytes(b"")
    words = ["prepare", "casia-b", str(raw), str(out), "--dataset", "mine", "--size", "128", "--processes", "1"]
    assert main(words) == 2
    error = capsys.readouterr().err
    assert "gaitway prepare: error:" in error
    assert f"{bad} is damaged or no PNG (0 bytes)" in error
    assert not out.exists()
    assert main([*words, "--compact", "--skip-bad"]) == 2  # the store begun is another one
    assert "begun with other settings (made: compact False, now True" in capsys.readouterr().err
    assert main([*words, "--skip-bad"]) == 0
    printed = capsys.readouterr().out
    assert "8 sequences of 2 subjects, 23 frames of silhouettes 128×128" in printed
    assert "8 sequences have fewer than 5 frames" in printed
    assert "damaged" in printed
    assert f"001-nm-01-090: {bad}" in printed.replace("\n", "")
    assert Store(out).manifest.dataset == "mine"


def test_prepares_a_tree_of_pickles(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw, out = write_pickle_tree(tmp_path / "raw"), tmp_path / "store"
    words = ["prepare", "opengait", str(raw), str(out), "--dataset", "casia-b", "--compact", "--data-in-use"]
    assert main([*words, "true", "0"]) == 2
    assert "--data-in-use true 0 is neither a mask nor positions" in capsys.readouterr().err
    assert main([*words, "True"]) == 0
    assert "Nothing was left out." in capsys.readouterr().out
    assert Store(out).manifest.made["data_in_use"] == [True]
    assert main([*words, "0"]) == 2
    assert "exists already; choose another name or remove it" in capsys.readouterr().err


def test_the_command_knows_every_data_set_that_can_be_prepared_as_distributed() -> None:
    assert set(KINDS) == set(DISTRIBUTED)
    for kind, (dataset, _, _, sizes) in KINDS.items():
        assert sizes == (DISTRIBUTED[kind].sizes if len(DISTRIBUTED[kind].sizes) > 1 else ())
        assert dataset in list_partitions()


def test_prepares_grew_with_distractors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw, out = tmp_path / "raw", tmp_path / "store"
    for folder in ("train/00001/4XPn5Z28", "test/gallery/00001/b", "test/gallery/00001/a", "distractor/c"):
        (raw / folder).mkdir(parents=True)
        (raw / folder / "00001.png").write_bytes(png(person(1, size=(64, 64))))
    assert main(["prepare", "grew", str(raw), str(out), "--distractors", "--compact", "--processes", "1"]) == 0
    assert "4 sequences of 3 subjects, 4 frames of silhouettes 64×64" in capsys.readouterr().out
    names = [info.name for info in Store(out).index]
    assert names == ["00001-01-a", "00001-02-b", "00001train-00-4XPn5Z28", "99999-04-c"]
    assert Store(out).manifest.made["distractors"] is True


def test_a_missing_view_is_in_the_summary(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    views = [f"{view:03}" for view in range(0, 181, 18) if view != 90]
    raw = write_png_tree(tmp_path / "raw", subjects=["001"], conditions=load_partition("casia-b").types, views=views)
    assert main(["prepare", "casia-b", str(raw), str(tmp_path / "store"), "--processes", "1"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "*-*-090: no sequence has the view 090, which casia-b has; is a folder or an archive lacking?" in printed


def test_prepares_poses_and_joins_them_to_silhouettes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pictures = write_png_tree(tmp_path / "pictures")
    words = ["--dataset", "mine", "--processes", "1"]
    assert main(["prepare", "casia-b", str(pictures), str(tmp_path / "store"), *words]) == 0
    raw = tmp_path / "raw"
    poses = np.random.default_rng(0).uniform(50, 200, (3, 17, 3))
    poses[0, 4] = poses[0, 5, 0] = np.nan
    for number, folder in enumerate(sorted(pictures.glob("*/*/*"))[1:]):
        write_pickle(raw / folder.relative_to(pictures) / "poses.pkl", (poses + number)[: 2 if number == 3 else 3])
    out = tmp_path / "both"
    join = ["prepare", "casia-b-pose", str(raw), str(out), "--with", str(tmp_path / "store"), *words]
    bad = raw / "002" / "nm-01" / "090" / "poses.pkl"
    whole = bad.read_bytes()
    bad.write_bytes(whole[:90])
    capsys.readouterr()
    assert main(join) == 2
    assert f"{bad} is damaged or no pickle of an array (90 bytes" in capsys.readouterr().err
    bad.write_bytes(whole)
    assert main(join) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "8 sequences of 2 subjects, 24 frames of silhouettes 64×64" in printed
    assert "8 sequences of 2 subjects, 20 frames of poses 17×3" in printed
    assert "7 sequences have fewer than 5 frames of poses" in printed
    assert "joints NaN or infinite, marked by confidence 0 14 " in printed
    assert "lengths unequal numbers of frames 1 " in printed
    assert "poses no such sequence in the raw data 1 " in printed
    assert "002-bg-01-000: 3 silhouettes, 2 poses: frame by frame they don't match" in printed


def test_oumvlp_s_person_must_be_decided(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw, out = tmp_path / "raw", tmp_path / "store"
    (raw / "00001" / "000_00").mkdir(parents=True)
    joints = [float(number) for number in range(1, 55)]
    found = {"people": [{"pose_keypoints_2d": joints}]}
    (raw / "00001" / "000_00" / "0001_keypoints.json").write_text(json.dumps(found))
    words = ["prepare", "oumvlp-pose", str(raw), str(out), "--processes", "1", "--joints", "coco17"]
    with pytest.raises(SystemExit):
        main(words)
    assert "one of the arguments --silhouettes --first-person is required" in capsys.readouterr().err
    assert main([*words, "--first-person"]) == 0
    assert Store(out).manifest.made["person"] == "the first in each frame"
    assert Store(out).frame_format("poses").shape == (17, 3)


def test_a_number_of_processes_is_positive(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["prepare", "casia-b", "raw", "out", "--processes", "0"])
    assert "'0' is not a positive whole number" in capsys.readouterr().err


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Callable[[int], subprocess.Popen[str]]]:
    """Start `gaitway prepare casia-b` in a process of its own and wait until some sequences are written."""
    raw = write_png_tree(tmp_path / "raw", views=[f"{view:03}" for view in range(0, 181, 18)], num_frames=20)
    processes = []

    def start(num_sequences: int) -> subprocess.Popen[str]:
        words = ["prepare", "casia-b", str(raw), str(tmp_path / "store"), "--processes", "2"]
        process = subprocess.Popen(
            [*GAITWAY, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        processes.append(process)
        journal = tmp_path / "store.partial" / "journal.jsonl"
        while not journal.exists() or journal.read_bytes().count(b"\n") < num_sequences:
            assert process.poll() is None, process.communicate()
            time.sleep(0.002)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def group_is_gone(group: int) -> bool:
    """Whether no process of the group is left (a zombie counts as gone), waiting for it a while."""
    for _ in range(500):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.02)
    return False


def test_a_killed_run_goes_on_to_the_same_bytes(
    running: Callable[[int], subprocess.Popen[str]], tmp_path: Path
) -> None:
    process = running(3)
    process.kill()
    process.communicate()
    assert group_is_gone(process.pid), "the workers must end with the process that was killed"
    assert not (tmp_path / "store").exists()
    assert 3 <= (partial_path(tmp_path / "store") / "journal.jsonl").read_bytes().count(b"\n") < 44

    assert main(["prepare", "casia-b", str(tmp_path / "raw"), str(tmp_path / "store"), "--processes", "1"]) == 0
    assert not partial_path(tmp_path / "store").exists()
    expected = prepare_silhouettes(CASIA_B, tmp_path / "raw", tmp_path / "expected", num_processes=2)
    assert expected.manifest.num_sequences == 44
    assert contents(tmp_path / "store") == contents(expected.path)


def test_ctrl_c_says_how_to_go_on_and_leaves_no_process(
    running: Callable[[int], subprocess.Popen[str]], tmp_path: Path
) -> None:
    process = running(1)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all processes
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130, error
    assert "run the same command again to go on from here" in error
    assert "Traceback" not in error
    assert group_is_gone(process.pid)
    assert partial_path(tmp_path / "store").is_dir()


@dataclass(frozen=True)
class Disk:
    """A folder with little room, and how to make more."""

    folder: Path
    make_room: Callable[[], None]


@pytest.fixture(params=["tmpfs", "pretended"])
def small_disk(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    """Room for three sequences: a file system where we may mount one, and in any case files that pretend."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if request.param == "pretended":
        size = [90_000]
        monkeypatch.setattr(Path, "open", _limited(Path.open, folder, size))

        def allow_more() -> None:
            size[0] = 10_000_000

        yield Disk(folder, allow_more)
        return
    mount = ["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("this user may not mount a file system; the pretended disk tests the same")

    def enlarge() -> None:
        subprocess.run(["mount", "-o", "remount,size=10m", str(folder)], check=True)

    yield Disk(folder, enlarge)
    subprocess.run(["umount", str(folder)], check=True)


def _limited(usual: Callable[..., Any], folder: Path, size: list[int]) -> Callable[..., Any]:
    """`Path.open` whose files in the folder take no more than `size[0]` bytes together."""

    class Limited(io.FileIO):
        def write(self, content: Any) -> int:
            used = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
            if used + len(content) > size[0]:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return super().write(content) or 0

    def opened(path: Path, mode: str = "r", *arguments: Any, **options: Any) -> Any:
        if folder not in path.parents or not set(mode) & set("wa"):
            return usual(path, mode, *arguments, **options)
        file = io.BufferedWriter(Limited(path, mode.replace("b", "")))
        return file if "b" in mode else io.TextIOWrapper(file, **options)

    return opened


def test_a_full_disk_loses_nothing(small_disk: Disk, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw, out = write_pickle_tree(tmp_path / "raw"), small_disk.folder / "store"  # 8 sequences of 24,576 bytes
    words = ["prepare", "opengait", str(raw), str(out), "--dataset", "made-up"]
    for _ in range(2):  # running it again without making room changes nothing
        assert main(words) == 2
        error = " ".join(capsys.readouterr().err.split())
        assert f"the disk is full: 3 sequences are written to {partial_path(out)}" in error
        assert "make room and run the same command again to go on from there" in error
        assert not out.exists()
    small_disk.make_room()
    assert main(words) == 0
    assert main([*words[:3], str(tmp_path / "expected"), *words[4:]]) == 0
    assert contents(out) == contents(tmp_path / "expected")
