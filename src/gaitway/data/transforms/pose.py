"""Transforms of poses `(m, v, 3)`: x and y in pixels, y downwards, and confidence; as FastPoseGait's
`fastposegait/data/transform.py` defines them.

They compute in the type that they are given; the loader gives float64, since an angle near 0 or π is off by 3e-4 in
float32. Joints and skeletons are told by the number of joints: 17 are COCO's, 18 OpenPose's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gaitway.data.memory import on_device
from gaitway.data.sampling import Ints
from gaitway.data.transforms.chain import Draws, probability
from gaitway.pose_features import (
    gaitgraph_streams,
    gaittr_streams,
    human_oriented_descriptors,
    skeleton_of_frames,
)
from gaitway.skeletons import COCO17, OPENPOSE18, OPENPOSE18_TO_COCO17, SKELETONS

MOST_JOINTS = max(skeleton.num_joints for skeleton in SKELETONS.values())
"""Noise of joints is drawn before their number is known, for as many as any skeleton has."""


class ToCoco17:
    """OpenPose's 18 joints as COCO's 17; the neck is left out."""

    def draw(self, counts: Ints, generator: np.random.Generator) -> Draws:
        """Nothing is random."""
        return {}

    def __call__(self, frames: Tensor, counts: Ints, draws: Draws) -> Tensor:
        """`(m, 18, 3)` to `(m, 17, 3)`."""
        _check(frames, "ToCoco17")
        if frames.shape[1] != OPENPOSE18.num_joints:
            raise ValueError(
                f"ToCoco17 takes poses of OpenPose's 18 joints, found {frames.shape[1]}; leave it out for others"
            )
        return frames[:, list(OPENPOSE18_TO_COCO17)]


class SelectJoints:
    """Keeps some joints.

    Args:
        joints: Their names, in the order in which they are wanted.
    """

    def __init__(self, *, joints: Sequence[str]) -> None:
        if not joints or len(set(joints)) < len(joints):
            raise ValueError(f"SelectJoints: joints {list(joints)}; expected the names of different joints")
        self.joints = tuple(joints)

    def draw(self, counts: Ints, generator: np.random.Generator) -> Draws:
        """Nothing is random."""
        return {}

    def __call__(self, frames: Tensor, counts: Ints, draws: Draws) -> Tensor:
        """`(m, v, 3)` to `(m, joints, 3)`."""
        _check(frames, "SelectJoints")
        skeleton = skeleton_of_frames(frames, "SelectJoints")
        unknown = [joint for joint in self.joints if joint not in skeleton.joints]
        if unknown:
            raise ValueError(
                f"SelectJoints: {skeleton.name} has no {', '.join(unknown)}; it has {', '.join(skeleton.joints)}"
            )
        return frames[:, list(skeleton.index(*self.joints))]


class NormalizeEmpty:
    """Puts joints that were not found, whose x is 0, into the mean of their frame, with confidence 0.

    As published they are filled one after the other, and those filled already count in the mean of the next.
    """

    def draw(self, counts: Ints, generator: np.random.Generator) -> Draws:
        """Nothing is random."""
        return {}

    def __call__(self, frames: Tensor, counts: Ints, draws: Draws) -> Tensor:
        """`(m, v, 3)` to the same shape."""
        _check(frames, "NormalizeEmpty")
        incomplete = (frames[..., 0] == 0).any(1).nonzero().squeeze(1)  # few frames, as a rule
        return frames.index_copy(0, incomplete, _filled(frames[incomplete]))


def _filled(frames: Tensor) -> Tensor:
    """Frames `(m, v, 3)` with the mean in place of joints that were not found."""
    num_joints = frames.shape[1]
    empty = frames[..., 0] == 0  # (m, v)
    # every fill adds the mean to the sum and takes away what was there: a geometric series in closed form
    growth = 1 + 1 / num_joints
    counted = empty.to(frames.dtype)
    filled_before = (counted.cumsum(1) - counted)[..., None]
    removed = torch.where(empty[..., None], frames[..., :2], 0) / growth ** (filled_before + 1)
    removed_before = removed.cumsum(1) - removed
    total = frames[..., :2].sum(1, keepdim=True)
    fill = (total - removed_before) * growth**filled_before / num_joints
    places = torch.where(empty[..., None], fill, frames[..., :2])
    return torch.cat((places, frames[..., 2:].masked_fill(empty[..., None], 0)), -1)


class RescaleCenter:
    """Brings every frame's pose to the same height, with the same joint in the origin; half of GPGait's human-oriented
    transformation (arXiv 2303.05234).

    Args:
        center: Which point comes into the origin: `neck` between the shoulders, `head` between the eyes, `hip`
            between the hips.
        scale: Height in pixels.
    """

    def __init__(self, *, center: Literal["neck", "head", "hip"] = "neck", scale: float = 225.0) -> None:
        if center not in _BETWEEN or scale <= 0:
            raise ValueError(
                f"RescaleCenter: center {center!r} and scale {scale}; expected {', '.join(_BETWEEN)} and more than 0"
            )
        self.center, self.scale = center, scale

    def draw(self, counts: Ints, generator: np.random.Generator) -> Draws:
        """Nothing is random."""
        return {}

    def __call__(self, frames: Tensor, counts: Ints, draws: Draws) -> Tensor:
        """`(m, v, 3)` to the same shape; a frame without height becomes infinite, or no number."""
        _check(frames, "RescaleCenter")
        places = frames[..., :2]
        height = frames[..., 1].amax(1) - frames[..., 1].amin(1)
        places = places * (self.scale / height)[:, None, None]
        places = places - _between(places, self.center, "RescaleCenter")[:, None]
        return torch.cat((places, frames[..., 2:]), -1)


class UprightSpine:
    """Turns every frame's pose about the neck until the hips are below it; the other half of GPGait's human-oriented
    transformation (FastPoseGait's `Affine`).

    Args:
        rigid: Whether to rotate. The published code computes y from the x that is rotated already, which changes
            lengths a little; released weights were trained with it.
    """

    def __init__(self, *, rigid: bool = False) -> None:
        self.rigid = rigid

    def draw(self, counts: Ints, generator: np.random.Generator) -> Draws:
        """Nothing is random."""
        return {}

    def __call__(self, frames: Tensor, counts: Ints, draws: Draws) -> Tensor:
        """`(m, v, 3)` to the same shape."""
        _check(frames, "UprightSpine")
        neck, hip = (_between(frames[..., :2], where, "UprightSpine")[:, None] for where in ("neck", "hip"))
        across, down = (hip - neck).unbind(-1)  # (m, 1)
        angle = torch.where(down == 0, 0, torch.arctan(across / down))
        cos, sin = angle.cos(), angle.sin()
        x, y = frames[..., 0], frames[..., 1]
        neck_x, neck_y = neck.unbind(-1)
        new_x = cos * x - sin * y + (1 - cos) * neck_x + sin * neck_y
        new_y = sin * (x if self.rigid else new_x) + cos * y + (1 - cos) * neck_y - sin * neck_x
        return torch.cat((torch.stack((new_x, new_y), -1), frames[..., 2:]), -1)


class MirrorPoses:
    """Mirrors left and right of the picture about the middle of each frame's joints, which keep their names.

    Args:
        p: Probability per sequence.
    """

    def __init__(self, *, p: float = 0.5) -> None:
        self.p = probability(p, "MirrorPoses")

    def draw(self, counts: Ints, generator: np.random.Generator) -> Draws:
        """`fires` `(n,)` bool."""
        return {"fires": generator.random(len(counts)) <= self.p}

    def __call__(self, frames: Tensor, counts: Ints, draws: Draws) -> Tensor:
        """`(m, v, 3)` to the same shape."""
        _check(frames, "MirrorPoses")
        x = frames[..., :1]
        mirrored = torch.cat((2 * x.mean(1, keepdim=True) - x, frames[..., 1:]), -1)
        return torch.where(_per_frame(draws["fires"], counts, frames.device), mirrored, frames)


class InversePoses:
    """Gives joints of the left the names of those of the right, in some frames; nothing moves (FastPoseGait's
    `InversePosesPre`).

    Args:
        p: Probability per frame.
    """

    def __init__(self, *, p: float = 0.5) -> None:
        self.p = probability(p, "InversePoses")

    def draw(self, counts: Ints, generator: np.random.Generator) -> Draws:
        """`fires` `(n, most frames)` bool."""
        return {"fires": generator.random((len(counts), int(counts.max()))) <= self.p}

    def __call__(self, frames: Tensor, counts: Ints, draws: Draws) -> Tensor:
        """`(m, v, 3)` to the same shape."""
        _check(frames, "InversePoses")
        mirrored = list(skeleton_of_frames(frames, "InversePoses").mirrored)
        rows = on_device(_of_frames(draws["fires"], counts).nonzero()[0], frames.device)
        return frames.index_copy(0, rows, frames[rows][:, mirrored])


class FlipSequence:
    """Runs a sequence backwards.

    Args:
        p: Probability per sequence.
    """

    def __init__(self, *, p: float = 0.5) -> None:
        self.p = probability(p, "FlipSequence")

    def draw(self, counts: Ints, generator: np.random.Generator) -> Draws:
        """`fires` `(n,)` bool."""
        return {"fires": generator.random(len(counts)) <= self.p}

    def __call__(self, frames: Tensor, counts: Ints, draws: Draws) -> Tensor:
        """`(m, ...)` to the same shape."""
        first = np.repeat(np.cumsum(counts) - counts, counts)
        position = np.arange(counts.sum()) - first
        backwards = np.repeat(counts, counts) - 1 - position
        rows = first + np.where(np.repeat(draws["fires"], counts), backwards, position)
        return frames[on_device(rows, frames.device)]


class PointNoise:
    """Moves every joint of every frame, and its confidence, a little.

    Args:
        std: Standard deviation, in pixels and in units of confidence.
    """

    def __init__(self, *, std: float = 0.01) -> None:
        self.std = _deviation(std, "PointNoise")

    def draw(self, counts: Ints, generator: np.random.Generator) -> Draws:
        """`noise` `(n, most frames, most joints, 3)` of unit deviation."""
        shape = (len(counts), int(counts.max()), MOST_JOINTS, 3)
        return {"noise": generator.standard_normal(shape, np.float32)}

    def __call__(self, frames: Tensor, counts: Ints, draws: Draws) -> Tensor:
        """`(m, v, 3)` to the same shape."""
        _check(frames, "PointNoise")
        noise = on_device(_of_frames(draws["noise"], counts), frames.device)
        return torch.add(frames, noise[:, : frames.shape[1]], alpha=self.std)


class JointNoise:
    """Moves every joint by the same in all frames of a sequence.

    Args:
        std: Standard deviation in pixels.
    """

    def __init__(self, *, std: float = 0.25) -> None:
        self.std = _deviation(std, "JointNoise")

    def draw(self, counts: Ints, generator: np.random.Generator) -> Draws:
        """`noise` `(n, most joints, 2)` of unit deviation."""
        return {"noise": generator.standard_normal((len(counts), MOST_JOINTS, 2))}

    def __call__(self, frames: Tensor, counts: Ints, draws: Draws) -> Tensor:
        """`(m, v, 3)` to the same shape."""
        _check(frames, "JointNoise")
        return _moved(frames, counts, self.std * draws["noise"][:, : frames.shape[1]])


class RandomMove:
    """Moves a whole sequence by up to a few pixels.

    Args:
        x: Most pixels to the left or right.
        y: Most pixels up or down.
    """

    def __init__(self, *, x: float = 4.0, y: float = 1.0) -> None:
        self.x, self.y = _deviation(x, "RandomMove"), _deviation(y, "RandomMove")

    def draw(self, counts: Ints, generator: np.random.Generator) -> Draws:
        """`by` `(n, 2)` in [-1, 1], of the most."""
        return {"by": generator.uniform(-1, 1, (len(counts), 2))}

    def __call__(self, frames: Tensor, counts: Ints, draws: Draws) -> Tensor:
        """`(m, v, 3)` to the same shape."""
        _check(frames, "RandomMove")
        return _moved(frames, counts, (draws["by"] * (self.x, self.y))[:, None])


class GaitTRStreams:
    """The ten features that GaitTR takes: see `gaittr_streams`.

    Args:
        center: The joint that places are taken relative to: the skeleton's own centre, which is COCO's nose and
            OpenPose's neck as in FastPoseGait. OpenGait always takes the `nose`.
    """

    def __init__(self, *, center: str | None = None) -> None:
        self.center = center

    def draw(self, counts: Ints, generator: np.random.Generator) -> Draws:
        """Nothing is random."""
        return {}

    def __call__(self, frames: Tensor, counts: Ints, draws: Draws) -> Tensor:
        """`(m, v, 3)` to `(m, v, 10)`."""
        _check(frames, "GaitTRStreams")
        return gaittr_streams(frames, _two_follow(counts, frames.device), center=self.center)


class GaitGraphStreams:
    """The three branches of five features that GaitGraph2 takes: see `gaitgraph_streams`.

    Args:
        center: As for `GaitTRStreams`.
    """

    def __init__(self, *, center: str | None = None) -> None:
        self.center = center

    def draw(self, counts: Ints, generator: np.random.Generator) -> Draws:
        """Nothing is random."""
        return {}

    def __call__(self, frames: Tensor, counts: Ints, draws: Draws) -> Tensor:
        """`(m, v, 3)` to `(m, v, 3, 5)`."""
        _check(frames, "GaitGraphStreams")
        return gaitgraph_streams(frames, _two_follow(counts, frames.device), center=self.center)


class HumanOrientedDescriptors:
    """The six features that GPGait takes: see `human_oriented_descriptors` (FastPoseGait's `HOD_MultiInput`)."""

    def draw(self, counts: Ints, generator: np.random.Generator) -> Draws:
        """Nothing is random."""
        return {}

    def __call__(self, frames: Tensor, counts: Ints, draws: Draws) -> Tensor:
        """`(m, v, 3)` to `(m, v, 6)`."""
        _check(frames, "HumanOrientedDescriptors")
        return human_oriented_descriptors(frames)


_BETWEEN = {
    "neck": COCO17.index("left_shoulder", "right_shoulder"),
    "head": COCO17.index("left_eye", "right_eye"),
    "hip": COCO17.index("left_hip", "right_hip"),
}
"""The two of COCO's joints that a point lies between."""


def _check(frames: Tensor, transform: str) -> None:
    """Make sure that frames are poses.

    Raises:
        ValueError: when they are not.
    """
    if frames.ndim != 3 or frames.shape[1] > MOST_JOINTS or frames.shape[2] != 3:
        raise ValueError(
            f"{transform} takes poses (frames, at most {MOST_JOINTS} joints, 3), which are x, y and confidence, found "
            f"{tuple(frames.shape)}; put it before the transform that makes features of poses"
        )


def _between(places: Tensor, point: str, transform: str) -> Tensor:
    """The middle between two joints, `(m, 2)`."""
    if places.shape[1] != COCO17.num_joints:
        raise ValueError(
            f"{transform} takes poses of COCO's 17 joints, found {places.shape[1]}; put ToCoco17 before it for "
            "OpenPose's 18"
        )
    return places[:, list(_BETWEEN[point])].mean(1)


def _deviation(value: float, transform: str) -> float:
    if value < 0:
        raise ValueError(f"{transform}: found {value}, expected at least 0")
    return value


def _moved(frames: Tensor, counts: Ints, by: npt.NDArray[Any]) -> Tensor:
    """Frames `(m, v, 3)` with x and y of a sequence moved by `(n, v or 1, 2)`."""
    of_sequences = on_device(np.pad(by, ((0, 0), (0, 0), (0, 1))), frames.device).to(frames.dtype)
    sequence = on_device(np.repeat(np.arange(len(counts)), counts), frames.device)
    return frames + of_sequences[sequence]


def _two_follow(counts: Ints, device: torch.device) -> Tensor:
    """`(m,)` bool: whether two more frames of its sequence follow a frame."""
    position = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return on_device(position < np.repeat(counts, counts) - 2, device)


def _per_frame(values: npt.NDArray[Any], counts: Ints, device: torch.device) -> Tensor:
    """Values of sequences `(n,)` as values of their frames `(m, 1, 1)`, on the device."""
    return on_device(np.repeat(values, counts), device)[:, None, None]


def _of_frames(values: npt.NDArray[Any], counts: Ints) -> npt.NDArray[Any]:
    """Values of the frames that exist, `(n, most frames, ...)` to `(m, ...)`."""
    exists = np.arange(values.shape[1]) < counts[:, None]
    return values.reshape(-1, *values.shape[2:]) if exists.all() else values[exists]
