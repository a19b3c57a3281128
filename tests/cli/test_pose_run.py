"""Everything that is done with a run, with a run of a model of poses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from gaitway.cli import main
from gaitway.data import Store
from gaitway.data.store_writer import StoreWriter
from tests.conftest import MakeStore
from tests.training.tiny import CONDITIONS, tiny_values

CPU = ["--accelerator", "cpu"]


def pose_store(make_store: MakeStore, name: str, *modalities: str) -> Store:
    """The design of `tiny_store`, with the poses of the same seed whatever else there is."""
    return make_store(name, num_subjects=8, conditions=CONDITIONS, dataset="casia-b", modalities=modalities)


@pytest.fixture
def recipe(tmp_path: Path) -> str:
    """A small GaitTR for `pose_store`."""
    streams = [{"name": "GaitTRStreams"}]
    values = tiny_values(tmp_path, steps=2)
    values["data"]["frame_shape"] = [17, 3]
    values["evaluation"]["transforms"] = streams
    values |= {
        "model": {"name": "GaitTR", "channels": [32, 32], "embedding_dim": 8},
        "frames": {"count": "fixed", "order": "ordered", "num": 4},
        "sampler": {"name": "TripletSampler", "num_subjects": 2, "num_sequences": 2},
        "transforms": streams,
    }
    (tmp_path / "pose.yaml").write_text(yaml.safe_dump(values))
    return str(tmp_path / "pose.yaml")


def test_train_evaluate_embed_and_report(
    make_store: MakeStore, recipe: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = str(pose_store(make_store, "both", "silhouettes", "poses").path)
    run = tmp_path / "run"
    assert main(["train", recipe, "--data", store, "--run", str(run), *CPU]) == 0
    assert main(["evaluate", str(run), "--data", store, *CPU]) == 0
    report = run / "report.html"
    html = report.read_text(encoding="utf-8")
    assert 'alt="Silhouettes and skeletons of ' in html
    assert "the walker's left, dots" in html
    assert main(["embed", str(run), "--data", store, "--out", str(tmp_path / "e.safetensors"), *CPU]) == 0

    alone = str(pose_store(make_store, "alone", "poses").path)
    assert main(["report", str(run), "--data", alone]) == 0
    html = report.read_text(encoding="utf-8")
    assert 'alt="Skeletons of ' in html
    assert "Silhouettes" not in html

    assert main(["report", str(run)]) == 0
    assert "<img" not in report.read_text(encoding="utf-8")

    capsys.readouterr()
    silhouettes = str(pose_store(make_store, "silhouettes", "silhouettes").path)
    assert main(["evaluate", str(run), "--data", silhouettes, *CPU]) == 2
    assert "has no poses" in capsys.readouterr().err


def test_poses_that_are_no_numbers_are_named(
    make_store: MakeStore, recipe: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store, run, out = pose_store(make_store, "store", "poses"), tmp_path / "run", tmp_path / "e.safetensors"
    assert main(["train", recipe, "--data", str(store.path), "--run", str(run), *CPU]) == 0
    assert main(["evaluate", str(run), "--data", str(store.path), *CPU]) == 0
    formats = dict(store.manifest.modalities)
    damaged = tmp_path / "damaged"
    with StoreWriter(damaged, dataset="casia-b", modalities=formats, made={}) as writer:
        for row, info in enumerate(store.index):
            poses = np.array(store.frames("poses", row))
            if info.name == "006-nm-02-090":
                poses[1, 3, 0] = np.nan
            writer.add(info.subject, info.condition, info.view, {"poses": poses})
    capsys.readouterr()
    on_damaged = [str(run), "--data", str(damaged)]
    for words in (["report", *on_damaged], ["evaluate", *on_damaged, *CPU], ["embed", *on_damaged, "--out", str(out)]):
        assert main(words) == 2
        error = capsys.readouterr().err
        assert "1 of 80 embeddings are not finite" in error
        assert "006-nm-02-090" in error
    assert not out.exists()


@pytest.mark.parametrize("words", [["profile"], ["bench", "embed", "--sequences", "4"]])
def test_profile_and_bench_of_embedding(recipe: str, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words, recipe, *CPU]) == 0
    assert "Measured on" in capsys.readouterr().out


@pytest.mark.parametrize("what", ["train", "data"])
def test_bench_of_training_batches(recipe: str, what: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", what, recipe, "--steps", "1", *CPU]) == 0
    assert "poses on host" in capsys.readouterr().out or what == "data"
