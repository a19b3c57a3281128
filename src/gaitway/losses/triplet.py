"""The triplet loss, separately for every part.

"In Defense of the Triplet Loss for Person Re-Identification", Hermans, Beyer and Leibe, 2017, arXiv 1703.07737.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn


class TripletLoss(nn.Module):
    """Hinge on the difference between an anchor's distances to its own identity and to others.

    Per part, with Euclidean distances D and all anchors i, positives j (same identity, i itself included) and
    negatives k: the mean of `max(0, D_ij - D_ik + margin)` over the triplets where it is not 0 (batch-all), or over
    the anchors with their farthest positive and nearest negative (`hard`). 0 when there is no such triplet.
    Identities may have any number of sequences.

    Args:
        margin: Of the hinge.
        hard: Use each anchor's hardest triplet only.
        weight: Factor in the sum of losses.
        on: Which output of the model it works on.

    Shapes: embeddings `(n, p, d)`, labels `(n,)`; returns values `(p,)` and figures.

    In the sum over triplets each distance stands as often as it is in a triplet that is not 0. These counts come from
    each anchor's sorted distances: O(n² log n) per part instead of O(n³), with the same value and gradient.
    """

    pairwise: ClassVar[bool] = True

    def __init__(self, *, margin: float = 0.2, hard: bool = False, weight: float = 1.0, on: str = "embeddings") -> None:
        super().__init__()
        self.margin, self.hard, self.weight, self.on = margin, hard, weight, on

    def forward(self, embeddings: Tensor, labels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss per part `(p,)` and the figures `loss`, `hard_loss`, `loss_num`, `mean_dist`, `active`.

        `loss_num` is the number of triplets that are not 0, `active` their share, `hard_loss` the largest one (with
        `hard` the loss itself, as published); each the mean over parts.
        """
        distances = _distances(embeddings.transpose(0, 1))  # (p, n, n)
        positive = labels[:, None] == labels[None, :]  # (n, n)
        # (p, n): the hardest triplet of each anchor, and whether it has a negative at all
        farthest = distances.masked_fill(~positive, -torch.inf).amax(2)
        nearest = distances.masked_fill(positive, torch.inf).amin(2)
        hardest = (farthest - nearest + self.margin).clamp(min=0)
        if self.hard:
            total, count = hardest.sum(1), (hardest > 0).sum(1)
            num_triplets = torch.tensor(len(labels), device=labels.device)
        else:
            total, count = _batch_all(distances, positive, self.margin)
            num_positives = positive.sum(1)
            num_triplets = (num_positives * (len(labels) - num_positives)).sum()
        loss = total / (count + 1e-9)
        figures = {
            "loss": loss.mean(),
            "hard_loss": (loss if self.hard else hardest.amax(1)).mean(),
            "loss_num": count.to(loss.dtype).mean(),
            "mean_dist": distances.mean(),
            "active": count.to(loss.dtype).mean() / num_triplets.clamp(min=1),
        }
        return loss, {name: figure.detach() for name, figure in figures.items()}


def _distances(x: Tensor) -> Tensor:
    """Euclidean distances `(p, n, n)` between rows of `(p, n, d)`, with gradient 0 at distance 0."""
    x = x - x.detach().mean(1, keepdim=True)  # the same distances, of smaller numbers that cancel less
    squares = x.square().sum(2)  # (p, n)
    squared = squares[:, :, None] + squares[:, None, :] - 2 * torch.bmm(x, x.transpose(1, 2))
    same = torch.eye(x.shape[1], dtype=torch.bool, device=x.device) | (squared <= 0)  # keeps what is not a number
    return squared.masked_fill(same, 1).sqrt().masked_fill(same, 0)


def _batch_all(distances: Tensor, positive: Tensor, margin: float) -> tuple[Tensor, Tensor]:
    """Sum and number `(p,)` of the triplets that are not 0, from distances `(p, n, n)`."""
    with torch.no_grad():
        negatives = distances.masked_fill(positive, torch.inf)
        reach = (distances + margin).masked_fill(~positive, -torch.inf)
        # for every positive the negatives within its reach, for every negative the positives that reach it
        reached = torch.searchsorted(negatives.sort(2).values, reach, out_int32=True)
        reached_by = len(positive) - torch.searchsorted(reach.sort(2).values, negatives, right=True, out_int32=True)
        count = reached.sum((1, 2))
    # a distance is in the sum as often as it is in a triplet; float64, since large sums cancel
    total = ((reached - reached_by) * distances.double()).sum((1, 2)) + margin * count.double()
    return total.to(distances.dtype), count
