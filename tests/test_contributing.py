"""CONTRIBUTING.md's worked examples, run word for word."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest
import torch

import gaitway
from gaitway.cli import main
from gaitway.losses import LOSSES
from gaitway.models import MODELS, create_model

TEXT = (Path(__file__).parent.parent / "CONTRIBUTING.md").read_text()
BLOCKS = dict(re.findall(r'^```\w+ title="([^"]+)"\n(.*?)^```', TEXT, re.DOTALL | re.MULTILINE))


def load(title: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Write an example to a file and import it."""
    file = folder / Path(title).name
    file.write_text(BLOCKS[title])
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, file.stem, module)
    spec.loader.exec_module(module)
    return module


def draw_raw_tree(raw: Path) -> None:
    """Three people, two walks, one camera: a bar that sways, one PNG per frame."""
    for person in ("ann", "bob", "cem"):
        for walk in ("one", "two"):
            folder = raw / person / walk / "front"
            folder.mkdir(parents=True)
            for frame in range(5):
                picture = np.zeros((120, 90), np.uint8)
                picture[10:110, 30 + frame : 55 + frame] = 255
                cv2.imwrite(str(folder / f"{frame:03}.png"), picture)


def test_the_four_examples_work_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    tinygait = load("src/gaitway/models/tinygait.py", tmp_path, monkeypatch)
    soft_triplet = load("src/gaitway/losses/soft_triplet.py", tmp_path, monkeypatch)
    corridor = load("src/gaitway/data/datasets/corridor.py", tmp_path, monkeypatch)
    monkeypatch.setitem(MODELS, "TinyGait", tinygait.TinyGait)
    monkeypatch.setitem(LOSSES, "SoftTripletLoss", soft_triplet.SoftTripletLoss)

    assert create_model("TinyGait")(torch.rand(2, 3, 64, 44)).embeddings.shape == (2, 7, 32)

    draw_raw_tree(Path("raw"))
    store = corridor.prepare_corridor(Path("raw"), Path("corridor-store"))
    assert (store.manifest.num_sequences, store.manifest.num_frames["silhouettes"]) == (6, 30)

    Path("corridor.json").write_text(json.dumps({"dataset": "corridor", "train": ["ann", "bob"], "test": ["cem"]}))
    Path("corridor-tinygait.yaml").write_text(BLOCKS["corridor-tinygait.yaml"])
    command = re.search(r"^gaitway (train .*)$", TEXT, re.MULTILINE)
    assert command is not None
    assert main([*command[1].split(), "--run", "run"]) == 0
    assert "2" in (Path("run") / "metrics.jsonl").read_text()
    assert gaitway.load_model("run")(torch.rand(1, 3, 64, 44)).embeddings.shape == (1, 7, 32)


@pytest.mark.parametrize("title", [title for title in BLOCKS if title.endswith(".py")])
def test_the_examples_keep_the_house_rules(title: str) -> None:
    assert BLOCKS[title].startswith('"""')
    assert max(map(len, BLOCKS[title].splitlines())) <= 120
    assert "TODO" not in BLOCKS[title]
