"""Models against themselves written down without any reformulation."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from benchmarks.direct import DIRECT
from gaitway.models import GLN, HSTL, DeepGaitV2, DyGait, GaitBase, GaitGL, GaitPart, GaitSet
from gaitway.types import Output

SMALL: dict[str, Callable[[], nn.Module]] = {
    "DeepGaitV2": lambda: DeepGaitV2(num_classes=3, mode="p3d", layers=(1, 2, 1, 1), channels=(4, 6, 6, 8)),
    "DyGait": lambda: DyGait(num_classes=3, channels=(4, 6, 6, 8), shortcut="projection_bn"),
    "GaitBase": lambda: GaitBase(num_classes=3, channels=(4, 6, 6, 8)),
    "GaitGL": lambda: GaitGL(num_classes=3, channels=(4, 6, 8, 8)),
    "GaitPart": lambda: GaitPart(
        layers=["BC-4", "M", "FC-8-2", "M", "FC-8-3"], num_parts=4, squeeze=2, embedding_dim=8
    ),
    "GaitSet": lambda: GaitSet(channels=(8, 16, 16), embedding_dim=16),
    "GLN": lambda: GLN(num_classes=3, channels=(4, 6, 8), lateral_dim=8, embedding_dim=8, compact_dim=6, dropout=0.0),
    "HSTL": lambda: HSTL(
        num_classes=3, channels=((4, 4), (8, 8), (16, 16)), heights=((64,), (20, 12), (4, 16, 8, 4)), pool=True
    ),
}
"""A small model of each class that has a direct form."""

SIZES: dict[str, tuple[int, int]] = {}
"""Height and width of the frames where they are not 64×44."""


def tensors(output: Output) -> list[Tensor]:
    return [output.embeddings] + ([] if output.logits is None else [output.logits])


def test_every_direct_form_is_compared() -> None:
    assert set(SMALL) == set(DIRECT)


@pytest.mark.parametrize("name", SMALL)
def test_output_and_gradients_equal_the_direct_form(name: str) -> None:
    torch.manual_seed(0)
    model = SMALL[name]().double().train()
    silhouettes = (torch.rand(2, 7, *SIZES.get(name, (64, 44)), dtype=torch.float64) > 0.6).double()
    ours = tensors(model(silhouettes))
    direct = tensors(DIRECT[name](model, silhouettes))
    weights = [torch.randn_like(tensor) for tensor in ours]
    parameters = {name: tensor for name, tensor in model.named_parameters() if tensor.requires_grad}
    for found, expected in zip(ours, direct, strict=True):
        torch.testing.assert_close(found, expected)
    found_gradients = torch.autograd.grad(ours, list(parameters.values()), weights)
    expected_gradients = torch.autograd.grad(direct, list(parameters.values()), weights)
    for parameter, found, expected in zip(parameters, found_gradients, expected_gradients, strict=True):
        torch.testing.assert_close(found, expected, msg=partial(str.format, parameter + ": {}"))
