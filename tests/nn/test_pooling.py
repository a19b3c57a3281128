from __future__ import annotations

import pytest
import torch
from torch import Tensor

from gaitway.nn import GeneralisedMeanPooling, HorizontalPyramidPooling


def one_strip_after_another(x: Tensor, bins: tuple[int, ...]) -> Tensor:
    n, c, h, w = x.shape
    parts = []
    for num in bins:
        runs = x.reshape(n, c, num, h * w // num)
        parts += [runs[:, :, i].mean(2) + runs[:, :, i].amax(2) for i in range(num)]
    return torch.stack(parts, 1)


# the third map has strips that end inside a row
@pytest.mark.parametrize(
    ("bins", "height", "width"),
    [((16, 8, 4, 2, 1), 16, 11), ((4, 1), 8, 3), ((8, 4), 4, 6), ((3, 2), 6, 2), ((1,), 5, 7)],
)
def test_equals_a_loop_over_strips(bins: tuple[int, ...], height: int, width: int) -> None:
    x = torch.randn(3, 5, height, width)
    pyramid = HorizontalPyramidPooling(bins=bins)
    assert pyramid.num_parts == sum(bins)
    expected = one_strip_after_another(x, bins)
    torch.testing.assert_close(pyramid(x), expected)
    torch.testing.assert_close(pyramid(x.contiguous(memory_format=torch.channels_last)), expected)


def test_gradient() -> None:
    x = torch.randn(2, 3, 4, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(HorizontalPyramidPooling(bins=(4, 2, 1)), x)


def test_a_map_that_cannot_be_cut_is_refused() -> None:
    with pytest.raises(ValueError, match=r"15×11 cannot be cut into \(16, 8\)"):
        HorizontalPyramidPooling(bins=(16, 8))(torch.zeros(1, 2, 15, 11))


def one_strip_after_another_by_powers(x: Tensor, levels: list[list[int]], exponents: Tensor) -> Tensor:
    """In float64, where `1e-6^6.5` is a normal number."""
    strips = [strip for level in levels for strip in torch.split(x, level, 2)]
    exponents = exponents.expand(len(strips))
    means = [strip.clamp(min=1e-6).pow(q).mean((2, 3)).pow(1 / q) for strip, q in zip(strips, exponents, strict=True)]
    return torch.stack(means, 1)


LEVELS = [[[1] * 8], [[2] * 4], [[3, 1, 4]], [[1, 1, 2, 4], [8], [5, 3]]]


# rows of several levels have no exponent of their own
@pytest.mark.parametrize(("levels", "shared"), [(x, True) for x in LEVELS] + [(x, False) for x in LEVELS[:3]])
def test_generalised_means_equal_a_loop_over_strips(levels: list[list[int]], shared: bool) -> None:
    pooling = GeneralisedMeanPooling(levels=levels, shared=shared).double()
    assert pooling.num_parts == sum(map(len, levels))
    assert pooling.exponent.shape == (1 if shared else pooling.num_parts,)
    assert (pooling.exponent == 6.5).all()
    torch.nn.init.uniform_(pooling.exponent, 1.5, 7)
    x = torch.randn(2, 3, 8, 5, dtype=torch.float64, requires_grad=True)
    found, expected = pooling(x), one_strip_after_another_by_powers(x, levels, pooling.exponent)
    assert found.shape == (2, pooling.num_parts, 3)
    torch.testing.assert_close(found, expected)
    weights = torch.randn_like(expected)
    ours, direct = (torch.autograd.grad(y, (x, pooling.exponent), weights) for y in (found, expected))
    for gradient, wanted in zip(ours, direct, strict=True):
        torch.testing.assert_close(gradient, wanted)


def test_generalised_means_lie_between_mean_and_maximum() -> None:
    x = torch.rand(2, 3, 4, 5)
    for start, expected in ((1.0, x.mean(3)), (300.0, x.amax(3))):
        found = GeneralisedMeanPooling(levels=[[1] * 4], start=start)(x).transpose(1, 2)
        torch.testing.assert_close(found, expected, rtol=0.01, atol=0)


def test_rows_without_a_positive_value_give_the_smallest_one_and_finite_gradients() -> None:
    """In float32, where powers of 1e-6 are so small that processors may take them for 0."""
    pooling = GeneralisedMeanPooling(levels=[[1] * 4])
    x = torch.full((1, 2, 4, 3), -1.0, requires_grad=True)
    y = pooling(x)
    torch.testing.assert_close(y, torch.full((1, 4, 2), 1e-6), rtol=1e-4, atol=0)
    y.sum().backward()
    assert x.grad is not None
    assert pooling.exponent.grad is not None
    assert not x.grad.any()
    assert torch.isfinite(pooling.exponent.grad).all()


def test_large_values_do_not_overflow() -> None:
    x = torch.full((1, 2, 4, 3), 1e8)  # to the power of 6.5 beyond float32
    torch.testing.assert_close(
        GeneralisedMeanPooling(levels=[[2, 2]])(x), torch.full((1, 2, 2), 1e8), rtol=1e-4, atol=0
    )


def test_half_precision_is_pooled_in_float32() -> None:
    x = torch.rand(2, 3, 4, 5).bfloat16()
    pooling = GeneralisedMeanPooling(levels=[[2, 2]])
    found = pooling(x)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, pooling(x.float()))


def test_the_exponent_alone_is_saved() -> None:
    assert list(GeneralisedMeanPooling(levels=[[2, 2]]).state_dict()) == ["exponent"]


def test_a_map_of_another_height_is_refused() -> None:
    with pytest.raises(ValueError, match="a feature map of 6 rows cannot be cut into strips that add up to 4"):
        GeneralisedMeanPooling(levels=[[2, 2]])(torch.zeros(1, 1, 6, 3))
