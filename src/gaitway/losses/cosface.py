"""Cross-entropy with a margin on the cosine.

"CosFace: Large Margin Cosine Loss for Deep Face Recognition", Wang et al., CVPR 2018, arXiv 1801.09414.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from gaitway.losses.cross_entropy import CrossEntropyLoss


class CosFaceLoss(nn.Module):
    """Cross-entropy of cosines, with the cosine of the true class made smaller by a margin.

    It takes the cosines of a model whose classifier is normalised, in the place of `CrossEntropyLoss`; SPOSGait's
    `MarginCosineProduct` is such a classifier and this margin in one.

    Args:
        margin: Taken from the cosine.
        scale: Factor on the cosines.
        label_smoothing: Probability mass that is spread over all classes.
        weight: Factor in the sum of losses.
        on: Which output of the model it works on.

    Shapes: cosines `(n, p, k)`, labels `(n,)`; returns values `(p,)` and figures.
    """

    pairwise: ClassVar[bool] = False

    def __init__(
        self,
        *,
        margin: float = 0.4,
        scale: float = 30.0,
        label_smoothing: float = 0.0,
        weight: float = 1.0,
        on: str = "logits",
    ) -> None:
        super().__init__()
        self.margin, self.weight, self.on = margin, weight, on
        self.cross_entropy = CrossEntropyLoss(scale=scale, label_smoothing=label_smoothing)

    def forward(self, cosines: Tensor, labels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss per part `(p,)` and the figures `loss` and `accuracy`, both with the margin."""
        values: tuple[Tensor, dict[str, Tensor]] = self.cross_entropy(self.with_margin(cosines, labels), labels)
        return values

    def with_margin(self, cosines: Tensor, labels: Tensor) -> Tensor:
        """The cosines `(n, p, k)`, those of the true classes with the margin."""
        true_class = labels[:, None, None].expand(-1, cosines.shape[1], 1)  # (n, p, 1)
        margin = torch.full_like(true_class, -self.margin, dtype=cosines.dtype)
        return cosines.scatter_add(2, true_class, margin)
