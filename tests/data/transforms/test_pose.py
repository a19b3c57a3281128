from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from gaitway.data.sampling import Ints
from gaitway.data.transforms import (
    TRANSFORMS,
    FlipSequence,
    GaitGraphStreams,
    GaitTRStreams,
    HumanOrientedDescriptors,
    InversePoses,
    JointNoise,
    MirrorPoses,
    NormalizeEmpty,
    PointNoise,
    RandomMove,
    RescaleCenter,
    SelectJoints,
    ToCoco17,
    Transform,
    UprightSpine,
)
from gaitway.skeletons import COCO17, OPENPOSE18

COUNTS = np.array([5, 1, 9, 2])  # sequences of unequal length
RANDOM: tuple[Transform, ...] = (
    FlipSequence(),  # the first: it takes frames of every kind
    InversePoses(p=0.4),
    JointNoise(std=2.0),
    MirrorPoses(),
    PointNoise(std=0.5),
    RandomMove(),
)
FIXED: tuple[Transform, ...] = (
    GaitGraphStreams(),
    GaitTRStreams(),
    HumanOrientedDescriptors(),
    NormalizeEmpty(),
    RescaleCenter(),
    SelectJoints(joints=["left_hip", "nose"]),
    UprightSpine(),
)


def name_of(value: object) -> str:
    return type(value).__name__


def poses(num: int = int(COUNTS.sum()), joints: int = 17, seed: int = 0) -> Tensor:
    """People upright in 400 × 400 pixels `(m, v, 3)`, some of their joints not found."""
    rng = np.random.default_rng(seed)
    x = rng.normal(200, 30, (num, joints, 3))
    x[..., 1] += np.linspace(-80, 80, joints)
    x[..., 2] = rng.random((num, joints))
    x[rng.random((num, joints)) < 0.1] = 0
    return torch.from_numpy(x)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def dense(frames: Tensor, n: int) -> Tensor:
    """Frames of n sequences of one length `(n, t, ...)`."""
    return frames.view(n, -1, *frames.shape[1:])


def of_each(counts: Ints) -> list[slice]:
    ends = np.cumsum(counts)
    return [slice(end - count, end) for end, count in zip(ends.tolist(), counts.tolist(), strict=True)]


@pytest.mark.parametrize("transform", [*RANDOM, *FIXED], ids=name_of)
def test_sequences_of_unequal_length_are_as_one_by_one(transform: Transform) -> None:
    x = poses()
    draws = transform.draw(COUNTS, rng())
    assert all(len(values) == len(COUNTS) for values in draws.values())
    together = transform(x, COUNTS, draws)
    for i, frames in enumerate(of_each(COUNTS)):
        own = {name: values[i : i + 1] for name, values in draws.items()}
        alone = transform(x[frames], COUNTS[i : i + 1], own)
        torch.testing.assert_close(together[frames], alone, rtol=0, atol=0)


@pytest.mark.parametrize("transform", RANDOM, ids=name_of)
def test_each_sequence_has_its_own_parameters_and_the_seed_gives_them(transform: Transform) -> None:
    counts = np.full(30, 6)
    x = poses(6).repeat(30, 1, 1)  # thirty times the same sequence
    found = dense(transform(x, counts, transform.draw(counts, rng())), 30)
    num_different = len(torch.unique(found.flatten(1), dim=0))
    if isinstance(transform, (FlipSequence, MirrorPoses)):
        assert num_different == 2
    else:
        assert num_different >= 15  # which of six frames have their sides swapped may be the same by chance
    again = dense(transform(x, counts, transform.draw(counts, rng())), 30)
    assert torch.equal(found, again)
    other = dense(transform(x, counts, transform.draw(counts, rng(1))), 30)
    assert not torch.equal(found, other)


