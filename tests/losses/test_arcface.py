from __future__ import annotations

import math

import pytest
import torch

from gaitway.losses import ArcFaceLoss, CrossEntropyLoss


def cosines_and_labels() -> tuple[torch.Tensor, torch.Tensor]:
    cosines = torch.rand(5, 3, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 1.6 - 0.8
    return cosines.requires_grad_(), torch.tensor([0, 6, 3, 3, 1])


def test_equals_the_formula() -> None:
    cosines, labels = cosines_and_labels()
    expected = cosines.detach().clone()
    for part in range(3):
        for i, label in enumerate(labels):
            expected[i, part, label] = math.cos(math.acos(expected[i, part, label]) + 0.3)
    before = cosines.detach().clone()
    loss = ArcFaceLoss(margin=0.3, scale=8, label_smoothing=0.2)
    torch.testing.assert_close(loss.with_margin(cosines, labels), expected)
    values, figures = loss(cosines, labels)
    by_cross_entropy, _ = CrossEntropyLoss(scale=8, label_smoothing=0.2)(expected, labels)
    torch.testing.assert_close(values, by_cross_entropy)
    assert figures["loss"].item() == pytest.approx(by_cross_entropy.mean().item())
    assert torch.equal(cosines, before)


def test_the_gradient_passes_the_margin_by() -> None:
    cosines, labels = cosines_and_labels()
    loss = ArcFaceLoss()
    shifted = loss.with_margin(cosines, labels).detach().requires_grad_()
    (expected,) = torch.autograd.grad(loss.cross_entropy(shifted, labels)[0].sum(), shifted)
    (found,) = torch.autograd.grad(loss(cosines, labels)[0].sum(), cosines)
    torch.testing.assert_close(found, expected)
    assert (found.gather(2, labels[:, None, None].expand(-1, 3, 1)) < 0).all()  # towards the true class


def test_cosines_beyond_one_stay_finite() -> None:
    cosines = torch.tensor([[[1.0000001, 0.0]], [[0.0, -1.0000001]]], requires_grad=True)
    labels = torch.tensor([0, 1])
    shifted = ArcFaceLoss(margin=0.5).with_margin(cosines, labels)
    assert shifted[0, 0, 0].item() == pytest.approx(math.cos(0.5))
    assert shifted[1, 0, 1].item() == pytest.approx(-1)
    values, _ = ArcFaceLoss()(cosines, labels)
    (gradient,) = torch.autograd.grad(values.sum(), cosines)
    assert gradient.isfinite().all()


def test_beyond_pi_the_loss_does_not_fall_again_but_as_published_it_does() -> None:
    cosines, labels = torch.tensor([[[-0.9, 0.0]], [[-1.0, 0.0]]]), torch.tensor([0, 0])
    ours = ArcFaceLoss(margin=0.5).with_margin(cosines, labels)[:, 0, 0]
    published = ArcFaceLoss(margin=0.5, monotonic=False).with_margin(cosines, labels)[:, 0, 0]
    assert ours.tolist() == pytest.approx([-1, -1])
    assert published.tolist() == pytest.approx([math.cos(math.acos(-0.9) + 0.5), math.cos(math.pi + 0.5)])
