from __future__ import annotations

import pytest
import torch
from torch import Tensor

from gaitway.losses import CrossEntropyLoss


def by_the_formula(logits: Tensor, labels: Tensor, scale: float, smoothing: float) -> Tensor:
    """Loss per part."""
    n, p, k = logits.shape
    values = torch.zeros(p, dtype=logits.dtype)
    for part in range(p):
        for i in range(n):
            scores = scale * logits[i, part]
            log_probabilities = scores - scores.exp().sum().log()
            target = torch.full((k,), smoothing / k, dtype=logits.dtype)
            target[labels[i]] += 1 - smoothing
            values[part] += -(target * log_probabilities).sum() / n
    return values


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("scale", [1.0, 16.0])
def test_equals_the_formula(scale: float, smoothing: float) -> None:
    logits = torch.randn(5, 3, 7, dtype=torch.float64).clamp(-1, 1).requires_grad_()
    labels = torch.tensor([0, 6, 3, 3, 1])
    loss = CrossEntropyLoss(scale=scale, label_smoothing=smoothing)
    values, figures = loss(logits, labels)
    expected = by_the_formula(logits, labels, scale, smoothing)
    torch.testing.assert_close(values, expected)
    assert figures["loss"].item() == pytest.approx(expected.mean().item())
    (grad,) = torch.autograd.grad(values.mean(), logits)
    (expected_grad,) = torch.autograd.grad(expected.mean(), logits)
    torch.testing.assert_close(grad, expected_grad)
    assert not any(figure.requires_grad for figure in figures.values())


def test_accuracy_counts_sequences_and_parts() -> None:
    logits = torch.zeros(2, 2, 3)
    logits[0, 0, 2] = logits[0, 1, 2] = logits[1, 0, 1] = logits[1, 1, 0] = 1  # the last one is wrong
    _, figures = CrossEntropyLoss()(logits, torch.tensor([2, 1]))
    assert figures["accuracy"] == 0.75
