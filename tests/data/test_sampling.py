from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaitway.data.sampling import (
    SAMPLERS,
    Groups,
    RandomSampler,
    RandomTripletSampler,
    TripletSampler,
    choose,
    inference_batches,
    share_of,
)


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@given(
    counts=st.lists(st.integers(1, 12), min_size=1, max_size=6),
    num=st.integers(1, 15),
    more=st.integers(0, 3),
    seed=st.integers(0, 1000),
)
def test_choose_takes_distinct_members_where_there_are_enough(
    counts: list[int], num: int, more: int, seed: int
) -> None:
    nums = num + np.arange(len(counts)) % (more + 1)
    chosen = choose(np.array(counts), nums, generator(seed))
    assert chosen.shape == (len(counts), nums.max())
    for row, count, wanted in zip(chosen, counts, nums, strict=True):
        valid = row[:wanted]
        assert ((valid >= 0) & (valid < count)).all()
        assert count < wanted or len(set(valid.tolist())) == wanted


def test_choose_draws_every_ordered_pair_equally_often() -> None:
    pairs = choose(np.full(60_000, 4), 2, generator())
    found, times = np.unique(pairs, axis=0, return_counts=True)
    assert len(found) == 12
    assert (np.abs(times / 5_000 - 1) < 0.07).all()  # about 5 standard errors


def test_choose_with_replacement_is_uniform() -> None:
    draws = choose(np.full(20_000, 2), 3, generator())
    found, times = np.unique(draws, axis=0, return_counts=True)
    assert len(found) == 8
    assert (np.abs(times / 2_500 - 1) < 0.1).all()


def test_triplet_batch_has_p_subjects_with_k_sequences_each() -> None:
    labels = np.repeat(np.arange(10), 6)[generator().permutation(60)]
    batch = TripletSampler(num_subjects=4, num_sequences=5)(Groups(labels), generator(1))
    by_subject = labels[batch].reshape(4, 5)
    assert (by_subject == by_subject[:, :1]).all()
    assert len(set(by_subject[:, 0].tolist())) == 4
    assert len(set(batch.tolist())) == 20


def test_triplet_batch_reaches_every_subject_and_sequence() -> None:
    groups = Groups(np.repeat(np.arange(5), 3))
    sampler = TripletSampler(num_subjects=2, num_sequences=2)
    seen = np.concatenate([sampler(groups, generator(step)) for step in range(100)])
    assert set(seen.tolist()) == set(range(15))


def test_too_few_subjects_are_drawn_with_replacement() -> None:
    groups = Groups(np.repeat(np.arange(2), 4))
    batches = [TripletSampler(num_subjects=3, num_sequences=2)(groups, generator(step)) for step in range(50)]
    subjects = np.stack([batch.reshape(3, 2)[:, 0] // 4 for batch in batches])
    assert {len(set(row.tolist())) for row in subjects} == {1, 2}


def test_subject_with_one_sequence_gives_it_k_times() -> None:
    groups = Groups(np.array([0, 1, 1, 1]))
    batch = TripletSampler(num_subjects=2, num_sequences=3)(groups, generator())
    assert sorted(batch.tolist()) == [0, 0, 0, 1, 2, 3]


def test_subject_with_fewer_than_k_is_drawn_with_replacement() -> None:
    groups = Groups(np.zeros(3, np.int64))
    draws = [TripletSampler(num_subjects=1, num_sequences=4)(groups, generator(step)) for step in range(60)]
    assert any(len(set(batch.tolist())) < 3 for batch in draws)  # not "all three and one more"


def test_shuffle_keeps_the_sequences_and_changes_their_order() -> None:
    groups = Groups(np.repeat(np.arange(8), 4))
    plain = TripletSampler(num_subjects=8, num_sequences=4)(groups, generator())
    shuffled = TripletSampler(num_subjects=8, num_sequences=4, shuffle=True)(groups, generator())
    assert sorted(plain.tolist()) == sorted(shuffled.tolist())
    assert plain.tolist() != shuffled.tolist()


def test_random_triplet_batches_take_every_combination() -> None:
    sampler = RandomTripletSampler(batch_size=12, max_subjects=4)
    assert sampler.combinations.tolist() == [[2, 6, 0], [3, 4, 0], [4, 3, 0]]
    labels = np.repeat(np.arange(6), 6)
    groups = Groups(labels)
    sizes = [tuple(np.unique(labels[sampler(groups, generator(step))], return_counts=True)[1]) for step in range(60)]
    assert set(sizes) == {(6, 6), (4, 4, 4), (3, 3, 3, 3)}


def test_random_triplet_batch_is_filled_with_other_sequences() -> None:
    sampler = RandomTripletSampler(batch_size=7, max_sequences=2)
    assert sampler.combinations.tolist() == [[3, 2, 1]]
    for step in range(20):
        batch = sampler(Groups(np.repeat(np.arange(4), 3)), generator(step))
        assert len(set(batch.tolist())) == 7
    with pytest.raises(ValueError, match="6 training sequences cannot fill a batch of 7 with 1 more"):
        sampler(Groups(np.repeat(np.arange(3), 2)), generator())


def test_random_sampler_takes_distinct_sequences_where_there_are_enough() -> None:
    groups = Groups(np.zeros(6, np.int64))
    assert sorted(RandomSampler(batch_size=6)(groups, generator()).tolist()) == list(range(6))
    assert len(RandomSampler(batch_size=9)(groups, generator())) == 9


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="num_sequences is 0, expected at least 1"):
        TripletSampler(num_subjects=8, num_sequences=0)
    with pytest.raises(ValueError, match="batch of 3 has no division"):
        RandomTripletSampler(batch_size=3)
    with pytest.raises(ValueError, match="batch_size is -1"):
        RandomSampler(batch_size=-1)


@pytest.mark.parametrize("world_size", [1, 2, 3, 6])
def test_shares_of_all_processes_make_up_the_batch(world_size: int) -> None:
    batch = np.arange(12)
    shares = [share_of(batch, rank, world_size) for rank in range(world_size)]
    assert np.stack(shares, axis=1).ravel().tolist() == batch.tolist()


@given(num=st.integers(1, 40), per_process=st.integers(1, 5), world_size=st.integers(1, 4))
def test_inference_batches_gathered_step_by_step_are_in_order(num: int, per_process: int, world_size: int) -> None:
    shares = inference_batches(num, per_process * world_size, world_size)
    gathered = np.stack(shares, axis=1).ravel()
    assert gathered[:num].tolist() == list(range(num))
    assert len(gathered) < num + per_process * world_size


def test_inference_batches_must_be_divisible() -> None:
    with pytest.raises(ValueError, match="batch of 4 cannot be divided by 3 processes; make it a multiple of 3"):
        inference_batches(10, 4, 3)


def test_samplers_are_known_by_their_names() -> None:
    assert set(SAMPLERS) == {"RandomSampler", "RandomTripletSampler", "TripletSampler"}
