"""The backbone of GaitGraph and GaitGraph2; `test_direct.py` compares its layers with their description."""

from __future__ import annotations

from typing import cast

import pytest
import torch
from torch import Tensor, nn

from gaitway.models.resgcn import (
    Branch,
    GraphLayer,
    ResGCN,
    ResidualModule,
    SpatialBottleneck,
    TemporalBottleneck,
    TimeLayer,
)
from gaitway.nn import Clips, adjacency, initialise_poses, normalise
from gaitway.nn.clips import side_by_side
from gaitway.skeletons import COCO17

LENGTHS = [7, 1, 4, 6]


def network(channels: tuple[int, ...] = (4, 8, 8)) -> ResGCN:
    torch.manual_seed(0)
    model = ResGCN(
        num_branches=2,
        in_channels=3,
        branch_channels=(8, 4),
        channels=channels,
        reduction=2,
        out_features=5,
        skeleton=COCO17,
    )
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm1d):
            nn.init.uniform_(cast(Tensor, layer.running_mean), -0.2, 0.2)
            nn.init.uniform_(cast(Tensor, layer.running_var), 0.5, 1.5)
    return model.double()


def branch(model: ResGCN, i: int) -> Branch:
    return cast(Branch, model.branches[i])


def stage(model: ResGCN, i: int) -> ResidualModule:
    return cast(ResidualModule, model.stages[i])


def maps_of(lengths: list[int]) -> tuple[list[Tensor], Tensor, Clips]:
    """Sequences `(6, t, 17)` alone, and all of them filled up."""
    torch.manual_seed(1)
    sequences = [torch.randn(length, 17, 6, dtype=torch.float64) for length in lengths]
    filled, clips = side_by_side(torch.cat(sequences), torch.tensor(lengths))
    return [sequence.permute(2, 0, 1) for sequence in sequences], filled.permute(0, 3, 1, 2), clips


def test_a_joint_gathers_from_those_up_to_two_edges_away_as_the_edges_say() -> None:
    layer = GraphLayer(in_channels=1, out_channels=1, skeleton=COCO17).eval()
    nn.init.ones_(layer.conv.weight)
    nn.init.zeros_(cast(Tensor, layer.conv.bias))
    shares = adjacency(17, COCO17.edges, max_hop=3)[:3].sum(0)  # the third hop counts in the shares alone
    with torch.no_grad():
        torch.testing.assert_close(layer(torch.eye(17).unsqueeze(2)).squeeze(2), shares / (1 + layer.norm.eps) ** 0.5)
        layer.edge[1] = 0
        assert layer(torch.eye(17).unsqueeze(2))[0, 1] == 0, "the nose gives nothing to the left eye, one edge away"
    layer(torch.randn(2, 17, 1)).sum().backward()
    assert layer.edge.grad is not None
    assert layer.edge.grad[2].any()
    assert not layer.edge.grad[3].any(), "the factors of three edges away are stored, but not used"


def test_the_graph_is_built_and_not_stored() -> None:
    model = network()
    assert not [name for name in model.state_dict() if "shares" in name]
    assert {name.rpartition(".")[2] for name, _ in model.named_buffers()} >= {"shares"}


@pytest.mark.parametrize(
    ("channels", "strides"),
    [((4, 8, 8), [2, 2, 1]), ((8, 8, 16, 16), [2, 1, 2, 1])],
    ids=["wider than the branches", "as wide"],
)
def test_the_first_module_and_each_wider_one_take_every_other_frame(
    channels: tuple[int, ...], strides: list[int]
) -> None:
    model = network(channels)
    stages = [stage(model, i) for i in range(len(model.stages))]
    assert [each.stride for each in stages] == strides
    assert [each.temporal.shortcut is not None for each in stages] == [stride == 2 for stride in strides]


