from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaitway.data.frame_sampling import FrameSampling

LENGTHS = st.lists(st.integers(1, 40), min_size=1, max_size=8)


def draw(sampling: FrameSampling, lengths: list[int], seed: int = 0) -> list[list[int]]:
    """The frames of each sequence."""
    positions, counts = sampling(np.array(lengths), np.random.default_rng(seed))
    assert len(positions) == counts.sum()
    return [part.tolist() for part in np.split(positions, np.cumsum(counts)[:-1])]


@given(lengths=LENGTHS, num=st.integers(1, 15), seed=st.integers(0, 100))
def test_unordered_frames_are_distinct_where_there_are_enough(lengths: list[int], num: int, seed: int) -> None:
    for frames, length in zip(draw(FrameSampling(num=num), lengths, seed), lengths, strict=True):
        assert len(frames) == num
        assert set(frames) <= set(range(length))
        assert length < num or len(set(frames)) == num


@given(lengths=LENGTHS, num=st.integers(1, 15), seed=st.integers(0, 100))
def test_ordered_frames_follow_each_other_and_the_end_joins_the_start(lengths: list[int], num: int, seed: int) -> None:
    for frames, length in zip(draw(FrameSampling(order="ordered", num=num), lengths, seed), lengths, strict=True):
        assert len(frames) == num
        assert (np.diff(frames) % length == 1 % length).all()
        assert length < num or frames == sorted(frames)


@given(lengths=st.lists(st.integers(12, 40), min_size=1, max_size=8), seed=st.integers(0, 100))
def test_skip_leaves_out_frames_of_a_window(lengths: list[int], seed: int) -> None:
    for frames in draw(FrameSampling(order="ordered", num=8, skip=4), lengths, seed):
        assert frames == sorted(set(frames))
        assert len(frames) == 8
        assert frames[-1] - frames[0] < 12


@given(lengths=LENGTHS, seed=st.integers(0, 100))
@pytest.mark.parametrize("order", ["ordered", "unordered", "allordered"])
def test_unfixed_draws_a_count_per_sequence(order: Any, lengths: list[int], seed: int) -> None:
    sampling = FrameSampling(count="unfixed", order=order, min_num=3, max_num=6, skip=1)
    for frames, length in zip(draw(sampling, lengths, seed), lengths, strict=True):
        assert 3 <= len(frames) <= 6
        assert max(frames) < length


def test_unfixed_counts_are_uniform() -> None:
    _, counts = FrameSampling(count="unfixed", min_num=2, max_num=4)(np.full(9_000, 10), np.random.default_rng(0))
    assert (np.abs(np.bincount(counts)[2:] / 3_000 - 1) < 0.1).all()


def test_all_takes_every_frame_or_the_first_ones() -> None:
    assert draw(FrameSampling(count="all"), [3, 1]) == [[0, 1, 2], [0]]
    assert draw(FrameSampling(count="all", limit=2), [3, 1]) == [[0, 1], [0]]


def test_allordered_is_unsorted_as_published() -> None:
    found = draw(FrameSampling(order="allordered", num=10), [30])
    assert found == draw(FrameSampling(order="unordered", num=10), [30])
    assert found[0] != sorted(found[0])


def test_sequences_are_drawn_independently() -> None:
    first, second = draw(FrameSampling(num=20), [50, 50])
    assert first != second


@pytest.mark.parametrize(
    "wrong",
    [
        {"count": "some"},
        {"order": "random"},
        {"num": 0},
        {"min_num": 9, "max_num": 8},
        {"skip": -1},
        {"limit": 0},
    ],
)
def test_impossible_settings_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="frames: .*expected"):
        FrameSampling(**wrong)
