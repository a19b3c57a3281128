from __future__ import annotations

import pytest
import torch
from torch import Tensor

from gaitway.nn import HorizontalPyramidPooling


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
