"""`gaitway evaluate`: tables, files, and what it refuses."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml

from gaitway.cli import main
from gaitway.evaluation import EmbeddingSet, Result, evaluate, load_protocol
from gaitway.training.checkpoint import model_config, save_checkpoint
from tests.conftest import MakeStore
from tests.training.tiny import CONDITIONS, tiny_recipe, tiny_store


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """A model with fresh weights, in a run's folder."""
    torch.manual_seed(0)
    recipe = tiny_recipe(tmp_path)
    folder = tmp_path / "run" / "checkpoints" / "0000007"
    weights = recipe.build_model(num_classes=4).state_dict()
    save_checkpoint(folder, weights=weights, config=model_config(recipe, recipe_name="tiny", num_classes=4, step=7))
    return folder


@pytest.fixture
def data(make_store: MakeStore) -> str:
    return str(tiny_store(make_store).path)


def read(path: Path) -> Result:
    return Result.from_json(path.read_text())


def test_both_protocols_on_terminal_and_disk(
    checkpoint: Path, data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    embeddings = tmp_path / "embeddings.safetensors"
    run = tmp_path / "run"
    assert main(["evaluate", str(run), "--data", data, "--save-embeddings", str(embeddings)]) == 0
    said = capsys.readouterr().out
    assert "recipe tiny, step 7" in said
    for expected in ("protocol casia-b, euclidean", "protocol casia-b/cross-view", "rank-1", "mAP", "equal-error rate"):
        assert expected in said
    assert " 50.5 " in said  # the published figure
    out = run / "evaluation"
    assert {path.name for path in out.iterdir()} == {
        "casia-b.json",
        "casia-b.csv",
        "casia-b-cross-view.json",
        "casia-b-cross-view.csv",
        "circumstances.yaml",
    }
    circumstances = yaml.safe_load((out / "circumstances.yaml").read_text())
    assert (circumstances["checkpoint"], circumstances["step"]) == (str(checkpoint), 7)
    saved = EmbeddingSet.load(embeddings)
    assert set(saved.subjects) == {"005", "006", "007", "008"}
    assert len(saved) == 4 * len(CONDITIONS) * 2
    assert evaluate(saved, load_protocol("casia-b")) == read(out / "casia-b.json")


def test_the_gait_energy_image_beside_it(
    checkpoint: Path, data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    words = ["evaluate", str(checkpoint), "--data", data, "--out", str(out), "--protocol", "casia-b"]
    assert main([*words, "--baseline", "gei"]) == 0
    assert "gait energy image" in capsys.readouterr().out
    assert read(out / "gait-energy-image" / "casia-b.json").sets["NM"].ranks[1] == 100  # the subjects are that easy
    assert not (out / "casia-b-cross-view.json").exists()


def test_two_processes_give_the_same_figures(checkpoint: Path, data: str, tmp_path: Path) -> None:
    words = ["evaluate", str(checkpoint), "--data", data]
    assert main([*words, "--out", str(tmp_path / "one")]) == 0
    command = [sys.executable, "-m", "gaitway", *words, "--out", str(tmp_path / "two"), "--devices", "2"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("protocol casia-b, euclidean") == 1
    for name in ("casia-b.json", "casia-b-cross-view.json"):
        assert read(tmp_path / "two" / name) == read(tmp_path / "one" / name)


def test_fewer_frames_give_other_embeddings(checkpoint: Path, data: str, tmp_path: Path) -> None:
    found = {}
    for frames in ("2", "720"):
        file = tmp_path / f"{frames}.safetensors"
        words = ["--data", data, "--max-frames", frames, "--save-embeddings", str(file), "--protocol", "casia-b"]
        assert main(["evaluate", str(checkpoint), *words]) == 0
        found[frames] = EmbeddingSet.load(file).embeddings
    assert found["2"].shape == found["720"].shape
    assert not torch.allclose(found["2"], found["720"])


def test_another_data_set_is_evaluated_by_its_own_protocols(
    checkpoint: Path, make_store: MakeStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = make_store(num_subjects=8, conditions=CONDITIONS, shape=(16, 16), dataset="walkers")
    partition = tmp_path / "partition.json"  # the recipe's file has the same subjects
    assert main(["evaluate", str(checkpoint), "--data", str(store.path), "--partition", str(partition)]) == 0
    said = capsys.readouterr().out
    assert "trained on casia-b, evaluated on walkers" in said
    assert "protocol walkers, euclidean" in said
    assert "50.5" not in said  # published for another data set


@pytest.mark.parametrize(
    ("shape", "words", "message"),
    [
        ((32, 24), [], "trained on silhouettes of 16 × 16, .* holds 32 × 24"),
        ((16, 16), ["--protocol", "casia-x"], "no protocol casia-x"),
        ((16, 16), ["--partition", "casia-x"], "no partition 'casia-x'"),
    ],
)
def test_mistakes_are_named(
    checkpoint: Path,
    make_store: MakeStore,
    capsys: pytest.CaptureFixture[str],
    shape: tuple[int, int],
    words: list[str],
    message: str,
) -> None:
    store = make_store(num_subjects=8, shape=shape, dataset="casia-b")
    assert main(["evaluate", str(checkpoint), "--data", str(store.path), *words]) == 2
    assert re.search(message, capsys.readouterr().err)


def test_a_gallery_without_the_probes_subject(
    checkpoint: Path, make_store: MakeStore, capsys: pytest.CaptureFixture[str]
) -> None:
    store = make_store(num_subjects=8, conditions=("nm-05", "bg-01", "cl-01"), shape=(16, 16), dataset="casia-b")
    assert main(["evaluate", str(checkpoint), "--data", str(store.path), "--protocol", "casia-b"]) == 2
    assert "gallery" in capsys.readouterr().err
