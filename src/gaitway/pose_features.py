"""What pose models see of joints besides their places: movement, bones and angles.

The streams are those of FastPoseGait and OpenGait, slips included, since published weights were trained with them.
Data transforms compute them, and GaitGraph2 once more for its views at test time.
"""

from __future__ import annotations

import torch
from torch import Tensor

from gaitway.skeletons import COCO17, OPENPOSE18, Skeleton, skeleton_of


def skeleton_of_frames(poses: Tensor, wanted_by: str) -> Skeleton:
    """The skeleton of frames `(m, v, c)`, by their number of joints.

    Raises:
        ValueError: when no skeleton has so many.
    """
    found = skeleton_of(poses.shape[1]) if poses.ndim >= 3 else None
    if found is None:
        raise ValueError(
            f"{wanted_by} takes poses (frames, {COCO17.num_joints} or {OPENPOSE18.num_joints} joints, values), found "
            f"{tuple(poses.shape)}; prepare poses of COCO's 17 or OpenPose's 18 joints"
        )
    return found


def velocities(places: Tensor, two_follow: Tensor, *, step: int) -> Tensor:
    """Where each joint is `step` frames later, relative to now; 0 in the last two frames of a sequence.

    Args:
        places: `(m, v, c)`, the frames of all sequences.
        two_follow: `(m,)` bool, whether two more frames of its sequence follow a frame.
        step: 1 or 2.
    """
    return torch.where(two_follow[:, None, None], places.roll(-step, 0) - places, 0.0)


def gaittr_streams(poses: Tensor, two_follow: Tensor) -> Tensor:
    """GaitTR's ten features (arXiv 2204.03873): places, places relative to the centre, two velocities, bones.

    Args:
        poses: `(m, v, 3)`: x, y in pixels, confidence.
        two_follow: As for `velocities`.

    Returns:
        `(m, v, 10)`.
    """
    skeleton = skeleton_of_frames(poses, "GaitTR")
    places = poses[..., :2]
    features = (
        places,
        places - places[:, skeleton.center, None],
        velocities(places, two_follow, step=1),
        velocities(places, two_follow, step=2),
        places - places[:, list(skeleton.parents)],
    )
    return torch.cat(features, -1)


def gaitgraph_streams(poses: Tensor, two_follow: Tensor) -> Tensor:
    """GaitGraph2's branches of joints, velocities and bones (arXiv 2204.07855).

    As published, confidence stands where the second velocity's x and the angle to the x axis were meant to be.

    Args:
        poses: `(m, v, 3)`: x, y in pixels, confidence.
        two_follow: As for `velocities`.

    Returns:
        `(m, v, 3, 5)`, the branches before their features.
    """
    skeleton = skeleton_of_frames(poses, "GaitGraph2")
    places, confidence = poses[..., :2], poses[..., 2:3]
    bones = places - places[:, list(skeleton.parents)]
    angle = (bones[..., 1:] / (bones.norm(dim=-1, keepdim=True) + 1e-4)).arccos()
    nothing = torch.zeros_like(confidence)
    branches = (
        (places, confidence, places - places[:, skeleton.center, None]),
        (
            velocities(places, two_follow, step=1),
            nothing,
            confidence,
            velocities(places, two_follow, step=2)[..., 1:],
        ),
        (bones, nothing, confidence, angle),
    )
    return torch.stack([torch.cat(branch, -1) for branch in branches], 2)


ANGLES: dict[str, tuple[tuple[int, int, int | None], ...]] = {
    COCO17.name: (
        *((0, 1, 2), (1, 0, 3), (2, 4, 0), (3, 1, None), (4, 2, None)),
        *((5, 7, 11), (6, 8, 12), (7, 5, 9), (8, 10, 6), (9, 7, None), (10, 8, None)),
        *((11, 5, 13), (12, 6, 14), (13, 11, 15), (14, 12, 16), (15, 13, None), (16, 14, None)),
    ),
    OPENPOSE18.name: (
        *((0, 15, 14), (15, 0, 17), (14, 16, 0), (17, 15, None), (16, 14, None)),
        *((5, 6, 11), (2, 3, 8), (6, 3, 8), (3, 4, 2), (7, 6, None), (4, 3, None)),
        *((11, 5, 12), (8, 2, 9), (12, 11, 13), (9, 8, 10), (13, 12, None), (10, 9, None)),
    ),
}
"""The angles of GPGait: at which joint, between which others; None is the vertical through the first of them. For 18
joints they stand in COCO's order, as published, with nothing for the neck."""


def joint_angles(places: Tensor, skeleton: Skeleton) -> Tensor:
    """π less the angle at each joint, by the law of cosines; π where a side has no length.

    Args:
        places: `(m, v, 2)`.
        skeleton: Of the joints; COCO17 or OPENPOSE18.

    Returns:
        `(m, v)` radians; 0 for joints without an angle.
    """
    triples = ANGLES[skeleton.name]
    at, left = (places[:, [triple[i] for triple in triples]] for i in (0, 1))  # (m, angles, 2)
    right = places[:, [triple[2] if triple[2] is not None else 0 for triple in triples]]
    vertical = torch.tensor([triple[2] is None for triple in triples], device=places.device)
    right = torch.where(vertical[:, None], torch.stack((at[..., 0], left[..., 1]), -1), right)
    a, b, c = ((p - q).norm(dim=-1) for p, q in ((at, left), (at, right), (left, right)))
    product = a * b
    cosine = (a.square() + b.square() - c.square()) / (2 * product)
    angles = torch.where(product == 0, torch.pi, torch.pi - cosine.clamp(-1, 1).arccos())
    return torch.nn.functional.pad(angles, (0, places.shape[1] - len(triples)))


def human_oriented_descriptors(poses: Tensor) -> Tensor:
    """GPGait's description of a frame (arXiv 2303.05234): places, bones, angles and a zero.

    Args:
        poses: `(m, v, 3)`, x, y and confidence, which is left out.

    Returns:
        `(m, v, 6)`; what is not a number is 0, what is infinite the largest number.
    """
    skeleton = skeleton_of_frames(poses, "HumanOrientedDescriptors")
    places = poses[..., :2]
    angles = joint_angles(places, skeleton)
    features = (
        places,
        places - places[:, list(skeleton.parents)],
        angles[..., None],
        torch.zeros_like(angles)[..., None],
    )
    return torch.cat(features, -1).nan_to_num(nan=0.0)
