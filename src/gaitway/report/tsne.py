"""t-SNE: a map of points in the plane in which neighbours stay neighbours.

"Visualizing Data using t-SNE", van der Maaten and Hinton, JMLR 9, 2008. The exact form, for at most a few thousand
points; it starts from the principal coordinates instead of random places, which keeps the large-scale arrangement and
needs no seed (Kobak and Berens, "The art of using t-SNE for single-cell transcriptomics", 2019).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

NUM_STEPS, NUM_EXAGGERATED = 500, 150
EXAGGERATION = 12.0


@torch.no_grad()
def tsne(distances: Tensor, *, perplexity: float = 30.0) -> Tensor:
    """Lay out n points in the plane.

    Args:
        distances: `(n, n)`, symmetric.
        perplexity: About how many neighbours a point has; lowered to a third of the points when there are few.

    Returns:
        `(n, 2)` float32, around the origin.

    Raises:
        ValueError: when there are fewer than 4 points.
    """
    n = len(distances)
    if n < 4:
        raise ValueError(f"a map of {n} points shows nothing; give at least 4")
    target = joint_probabilities(distances, min(perplexity, (n - 1) / 3))
    places = principal_coordinates(distances)
    places = places / places[:, 0].std().clamp(min=1e-12) * 1e-4
    velocity, gains = torch.zeros_like(places), torch.ones_like(places)
    rate = max(n / EXAGGERATION / 4, 50.0)
    for step in range(NUM_STEPS):
        exaggerated = step < NUM_EXAGGERATED
        norms = places.square().sum(1, keepdim=True)
        similarity = torch.addmm(1 + norms + norms.T, places, places.T, alpha=-2).reciprocal_()  # 1 / (1 + |x - y|²)
        similarity.fill_diagonal_(0)
        force = target * (EXAGGERATION if exaggerated else 1.0)
        force.sub_(similarity, alpha=1 / float(similarity.sum())).mul_(similarity)
        gradient = 4 * (force.sum(1, keepdim=True) * places - force @ places)
        gains = torch.where(gradient.sign() != velocity.sign(), gains + 0.2, gains * 0.8).clamp(min=0.01)
        velocity = (0.5 if exaggerated else 0.8) * velocity - rate * gains * gradient
        places = places + velocity
        places = places - places.mean(0)
    return places


def joint_probabilities(distances: Tensor, perplexity: float) -> Tensor:
    """The symmetric neighbour probabilities `(n, n)` of points with these `distances`; they add up to 1.

    Each point's Gaussian has the width at which the distribution of its neighbours has the wanted perplexity, found by
    bisection for all points at once.
    """
    n = len(distances)
    squared = distances.square()
    squared = squared / squared.mean().clamp(min=1e-30)
    self_pair = torch.eye(n, dtype=torch.bool)
    low, high = squared.new_full((n, 1), -20.0), squared.new_full((n, 1), 30.0)  # log of the inverse width
    for _ in range(40):
        middle = (low + high) / 2
        logits = (-squared * middle.exp()).masked_fill_(self_pair, -torch.inf)
        log_probabilities = logits.log_softmax(1)
        probabilities = log_probabilities.exp()
        entropy = -probabilities.mul(log_probabilities.masked_fill_(self_pair, 0)).sum(1, keepdim=True)
        too_wide = entropy > math.log(perplexity)
        low, high = torch.where(too_wide, middle, low), torch.where(too_wide, high, middle)
    return (probabilities + probabilities.T) / (2 * n)


def principal_coordinates(distances: Tensor) -> Tensor:
    """The two principal coordinates `(n, 2)` of points with these `distances` (classical scaling)."""
    squared = distances.double().square()
    centred = -0.5 * (squared - squared.mean(0) - squared.mean(1, keepdim=True) + squared.mean())
    values, vectors = torch.linalg.eigh(centred)
    vectors = vectors[:, -2:].flip(1)
    vectors = vectors * torch.where(vectors.sum(0) < 0, -1.0, 1.0)  # eigenvectors come with either sign
    coordinates: Tensor = vectors * values[-2:].flip(0).clamp(min=0).sqrt()
    return coordinates.float()
