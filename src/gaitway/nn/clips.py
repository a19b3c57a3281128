"""Sequences side by side, for layers that look along time: no sequence ever sees another."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

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

    def rows(self, x: Tensor) -> Tensor:
        """The frames of all sequences and nothing else: `(n, c, t, ...)` to `(sum of lengths, ..., c)`.

        With equal lengths a view of channels-last maps.
        """
        frames = x.movedim(1, -1).flatten(0, 1)  # (n·t, ..., c)
        return frames if self._inside is None else frames.index_select(0, self._positions)

    def maps(self, rows: Tensor) -> Tensor:
        """What `rows` takes apart, channels-last in memory and 0 beyond the end of each sequence."""
        if self._inside is not None:
            filled = rows.new_zeros(self._inside.numel(), *rows.shape[1:])
            rows = filled.index_copy(0, self._positions, rows)
        return torch.unflatten(rows, 0, (-1, self.num_frames)).movedim(-1, 1)

    def spread(self, x: Tensor) -> Tensor:
        """What belongs to a sequence given to each of its frames: `(n, ...)` to `(sum of lengths, ...)`."""
        frames = x.unsqueeze(1).expand(-1, self.num_frames, *x.shape[1:]).flatten(0, 1)
        return frames if self._inside is None else frames.index_select(0, self._positions)

    @cached_property
    def _positions(self) -> Tensor:
        """Where the frames of the sequences are among all of `(n·t,)`."""
        assert self._inside is not None
        return self._inside.flatten().nonzero().squeeze(1)

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

    def strided(self, stride: int) -> Clips:
        """The clips after a layer with this stride that has an output for every first, `stride + 1`-th … frame."""
        if stride == 1:
            return self
        lengths = None if self.lengths is None else (self.lengths + stride - 1) // stride
        return Clips((self.num_frames + stride - 1) // stride, lengths)

    def repeated(self, times: int) -> Clips:
        """The clips of all sequences that many times one after the other, `(times·n, c, t, ...)`."""
        return Clips(self.num_frames, None if self.lengths is None else self.lengths.repeat(times))

    def frames_left(self, x: Tensor) -> Tensor:
        """How many frames of its sequence follow each frame of `(n, c, t, ...)`: `(n, t)`, negative beyond the end."""
        lengths = self.num_frames if self.lengths is None else self.lengths[:, None]
        left = lengths - 1 - torch.arange(self.num_frames, device=x.device)
        return left.expand(len(x), -1)

    def reversed(self, x: Tensor) -> Tensor:
        """Each sequence with its last frame first: `(n, c, t, ...)` to the same, filled up as before."""
        if self.lengths is None:
            return x.flip(2)
        left = self.frames_left(x)
        frame = torch.where(left < 0, torch.arange(self.num_frames, device=x.device), left)
        sequence = torch.arange(len(x), device=x.device)[:, None]
        return x.transpose(1, 2)[sequence, frame].transpose(1, 2)


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
