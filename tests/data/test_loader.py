from __future__ import annotations

import threading
from itertools import islice, pairwise
from typing import Any

import numpy as np
import pytest
import torch

from gaitway.data import Store
from gaitway.data.frame_sampling import FrameSampling
from gaitway.data.loader import TrainLoader, evaluation_batches
from gaitway.data.reader import Residency
from gaitway.data.sampling import Groups, Ints, TripletSampler
from gaitway.data.transforms import CutColumns, RandomErasing, RandomHorizontalFlip, RandomRotate, Scale, Transform
from gaitway.types import Batch
from tests.conftest import MakeStore

AUGMENTED: list[Transform] = [CutColumns(), RandomHorizontalFlip(), RandomRotate(), RandomErasing()]
FIXED = FrameSampling(num=5)
UNFIXED = FrameSampling(count="unfixed", order="ordered", min_num=2, max_num=6)


def make_loader(store: Store, frames: FrameSampling = FIXED, **changes: Any) -> TrainLoader:
    _, labels = np.unique(store.index.subjects, return_inverse=True)
    sampler = changes.pop("sampler", TripletSampler(num_subjects=3, num_sequences=4))
    transforms = changes.pop("transforms", AUGMENTED)
    return TrainLoader(store, np.arange(len(store.index)), labels, sampler, frames, transforms, **changes)


def by_sequence(batch: Batch) -> list[torch.Tensor]:
    """The silhouettes of each sequence of a batch."""
    frames = batch.frames["silhouettes"]
    return list(frames) if batch.lengths is None else list(torch.split(frames, batch.lengths.tolist()))


def whole(store: Store, row: int) -> torch.Tensor:
    """All silhouettes of a sequence, in [0, 1]."""
    return torch.from_numpy(store.frames("silhouettes", row) / np.float32(255))


def assert_same(first: Batch, second: Batch) -> None:
    assert first.rows == second.rows
    assert first.labels is not None
    assert second.labels is not None
    assert torch.equal(first.labels, second.labels)
    for one, other in zip(by_sequence(first), by_sequence(second), strict=True):
        assert torch.equal(one, other)


def test_batch_says_whom_it_shows(make_store: MakeStore) -> None:
    store = make_store()
    batch = make_loader(store).batch(0)
    assert batch.frames["silhouettes"].shape == (12, 5, 64, 44)
    assert batch.frames["silhouettes"].dtype == torch.float32
    assert batch.lengths is None
    for position, row in enumerate(batch.rows):
        info = store.index[row]
        assert (batch.subjects[position], batch.conditions[position], batch.views[position]) == (
            info.subject,
            info.condition,
            info.view,
        )
    assert batch.labels is not None
    assert batch.labels.tolist() == [int(subject) - 1 for subject in batch.subjects]


def test_frames_come_from_their_sequences(make_store: MakeStore) -> None:
    store = make_store()
    loader = make_loader(store, FrameSampling(order="ordered", num=4), transforms=[Scale()])
    for row, frames in zip(loader.batch(0).rows, by_sequence(loader.batch(0)), strict=True):
        every = whole(store, row)
        starts = [start for start in range(len(every) - 3) if torch.equal(every[start : start + 4], frames)]
        assert len(starts) == 1


def test_sequences_of_unequal_length_lie_one_after_the_other(make_store: MakeStore) -> None:
    batch = make_loader(make_store(), UNFIXED).batch(0)
    assert batch.lengths is not None
    assert batch.frames["silhouettes"].shape == (int(batch.lengths.sum()), 64, 44)
    assert len(set(batch.lengths.tolist())) > 1


def test_modalities_share_the_frames(make_store: MakeStore) -> None:
    store = make_store(modalities=["silhouettes", "poses"])
    loader = make_loader(
        store, transforms={"silhouettes": [Scale()]}, modalities=["poses", "silhouettes"], residency="host"
    )
    batch = loader.batch(0)
    assert list(batch.frames) == ["poses", "silhouettes"]
    for row, poses, silhouettes in zip(batch.rows, batch.frames["poses"], batch.frames["silhouettes"], strict=True):
        all_poses = torch.from_numpy(store.frames("poses", row).copy())
        frames = [int((all_poses == pose).all(dim=(1, 2)).nonzero()) for pose in poses]
        assert torch.equal(silhouettes, whole(store, row)[frames])


