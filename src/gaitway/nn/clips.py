"""Sequences side by side, for layers that look along time: no sequence ever sees another."""

from __future__ import annotations

import torch
from torch import Tensor


class Clips:
    """The time axis of sequences that are filled up to the length of the longest, in tensors `(n, c, t, ...)`.

    To a sequence, frames of zeros beyond its end are what the zero padding of a convolution is; they stay so as long
    as they are set back to 0 after every layer that fills them (`clear`). With equal lengths nothing is done.

    Args:
        num_frames: Frames t of the longest sequence.
        lengths: `(n,)` int64 frames per sequence, or None where all have `num_frames`.
    """

    def __init__(self, num_frames: int, lengths: Tensor | None = None) -> None:
        self.num_frames = num_frames
        self.lengths = lengths
        self._inside: Tensor | None = None
        if lengths is not None:
            self._inside = torch.arange(num_frames, device=lengths.device) < lengths[:, None]  # (n, t)

    def clear(self, x: Tensor) -> Tensor:
        """Set what lies beyond the end of each sequence to 0; `(n, c, t, ...)` to the same."""
        return self.fill(x, 0.0)

    def fill(self, x: Tensor, value: float) -> Tensor:
        """Set what lies beyond the end of each sequence to `value`; `(n, c, t, ...)` to the same."""
        if self._inside is None:
            return x
        n, t = self._inside.shape
        return x.masked_fill(~self._inside.view(n, 1, t, *(1,) * (x.ndim - 3)), value)

    def max(self, x: Tensor) -> Tensor:
        """Maximum over the frames of each sequence: `(n, c, t, ...)` to `(n, c, ...)`."""
        x = self.fill(x, -torch.inf)
        # reduced as the rows that channels-last maps are in memory: several times faster, forth and back
        channels_last = x.ndim == 5 and x.is_contiguous(memory_format=torch.channels_last_3d)
        rows, time = (x.permute(0, 2, 3, 4, 1), 1) if channels_last else (x, 2)
        training = rows.requires_grad and torch.is_grad_enabled()
        # the backward pass of `amax` is slower by more than its forward pass is faster
        y = rows.max(time).values if training else rows.amax(time)
        return y.permute(0, 3, 1, 2) if channels_last else y

    def mean(self, x: Tensor) -> Tensor:
        """Mean over the frames of each sequence, kept as an axis: `(n, c, t, ...)` to `(n, c, 1, ...)`."""
        if self.lengths is None:
            return x.mean(2, keepdim=True)
        count = self.lengths.view(-1, *(1,) * (x.ndim - 1)).to(x.dtype)
        return self.clear(x).sum(2, keepdim=True) / count

    def shortened(self, factor: int) -> Clips:
        """The clips after a layer with stride `factor` and without padding along time; the rest of a clip is lost."""
        lengths = None if self.lengths is None else self.lengths // factor
        return Clips(self.num_frames // factor, lengths)


def side_by_side(frames: Tensor, lengths: Tensor | None, *, at_least: int = 1) -> tuple[Tensor, Clips]:
    """Sequences as clips: those of unequal length filled up with zeros, very short ones repeated first.

    Args:
        frames: `(n, t, ...)` without lengths, or `(sum of lengths, ...)` with them.
        lengths: `(n,)` int64, or None.
        at_least: Sequences of fewer frames are repeated as a whole until they have as many: with 3, one frame becomes
            three, and two become four.

    Returns:
        `(n, t, ...)` and the time axis.

    Raises:
        ValueError: when the lengths do not add up to the frames, or a sequence has none.
    """
    if lengths is None:
        num_frames = frames.shape[1]
        if num_frames == 0:
            raise ValueError("sequences of 0 frames; drop them before they reach a model")
        if num_frames < at_least:
            frames = frames.repeat(1, -(-at_least // num_frames), *(1,) * (frames.ndim - 2))
        return frames, Clips(frames.shape[1])
    repeated = lengths * ((at_least - 1) // lengths.clamp(min=1) + 1)
    # one transfer for all figures; the lengths may lie on an accelerator
    total, shortest, longest = torch.stack((lengths.sum(), lengths.min(), repeated.max())).tolist()
    if total != len(frames) or shortest < 1:
        raise ValueError(
            f"lengths add up to {total} with a shortest of {shortest}, but there are {len(frames)} frames; "
            "give every sequence its number of frames, at least 1"
        )
    starts = lengths.cumsum(0) - lengths
    position = torch.arange(longest, device=lengths.device)
    rows = starts[:, None] + position % lengths[:, None]  # (n, t)
    clips = Clips(longest, repeated)
    filled = clips.clear(frames[rows].unsqueeze(1)).squeeze(1)  # (n, t, ...)
    return filled, clips
