from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from gaitway.losses import TripletLoss


def batch_all(x: Tensor, labels: list[int], margin: float) -> tuple[Tensor, list[Tensor], int]:
    """One part `(n, d)` by three nested loops: the loss, the triplets that are not 0, and how many there are."""
    n = len(labels)
    active, num = [], 0
    for i in range(n):
        for j in range(n):
            for k in range(n):
                if labels[i] != labels[j] or labels[i] == labels[k]:
                    continue
                num += 1
                hinge = distance(x, i, j) - distance(x, i, k) + margin
                if hinge > 0:
                    active.append(hinge)
    return (torch.stack(active).mean() if active else x.sum() * 0), active, num


def all_of(x: Tensor, labels: list[int], margin: float) -> Tensor:
    return batch_all(x, labels, margin)[0]


def hard(x: Tensor, labels: list[int], margin: float) -> Tensor:
    n = len(labels)
    active = []
    for i in range(n):
        positives = [distance(x, i, j) for j in range(n) if labels[i] == labels[j]]
        negatives = [distance(x, i, k) for k in range(n) if labels[i] != labels[k]]
        if negatives and max(positives) - min(negatives) + margin > 0:
            active.append(max(positives) - min(negatives) + margin)
    return torch.stack(active).mean() if active else x.sum() * 0


def distance(x: Tensor, i: int, j: int) -> Tensor:
    """Euclidean, with gradient 0 where it is 0."""
    return x.sum() * 0 if torch.equal(x[i], x[j]) else (x[i] - x[j]).norm()


@given(
    labels=st.lists(st.integers(0, 3), min_size=1, max_size=9),
    margin=st.sampled_from([0.0, 0.2, 5.0]),
    spread=st.sampled_from([0.0, 0.05, 1.0]),
    seed=st.integers(0, 1000),
)
def test_equals_nested_loops(labels: list[int], margin: float, spread: float, seed: int) -> None:
    """Also identities of unequal size or one sequence, one identity alone, equal embeddings, and no active triplet."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(len(labels), 2, 3, generator=generator, dtype=torch.float64) * spread
    x[:, 1, :2] = 0  # the second part has many nearly equal distances
    for naive, loss in ((all_of, TripletLoss(margin=margin)), (hard, TripletLoss(margin=margin, hard=True))):
        ours, theirs = x.clone().requires_grad_(), x.clone().requires_grad_()
        values, _ = loss(ours, torch.tensor(labels))
        expected = torch.stack([naive(theirs[:, part], labels, margin) for part in range(2)])
        torch.testing.assert_close(values, expected, rtol=1e-6, atol=1e-9)
        (grad,) = torch.autograd.grad(values.sum(), ours)
        (expected_grad,) = torch.autograd.grad(expected.sum(), theirs)
        torch.testing.assert_close(grad, expected_grad, rtol=1e-5, atol=1e-7)


def test_figures() -> None:
    labels = [0, 0, 1, 1, 1, 2]
    x = torch.randn(6, 2, 4, generator=torch.Generator().manual_seed(0))
    values, figures = TripletLoss(margin=0.2)(x, torch.tensor(labels))
    loops = [batch_all(x[:, part], labels, 0.2) for part in range(2)]
    distances = torch.stack([torch.cdist(x[:, part], x[:, part]).mean() for part in range(2)])
    expected = {
        "loss": sum(loss.item() for loss, _, _ in loops) / 2,
        "hard_loss": sum(max(active).item() for _, active, _ in loops) / 2,
        "loss_num": sum(len(active) for _, active, _ in loops) / 2,
        "mean_dist": distances.mean().item(),
        "active": sum(len(active) / num for _, active, num in loops) / 2,
    }
    assert {name: figure.item() for name, figure in figures.items()} == pytest.approx(expected, rel=1e-5)
    assert values.shape == (2,)
    assert not any(figure.requires_grad for figure in figures.values())


@pytest.mark.parametrize("hard", [False, True])
def test_equal_embeddings_give_the_margin_and_a_finite_gradient(hard: bool) -> None:
    x = torch.ones(4, 3, 5, requires_grad=True)
    values, figures = TripletLoss(margin=0.2, hard=hard)(x, torch.tensor([0, 0, 1, 1]))
    torch.testing.assert_close(values, torch.full((3,), 0.2))
    assert figures["active"] == 1
    (grad,) = torch.autograd.grad(values.sum(), x)
    assert not grad.any()


@pytest.mark.parametrize("hard", [False, True])
def test_far_identities_give_exactly_nothing(hard: bool) -> None:
    labels = torch.tensor([0, 0, 1, 1])
    x = (labels[:, None, None] * 10.0).expand(4, 2, 3).clone().requires_grad_()
    values, figures = TripletLoss(margin=0.2, hard=hard)(x, labels)
    assert not values.any()
    assert figures["active"] == figures["hard_loss"] == 0
    (grad,) = torch.autograd.grad(values.sum(), x)
    assert not grad.any()


@pytest.mark.parametrize("hard", [False, True])
def test_one_identity_alone_has_no_triplet(hard: bool) -> None:
    x = torch.randn(3, 2, 4, requires_grad=True)
    values, figures = TripletLoss(hard=hard)(x, torch.tensor([7, 7, 7]))
    assert not values.any()
    assert figures["loss_num"] == figures["active"] == 0
    assert all(torch.isfinite(figure) for figure in figures.values())


def test_parts_do_not_see_each_other() -> None:
    x, labels = torch.randn(6, 3, 4), torch.tensor([0, 0, 1, 1, 2, 2])
    together = TripletLoss()(x, labels)[0]
    alone = torch.cat([TripletLoss()(x[:, part : part + 1], labels)[0] for part in range(3)])
    torch.testing.assert_close(together, alone)


def test_a_batch_of_published_size_with_few_active_triplets_keeps_its_digits_in_float32() -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(128) // 16
    x = torch.randn(8, 1, 32, generator=generator)[labels] * 1.5 + torch.randn(128, 1, 32, generator=generator)
    values, figures = TripletLoss(margin=0.2)(x, labels)
    exact, exact_figures = TripletLoss(margin=0.2)(x.double(), labels)
    assert 0 < figures["active"] < 0.01
    assert figures["loss_num"] == exact_figures["loss_num"]
    torch.testing.assert_close(values.double(), exact, rtol=1e-4, atol=0)


def test_non_finite_embeddings_give_a_non_finite_loss() -> None:
    for bad in (torch.nan, torch.inf):
        x = torch.randn(4, 1, 3)
        x[2, 0, 1] = bad
        assert not torch.isfinite(TripletLoss()(x, torch.tensor([0, 0, 1, 1]))[0]).any()


def test_embeddings_far_from_the_origin_keep_their_digits_in_float32() -> None:
    generator = torch.Generator().manual_seed(0)
    x, labels = 100 + torch.randn(12, 4, 32, generator=generator), torch.arange(12) // 3
    values, figures = TripletLoss(margin=0.2)(x, labels)
    exact, exact_figures = TripletLoss(margin=0.2)(x.double(), labels)
    assert figures["loss_num"] == exact_figures["loss_num"]
    torch.testing.assert_close(values.double(), exact, rtol=1e-5, atol=0)
