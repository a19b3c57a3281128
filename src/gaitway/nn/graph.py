"""Graphs of joints as constant matrices."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor


def hop_distances(num_joints: int, edges: Iterable[tuple[int, int]]) -> Tensor:
    """Edges on the shortest path between any two joints, `(v, v)` float32; infinite where there is none."""
    distances = torch.full((num_joints, num_joints), torch.inf)
    distances.fill_diagonal_(0)
    for a, b in edges:
        distances[a, b] = distances[b, a] = 1
    for via in range(num_joints):  # Floyd and Warshall
        distances = torch.minimum(distances, distances[:, via, None] + distances[None, via, :])
    return distances


def adjacency(num_joints: int, edges: Iterable[tuple[int, int]], *, max_hop: int) -> Tensor:
    """The share that joint i has in joint j, a matrix per distance between them.

    A joint's neighbours up to `max_hop` edges away, itself included, have equal shares that add up to 1; entry
    `[h, i, j]` holds the share where i and j are h edges apart, else 0. So all matrices depend on `max_hop`.
    ST-GCN's partition by distance (arXiv 1801.07455), normalised over all distances together.

    Returns:
        `(max_hop + 1, v, v)`, float32; features `x[..., v]` are multiplied from the left, `x @ A[h]`.
    """
    distances = hop_distances(num_joints, edges)
    near = (distances <= max_hop).float()
    shares = near / near.sum(0, keepdim=True)
    return torch.where(distances == torch.arange(max_hop + 1).view(-1, 1, 1), shares, 0.0)


def same_part(num_joints: int, parts: Iterable[Sequence[int]]) -> Tensor:
    """`(v, v)` float32: 1 where two joints are in the same part, else 0."""
    mask = torch.zeros(num_joints, num_joints)
    for part in parts:
        members = torch.tensor(list(part))
        mask[members[:, None], members] = 1
    return mask
