"""What all silhouette models do first."""

from __future__ import annotations

from torch import Tensor

from gaitway.nn import Clips, TimeAxis, side_by_side


def as_maps(silhouettes: Tensor, lengths: Tensor | None) -> tuple[Tensor, TimeAxis]:
    """Silhouettes as one-channel maps with time folded into the batch, and the time axis to reduce over later.

    Args:
        silhouettes: `(n, t, h, w)`, or `(sum of lengths, h, w)` with `lengths`; floats in [0, 1].
        lengths: `(n,)` int64, or None.

    Returns:
        Maps `(frames, 1, h, w)` and the time axis.

    Raises:
        ValueError: on another number of axes, or on values that are no floats.
    """
    _check(silhouettes, lengths)
    time = TimeAxis(silhouettes, lengths)
    # one channel can be taken for either order of memory; this one says channels-last, which all that follows keeps
    return time.folded.unsqueeze(-1).permute(0, 3, 1, 2), time


def as_clips(silhouettes: Tensor, lengths: Tensor | None, *, at_least: int = 1) -> tuple[Tensor, Clips]:
    """Silhouettes as one-channel clips `(n, 1, t, h, w)`, for models with convolutions over time.

    Args:
        silhouettes: `(n, t, h, w)`, or `(sum of lengths, h, w)` with `lengths`; floats in [0, 1].
        lengths: `(n,)` int64, or None.
        at_least: Sequences of fewer frames are repeated as a whole until they have as many.

    Returns:
        Clips, those of unequal length filled up with zeros, and their time axis.

    Raises:
        ValueError: on another number of axes, or on values that are no floats.
    """
    _check(silhouettes, lengths)
    frames, clips = side_by_side(silhouettes, lengths, at_least=at_least)
    # as a last axis the one channel makes the clips channels-last, which the first convolution's output follows
    return frames.unsqueeze(-1).movedim(-1, 1), clips


def _check(silhouettes: Tensor, lengths: Tensor | None) -> None:
    if silhouettes.ndim != (4 if lengths is None else 3):
        expected = "(n, t, h, w)" if lengths is None else "(sum of lengths, h, w)"
        raise ValueError(f"silhouettes of shape {tuple(silhouettes.shape)}, expected {expected}")
    if not silhouettes.is_floating_point():
        raise ValueError(
            f"silhouettes of type {silhouettes.dtype}, expected floats in [0, 1]; divide grey values by 255, as the "
            "transforms CutColumns and Scale do"
        )
