from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from gaitway.nn import PartLinear, initialise


def test_the_published_start() -> None:
    torch.manual_seed(0)
    parts = PartLinear(num_parts=2, in_features=3, out_features=4)
    model = nn.Sequential(nn.Conv2d(40, 50, 3), nn.Linear(200, 300), nn.BatchNorm1d(5000), parts)
    for parameter in model[:3].parameters():
        nn.init.constant_(parameter, 7)
    kept = parts.weight.clone()
    initialise(model)
    tensors: dict[str, Tensor] = dict(model.named_parameters())
    for name, fans in (("0.weight", 9 * (40 + 50)), ("1.weight", 200 + 300)):
        bound = math.sqrt(6 / fans)
        assert 0.99 * bound < tensors[name].abs().max() <= bound
        assert abs(tensors[name].std() / bound - 1 / math.sqrt(3)) < 0.01
    assert abs(tensors["2.weight"].mean() - 1) < 0.002
    assert abs(tensors["2.weight"].std() - 0.02) < 0.002
    for name in ("0.bias", "1.bias", "2.bias"):
        assert not tensors[name].any()
    assert torch.equal(parts.weight, kept)
