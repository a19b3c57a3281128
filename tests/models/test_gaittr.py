"""What is GaitTR's own; `test_all_models.py` and `test_direct.py` cover the rest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

import pytest
import torch
from torch import Tensor, nn

from gaitway.models import (
    GaitTR,
    gaittr_casiab,
    gaittr_gait3d,
    gaittr_grew,
    gaittr_grew_plus,
    gaittr_oumvlp,
    gaittr_oumvlp17,
    gaittr_oumvlp_plus,
)
from gaitway.models.gaittr import JointAttention
from tests.models.examples import settle


@cache
def small() -> GaitTR:
    torch.manual_seed(0)
    model = settle(GaitTR(channels=(32, 32), embedding_dim=8)).eval()
    assert isinstance(model, GaitTR)
    return model


def walks(lengths: Sequence[int]) -> list[Tensor]:
    return [100 * torch.rand(1, 17, 10) + 3 * torch.randn(length, 17, 10) for length in lengths]


@pytest.mark.parametrize(
    ("build", "blocks", "num_joints", "width", "parameters"),
    [
        (gaittr_casiab, 4, 17, 128, 512_010),
        (gaittr_gait3d, 4, 17, 128, 512_010),
        (gaittr_grew, 4, 17, 256, 544_906),
        (gaittr_grew_plus, 8, 17, 256, 1_319_818),
        (gaittr_oumvlp, 4, 18, 256, 545_458),
        (gaittr_oumvlp17, 4, 17, 256, 544_906),
        (gaittr_oumvlp_plus, 7, 18, 256, 1_127_410),
    ],
)
def test_published_sizes(
    build: Callable[[], GaitTR], blocks: int, num_joints: int, width: int, parameters: int
) -> None:
    model = build().eval()
    assert sum(parameter.numel() for parameter in model.parameters()) == parameters
    assert len(model.blocks) == blocks
    assert model.frame_shape == (num_joints, 10)
    assert model(torch.randn(2, 3, num_joints, 10)).embeddings.shape == (2, 1, width)


def test_it_starts_as_published() -> None:
    model = gaittr_casiab()
    state = model.state_dict()
    bound = (6 / (10 + 96)) ** 0.5
    assert 0.95 * bound < state["blocks.0.attention.projection.weight"].abs().max() <= bound
    assert not any(values.any() for name, values in state.items() if name.endswith(".bias"))
    norms = [layer for layer in model.modules() if isinstance(layer, nn.BatchNorm1d)]
    assert len(norms) == 1 + 3 * 4 + 2 * 3
    assert all((layer.weight == 1).all() for layer in norms)


def test_no_gradient_crosses_into_another_sequence() -> None:
    poses = torch.cat(walks([4, 5, 3])).requires_grad_()
    small()(poses, torch.tensor([4, 5, 3])).embeddings[1].sum().backward()
    assert poses.grad is not None
    assert poses.grad.flatten(1).any(1).tolist() == [False] * 4 + [True] * 5 + [False] * 3


def test_training_counts_real_frames_only() -> None:
    model = GaitTR(channels=(32, 64), embedding_dim=8).train()
    counts: list[int] = []
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm1d):
            layer.register_forward_pre_hook(lambda layer, given: counts.append(len(given[0])))
    lengths = [3, 7, 4]
    poses = torch.cat(walks(lengths))
    model(poses, torch.tensor(lengths))
    # of all joints together, but where the channels of each joint have their own
    assert sorted(counts) == [14] * 3 + [14 * 17] * 8
    torch.testing.assert_close(model.input_norm.bn.running_mean, 0.1 * poses.mean(0).flatten())


def test_attention_sees_every_joint_of_its_own_frame_and_no_other_frame() -> None:
    torch.manual_seed(0)
    layer = JointAttention(in_channels=10, out_channels=32, num_joints=17).eval()
    x = torch.randn(3, 17, 10, requires_grad=True)
    layer(x)[1, 4].sum().backward()
    assert x.grad is not None
    assert x.grad.abs().sum(2).bool().tolist() == [[False] * 17, [True] * 17, [False] * 17]


def test_dropout_is_before_the_temporal_convolutions_and_only_in_training() -> None:
    model = GaitTR(channels=(32,), dropout=0.5)
    dropped = []
    model.get_submodule("blocks.0.temporal.conv").register_forward_pre_hook(
        lambda layer, given: dropped.append(given[0] == 0)
    )
    poses = torch.stack(walks([20, 20]))
    model.eval()(poses)
    model.train()(poses)
    evaluating, training = dropped
    assert not evaluating.any()
    assert 0.45 < training.float().mean() < 0.55


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match=r"poses of shape \(2, 3, 18, 10\), expected \(n, t, 17, 10\)"):
        small()(torch.randn(2, 3, 18, 10))
    with pytest.raises(ValueError, match=r"expected \(sum of lengths, 17, 10\)"):
        small()(torch.randn(6, 17, 3), torch.tensor([2, 4]))
    with pytest.raises(ValueError, match="lengths add up to 5"):
        small()(torch.randn(6, 17, 10), torch.tensor([2, 3]))
    with pytest.raises(ValueError, match=r"channels \[32, 40\], expected multiples of 32"):
        GaitTR(channels=[32, 40])
    with pytest.raises(ValueError, match="no skeleton 'coco'"):
        GaitTR(skeleton="coco")
