"""The examples run, and stay short."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"


def run(script: str, *arguments: str) -> str:
    """What a script prints."""
    done = subprocess.run([sys.executable, EXAMPLES / script, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_energy_images() -> None:
    printed = run("energy_images.py")
    assert "NM: " in printed
    assert "chance: 5." in printed


def test_train_from_python() -> None:
    printed = run("train_from_python.py", "3").splitlines()
    assert [line.split(":")[0] for line in printed] == ["step 1", "step 2", "step 3"]


def test_own_recordings(tmp_path: Path) -> None:
    folder = tmp_path / "raw" / "ann" / "walk-1" / "front"
    folder.mkdir(parents=True)
    picture = np.zeros((100, 80), np.uint8)
    cv2.imwrite(str(folder / "0.png"), picture)
    picture[10:90, 30:50] = 255
    cv2.imwrite(str(folder / "1.png"), picture)
    assert "1 sequences" in run("own_recordings.py", str(tmp_path / "raw"), str(tmp_path / "store"))
    assert "ann-walk-1-front,frames,no data,1" in (tmp_path / "store" / "left_out.csv").read_text()


@pytest.mark.parametrize("script", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_examples_are_short(script: Path) -> None:
    assert len(script.read_text().splitlines()) <= 60
