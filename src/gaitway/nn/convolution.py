"""Frame-wise convolutional blocks of the silhouette models.

All convolutions are bias-free and followed by a leaky ReLU of slope 0.01. Because a maximum commutes with that
activation, the blocks pool first and leave the last activation to the caller, who may take a maximum over time first:
the same numbers from a quarter or less of the work.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SLOPE = 0.01


def leaky_relu(x: Tensor) -> Tensor:
    """Leaky ReLU with the slope that all silhouette models share."""
    return F.leaky_relu(x, SLOPE)


def leaky_relu_(x: Tensor) -> Tensor:
    """The same in place, for maps fresh from a convolution or max-pool, whose gradients do not need them.

    Spares the memory of a second map, and on CPUs the time that it takes to get that memory.
    """
    return F.leaky_relu_(x, SLOPE)


def convolution2d(in_channels: int, out_channels: int, kernel_size: int = 3) -> nn.Conv2d:
    """A convolution without bias over `(n, c, h, w)` that keeps height and width, laid out channels-last."""
    layer = nn.Conv2d(in_channels, out_channels, kernel_size, padding=kernel_size // 2, bias=False)
    lay_channels_last(layer)
    return layer


def lay_channels_last(layer: nn.Conv2d) -> None:
    """Make a convolution faster on CPUs and GPUs by the order of its weights in memory, which its maps follow."""
    # `contiguous` would leave a kernel of one input channel as it is, and the maps would follow that
    layer.weight.data = layer.weight.data.to(memory_format=torch.channels_last)


class FocalConvolution(nn.Conv2d):
    """A convolution of horizontal strips, each with its own zero padding, so that no strip sees another.

    "GaitPart: Temporal Part-based Model for Gait Recognition", Fan et al., CVPR 2020.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Odd; the padding keeps height and width.
        halvings: Strips are `h // 2**halvings` rows high; what remains at the bottom is one more strip.

    Shapes: `(n, in_channels, h, w)` to `(n, out_channels, h, w)`.
    """

    def __init__(self, *, in_channels: int, out_channels: int, kernel_size: int = 3, halvings: int) -> None:
        super().__init__(in_channels, out_channels, kernel_size, padding=kernel_size // 2, bias=False)
        self.halvings = halvings
        lay_channels_last(self)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve the strips as one batch; see the class for shapes."""
        n, h = len(x), x.shape[2]
        height = h // 2**self.halvings
        if height == 0:
            raise ValueError(f"a map of {h} rows has no {2**self.halvings} strips; use larger frames or fewer halvings")
        num = h // height
        whole, rest = (x, None) if num * height == h else torch.split(x, [num * height, h - num * height], 2)
        strips = torch.unflatten(whole, 2, (num, height))  # (n, c, num, rows, w)
        y = super().forward(strips.transpose(1, 2).flatten(0, 1))  # (n·num, c, rows, w)
        y = torch.unflatten(y, 0, (n, num)).transpose(1, 2).flatten(2, 3)  # (n, c, num·rows, w)
        return y if rest is None else torch.cat((y, super().forward(rest)), 2)


class ConvPair(nn.Module):
    """Two convolutions with an activation between, then an optional 2×2 max-pool; the last activation is the caller's.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of both convolutions.
        kernel_size: Kernel of the first convolution (the second's is 3).
        pool: Halve height and width at the end.

    Shapes: `(n, in_channels, h, w)` to `(n, out_channels, h, w)` or, with `pool`, `(…, h/2, w/2)`.
    """

    def __init__(self, *, in_channels: int, out_channels: int, kernel_size: int = 3, pool: bool = False) -> None:
        super().__init__()
        self.conv1 = convolution2d(in_channels, out_channels, kernel_size)
        self.conv2 = convolution2d(out_channels, out_channels)
        self.pool = pool

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block; the result is not activated yet."""
        x = self.conv2(leaky_relu_(self.conv1(x)))
        return F.max_pool2d(x, 2) if self.pool else x


class PlainBackbone(nn.Module):
    """A VGG-like stack of convolutions and max-pools, described by layer codes.

    Args:
        layers: `BC-C` is a convolution 3×3 (the first one 5×5) to C channels with activation, `FC-C-s` a focal one
            3×3 with s halvings (not the first), `M` a 2×2 max-pool.
        in_channels: Channels of the input.

    Shapes: `(n, in_channels, h, w)` to `(n, out_channels, h/2^m, w/2^m)` with m pools. The activation of the last
    convolution is the caller's.

    Raises:
        ValueError: on an unknown code, or when the last code is no convolution.
    """

    def __init__(self, *, layers: Sequence[str], in_channels: int = 1) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList()
        pools: list[bool] = []
        for code in layers:
            match code.split("-"):
                case ["BC", width] if width.isdecimal():
                    self.convolutions.append(convolution2d(in_channels, int(width), 3 if pools else 5))
                case ["FC", width, halvings] if pools and width.isdecimal() and halvings.isdecimal():
                    self.convolutions.append(
                        FocalConvolution(in_channels=in_channels, out_channels=int(width), halvings=int(halvings))
                    )
                case ["M"] if pools and not pools[-1]:
                    pools[-1] = True
                    continue
                case _:
                    expected = "BC-<channels>, or after one FC-<channels>-<halvings> or M"
                    raise ValueError(f"layer code {code!r} in {list(layers)}: expected {expected}")
            in_channels = int(width)
            pools.append(False)
        if not pools or pools[-1]:
            raise ValueError(f"layers {list(layers)} must end with a convolution BC-<channels>")
        self.pools = tuple(pools)
        self.out_channels = in_channels

    def forward(self, x: Tensor) -> Tensor:
        """Apply the stack; the result is not activated yet."""
        activate: Callable[[Tensor], Tensor] = nn.Identity()
        for convolution, pool in zip(self.convolutions, self.pools, strict=True):
            x = convolution(activate(x))
            if pool:
                x = F.max_pool2d(x, 2)
            # strips put together are a view, and what is changed through a view is copied in the backward pass
            activate = leaky_relu if isinstance(convolution, FocalConvolution) and not pool else leaky_relu_
        return x
