from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from gaitway.nn import BatchNormNeck, PartLinear


@pytest.mark.parametrize("normalise", [False, True])
def test_part_linear_equals_a_loop_over_parts(normalise: bool) -> None:
    layer = PartLinear(num_parts=3, in_features=4, out_features=5, normalise=normalise)
    x = torch.randn(2, 3, 4)
    weights = [weight / weight.norm(dim=0) if normalise else weight for weight in layer.weight]
    expected = torch.stack([x[:, part] @ weight for part, weight in enumerate(weights)], 1)
    torch.testing.assert_close(layer(x), expected)


def test_unit_inputs_give_cosines() -> None:
    layer = PartLinear(num_parts=2, in_features=6, out_features=3, normalise=True)
    logits = layer(F.normalize(layer.weight.detach()[:, :, 0], dim=1)[None])  # each part's first column as its input
    torch.testing.assert_close(logits[0, :, 0], torch.ones(2))
    assert logits.abs().max() < 1 + 1e-6


def test_part_linear_starts_as_published() -> None:
    weight = PartLinear(num_parts=31, in_features=256, out_features=256).weight
    bound = math.sqrt(6 / (256 * (256 + 31)))
    assert 0.99 * bound < weight.abs().max() <= bound
    assert weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.01)


def test_gradients() -> None:
    x = torch.randn(3, 2, 4, dtype=torch.float64, requires_grad=True)
    layer = PartLinear(num_parts=2, in_features=4, out_features=3, normalise=True).double()
    assert torch.autograd.gradcheck(layer, x)
    assert torch.autograd.gradcheck(
        lambda weight: torch.func.functional_call(layer, {"weight": weight}, x), layer.weight
    )


@pytest.mark.parametrize("normalise", [False, True])
@pytest.mark.parametrize("training", [False, True])
def test_neck_normalises_and_classifies_every_part_on_its_own(normalise: bool, training: bool) -> None:
    neck = BatchNormNeck(num_parts=3, in_features=4, num_classes=5, normalise=normalise).train(training)
    torch.nn.init.uniform_(neck.bn.weight, 0.5, 2)
    torch.nn.init.normal_(neck.bn.bias)
    assert neck.bn.running_mean is not None
    assert neck.bn.running_var is not None
    neck.bn.running_mean.normal_()
    neck.bn.running_var.uniform_(0.5, 2)
    statistics = neck.bn.running_mean.clone(), neck.bn.running_var.clone()
    x = torch.randn(6, 3, 4)
    features, logits = neck(x)
    for part in range(3):
        own = slice(part, None, 3)  # channel·p + part
        expected = F.batch_norm(
            x[:, part],
            statistics[0][own].clone(),
            statistics[1][own].clone(),
            neck.bn.weight[own],
            neck.bn.bias[own],
            training=training,
        )
        expected = F.normalize(expected) if normalise else expected
        torch.testing.assert_close(features[:, part], expected)
        weight = neck.classifier.weight[part]
        weight = F.normalize(weight, dim=0) if normalise else weight
        torch.testing.assert_close(logits[:, part], expected @ weight)
