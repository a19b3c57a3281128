"""The streams against their definition in loops over joints and frames; their values are in parity cases."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from gaitway.pose_features import (
    ANGLES,
    gaitgraph_streams,
    gaittr_streams,
    human_oriented_descriptors,
    joint_angles,
)
from gaitway.skeletons import COCO17, OPENPOSE18, Skeleton

COUNTS = [6, 1, 2, 5]
TWO_FOLLOW = torch.cat([torch.arange(count) < count - 2 for count in COUNTS])
BOTH = pytest.mark.parametrize("skeleton", [COCO17, OPENPOSE18], ids=lambda it: it.name)


def poses(skeleton: Skeleton) -> Tensor:
    shape = (sum(COUNTS), skeleton.num_joints, 3)
    return 100 * torch.rand(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def velocities(places: Tensor, step: int) -> Tensor:
    """Within each sequence; the last two frames have none."""
    found = []
    for sequence in torch.split(places, COUNTS):
        moved = [sequence[t + step] - sequence[t] for t in range(len(sequence) - 2)]
        found += moved + [torch.zeros_like(sequence[0])] * (len(sequence) - len(moved))
    return torch.stack(found)


@BOTH
def test_gaittr(skeleton: Skeleton) -> None:
    x = poses(skeleton)
    found = gaittr_streams(x, TWO_FOLLOW)
    places = x[..., :2]
    assert found.shape == (len(x), skeleton.num_joints, 10)
    for joint, parent in enumerate(skeleton.parents):
        assert torch.equal(found[:, joint, :2], places[:, joint])
        assert torch.equal(found[:, joint, 2:4], places[:, joint] - places[:, skeleton.center])
        assert torch.equal(found[:, joint, 8:], places[:, joint] - places[:, parent])
    assert torch.equal(found[..., 4:6], velocities(places, 1))
    assert torch.equal(found[..., 6:8], velocities(places, 2))


@BOTH
def test_gaitgraph(skeleton: Skeleton) -> None:
    x = poses(skeleton)
    found = gaitgraph_streams(x, TWO_FOLLOW)
    places, confidence = x[..., :2], x[..., 2]
    assert found.shape == (len(x), skeleton.num_joints, 3, 5)
    joints, movements, bones = found.unbind(2)
    assert torch.equal(joints[..., :3], x)
    assert torch.equal(joints[..., 3:], places - places[:, skeleton.center, None])
    assert torch.equal(movements[..., :2], velocities(places, 1))
    assert torch.equal(movements[..., 4], velocities(places, 2)[..., 1])
    for branch in (movements, bones):
        assert not branch[..., 2].any()
        assert torch.equal(branch[..., 3], confidence)
    for joint, parent in enumerate(skeleton.parents):
        bone = places[:, joint] - places[:, parent]
        assert torch.equal(bones[:, joint, :2], bone)
        length = (bone[:, 0] ** 2 + bone[:, 1] ** 2).sqrt() + 1e-4
        torch.testing.assert_close(bones[:, joint, 4], (bone[:, 1] / length).arccos())
    if skeleton is OPENPOSE18:  # the neck's bone has no length
        assert (bones[:, 1, 4] == math.pi / 2).all()


@BOTH
def test_human_oriented(skeleton: Skeleton) -> None:
    x = poses(skeleton)
    found = human_oriented_descriptors(x)
    places = x[..., :2]
    assert found.shape == (len(x), skeleton.num_joints, 6)
    assert torch.equal(found[..., :2], places)
    assert torch.equal(found[..., 2:4], places - places[:, list(skeleton.parents)])
    assert not found[..., 5].any()
    for place, (at, left, right) in enumerate(ANGLES[skeleton.name]):
        for frame, values in zip(places.numpy(), found[:, place, 4].tolist(), strict=True):
            far = np.array([frame[at, 0], frame[left, 1]]) if right is None else frame[right]
            a, b = frame[left] - frame[at], far - frame[at]
            between = math.acos(np.clip(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)), -1, 1))
            assert values == pytest.approx(math.pi - between, abs=1e-6)
    if skeleton is OPENPOSE18:
        assert not found[:, 17, 4].any()


def test_angles_where_they_are_known() -> None:
    """A right angle, a straight line, the same direction, and a side without length."""
    places = torch.zeros(4, 17, 2, dtype=torch.float64)
    for frame, wrist in enumerate([(10.0, 10.0), (20.0, 0.0), (5.0, 0.0), (10.0, 0.0)]):
        places[frame, 7], places[frame, 9] = torch.tensor([10.0, 0.0]), torch.tensor(wrist)  # the shoulder is at 0
    expected = torch.tensor([math.pi / 2, 0, math.pi, math.pi], dtype=torch.float64)
    torch.testing.assert_close(joint_angles(places.permute(2, 0, 1), COCO17)[:, 7], expected)


def test_nothing_but_numbers_comes_out() -> None:
    x = poses(COCO17)
    x[0], x[1, 3, 0], x[2, 4, 1] = torch.nan, torch.inf, -torch.inf
    found = human_oriented_descriptors(x)
    assert found.isfinite().all()
    assert not found[0].any()
    assert found[1, 3, 0] == torch.finfo(torch.float64).max
    assert found[2, 4, 1] == torch.finfo(torch.float64).min


@pytest.mark.parametrize("shape", [(14, 16, 3), (17, 3), (14,)])
def test_other_numbers_of_joints(shape: tuple[int, ...]) -> None:
    for streams in (
        lambda x: gaittr_streams(x, TWO_FOLLOW),
        lambda x: gaitgraph_streams(x, TWO_FOLLOW),
        human_oriented_descriptors,
    ):
        with pytest.raises(ValueError, match="17 or 18 joints") as raised:
            streams(torch.ones(shape))
        assert f"found {shape}" in str(raised.value)
