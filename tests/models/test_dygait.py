from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from gaitway.models import DyGait, dygait_casiab, dygait_gait3d, dygait_grew, dygait_oumvlp
from gaitway.models.dygait import DynamicAugmentation, DynamicConvolution, Layout, Shortcut
from gaitway.nn import Clips

SHORTCUTS: tuple[Shortcut, ...] = ("projection", "projection_bn", "identity")


def small(shortcut: Shortcut = "projection", layout: Layout = "deep") -> DyGait:
    torch.manual_seed(0)
    channels = (4, 6, 6, 8) if layout == "deep" else (4, 6, 8)
    return DyGait(num_classes=3, channels=channels, layout=layout, shortcut=shortcut)


@pytest.mark.parametrize(
    ("build", "num_classes", "shortcut", "millions", "num_parts"),
    [
        (dygait_grew, 20000, "identity", 402.439, 31),
        (dygait_gait3d, 3000, "identity", 134.414, 32),
        (dygait_grew, 3000, "identity", 132.615, 31),
        (dygait_grew, 3000, "projection", 133.049, 31),
        (dygait_grew, 3000, "projection_bn", 133.052, 31),
        (dygait_oumvlp, 5153, "identity", 62.153, 31),
        (dygait_casiab, 74, "identity", 5.503, 32),
        (dygait_grew, 20000, "projection", 402.873, 31),
        (dygait_gait3d, 3000, "projection", 134.849, 32),
        (dygait_oumvlp, 5153, "projection", 62.262, 31),
        (dygait_casiab, 74, "projection", 5.529, 32),
    ],
)
def test_published_sizes(
    build: Callable[..., DyGait], num_classes: int, shortcut: Shortcut, millions: float, num_parts: int
) -> None:
    with torch.device("meta"):
        model = build(num_classes=num_classes, shortcut=shortcut)
    assert round(sum(parameter.numel() for parameter in model.parameters()) / 1e6, 3) == millions
    assert model.pooling.num_parts == num_parts


@pytest.mark.parametrize("num_frames", [1, 2, 3, 5])
@pytest.mark.parametrize("static_frames", [1, 3])
def test_a_dynamic_convolution_is_its_three_convolutions(num_frames: int, static_frames: int) -> None:
    torch.manual_seed(0)
    layer = DynamicConvolution(in_channels=3, out_channels=5, static_frames=static_frames).double()
    x = torch.randn(2, 3, num_frames, 6, 4, dtype=torch.float64)
    static = F.conv3d(x, layer.static.weight, padding=(static_frames // 2, 1, 1))
    moving = F.conv3d(x - x.mean(2, keepdim=True), layer.dynamic.weight, padding=1)
    expected = F.relu(F.conv3d(x, layer.general.weight, padding=1)) + F.relu(moving + static)
    torch.testing.assert_close(layer(x, Clips(num_frames)), expected)


@pytest.mark.parametrize("layout", ["deep", "shallow"])
@pytest.mark.parametrize("shortcut", SHORTCUTS)
def test_sequences_of_any_length_are_embedded_as_alone(shortcut: Shortcut, layout: Layout) -> None:
    model = small(shortcut, layout).double().eval()
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):  # fills frames of zeros, which must not be seen
            nn.init.uniform_(layer.bias, 1.0, 2.0)
    lengths = [1, 7, 2, 3, 9]
    silhouettes = torch.rand(sum(lengths), 64, 12, dtype=torch.float64)
    with torch.inference_mode():
        together = model(silhouettes, torch.tensor(lengths)).embeddings
        alone = torch.cat([model(frames[None]).embeddings for frames in torch.split(silhouettes, lengths)])
    torch.testing.assert_close(together, alone)


def test_batch_statistics_are_of_real_frames_only() -> None:
    model = small("projection_bn").double().train()
    silhouettes = torch.rand(3, 3, 64, 12, dtype=torch.float64)
    statistics = model.get_submodule("stages.0.projection.1")
    assert isinstance(statistics, nn.BatchNorm2d)
    assert statistics.running_mean is not None
    model(silhouettes)
    expected = statistics.running_mean.clone()
    statistics.reset_running_stats()
    longer = torch.zeros(7, 64, 12, dtype=torch.float64)  # 0 in every channel; fills the others up by 12 frames
    model(torch.cat([silhouettes.flatten(0, 1), longer]), torch.tensor([3, 3, 3, 7]))
    torch.testing.assert_close(statistics.running_mean, expected * 9 / 16)


@pytest.mark.parametrize("shortcut", SHORTCUTS)
def test_what_a_block_adds(shortcut: Shortcut) -> None:
    blocks = [stage for stage in small(shortcut).stages if isinstance(stage, DynamicAugmentation)]
    assert len(blocks) == 5
    projections = [0 if block.projection is None else len(block.projection) for block in blocks]
    assert projections == [{"projection": 1, "projection_bn": 2, "identity": 0}[shortcut]] * 5
    # from 1 channel to 4, from 6 to 6, from 8 to 8
    assert [block.adds_input for block in blocks] == [shortcut == "identity" and i in (0, 2, 4) for i in range(5)]


def test_maps_stay_channels_last_in_memory() -> None:
    model = small()
    stages: list[bool] = []
    for stage in model.stages:
        stage.register_forward_hook(
            lambda layer, given, made: stages.append(made[0].is_contiguous(memory_format=torch.channels_last_3d))
        )
    model(torch.rand(2, 4, 64, 44))
    model(torch.rand(8, 64, 44), torch.tensor([3, 5]))
    assert len(stages) == 16
    assert all(stages)


def test_128_rows() -> None:
    model = DyGait(num_classes=3, channels=(2, 3, 4, 5), bins=(32,), frame_height=128).eval()
    assert model(torch.rand(2, 3, 128, 88)).embeddings.shape == (2, 32, 5)
    with pytest.raises(ValueError, match="silhouettes of 64×44, but this DyGait is made for frames of 128 rows"):
        model(torch.rand(2, 3, 64, 44))


def test_contradictions_are_refused() -> None:
    with pytest.raises(ValueError, match="shallow layout has 3 widths, but channels are"):
        DyGait(num_classes=3, layout="shallow")
    with pytest.raises(ValueError, match="deep layout has 4 widths"):
        DyGait(num_classes=3, channels=(32, 64, 128))
    with pytest.raises(ValueError, match=r"a last map of 16, which cannot be cut into \[32\] equal strips"):
        DyGait(num_classes=3, bins=(32,))
