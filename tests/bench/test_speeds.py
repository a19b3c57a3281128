"""What the benches report, on data so small that speed itself means nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from gaitway.bench.embedding import bench_embedding
from gaitway.bench.evaluating import bench_evaluation
from gaitway.bench.loading import PICKLES, STORE, bench_loading
from gaitway.bench.noise import NUM_FRAMES, noise_store
from gaitway.bench.training import bench_training, compare_training
from gaitway.training.recipe import load_recipe
from tests.conftest import MakeStore
from tests.training.tiny import tiny_recipe, tiny_store

CPU = torch.device("cpu")


def test_training(tmp_path: Path, make_store: MakeStore) -> None:
    progress: list[tuple[int, int]] = []
    speed = bench_training(
        tiny_recipe(tmp_path), tiny_store(make_store), steps=3, done=lambda *done: progress.append(done)
    )
    assert speed.batch == (16, 64)
    assert speed.sequences_per_second == pytest.approx(16 * speed.steps_per_second)
    assert speed.frames_per_second == pytest.approx(64 * speed.steps_per_second)
    assert 0 <= speed.data_wait < 1
    assert speed.peak_memory > 2**20
    assert speed.residency == {"silhouettes": "host"}
    assert progress == [(i, 5) for i in range(1, 6)]


def test_training_counts_frames_of_unequal_sequences(tmp_path: Path, make_store: MakeStore) -> None:
    recipe = tiny_recipe(tmp_path)
    recipe = replace(recipe, frames=replace(recipe.frames, count="unfixed", min_num=2, max_num=4))
    speed = bench_training(recipe, tiny_store(make_store), steps=4)
    assert 2 < speed.frames_per_second / speed.sequences_per_second < 4


def test_ways_to_train_are_compared_with_plain_float32(tmp_path: Path, make_store: MakeStore) -> None:
    found = compare_training(tiny_recipe(tmp_path), tiny_store(make_store), repeats=2)
    assert list(found) == ["float32", "float32 channels-last", "bf16", "bf16 channels-last"]
    assert found["float32"]["speedup"] == 1
    assert all(figures["seconds"] > 0 for figures in found.values())


def test_embedding(tmp_path: Path, make_store: MakeStore) -> None:
    store = tiny_store(make_store)
    progress: list[tuple[int, int]] = []
    speed = bench_embedding(
        tiny_recipe(tmp_path), store, num_sequences=20, device=CPU, done=lambda *done: progress.append(done)
    )
    assert speed.num_sequences == 20
    assert speed.frames_per_second == pytest.approx(speed.num_frames / speed.seconds)
    test_frames = store.index.num_frames["silhouettes"][store.index.rows_of({"005", "006", "007", "008"})].sum()
    assert speed.test_set_seconds == pytest.approx(speed.seconds * test_frames / speed.num_frames)
    assert progress[-1] == (20, 20)


def test_evaluation_of_whole_subjects() -> None:
    progress: list[tuple[int, int]] = []
    speed = bench_evaluation(
        load_recipe("walkers/demo"), num_sequences=350, device=CPU, done=lambda *done: progress.append(done)
    )
    assert speed.num_embeddings == 330  # three subjects of 10 conditions in 11 views
    assert speed.embedding_shape == (62, 128)
    assert speed.embedding_memory == 330 * 62 * 128 * 4
    assert speed.protocol == "walkers"
    assert progress[-1] == (198, 198)


def test_a_test_set_that_nobody_lists_cannot_be_made_up(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="does not list the conditions and views"):
        bench_evaluation(tiny_recipe(tmp_path), num_sequences=100, device=CPU)


def test_loading(tmp_path: Path, make_store: MakeStore) -> None:
    speed = bench_loading(tiny_recipe(tmp_path), tiny_store(make_store), steps=2, device=CPU, residency="disk")
    assert speed.batch == (16, 64)
    assert speed.residency == "disk"
    for found in (speed.reading, speed.making):
        assert set(found) == {PICKLES, STORE}
        assert found[PICKLES]["speedup"] == 1
        assert found[STORE]["speedup"] > 0
    assert speed.batches_per_second == pytest.approx(1 / speed.making[STORE]["seconds"])
    assert speed.frames_per_second == pytest.approx(64 * speed.batches_per_second)


def test_noise_has_the_shape_of_the_data_set(tmp_path: Path) -> None:
    recipe = load_recipe("casia-b/gaitset", ["sampler.num_subjects=2", "data.frame_shape=[16, 16]"])
    store = noise_store(tmp_path / "store", recipe)
    assert store.manifest.dataset == "casia-b"
    assert store.manifest.num_subjects == 2 * 2 + 4
    assert store.manifest.num_sequences == 8 * 10 * 4
    lengths = store.index.num_frames["silhouettes"]
    assert NUM_FRAMES[0] <= lengths.min() < lengths.max() <= NUM_FRAMES[1]
    assert set(store.frames("silhouettes", 0).flatten().tolist()) == {0, 255}
