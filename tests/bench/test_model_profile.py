"""Counts against the published ones and against counts by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from gaitway.bench.model_profile import Work, count_costs, time_sequences
from gaitway.training.recipe import load_recipe, resolve
from tests.training.tiny import tiny_recipe, tiny_values


@pytest.mark.parametrize(
    ("recipe", "parameters", "per_frame", "per_sequence", "embedding"),
    [
        ("casia-b/gaitset", 2_594_592, 106.1, 79.9, (2_594_592, 79.9)),
        ("oumvlp/gaitset", 6_313_536, 419.7, 315.5, (6_313_536, 315.5)),
        ("casia-b/baseline", 3_779_136, 419.7, 2.6, (3_176_000, 2.0)),
        ("oumvlp/baseline", 44_112_928, 261.8, 42.9, (3_202_848, 2.0)),
    ],
)
def test_published_models(
    recipe: str, parameters: int, per_frame: float, per_sequence: float, embedding: tuple[int, float]
) -> None:
    """Multiply-adds in millions, for 74 and 5153 training subjects."""
    costs = count_costs(load_recipe(recipe))
    assert costs.total.parameters == parameters
    assert costs.total.per_frame / 1e6 == pytest.approx(per_frame, abs=0.05)
    assert costs.total.per_sequence / 1e6 == pytest.approx(per_sequence, abs=0.05)
    assert costs.embedding.parameters == embedding[0]
    assert costs.embedding.per_frame == costs.total.per_frame
    assert costs.embedding.per_sequence / 1e6 == pytest.approx(embedding[1], abs=0.05)
    assert costs.frame_shape == (64, 44)
    assert costs.published == f"{parameters / 1e6:.2f}M"
    for count in ("parameters", "per_frame", "per_sequence"):
        assert sum(getattr(block, count) for block in costs.blocks.values()) == getattr(costs.total, count)


def test_work_in_lists_of_blocks_is_counted() -> None:
    costs = count_costs(load_recipe("casia-b/hstl"))
    assert costs.blocks["levels"].per_frame == pytest.approx(costs.total.per_frame, rel=1e-3)
    for count in ("parameters", "per_frame", "per_sequence"):
        assert sum(getattr(block, count) for block in costs.blocks.values()) == getattr(costs.total, count)


def test_blocks_and_classes_counted_by_hand(tmp_path: Path) -> None:
    costs = count_costs(tiny_recipe(tmp_path, baseline=True), num_classes=10)
    pixels = 16 * 16
    backbone = 25 * 4 * pixels + 9 * 4 * 8 * pixels // 4 + 9 * 8 * 8 * pixels // 16
    assert costs.num_classes == 10
    assert costs.blocks == {
        "backbone": Work(25 * 4 + 9 * 4 * 8 + 9 * 8 * 8, backbone, 0),
        "head": Work(7 * 8 * 8, 0, 7 * 8 * 8),
        "neck": Work(7 * 8 * 10 + 2 * 7 * 8, 0, 7 * 8 * 10),
    }
    assert costs.embedding == Work(25 * 4 + 9 * 4 * 8 + 9 * 8 * 8 + 7 * 8 * 8, backbone, 7 * 8 * 8)


def test_a_model_without_parameters_costs_nothing_to_count(tmp_path: Path) -> None:
    costs = count_costs(resolve(tiny_values(tmp_path) | {"model": {"name": "GaitEnergyImage"}}))
    assert costs.total == costs.embedding == Work(0, 0, 0)


def test_time_is_given_alone_and_in_batches(tmp_path: Path) -> None:
    times = time_sequences(tiny_recipe(tmp_path), device=torch.device("cpu"))
    assert set(times) >= {"32, alone", "32, batches of 8"}
    assert all(0 < milliseconds < 1000 for milliseconds in times.values())
