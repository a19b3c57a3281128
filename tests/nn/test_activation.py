from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from gaitway.nn import mish

EXTREME = [-1e4, -200.0, -100.0, -90.0, -20.0, -1e-30, 0.0, 1e-30, 20.0, 1e4]


def values() -> torch.Tensor:
    return torch.cat((torch.linspace(-40, 40, 2001, dtype=torch.float64), torch.tensor(EXTREME, dtype=torch.float64)))


@pytest.mark.parametrize(("dtype", "rtol"), [(torch.float64, 1e-12), (torch.float32, 2e-6), (torch.bfloat16, 0.01)])
def test_mish_equals_pytorchs_to_rounding(dtype: torch.dtype, rtol: float) -> None:
    x = values().to(dtype)
    found = mish(x)
    assert found.dtype == dtype
    torch.testing.assert_close(found.double(), F.mish(x.double()), rtol=rtol, atol=1e-36)


@pytest.mark.parametrize(("dtype", "tol"), [(torch.float64, 1e-12), (torch.float32, 2e-5), (torch.bfloat16, 0.01)])
def test_its_slope_equals_pytorchs_to_rounding(dtype: torch.dtype, tol: float) -> None:
    x = values().to(dtype).requires_grad_()
    exact = x.detach().double().requires_grad_()
    weights = torch.linspace(-1, 1, len(x)).to(dtype)
    (found,) = torch.autograd.grad(mish(x), x, weights)
    (expected,) = torch.autograd.grad(F.mish(exact), exact, weights.double())
    assert found.dtype == dtype
    torch.testing.assert_close(found.double(), expected, rtol=tol, atol=tol)


def test_what_it_is_given_stays_as_it_is() -> None:
    x = values().float().requires_grad_()
    before = x.detach().clone()
    torch.autograd.grad(mish(x).sum(), x)
    assert torch.equal(x.detach(), before)
