"""Transforms for GaitHeat: heat maps of a pose estimator, and the matrices that put every frame upright, as
FastPoseGait's `fastposegait/data/transform.py` defines them.

Poses are those of the heat maps, in their pixels, which a store has as another modality. Heat maps are 48 wide and 64
high.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from gaitway.data.memory import on_device
from gaitway.data.sampling import Ints
from gaitway.data.transforms.chain import Draws, probability
from gaitway.skeletons import COCO17

NECK = COCO17.index("left_shoulder", "right_shoulder")
HIP = COCO17.index("left_hip", "right_hip")
"""The joints that the upper and the lower end of the body lie between."""

WIDTH, HEIGHT = 48, 64
UPRIGHT = 5.0
"""Degrees up to which a body counts as upright."""


class SequenceRange:
    """Scales the maps of a sequence, all together, to [0, 1] (FastPoseGait's `Sequence_level`).

    The published code takes minimum and maximum over all sequences that are tested at once.
    """

    def draw(self, counts: Ints, generator: np.random.Generator) -> Draws:
        """Nothing is random."""
        return {}

    def __call__(self, frames: Tensor, counts: Ints, draws: Draws) -> Tensor:
        """`(m, ...)` to the same shape; a sequence of one value becomes 0."""
        sequence = on_device(np.repeat(np.arange(len(counts)), counts), frames.device)
        values, unset = frames.flatten(1), frames.new_zeros(len(counts))
        low = unset.scatter_reduce(0, sequence, values.amin(1), "amin", include_self=False)
        high = unset.scatter_reduce(0, sequence, values.amax(1), "amax", include_self=False)
        extent = torch.where(high > low, high - low, 1)
        shape = (-1, *(1,) * (frames.ndim - 1))
        return (frames - low[sequence].view(shape)) / extent[sequence].view(shape)


class AlignmentMatrices:
    """Maps of the plane that put the body upright, and then its neck into the middle of the upper half (`RotationMat`).

    They are those that `torch.nn.functional.affine_grid` takes. The rotation is about the middle of the body. As
    published, a body that is upright within 5 degrees mostly stays where it is.

    Args:
        p: Probability per frame to align a body that is upright already; not random where it is 0 or 1, which an
            evaluation needs. Published are 0.2, in evaluation as well.
    """

    def __init__(self, *, p: float = 0.2) -> None:
        self.p = probability(p, "AlignmentMatrices")

    def draw(self, counts: Ints, generator: np.random.Generator) -> Draws:
        """`aligned` `(n, most frames)` bool: also where the body is upright."""
        if self.p in (0, 1):
            return {}
        return {"aligned": generator.random((len(counts), int(counts.max()))) <= self.p}

    def __call__(self, frames: Tensor, counts: Ints, draws: Draws) -> Tensor:
        """`(m, 17, 3)` to `(m, 2, 2, 3)`: rotation, translation."""
        neck, hip = _ends(frames, "AlignmentMatrices")
        angle = _angle(neck, hip)
        target = neck.new_tensor([WIDTH / 2, HEIGHT / 4])
        middle = ((neck + hip) / 2).float().to(frames.dtype)  # as published, by OpenCV
        matrices = _rotation_and_shift(angle, middle, neck, target)
        to_grid = frames.new_tensor([[2 / WIDTH, 0, -1], [0, 2 / HEIGHT, -1], [0, 0, 1]])
        sampling = torch.linalg.inv(to_grid @ matrices @ torch.linalg.inv(to_grid))
        if draws:
            aligned = draws["aligned"][np.arange(draws["aligned"].shape[1]) < counts[:, None]]
        else:
            aligned = np.full(len(frames), self.p == 1)
        stays = (angle.rad2deg().abs() <= UPRIGHT) & ~on_device(aligned, frames.device)
        identity = torch.eye(3, dtype=frames.dtype, device=frames.device)
        return torch.where(stays[:, None, None, None], identity, sampling)[:, :, :2]


class AlignmentInPixels:
    """The same in pixels, with the rotation about the origin and the neck into the middle of the frame (`AffineMat`).

    No published configuration uses it.
    """

    def draw(self, counts: Ints, generator: np.random.Generator) -> Draws:
        """Nothing is random."""
        return {}

    def __call__(self, frames: Tensor, counts: Ints, draws: Draws) -> Tensor:
        """`(m, 17, 3)` to `(m, 2, 2, 3)`: rotation, translation."""
        neck, hip = _ends(frames, "AlignmentInPixels")
        target = neck.new_tensor([WIDTH / 2, WIDTH / 2])
        return _rotation_and_shift(-_angle(neck, hip), torch.zeros_like(neck), neck, target)[:, :, :2]


def _ends(frames: Tensor, transform: str) -> tuple[Tensor, Tensor]:
    """Neck and hip, `(m, 2)` each."""
    if frames.shape[1] != COCO17.num_joints:
        raise ValueError(
            f"{transform} takes poses of COCO's 17 joints, found {frames.shape[1]}; put ToCoco17 before it for "
            "OpenPose's 18"
        )
    neck, hip = (frames[:, list(joints), :2].mean(1) for joints in (NECK, HIP))
    return neck, hip


def _angle(neck: Tensor, hip: Tensor) -> Tensor:
    """By how much the body leans to its left in the picture, `(m,)` in radians."""
    across, down = (hip - neck).unbind(1)
    return torch.atan2(down, across) - torch.pi / 2


def _rotation_and_shift(angle: Tensor, center: Tensor, point: Tensor, target: Tensor) -> Tensor:
    """A rotation by `angle` about `center`, and the shift that brings what it makes of `point` to `target`.

    Both in homogeneous coordinates, `(m, 2, 3, 3)`.
    """
    cos, sin = angle.cos(), angle.sin()
    turn = torch.stack((cos, sin, -sin, cos), 1).view(-1, 2, 2)
    offset = center - (turn @ center[..., None]).squeeze(2)
    shift = target - (turn @ point[..., None]).squeeze(2) - offset
    identity = torch.eye(2, dtype=turn.dtype, device=turn.device).expand_as(turn)
    pairs = (torch.cat((linear, moved[..., None]), 2) for linear, moved in ((turn, offset), (identity, shift)))
    last = turn.new_tensor([[[[0.0, 0.0, 1.0]]]]).expand(len(turn), 2, 1, 3)
    return torch.cat((torch.stack(tuple(pairs), 1), last), 2)
