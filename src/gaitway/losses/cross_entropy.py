"""Cross-entropy of identity classifiers, separately for every part."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional as F


class CrossEntropyLoss(nn.Module):
    """Softmax cross-entropy of scaled logits with label smoothing.

    Label smoothing: "Rethinking the Inception Architecture for Computer Vision", Szegedy et al., CVPR 2016,
    arXiv 1512.00567; the scale is that of normalised softmax, arXiv 1704.06369.

    Args:
        scale: Factor on the logits, which are cosines in most models.
        label_smoothing: Probability mass that is spread over all classes.
        weight: Factor in the sum of losses.
        on: Which output of the model it works on.

    Shapes: logits `(n, p, k)`, labels `(n,)`; returns values `(p,)` and figures.
    """

    pairwise: ClassVar[bool] = False

    def __init__(
        self, *, scale: float = 16.0, label_smoothing: float = 0.1, weight: float = 1.0, on: str = "logits"
    ) -> None:
        super().__init__()
        self.scale, self.label_smoothing, self.weight, self.on = scale, label_smoothing, weight, on

    def forward(self, logits: Tensor, labels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss per part `(p,)` and the figures `loss` and `accuracy` (means over parts)."""
        n, p, _ = logits.shape
        targets = labels.repeat_interleave(p)  # (n·p,)
        rows = F.cross_entropy(
            self.scale * logits.flatten(0, 1), targets, label_smoothing=self.label_smoothing, reduction="none"
        )
        loss = rows.view(n, p).mean(0)
        accuracy = (logits.detach().argmax(2) == labels[:, None]).to(loss.dtype).mean()
        return loss, {"loss": loss.detach().mean(), "accuracy": accuracy}
