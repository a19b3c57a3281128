from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gaitway.nn import StemConvolution3d, StripConvolution3d, convolution3d, leaky_relu


def gradients(y: Tensor, x: Tensor, weight: Tensor) -> tuple[Tensor, ...]:
    torch.manual_seed(1)
    return torch.autograd.grad(y, (x, weight), torch.randn(y.shape, dtype=y.dtype))


def assert_equal_with_gradients(found: Tensor, expected: Tensor, x: Tensor, weight: Tensor) -> None:
    torch.testing.assert_close(found, expected)
    for ours, direct in zip(gradients(found, x, weight), gradients(expected, x, weight), strict=True):
        torch.testing.assert_close(ours, direct)


def channels_last(layer: nn.Conv3d) -> bool:
    return layer.weight.is_contiguous(memory_format=torch.channels_last_3d)


@pytest.mark.parametrize("kernel", [(3, 3, 3), (3, 1, 1), (1, 3, 3), (1, 5, 1)])
def test_a_convolution_keeps_the_size_of_its_map(kernel: tuple[int, int, int]) -> None:
    layer = convolution3d(2, 4, kernel)
    assert layer.bias is None
    assert channels_last(layer)
    x = torch.randn(2, 2, 5, 7, 6)
    found = layer(x)
    assert found.shape == (2, 4, 5, 7, 6)
    padding = [size // 2 for size in kernel]
    torch.testing.assert_close(found, F.conv3d(x, layer.weight.contiguous(), padding=padding))


def test_a_strided_convolution_without_padding_loses_the_rest() -> None:
    layer = convolution3d(2, 4, (3, 1, 1), stride=(3, 1, 1), padding=(0, 0, 0))
    x = torch.randn(2, 2, 8, 3, 3)
    y = layer(x)
    assert y.shape == (2, 4, 2, 3, 3)
    torch.testing.assert_close(y[:, :, 1:], layer(x[:, :, 3:6]))


@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize("t", [1, 2, 5])
def test_the_stem_equals_a_convolution_in_3d(n: int, t: int) -> None:
    layer = StemConvolution3d(out_channels=4).double()
    assert layer.weight.shape == (4, 1, 3, 3, 3)
    x = torch.randn(n, 1, t, 6, 5, dtype=torch.float64, requires_grad=True)
    expected = leaky_relu(F.conv3d(x, layer.weight, padding=1))
    assert_equal_with_gradients(layer(x), expected, x, layer.weight)


@pytest.mark.parametrize("n", [1, 2])
def test_the_maps_of_the_stem_are_channels_last(n: int) -> None:
    y = StemConvolution3d(out_channels=4)(torch.randn(n, 1, 5, 6, 5))
    assert y.is_contiguous(memory_format=torch.channels_last_3d)


def one_strip_after_another(layer: StripConvolution3d, x: Tensor) -> Tensor:
    height = x.shape[3] // 2**layer.halvings
    starts = range(0, x.shape[3], height)
    return torch.cat([F.conv3d(x[:, :, :, i : i + height], layer.weight, padding=1) for i in starts], 3)


# 20 rows in eight strips are ten of two rows; 11 in two are two of five and one of one; 7 in four are seven of one
@pytest.mark.parametrize(
    ("height", "halvings", "num", "rows"),
    [(16, 3, 8, 2), (16, 1, 2, 8), (20, 3, 10, 2), (11, 1, 3, 5), (14, 2, 5, 3), (7, 2, 7, 1), (5, 0, 1, 5)],
)
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last_3d])
@pytest.mark.parametrize("n", [1, 3])
def test_strips_equal_a_loop(
    n: int, height: int, halvings: int, num: int, rows: int, memory_format: torch.memory_format
) -> None:
    layer = StripConvolution3d(in_channels=2, out_channels=4, halvings=halvings).double()
    x = torch.randn(n, 2, 3, height, 5, dtype=torch.float64).contiguous(memory_format=memory_format).requires_grad_()
    strips = layer(x)
    assert strips.shape == (n, 4, 3, num, rows, 5)
    joined = strips.flatten(3, 4)[:, :, :, :height]
    assert_equal_with_gradients(joined, one_strip_after_another(layer, x), x, layer.weight)


def test_no_strip_sees_another() -> None:
    layer = StripConvolution3d(in_channels=1, out_channels=2, halvings=2)
    x = torch.randn(1, 1, 3, 8, 5, requires_grad=True)
    layer(x)[:, :, :, 1].sum().backward()
    assert x.grad is not None
    assert x.grad.movedim(3, 0).flatten(1).any(1).tolist() == [False] * 2 + [True] * 2 + [False] * 4


def test_strips_have_no_bias_and_channels_last_weights() -> None:
    layer = StripConvolution3d(in_channels=3, out_channels=4, halvings=1)
    assert layer.bias is None
    assert channels_last(layer)


def test_a_map_with_fewer_rows_than_strips_is_refused() -> None:
    with pytest.raises(ValueError, match="a map of 3 rows has no 4 strips; use larger frames or fewer halvings"):
        StripConvolution3d(in_channels=1, out_channels=1, halvings=2)(torch.zeros(1, 1, 2, 3, 4))


@pytest.mark.parametrize("kernel", [(3, 3, 3), (1, 3, 3)])
@pytest.mark.parametrize("stride", [(1, 1, 1), (1, 2, 2)])
@pytest.mark.parametrize("t", [1, 3])
def test_short_clips_in_bfloat16_are_convolved_as_in_float32(
    kernel: tuple[int, int, int], stride: tuple[int, int, int], t: int
) -> None:
    """PyTorch's own gradient of the weights is random for such clips on CPUs with AMX, or takes forever."""
    layer = convolution3d(64, 64, kernel, stride)
    x = torch.randn(2, 64, t, 32, 44).contiguous(memory_format=torch.channels_last_3d).requires_grad_()
    expected = F.conv3d(x, layer.weight, stride=stride, padding=layer.padding)
    with torch.autocast("cpu", torch.bfloat16):
        found = layer(x)
    assert found.dtype == torch.bfloat16
    assert found.is_contiguous(memory_format=torch.channels_last_3d)
    pairs = [(found.float(), expected)]
    pairs += zip(gradients(found, x, layer.weight), gradients(expected, x, layer.weight), strict=True)
    for ours, direct in pairs:
        assert (ours.float() - direct).norm() < 0.02 * direct.norm()
