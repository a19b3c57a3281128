"""Convolutions over space and time."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def convolution3d(
    in_channels: int,
    out_channels: int,
    kernel_size: tuple[int, int, int] = (3, 3, 3),
    stride: tuple[int, int, int] = (1, 1, 1),
    padding: tuple[int, int, int] | None = None,
) -> nn.Conv3d:
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
    layer = nn.Conv3d(in_channels, out_channels, kernel_size, stride, padding, bias=False)
    lay_channels_last_3d(layer)
    return layer


def lay_channels_last_3d(layer: nn.Conv3d) -> None:
    """Make a convolution faster on CPUs and GPUs by the order of its weights in memory, which its maps follow."""
    layer.weight.data = layer.weight.data.contiguous(memory_format=torch.channels_last_3d)


class StripConvolution3d(nn.Conv3d):
    """A 3×3×3 convolution of horizontal strips, each with its own zero padding, so that no strip sees another.

    The local half of GaitGL (Lin et al., ICCV 2021).

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        halvings: Strips are `h // 2**halvings` rows high; what remains at the bottom is one more strip.

    Shapes: `(n, in_channels, t, h, w)` to `(n, out_channels, t, h, w)`.
    """

    def __init__(self, *, in_channels: int, out_channels: int, halvings: int) -> None:
        super().__init__(in_channels, out_channels, 3, padding=1, bias=False)
        self.halvings = halvings
        lay_channels_last_3d(self)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve the strips as one batch; see the class for shapes."""
        n, h = len(x), x.shape[3]
        height = h // 2**self.halvings
        if height == 0:
            raise ValueError(f"a map of {h} rows has no {2**self.halvings} strips; use larger frames or fewer halvings")
        num = h // height
        strips = torch.unflatten(x[:, :, :, : num * height], 3, (num, height))  # (n, c, t, num, rows, w)
        strips = strips.movedim(3, 1).flatten(0, 1).contiguous(memory_format=torch.channels_last_3d)
        y = torch.unflatten(super().forward(strips), 0, (n, num)).movedim(1, 3).flatten(3, 4)  # (n, c, t, num·rows, w)
        return y if num * height == h else torch.cat((y, super().forward(x[:, :, :, num * height :])), 3)
