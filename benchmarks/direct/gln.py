"""GLN by the direct form of its description."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.direct.layers import frame_wise, part_linear, pyramid
from gaitway.models import GLN
from gaitway.nn import ConvPair
from gaitway.types import Output


def direct(model: GLN, silhouettes: Tensor) -> Output:
    """Both branches, three merged maps and the compact block; see `gaitway.models.GLN` for shapes."""
    a1 = frame_wise(lambda frames: _block(model.frame1, frames), silhouettes.unsqueeze(1))  # (n, c1, t, h, w)
    s1 = a1.max(2).values
    b2 = frame_wise(lambda frames: F.max_pool2d(frames, 2), a1)
    a2 = frame_wise(lambda frames: _block(model.frame2, frames), b2)
    s2 = a2.max(2).values
    b3 = frame_wise(lambda frames: F.max_pool2d(frames, 2), a2)
    s3 = frame_wise(lambda frames: _block(model.frame3, frames), b3).max(2).values
    u2 = _block(model.set2, b2.max(2).values) + s2
    u3 = _block(model.set3, F.max_pool2d(u2, 2)) + s3
    lateral = model.lateral
    m3 = F.conv2d(torch.cat((s3, u3), 1), lateral.lateral3.weight.contiguous())
    m2 = F.interpolate(m3, scale_factor=2.0) + F.conv2d(torch.cat((s2, u2), 1), lateral.lateral2.weight.contiguous())
    m1 = F.interpolate(m2, scale_factor=2.0) + F.conv2d(torch.cat((s1, s1), 1), lateral.lateral1.weight.contiguous())
    merged = [
        F.conv2d(m, smooth.weight.contiguous(), padding=1)
        for m, smooth in ((m1, lateral.smooth1), (m2, lateral.smooth2), (m3, lateral.smooth3))
    ]
    embeddings = part_linear(torch.cat([pyramid(o, model.pyramid.bins) for o in merged], 1), model.head.weight)
    if model.compact is None or not model.training:
        return Output(embeddings)
    return Output(embeddings, logits=model.compact(embeddings)[2].unsqueeze(1))


def _block(block: ConvPair, x: Tensor) -> Tensor:
    x = F.leaky_relu(F.conv2d(x, block.conv1.weight.contiguous(), padding=block.conv1.weight.shape[2] // 2), 0.01)
    return F.leaky_relu(F.conv2d(x, block.conv2.weight.contiguous(), padding=1), 0.01)
