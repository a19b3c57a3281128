"""What is HSTL's own."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from gaitway.models import HSTL, create_model
from gaitway.models.hstl import FrameAggregation, RegionalConvolutions
from gaitway.nn import Clips

SMALL: dict[str, Any] = {"num_classes": 3, "channels": ((2,), (2, 3), (4, 4)), "heights": ((8,), (5, 3), (1, 4, 3))}


@pytest.mark.parametrize(
    ("variant", "total", "without_classifier", "num_parts", "width"),
    [
        ("hstl_casiab", 4_745_834, 4_054_378, 73, 128),
        ("hstl_oumvlp", 89_103_603, 23_145_203, 50, 256),
        ("hstl_gait3d", 54_719_087, 19_391_087, 46, 256),
    ],
)
def test_sizes_are_the_published_ones(
    variant: str, total: int, without_classifier: int, num_parts: int, width: int
) -> None:
    with torch.device("meta"):
        model = create_model(variant)
        assert isinstance(model, HSTL)
        assert sum(parameter.numel() for parameter in model.parameters()) == total
        assert total - model.classifier.weight.numel() == without_classifier
        assert model.eval()(torch.empty(2, 4, 64, 44)).embeddings.shape == (2, num_parts, width)


def test_no_region_sees_another() -> None:
    torch.manual_seed(0)
    level = RegionalConvolutions(in_channels=1, channels=(2, 3), heights=(5, 3)).eval()
    x = torch.rand(1, 1, 4, 8, 6)
    y = level(x, Clips(4))
    assert y.shape == (1, 3, 4, 8, 6)
    changed = x.clone()
    changed[:, :, :, 5:] += 1
    z = level(changed, Clips(4))
    assert torch.equal(z[:, :, :, :5], y[:, :, :, :5])
    assert (z[:, :, :, 5:] != y[:, :, :, 5:]).any()


def aggregated(layer: FrameAggregation, heights: list[int], x: Tensor) -> Tensor:
    """One frame and region after another, of a single clip."""
    t = x.shape[2]
    frames = []
    for k in range(t // 3):
        three, five = x[:, :, 3 * k : 3 * k + 3].amax(2), x[:, :, max(3 * k - 1, 0) : 3 * k + 4].amax(2)
        regions = []
        pairs = zip(
            torch.split(three, heights, 2), torch.split(five, heights, 2), layer.weight, layer.bias, strict=True
        )
        for a, b, weight, bias in pairs:
            mean = (a + b).mean((2, 3))
            s = torch.stack([F.linear(mean, weight[i], bias[i]) for i in (0, 1)]).softmax(0)[..., None, None]
            regions.append(s[0] * a + s[1] * b)
        frames.append(torch.cat(regions, 2))
    return torch.stack(frames, 2)


@pytest.mark.parametrize("num_frames", [3, 4, 5, 6, 8])
def test_frame_aggregation_equals_a_loop(num_frames: int) -> None:
    torch.manual_seed(0)
    layer = FrameAggregation(channels=3, heights=(2, 1)).double()
    torch.nn.init.normal_(layer.bias)
    x = torch.randn(2, 3, num_frames, 3, 4, dtype=torch.float64)
    torch.testing.assert_close(layer(x, Clips(num_frames)), aggregated(layer, [2, 1], x))


def test_frame_aggregation_ends_with_each_clip() -> None:
    """A window never has a frame of the filling, not even where all real values are below its 0."""
    torch.manual_seed(0)
    lengths = torch.tensor([3, 8, 4, 6, 7])
    layer = FrameAggregation(channels=3, heights=(2, 1)).double()
    clips = Clips(8, lengths)
    x = clips.clear(-torch.rand(5, 3, 8, 3, 4, dtype=torch.float64)).requires_grad_()
    y = layer(x, clips)
    for i, length in enumerate(lengths.tolist()):
        alone = aggregated(layer, [2, 1], x[i : i + 1, :, :length])
        torch.testing.assert_close(y[i : i + 1, :, : length // 3], alone)
        assert not y[i, :, length // 3 :].any()
    (gradient,) = torch.autograd.grad(y.sum(), x)
    assert torch.isfinite(gradient).all()
    assert not gradient[0, :, 3:].any()


def test_lone_frames_are_repeated_before_the_first_layer() -> None:
    torch.manual_seed(0)
    model = HSTL(**SMALL).eval()
    first, second = torch.rand(2, 1, 8, 6)
    with torch.inference_mode():
        one = model(first.unsqueeze(0)).embeddings
        torch.testing.assert_close(model(torch.stack((first,) * 3, 1)).embeddings, one)
        two = model(torch.stack((first, second), 1)).embeddings
        torch.testing.assert_close(model(torch.stack((first, second) * 2, 1)).embeddings, two)


def test_frames_of_another_height_are_refused() -> None:
    with pytest.raises(ValueError, match="silhouettes of 16 rows, .* add up to 8; give it frames of 8 rows"):
        HSTL(**SMALL)(torch.rand(1, 3, 16, 6))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"heights": ((8,), (5, 2), (1, 4, 3))}, r"heights \[5, 2\] of level 2 add up to 7, but its maps have 8 rows"),
        ({"pool": True}, r"heights \[5, 3\] of level 2 add up to 8, but its maps have 4 rows"),
        ({"channels": ((2,), (2, 3))}, "channels for 2 levels and heights for 3"),
        ({"channels": ((2,),), "heights": ((8,),)}, "at least two"),
    ],
)
def test_regions_that_do_not_fit_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        HSTL(**{**SMALL, **change})
