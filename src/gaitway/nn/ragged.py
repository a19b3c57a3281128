"""The time axis of a batch: sequences of equal length, or of unequal length one after the other."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor


class TimeAxis:
    """Folds time into the batch axis for layers that work frame by frame, and reduces over it afterwards.

    Args:
        frames: `(n, t, ...)` without lengths, or `(sum of lengths, ...)` with them.
        lengths: `(n,)` int64 frames per sequence, or None.

    Raises:
        ValueError: when the lengths do not add up to the frames, or a sequence has none.
    """

    def __init__(self, frames: Tensor, lengths: Tensor | None) -> None:
        self.lengths = lengths
        if lengths is None:
            self.num_sequences, self.num_frames = frames.shape[:2]
            if self.num_frames == 0:
                raise ValueError("sequences of 0 frames; drop them before they reach a model")
            self.folded = frames.flatten(0, 1)  # (n·t, ...)
        else:
            # one transfer for both figures; the lengths may lie on an accelerator
            total, shortest = torch.stack((lengths.sum(), lengths.min())).tolist()
            if total != len(frames) or shortest < 1:
                raise ValueError(
                    f"lengths add up to {total} with a shortest of {shortest}, but there are {len(frames)} frames; "
                    "give every sequence its number of frames, at least 1"
                )
            self.folded = frames

    def max(self, x: Tensor) -> Tensor:
        """Element-wise maximum over the frames of each sequence: `(frames, ...)` to `(n, ...)`."""
        return self._reduce(x, "max")

    def mean(self, x: Tensor) -> Tensor:
        """Mean over the frames of each sequence: `(frames, ...)` to `(n, ...)`."""
        return self._reduce(x, "mean")

    def _reduce(self, x: Tensor, how: Literal["max", "mean"]) -> Tensor:
        if self.lengths is None:
            x = torch.unflatten(x, 0, (self.num_sequences, self.num_frames))
            return x.amax(1) if how == "max" else x.mean(1)
        if x.ndim == 4:  # keep channels-last maps in their memory order, `segment_reduce` wants contiguous rows
            x = x.permute(0, 2, 3, 1).contiguous()
            return torch.segment_reduce(x, how, lengths=self.lengths, axis=0).permute(0, 3, 1, 2)
        return torch.segment_reduce(x.contiguous(), how, lengths=self.lengths, axis=0)
