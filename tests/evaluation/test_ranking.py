from __future__ import annotations

import math

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis.extra import numpy as arrays

from gaitway.evaluation.ranking import DistanceCounts, equal_error_rate, rank

SHAPES = st.tuples(st.integers(1, 6), st.integers(1, 9))


@st.composite
def galleries(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distances with many ties, matches (some probes have none) and valid pairs."""
    shape = draw(SHAPES)
    distances = draw(arrays.arrays(np.float32, shape, elements=st.integers(0, 5).map(float)))
    return distances, draw(arrays.arrays(np.bool_, shape)), draw(arrays.arrays(np.bool_, shape))


def naive_rank(distances: np.ndarray, matches: np.ndarray, valid: np.ndarray) -> tuple[float, float, float, int]:
    """One probe, step by step: sort, walk down the list, note the matches."""
    gallery = sorted((j for j in range(len(distances)) if valid[j]), key=lambda j: (distances[j], -j))
    positions = [place for place, j in enumerate(gallery, start=1) if matches[j]]
    if not positions:
        return len(distances) + 1, math.nan, math.nan, 0
    precisions = [found / position for found, position in enumerate(positions, start=1)]
    return positions[0], sum(precisions) / len(positions), len(positions) / positions[-1], len(positions)


@given(galleries())
def test_rank_equals_the_naive_loop(gallery: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    found = rank(*map(torch.from_numpy, gallery))
    expected = np.array([naive_rank(*probe) for probe in zip(*gallery, strict=True)]).T
    np.testing.assert_array_equal(found.first.numpy(), expected[0])
    np.testing.assert_allclose(found.average_precision.numpy(), expected[1], rtol=1e-12)
    np.testing.assert_allclose(found.inverse_negative_penalty.numpy(), expected[2], rtol=1e-12)
    np.testing.assert_array_equal(found.num_matches.numpy(), expected[3])


def test_rank_by_hand() -> None:
    distances = torch.tensor([[0.4, 0.1, 0.3, 0.2], [0.1, 0.2, 0.3, 0.4]])
    matches = torch.tensor([[True, False, False, True], [False, False, False, False]])
    found = rank(distances, matches)
    assert found.first.tolist() == [2, 5]
    assert found.average_precision[0] == pytest.approx((1 / 2 + 2 / 4) / 2)
    assert found.inverse_negative_penalty[0] == pytest.approx(2 / 4)
    assert found.average_precision[1].isnan()
    assert found.num_matches.tolist() == [2, 0]


def test_a_model_that_maps_everything_to_one_point_identifies_at_chance() -> None:
    subjects = torch.arange(10)
    found = rank(torch.zeros(10, 10), subjects[:, None] == subjects)
    assert sorted(found.first.tolist()) == list(range(1, 11))


def naive_equal_error_rate(distances: np.ndarray, matches: np.ndarray) -> float | None:
    """Walk up the thresholds until more are falsely accepted than rejected, and interpolate."""
    same, other = distances[matches], distances[~matches]
    if not len(same) or not len(other):
        return None
    before = (0.0, 1.0)
    for threshold in np.unique(distances):
        accepts, rejects = float(np.mean(other <= threshold)), float(np.mean(same > threshold))
        if accepts >= rejects:
            share = (before[1] - before[0]) / ((before[1] - before[0]) + (accepts - rejects))
            return before[0] + share * (accepts - before[0])
        before = (accepts, rejects)
    raise AssertionError("at the largest distance everything is accepted")


@given(
    st.integers(1, 40).flatmap(
        lambda m: st.tuples(
            arrays.arrays(np.float32, m, elements=st.integers(0, 20).map(lambda x: x / 8)),
            arrays.arrays(np.bool_, m),
        )
    )
)
def test_equal_error_rate_equals_the_naive_walk(pairs: tuple[np.ndarray, np.ndarray]) -> None:
    found = equal_error_rate(*map(torch.from_numpy, pairs))
    expected = naive_equal_error_rate(*pairs)
    assert found == (None if expected is None else pytest.approx(expected, abs=1e-12))


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_equal_error_rate_of_many_pairs_is_precise_at_any_scale(scale: float) -> None:
    rng = np.random.default_rng(0)
    matches = rng.random(50_000) < 0.1
    distances = (scale * np.where(matches, rng.normal(8, 1, 50_000), rng.normal(10, 1, 50_000))).astype(np.float32)
    found = equal_error_rate(torch.from_numpy(distances), torch.from_numpy(matches))
    assert found == pytest.approx(naive_equal_error_rate(distances, matches), abs=1e-4)


@pytest.mark.parametrize(("same", "other", "expected"), [(0.1, 0.9, 0.0), (0.9, 0.1, 1.0), (0.5, 0.5, 0.5)])
def test_equal_error_rate_by_hand(same: float, other: float, expected: float) -> None:
    distances = torch.tensor([same, same, other, other, other])
    assert equal_error_rate(distances, torch.tensor([True, True, False, False, False])) == pytest.approx(expected)


def test_negative_and_signed_zero_distances_count_as_zero() -> None:
    distances = torch.tensor([-1e-7, -0.0, 0.0, 1.0])
    assert equal_error_rate(distances, torch.tensor([True, True, True, False])) == 0


def test_counts_of_blocks_add_up() -> None:
    distances = torch.rand(100, generator=torch.Generator().manual_seed(0))
    matches = distances + torch.rand(100, generator=torch.Generator().manual_seed(1)) < 0.8
    blocks = DistanceCounts()
    for block in (slice(0, 30), slice(30, 30), slice(30, 100)):
        blocks.add(distances[block], matches[block])
    assert blocks.equal_error_rate() == equal_error_rate(distances, matches)
