"""`gaitway train`, with real processes where it is about processes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from gaitway.cli import main
from gaitway.training.checkpoint import find_checkpoint, load_model, read_weights
from gaitway.training.logging import METRICS, read_metrics
from gaitway.training.recipe import load_recipe
from tests.conftest import MakeStore
from tests.training.tiny import tiny_recipe_file, tiny_store

GAITWAY = (sys.executable, "-m", "gaitway")
TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "gaitway")
FOREVER = "steps=1000000"


def start(command: Sequence[str], *words: str | Path) -> subprocess.Popen[str]:
    """A real process, with as many threads per process as this one, so that sums come out the same."""
    return subprocess.Popen(
        [*command, "train", *map(str, words)],
        env={**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads()), "PYTHONFAULTHANDLER": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def wait_for_step(run: Path, step: int, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 120
    while not (run / METRICS).exists() or len((run / METRICS).read_text().splitlines()) < step:
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline, "the run did not get going"
        time.sleep(0.05)


def finish(process: subprocess.Popen[str]) -> str:
    """Wait for the end of a process, and return what it said. One that hangs is ended and says where it hung."""
    try:
        return process.communicate(timeout=90)[0]
    except subprocess.TimeoutExpired:
        for pid in (*children_of(process.pid), process.pid):
            os.kill(pid, signal.SIGABRT)
        pytest.fail(f"the process did not end:\n{process.communicate()[0]}")


def children_of(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False


def same_weights(first: Path, second: Path) -> bool:
    a, b = read_weights(find_checkpoint(first)), read_weights(find_checkpoint(second))
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.fixture
def data(make_store: MakeStore) -> str:
    return str(tiny_store(make_store).path)


def test_a_run_says_what_it_does_and_what_to_do_next(
    data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe, run = tiny_recipe_file(tmp_path), tmp_path / "run"
    words = ["train", str(recipe), "--data", data, "--run", str(run), "steps=2"]
    assert main(words) == 0
    said = capsys.readouterr().out
    for expected in ("4 subjects, 80 sequences", "GaitSet, ", " parameters", "16 sequences", "cpu, 32", "0 to 2"):
        assert expected in said
    assert "step 2/2  loss" in said
    assert f"gaitway evaluate {run} --data {data}" in said
    assert load_model(run)
    assert {path.name for path in run.iterdir()} >= {"recipe.yaml", METRICS, "checkpoints"}
    assert any(path.name.startswith("events.") for path in run.iterdir())

    assert main(words) == 2
    assert f"{run} exists already; go on with it by `gaitway train --resume {run}`" in capsys.readouterr().err


def test_a_longer_run_from_a_finished_one(data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe, run, whole = tiny_recipe_file(tmp_path), tmp_path / "run", tmp_path / "whole"
    assert main(["train", str(recipe), "--data", data, "--run", str(run), "steps=2"]) == 0
    assert main(["train", "--resume", str(run), "--data", data, "steps=4"]) == 0
    assert main(["train", str(recipe), "--data", data, "--run", str(whole), "steps=4"]) == 0
    assert same_weights(run, whole)
    timings = {"steps_per_second", "data_wait"}
    first, second = (
        [{key: value for key, value in line.items() if key not in timings} for line in read_metrics(folder)]
        for folder in (run, whole)
    )
    assert first == second
    capsys.readouterr()
    assert main(["train", "--resume", str(run), "--data", data, "lr=1"]) == 2
    assert "a resumed run goes on by its own recipe" in capsys.readouterr().err


def test_starting_from_weights(data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe, first, second = tiny_recipe_file(tmp_path), tmp_path / "first", tmp_path / "second"
    words = ["train", str(recipe), "--data", data]
    assert main([*words, "--run", str(first), "steps=1"]) == 0
    assert main([*words, "--run", str(second), "--init", str(first), "lr=1e-30", "steps=1"]) == 0
    assert same_weights(first, second)
    capsys.readouterr()
    other = [*words, "--run", str(tmp_path / "third"), "--init", str(first), "model.embedding_dim=16", "steps=1"]
    assert main(other) == 2
    assert "does not fit GaitSet: head.weight is (14, 8, 8), the model has (14, 8, 16)" in capsys.readouterr().err
    assert not (tmp_path / "third").exists()
    assert main([*other, "--init-partial"]) == 0
    assert "started fresh, head.weight" in capsys.readouterr().out


def test_a_second_phase_starts_from_the_run_of_the_first(
    data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe, first, second = tiny_recipe_file(tmp_path), tmp_path / "first", tmp_path / "second"
    values = yaml.safe_load(recipe.read_text())
    size = {"channels": [2, 2, 2], "lateral_dim": 4, "embedding_dim": 4, "compact_dim": 4, "bins": [4, 2, 1]}
    recipe.write_text(yaml.safe_dump({**values, "model": {"name": "GLN", **size}}))
    words = ["train", str(recipe), "--data", data, "steps=1"]
    assert main([*words, "--run", str(first), "model.compact=false"]) == 0
    capsys.readouterr()
    assert main([*words, "--run", str(second), "--init", str(first)]) == 0
    said = capsys.readouterr().out
    assert "started fresh, compact.classifier.weight" in said
    assert "started fresh, head.weight" not in said


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "name a recipe"),
        (["--resume", "runs/none", "RECIPE"], "leave out RECIPE"),
        (["--resume", "nowhere"], "is not a run"),
        (["RECIPE", "--init", "nowhere"], "nowhere does not exist"),
        (["RECIPE", "--init-partial"], "--init-partial goes with --init"),
        (["RECIPE", "starts_from=a/first"], "starts from the weights of a/first; train that first"),
        (["RECIPE", "stps=4"], "did you mean 'steps'"),
        (["RECIPE", "sampler.num_subjects=3", "--devices", "0"], "must be at least 1"),
    ],
)
def test_mistakes_are_named(
    data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    recipe = str(tiny_recipe_file(tmp_path))
    assert main(["train", *(recipe if word == "RECIPE" else word for word in words), "--data", data]) == 2
    assert message in capsys.readouterr().err


def test_subjects_of_one_sequence_are_noted(
    make_store: MakeStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = make_store(num_subjects=4, conditions=("nm-01",), views=("000",), shape=(16, 16), dataset="casia-b")
    recipe = tiny_recipe_file(tmp_path, steps=1)
    assert main(["train", str(recipe), "--data", str(store.path), "--run", str(tmp_path / "run")]) == 0
    assert "4 of the 4 subjects have one sequence only" in " ".join(capsys.readouterr().out.split())


def test_a_recipes_fp16_on_a_cpu_is_said_and_kept(
    data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cpu._is_amx_tile_supported", lambda: False)
    recipe, run = tiny_recipe_file(tmp_path, precision="fp16", steps=1), tmp_path / "run"
    assert main(["train", str(recipe), "--data", data, "--run", str(run), "--accelerator", "cpu"]) == 0
    assert "computing in 32, since the recipe's fp16 is for CUDA" in capsys.readouterr().out
    assert load_recipe(str(run / "recipe.yaml")).training.precision == "32"


def test_killed_and_resumed_it_is_as_if_never_interrupted(data: str, tmp_path: Path) -> None:
    recipe, run, whole = tiny_recipe_file(tmp_path, baseline=True, save_every=3), tmp_path / "run", tmp_path / "whole"
    process = start(GAITWAY, recipe, "--data", data, "--run", run, FOREVER)
    wait_for_step(run, 10, process)
    process.kill()
    process.communicate()
    step = int(find_checkpoint(run).name) + 4
    assert main(["train", "--resume", str(run), "--data", data, f"steps={step}"]) == 0
    assert main(["train", str(recipe), "--data", data, "--run", str(whole), f"steps={step}"]) == 0
    assert same_weights(run, whole)
    assert [line["step"] for line in read_metrics(run)] == list(range(1, step + 1))


def test_ctrl_c_saves_and_stops(data: str, tmp_path: Path) -> None:
    recipe, run = tiny_recipe_file(tmp_path), tmp_path / "run"
    process = start(GAITWAY, recipe, "--data", data, "--run", run, FOREVER)
    wait_for_step(run, 3, process)
    process.send_signal(signal.SIGINT)
    said = finish(process)
    assert process.returncode == 128 + signal.SIGINT, said
    assert "Stopped by SIGINT after step" in said
    assert f"gaitway train --resume {run} --data {data}" in " ".join(said.split())
    assert "Traceback" not in said
    logged = len(read_metrics(run))
    assert int(find_checkpoint(run).name) == logged  # not one step is lost
    assert main(["train", "--resume", str(run), "--data", data, f"steps={logged + 1}"]) == 0


def test_sigterm_stops_all_processes(data: str, tmp_path: Path) -> None:
    recipe, run = tiny_recipe_file(tmp_path), tmp_path / "run"
    process = start(GAITWAY, recipe, "--data", data, "--run", run, "--devices", "2", FOREVER)
    wait_for_step(run, 3, process)
    children = children_of(process.pid)
    assert any(is_alive(child) for child in children)
    process.send_signal(signal.SIGTERM)  # to the first process alone
    said = finish(process)
    assert process.returncode == 128 + signal.SIGTERM, said
    assert not any(is_alive(child) for child in children)
    assert "Traceback" not in said
    assert said.count("Stopped by SIGTERM") == 1
    assert int(find_checkpoint(run).name) == len(read_metrics(run))


def test_a_diverging_run_stops_with_the_weights_from_before(data: str, tmp_path: Path) -> None:
    recipe, run = tiny_recipe_file(tmp_path, baseline=True), tmp_path / "run"
    process = start(GAITWAY, recipe, "--data", data, "--run", run, "lr=1e30", FOREVER)
    said = " ".join(finish(process).split())
    assert process.returncode == 1, said
    found = re.search(r"step (\d+): (.*?) is not finite", said)
    assert found, said
    step = int(found[1]) - 1
    assert "001-" in said or "002-" in said or "003-" in said or "004-" in said  # sequences of the batch
    assert int(find_checkpoint(run).name) == step
    weights = read_weights(find_checkpoint(run))
    assert all(torch.isfinite(tensor).all() for tensor in weights.values())
    assert all(weights[name] == step for name in weights if name.endswith("num_batches_tracked"))


@pytest.mark.parametrize(
    ("command", "devices", "options"),
    [(TORCHRUN, "1", {}), (GAITWAY, "2", {"baseline": True, "sync_batch_norm": True})],
    ids=["GaitSet by torchrun", "synchronised batch norm"],
)
def test_two_processes_train_and_evaluate_as_one(
    data: str, tmp_path: Path, command: Sequence[str], devices: str, options: dict[str, Any]
) -> None:
    recipe = tiny_recipe_file(tmp_path, steps=4, evaluate_every=4, **options)
    runs = tmp_path / "one", tmp_path / "two"
    process = start(command, recipe, "--data", data, "--out", runs[1], "--devices", devices)
    assert main(["train", str(recipe), "--data", data, "--run", str(runs[0])]) == 0
    said = finish(process)
    assert process.returncode == 0, said
    assert "in 2 processes" in said
    one, two = (read_metrics(run) for run in runs)
    assert len(one) == len(two) == 5
    for first, second in zip(one[:4], two[:4], strict=True):
        assert first.keys() == second.keys()
        assert second["loss"] == pytest.approx(first["loss"], abs=1e-5)
        for name in first.keys() - {"steps_per_second", "data_wait"}:
            assert second[name] == pytest.approx(first[name], rel=1e-3, abs=1e-5), name
    assert one[4] == two[4]  # the evaluation
