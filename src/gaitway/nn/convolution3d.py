"""Convolutions over space and time."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gaitway.nn.convolution import leaky_relu_

SHORT = 10
"""Clips of fewer frames are convolved in 2-D where `_miscomputed` says so; faults were seen up to 6 frames."""


class Convolution3d(nn.Conv3d):
    """A 3-D convolution that is right for short clips in bfloat16 on CPUs too (see `conv3d`)."""

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        assert isinstance(self.padding, tuple)
        return conv3d(input, weight, bias, self.stride, self.padding)


def conv3d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sequence[int] = (1, 1, 1),
    padding: Sequence[int] = (1, 1, 1),
) -> Tensor:
    """`torch.nn.functional.conv3d`, in 2-D where PyTorch miscomputes the gradient of the weights.

    In bfloat16 on CPUs with AMX, oneDNN (of PyTorch 2.13, and who knows of which others) gives wrong gradients of
    3×3×3 kernels for clips of a few frames: for some sizes random numbers, for others it never ends or corrupts memory.
    There every frame is convolved in 2-D with the frames before and after it as further channels: the same sums.

    Args:
        x: `(n, c, t, h, w)`.
        weight: `(c', c, frames, rows, columns)`.
        bias: `(c',)`, or None.
        stride: Along time, height and width.
        padding: Likewise.

    Returns:
        `(n, c', t', h', w')`.
    """
    frames = weight.shape[2]
    if stride[0] != 1 or padding[0] != frames // 2 or not _miscomputed(x, weight):
        return F.conv3d(x, weight, bias, tuple(stride), tuple(padding))
    n, t = len(x), x.shape[2]
    clips = F.pad(x.permute(0, 2, 3, 4, 1), (0, 0, 0, 0, 0, 0, frames // 2, frames // 2))  # (n, t + 2, h, w, c)
    around = torch.cat([clips[:, i : i + t] for i in range(frames)], 4).flatten(0, 1)  # (n·t, h, w, frames·c)
    y = F.conv2d(around.permute(0, 3, 1, 2), weight.transpose(1, 2).flatten(1, 2), bias, stride[1:], padding[1:])
    return torch.unflatten(y, 0, (n, t)).transpose(1, 2)


def _miscomputed(x: Tensor, weight: Tensor) -> bool:
    in_bf16 = torch.is_autocast_enabled("cpu") or x.dtype == torch.bfloat16
    return (
        x.device.type == "cpu" and x.shape[2] < SHORT and weight.requires_grad and torch.is_grad_enabled() and in_bf16
    )


def convolution3d(
    in_channels: int,
    out_channels: int,
    kernel_size: tuple[int, int, int] = (3, 3, 3),
    stride: tuple[int, int, int] = (1, 1, 1),
    padding: tuple[int, int, int] | None = None,
) -> Convolution3d:
    """A 3-D convolution without bias over `(n, c, t, h, w)`, laid out channels-last.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Frames, rows, columns; odd.
        stride: Likewise.
        padding: Likewise; None keeps the size of a map that is not strided.
    """
    if padding is None:
        padding = (kernel_size[0] // 2, kernel_size[1] // 2, kernel_size[2] // 2)
    layer = Convolution3d(in_channels, out_channels, kernel_size, stride, padding, bias=False)
    lay_channels_last_3d(layer)
    return layer


def lay_channels_last_3d(layer: nn.Conv3d) -> None:
    """Make a convolution faster on CPUs and GPUs by the order of its weights in memory, which its maps follow."""
    # `contiguous` would leave a kernel of one input channel as it is, and the maps would follow that
    layer.weight.data = layer.weight.data.to(memory_format=torch.channels_last_3d)


class StemConvolution3d(nn.Conv3d):
    """A 3×3×3 convolution of one channel without bias, and a leaky ReLU in place.

    Computed in 2-D, with the frames before and after as channels: the same numbers, on CPUs up to twice as fast in
    float32 and several times in bfloat16.

    Args:
        out_channels: Channels of the output.

    Shapes: `(n, 1, t, h, w)` to `(n, out_channels, t, h, w)`, channels-last.
    """

    def __init__(self, *, out_channels: int) -> None:
        super().__init__(1, out_channels, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve and activate; see the class for shapes."""
        n, t = len(x), x.shape[2]
        around = F.pad(x[:, 0], (0, 0, 0, 0, 1, 1)).unfold(1, 3, 1).flatten(0, 1).contiguous()  # (n·t, h, w, 3)
        y = leaky_relu_(F.conv2d(around.permute(0, 3, 1, 2), self.weight.squeeze(1), padding=1))  # (n·t, c, h, w)
        return torch.unflatten(y, 0, (n, t)).transpose(1, 2)


class StripConvolution3d(Convolution3d):
    """A 3×3×3 convolution of horizontal strips, each with its own zero padding, so that no strip sees another.

    The local half of GaitGL (Lin et al., ICCV 2021).

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        halvings: Strips are `h // 2**halvings` rows high; what remains at the bottom is one more strip.

    Shapes: `(n, in_channels, t, h, w)` to `(n, out_channels, t, num, rows, w)`. It lies in memory strip by strip, so
    joining them (`flatten(3, 4)`) takes a copy, which is left to the caller, who may need none; and so is cutting off
    the rows that make a shorter last strip as high as the others.
    """

    def __init__(self, *, in_channels: int, out_channels: int, halvings: int) -> None:
        super().__init__(in_channels, out_channels, 3, padding=1, bias=False)
        self.halvings = halvings
        lay_channels_last_3d(self)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve the strips as one batch; see the class for shapes."""
        n, h = len(x), x.shape[3]
        rows = h // 2**self.halvings
        if rows == 0:
            raise ValueError(f"a map of {h} rows has no {2**self.halvings} strips; use larger frames or fewer halvings")
        num = -(-h // rows)
        if num * rows > h:
            x = F.pad(x, (0, 0, 0, num * rows - h))  # zeros are what a shorter strip would be padded with
        strips = torch.unflatten(x.permute(0, 2, 3, 4, 1), 2, (num, rows)).transpose(1, 2).flatten(0, 1)
        y = super().forward(strips.permute(0, 4, 1, 2, 3)).permute(0, 2, 3, 4, 1)  # (n·num, t, rows, w, c)
        return torch.unflatten(y, 0, (n, num)).permute(0, 5, 2, 1, 3, 4)
