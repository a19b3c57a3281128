"""Cross-entropy with an angular margin.

"ArcFace: Additive Angular Margin Loss for Deep Face Recognition", Deng, Guo, Xue and Zafeiriou, CVPR 2019,
arXiv 1801.07698, in the form that came with SPOSGait.
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor, nn

from gaitway.losses.cross_entropy import CrossEntropyLoss


class ArcFaceLoss(nn.Module):
    """Cross-entropy of cosines, with the angle to the true class made larger by a margin.

    It takes the cosines of a model whose classifier is normalised, in the place of `CrossEntropyLoss`.

    The margin is part of the value, not of the derivative, as SPOSGait has it: the gradient with respect to the
    cosines is that of the cross-entropy where the margin has put them. So it always pulls towards the true class.

    Args:
        margin: Added to the angle, in radians.
        monotonic: Whether an angle that the margin takes beyond π stays at π. As published it goes on, and its cosine
            rises again.
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
        margin: float = 0.5,
        monotonic: bool = True,
        scale: float = 16.0,
        label_smoothing: float = 0.1,
        weight: float = 1.0,
        on: str = "logits",
    ) -> None:
        super().__init__()
        self.margin, self.monotonic, self.weight, self.on = margin, monotonic, weight, on
        self.cross_entropy = CrossEntropyLoss(scale=scale, label_smoothing=label_smoothing)

    def forward(self, cosines: Tensor, labels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss per part `(p,)` and the figures `loss` and `accuracy`, both with the margin."""
        values: tuple[Tensor, dict[str, Tensor]] = self.cross_entropy(self.with_margin(cosines, labels), labels)
        return values

    def with_margin(self, cosines: Tensor, labels: Tensor) -> Tensor:
        """The cosines `(n, p, k)`, those of the true classes with the margin."""
        true_class = labels[:, None, None].expand(-1, cosines.shape[1], 1)  # (n, p, 1)
        cosine = cosines.detach().gather(2, true_class)
        angle = cosine.clamp(-1, 1).arccos() + self.margin  # rounding makes cosines of up to 1.0000001
        if self.monotonic:
            angle = angle.clamp(max=math.pi)
        return cosines.scatter_add(2, true_class, torch.cos(angle) - cosine)
