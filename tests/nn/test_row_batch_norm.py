from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from gaitway.nn import RowBatchNorm


def layer_of(dtype: torch.dtype, kind: type[nn.BatchNorm1d] = RowBatchNorm) -> nn.BatchNorm1d:
    norm = kind(6)
    torch.manual_seed(0)
    for values in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
        assert values is not None
        nn.init.uniform_(values, 0.5, 2.0)
    return norm.to(dtype)


def rows(num: int) -> Tensor:
    return torch.randn(num, 6, generator=torch.Generator().manual_seed(1)) * torch.arange(1.0, 7.0) + 10


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("num", [4, 50_000])
def test_it_is_batch_normalisation_as_exact_as_float32_can_be(training: bool, num: int) -> None:
    """The last size is one at which PyTorch's own is not."""
    ours, exact = layer_of(torch.float32).train(training), layer_of(torch.float64, nn.BatchNorm1d).train(training)
    x = rows(num).requires_grad_()
    weights = torch.randn(num, 6)
    found, expected = ours(x), exact(x.double())
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=5e-6)
    of_found = torch.autograd.grad(found, (x, ours.weight, ours.bias), weights)
    of_expected = torch.autograd.grad(expected, (x, exact.weight, exact.bias), weights.double())
    for one, other in zip(of_found, of_expected, strict=True):
        torch.testing.assert_close(one.double(), other.double(), rtol=1e-4, atol=1e-5)
    for name, values in exact.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name].double(), values.double(), msg=name)


def test_half_precision_and_double_are_pytorchs_own() -> None:
    for dtype in (torch.float64, torch.bfloat16):
        ours, theirs = layer_of(dtype), layer_of(dtype, nn.BatchNorm1d)
        assert torch.equal(ours(rows(9).to(dtype)), theirs(rows(9).to(dtype)))


def test_frozen_it_keeps_its_statistics_and_still_learns() -> None:
    norm = layer_of(torch.float32).eval()
    before = copy.deepcopy(norm.state_dict())
    norm(rows(5)).square().sum().backward()
    assert norm.weight.grad is not None
    assert norm.weight.grad.all()
    assert all(torch.equal(values, before[name]) for name, values in norm.state_dict().items())


def test_one_row_alone_is_refused() -> None:
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        layer_of(torch.float32).train()(rows(1))
