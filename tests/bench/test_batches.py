"""`benchmarks/batches.py` compares two ways that give the same batches; and pose recipes in `gaitway bench data`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.batches import OneByOne, measure
from gaitway.bench.loading import PICKLES, STORE, bench_loading
from gaitway.bench.noise import noise_store
from gaitway.data.loader import TrainLoader
from gaitway.training.recipe import load_recipe

SMALL = ["sampler={name: RandomSampler, batch_size: 3}", "frames.num=12"]
CPU = torch.device("cpu")


@pytest.mark.parametrize("views", ["", "{name: TwoViews}, "])
def test_both_ways_give_the_same_batches(tmp_path: Path, views: str) -> None:
    recipe = load_recipe("casia-b-pose/gaittr", [*SMALL, f"transforms=[{views}{{name: GaitTRStreams}}]"])
    store = noise_store(tmp_path / "store", recipe)
    rows = np.arange(len(store.index))
    loader = TrainLoader(
        store,
        rows,
        rows,
        recipe.build_sampler(),
        recipe.frames,
        recipe.build_transforms(),
        modalities=("poses",),
    )
    one_by_one = OneByOne(store, loader, recipe, CPU)
    for step in (0, 5):
        found = loader.batch(step).frames["poses"]
        assert found.shape == (6 if views else 3, 12, 17, 10)
        assert found.is_contiguous()
        torch.testing.assert_close(found, one_by_one.batch(step))


def test_figures() -> None:
    found = measure(load_recipe("casia-b-pose/gaitgraph2", SMALL), repeats=1, device=CPU)
    assert list(found) == ["one by one", "all at once"]
    assert found["one by one"]["speedup"] == 1
    assert found["all at once"]["seconds"] > 0


def test_loading_of_poses(tmp_path: Path) -> None:
    transforms = "transforms=[{name: TwoViews}, {name: RandomSelectSequence, num: 10}]"
    recipe = load_recipe("casia-b-pose/gaitgraph1", [*SMALL, "min_frames=70", transforms])
    speed = bench_loading(recipe, noise_store(tmp_path / "store", recipe), steps=1, device=CPU)
    assert speed.batch == (3, 36)
    assert set(speed.making) == {PICKLES, STORE}