@pytest.mark.parametrize("transform", [*RANDOM, *FIXED, ToCoco17()], ids=name_of)
def test_frames_are_not_changed_in_place_and_keep_their_type(transform: Transform) -> None:
    x = poses(joints=18 if isinstance(transform, ToCoco17) else 17)
    before = x.clone()
    found = transform(x, COUNTS, transform.draw(COUNTS, rng()))
    assert torch.equal(x, before)
    assert found.dtype == torch.float64
    assert transform(x.float(), COUNTS, transform.draw(COUNTS, rng())).dtype == torch.float32


@pytest.mark.parametrize("kind", [MirrorPoses, FlipSequence])
@pytest.mark.parametrize("p", [0.0, 0.3, 1.0])
def test_whole_sequences_fire_with_their_probability(kind: type[MirrorPoses] | type[FlipSequence], p: float) -> None:
    fires = kind(p=p).draw(np.full(20_000, 3), rng())["fires"]
    assert fires.shape == (20_000,)
    assert abs(fires.mean() - p) < (0.01 if 0 < p < 1 else 1e-9)


def test_sides_are_swapped_frame_by_frame() -> None:
    fires = InversePoses(p=0.1).draw(np.array([40, 100, 7] * 100), rng())["fires"]
    assert fires.shape == (300, 100)
    assert abs(fires.mean() - 0.1) < 0.01
    assert abs(fires.any(1).mean() - 1) < 0.01  # of a hundred frames nearly always one
    x = poses()
    draws = {"fires": np.zeros((4, 9), bool)}
    draws["fires"][2, 3] = True
    found = InversePoses()(x, COUNTS, draws)
    changed = (found != x).any(2).any(1).nonzero().flatten().tolist()
    assert changed == [5 + 1 + 3]
    left, right = COCO17.index("left_knee", "right_knee")
    assert torch.equal(found[9, left], x[9, right])
    assert torch.equal(found[9, right], x[9, left])


def test_mirrored_joints_stay_about_the_same_middle() -> None:
    x = poses()
    found = MirrorPoses()(x, COUNTS, {"fires": np.array([True, False, True, False])})
    for i, frames in enumerate(of_each(COUNTS)):
        if i % 2:
            assert torch.equal(found[frames], x[frames])
            continue
        middle = x[frames, :, 0].mean(1, keepdim=True)
        torch.testing.assert_close(found[frames, :, 0] - middle, middle - x[frames, :, 0])
        assert torch.equal(found[frames, :, 1:], x[frames, :, 1:])


def test_flipped_sequences_run_backwards() -> None:
    x = poses()
    found = FlipSequence()(x, COUNTS, {"fires": np.array([False, True, True, True])})
    first, second, third, fourth = of_each(COUNTS)
    assert torch.equal(found[first], x[first])
    for frames in (second, third, fourth):
        assert torch.equal(found[frames], x[frames].flip(0))


def test_noise_of_joints_is_the_same_in_all_frames_and_leaves_confidence() -> None:
    counts = np.full(500, 4)
    x = torch.zeros(2000, 17, 3, dtype=torch.float64)
    transform = JointNoise(std=0.25)
    found = dense(transform(x, counts, transform.draw(counts, rng())), 500)
    assert torch.equal(found, found[:, :1].expand_as(found))
    assert not found[..., 2].any()
    assert found[:, 0, :, :2].std().item() == pytest.approx(0.25, rel=0.02)
    assert abs(found[:, 0, :, :2].mean().item()) < 0.01


def test_noise_of_points_is_in_every_value_of_its_own() -> None:
    counts = np.array([300, 700])
    x = torch.zeros(1000, 17, 3, dtype=torch.float64)
    transform = PointNoise(std=0.05)
    found = transform(x, counts, transform.draw(counts, rng()))
    assert len(torch.unique(found)) > 0.99 * found.numel()  # float32 draws
    for channel in range(3):
        assert found[..., channel].std().item() == pytest.approx(0.05, rel=0.02)
        assert abs(found[..., channel].mean().item()) < 0.002


