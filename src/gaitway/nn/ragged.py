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
        # channels-last maps are reduced as the rows that they are in memory: several times faster, forth and back
        channels_last = x.ndim == 4 and x.is_contiguous(memory_format=torch.channels_last)
        rows = x.permute(0, 2, 3, 1) if channels_last else x.contiguous()
        if self.lengths is not None:
            y = torch.segment_reduce(rows, how, lengths=self.lengths, axis=0, unsafe=True)  # checked above
        else:
            rows = torch.unflatten(rows, 0, (self.num_sequences, self.num_frames))
            if how == "mean":
                y = rows.mean(1)
            elif rows.requires_grad and torch.is_grad_enabled():
                y = rows.max(1).values  # the backward pass of `amax` is slower by more than its forward pass is faster
            else:
                y = rows.amax(1)
        return y.permute(0, 3, 1, 2) if channels_last else y