@pytest.mark.parametrize("frames", [FIXED, UNFIXED])
def test_batch_depends_on_seed_and_step_only(make_store: MakeStore, frames: FrameSampling) -> None:
    store = make_store()
    loader = make_loader(store, frames, seed=3)
    third = loader.batch(2)
    loader.batch(7)
    assert_same(loader.batch(2), third)
    assert_same(next(make_loader(store, frames, seed=3).batches(start=2)), third)
    assert make_loader(store, frames, seed=4).batch(2).rows != third.rows
    assert loader.batch(3).rows != third.rows


@pytest.mark.parametrize("residency", ["device", "disk"])
@pytest.mark.parametrize("compact", [False, True])
def test_residency_does_not_change_the_batch(make_store: MakeStore, residency: Residency, compact: bool) -> None:
    store = make_store(compact=compact)
    expected = make_loader(store, residency="host").batch(1)
    loader = make_loader(store, residency=residency)
    assert loader.residency == {"silhouettes": residency}
    assert_same(loader.batch(1), expected)


@pytest.mark.parametrize("frames", [FIXED, UNFIXED])
@pytest.mark.parametrize("world_size", [2, 3])
def test_processes_share_the_batch_of_one(make_store: MakeStore, frames: FrameSampling, world_size: int) -> None:
    store = make_store()
    whole = make_loader(store, frames).batch(5)
    sequences = by_sequence(whole)
    for rank in range(world_size):
        share = make_loader(store, frames, rank=rank, world_size=world_size).batch(5)
        assert share.rows == whole.rows[rank::world_size]
        for found, expected in zip(by_sequence(share), sequences[rank::world_size], strict=True):
            assert torch.allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("residency", ["device", "host", "disk"])
def test_iteration_gives_the_batches_of_the_steps_and_counts_the_wait(
    make_store: MakeStore, residency: Residency
) -> None:
    loader = make_loader(make_store(), residency=residency)
    for step, batch in zip(range(4, 8), loader.batches(start=4), strict=False):
        assert_same(batch, loader.batch(step))
    assert 0 < loader.wait_seconds < 60


def loading_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("batches")]


def test_host_residency_prepares_one_batch_ahead_and_ends_its_thread(make_store: MakeStore) -> None:
    loader = make_loader(make_store(), residency="host")
    asked: list[int] = []
    original = loader.batch

    def recorded(step: int) -> Batch:
        asked.append(step)
        return original(step)

    loader.batch = recorded  # type: ignore[method-assign]
    batches = loader.batches()
    next(batches)
    assert loading_threads()
    batches.close()
    assert asked == [0, 1]
    assert not loading_threads()


def test_device_residency_needs_no_thread(make_store: MakeStore) -> None:
    batches = make_loader(make_store(), residency="device").batches()
    next(batches)
    assert not loading_threads()
    batches.close()


def test_error_while_preparing_reaches_the_consumer_in_its_turn(make_store: MakeStore) -> None:
    class FailingSampler:
        batch_size = 2
        num_calls = 0

        def __call__(self, groups: Groups, generator: np.random.Generator) -> Ints:
            self.num_calls += 1
            if self.num_calls == 3:
                raise ValueError("the third batch is bad")
            return np.array([0, 1])

    batches = make_loader(make_store(), sampler=FailingSampler(), residency="host").batches()
    assert len(list(islice(batches, 2))) == 2
    with pytest.raises(ValueError, match="the third batch is bad"):
        next(batches)
    assert not loading_threads()


def test_batch_must_be_divisible_by_the_processes(make_store: MakeStore) -> None:
    with pytest.raises(ValueError, match="a batch of 12 sequences cannot be divided by 5 processes"):
        make_loader(make_store(), world_size=5)


