"""Transforms of poses `(m, v, 3)`: x and y in pixels, y downwards, and confidence; as FastPoseGait's
`fastposegait/data/transform.py` defines them.

They compute in the type that they are given; the loader gives float64, since an angle near 0 or π is off by 3e-4 in
float32. Joints and skeletons are told by the number of joints: 17 are COCO's, 18 OpenPose's.
"""

from __future__ import annotations

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
        if frames.shape[1] != OPENPOSE18.num_joints:
            raise ValueError(
                f"ToCoco17 takes poses of OpenPose's 18 joints, found {frames.shape[1]}; leave it out for others"
            )
        return frames[:, list(OPENPOSE18_TO_COCO17)]


class NormalizeEmpty:
    """Puts joints that were not found, whose x is 0, into the mean of their frame, with confidence 0.

    As published they are filled one after the other, and those filled already count in the mean of the next.
    """

    def draw(self, counts: Ints, generator: np.random.Generator) -> Draws:
        """Nothing is random."""
        return {}

    def __call__(self, frames: Tensor, counts: Ints, draws: Draws) -> Tensor:
        """`(m, v, 3)` to the same shape."""
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
        swapped = frames[:, list(skeleton_of_frames(frames, "InversePoses").mirrored)]
        return torch.where(_of_frames(draws["fires"], counts, frames.device)[:, None, None], swapped, frames)


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
        noise = _of_frames(draws["noise"][:, :, : frames.shape[1]], counts, frames.device)
        return frames + self.std * noise.to(frames.dtype)


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
        noise = np.repeat(self.std * draws["noise"][:, : frames.shape[1]], counts, axis=0)
        return _moved(frames, on_device(noise, frames.device))


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
        by = np.repeat(draws["by"] * (self.x, self.y), counts, axis=0)
        return _moved(frames, on_device(by, frames.device)[:, None])


class GaitTRStreams:
    """The ten features that GaitTR takes: see `gaittr_streams`."""

    def draw(self, counts: Ints, generator: np.random.Generator) -> Draws:
        """Nothing is random."""
        return {}

    def __call__(self, frames: Tensor, counts: Ints, draws: Draws) -> Tensor:
        """`(m, v, 3)` to `(m, v, 10)`."""
        return gaittr_streams(frames, _two_follow(counts, frames.device))


class GaitGraphStreams:
    """The three branches of five features that GaitGraph2 takes: see `gaitgraph_streams`."""

    def draw(self, counts: Ints, generator: np.random.Generator) -> Draws:
        """Nothing is random."""
        return {}

    def __call__(self, frames: Tensor, counts: Ints, draws: Draws) -> Tensor:
        """`(m, v, 3)` to `(m, v, 3, 5)`."""
        return gaitgraph_streams(frames, _two_follow(counts, frames.device))


class HumanOrientedDescriptors:
    """The six features that GPGait takes: see `human_oriented_descriptors` (FastPoseGait's `HOD_MultiInput`)."""

    def draw(self, counts: Ints, generator: np.random.Generator) -> Draws:
        """Nothing is random."""
        return {}

    def __call__(self, frames: Tensor, counts: Ints, draws: Draws) -> Tensor:
        """`(m, v, 3)` to `(m, v, 6)`."""
        return human_oriented_descriptors(frames)


_BETWEEN = {
    "neck": COCO17.index("left_shoulder", "right_shoulder"),
    "head": COCO17.index("left_eye", "right_eye"),
    "hip": COCO17.index("left_hip", "right_hip"),
}
"""The two of COCO's joints that a point lies between."""


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


def _moved(frames: Tensor, by: Tensor) -> Tensor:
    """Frames with `by` added to x and y."""
    return torch.cat((frames[..., :2] + by.to(frames.dtype), frames[..., 2:]), -1)


def _two_follow(counts: Ints, device: torch.device) -> Tensor:
    """`(m,)` bool: whether two more frames of its sequence follow a frame."""
    position = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return on_device(position < np.repeat(counts, counts) - 2, device)


def _per_frame(values: npt.NDArray[Any], counts: Ints, device: torch.device) -> Tensor:
    """Values of sequences `(n,)` as values of their frames `(m, 1, 1)`, on the device."""
    return on_device(np.repeat(values, counts), device)[:, None, None]


def _of_frames(values: npt.NDArray[Any], counts: Ints, device: torch.device) -> Tensor:
    """Values of the frames that exist, `(n, most frames, ...)` to `(m, ...)`, on the device."""
    return on_device(values[np.arange(values.shape[1]) < counts[:, None]], device)
