"""Supervised contrastive losses, separately for every part: each sequence among all others of its batch.

"Supervised Contrastive Learning", Khosla et al., 2020, arXiv 2004.11362. Several views of a sequence are rows of their
own with the same label, in any order.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

BASE_TEMPERATURE = 0.07
"""The published loss is multiplied by `temperature / BASE_TEMPERATURE`; learning rates were chosen with it."""


class SupConLoss(nn.Module):
    """How badly the dot product tells a row's own identity from the others (published as `SupConLoss_Re`).

    With similarities s = x·x / temperature, a row i costs the mean over the other rows j of its identity of
    `log Σ_{k≠i} exp s_ik - s_ij`, times `temperature / 0.07`. The loss is the mean over rows that have such a j, 0
    when none has; the published code gives no number as soon as one has none.

    Args:
        temperature: What similarities are divided by.
        weight: Factor in the sum of losses.
        on: Which output of the model it works on; it is taken as it is, so models give vectors of length 1.

    Shapes: embeddings `(n, p, d)`, labels `(n,)`; returns values `(p,)` and figures.
    """

    pairwise: ClassVar[bool] = True

    def __init__(self, *, temperature: float = 0.01, weight: float = 1.0, on: str = "embeddings") -> None:
        super().__init__()
        self.temperature, self.weight, self.on = _checked(temperature, "SupConLoss"), weight, on

    def forward(self, embeddings: Tensor, labels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss per part `(p,)` and the figures `loss` and `active`, the share of rows that count."""
        x = embeddings.transpose(0, 1)  # (p, n, d)
        positive = _positive_pairs(labels)
        costs = _costs(x @ x.transpose(1, 2) / self.temperature, positive) * (self.temperature / BASE_TEMPERATURE)
        return _mean(costs, positive.any(1).expand_as(costs))


class SupConDistanceLoss(nn.Module):
    """The same with Euclidean distances of vectors of length 1 (published as `SupConLoss_Lp`).

    Similarities are s = -‖x̂_i - x̂_j‖ / temperature of the normalised rows; there is no further factor, and the loss
    is the mean over rows that cost more than 0. It is 0 when the batch has no two rows of one identity, or no two of
    different ones, as in the library pytorch-metric-learning.

    Args:
        temperature: What distances are divided by.
        weight: Factor in the sum of losses.
        on: Which output of the model it works on; it need not be normalised.

    Shapes: embeddings `(n, p, d)`, labels `(n,)`; returns values `(p,)` and figures.
    """

    pairwise: ClassVar[bool] = True

    def __init__(self, *, temperature: float = 0.01, weight: float = 1.0, on: str = "embeddings") -> None:
        super().__init__()
        self.temperature, self.weight, self.on = _checked(temperature, "SupConDistanceLoss"), weight, on

    def forward(self, embeddings: Tensor, labels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss per part `(p,)` and the figures `loss` and `active`, the share of rows that count."""
        x = functional.normalize(embeddings.transpose(0, 1), dim=2)  # (p, n, d)
        # from differences: a rounding error of a product of matrices is large beside a small distance and temperature
        distances = torch.cdist(x, x, compute_mode="donot_use_mm_for_euclid_dist")
        costs = _costs(-distances / self.temperature, _positive_pairs(labels))
        comparable = (labels != labels[:1]).any()  # whether there are two identities
        return _mean(costs, (costs > 0) & comparable)


def _positive_pairs(labels: Tensor) -> Tensor:
    """`(n, n)` bool: other rows of the same identity."""
    same = labels[:, None] == labels[None, :]
    return same & ~torch.eye(len(labels), dtype=torch.bool, device=labels.device)


def _costs(similarities: Tensor, positive: Tensor) -> Tensor:
    """What each row costs, `(p, n)`, from `(p, n, n)`; 0 for a row without a positive.

    Without itself a row's sum can't underflow, however small the temperature: exponents count from the largest one.
    """
    itself = torch.eye(len(positive), dtype=torch.bool, device=positive.device)
    among = similarities.masked_fill(itself, -torch.inf).logsumexp(2, keepdim=True)
    shares = (among - similarities).masked_fill(~positive, 0)
    return shares.sum(2) / positive.sum(1).clamp(min=1)


def _mean(costs: Tensor, counted: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """The mean over the rows that count, per part, and the figures."""
    loss = costs.masked_fill(~counted, 0).sum(1) / counted.sum(1).clamp(min=1)
    figures = {"loss": loss.mean(), "active": counted.to(loss.dtype).mean()}
    return loss, {name: figure.detach() for name, figure in figures.items()}


def _checked(temperature: float, loss: str) -> float:
    if temperature <= 0:
        raise ValueError(f"{loss}: temperature is {temperature}, expected more than 0")
    return temperature
