"""What is GLN's own: its size, its merged maps, its compact block and its two phases."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional as F

from gaitway.models import GLN, gln_phase1, gln_phase2
from gaitway.models.gln import LateralPyramid
from gaitway.training.optim import build_optimizer
from gaitway.training.recipe import Component

SMALL: dict[str, Any] = {"channels": (2, 3, 4), "lateral_dim": 4, "embedding_dim": 4, "compact_dim": 5}


def small(**arguments: Any) -> GLN:
    torch.manual_seed(0)
    return GLN(**SMALL, **arguments)


def test_parameters_are_as_published() -> None:
    sizes = {}
    with torch.device("meta"):
        models = {"1": gln_phase1(), "2": gln_phase2(), "Gait3D": gln_phase2(num_classes=3000)}
    for name, model in models.items():
        parameters = list(model.parameters())
        sizes[name] = [sum(p.numel() for p in parameters), sum(p.numel() for p in parameters if p.requires_grad)]
    assert sizes["1"] == [8_541_984, 8_541_984]
    assert sizes["2"] == [14_703_904, 14_679_840]
    assert sizes["Gait3D"][0] == 15_452_960


@pytest.mark.parametrize(("height", "width"), [(128, 88), (64, 44)])
def test_there_are_93_parts_of_frames_of_both_sizes(height: int, width: int) -> None:
    assert small(compact=False)(torch.rand(1, 2, height, width)).embeddings.shape == (1, 93, 4)


def test_frames_that_cannot_be_halved_twice_are_refused() -> None:
    with pytest.raises(ValueError, match="silhouettes of 64×46 cannot be halved twice; use 128×88 or 64×44"):
        small(compact=False)(torch.rand(1, 2, 64, 46))


def test_a_compact_block_needs_classes() -> None:
    with pytest.raises(ValueError, match="give num_classes, or compact=False"):
        GLN()


def test_the_joined_weights_give_what_the_layers_give_one_after_the_other() -> None:
    torch.manual_seed(0)
    layer = LateralPyramid(in_channels=(2, 3, 4), out_channels=5).double()
    x1, x2, x3 = (torch.randn(2, c, h, w, dtype=torch.float64) for c, h, w in ((2, 8, 12), (6, 4, 6), (8, 2, 3)))
    m3 = layer.lateral3(x3)
    m2 = F.interpolate(m3, scale_factor=2.0) + layer.lateral2(x2)
    m1 = F.interpolate(m2, scale_factor=2.0) + layer.lateral1(torch.cat((x1, x1), 1))
    for found, expected in zip(
        layer(x1, x2, x3), (layer.smooth1(m1), layer.smooth2(m2), layer.smooth3(m3)), strict=True
    ):
        torch.testing.assert_close(found, expected)


def test_embeddings_do_not_depend_on_the_compact_block() -> None:
    first, second = small(compact=False).eval(), small(num_classes=3).eval()
    lacking = second.load_state_dict(first.state_dict(), strict=False)
    assert lacking.missing_keys
    assert all(name.startswith(GLN.starts_fresh) for name in lacking.missing_keys)
    silhouettes = torch.rand(2, 3, 64, 44)
    output = second(silhouettes)
    assert torch.equal(output.embeddings, first(silhouettes).embeddings)
    assert not output.features


def test_the_compact_embedding_comes_with_the_logits() -> None:
    model = small(num_classes=3).eval()
    output = model(torch.rand(2, 3, 64, 44), logits=True)
    assert output.logits is not None
    assert output.logits.shape == (2, 1, 3)
    assert output["compact"].shape == output["compact_normalised"].shape == (2, 5)
    assert model.compact is not None
    torch.testing.assert_close(model.compact.classifier(output["compact_normalised"]), output.logits[:, 0])


def test_frozen_biases_are_saved_but_not_trained() -> None:
    model = small(num_classes=3).train()
    frozen = {"compact.bn.bias", "compact.reduced_bn.bias"}
    assert {name for name, parameter in model.named_parameters() if not parameter.requires_grad} == frozen
    assert frozen <= model.state_dict().keys()
    with torch.no_grad():
        for name in frozen:
            assert not model.get_parameter(name).any()
            model.get_parameter(name).fill_(1.0)
    optimizer = build_optimizer(Component("SGD", {"lr": 0.1, "weight_decay": 0.5}), model.parameters())
    trained = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    assert len(trained) == len(list(model.parameters())) - len(frozen)
    logits = model(torch.rand(3, 2, 64, 44)).logits
    assert logits is not None
    (logits * torch.randn_like(logits)).sum().backward()
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    optimizer.step()
    for name, parameter in model.named_parameters():
        assert torch.equal(parameter, before[name]) == (name in frozen)
