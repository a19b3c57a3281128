from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gaitway.nn import ConvPair, FocalConvolution, PlainBackbone, leaky_relu, leaky_relu_


def activated(layer: nn.Module, x: Tensor) -> Tensor:
    weight = layer.weight
    assert isinstance(weight, Tensor)
    return F.leaky_relu(F.conv2d(x, weight, padding=weight.shape[2] // 2), 0.01)


def test_activation_and_its_form_in_place() -> None:
    x = torch.tensor([-2.0, 0.0, 3.0])
    assert torch.equal(leaky_relu(x), torch.tensor([-0.02, 0.0, 3.0]))
    assert torch.equal(x, torch.tensor([-2.0, 0.0, 3.0]))
    assert leaky_relu_(x) is x
    assert torch.equal(x, torch.tensor([-0.02, 0.0, 3.0]))


@pytest.mark.parametrize("pool", [False, True])
@pytest.mark.parametrize("kernel_size", [3, 5])
def test_pair_is_convolution_activation_pool_in_that_order(pool: bool, kernel_size: int) -> None:
    block = ConvPair(in_channels=2, out_channels=4, kernel_size=kernel_size, pool=pool)
    x = torch.randn(3, 2, 8, 6)
    expected = activated(block.conv2, activated(block.conv1, x))
    expected = F.max_pool2d(expected, 2) if pool else expected
    torch.testing.assert_close(leaky_relu(block(x)), expected)


def test_gradients_pass_the_activations_in_place() -> None:
    block = ConvPair(in_channels=2, out_channels=3, pool=True).double()
    x = torch.randn(2, 2, 4, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: leaky_relu_(block(x)), x)
    backbone = PlainBackbone(layers=("BC-2", "M", "FC-3-1", "BC-2")).double()
    x = torch.randn(2, 1, 10, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: leaky_relu_(backbone(x)), x)


def test_the_input_is_left_as_it_is() -> None:
    x = torch.randn(2, 1, 8, 4)
    before = x.clone()
    PlainBackbone(layers=("BC-2", "M", "BC-2"))(x)
    ConvPair(in_channels=1, out_channels=2)(x)
    assert torch.equal(x, before)


def test_backbone_is_its_layers_one_after_the_other() -> None:
    backbone = PlainBackbone(layers=("BC-4", "BC-6", "M", "BC-8"))
    assert [layer.weight.shape for layer in backbone.convolutions] == [(4, 1, 5, 5), (6, 4, 3, 3), (8, 6, 3, 3)]
    assert backbone.out_channels == 8
    x = torch.randn(2, 1, 16, 12)
    expected = activated(backbone.convolutions[1], activated(backbone.convolutions[0], x))
    expected = activated(backbone.convolutions[2], F.max_pool2d(expected, 2))
    torch.testing.assert_close(leaky_relu(backbone(x)), expected)


@pytest.mark.parametrize(
    ("layers", "problem"),
    [
        ((), "must end with a convolution"),
        (("BC-4", "M"), "must end with a convolution"),
        (("M", "BC-4"), "layer code 'M'"),
        (("BC-4", "M", "M", "BC-4"), "layer code 'M'"),
        (("BC-x",), "layer code 'BC-x'"),
        (("XC-4",), "layer code 'XC-4'"),
        (("FC-4-1",), "layer code 'FC-4-1'"),
    ],
)
def test_layer_codes_that_make_no_sense_are_refused(layers: tuple[str, ...], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        PlainBackbone(layers=layers)


@pytest.mark.parametrize(("height", "halvings"), [(8, 0), (8, 2), (10, 2), (20, 3), (11, 1)])
def test_focal_convolution_equals_a_loop_over_strips(height: int, halvings: int) -> None:
    layer = FocalConvolution(in_channels=3, out_channels=4, halvings=halvings)
    x = torch.randn(2, 3, height, 5)
    strips = [F.conv2d(strip, layer.weight, padding=1) for strip in torch.split(x, height // 2**halvings, 2)]
    torch.testing.assert_close(layer(x), torch.cat(strips, 2))


def test_a_map_with_fewer_rows_than_strips_is_refused() -> None:
    with pytest.raises(ValueError, match="3 rows has no 4 strips"):
        FocalConvolution(in_channels=1, out_channels=1, halvings=2)(torch.zeros(1, 1, 3, 4))


def test_maps_are_channels_last() -> None:
    pair = ConvPair(in_channels=1, out_channels=8, pool=True)
    backbone = PlainBackbone(layers=("BC-8", "M", "FC-8-1", "BC-8"))
    for block in (pair, backbone):
        assert block(torch.zeros(2, 1, 16, 12)).is_contiguous(memory_format=torch.channels_last)
