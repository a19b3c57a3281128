"""What is GaitGL's own; `test_all_models.py` and `test_direct.py` cover the rest."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache

import pytest
import torch
from torch import Tensor, nn

from gaitway.models import GaitGL, gaitgl_casiab, gaitgl_grew, gaitgl_grew_bnneck, gaitgl_oumvlp
from gaitway.models.gaitgl import GlobalLocalConvolution, add_maps


@cache
def small(**options: bool) -> GaitGL:
    torch.manual_seed(0)
    return GaitGL(num_classes=3, channels=(4, 6, 8, 8), num_parts=16, halvings=2, **options).eval()


def embed(model: GaitGL, silhouettes: Tensor, lengths: Tensor | None = None) -> Tensor:
    with torch.inference_mode():
        embeddings: Tensor = model(silhouettes, lengths).embeddings
    return embeddings


@pytest.mark.parametrize(
    ("build", "num_classes", "total", "classifier"),
    [
        (gaitgl_casiab, 74, 3_096_673, 606_208),
        (gaitgl_oumvlp, 5153, 95_620_449, 84_426_752),
        (gaitgl_grew, 20000, 338_873_697, 327_680_000),
        (gaitgl_grew_bnneck, 20000, 338_905_953, 327_680_000),
    ],
)
def test_published_sizes(build: Callable[..., GaitGL], num_classes: int, total: int, classifier: int) -> None:
    assert inspect.signature(build).parameters["num_classes"].default == num_classes
    model = build(num_classes=1)  # the rest of the classifier is added here: it takes more than a GiB
    head = model.neck.classifier if model.bn_neck else model.classifier
    assert head.weight.numel() * num_classes == classifier
    without = sum(parameter.numel() for parameter in model.parameters()) - head.weight.numel()
    assert without + classifier == total


def test_a_part_per_row_and_a_width_per_layout() -> None:
    silhouettes = torch.rand(2, 5, 64, 44)
    assert embed(gaitgl_casiab(num_classes=3).eval(), silhouettes).shape == (2, 64, 128)
    assert embed(gaitgl_grew_bnneck(num_classes=3).eval(), silhouettes).shape == (2, 64, 256)


@pytest.mark.parametrize(("num_frames", "repeated"), [(1, [0, 0, 0]), (2, [0, 1, 0, 1])])
def test_very_short_sequences_are_repeated(num_frames: int, repeated: list[int]) -> None:
    silhouettes = torch.rand(1, num_frames, 16, 12)
    assert torch.equal(embed(small(), silhouettes), embed(small(), silhouettes[:, repeated]))


@pytest.mark.parametrize("bn_neck", [False, True])
def test_sequences_of_any_lengths_are_embedded_as_one_by_one(bn_neck: bool) -> None:
    model, lengths = small(bn_neck=bn_neck), [7, 1, 2, 9, 3, 11, 5]
    sequences = [torch.rand(length, 16, 12) for length in lengths]
    together = embed(model, torch.cat(sequences), torch.tensor(lengths))
    for found, sequence in zip(together, sequences, strict=True):
        torch.testing.assert_close(found, embed(model, sequence[None])[0], rtol=1e-4, atol=1e-5)


def test_no_gradient_crosses_into_another_sequence() -> None:
    silhouettes = torch.rand(12, 16, 12, requires_grad=True)
    output = small(bn_neck=True)(silhouettes, torch.tensor([4, 5, 3]))
    output.embeddings[1].sum().backward()
    assert silhouettes.grad is not None
    # of the five frames, three become one, which sees the fourth through the stem; the fifth is left over
    assert silhouettes.grad.flatten(1).any(1).tolist() == [False] * 4 + [True] * 4 + [False] * 4


def test_the_shared_batch_norm_counts_all_parts() -> None:
    model = GaitGL(num_classes=3, channels=(4, 6, 8, 8), num_parts=16, halvings=2).train()
    model.bn.eps = 1e-12
    embeddings = model(torch.rand(4, 3, 16, 12)).embeddings  # (n, p, c)
    normalised = (embeddings - model.bn.bias) / model.bn.weight
    torch.testing.assert_close(normalised.mean((0, 1)), torch.zeros(8), atol=1e-4, rtol=0)
    torch.testing.assert_close(normalised.var((0, 1), correction=0), torch.ones(8), atol=1e-4, rtol=0)


def test_logits_are_linear_in_the_embedding_or_cosines() -> None:
    silhouettes = torch.rand(2, 3, 16, 12)
    plain = small()(silhouettes, logits=True)
    torch.testing.assert_close(
        plain.logits, torch.einsum("npc,pck->npk", plain.embeddings, small().classifier.weight), rtol=1e-4, atol=1e-5
    )
    cosines = small(bn_neck=True)(silhouettes, logits=True).logits
    assert cosines.abs().max() <= 1


@pytest.mark.parametrize(("height", "halvings"), [(16, 3), (20, 3), (11, 1), (7, 2), (5, 0)])
def test_added_maps_equal_a_loop_over_strips(height: int, halvings: int) -> None:
    block = GlobalLocalConvolution(in_channels=3, out_channels=4, halvings=halvings)
    x = torch.randn(2, 3, 3, height, 5)
    rows = height // 2**halvings
    local = torch.cat([nn.functional.conv3d(s, block.strips.weight, padding=1) for s in torch.split(x, rows, 3)], 3)
    act = nn.LeakyReLU(0.01)
    torch.testing.assert_close(add_maps(*block(x)), act(block.whole(x)) + act(local), rtol=1e-4, atol=1e-5)


def test_frames_of_another_height_are_refused() -> None:
    with pytest.raises(ValueError, match="a feature map of 32 rows cannot be cut into strips that add up to 16"):
        small()(torch.rand(1, 3, 32, 8))
    with pytest.raises(ValueError, match="a map of 2 rows has no 4 strips"):
        small()(torch.rand(1, 3, 2, 8))
