"""SkeletonGait: what is its own."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from gaitway.models import SkeletonGait, skeletongait_ccpg, skeletongait_gait3d, skeletongait_oumvlp

SMALL: dict[str, Any] = {"num_classes": 3, "channels": (4, 6, 6, 8), "embedding_dim": 8}


def millions(model: nn.Module, *, without_classifier: bool = False) -> float:
    parameters = dict(model.named_parameters())
    if without_classifier:
        del parameters["neck.classifier.weight"]
    return round(sum(parameter.numel() for parameter in parameters.values()) / 1e6, 3)


def test_parameters_of_the_published_variants() -> None:
    with torch.device("meta"):
        assert millions(skeletongait_ccpg()) == 8.446
        assert millions(skeletongait_oumvlp(num_classes=250)) == 9.061
        assert millions(skeletongait_oumvlp()) == 29.144
        assert millions(skeletongait_gait3d()) == 25.493
        assert millions(skeletongait_gait3d(num_classes=20000)) == 95.125
        assert millions(skeletongait_oumvlp(), without_classifier=True) == 8.037
        assert millions(skeletongait_gait3d(), without_classifier=True) == 13.205


def test_embeddings_after_the_neck_are_of_length_one_and_those_before_remain() -> None:
    torch.manual_seed(0)
    before, after = SkeletonGait(**SMALL), SkeletonGait(**SMALL, embed_after_neck=True)
    after.load_state_dict(before.state_dict())
    maps = torch.rand(3, 4, 2, 64, 44)
    for training in (True, False):
        plain = before.train(training)(maps, logits=True)
        found = after.train(training)(maps, logits=True)
        torch.testing.assert_close(found["before_neck"], plain.embeddings)
        torch.testing.assert_close(found["logits"], plain["logits"])
        torch.testing.assert_close(found.embeddings.norm(dim=2), torch.ones(3, 16))
    assert after(maps).logits is None


def test_both_maps_count() -> None:
    torch.manual_seed(0)
    model = SkeletonGait(**SMALL).eval()
    maps = torch.rand(1, 4, 2, 64, 44)
    whole = model(maps).embeddings
    for channel in (0, 1):
        changed = maps.clone()
        changed[:, :, channel] = 0
        assert not torch.allclose(model(changed).embeddings, whole, atol=1e-3)


@pytest.mark.parametrize(
    ("maps", "message"),
    [
        (torch.rand(2, 3, 64, 44), r"of shape \(2, 3, 64, 44\), expected \(n, t, 2, h, w\); the recipe's transforms"),
        (torch.rand(2, 3, 1, 64, 44), r"of shape \(2, 3, 1, 64, 44\), expected \(n, t, 2, h, w\)"),
        (torch.rand(2, 3, 17, 3), r"of shape \(2, 3, 17, 3\), expected \(n, t, 2, h, w\)"),
        (torch.zeros(2, 3, 2, 64, 44, dtype=torch.uint8), "torch.uint8, expected floats"),
    ],
)
def test_other_frames_are_refused(maps: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SkeletonGait(**SMALL)(maps)
