"""GaitBase and DeepGaitV2: what is their own."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from gaitway.models import DeepGaitV2, GaitBase, deepgaitv2_casiab, deepgaitv2_gait3d, gaitbase_casiab, gaitbase_hid
from gaitway.nn.residual import Mode


def size(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def test_parameters_of_the_published_variants() -> None:
    with torch.device("meta"):
        assert size(gaitbase_casiab()) == 7_305_408
        assert round(size(GaitBase(num_classes=3000)) / 1e6, 3) == 19.290
        assert round(size(GaitBase(num_classes=20000)) / 1e6, 3) == 88.922
        assert round(size(gaitbase_hid()) / 1e6, 3) == 12.730
        assert round(size(deepgaitv2_gait3d()) / 1e6, 3) == 25.492
        assert round(size(DeepGaitV2(num_classes=5153)) / 1e6, 3) == 29.143
        assert round(size(deepgaitv2_gait3d(num_classes=20000)) / 1e6, 3) == 95.124
        assert size(deepgaitv2_casiab()) == 8_339_392


@pytest.mark.parametrize(
    ("mode", "layers", "backbone", "whole"),
    [
        ("2d", (1, 1, 1, 1), 4.897, 7.305),
        ("2d", (1, 4, 4, 1), 9.325, 11.734),
        ("p3d", (1, 1, 1, 1), 5.931, 8.339),
        ("p3d", (1, 4, 4, 1), 11.099, 13.507),
        ("3d", (1, 1, 1, 1), 14.187, 16.595),
        ("3d", (1, 4, 4, 1), 27.462, 29.871),
    ],
)
def test_parameters_by_mode_and_depth(mode: Mode, layers: tuple[int, ...], backbone: float, whole: float) -> None:
    with torch.device("meta"):
        model = DeepGaitV2(num_classes=74, mode=mode, layers=layers)
    assert round(size(model.backbone) / 1e6, 3) == backbone
    assert round(size(model) / 1e6, 3) == whole


def test_deepgaitv2_in_two_dimensions_is_gaitbase() -> None:
    torch.manual_seed(0)
    base = GaitBase(num_classes=3, channels=(4, 6, 6, 8), embedding_dim=8).eval()
    deep = DeepGaitV2(num_classes=3, mode="2d", channels=(4, 6, 6, 8), embedding_dim=8).eval()
    deep.load_state_dict(base.state_dict())
    silhouettes = torch.rand(2, 3, 64, 44)
    assert torch.equal(deep(silhouettes).embeddings, base(silhouettes).embeddings)


@pytest.mark.parametrize("mode", ["p3d", "3d"])
def test_looking_across_sequences_is_an_option(mode: Mode) -> None:
    """Off by default, and then a sequence's neighbours change nothing; on, they do, but only in a ragged batch."""
    torch.manual_seed(0)
    apart = DeepGaitV2(num_classes=3, mode=mode, channels=(4, 6, 6, 8), embedding_dim=8).eval()
    across = DeepGaitV2(
        num_classes=3, mode=mode, channels=(4, 6, 6, 8), embedding_dim=8, look_across_sequences=True
    ).eval()
    across.load_state_dict(apart.state_dict())
    frames, others = torch.rand(5, 64, 44), torch.rand(2, 64, 44)
    lengths = torch.tensor([3, 2])
    changed = torch.cat((frames[:3], others))
    alone = apart(frames[None, :3]).embeddings[0]
    for batch in (frames, changed):
        torch.testing.assert_close(apart(batch, lengths).embeddings[0], alone)
    first = [across(batch, lengths).embeddings[0] for batch in (frames, changed)]
    assert not torch.allclose(first[0], first[1])
    assert torch.equal(across(frames[None]).embeddings, apart(frames[None]).embeddings)


def test_frames_that_give_no_sixteen_strips_are_refused() -> None:
    model = GaitBase(num_classes=3, channels=(2, 2, 2, 2), embedding_dim=2)
    with pytest.raises(ValueError, match="64×44 or 128×88"):
        model(torch.rand(2, 2, 60, 44))
