"""`gaitway demo` from start to end, on a few made-up people in place of the walkers."""

from __future__ import annotations

import argparse
import re
from importlib import import_module
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from gaitway.cli import COMMANDS, main
from gaitway.cli.demo import next_free
from gaitway.data import Store
from gaitway.data.store import FrameFormat
from gaitway.data.store_writer import StoreWriter
from gaitway.training.recipe import load_recipe
from tests.training.tiny import CONDITIONS

SMALL = ("steps=2", "channels=[2, 4, 4]", "bins=[4, 2, 1]", "frame_shape=[16, 16]", "num_subjects=2", "frames.num=2")


@pytest.fixture
def walkers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Four people who train and four who test, in place of the set that ships."""
    rng = np.random.default_rng(0)
    subjects = ("001", "002", "003", "004", "031", "032", "033", "034")
    silhouettes = {"silhouettes": FrameFormat((16, 16))}
    with StoreWriter(tmp_path / "store", dataset="walkers", modalities=silhouettes, made={}) as writer:
        for subject, condition, view in product(subjects, CONDITIONS, ("054", "090")):
            frames = 255 * (rng.random((3, 16, 16)) < int(subject[-1]) / 5)
            writer.add(subject, condition, view, {"silhouettes": frames.astype(np.uint8)})
    store = Store(tmp_path / "store")
    monkeypatch.setattr("gaitway.data.walkers.load", lambda: store)
    return store


@pytest.mark.usefixtures("walkers")
def test_demo_from_start_to_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "demo"
    assert main(["demo", "--out", str(out), *SMALL]) == 0
    said = capsys.readouterr().out
    assert {"recipe.yaml", "metrics.jsonl", "checkpoints", "evaluation", "report.html"} <= {
        p.name for p in out.iterdir()
    }
    assert "gait energy image" in (out / "report.html").read_text(encoding="utf-8")
    for words in ("8 synthetic people", "protocol walkers", "gait energy image", "chance", "report.html"):
        assert words in said
    assert re.search(r"1\. (✓ right|✗ wrong): 03[1-4], distance \d", said)
    assert re.search("[▘▝▀▖▌▞▛▗▚▐▜▄▙▟█]{3}", said)
    # a second time: nothing is lost
    before = (out / "report.html").read_bytes()
    assert main(["demo", "--out", str(out), *SMALL]) == 0
    assert f"{out} exists already and stays as it is" in " ".join(capsys.readouterr().out.split())
    assert (out / "report.html").read_bytes() == before
    assert (tmp_path / "demo-2" / "report.html").is_file()


def test_misspelt_override_is_an_error_before_anything_is_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["demo", "--out", str(tmp_path / "demo"), "stepps=2"]) == 2
    said = capsys.readouterr()
    assert "'stepps'" in said.err
    assert not said.out
    assert not (tmp_path / "demo").exists()


@pytest.mark.usefixtures("walkers")
def test_what_to_try_next_are_commands_that_exist(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "demo"
    assert main(["demo", "--out", str(out), *SMALL]) == 0
    said = capsys.readouterr().out
    commands = re.findall(r"^  gaitway (\S+(?: \S+)*)", said[said.index("What to try next") :], re.MULTILINE)
    assert len(commands) >= 4
    for command in commands:
        name = next(name for name in COMMANDS if f"{command} ".startswith(f"{name} "))
        parser = argparse.ArgumentParser()
        import_module(f"gaitway.cli.{COMMANDS[name][0]}").add_arguments(parser)
        parser.parse_args(command.removeprefix(name).split())  # exits when the command does not take these words
    for recipe in re.findall(r"gaitway train (walkers/\S+)", said):
        load_recipe(recipe)


def test_next_free_folder(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    assert next_free(folder) == folder
    folder.mkdir()
    (tmp_path / "demo-2").mkdir()
    assert next_free(folder) == tmp_path / "demo-3"
