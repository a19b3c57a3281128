"""Distances between embeddings `(n, p, d)`, always in float32, in blocks.

An instance is made for a gallery and called with probes: what depends on the gallery alone is computed once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

PROBES_PER_BLOCK = 256  # probes that are compared and ranked at once
GALLERY_PER_TILE = 512  # gallery sequences whose distances to a block, part by part, are in memory at once
CLOSE = 0.03  # relative distance below which the expanded form is not exact enough in float32


class EuclideanDistance:
    """Mean over parts of the Euclidean distance per part (not the distance of the concatenated parts).

    The distances come from the expanded form `|x|² + |y|² - 2xy`, one matrix product per part. Its rounding error
    grows with the norms, so the gallery's mean is subtracted from both sides first, and pairs that are still close
    for their norms (duplicates) are computed again directly.

    Args:
        gallery: `(g, p, d)`.
    """

    def __init__(self, gallery: Tensor) -> None:
        num_gallery, num_parts, width = gallery.shape
        self.centre = gallery.mean(0, dtype=torch.float32)  # (p, d)
        # [-2x, |x|², 1] · [y, 1, |y|²] = |x - y|²
        expanded = gallery.new_ones(num_gallery, num_parts, width + 2, dtype=torch.float32)
        torch.sub(gallery, self.centre, out=expanded[..., :width])
        norms = torch.linalg.vector_norm(expanded[..., :width], dim=-1)  # (g, p)
        expanded[..., -1] = norms.square()
        self.expanded = expanded.transpose(0, 1)  # (p, g, d + 2)
        self.radius = norms.mean(1)  # (g)

    def __call__(self, probes: Tensor) -> Tensor:
        """Distances `(n, g)` of the probes `(n, p, d)`, which should be few; see `pairwise_distance`."""
        probes = probes.float() - self.centre
        norms = torch.linalg.vector_norm(probes, dim=-1, keepdim=True)  # (n, p, 1)
        radius = norms.mean((1, 2))  # (n)
        expanded = torch.cat((-2 * probes, norms.square(), torch.ones_like(norms)), -1).transpose(0, 1)  # (p, n, d + 2)
        distances = probes.new_empty(len(probes), len(self.radius))
        tiles = zip(
            torch.split(distances, GALLERY_PER_TILE, 1),
            torch.split(self.expanded, GALLERY_PER_TILE, 1),
            torch.split(self.radius, GALLERY_PER_TILE),
            strict=True,
        )
        with _float32(probes.device):
            for tile, gallery, gallery_radius in tiles:
                torch.mean(torch.bmm(expanded, gallery.mT).clamp_(min=0).sqrt_(), 0, out=tile)
                close = tile < CLOSE * (radius.unsqueeze(1) + gallery_radius)
                if close.any():
                    rows, columns = close.any(1).nonzero().squeeze(1), close.any(0).nonzero().squeeze(1)
                    x, y = probes[rows].transpose(0, 1), gallery[:, columns, : probes.shape[-1]]
                    direct = torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist").mean(0)
                    tile[rows.unsqueeze(1), columns] = direct
        return distances


class CosineDistance:
    """One minus the mean over parts of the cosine similarity per part; a part of zeros is similar to nothing.

    Args:
        gallery: `(g, p, d)`.
    """

    def __init__(self, gallery: Tensor) -> None:
        self.normalised = F.normalize(gallery.float(), dim=-1).flatten(1)  # (g, p·d)
        self.num_parts = gallery.shape[1]

    def __call__(self, probes: Tensor) -> Tensor:
        """Distances `(n, g)` of the probes `(n, p, d)`."""
        with _float32(probes.device):
            similarity = F.normalize(probes.float(), dim=-1).flatten(1) @ self.normalised.mT
        return 1 - similarity / self.num_parts


DISTANCES: Mapping[str, Callable[[Tensor], Callable[[Tensor], Tensor]]] = {
    "euclidean": EuclideanDistance,
    "cosine": CosineDistance,
}
"""Distances by name: called with a gallery, each gives a function of probes."""


def distance_to(gallery: Tensor, distance: str = "euclidean") -> Callable[[Tensor], Tensor]:
    """The function that gives the distances `(n, g)` of probes `(n, p, d)` to `gallery` `(g, p, d)`.

    Raises:
        ValueError: when there is no such distance.
    """
    if distance not in DISTANCES:
        raise ValueError(f"no distance {distance!r}; known: {', '.join(DISTANCES)}")
    return DISTANCES[distance](gallery)


@torch.no_grad()
def pairwise_distance(probes: Tensor, gallery: Tensor, distance: str = "euclidean") -> Tensor:
    """All distances `(n, g)` between probes `(n, p, d)` and gallery `(g, p, d)`.

    Raises:
        ValueError: when there is no such distance, or when the embeddings do not fit each other.
    """
    if probes.ndim != 3 or gallery.ndim != 3 or probes.shape[1:] != gallery.shape[1:]:
        raise ValueError(
            f"probes {tuple(probes.shape)} and gallery {tuple(gallery.shape)} cannot be compared; both must be "
            "(n, p, d) with the same p and d, from the same model"
        )
    to_gallery = distance_to(gallery, distance)
    return torch.cat([to_gallery(block) for block in torch.split(probes, PROBES_PER_BLOCK)])


@contextmanager
def _float32(device: torch.device) -> Iterator[None]:
    """Matrix products in full float32, whatever training has set (autocast, TF32)."""
    backends: tuple[Any, ...] = (torch.backends.cuda, torch.backends.mkldnn)
    before = [backend.matmul.fp32_precision for backend in backends]
    try:
        for backend in backends:
            backend.matmul.fp32_precision = "ieee"
        with torch.autocast(device.type, enabled=False):
            yield
    finally:
        for backend, precision in zip(backends, before, strict=True):
            backend.matmul.fp32_precision = precision
