from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from gaitway.data.transforms import (
    Chain,
    MirrorPoses,
    PointNoise,
    RandomSelectSequence,
    SelectSequenceCenter,
    TwoViews,
)


def numbered(counts: list[int]) -> Tensor:
    """Frames `(m, 17, 3)` whose values are 100 × sequence + frame."""
    values = [100 * i + t for i, count in enumerate(counts) for t in range(count)]
    return torch.tensor(values, dtype=torch.float64).view(-1, 1, 1).expand(-1, 17, 3)


def numbers(frames: Tensor) -> list[int]:
    return frames[:, 0, 0].long().tolist()


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_a_window_begins_anywhere_it_fits() -> None:
    window = RandomSelectSequence(num=3)
    counts = np.tile([3, 5], 6000)
    starts = window.draw(counts, rng())["start"]
    assert not starts[::2].any()  # as long as the window: one place
    shares = np.bincount(starts[1::2]) / 6000
    assert shares.shape == (3,)  # the last place too
    assert np.abs(shares - 1 / 3).max() < 0.03
    assert window.resampled(counts).tolist() == [3] * 12000
    found = window(numbered([4, 6]), np.array([4, 6]), {"start": np.array([1, 2])})
    assert numbers(found) == [1, 2, 3, 102, 103, 104]


def test_a_window_longer_than_a_sequence_is_refused() -> None:
    chain = Chain([RandomSelectSequence(num=5)])
    with pytest.raises(ValueError, match="takes 5 frames, but a sequence has 4; let `frames` take at least as many"):
        chain.draw(np.array([6, 4]), rng())
    # that it is random can be seen whatever the length, for evaluations to refuse it by that name
    assert RandomSelectSequence(num=5).draw(np.ones(1, np.int64), rng())


@pytest.mark.parametrize(
    ("num", "count", "expected"),
    [
        (4, 4, [0, 1, 2, 3]),
        (3, 6, [1, 2, 3]),
        (4, 7, [1, 2, 3, 4]),
        (1, 9, [4]),
        (7, 3, [0, 1, 2, 0, 1, 2, 0]),
        (3, 1, [0, 0, 0]),
    ],
)
def test_the_middle(num: int, count: int, expected: list[int]) -> None:
    """As published where a sequence is long enough: from int(t/2 - L/2) on."""
    center = SelectSequenceCenter(num=num)
    counts = np.array([2, count])
    found = center(numbered([2, count]), counts, {})
    assert numbers(found)[num:] == [100 + t for t in expected]
    assert center.resampled(counts).tolist() == [num, num]


@pytest.mark.parametrize("kind", [RandomSelectSequence, SelectSequenceCenter])
def test_no_frames_make_no_sense(kind: type[RandomSelectSequence] | type[SelectSequenceCenter]) -> None:
    with pytest.raises(ValueError, match=f"{kind.__name__}: num is 0, expected at least 1"):
        kind(num=0)


def test_two_views_have_parameters_of_their_own() -> None:
    counts = np.array([4, 6, 5])
    chain = Chain([TwoViews(), RandomSelectSequence(num=2), MirrorPoses(p=0.5), PointNoise(std=0.0)])
    assert torch.equal(TwoViews()(numbered([4, 6]), counts[:2], {}), numbered([4, 6]).repeat(2, 1, 1))
    draws = chain.draw(counts, rng())
    assert [len(next(iter(drawn.values()), ())) for drawn in draws] == [0, 6, 6, 6]
    draws[1]["start"] = np.array([0, 1, 2, 2, 4, 3])
    found, after = chain(numbered([4, 6, 5]), counts, draws)
    assert after.tolist() == [2] * 6
    assert numbers(found) == [0, 1, 101, 102, 202, 203, 2, 3, 104, 105, 203, 204]
    assert found.dtype == torch.float32


@pytest.mark.parametrize("rank", [0, 1])
def test_a_process_gets_both_views_of_its_sequences(rank: int) -> None:
    """Of four sequences and two processes, each has two sequences, as without views."""
    counts = np.array([4, 6, 5, 9])
    chain = Chain([TwoViews(), RandomSelectSequence(num=2), PointNoise(std=1.0)])
    whole, _ = chain(numbered([4, 6, 5, 9]), counts, chain.draw(counts, rng()))
    frames = torch.cat(torch.split(numbered([4, 6, 5, 9]), counts.tolist())[rank::2])
    mine, _ = chain(frames, counts[rank::2], chain.draw(counts, rng(), rank=rank, world_size=2))
    expected = torch.unflatten(whole, 0, (2, 4, 2))[:, rank::2].flatten(0, 2)
    torch.testing.assert_close(mine, expected)
