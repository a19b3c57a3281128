"""The gait energy image: the mean silhouette, the oldest appearance feature of the field.

"Individual Recognition Using Gait Energy Image", Han and Bhanu, TPAMI 28(2), 2006.
"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from gaitway.models.silhouettes import as_maps
from gaitway.types import Output


class GaitEnergyImage(nn.Module):
    """The mean of a sequence's silhouettes as its embedding; nothing to train, a floor to compare with.

    Shapes: silhouettes `(n, t, h, w)`, or `(sum of lengths, h, w)` with `lengths` `(n,)`; embeddings `(n, 1, h·w)`.
    """

    modalities: ClassVar[tuple[str, ...]] = ("silhouettes",)

    def forward(self, silhouettes: Tensor, lengths: Tensor | None = None, *, logits: bool | None = None) -> Output:
        """Average each sequence; see the class for shapes. There is no classifier, `logits` changes nothing."""
        x, time = as_maps(silhouettes, lengths)
        return Output(time.mean(x).flatten(2))  # (n, 1, h·w)
