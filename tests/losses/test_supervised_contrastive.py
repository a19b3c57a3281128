from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from gaitway.losses import SupConDistanceLoss, SupConLoss


def costs_of(similarities: Tensor, labels: list[int]) -> list[Tensor | None]:
    """What each row of one part costs, by loops; None without a positive."""
    n = len(labels)
    costs: list[Tensor | None] = []
    for i in range(n):
        positives = [j for j in range(n) if j != i and labels[j] == labels[i]]
        others = [similarities[i, k] for k in range(n) if k != i]
        shares = [torch.stack(others).exp().sum().log() - similarities[i, j] for j in positives]
        costs.append(torch.stack(shares).mean() if positives else None)
    return costs


def products(x: Tensor, labels: list[int], temperature: float) -> Tensor:
    costs = [cost for cost in costs_of(x @ x.T / temperature, labels) if cost is not None]
    return torch.stack(costs).mean() * temperature / 0.07 if costs else x.sum() * 0


def distances(x: Tensor, labels: list[int], temperature: float) -> Tensor:
    x = x / x.norm(dim=1, keepdim=True)
    rows = [torch.stack([x.sum() * 0 if torch.equal(a, b) else (a - b).norm() for b in x]) for a in x]
    costs = [cost for cost in costs_of(-torch.stack(rows) / temperature, labels) if cost is not None and cost > 0]
    return torch.stack(costs).mean() if costs and len(set(labels)) > 1 else x.sum() * 0


@given(
    labels=st.lists(st.integers(0, 3), min_size=1, max_size=9),
    temperature=st.sampled_from([0.1, 0.5, 2.0]),
    seed=st.integers(0, 1000),
)
def test_equals_nested_loops(labels: list[int], temperature: float, seed: int) -> None:
    """Also rows without a positive, one identity alone, one row, and equal rows."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(len(labels), 2, 3, generator=generator, dtype=torch.float64)
    x[-1] = x[0]
    of_products = (products, SupConLoss(temperature=temperature))
    of_distances = (distances, SupConDistanceLoss(temperature=temperature))
    for naive, loss in (of_products, of_distances):
        ours, theirs = x.clone().requires_grad_(), x.clone().requires_grad_()
        values, _ = loss(ours, torch.tensor(labels))
        expected = torch.stack([naive(theirs[:, part], labels, temperature) for part in range(2)])
        torch.testing.assert_close(values, expected, rtol=1e-9, atol=1e-12)
        (grad,) = torch.autograd.grad(values.sum(), ours)
        (expected_grad,) = torch.autograd.grad(expected.sum(), theirs)
        torch.testing.assert_close(grad, expected_grad, rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize("loss", [SupConLoss(temperature=1e-3), SupConDistanceLoss(temperature=1e-3)])
def test_stays_finite_where_exponentials_underflow(loss: SupConLoss | SupConDistanceLoss) -> None:
    """Opposite rows: exp(-2000) is 0 even in float64, and the published forms take its logarithm."""
    angles = torch.tensor([0.0, math.pi, math.pi / 2, 1.0], dtype=torch.float64)
    exact = torch.stack((angles.cos(), angles.sin()), 1).unsqueeze(1)
    labels = torch.tensor([0, 0, 1, 1])
    x, reference = exact.float().requires_grad_(), exact.clone().requires_grad_()
    values, _ = loss(x, labels)
    expected, _ = loss(reference, labels)
    values.sum().backward()
    expected.sum().backward()
    assert x.grad is not None
    assert reference.grad is not None
    assert x.grad.isfinite().all()
    assert values.item() > 5
    torch.testing.assert_close(values, expected.float(), rtol=1e-5, atol=0)
    torch.testing.assert_close(x.grad, reference.grad.float(), rtol=1e-3, atol=1e-2)


def test_nearby_rows_keep_their_distance() -> None:
    """At temperature 0.01 an error of 3e-4, which matrix products make, would be one of 3 percent in the exponent."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1, 1, 64, generator=generator) + 1e-4 * torch.randn(8, 1, 64, generator=generator)
    labels = torch.arange(8) // 2
    found, _ = SupConDistanceLoss()(x, labels)
    expected, _ = SupConDistanceLoss()(x.double(), labels)
    torch.testing.assert_close(found, expected.float(), rtol=1e-5, atol=0)


@pytest.mark.parametrize("loss", [SupConLoss(), SupConDistanceLoss()])
@pytest.mark.parametrize("labels", [[0], [0, 1, 2]])
def test_no_two_rows_of_one_identity_cost_nothing(loss: SupConLoss | SupConDistanceLoss, labels: list[int]) -> None:
    x = torch.randn(len(labels), 1, 4, requires_grad=True)
    values, figures = loss(x, torch.tensor(labels))
    values.sum().backward()
    assert values.tolist() == [0]
    assert figures == {"loss": 0, "active": 0}
    assert x.grad is not None
    assert not x.grad.any()


def test_equal_and_empty_rows_have_a_gradient() -> None:
    x = torch.zeros(4, 1, 3)
    x[1:, 0, 0] = 1
    x.requires_grad_()
    values, _ = SupConDistanceLoss()(x, torch.tensor([0, 0, 1, 1]))
    values.sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()


def test_figures() -> None:
    x = functional.normalize(torch.randn(5, 2, 4, generator=torch.Generator().manual_seed(0)), dim=2)
    labels = torch.tensor([0, 0, 1, 1, 2])  # the last has nobody to be told from the others by
    for loss in (SupConLoss(temperature=0.1), SupConDistanceLoss(temperature=0.1)):
        values, figures = loss(x, labels)
        assert figures["loss"] == values.mean()
        assert figures["active"] == pytest.approx(0.8)
        assert not any(figure.requires_grad for figure in figures.values())


@pytest.mark.parametrize("loss", [SupConLoss, SupConDistanceLoss])
def test_a_temperature_of_zero(loss: type[SupConLoss] | type[SupConDistanceLoss]) -> None:
    with pytest.raises(ValueError, match=rf"{loss.__name__}: temperature is 0, expected more than 0"):
        loss(temperature=0)
