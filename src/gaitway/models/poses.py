"""What all pose models do first."""

from __future__ import annotations

from torch import Tensor

from gaitway.nn import Clips, side_by_side


def as_joint_maps(
    poses: Tensor, lengths: Tensor | None, *, joints: int, features: tuple[int, ...]
) -> tuple[Tensor, Clips]:
    """Poses as maps over frames and joints `(n, c, t, v)`, those of unequal length filled up with zeros.

    Args:
        poses: `(n, t, v, c)`, or `(sum of lengths, v, c)` with `lengths`; floats. `c` may be several axes.
        lengths: `(n,)` int64, or None.
        joints: How many joints v the model takes.
        features: What it takes of each, the axes after v.

    Returns:
        Maps `(n, c, t, v)`, channels-last in memory, with several axes c put together, and their time axis.

    Raises:
        ValueError: on another shape, or on values that are no floats.
    """
    wanted = (joints, *features)
    if poses.ndim != len(wanted) + (2 if lengths is None else 1) or poses.shape[-len(wanted) :] != wanted:
        size = ", ".join(map(str, wanted))
        expected = f"(n, t, {size})" if lengths is None else f"(sum of lengths, {size})"
        raise ValueError(
            f"poses of shape {tuple(poses.shape)}, expected {expected}; the recipe's transforms make the features, and "
            "its model must be for the joints of the data set"
        )
    if not poses.is_floating_point():
        raise ValueError(f"poses of type {poses.dtype}, expected floats")
    frames, clips = side_by_side(poses, lengths)
    return frames.flatten(3).permute(0, 3, 1, 2), clips
