"""GaitSet against itself written down without any reformulation."""

from __future__ import annotations

import torch

from gaitway.models import GaitSet
from tests.models.direct_gaitset import direct_embeddings


def test_embeddings_and_gradients_equal_the_direct_form() -> None:
    torch.manual_seed(0)
    model = GaitSet(channels=(8, 16, 16), embedding_dim=16).double()
    silhouettes = (torch.rand(2, 5, 64, 44, dtype=torch.float64) > 0.6).double()
    ours, direct = model(silhouettes).embeddings, direct_embeddings(model, silhouettes)
    torch.testing.assert_close(ours, direct)
    weights = torch.randn_like(ours)
    parameters = list(model.parameters())
    for found, expected in zip(
        torch.autograd.grad((ours * weights).sum(), parameters),
        torch.autograd.grad((direct * weights).sum(), parameters),
        strict=True,
    ):
        torch.testing.assert_close(found, expected)
