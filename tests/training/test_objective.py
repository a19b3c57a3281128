"""The sum of losses, in one process; two processes are in the parity case `loss_triplet_two_ranks` and test_train."""

from __future__ import annotations

from typing import ClassVar

import pytest
import torch
from torch import Tensor, nn

from gaitway.losses import CrossEntropyLoss, TripletLoss
from gaitway.training.objective import Objective
from gaitway.types import Output


class Linear(nn.Module):
    """A model of one layer, without and with logits."""

    modalities: ClassVar[tuple[str, ...]] = ("silhouettes",)

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(6, 6)

    def forward(self, frames: Tensor, lengths: Tensor | None = None) -> Output:
        x = self.layer(frames.mean(1)).view(len(frames), 2, 3)  # (n, p, d)
        return Output(x, logits=x)


FRAMES = {"silhouettes": torch.rand(8, 4, 6, generator=torch.Generator().manual_seed(0))}
LABELS = torch.arange(8) % 3


def test_the_total_is_the_weighted_sum_of_means_over_parts() -> None:
    model = Linear()
    losses = {"triplet": TripletLoss(weight=0.5), "softmax": CrossEntropyLoss(weight=0.1)}
    total, figures = Objective(model=model, losses=losses)(FRAMES, None, LABELS)
    output = model(FRAMES["silhouettes"])
    triplet, softmax = (losses["triplet"](output.embeddings, LABELS), losses["softmax"](output.logits, LABELS))
    torch.testing.assert_close(total, 0.5 * triplet[0].mean() + 0.1 * softmax[0].mean())
    assert figures["loss"] == total
    assert figures["triplet/loss"] == triplet[1]["loss"]  # without the weight
    assert figures["softmax/accuracy"] == softmax[1]["accuracy"]
    assert not any(figure.requires_grad for figure in figures.values())


def test_losses_see_float32_under_autocast() -> None:
    seen: list[torch.dtype] = []

    class Watching(CrossEntropyLoss):
        def forward(self, logits: Tensor, labels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
            seen.append((logits @ logits.mT).dtype)  # a product would be in bfloat16 under autocast
            return super().forward(logits, labels)

    with torch.autocast("cpu", torch.bfloat16):
        total, _ = Objective(model=Linear(), losses={"softmax": Watching()})(FRAMES, None, LABELS)
    assert seen == [torch.float32]
    assert total.dtype == torch.float32


def test_float64_stays_float64() -> None:
    frames = {"silhouettes": FRAMES["silhouettes"].double()}
    total, _ = Objective(model=Linear().double(), losses={"triplet": TripletLoss()})(frames, None, LABELS)
    assert total.dtype == torch.float64


def test_a_loss_that_asks_for_what_the_model_does_not_give() -> None:
    objective = Objective(model=Linear(), losses={"x": TripletLoss(on="silhouette_logits")})
    with pytest.raises(ValueError, match="gives no 'silhouette_logits'; it gives embeddings, logits"):
        objective(FRAMES, None, LABELS)
