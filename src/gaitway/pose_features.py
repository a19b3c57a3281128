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


def gaittr_streams(poses: Tensor, two_follow: Tensor, *, center: str | None = None) -> Tensor:
    """GaitTR's ten features (arXiv 2204.03873): places, places relative to the centre, two velocities, bones.

    Args:
        poses: `(m, v, 3)`: x, y in pixels, confidence.
        two_follow: `(m,)` bool, whether two more frames of its sequence follow a frame.
        center: The joint that places are taken relative to; None: the skeleton's own centre.

    Returns:
        `(m, v, 10)`.

    Raises:
        ValueError: when the skeleton has no such joint.
    """
    skeleton = skeleton_of_frames(poses, "GaitTR")
    places = _planes(poses[..., :2])
    streams = (
        places,
        places - places[..., _center(skeleton, center), None],
        _velocities(places, two_follow, step=1),
        _velocities(places, two_follow, step=2),
        places - places[..., list(skeleton.parents)],
    )
    return torch.cat(streams).permute(1, 2, 0)


def gaitgraph_streams(poses: Tensor, two_follow: Tensor, *, center: str | None = None) -> Tensor:
    """GaitGraph2's branches of joints, velocities and bones (arXiv 2204.07855).

    As published, confidence stands where the second velocity's x and the angle to the x axis were meant to be.

    Args:
        poses: `(m, v, 3)`: x, y in pixels, confidence.
        two_follow: As for `gaittr_streams`.
        center: As for `gaittr_streams`.

    Returns:
        `(m, v, 3, 5)`, the branches before their features.

    Raises:
        ValueError: when the skeleton has no such joint.
    """
    skeleton = skeleton_of_frames(poses, "GaitGraph2")
    planes = _planes(poses)
    places, confidence, nothing = planes[:2], planes[2:], torch.zeros_like(planes[2:])
    bones = places - places[..., list(skeleton.parents)]
    angle = (bones[1:] / (torch.hypot(*bones) + 1e-4)).arccos()
    streams = (
        *(places, confidence, places - places[..., _center(skeleton, center), None]),
        *(_velocities(places, two_follow, step=1), nothing, confidence, _velocities(places[1:], two_follow, step=2)),
        *(bones, nothing, confidence, angle),
    )
    return torch.unflatten(torch.cat(streams), 0, (3, 5)).permute(2, 3, 0, 1)


def _planes(poses: Tensor) -> Tensor:
    """`(m, v, c)` to `(c, m, v)`: a feature of all joints lies together, which makes arithmetic with it fast."""
    return poses.permute(2, 0, 1).contiguous()


def _velocities(places: Tensor, two_follow: Tensor, *, step: int) -> Tensor:
    """Where joints `(c, m, v)` are `step` frames later, relative to now; 0 in the last two frames of a sequence."""
    return torch.where(two_follow[:, None], places.roll(-step, 1) - places, 0.0)


def _center(skeleton: Skeleton, name: str | None) -> int:
    """The joint of that name, or the skeleton's own centre."""
    if name is None:
        return skeleton.center
    if name not in skeleton.joints:
        raise ValueError(f"center {name!r}: {skeleton.name} has no such joint, but {', '.join(skeleton.joints)}")
    return skeleton.joints.index(name)


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
        places: `(2, m, v)`, x and y.
        skeleton: Of the joints; COCO17 or OPENPOSE18.

    Returns:
        `(m, v)` radians; 0 for joints without an angle.
    """
    triples = ANGLES[skeleton.name]
    at, left = ([triple[i] for triple in triples] for i in (0, 1))
    right = [triple[2] if triple[2] is not None else triple[0] for triple in triples]
    vertical = torch.tensor([triple[2] is None for triple in triples], device=places.device)
    x, y = places
    x_left, y_left, x_right = x[:, left] - x[:, at], y[:, left] - y[:, at], x[:, right] - x[:, at]  # (m, angles)
    y_right = torch.where(vertical, y_left, y[:, right] - y[:, at])
    a, b = torch.hypot(x_left, y_left), torch.hypot(x_right, y_right)
    c = torch.hypot(x_left - x_right, y_left - y_right)
    product = a * b
    # near 0 and π rounding errors count for 1e-8: as published by the law of cosines, not by the product of vectors
    cosine = (a.square() + b.square() - c.square()) / (2 * product)
    angles = torch.where(product == 0, torch.pi, torch.pi - cosine.clamp(-1, 1).arccos())
    return torch.nn.functional.pad(angles, (0, places.shape[2] - len(triples)))


def human_oriented_descriptors(poses: Tensor) -> Tensor:
    """GPGait's description of a frame (arXiv 2303.05234): places, bones, angles and a zero.

    Args:
        poses: `(m, v, 3)`, x, y and confidence, which is left out.

    Returns:
        `(m, v, 6)`; what is not a number is 0, what is infinite the largest number.
    """
    skeleton = skeleton_of_frames(poses, "HumanOrientedDescriptors")
    places = _planes(poses[..., :2])
    angles = joint_angles(places, skeleton)[None]
    features = (places, places - places[..., list(skeleton.parents)], angles, torch.zeros_like(angles))
    return torch.cat(features).nan_to_num_(nan=0.0).permute(1, 2, 0)
