from __future__ import annotations

import pytest
import torch
from torch import Tensor

from gaitway.nn import BatchNorm2d, ConvNorm, ResidualBlock, ResidualNetwork, TemporalConvNorm, TimeAxis
from gaitway.nn.residual import MODES, Mode

LENGTHS = torch.tensor([3, 1, 4])


def maps(num: int = 8, channels: int = 4) -> Tensor:
    return torch.randn(num, channels, 8, 6, generator=torch.Generator().manual_seed(num))


@pytest.mark.parametrize("mode", MODES)
def test_a_block_never_sees_another_sequence(mode: Mode) -> None:
    torch.manual_seed(0)
    block = ResidualBlock(in_channels=4, out_channels=6, stride=2, mode=mode).eval()
    x = maps()
    together = block(x, TimeAxis(x, LENGTHS))
    alone = [block(part, TimeAxis(part.unsqueeze(0), None)) for part in torch.split(x, LENGTHS.tolist())]
    torch.testing.assert_close(together, torch.cat(alone))
    assert together.shape == (8, 6, 4, 3)


@pytest.mark.parametrize("mode", MODES)
def test_statistics_are_those_of_the_frames_that_there_are(mode: Mode) -> None:
    """Sequences of unequal length in training: what keeps them apart must not count as frames."""
    torch.manual_seed(0)
    block = ResidualBlock(in_channels=4, out_channels=4, mode=mode).train()
    x = maps()
    block(x, TimeAxis(x, LENGTHS))
    parts = torch.split(x, LENGTHS.tolist())
    made = [_convolved(block.conv1, part) for part in parts]
    pixels = torch.cat(made).transpose(0, 1).flatten(1)  # (c, everything)
    norm = block.conv1.norm
    assert isinstance(norm, BatchNorm2d)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    torch.testing.assert_close(norm.running_mean, 0.1 * pixels.mean(1))
    torch.testing.assert_close(norm.running_var, 0.9 + 0.1 * pixels.var(1))


def _convolved(layer: ConvNorm, part: Tensor) -> Tensor:
    time = TimeAxis(part.unsqueeze(0), None)
    return time.together(layer.conv(time.apart(part))) if layer.over_time else layer.conv(part)


def test_the_temporal_part_is_a_sum_over_three_frames() -> None:
    torch.manual_seed(0)
    layer = TemporalConvNorm(channels=4).eval()
    x = maps(5)
    padded = torch.cat((torch.zeros_like(x[:1]), x, torch.zeros_like(x[:1])))
    y = sum(torch.einsum("dc,fchw->fdhw", layer.conv.weight[:, :, i, 0], padded[i : i + 5]) for i in range(3))
    assert layer.norm is not None
    torch.testing.assert_close(layer(x, TimeAxis(x.unsqueeze(0), None)), x + layer.norm(y))


def test_batch_norm_of_many_pixels_is_exact_on_a_cpu() -> None:
    """PyTorch's own is off by 1e-5 here, and by more in larger batches."""
    torch.manual_seed(0)
    x = (torch.randn(40, 8, 64, 44) * 0.7 + 0.9).contiguous(memory_format=torch.channels_last)
    exact = BatchNorm2d(8).double().train()(x.double())
    layer = BatchNorm2d(8).train()
    found = layer(x)
    assert found.is_contiguous(memory_format=torch.channels_last)
    assert (found.double() - exact).abs().max() < 3e-6
    assert layer.running_var is not None
    torch.testing.assert_close(layer.running_var.double(), 0.9 + 0.1 * x.double().var((0, 2, 3)), rtol=1e-6, atol=0)


@pytest.mark.parametrize(
    ("channels", "layers", "mode", "message"),
    [
        ((4, 4, 4), (1, 1, 1), "2d", "four of each"),
        ((4, 4, 4, 4), (1, 0, 1, 1), "2d", "at least one block"),
        ((4, 4, 4, 4), (1, 1, 1, 1), "4d", "mode '4d', expected one of 2d, p3d, 3d"),
    ],
)
def test_impossible_networks(channels: tuple[int, ...], layers: tuple[int, ...], mode: Mode, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ResidualNetwork(channels=channels, layers=layers, mode=mode)


def test_the_first_stage_never_looks_along_time() -> None:
    network = ResidualNetwork(channels=(2, 2, 2, 2), mode="p3d", in_channels=3)
    assert [block.temporal is not None for _, _, block in network.blocks()] == [False, True, True, True]
    x = maps(4, channels=3)
    assert network(x, TimeAxis(x.unsqueeze(0), None)).shape == (4, 2, 2, 2)
