"""What all silhouette models do first."""

from __future__ import annotations

from torch import Tensor

from gaitway.nn import TimeAxis


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
    if silhouettes.ndim != (4 if lengths is None else 3):
        expected = "(n, t, h, w)" if lengths is None else "(sum of lengths, h, w)"
        raise ValueError(f"silhouettes of shape {tuple(silhouettes.shape)}, expected {expected}")
    if not silhouettes.is_floating_point():
        raise ValueError(
            f"silhouettes of type {silhouettes.dtype}, expected floats in [0, 1]; divide grey values by 255, as the "
            "transforms CutColumns and Scale do"
        )
    time = TimeAxis(silhouettes, lengths)
    return time.folded.unsqueeze(1), time
