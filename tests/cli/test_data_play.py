from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from gaitway.cli import main
from tests.conftest import MakeStore


def test_plays_a_sequence(make_store: MakeStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = make_store(modalities=("silhouettes", "poses"), num_frames=(6, 6))
    out = tmp_path / "walk.gif"
    assert main(["data", "play", str(store.path), "003-nm-02-090", str(out), "--fps", "20"]) == 0
    printed = capsys.readouterr()
    assert f"Wrote {out}: 6 frames of 003-nm-02-090." in printed.out.replace("\n", "")
    assert "Note" not in printed.out
    with Image.open(out) as gif:
        assert getattr(gif, "n_frames", 1) == 6
        assert gif.info["duration"] == 50


def test_plays_a_shipped_walker(tmp_path: Path) -> None:
    assert main(["data", "play", "walkers", "031-nm-01-090", str(tmp_path / "walk.png")]) == 0
    with Image.open(tmp_path / "walk.png") as picture:
        assert picture.size[0] > 1000


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["003-nm-02-091", "walk.gif"], "has no sequence '003-nm-02-091'; did you mean '003-nm-02-090'?"),
        (["3-nm-02-090", "walk.gif"], "did you mean '003-nm-02-090'?"),
        (["nobody", "walk.gif"], "has no sequence 'nobody'; did you mean '00"),
        (["003-nm-02-090", "walk.avi"], "walk.avi ends in neither .gif, .mp4 nor .png"),
        (["003-nm-02-090", "walk.gif", "--fps", "0"], "--fps 0: expected a number of frames a second from 1 to 50"),
    ],
)
def test_errors(
    make_store: MakeStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    message: str,
) -> None:
    store = make_store()
    monkeypatch.chdir(tmp_path)
    assert main(["data", "play", str(store.path), *words]) == 2
    assert message in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["store"]
