"""Cross-entropy with a margin that multiplies the angle.

"SphereFace: Deep Hypersphere Embedding for Face Recognition", Liu et al., CVPR 2017, arXiv 1704.08063.
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gaitway.losses.cross_entropy import CrossEntropyLoss


class SphereFaceLoss(nn.Module):
    """A normalised classifier per part and its cross-entropy, with the angle to the true class multiplied.

    A class's score is the length of the embedding times the cosine of its angle to the class. Since that takes the
    length, the classifier is part of the loss and the model needs none; a run saves it beside the model's weights.
    For the true class, `(λ cos(angle) + ψ(angle)) / (λ + 1)` takes the place of the cosine. ψ falls from 1 to
    1 - 2·margin as the angle grows from 0 to π, at first as `cos(margin · angle)`. λ is `1000 / (1 + 0.12 t)` in
    training step t, counted from 1, and at least 5.

    Args:
        num_classes: Number of training subjects k.
        num_parts: Parts p of the embeddings.
        in_features: Width d of the embeddings.
        margin: Factor on the angle.
        weight: Factor in the sum of losses.
        on: Which output of the model it works on.

    Shapes: embeddings `(n, p, d)`, labels `(n,)`; returns values `(p,)` and figures. `classifier` is `(p, d, k)`.
    """

    pairwise: ClassVar[bool] = False

    def __init__(
        self,
        *,
        num_classes: int,
        num_parts: int,
        in_features: int,
        margin: int = 4,
        weight: float = 1.0,
        on: str = "embeddings",
    ) -> None:
        super().__init__()
        if margin < 1:
            raise ValueError(f"SphereFaceLoss: margin is {margin}, expected a whole number from 1")
        self.margin, self.weight, self.on = margin, weight, on
        bound = math.sqrt(6 / (in_features + num_classes))  # Xavier
        self.classifier = nn.Parameter(torch.empty(num_parts, in_features, num_classes).uniform_(-bound, bound))
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))
        self.cross_entropy = CrossEntropyLoss(scale=1.0, label_smoothing=0.0)

    steps: Tensor  # how often it was called in training

    @property
    def share_of_cosine(self) -> Tensor:
        """λ, in the step of the last call."""
        return (1000 / (1 + 0.12 * self.steps.double())).clamp(min=5)

    def forward(self, embeddings: Tensor, labels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss per part `(p,)` and the figures `loss` and `accuracy`, both with the margin."""
        if self.training:
            self.steps += 1
        values: tuple[Tensor, dict[str, Tensor]] = self.cross_entropy(self.scores(embeddings, labels), labels)
        return values

    def scores(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """The scores `(n, p, k)`, those of the true classes with the margin.

        Raises:
            ValueError: when the embeddings are not of the classifier's shape.
        """
        expected = tuple(self.classifier.shape[:2])
        if embeddings.shape[1:] != expected:
            raise ValueError(
                f"SphereFaceLoss is for embeddings of {expected[0]} parts × {expected[1]}, the model gives "
                f"{embeddings.shape[1]} × {embeddings.shape[2]}; set its num_parts and in_features to these"
            )
        directions = F.normalize(embeddings, dim=2).transpose(0, 1)  # (p, n, d)
        cosines = torch.bmm(directions, F.normalize(self.classifier, dim=1)).transpose(0, 1).clamp(-1, 1)
        true_class = labels[:, None, None].expand(-1, cosines.shape[1], 1)  # (n, p, 1)
        cosine = cosines.gather(2, true_class)
        pulled = (self._psi(cosine) - cosine) / (1 + self.share_of_cosine.to(cosine.dtype))
        length: Tensor = torch.linalg.vector_norm(embeddings, dim=2, keepdim=True)  # (n, p, 1)
        return cosines.scatter_add(2, true_class, pulled) * length

    def _psi(self, cosine: Tensor) -> Tensor:
        before, multiple = torch.ones_like(cosine), cosine
        for _ in range(self.margin - 1):  # the cosine of a multiple of the angle, with a finite derivative everywhere
            before, multiple = multiple, 2 * cosine * multiple - before
        half_turns = (self.margin * cosine.detach().arccos() / math.pi).floor()
        return torch.where(half_turns % 2 == 0, multiple, -multiple) - 2 * half_turns
