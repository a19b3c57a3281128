"""A supernet so small that a path is evaluated in a fraction of a second."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from gaitway.data import Store
from gaitway.training.checkpoint import model_config, save_checkpoint
from gaitway.training.recipe import Recipe, resolve
from gaitway.training.run import write_recipe
from tests.conftest import MakeStore

CONDITIONS = (*(f"nm-{i:02}" for i in range(1, 7)), "bg-01", "bg-02", "cl-01", "cl-02")
SUBJECTS = tuple(f"{subject:03}" for subject in range(1, 9))


def tiny_store(make_store: MakeStore, *, num_subjects: int = 8) -> Store:
    """CASIA-B's design with 8 subjects and 2 views."""
    return make_store(
        num_subjects=num_subjects, conditions=CONDITIONS, shape=(64, 44), num_frames=(3, 5), dataset="casia-b"
    )


def tiny_recipe(folder: Path, **model: Any) -> Recipe:
    """A recipe of a small supernet that holds out two of its six training subjects."""
    partition = folder / "partition.json"
    partition.write_text(json.dumps({"train": SUBJECTS[:6], "test": SUBJECTS[6:]}))
    return resolve(
        {
            "description": "A test.",
            "model": {"name": "SPOSGait", "channels": [2, 3, 4], "embedding_dim": 4, "bn_neck": False} | model,
            "losses": {"triplet": {"name": "TripletLoss"}},
            "data": {"dataset": "casia-b", "partition": str(partition), "frame_shape": [64, 44], "held_out": 0.3},
            "sampler": {"name": "TripletSampler", "num_subjects": 2, "num_sequences": 2},
            "frames": {"count": "fixed", "order": "ordered", "num": 3},
            "transforms": [{"name": "Scale"}],
            "optimizer": {"name": "SGD", "lr": 0.05},
            "schedule": {"name": "MultiStepLR", "milestones": [6]},
            "training": {"steps": 8},
            "evaluation": {"protocol": "casia-b", "transforms": [{"name": "Scale"}], "batch_size": 32},
        }
    )


def tiny_run(folder: Path, name: str = "supernet", *, seed: int = 0, **model: Any) -> Path:
    """The run of a supernet with fresh weights, as `gaitway nas train` leaves it."""
    torch.manual_seed(seed)
    recipe = tiny_recipe(folder, **model)
    run = folder / name
    write_recipe(run, recipe)
    weights = recipe.build_model(num_classes=4).state_dict()
    config = model_config(recipe, recipe_name="tiny", num_classes=4, step=8)
    save_checkpoint(run / "checkpoints" / "0000008", weights=weights, config=config)
    return run
