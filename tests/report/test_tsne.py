from __future__ import annotations

import pytest
import torch

from gaitway.report.tsne import joint_probabilities, principal_coordinates, tsne


def clusters(num: int, size: int) -> torch.Tensor:
    """`num` groups of `size` points in 10 dimensions."""
    generator = torch.Generator().manual_seed(0)
    centres = 6 * torch.randn(num, 1, 10, generator=generator)
    return (centres + torch.randn(num, size, 10, generator=generator)).flatten(0, 1)


def test_neighbours_stay_neighbours() -> None:
    points = clusters(8, 15)
    places = tsne(torch.cdist(points, points), perplexity=10)
    assert places.shape == (120, 2)
    assert places.isfinite().all()
    nearest = torch.cdist(places, places).fill_diagonal_(torch.inf).argmin(1)
    assert ((nearest // 15) == (torch.arange(120) // 15)).float().mean() > 0.95


def test_same_input_gives_the_same_map() -> None:
    points = clusters(3, 10)
    distances = torch.cdist(points, points)
    assert torch.equal(tsne(distances), tsne(distances))


def test_every_point_has_the_wanted_perplexity() -> None:
    points = clusters(2, 20)
    squared = torch.cdist(points, points).square()
    joint = joint_probabilities(squared.sqrt(), perplexity=8.0)
    assert torch.equal(joint, joint.T)
    assert float(joint.sum()) == pytest.approx(1, abs=1e-5)
    # naive, point by point: bisect the width, then symmetrise
    rows = []
    for i in range(40):
        low, high = 1e-6, 1e6
        others = torch.arange(40) != i
        for _ in range(100):
            beta = (low * high) ** 0.5
            p = torch.zeros(40, dtype=torch.float64)
            p[others] = torch.softmax(-squared[i, others].double() * beta, 0)
            entropy = float(torch.special.entr(p).sum())
            low, high = (beta, high) if entropy > torch.log(torch.tensor(8.0)) else (low, beta)
        rows.append(p)
    naive = torch.stack(rows)
    torch.testing.assert_close(joint.double(), (naive + naive.T) / 80, rtol=1e-3, atol=1e-7)


def test_principal_coordinates_recover_a_plane() -> None:
    plane = torch.randn(12, 2, generator=torch.Generator().manual_seed(1))
    distances = torch.cdist(plane, plane)
    found = principal_coordinates(distances)
    torch.testing.assert_close(torch.cdist(found, found), distances, rtol=1e-3, atol=1e-3)


def test_duplicates_do_no_harm() -> None:
    points = clusters(2, 6)
    points[1] = points[0]
    assert tsne(torch.cdist(points, points, compute_mode="donot_use_mm_for_euclid_dist")).isfinite().all()
    assert tsne(torch.zeros(6, 6)).isfinite().all()


def test_too_few_points_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least 4"):
        tsne(torch.zeros(3, 3))
