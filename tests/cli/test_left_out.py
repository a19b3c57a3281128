"""Training, evaluation and embedding of poses where sequences have none or too few: left out, counted and named."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from gaitway.cli import main
from gaitway.data import Store
from gaitway.data.store import FrameFormat
from gaitway.data.store_writer import StoreWriter
from gaitway.evaluation import EmbeddingSet
from tests.training.tiny import CONDITIONS, tiny_values

WITHOUT = {("002", "bg-01"), ("006", "nm-05"), ("006", "nm-06")}
SHORT = {("003", "cl-02"), ("007", "nm-01")}


def pose_store(path: Path, *, num_joints: int = 17, poses: bool = True) -> Store:
    """Eight subjects of one view, with silhouettes, and with poses but for a few sequences."""
    rng = np.random.default_rng(0)
    formats = {"silhouettes": FrameFormat((8, 8))}
    formats |= {"poses": FrameFormat((num_joints, 3), "float32")} if poses else {}
    with StoreWriter(path, dataset="casia-b", modalities=formats, made={"by": "a test"}) as writer:
        for subject in (f"{number:03}" for number in range(1, 9)):
            for condition in CONDITIONS:
                for view in ("000", "090"):
                    t = 5 if (subject, condition) in SHORT else 8
                    frames: dict[str, Any] = {"silhouettes": np.full((t, 8, 8), 255, np.uint8)}
                    if poses and (subject, condition) not in WITHOUT:
                        frames["poses"] = rng.normal(size=(t, num_joints, 3)).astype(np.float32)
                    writer.add(subject, condition, view, frames)
    return Store(path)


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    values = tiny_values(tmp_path) | {
        "model": {"name": "GaitTR", "channels": [32], "embedding_dim": 4},
        "frames": {"order": "ordered", "num": 4},
        "transforms": [{"name": "GaitTRStreams"}],
    }
    values["data"] |= {"frame_shape": [17, 3], "min_frames": 6}
    values["evaluation"]["transforms"] = [{"name": "GaitTRStreams"}]
    file = tmp_path / "poses.yaml"
    file.write_text(yaml.safe_dump(values))
    return file


def names_of(file: Path) -> set[tuple[str, str]]:
    with file.open(newline="") as lines:
        return {(row["sequence"], row["reason"]) for row in csv.DictReader(lines)}


def test_a_run_and_its_evaluation(recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, run = str(pose_store(tmp_path / "store").path), tmp_path / "run"
    assert main(["train", str(recipe), "--data", data, "--run", str(run), "steps=1", "evaluate_every=1"]) == 0
    said = capsys.readouterr().out
    assert "4 subjects, 76 sequences" in said
    assert "left out of training: 2 without poses (002-bg-01-000, 002-bg-01-090); 2 of fewer than 6 frames" in said
    train = {(f"002-bg-01-{view}", "without poses") for view in ("000", "090")}
    train |= {(f"003-cl-02-{view}", "of fewer than 6 frames") for view in ("000", "090")}
    assert names_of(run / "left_out.csv") == train

    assert main(["evaluate", str(run), "--data", data]) == 0
    said = capsys.readouterr().out
    assert "left out of the test: 4 without poses (006-nm-05-000, 006-nm-05-090, 006-nm-06-000, …); 2 of fewer" in said
    left_out = {name for name, _ in names_of(run / "evaluation" / "left_out.csv")}
    assert left_out == {f"{name}-{view}" for name in ("006-nm-05", "006-nm-06", "007-nm-01") for view in ("000", "090")}

    file = tmp_path / "embeddings.safetensors"
    assert main(["embed", str(run), "--data", data, "--out", str(file)]) == 0
    assert "left out: 4 without poses" in capsys.readouterr().out
    assert len(EmbeddingSet.load(file)) == 80 - len(left_out)
    assert not left_out & set(EmbeddingSet.load(file).names)


@pytest.mark.parametrize(
    ("num_joints", "poses", "message"),
    [
        (18, True, "the recipe is for poses of 17 × 3, .* holds 18 × 3; prepare them with --joints coco17"),
        (12, True, "poses of 17 × 3, .* holds 12 × 3; poses are x, y and confidence of COCO's 17 joints or OpenPose's"),
        (17, False, "has no poses, it has silhouettes; `gaitway prepare casia-b-pose RAW OUT --with"),
    ],
)
def test_other_joints_and_no_poses(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], num_joints: int, poses: bool, message: str
) -> None:
    data = str(pose_store(tmp_path / "store", num_joints=num_joints, poses=poses).path)
    assert main(["train", str(recipe), "--data", data, "--run", str(tmp_path / "run")]) == 2
    assert re.search(message, capsys.readouterr().err)
    assert not (tmp_path / "run").exists()


def test_a_trained_model_and_other_joints(recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, other = tmp_path / "run", str(pose_store(tmp_path / "other", num_joints=18).path)
    data = str(pose_store(tmp_path / "store").path)
    assert main(["train", str(recipe), "--data", data, "--run", str(run), "steps=1"]) == 0
    for words in (["evaluate", str(run)], ["embed", str(run), "--out", str(tmp_path / "x.safetensors")]):
        assert main([*words, "--data", other]) == 2
        assert "trained on poses of 17 × 3" in (said := capsys.readouterr().err)
        assert "prepare them with --joints coco17" in said
    assert main(["evaluate", str(run), "--data", data, "--baseline", "gei"]) == 2
    assert "--baseline gei is the mean of silhouettes, the model takes poses" in capsys.readouterr().err
