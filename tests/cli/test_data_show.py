from __future__ import annotations

from pathlib import Path

import cv2
import pytest

from gaitway.cli import main
from tests.conftest import MakeStore
from tests.report.walking import poses, silhouettes, store_of


def test_prints_what_is_in_the_store(
    make_store: MakeStore, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "150")
    store = make_store(num_subjects=20, num_frames=(7, 7), modalities=("silhouettes", "poses"), compact=True)
    assert main(["data", "show", str(store.path)]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    for text in (
        "made-up in",
        "160 sequences",
        "silhouettes 1,120 frames of 64×64, one bit per pixel, 0.6 MB",
        "poses 1,120 frames of 17×3, float32, 0.2 MB",
        "by: make_store",
        "left out nothing",
        "subjects 20: 001, 002, 003, 004, 005, 006, 007, 008, 009, 010, 011, … 019, 020",
        "conditions 4: bg-01, cl-01, nm-01, nm-02",
        "views 2: 000, 090",
        "poses 160 7 7 7",
    ):
        assert text in printed


def test_draws_the_sequences_that_are_chosen(
    make_store: MakeStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["data", "show", str(make_store().path), "--sheet", str(tmp_path / "sheet.png")]
    assert main([*words, "--subject", "001", "003", "--condition", "nm-01", "--view", "090"]) == 0
    assert "2 sequences, all below is about these" in capsys.readouterr().out
    two = cv2.imread(str(tmp_path / "sheet.png"))
    assert main([*words, "--rows", "5"]) == 0
    five = cv2.imread(str(tmp_path / "sheet.png"))
    assert two is not None
    assert five is not None
    assert five.shape[0] - two.shape[0] == 3 * (96 + 6)
    assert five.shape[1] == two.shape[1]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--subject", "009"], "has no subject 009; it has 001, 002, 003, 004"),
        (["--view", "091"], "has no view 091; it has 000, 090"),
        (["--rows", "0"], "--rows 0: expected a number of sequences from 1 on"),
        (["--sheet", "sheet.jpg"], "sheet.jpg does not end in .png"),
    ],
)
def test_says_what_can_not_be_shown(
    make_store: MakeStore, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert main(["data", "show", str(make_store().path), *words]) == 2
    assert message in capsys.readouterr().err


def test_poses_alone_are_drawn(make_store: MakeStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = make_store(modalities=("poses",))
    assert main(["data", "show", str(store.path), "--sheet", str(tmp_path / "sheet.png"), "--rows", "3"]) == 0
    assert "skeleton coco17" in capsys.readouterr().out
    assert cv2.imread(str(tmp_path / "sheet.png")) is not None


def test_sequences_without_a_modality_or_of_unequal_numbers_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    both = {"silhouettes": silhouettes(4), "poses": poses(4)}
    fewer, alone = {**both, "poses": poses(3)}, {"silhouettes": silhouettes(4)}
    store = store_of(tmp_path / "store", both, fewer, fewer, fewer, fewer, alone)
    assert main(["data", "show", str(store.path)]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "1 sequences without poses (005-nm-01-090)" in printed
    assert "without silhouettes" not in printed
    names = "001-nm-01-090, 002-nm-01-090, 003-nm-01-090, …"
    assert "4 sequences with unequal numbers of silhouettes and poses, of which it isn't known" in printed
    assert f"({names})" in printed
    assert main(["data", "show", str(store.path), "--subject", "000"]) == 0
    assert "unequal" not in capsys.readouterr().out
