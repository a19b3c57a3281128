from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from gaitway.losses import CosFaceLoss


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equals_the_formula(dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(0)
    cosines = (torch.rand(4, 2, 5, generator=generator, dtype=dtype) * 2 - 1).requires_grad_()
    labels = torch.tensor([4, 0, 2, 2])
    values, figures = CosFaceLoss(margin=0.35, scale=10)(cosines, labels)
    logits = 10 * (cosines - 0.35 * F.one_hot(labels, 5)[:, None])
    expected = torch.stack([F.cross_entropy(logits[:, part], labels) for part in range(2)])
    torch.testing.assert_close(values, expected)
    assert figures["accuracy"].item() == (logits.argmax(2) == labels[:, None]).double().mean()
    (gradient,) = torch.autograd.grad(values.sum(), cosines)
    (expected_gradient,) = torch.autograd.grad(expected.sum(), cosines)
    torch.testing.assert_close(gradient, expected_gradient)


def test_a_margin_makes_it_harder() -> None:
    cosines, labels = torch.eye(3)[:, None], torch.arange(3)
    without, _ = CosFaceLoss(margin=0)(cosines, labels)
    _, figures = CosFaceLoss(margin=1.5)(cosines, labels)
    assert figures["loss"] > without
    assert figures["accuracy"] == 0
