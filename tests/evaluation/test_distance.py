from __future__ import annotations

import pytest
import torch
from torch import Tensor

from gaitway.evaluation.distance import GALLERY_PER_TILE, PROBES_PER_BLOCK, pairwise_distance


def random_embeddings(n: int, p: int = 3, d: int = 8, *, seed: int = 0, offset: float = 0.0) -> Tensor:
    return torch.randn(n, p, d, generator=torch.Generator().manual_seed(seed)) + offset


def naive_euclidean(x: Tensor, y: Tensor) -> Tensor:
    differences = x.double()[:, None] - y.double()[None]  # (n, g, p, d)
    return differences.square().sum(-1).sqrt().mean(-1)


def naive_cosine(x: Tensor, y: Tensor) -> Tensor:
    similarity = torch.nn.functional.cosine_similarity(x.double()[:, None], y.double()[None], dim=-1, eps=1e-12)
    return 1 - similarity.mean(-1)


@pytest.mark.parametrize(("distance", "naive"), [("euclidean", naive_euclidean), ("cosine", naive_cosine)])
@pytest.mark.parametrize(("n", "g"), [(1, 1), (7, 5), (PROBES_PER_BLOCK + 3, GALLERY_PER_TILE + 2)])
def test_equals_the_definition_in_float64(distance: str, naive: object, n: int, g: int) -> None:
    assert callable(naive)
    x, y = random_embeddings(n, seed=1), random_embeddings(g, seed=2)
    found = pairwise_distance(x, y, distance)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), naive(x, y), rtol=1e-5, atol=1e-6)


def test_euclidean_is_the_mean_over_parts_not_the_distance_of_the_concatenation() -> None:
    x = torch.tensor([[[0.0, 0.0], [0.0, 0.0]]])
    y = torch.tensor([[[3.0, 4.0], [0.0, 1.0]]])
    assert pairwise_distance(x, y).item() == pytest.approx((5 + 1) / 2)


@pytest.mark.parametrize("num_parts", [1, 16])
def test_duplicates_have_distance_zero_and_near_duplicates_their_own(num_parts: int) -> None:
    gallery = random_embeddings(20, num_parts, 64)
    probes = gallery + 1e-4 * random_embeddings(20, num_parts, 64, seed=1)
    assert pairwise_distance(gallery, gallery).diagonal().eq(0).all()
    torch.testing.assert_close(
        pairwise_distance(probes, gallery).diagonal().double(),
        naive_euclidean(probes, gallery).diagonal(),
        rtol=1e-2,
        atol=0,
    )


def test_a_common_offset_of_all_embeddings_costs_no_precision() -> None:
    x, y = random_embeddings(6, seed=1, offset=20), random_embeddings(6, seed=2, offset=20)
    torch.testing.assert_close(pairwise_distance(x, y).double(), naive_euclidean(x, y), rtol=2e-6, atol=0)


def test_a_part_of_zeros_is_similar_to_nothing() -> None:
    x = torch.tensor([[[0.0, 0.0], [1.0, 0.0]]])
    assert pairwise_distance(x, x, "cosine").item() == pytest.approx(0.5)


@pytest.mark.parametrize("distance", ["euclidean", "cosine"])
def test_is_float32_whatever_training_has_set(distance: str) -> None:
    x, y = random_embeddings(40, 1, 512, seed=1), random_embeddings(50, 1, 512, seed=2)
    expected = pairwise_distance(x, y, distance)
    before = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision("medium")
        with torch.autocast("cpu", torch.bfloat16):
            found = pairwise_distance(x, y, distance)
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision(before)
    assert torch.equal(found, expected)


def test_half_precision_embeddings_are_compared_in_float32() -> None:
    x = random_embeddings(4).half()
    torch.testing.assert_close(pairwise_distance(x, x.flip(0)).double(), naive_euclidean(x, x.flip(0)))


def test_an_unknown_distance_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match="no distance 'manhattan'; known: euclidean, cosine"):
        pairwise_distance(random_embeddings(2), random_embeddings(2), "manhattan")


def test_embeddings_of_different_models_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match=r"probes \(2, 3, 8\) and gallery \(2, 4, 8\) cannot be compared"):
        pairwise_distance(random_embeddings(2, 3), random_embeddings(2, 4))