@pytest.mark.parametrize("num_frames", [1, 2, 5, 8])
def test_half_of_the_frames_are_left_rounded_up(num_frames: int) -> None:
    layer = TimeLayer(in_channels=2, out_channels=3, stride=2)
    before, after = Clips(num_frames), Clips(num_frames).strided(2)
    assert layer(torch.randn(4 * num_frames, 17, 2), before, after).shape == (4 * ((num_frames + 1) // 2), 17, 3)


def test_sequences_of_unequal_length_are_exactly_as_alone() -> None:
    model = network().eval()
    sequences, maps, clips = maps_of(LENGTHS)
    together = model(maps, clips)
    for i, sequence in enumerate(sequences):
        alone = model(sequence.unsqueeze(0), Clips(sequence.shape[1]))[0]
        torch.testing.assert_close(together[i], alone, rtol=1e-10, atol=1e-12)


def test_no_sequence_sees_another() -> None:
    model = network().eval()
    _, maps, clips = maps_of(LENGTHS)
    maps = maps.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(model(maps, clips)[2].square().sum(), maps)
    assert gradient[2, :, : LENGTHS[2]].any(2).all(), "every joint's every feature counts in its own"
    assert not gradient[[0, 1, 3]].any()


def test_training_normalises_by_real_frames_only() -> None:
    model = network().train()
    sequences, maps, clips = maps_of(LENGTHS)
    first, last = branch(model, 0).norm, stage(model, 0).temporal.up.norm
    first.momentum = 1.0
    seen: list[Tensor] = []
    last.register_forward_hook(lambda layer, given, made: seen.append(given[0].detach()))
    model(maps, clips)
    frames = torch.cat([sequence[:3].transpose(0, 1) for sequence in sequences])  # (frames, 3, 17)
    torch.testing.assert_close(first.running_mean, frames.mean((0, 2)))
    assert len(seen[0]) == 17 * sum((length + 1) // 2 for length in LENGTHS)


def test_batch_norms_may_be_made_ones_of_all_processes() -> None:
    model = network().eval()
    _, maps, clips = maps_of(LENGTHS)
    expected = model(maps, clips)
    synchronised = nn.SyncBatchNorm.convert_sync_batchnorm(model)  # type: ignore[no-untyped-call]
    torch.testing.assert_close(synchronised(maps, clips), expected)


def test_equal_lengths_give_the_dense_result() -> None:
    model = network().train()
    _, maps, clips = maps_of([5, 5, 5])
    torch.testing.assert_close(model(maps, clips), model(maps, Clips(5)), rtol=1e-10, atol=1e-12)


def test_modules_start_as_their_shortcuts() -> None:
    model = network()
    initialise_poses(model)
    model.start_as_identity()
    halves = [layer for layer in model.modules() if isinstance(layer, (SpatialBottleneck, TemporalBottleneck))]
    assert len(halves) == 2 * (2 * 1 + 3)
    assert not any(half.up.norm.weight.any() for half in halves)
    same_width = stage(model, 2)
    x = torch.rand(10, 17, 8, dtype=torch.float64)
    torch.testing.assert_close(same_width.eval()(x, Clips(5), Clips(5)), x)


def test_a_batch_norm_that_does_not_train_is_folded_and_still_has_gradients() -> None:
    layer = stage(network(), 0).temporal.down
    layer.norm.eval()
    x = torch.randn(6, 17, 4, dtype=torch.float64)
    assert layer.conv.bias is not None
    folded, separate = layer(x), normalise(layer.conv(x), layer.norm)
    torch.testing.assert_close(folded, separate)
    weights = torch.randn_like(folded)
    parameters = [layer.conv.weight, layer.conv.bias, layer.norm.weight, layer.norm.bias]
    found, expected = (torch.autograd.grad(y, parameters, weights) for y in (folded, separate))
    torch.testing.assert_close(found, expected)


def test_widths_that_cannot_be_reduced_are_refused() -> None:
    with pytest.raises(ValueError, match=r"channels \[4, 9, 8\] with reduction 2: expected multiples of 2, but 9 is"):
        network((4, 9, 8))