def test_a_move_is_uniform_and_of_the_whole_sequence() -> None:
    counts = np.full(4000, 2)
    x = torch.zeros(8000, 17, 3, dtype=torch.float64)
    transform = RandomMove(x=4, y=1)
    found = dense(transform(x, counts, transform.draw(counts, rng())), 4000)
    assert torch.equal(found, found[:, :1, :1].expand_as(found))
    by = found[:, 0, 0]
    assert not by[:, 2].any()
    for channel, most in ((0, 4.0), (1, 1.0)):
        assert by[:, channel].abs().max() <= most
        quantiles = by[:, channel].quantile(torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64))
        torch.testing.assert_close(quantiles, torch.tensor([-0.8, 0, 0.8]).double() * most, rtol=0, atol=0.05 * most)


def test_empty_joints_are_filled_one_after_the_other() -> None:
    x = poses(50)
    x[0] = 0  # nobody found
    x[1, :, 0] = 0
    expected = x.numpy().copy()
    for frame in expected:
        for joint in range(17):
            if frame[joint, 0] == 0:
                mean = frame[:, :2].mean(0)
                frame[joint] = *mean, 0
    found = NormalizeEmpty()(x, np.array([50]), {})
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("transform", "between"),
    [
        (RescaleCenter(scale=100.0), (5, 6)),
        (RescaleCenter(scale=100.0, center="head"), (1, 2)),
        (RescaleCenter(scale=100.0, center="hip"), (11, 12)),
    ],
)
def test_rescaled_poses_have_one_height_and_origin(transform: RescaleCenter, between: tuple[int, int]) -> None:
    x = poses(20)
    found = transform(x, np.array([20]), {})
    height = found[..., 1].amax(1) - found[..., 1].amin(1)
    torch.testing.assert_close(height, torch.full_like(height, 100))
    torch.testing.assert_close(found[:, list(between), :2].mean(1), torch.zeros(20, 2, dtype=torch.float64))
    assert torch.equal(found[..., 2], x[..., 2])


def test_upright_spines_point_down_and_rigid_ones_keep_lengths() -> None:
    x = poses(20)
    neck, hip = x[:, [5, 6], :2].mean(1), x[:, [11, 12], :2].mean(1)
    for rigid in (False, True):
        found = UprightSpine(rigid=rigid)(x, np.array([20]), {})
        torch.testing.assert_close(found[:, [5, 6], :2].mean(1), neck)
        across = found[:, [11, 12], 0].mean(1) - neck[:, 0]
        torch.testing.assert_close(across, torch.zeros_like(across))
        before, after = (torch.cdist(places, places) for places in (x[..., :2], found[..., :2]))
        assert torch.allclose(before, after) is rigid
    x[0, [11, 12], 1] = x[0, [5, 6], 1]  # lies flat: stays as it is
    assert torch.equal(UprightSpine()(x, np.array([20]), {})[0], x[0])
    assert not torch.equal(hip[0], neck[0])


def test_a_frame_without_anybody_is_described_by_zeros() -> None:
    x = poses(3)
    x[1] = 0
    rescaled = RescaleCenter()(x, np.array([3]), {})
    assert rescaled[1, :, :2].isnan().all()
    assert rescaled[[0, 2]].isfinite().all()
    found = HumanOrientedDescriptors()(rescaled, np.array([3]), {})
    assert found.isfinite().all()
    assert set(torch.unique(found[1]).tolist()) <= {0.0, math.pi}


def test_joints_by_name() -> None:
    names = ["right_ankle", "nose", "left_hip"]
    for skeleton in (COCO17, OPENPOSE18):
        x = poses(4, joints=skeleton.num_joints)
        found = SelectJoints(joints=names)(x, np.array([4]), {})
        assert torch.equal(found, x[:, list(skeleton.index(*names))])
    as_coco = ToCoco17()(x, np.array([4]), {})
    for i, joint in enumerate(COCO17.joints):
        assert torch.equal(as_coco[:, i], x[:, OPENPOSE18.joints.index(joint)])


