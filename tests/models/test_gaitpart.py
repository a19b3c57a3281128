"""What is GaitPart's own: its size, its parts, and its temporal networks."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from gaitway.models import GaitPart, gaitpart_casiab, gaitpart_oumvlp
from gaitway.models.gaitpart import TemporalAggregator


def size(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(
    ("build", "backbone", "temporal", "head"),
    [(gaitpart_casiab, 286_496, 655_360, 262_144), (gaitpart_oumvlp, 1_171_232, 2_621_440, 1_048_576)],
)
def test_parameters_are_as_published(build: Callable[[], GaitPart], backbone: int, temporal: int, head: int) -> None:
    model = build()
    assert (size(model.backbone), size(model.temporal), size(model.head)) == (backbone, temporal, head)
    assert size(model) == backbone + temporal + head


def test_there_are_16_parts() -> None:
    model = gaitpart_casiab().eval()
    assert model(torch.rand(2, 3, 64, 44)).embeddings.shape == (2, 16, 128)


def test_frames_that_cannot_be_cut_are_refused() -> None:
    with pytest.raises(ValueError, match=r"feature map of 15×11 cannot be cut into \(16,\) equal strips"):
        gaitpart_casiab()(torch.rand(1, 2, 60, 44))


def aggregator() -> TemporalAggregator:
    torch.manual_seed(0)
    return TemporalAggregator(num_parts=3, num_channels=8, squeeze=2).double()


def test_no_sequence_sees_another_neither_in_its_gradient() -> None:
    block, lengths = aggregator(), [2, 1, 7, 4]
    x = torch.randn(sum(lengths), 3, 8, dtype=torch.float64)
    together = block(x, torch.tensor(lengths))
    alone = torch.cat([block(sequence.unsqueeze(0)) for sequence in torch.split(x, lengths)])
    torch.testing.assert_close(together, alone)
    weights = torch.randn_like(together)
    gradients = [torch.autograd.grad((y * weights).sum(), list(block.parameters())) for y in (together, alone)]
    for found, expected in zip(*gradients, strict=True):
        torch.testing.assert_close(found, expected)


def test_every_part_has_its_own_network() -> None:
    block = aggregator()
    x = torch.randn(2, 5, 3, 8, dtype=torch.float64)
    changed = x.clone()
    changed[:, :, 1] += 1
    different = (block(changed) != block(x)).flatten(2).any(2)
    assert different.tolist() == [[False, True, False]] * 2
    same = block(x[:, :, :1].expand_as(x))
    assert not torch.allclose(same[:, 0], same[:, 1])


def test_means_count_the_padding() -> None:
    block = aggregator()
    with torch.no_grad():
        for weight in block.parameters():
            weight.zero_()  # every window counts half
        y = block(torch.ones(1, 1, 3, 8, dtype=torch.float64))
    torch.testing.assert_close(y, torch.full_like(y, (1 + 1 / 3 + 1 + 1 / 5) / 2))


@pytest.mark.parametrize(
    ("name", "fans"), [("squeeze", (3 * 16, 3 * 4)), ("excite3", (4, 16)), ("excite5", (3 * 4, 3 * 16))]
)
def test_every_network_starts_as_if_it_were_alone(name: str, fans: tuple[int, int]) -> None:
    torch.manual_seed(0)
    weight: Tensor = TemporalAggregator(num_parts=200, num_channels=16, squeeze=4).get_parameter(name).detach()
    bound = (6 / sum(fans)) ** 0.5
    assert weight.abs().max() <= bound
    assert weight.std() == pytest.approx(bound / 3**0.5, rel=0.02)
