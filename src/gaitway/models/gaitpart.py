"""GaitPart: horizontal parts, and a small temporal network for each.

"GaitPart: Temporal Part-based Model for Gait Recognition", Fan et al., CVPR 2020.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gaitway.models.baseline import published_backbone_names
from gaitway.models.silhouettes import as_maps
from gaitway.nn import (
    HorizontalPyramidPooling,
    PartLinear,
    PlainBackbone,
    initialise,
    leaky_relu,
    leaky_relu_,
    side_by_side,
)
from gaitway.types import Output

LAYERS_CASIAB = ("BC-32", "BC-32", "M", "FC-64-2", "FC-64-2", "M", "FC-128-3", "FC-128-3")
LAYERS_OUMVLP = ("BC-32", "BC-32", "M", "BC-64", "BC-64", "M", "FC-128-3", "FC-128-3", "FC-256-3", "FC-256-3")


class GaitPart(nn.Module):
    """Convolutions that see more and more of a frame's own strips only, parts per frame, and parts over time.

    Args:
        layers: Layer codes of the backbone (`gaitway.nn.PlainBackbone`).
        num_parts: Horizontal strips p of the final map.
        squeeze: How many times narrower than the map the temporal networks are inside.
        embedding_dim: Width d of each part's embedding.

    Shapes: silhouettes `(n, t, h, w)`, or `(sum of lengths, h, w)` with `lengths` `(n,)`, in [0, 1], frames in
    order; embeddings `(n, 16, 128)` with the defaults.
    """

    modalities: ClassVar[tuple[str, ...]] = ("silhouettes",)

    def __init__(
        self,
        *,
        layers: Sequence[str] = LAYERS_CASIAB,
        num_parts: int = 16,
        squeeze: int = 4,
        embedding_dim: int = 128,
    ) -> None:
        super().__init__()
        self.backbone = PlainBackbone(layers=layers)
        width = self.backbone.out_channels
        self.parts = HorizontalPyramidPooling(bins=(num_parts,))
        self.temporal = TemporalAggregator(num_parts=num_parts, num_channels=width, squeeze=squeeze)
        self.head = PartLinear(num_parts=num_parts, in_features=width, out_features=embedding_dim)
        initialise(self)

    def forward(self, silhouettes: Tensor, lengths: Tensor | None = None, *, logits: bool | None = None) -> Output:
        """Embed each sequence; see the class for shapes. There is no classifier, `logits` changes nothing."""
        x, _ = as_maps(silhouettes, lengths)
        x = self.parts(leaky_relu(self.backbone(x)))  # (frames, p, c)
        if lengths is None:
            x = torch.unflatten(x, 0, silhouettes.shape[:2])
        return Output(self.head(self.temporal(x, lengths)))


class TemporalAggregator(nn.Module):
    """Weighs the windows of 3 and of 5 frames of every part and takes the maximum over time (TFA).

    A window is described by its mean plus its maximum, and weighed by a small network of the part's own that sees the
    same frames. The networks of all parts and both window lengths begin alike, so they are computed together.

    Args:
        num_parts: Number of parts p.
        num_channels: Width c of the parts.
        squeeze: The networks are c / squeeze wide inside.

    Shapes: parts `(n, t, p, c)`, or `(sum of lengths, p, c)` with `lengths` `(n,)`, to `(n, p, c)`. No sequence sees
    another.
    """

    def __init__(self, *, num_parts: int, num_channels: int, squeeze: int = 4) -> None:
        super().__init__()
        c, hidden = num_channels, num_channels // squeeze
        self.squeeze = nn.Parameter(_start(num_parts, 2, hidden, c, 3))  # for windows of 3 frames and of 5
        self.excite3 = nn.Parameter(_start(num_parts, c, hidden, 1))
        self.excite5 = nn.Parameter(_start(num_parts, c, hidden, 3))

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Aggregate over time; see the class for shapes."""
        x, clips = side_by_side(x, lengths)
        p, c = x.shape[2:]
        x = x.permute(0, 2, 3, 1).flatten(1, 2)  # (n, p·c, t)
        hidden = F.conv1d(x, self.squeeze.flatten(0, 2), padding=1, groups=p)
        hidden = torch.unflatten(clips.clear(leaky_relu_(hidden)), 1, (p, 2, -1))
        score3 = F.conv1d(hidden[:, :, 0].flatten(1, 2), self.excite3.flatten(0, 1), groups=p)
        score5 = F.conv1d(hidden[:, :, 1].flatten(1, 2), self.excite5.flatten(0, 1), padding=1, groups=p)
        # means count the zeros beyond the ends of a sequence, maxima do not
        inside = clips.fill(x, -torch.inf)
        windows3 = F.avg_pool1d(x, 3, 1, padding=1) + clips.clear(F.max_pool1d(inside, 3, 1, padding=1))
        windows5 = F.avg_pool1d(x, 5, 1, padding=2) + clips.clear(F.max_pool1d(inside, 5, 1, padding=2))
        y = clips.max(windows3 * score3.sigmoid() + windows5 * score5.sigmoid())  # (n, p·c)
        return torch.unflatten(y, 1, (p, c))


def _start(*shape: int) -> Tensor:
    """Stacked convolutions `(..., out, in, kernel)`, each Xavier-uniform by itself."""
    *_, fan_out, fan_in, kernel = shape
    bound = (6 / (kernel * (fan_in + fan_out))) ** 0.5
    return torch.empty(shape).uniform_(-bound, bound)


def gaitpart_casiab() -> GaitPart:
    """GaitPart as trained on CASIA-B: 1.20M parameters."""
    return GaitPart(layers=LAYERS_CASIAB, embedding_dim=128)


def gaitpart_oumvlp() -> GaitPart:
    """GaitPart as trained on OUMVLP, GREW and CASIA-E: 4.84M parameters."""
    return GaitPart(layers=LAYERS_OUMVLP, embedding_dim=256)


def published_names(model: GaitPart) -> dict[str, str]:
    """Names (or beginnings of names) in a published checkpoint of this model → here.

    A `*` stands for the parts, whose tensors are separate in the published file and stacked here.
    """
    temporal = {
        "TFA.pooling_func.conv1d3x{1,3}.*.0.conv.weight": "temporal.squeeze",
        "TFA.pooling_func.conv1d3x1.*.2.conv.weight": "temporal.excite3",
        "TFA.pooling_func.conv1d3x3.*.2.conv.weight": "temporal.excite5",
    }
    return {**published_backbone_names(model.backbone), **temporal, "Head.fc_bin": "head.weight"}