def test_streams_may_be_relative_to_another_joint() -> None:
    x = poses(6, joints=18)
    nose, neck = x[:, :1, :2], x[:, 1:2, :2]
    for default, to_nose, where in (
        (GaitTRStreams(), GaitTRStreams(center="nose"), (..., slice(2, 4))),
        (GaitGraphStreams(), GaitGraphStreams(center="nose"), (..., 0, slice(3, 5))),
    ):
        counts = np.array([6])
        assert torch.equal(default(x, counts, {})[where], x[..., :2] - neck)
        assert torch.equal(to_nose(x, counts, {})[where], x[..., :2] - nose)
        with pytest.raises(ValueError, match=r"center 'navel': openpose18 has no such joint, but nose, neck"):
            type(default)(center="navel")(x, counts, {})


@pytest.mark.parametrize("transform", [*RANDOM[1:], *FIXED, ToCoco17()], ids=name_of)
@pytest.mark.parametrize("shape", [(4, 64, 44), (4, 17, 10), (4, 17, 3, 5), (4, 25, 3)])
def test_what_is_no_pose_is_refused(transform: Transform, shape: tuple[int, ...]) -> None:
    counts = np.array([4])
    with pytest.raises(ValueError, match=name_of(transform)) as raised:
        transform(torch.ones(shape), counts, transform.draw(counts, rng()))
    assert str(shape) in str(raised.value)


@pytest.mark.parametrize(
    ("transform", "joints", "problem"),
    [
        (ToCoco17(), 17, "ToCoco17 takes poses of OpenPose's 18 joints, found 17; leave it out for others"),
        (RescaleCenter(), 18, "RescaleCenter takes poses of COCO's 17 joints, found 18; put ToCoco17 before it"),
        (UprightSpine(), 18, "UprightSpine takes poses of COCO's 17 joints, found 18; put ToCoco17 before it"),
        (InversePoses(p=1), 13, "InversePoses takes poses .frames, 17 or 18 joints, values., found .4, 13, 3."),
        (GaitTRStreams(), 13, "GaitTR takes poses .frames, 17 or 18 joints, values., found .4, 13, 3."),
        (SelectJoints(joints=["neck"]), 17, "SelectJoints: coco17 has no neck; it has nose, left_eye"),
    ],
)
def test_other_joints_are_refused(transform: Transform, joints: int, problem: str) -> None:
    counts = np.array([4])
    with pytest.raises(ValueError, match=problem):
        transform(poses(4, joints=joints), counts, transform.draw(counts, rng()))


@pytest.mark.parametrize(
    ("name", "arguments", "problem"),
    [
        ("MirrorPoses", {"p": 1.5}, "MirrorPoses: p is 1.5, expected a probability"),
        ("InversePoses", {"p": -0.1}, "InversePoses: p is -0.1"),
        ("FlipSequence", {"p": 2}, "FlipSequence: p is 2"),
        ("JointNoise", {"std": -1}, "JointNoise: found -1, expected at least 0"),
        ("PointNoise", {"std": -1}, "PointNoise: found -1"),
        ("RandomMove", {"y": -1}, "RandomMove: found -1"),
        ("RescaleCenter", {"center": "knee"}, "RescaleCenter: center 'knee' and scale 225.0; expected neck, head, hip"),
        ("RescaleCenter", {"scale": 0}, "RescaleCenter: center 'neck' and scale 0"),
        ("SelectJoints", {"joints": []}, "SelectJoints: joints .*; expected the names of different joints"),
        ("SelectJoints", {"joints": ["nose", "nose"]}, "SelectJoints: joints"),
    ],
)
def test_arguments_that_make_no_sense(name: str, arguments: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        TRANSFORMS[name](**arguments)
