"""Sequences side by side, for layers that look along time: no sequence ever sees another."""

from __future__ import annotations

from collections.abc import Callable

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
        # `where` keeps the order of channels-last maps in memory, `masked_fill` does not
        return torch.where(self._inside.view(n, 1, t, *(1,) * (x.ndim - 3)), x, value)

    def max(self, x: Tensor) -> Tensor:
        """Maximum over the frames of each sequence: `(n, c, t, ...)` to `(n, c, ...)`."""
        rows, time = _as_rows(self.fill(x, -torch.inf))
        training = rows.requires_grad and torch.is_grad_enabled()
        # the backward pass of `amax` is slower by more than its forward pass is faster
        y = rows.max(time).values if training else rows.amax(time)
        return y.movedim(-1, 1) if time == 1 else y

    def mean(self, x: Tensor) -> Tensor:
        """Mean over the frames of each sequence, kept as an axis: `(n, c, t, ...)` to `(n, c, 1, ...)`."""
        rows, time = _as_rows(self.clear(x))
        if self.lengths is None:
            y = rows.mean(time, keepdim=True)
        else:
            y = rows.sum(time, keepdim=True) / self.lengths.view(-1, *(1,) * (x.ndim - 1))
        return y.movedim(-1, 1) if time == 1 else y

    def frame_wise(self, layer: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        """A 2-D layer on the frames of all sequences and nothing else: `(n, c, t, h, w)` to `(n, c', t, h', w')`.

        Beyond the end of a sequence the result is 0, and a batch normalisation counts no frame from there.
        """
        frames = x.movedim(1, 2)  # (n, t, c, h, w)
        if self._inside is None:
            y = torch.unflatten(layer(frames.flatten(0, 1)), 0, frames.shape[:2])
            return y.movedim(2, 1)
        rows = layer(frames[self._inside]).movedim(1, 3)  # (sum of lengths, h', w', c')
        filled = rows.new_zeros(*self._inside.shape, *rows.shape[1:])
        return filled.index_put((self._inside,), rows).movedim(4, 1)

    def shortened(self, factor: int) -> Clips:
        """The clips after a layer with stride `factor` and without padding along time; the rest of a clip is lost."""
        lengths = None if self.lengths is None else self.lengths // factor
        return Clips(self.num_frames // factor, lengths)


def _as_rows(x: Tensor) -> tuple[Tensor, int]:
    """Channels-last maps as the rows that they are in memory, and the axis of time in them.

    Reduced like that they are several times faster, forth and back.
    """
    channels_last = x.stride(1) == 1
    return (x.movedim(1, -1), 1) if channels_last else (x, 2)


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
