"""Models against themselves written down without any reformulation."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from benchmarks.direct import DIRECT
from gaitway.models import (
    GLN,
    HSTL,
    DeepGaitV2,
    DyGait,
    GaitBase,
    GaitGL,
    GaitGraph1,
    GaitGraph2,
    GaitHeat,
    GaitPart,
    GaitSet,
    GaitTR,
    GPGait,
    GPGaitPlusPlus,
    SkeletonGait,
)
from gaitway.types import Output
from tests.models.examples import example, settle

SMALL: dict[str, Callable[[], nn.Module]] = {
    "DeepGaitV2": lambda: DeepGaitV2(num_classes=3, mode="p3d", layers=(1, 2, 1, 1), channels=(4, 6, 6, 8)),
    "DyGait": lambda: DyGait(num_classes=3, channels=(4, 6, 6, 8), shortcut="projection_bn"),
    "GaitBase": lambda: GaitBase(num_classes=3, channels=(4, 6, 6, 8)),
    "GaitGL": lambda: GaitGL(num_classes=3, channels=(4, 6, 8, 8)),
    "GaitGraph1": lambda: GaitGraph1(branch_channels=(8, 8, 4), channels=(8, 8, 16), reduction=2, embedding_dim=6),
    "GaitGraph2": lambda: GaitGraph2(branch_channels=(8, 4), channels=(8, 16), reduction=2, embedding_dim=6),
    "GaitHeat": lambda: GaitHeat(num_classes=3, channels=(4, 6, 6, 8), layers=(1, 2, 1, 1)),
    "GaitPart": lambda: GaitPart(
        layers=["BC-4", "M", "FC-8-2", "M", "FC-8-3"], num_parts=4, squeeze=2, embedding_dim=8
    ),
    "GaitSet": lambda: GaitSet(channels=(8, 16, 16), embedding_dim=16),
    "GaitTR": lambda: GaitTR(channels=(32, 32, 64), embedding_dim=8, dropout=0.0),
    "GPGait": lambda: GPGait(num_classes=3, channels=(8, 8, 12, 16), num_shared=2),
    "GPGaitPlusPlus": lambda: GPGaitPlusPlus(num_classes=3, channels=(8, 8, 12, 16, 16), dropout=0.0),
    "GLN": lambda: GLN(num_classes=3, channels=(4, 6, 8), lateral_dim=8, embedding_dim=8, compact_dim=6, dropout=0.0),
    "HSTL": lambda: HSTL(
        num_classes=3, channels=((4, 4), (8, 8), (16, 16)), heights=((64,), (20, 12), (4, 16, 8, 4)), pool=True
    ),
    "SkeletonGait": lambda: SkeletonGait(num_classes=3, layers=(1, 2, 1, 1), channels=(4, 6, 6, 8)),
}
"""A small model of each class that has a direct form."""


def tensors(output: Output, features: Iterable[str]) -> list[Tensor]:
    more = [] if output.logits is None else [output.logits]
    return [output.embeddings, *more, *(output.features[name] for name in features)]


def test_every_direct_form_is_compared() -> None:
    assert set(SMALL) == set(DIRECT)


@pytest.mark.parametrize("name", SMALL)
def test_output_and_gradients_equal_the_direct_form(name: str) -> None:
    torch.manual_seed(0)
    model = settle(SMALL[name]()).double().train()
    frames = [frames.double() for frames in example(model, 2, 7)]
    described = DIRECT[name](model, *frames)
    ours, direct = (tensors(output, described.features) for output in (model(*frames), described))
    weights = [torch.randn_like(tensor) for tensor in ours]
    parameters = {name: tensor for name, tensor in model.named_parameters() if tensor.requires_grad}
    for found, expected in zip(ours, direct, strict=True):
        torch.testing.assert_close(found, expected)
    found_gradients = torch.autograd.grad(ours, list(parameters.values()), weights)
    expected_gradients = torch.autograd.grad(direct, list(parameters.values()), weights)
    for parameter, found, expected in zip(parameters, found_gradients, expected_gradients, strict=True):
        torch.testing.assert_close(found, expected, msg=partial(str.format, parameter + ": {}"))
