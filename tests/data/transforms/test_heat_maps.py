from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from gaitway.data.transforms import AlignmentInPixels, AlignmentMatrices, SequenceRange
from gaitway.models.gaitheat import aligned


def body(angle: float, neck: tuple[float, float] = (20.0, 24.0), length: float = 16.0) -> Tensor:
    """A pose `(17, 3)` whose spine leans by `angle` degrees; only shoulders and hips matter."""
    pose = torch.rand(17, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 40
    top = torch.tensor(neck, dtype=torch.float64)
    turned = math.radians(angle + 90)
    bottom = top + length * torch.tensor([math.cos(turned), math.sin(turned)], dtype=torch.float64)
    across = torch.tensor([3.0, 1.0], dtype=torch.float64)
    for joint, place in ((5, top + across), (6, top - across), (11, bottom + across), (12, bottom - across)):
        pose[joint, :2] = place
    return pose


def dots(pose: Tensor) -> Tensor:
    """A map for the neck and one for the hip, each a small dot."""
    ends = torch.stack((pose[[5, 6], :2].mean(0), pose[[11, 12], :2].mean(0)))
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(48.0), indexing="ij")
    away = (x - ends[:, 0, None, None]) ** 2 + (y - ends[:, 1, None, None]) ** 2
    return (away / -4).exp()


def places(maps: Tensor) -> Tensor:
    """The middle of the light in each map, `(maps, 2)`."""
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(48.0), indexing="ij")
    return torch.stack(((maps * x).sum((1, 2)), (maps * y).sum((1, 2))), 1) / maps.sum((1, 2))[:, None]


def test_every_sequence_is_scaled_by_itself() -> None:
    maps = torch.randn(7, 2, 4, 3, generator=torch.Generator().manual_seed(0))
    maps[3] = 2.5  # a sequence of one frame and one value
    counts = np.array([3, 1, 3])
    found = SequenceRange()(maps, counts, {})
    for sequence, given in zip(torch.split(found, counts.tolist()), torch.split(maps, counts.tolist()), strict=True):
        if len(given) == 1:
            assert not sequence.any()
        else:
            torch.testing.assert_close(sequence, (given - given.min()) / (given.max() - given.min()))


@pytest.mark.parametrize("angle", [-40.0, -9.0, 0.0, 30.0])
def test_bodies_come_upright_with_the_neck_in_the_middle_of_the_upper_half(angle: float) -> None:
    pose = body(angle)
    matrices = AlignmentMatrices(p=1.0)(pose[None], np.array([1]), {})
    found = places(aligned(dots(pose).double()[None], matrices)[0])
    # the sampling counts from the edges of pixels, the poses from their middles, as published
    assert torch.allclose(found[0], torch.tensor([24.0, 16.0]).double(), atol=0.6)
    assert abs(found[1, 0] - found[0, 0]) < 0.6
    assert abs(found[1, 1] - found[0, 1] - 16) < 0.6


def test_a_body_that_is_upright_stays_where_it_is_unless_drawn() -> None:
    poses = torch.stack([body(angle) for angle in (4.9, 4.9, -4.9, 5.1, -5.1)])
    draws = {"aligned": np.array([[False, True, False], [False, False, True]])}  # sequences of three and two frames
    found = AlignmentMatrices(p=0.2)(poses, np.array([3, 2]), draws)
    always = AlignmentMatrices(p=1.0)(poses, np.array([3, 2]), {})
    never = AlignmentMatrices(p=0.0)(poses, np.array([3, 2]), {})
    stays = torch.tensor([True, False, True, False, False])
    identity = torch.eye(2, 3, dtype=torch.float64).expand(5, 2, 2, 3)
    assert torch.equal(found[stays], identity[stays])
    assert torch.equal(found[~stays], always[~stays])
    assert torch.equal(never, torch.where(torch.tensor([1, 1, 1, 0, 0]).bool()[:, None, None, None], identity, always))


def test_only_certain_alignment_is_without_randomness() -> None:
    counts, random = np.array([3000, 1000]), np.random.default_rng(0)
    assert not AlignmentMatrices(p=0.0).draw(counts, random)
    assert not AlignmentMatrices(p=1.0).draw(counts, random)
    drawn = AlignmentMatrices().draw(counts, random)["aligned"]
    assert drawn.shape == (2, 3000)
    assert drawn.mean() == pytest.approx(0.2, abs=0.02)


def test_alignment_in_pixels_takes_the_neck_to_the_middle() -> None:
    pose = body(20.0)
    rotation, shift = AlignmentInPixels()(pose[None], np.array([1]), {})[0]
    ends = torch.stack((pose[[5, 6], :2].mean(0), pose[[11, 12], :2].mean(0)))
    assert torch.allclose(rotation[:, 2], torch.zeros(2).double())
    turned = F.pad(ends @ rotation[:, :2].T, (0, 1), value=1.0) @ shift.T
    assert torch.allclose(turned[0], torch.tensor([24.0, 24.0]).double())


@pytest.mark.parametrize("transform", [AlignmentMatrices(), AlignmentInPixels()])
def test_other_joints_are_refused(transform: AlignmentMatrices | AlignmentInPixels) -> None:
    with pytest.raises(ValueError, match="17 joints, found 18; put ToCoco17 before it"):
        transform(torch.rand(2, 18, 3), np.array([2]), {})
