"""Layers with separate weights for every part."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class PartLinear(nn.Module):
    """One bias-free linear layer per part ("separate fully connected").

    Args:
        num_parts: Number of parts p.
        in_features: Width of the input.
        out_features: Width of the output.
        normalise: Divide each column of the weights by its L2 norm first, so that unit inputs give cosines.

    Shapes: `(n, p, in_features)` to `(n, p, out_features)`; `weight` is `(p, in_features, out_features)`.

    The weights start Xavier-uniform over the whole 3-D tensor, which makes them smaller than a Xavier start per part
    would; the published recipes depend on it.
    """

    def __init__(self, *, num_parts: int, in_features: int, out_features: int, normalise: bool = False) -> None:
        super().__init__()
        self.normalise = normalise
        self.weight = nn.Parameter(torch.empty(num_parts, in_features, out_features))
        nn.init.xavier_uniform_(self.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Apply each part's layer; see the class for shapes."""
        weight = F.normalize(self.weight, dim=1) if self.normalise else self.weight
        return torch.bmm(x.transpose(0, 1), weight.to(x.dtype)).transpose(0, 1)  # (n, p, out)


class BatchNormNeck(nn.Module):
    """Batch normalisation and a classifier per part (BNNeck).

    "Bag of Tricks and a Strong Baseline for Deep Person Re-identification", Luo et al., CVPR workshops 2019,
    arXiv 1903.07071, with separate statistics and classifiers for each part.

    Args:
        num_parts: Number of parts p.
        in_features: Width d of the input.
        num_classes: Number of classes k.
        normalise: L2-normalise features and classifier, so that logits are cosines.

    Shapes: `(n, p, d)` to features `(n, p, d)` and logits `(n, p, k)`. The d·p channels of `bn` are ordered
    channel·p + part, as in the published checkpoints of today.
    """

    def __init__(self, *, num_parts: int, in_features: int, num_classes: int, normalise: bool = True) -> None:
        super().__init__()
        self.normalise = normalise
        self.bn = nn.BatchNorm1d(in_features * num_parts)
        self.classifier = PartLinear(
            num_parts=num_parts, in_features=in_features, out_features=num_classes, normalise=normalise
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return features and logits; see the class for shapes."""
        x = self.normalised(x)
        return x, self.classifier(x)

    def normalised(self, x: Tensor) -> Tensor:
        """The features alone."""
        d, p = x.shape[2], x.shape[1]
        x = self.bn(x.transpose(1, 2).flatten(1)).unflatten(1, (d, p)).transpose(1, 2)  # (n, p, d)
        return F.normalize(x, dim=2) if self.normalise else x
