"""The time axis of a batch: sequences of equal length, or of unequal length one after the other."""

from __future__ import annotations

from functools import cached_property
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

    def apart(self, x: Tensor) -> Tensor:
        """Clips for a convolution over space and time that reaches one frame back and one ahead.

        `(frames, c, h, w)` to `(n, c, t, h, w)`. Sequences of unequal length come as one clip
        `(1, c, frames + n - 1, h, w)` with a frame of zeros between any two of them: to each, that is the zero padding
        beyond its end. The convolution must not change the number of frames.
        """
        if self.lengths is None:
            return torch.unflatten(x, 0, (self.num_sequences, self.num_frames)).transpose(1, 2)
        rows = x.permute(0, 2, 3, 1)  # as channels-last maps are in memory
        spaced = rows.new_zeros(len(rows) + len(self.lengths) - 1, *rows.shape[1:])
        return spaced.index_copy(0, self._rows_apart, rows).unsqueeze(0).permute(0, 4, 1, 2, 3)

    def together(self, y: Tensor) -> Tensor:
        """Frames of the clips that such a convolution made of what `apart` gave: `(frames, c, h, w)`."""
        if self.lengths is None:
            return y.transpose(1, 2).flatten(0, 1)
        rows = y.permute(0, 2, 3, 4, 1).squeeze(0)  # (frames + n - 1, h, w, c)
        return rows.index_select(0, self._rows_apart).permute(0, 3, 1, 2)

    @cached_property
    def _rows_apart(self) -> Tensor:
        """Where each frame is among those that `apart` spaces."""
        assert self.lengths is not None
        position = torch.arange(len(self.folded), device=self.lengths.device)
        sequence = torch.arange(len(self.lengths), device=self.lengths.device)
        return position + sequence.repeat_interleave(self.lengths, output_size=len(position))

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
