"""What every model must do. A new model class is covered as soon as `gaitway.models.MODELS` names it.

Models are built with their defaults, and a few classes where they have a classifier.
"""

from __future__ import annotations

import inspect
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gaitway.models import MODELS, create_model
from gaitway.types import Output
from tests.models.examples import example, settle

NUM_CLASSES = 5
LENGTHS = (4, 2, 6)
OTHER_NETWORKS = ["gaitgl_grew_bnneck", "gln_phase1", "hstl_oumvlp"]
"""Published variants that are built otherwise than their class with its defaults; all others are only wider, and run in
their parity cases."""
NETWORKS: dict[str, dict[str, Any]] = {"SPOSGait": {"architecture": (0, 5, 5, 4)}}
"""Arguments of classes that are more than one network without them."""
NAMES = sorted(name for name, model in MODELS.items() if isinstance(model, type)) + OTHER_NETWORKS


def has_classifier(name: str) -> bool:
    return "num_classes" in inspect.signature(MODELS[name]).parameters


def build(name: str, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    classes = {"num_classes": NUM_CLASSES} if has_classifier(name) else {}
    return settle(create_model(name, **classes, **NETWORKS.get(name, {})))


@cache
def built(name: str) -> nn.Module:
    """For the tests that change nothing."""
    return build(name).eval()


def embed(model: nn.Module, frames: list[Tensor], lengths: Tensor | None = None) -> Tensor:
    with torch.inference_mode():
        output = model(*frames, lengths)
    assert isinstance(output, Output)
    return output.embeddings


TRAINABLE = [name for name in NAMES if any(True for _ in built(name).parameters())]
CONVOLUTIONAL = [name for name in TRAINABLE if any(isinstance(layer, nn.Conv2d) for layer in built(name).modules())]


def test_the_gait_energy_image_alone_has_nothing_to_train() -> None:
    assert set(NAMES) - set(TRAINABLE) == {"GaitEnergyImage"}


@pytest.mark.parametrize("name", NAMES)
def test_embeddings_are_finite_vectors_per_sequence_and_part(name: str) -> None:
    model = built(name)
    frames = example(model, 2, 3)
    output = model(*frames)
    n, p, d = output.embeddings.shape
    assert n == 2
    assert torch.isfinite(output.embeddings).all()
    assert output.logits is None, "evaluation computes no logits"
    assert not torch.equal(output.embeddings[0], output.embeddings[1])
    longer = model(*example(model, 3, 5)).embeddings
    assert longer.shape == (3, p, d), "the shape of embeddings must not depend on the number of frames"


@pytest.mark.parametrize("name", NAMES)
def test_logits_come_in_training_and_when_asked_for(name: str) -> None:
    model = build(name).train()
    frames = example(model, 3, 2)
    output = model(*frames)
    if not has_classifier(name):
        assert output.logits is None
        return
    n, p, _ = output.embeddings.shape
    assert output.logits is not None
    assert output.logits.shape in ((n, p, NUM_CLASSES), (n, 1, NUM_CLASSES))  # GLN has one classifier for all parts
    assert torch.isfinite(output.logits).all()
    assert model(*frames, logits=False).logits is None
    asked = model.eval()(*frames, logits=True).logits
    assert asked is not None
    assert asked.shape == output.logits.shape


@pytest.mark.parametrize("name", TRAINABLE)
@pytest.mark.parametrize("lengths", [None, torch.tensor(LENGTHS)], ids=["dense", "ragged"])
def test_every_parameter_gets_a_gradient(name: str, lengths: Tensor | None) -> None:
    model = build(name).train()
    frames = example(model, 3, 4)
    output = model(*(x.flatten(0, 1) for x in frames), lengths) if lengths is not None else model(*frames)
    generator = torch.Generator().manual_seed(0)
    outputs = [output.embeddings] + ([] if output.logits is None else [output.logits]) + [*output.features.values()]
    # randomly weighted, since a plain sum of normalised values may have no gradient
    torch.autograd.backward(outputs, [torch.randn(x.shape, generator=generator) for x in outputs])
    for parameter, tensor in model.named_parameters():
        if not tensor.requires_grad:
            assert tensor.grad is None, f"{parameter} is frozen"
            continue
        assert tensor.grad is not None, f"{parameter} gets no gradient"
        assert torch.isfinite(tensor.grad).all(), f"the gradient of {parameter} is not finite"
        assert tensor.grad.any(), f"the gradient of {parameter} is 0"


@pytest.mark.parametrize("name", NAMES)
def test_an_embedding_does_not_depend_on_what_else_is_in_the_batch(name: str) -> None:
    model = built(name)
    frames = example(model, 3, 4)
    together = embed(model, frames)
    for i in range(3):
        torch.testing.assert_close(embed(model, [x[i : i + 1] for x in frames])[0], together[i], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_sequences_of_unequal_length_are_embedded_as_one_by_one(name: str) -> None:
    model = built(name)
    frames = [x.flatten(0, 1) for x in example(model, 3, 4)]
    together = embed(model, frames, torch.tensor(LENGTHS))
    sequences = zip(*(torch.split(x, list(LENGTHS)) for x in frames), strict=True)
    for i, sequence in enumerate(sequences):
        alone = embed(model, [x.unsqueeze(0) for x in sequence])[0]
        torch.testing.assert_close(together[i], alone, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_a_state_dict_makes_an_equal_model(name: str) -> None:
    first, second = built(name), build(name, seed=1).eval()
    frames = example(first, 2, 3)
    if name in TRAINABLE:
        assert not torch.equal(embed(first, frames), embed(second, frames))
    second.load_state_dict(first.state_dict())
    assert torch.equal(embed(first, frames), embed(second, frames))


@pytest.mark.parametrize("name", TRAINABLE)
def test_autocast_to_bfloat16_stays_close(name: str) -> None:
    """Within 2 % of the embedding's length, and far from mistaking one sequence for another."""
    model = built(name)
    # few poses hold so little that forty layers of rounding show
    frames = example(model, 3, 30 if model.modalities == ("poses",) else 4)
    exact = embed(model, frames).flatten(1)
    with torch.autocast("cpu", torch.bfloat16):
        found = embed(model, frames)
    assert found.dtype == torch.bfloat16, "autocast had no effect"
    error = (found.float().flatten(1) - exact).norm(dim=1)
    assert (error < 0.02 * exact.norm(dim=1)).all()
    assert (error < torch.pdist(exact).min() / 4).all()


@pytest.mark.parametrize("name", CONVOLUTIONAL)
def test_channels_last_weights_give_what_contiguous_ones_give(name: str) -> None:
    model = built(name)
    weights = [layer.weight for layer in model.modules() if isinstance(layer, nn.Conv2d)]
    assert all(weight.is_contiguous(memory_format=torch.channels_last) for weight in weights)
    frames = example(model, 2, 3)
    contiguous = build(name).eval()
    for layer in contiguous.modules():
        if isinstance(layer, nn.Conv2d):
            layer.weight.data = layer.weight.data.contiguous()
    torch.testing.assert_close(embed(contiguous, frames), embed(model, frames), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_frames_with_a_missing_axis_are_refused(name: str) -> None:
    model = built(name)
    frames = [x[0, 0] for x in example(model, 1, 1)]
    with pytest.raises(ValueError, match="expected"):
        model(*frames)
    with pytest.raises(ValueError, match="expected"):
        model(*frames, torch.tensor([1]))
