"""A data set and recipes so small that a run takes a second."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml
from lightning_fabric import Fabric

from gaitway.data import Store
from gaitway.training.devices import create_fabric
from gaitway.training.recipe import Precision, Recipe, resolve
from gaitway.training.session import Session
from tests.conftest import MakeStore

CONDITIONS = (*(f"nm-{i:02}" for i in range(1, 7)), "bg-01", "bg-02", "cl-01", "cl-02")
SIZE = 16


def tiny_store(make_store: MakeStore, name: str = "store") -> Store:
    """CASIA-B's design with 8 subjects and 2 views."""
    return make_store(name, num_subjects=8, conditions=CONDITIONS, shape=(SIZE, SIZE), dataset="casia-b")


def tiny_values(folder: Path, *, baseline: bool = False, **training: Any) -> dict[str, Any]:
    """A recipe for `tiny_store`: GaitSet, or with `baseline` a network with batch normalisation and a classifier."""
    partition = folder / "partition.json"
    names = [f"{subject:03}" for subject in range(1, 9)]
    partition.write_text(json.dumps({"train": names[:4], "test": names[4:]}))
    model: dict[str, Any] = {"name": "GaitSet", "channels": [4, 8, 8], "bins": [4, 2, 1], "embedding_dim": 8}
    losses: dict[str, Any] = {"triplet": {"name": "TripletLoss"}}
    if baseline:
        layers = ["BC-4", "M", "BC-8", "M", "BC-8"]
        model = {"name": "Baseline", "layers": layers, "bins": [4, 2, 1], "embedding_dim": 8}
        losses["softmax"] = {"name": "CrossEntropyLoss", "weight": 0.1}
    return {
        "description": "A test.",
        "model": model,
        "losses": losses,
        "data": {"dataset": "casia-b", "partition": str(partition), "frame_shape": [SIZE, SIZE]},
        "sampler": {"name": "TripletSampler", "num_subjects": 4, "num_sequences": 4},
        "frames": {"count": "fixed", "order": "unordered", "num": 4},
        "transforms": [{"name": "CutColumns"}, {"name": "RandomHorizontalFlip"}],
        "optimizer": {"name": "SGD", "lr": 0.05, "momentum": 0.9},
        "schedule": {"name": "MultiStepLR", "milestones": [6], "gamma": 0.1},
        "training": {"steps": 8, "log_every": 1, **training},
        "evaluation": {"protocol": "casia-b", "transforms": [{"name": "CutColumns"}]},
        "published": {"source": "nowhere", "rank1": {"NM": 50.5}},
    }


def tiny_recipe(folder: Path, *, baseline: bool = False, **training: Any) -> Recipe:
    """The resolved recipe of `tiny_values`."""
    return resolve(tiny_values(folder, baseline=baseline, **training))


def tiny_recipe_file(folder: Path, *, baseline: bool = False, **training: Any) -> Path:
    """The recipe as a file."""
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump(tiny_values(folder, baseline=baseline, **training)))
    return path


def tiny_session(store: Store, recipe: Recipe, precision: Precision = "32") -> Session:
    """A session on the CPU in this process."""
    fabric: Fabric = create_fabric(accelerator="cpu", precision=precision)
    fabric.launch()
    return Session(fabric, recipe, store, recipe_name="tiny")
