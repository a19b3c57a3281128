"""Layers on rows of joints: `(frames, v, c)`, the frames of all sequences and nothing else (see `Clips.rows`).

Rows lie in memory as channels-last maps `(n, c, t, v)` do, so that with sequences of equal length both are views of the
same numbers. Of sequences of unequal length rows hold no filled up frames: batch normalisation counts real frames only.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from gaitway.nn.row_batch_norm import RowBatchNorm


class JointBatchNorm(nn.Module):
    """Batch normalisation of each channel of each joint, over all frames.

    Args:
        num_joints: Joints v.
        channels: Channels c of each.

    Shapes: `(frames, v, c)` to the same. The v·c channels of `bn` are joint-major, joint·c + channel, as rows are in
    memory; importers bring published layers of the other order into this one.
    """

    def __init__(self, *, num_joints: int, channels: int) -> None:
        super().__init__()
        self.bn = RowBatchNorm(num_joints * channels)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise; see the class for shapes."""
        normalised: Tensor = self.bn(x.flatten(1))
        return normalised.view_as(x)


class JointConvolution(nn.Conv2d):
    """A 1×1 convolution of maps of frames × joints, computed as the matrix product that it is.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.

    Shapes: `(frames, v, in_channels)` to `(frames, v, out_channels)`; the weight is a convolution's,
    `(out_channels, in_channels, 1, 1)`.
    """

    def __init__(self, *, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map each joint of each frame; see the class for shapes."""
        return F.linear(x, self.weight.flatten(1), self.bias)


class LinearNorm(nn.Module):
    """A linear map of the channels and batch normalisation.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.

    Shapes: rows `(frames, v, in_channels)` to `(frames, v, out_channels)`.
    """

    def __init__(self, *, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = JointConvolution(in_channels=in_channels, out_channels=out_channels)
        self.norm = RowBatchNorm(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map and normalise; see the class for shapes."""
        assert self.conv.bias is not None
        return linear_norm(x, self.conv.weight.flatten(1), self.conv.bias, self.norm)


def normalise(x: Tensor, norm: nn.Module) -> Tensor:
    """Batch normalisation of rows, of each channel over all frames and joints."""
    normalised: Tensor = norm(x.flatten(0, 1))
    return normalised.view_as(x)


def linear_norm(x: Tensor, weight: Tensor, bias: Tensor, norm: nn.BatchNorm1d) -> Tensor:
    """A linear map of rows, then `normalise`; one pass of memory where the norm doesn't train."""
    if norm.training:
        return normalise(F.linear(x, weight, bias), norm)
    return F.linear(x, *folded(weight, bias, norm))


def folded(weight: Tensor, bias: Tensor, norm: nn.BatchNorm1d) -> tuple[Tensor, Tensor]:
    """Weight `(c', ...)` and bias `(c',)` of a linear layer and the norm after it in one, while that doesn't train."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight * (norm.running_var + norm.eps).rsqrt()
    return weight * scale.view(-1, *(1,) * (weight.ndim - 1)), (bias - norm.running_mean) * scale + norm.bias