def test_sequences_without_frames_are_refused(make_store: MakeStore) -> None:
    store = make_store(modalities=["silhouettes", "poses"])
    store.index.num_frames["poses"][3] -= 1
    with pytest.raises(ValueError, match=r"1 of 32 sequences .* unequal numbers of them, first 001-nm-02-090 with "):
        make_loader(store, transforms={}, modalities=["silhouettes", "poses"])
    store.index.num_frames["silhouettes"][5] = 0
    with pytest.raises(ValueError, match=r"1 of 32 .* lack frames of silhouettes.* 001-bg-01-090 with 0 silhouettes"):
        make_loader(store)


def test_missing_modality_and_missing_sequences_are_refused(make_store: MakeStore) -> None:
    store = make_store()
    with pytest.raises(ValueError, match="has no 'poses', it has silhouettes"):
        make_loader(store, transforms=[], modalities=["poses"])
    none = np.zeros(0, np.int64)
    with pytest.raises(ValueError, match="0 training sequences with 0 labels"):
        TrainLoader(store, none, none, TripletSampler(num_subjects=1, num_sequences=1), FIXED, AUGMENTED)


def evaluate(store: Store, **changes: Any) -> list[Batch]:
    arguments: dict[str, Any] = {"batch_size": 3, **changes}
    return list(evaluation_batches(store, np.arange(len(store.index)), [CutColumns()], **arguments))


@pytest.mark.parametrize("residency", ["device", "host", "disk"])
def test_evaluation_gives_every_whole_sequence_once(make_store: MakeStore, residency: Residency) -> None:
    store = make_store()
    batches = evaluate(store, residency=residency)
    assert sorted(row for batch in batches for row in batch.rows) == list(range(32))
    for batch in batches:
        assert batch.labels is None
        for row, frames in zip(batch.rows, by_sequence(batch), strict=True):
            assert torch.equal(frames, whole(store, row)[:, :, 10:54])
    assert not loading_threads()


def test_evaluation_batches_are_of_similar_length(make_store: MakeStore) -> None:
    store = make_store()
    lengths = [store.index.num_frames["silhouettes"][list(batch.rows)] for batch in evaluate(store)]
    assert all(later.max() <= earlier.min() for earlier, later in pairwise(lengths))
    assert any(batch.lengths is None for batch in evaluate(store))
    assert any(batch.lengths is not None for batch in evaluate(store))


def test_evaluation_takes_the_first_frames_of_long_sequences(make_store: MakeStore) -> None:
    store = make_store()
    for batch in evaluate(store, max_frames=4):
        assert batch.lengths is None
        for row, frames in zip(batch.rows, by_sequence(batch), strict=True):
            assert torch.equal(frames, whole(store, row)[:4, :, 10:54])


@pytest.mark.parametrize("world_size", [2, 5])
def test_evaluation_deals_every_sequence_to_one_process(make_store: MakeStore, world_size: int) -> None:
    store = make_store()
    shares = [evaluate(store, rank=rank, world_size=world_size) for rank in range(world_size)]
    assert sorted(row for share in shares for batch in share for row in batch.rows) == list(range(32))
    assert len({len(share) for share in shares}) == 1  # so that every process takes part in every step
    assert max(len(batch) for share in shares for batch in share) <= 3


def test_more_processes_than_sequences(make_store: MakeStore) -> None:
    store = make_store(num_subjects=1, conditions=["nm-01"], views=["000", "090"])
    shares = [evaluate(store, rank=rank, world_size=3) for rank in range(3)]
    assert [len(share) for share in shares] == [1, 1, 0]


def test_random_transforms_are_refused_in_evaluation(make_store: MakeStore) -> None:
    with pytest.raises(ValueError, match="RandomRotate is random; leave it out"):
        next(evaluation_batches(make_store(), np.arange(4), [CutColumns(), RandomRotate()]))
