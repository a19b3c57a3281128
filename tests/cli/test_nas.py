"""`gaitway nas search` and `gaitway nas show`: workers, kills, files, and what they refuse."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gaitway.cli import main
from gaitway.models.sposgait import Architecture
from gaitway.nas.results import SearchResults
from tests.conftest import MakeStore
from tests.nas.tiny import tiny_recipe, tiny_run, tiny_store

SIZE = ("--generations", "2", "--population", "6")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return tiny_run(tmp_path)


@pytest.fixture
def data(make_store: MakeStore) -> str:
    return str(tiny_store(make_store).path)


def search(run: Path, data: str, *words: str, size: tuple[str, ...] = SIZE) -> int:
    return main(["nas", "search", str(run), "--data", data, "--accelerator", "cpu", *size, *words])


def trajectory(folder: Path) -> list[tuple[Architecture, int, int, dict[str, float]]]:
    found = SearchResults.load(folder).evaluations
    return [(one.path, one.generation, one.place, dict(one.figures)) for one in found]


def trials(journal: Path) -> list[dict[str, object]]:
    """The claims that a journal has seen."""
    logs = [json.loads(line) for line in journal.read_text().splitlines()]
    return [log for log in logs if log["op_code"] == 4]


def test_the_published_search(run: Path, data: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert search(run, data) == 0
    said = capsys.readouterr().out
    assert "216 paths, 216 of them allowed (constraints: none); 18 to evaluate, 0 are." in said
    assert "Judged by 2 held-out training subjects, 40 sequences, protocol casia-b." in said
    assert "18 architectures by rank-1" in said
    folder = run / "searches" / "evolution"
    names = {"search.json", "history.csv", "report.html", "front.svg", "history.svg", "architecture.svg"}
    assert {path.name for path in folder.iterdir()} == names
    results = SearchResults.load(folder)
    assert [found.generation for found in results.evaluations] == [0] * 6 + [1] * 6 + [2] * 6
    with (folder / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    best = max(rows, key=lambda row: float(row["rank-1"]))
    assert best["architecture"] == " ".join(map(str, results.best.path))
    assert best["architecture"] in said

    assert search(run, data, size=("--generations", "3", "--population", "6")) == 0  # goes on
    assert "24 to evaluate, 18 are." in capsys.readouterr().out
    assert len(trials(run / "searches" / "journal.log")) == 24
    assert trajectory(folder)[:18] == [(f.path, f.generation, f.place, dict(f.figures)) for f in results.evaluations]


def start(run: Path, data: str, *words: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "gaitway", "nas", "search", str(run), "--data", data, "--accelerator", "cpu"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([*command, *words], env=environment, stdout=subprocess.DEVNULL)


def wait_for(folder: Path, count: int, workers: list[subprocess.Popen[bytes]]) -> None:
    """Until so many paths are evaluated."""
    deadline = time.monotonic() + 120
    while not (folder / "search.json").exists() or len(SearchResults.load(folder).evaluations) < count:
        assert all(worker.poll() is None for worker in workers)
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_two_workers_one_of_them_killed(run: Path, data: str, tmp_path: Path) -> None:
    size = ("--generations", "3", "--population", "10", "--objective", "rank-1", "macs", "--strategy", "nsga2")
    assert search(run, data, "--out", str(tmp_path / "alone"), size=size) == 0
    expected = trajectory(tmp_path / "alone" / "nsga2")
    folder = run / "searches" / "nsga2"
    workers = [start(run, data, *size) for _ in range(2)]
    wait_for(folder, 12, workers)
    workers[0].kill()
    assert workers[0].wait() == -9
    assert workers[1].wait(timeout=120) == 0
    assert trajectory(folder) == expected
    assert len(expected) == len({path for path, *_ in expected}) == 40
    by_worker = {found.worker for found in SearchResults.load(folder).evaluations}
    assert len(by_worker) == 2

    assert search(run, data, size=size) == 0  # there is nothing left to do
    assert trajectory(folder) == expected


def test_a_search_that_was_killed_goes_on(run: Path, data: str, tmp_path: Path) -> None:
    size = ("--generations", "3", "--population", "10")
    worker = start(run, data, *size)
    wait_for(run / "searches" / "evolution", 11, [worker])
    worker.kill()
    worker.wait()
    before = trajectory(run / "searches" / "evolution")
    assert 11 <= len(before) < 40
    assert search(run, data, size=size) == 0
    after = trajectory(run / "searches" / "evolution")
    assert search(run, data, "--out", str(tmp_path / "alone"), size=size) == 0
    assert after == trajectory(tmp_path / "alone" / "evolution")
    assert len(trials(run / "searches" / "journal.log")) <= 41  # all that were done, and the one that was lost


def test_constraints_bind(run: Path, data: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert search(run, data, "--max-parameters", "800", "--strategy", "random", size=("--population", "50")) == 0
    said = capsys.readouterr().out
    found = SearchResults.load(run / "searches" / "random").evaluations
    assert f"216 paths, {len(found)} of them allowed (constraints: at most 800 parameters)" in said
    assert f"the search ends here: all {len(found)} paths" in said
    assert 0 < len(found) < 50
    assert all(one.figures["parameters"] <= 800 for one in found)


def test_other_ways_to_judge(run: Path, data: str, capsys: pytest.CaptureFixture[str]) -> None:
    size = ("--generations", "0", "--population", "3")
    assert search(run, data, "--fitness", "published", "--study", "a", size=size) == 0
    assert "has seen the test set" in " ".join(capsys.readouterr().out.split())
    assert search(run, data, "--recalibrate", "2", "--study", "b", size=size) == 0
    assert search(run, data, "--objective", "rank-5", "latency", "--strategy", "nsga2", "--study", "c", size=size) == 0
    assert search(run, data, "--study", "d", size=size) == 0
    searches = run / "searches"
    paths = {name: [path for path, *_ in trajectory(searches / name)] for name in "abcd"}
    assert paths["a"] == paths["b"] == paths["d"]
    figures = {name: [found for *_, found in trajectory(searches / name)] for name in "abd"}
    assert figures["a"] != figures["d"] != figures["b"]
    assert all(one.figures["latency"] > 0 for one in SearchResults.load(searches / "c").evaluations)
    known = {path for path, *_ in trajectory(searches / "c")}
    again = SearchResults.load(searches / "d").evaluations
    assert {one.path for one in again if one.seconds == 0} == known & set(paths["d"])  # remembered


def test_show(run: Path, data: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert search(run, data) == 0
    folder = run / "searches" / "evolution"
    for name in ("front.svg", "report.html"):
        (folder / name).unlink()
    capsys.readouterr()
    assert main(["nas", "show", str(folder), "--rows", "3", "--architecture", "0,1,2,3"]) == 0
    said = capsys.readouterr().out
    assert "18 architectures by rank-1" in said
    assert "rank-1 (%) by generation" in said
    assert (folder / "front.svg").read_text().startswith("<svg")
    drawn = (folder / "architecture.svg").read_text()
    assert 'aria-label="architecture 0, 1, 2, 3"' in drawn
    assert "Architecture 0 1 2 3" in (folder / "report.html").read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--max-macs", "10"], r"no path of this space has at most 10 macs; its 216 paths have"),
        (["--min-macs", "1e12"], r"no path of this space has at least 1,000,000,000,000 macs"),
        (["--objective", "rank-2"], r"no objective 'rank-2'"),
        (["--objective", "rank-1", "macs"], r"use --strategy nsga2 for several"),
        (["--parents", "7"], r"with 7 parents"),
        (["--held-out", "0.5"], r"was trained without 0.3 of its subjects"),
        (["--fitness", "published", "--held-out", "0.5"], r"leave out --held-out"),
        (["--clip", "0"], r"--clip 0: expected a number from 1 on"),
        (["--max-frames", "0"], r"--max-frames 0: expected a number from 1 on"),
        (["--recalibrate", "-1"], r"--recalibrate -1: expected a number from 0 on"),
        (["--storage", "sqlite:///x.db"], r"cannot be kept in sqlite"),
    ],
)
def test_what_cannot_be_searched(
    words: list[str], message: str, run: Path, data: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert search(run, data, *words) == 2
    assert message in capsys.readouterr().err
    assert not (run / "searches" / "evolution").exists()


def test_what_is_no_supernet(tmp_path: Path, data: str, capsys: pytest.CaptureFixture[str]) -> None:
    network = tiny_run(tmp_path, "network", architecture=[0, 1, 2, 3])
    assert search(network, data) == 2
    assert "is the network of the one architecture [0, 1, 2, 3], no supernet" in capsys.readouterr().err

    supernet = tiny_run(tmp_path, "supernet")
    weights = supernet / "checkpoints" / "0000008" / "model.safetensors"
    shutil.copy(network / "checkpoints" / "0000008" / "model.safetensors", weights)
    assert search(supernet, data) == 2
    assert "does not fit SPOSGait" in capsys.readouterr().err

    imported = supernet / "checkpoints" / "0000008"
    shutil.copytree(tiny_run(tmp_path, "other") / "checkpoints" / "0000008", tmp_path / "imported")
    assert imported.exists()
    assert search(tmp_path / "imported", data, "--recalibrate", "1") == 2
    assert "recipe.yaml is not there to say how" in capsys.readouterr().err


def test_a_study_of_something_else(tmp_path: Path, run: Path, data: str, capsys: pytest.CaptureFixture[str]) -> None:
    size = ("--generations", "0", "--population", "2")
    assert search(run, data, size=size) == 0
    kept = run / "searches"
    capsys.readouterr()

    def refused(run: Path, *words: str) -> str:
        assert search(run, data, "--out", str(kept), *words, size=size) == 2
        return capsys.readouterr().err

    (tmp_path / "again").mkdir()
    again = tmp_path / "again"
    tiny_recipe(again)
    assert "differs in its supernet: it was begun with weights" in refused(tiny_run(again, seed=1))
    other = tiny_run(tmp_path / "again", "other/supernet", channels=[2, 3, 5])
    assert "differs in its search space: it was begun with channels [2, 3, 4]" in refused(other)
    assert "differs in its strategy: it was begun with seed 0, asked for is seed 1" in refused(run, "--seed", "1")
    assert "differs in its aim: it was begun with objectives ['rank-1']" in refused(run, "--objective", "mAP")
    assert "differs in its judging" in refused(run, "--recalibrate", "1")


def test_architectures_that_cannot_be_shown(run: Path, data: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert search(run, data, size=("--generations", "0", "--population", "2")) == 0
    folder = str(run / "searches" / "evolution")
    for words, message in (
        (["--architecture", "0,1,2"], "has 3 entries, the search space 4 layers"),
        (["--architecture", "0,1,2,6"], "has block 6 in layer 3 (from 0), which has blocks 0 to 5"),
        (["--architecture", "3"], "give best, a number from 1 to 2"),
        (["--rows", "0"], "--rows 0"),
    ):
        assert main(["nas", "show", folder, *words]) == 2
        assert message in capsys.readouterr().err
    assert main(["nas", "show", str(run)]) == 2
    assert "searches below it" in capsys.readouterr().err
