"""Residual networks of frames that may look at the frames before and after (GaitBase, DeepGaitV2).

Maps are `(frames, c, h, w)` with all frames of all sequences in one batch, so that sequences of unequal length need no
padding and batch normalisation never sees any; convolutions over time keep the sequences apart by the time axis.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm  # the one class of all, PyTorch has no public name for it
from torch.nn.utils.fusion import fuse_conv_bn_eval

from gaitway.nn.batch_norm import BatchNorm2d
from gaitway.nn.convolution import lay_channels_last
from gaitway.nn.convolution3d import convolution3d
from gaitway.nn.ragged import TimeAxis

Mode = Literal["2d", "p3d", "3d"]
"""How a block looks along time: not at all, by a convolution of its own (pseudo 3-D), or by all its convolutions."""

STRIDES = (1, 2, 2, 1)
"""Of the four stages of the network, along height and width."""

MODES: tuple[Mode, ...] = ("2d", "p3d", "3d")


class ConvNorm(nn.Module):
    """A convolution without bias, and batch normalisation.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Of rows and columns, odd.
        stride: Of rows and columns.
        over_time: Look at the frames before and after as well (a kernel of 3 frames).

    Shapes: `(frames, in_channels, h, w)` to `(frames, out_channels, h/stride, w/stride)`.
    """

    def __init__(
        self, *, in_channels: int, out_channels: int, kernel_size: int = 3, stride: int = 1, over_time: bool = False
    ) -> None:
        super().__init__()
        self.conv: nn.Conv2d | nn.Conv3d
        if over_time:
            kernel = (3, kernel_size, kernel_size)
            self.conv = convolution3d(in_channels, out_channels, kernel, stride=(1, stride, stride))
        else:
            padding = kernel_size // 2
            self.conv = nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, bias=False)
            lay_channels_last(self.conv)
        self.over_time = over_time
        self.norm: nn.Module = BatchNorm2d(out_channels)

    def forward(self, x: Tensor, time: TimeAxis) -> Tensor:
        """Convolve and normalise; see the class for shapes."""
        y = time.together(self.conv(time.apart(x))) if self.over_time else self.conv(x)
        normalised: Tensor = self.norm(y)
        return normalised

    def fold(self) -> None:
        """Make one convolution of both, for inference."""
        assert isinstance(self.norm, _BatchNorm), "folded already"
        self.conv = fuse_conv_bn_eval(self.conv, self.norm)
        self.norm = nn.Identity()


class TemporalConvNorm(nn.Module):
    """A convolution over 3 frames at every pixel and batch normalisation, added to the input (P3D's temporal part).

    "Learning Spatio-Temporal Representation with Pseudo-3D Residual Networks", Qiu, Yao and Mei, ICCV 2017,
    arXiv 1711.10305.

    Args:
        channels: Of the input and the output.

    Shapes: `(frames, channels, h, w)` to the same.
    """

    def __init__(self, *, channels: int) -> None:
        super().__init__()
        # over maps of frames × pixels: on CPUs two to four times as fast as a 3-D convolution, of the same numbers
        self.conv = nn.Conv2d(channels, channels, (3, 1), padding=(1, 0), bias=False)
        lay_channels_last(self.conv)
        self.norm: nn.Module | None = BatchNorm2d(channels)

    def forward(self, x: Tensor, time: TimeAxis) -> Tensor:
        """Convolve, normalise and add; see the class for shapes."""
        clips = time.apart(x)  # (n, c, t, h, w)
        y = time.together(torch.unflatten(self.conv(clips.flatten(3)), 3, clips.shape[3:]))
        return y if self.norm is None else self.norm(y).add_(x)

    def fold(self) -> None:
        """Make one convolution of it all, for inference: adding the input is one more weight of the middle frame."""
        assert isinstance(self.norm, _BatchNorm), "folded already"
        self.conv = fuse_conv_bn_eval(self.conv, self.norm)
        self.conv.weight.data[:, :, 1, 0].diagonal().add_(1)
        self.norm = None


class ResidualBlock(nn.Module):
    """Two 3×3 convolutions with a shortcut around them (the basic block of ResNets), with or without a look along time.

    "Deep Residual Learning for Image Recognition", He et al., CVPR 2016, arXiv 1512.03385; over time as in DeepGaitV2,
    arXiv 2303.03301.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        stride: Of rows and columns, in the first convolution and the shortcut.
        mode: `2d` looks at each frame by itself, `p3d` has a temporal part between the convolutions, in `3d` both
            convolutions look at three frames.

    Shapes: `(frames, in_channels, h, w)` to `(frames, out_channels, h/stride, w/stride)`.
    """

    def __init__(self, *, in_channels: int, out_channels: int, stride: int = 1, mode: Mode = "2d") -> None:
        super().__init__()
        over_time = mode == "3d"
        self.conv1 = ConvNorm(in_channels=in_channels, out_channels=out_channels, stride=stride, over_time=over_time)
        self.temporal = TemporalConvNorm(channels=out_channels) if mode == "p3d" else None
        self.conv2 = ConvNorm(in_channels=out_channels, out_channels=out_channels, over_time=over_time)
        self.shortcut: ConvNorm | None = None
        if stride > 1 or in_channels != out_channels:
            self.shortcut = ConvNorm(in_channels=in_channels, out_channels=out_channels, kernel_size=1, stride=stride)

    def forward(self, x: Tensor, time: TimeAxis) -> Tensor:
        """Apply the block; see the class for shapes."""
        y = F.relu_(self.conv1(x, time))
        if self.temporal is not None:
            y = F.relu_(self.temporal(y, time))
        y = self.conv2(y, time)
        return F.relu_(y.add_(x if self.shortcut is None else self.shortcut(x, time)))


class ResidualStage(nn.ModuleList):
    """Residual blocks one after the other, of which the first may change width and size.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        num_blocks: How many.
        stride: Of rows and columns.
        mode: How the blocks look along time.

    Shapes: `(frames, in_channels, h, w)` to `(frames, out_channels, h/stride, w/stride)`.
    """

    def __init__(
        self, *, in_channels: int, out_channels: int, num_blocks: int = 1, stride: int = 1, mode: Mode = "2d"
    ) -> None:
        first = ResidualBlock(in_channels=in_channels, out_channels=out_channels, stride=stride, mode=mode)
        others = (
            ResidualBlock(in_channels=out_channels, out_channels=out_channels, mode=mode) for _ in range(num_blocks - 1)
        )
        super().__init__([first, *others])

    def forward(self, x: Tensor, time: TimeAxis) -> Tensor:
        """Apply the blocks; see the class for shapes."""
        for block in self:
            x = block(x, time)
        return x


class ResidualNetwork(nn.Module):
    """A stem at full size and four stages of residual blocks, the second and third of which halve height and width.

    Args:
        in_channels: Channels of the input.
        channels: Widths of the four stages; the stem has that of the first.
        layers: Numbers of blocks of the four stages.
        mode: How the blocks look along time; those of the first stage never do.

    Shapes: `(frames, in_channels, h, w)` to `(frames, channels[3], h/4, w/4)`.

    Raises:
        ValueError: when there are not four stages with at least a block each, or no such mode.
    """

    def __init__(
        self,
        *,
        in_channels: int = 1,
        channels: Sequence[int] = (64, 128, 256, 512),
        layers: Sequence[int] = (1, 1, 1, 1),
        mode: Mode = "2d",
    ) -> None:
        super().__init__()
        if len(channels) != 4 or len(layers) != 4 or min(layers) < 1:
            raise ValueError(
                f"stages of {list(channels)} channels and {list(layers)} blocks, expected four of each with at least "
                "one block, such as layers [1, 4, 4, 1]"
            )
        if mode not in MODES:
            raise ValueError(f"mode {mode!r}, expected one of {', '.join(MODES)}")
        self.stem = ConvNorm(in_channels=in_channels, out_channels=channels[0])
        modes: tuple[Mode, ...] = ("2d", mode, mode, mode)
        before = (channels[0], *channels)
        self.stages = nn.ModuleList(
            ResidualStage(in_channels=before[i], out_channels=width, num_blocks=num, stride=stride, mode=modes[i])
            for i, (width, num, stride) in enumerate(zip(channels, layers, STRIDES, strict=True))
        )
        self.out_channels = channels[-1]

    def forward(self, x: Tensor, time: TimeAxis) -> Tensor:
        """Apply the network; see the class for shapes."""
        x = F.relu_(self.stem(x, time))
        for stage in self.stages:
            x = stage(x, time)
        return x

    def blocks(self) -> Iterator[tuple[int, int, ResidualBlock]]:
        """All blocks with the numbers, from 0, of their stage and of their place in it."""
        for i, stage in enumerate(self.stages):
            for j, block in enumerate(cast(ResidualStage, stage)):
                yield i, j, cast(ResidualBlock, block)
