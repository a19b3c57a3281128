from __future__ import annotations

import json
from pathlib import Path

import pytest

from gaitway.cli import main
from gaitway.data import Store
from tests.conftest import MakeStore


def test_a_sound_store(make_store: MakeStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = make_store(num_frames=(16, 20))
    assert main(["doctor", str(store.path), "--json", str(tmp_path / "doctor.json")]) == 0
    printed = capsys.readouterr().out
    assert "0 serious" in printed
    assert "This store is sound." in printed
    assert json.loads((tmp_path / "doctor.json").read_text())["dataset"] == "made-up"


def test_a_store_with_a_serious_problem(
    make_store: MakeStore, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    store = make_store(num_frames=(16, 20))
    frames = store.frames_file("silhouettes")
    frames.write_bytes(b"x" + frames.read_bytes()[1:])
    assert main(["doctor", str(store.path)]) == 1
    printed = capsys.readouterr().out
    assert "✗  checksum of silhouettes" in printed
    assert "no result from this store can be trusted" in " ".join(printed.split())
    assert "1 serious" in printed


def test_casia_b_names_what_lacks(
    make_store: MakeStore, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    store = make_store(dataset="casia-b", num_frames=(16, 16))
    assert main(["doctor", str(store.path)]) == 1
    printed = " ".join(capsys.readouterr().out.split())
    assert "CASIA-B (Yu et al., ICPR 2006)" in printed
    assert "test subjects 0 of 50" in printed
    assert "(075, 076, 077, 078 and 46 more)" in printed


@pytest.mark.parametrize("file", ["index.csv", "silhouettes.bin"])
def test_a_store_that_can_not_be_opened(make_store: MakeStore, capsys: pytest.CaptureFixture[str], file: str) -> None:
    store: Store = make_store()
    with (store.path / file).open("ab") as damaged:
        damaged.write(b"x")
    assert main(["doctor", str(store.path)]) == 2
    assert f"{store.path / file}" in capsys.readouterr().err


def test_a_file_that_can_not_be_written_is_told_at_once(
    make_store: MakeStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", str(make_store().path), "--json", str(tmp_path / "nothing" / "a.json")]) == 2
    captured = capsys.readouterr()
    assert "there is no folder for" in captured.err
    assert captured.out == ""
