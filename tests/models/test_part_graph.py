"""What GPGait and GPGait++ share, and what is their own; `test_all_models.py` and `test_direct.py` cover the rest."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from functools import cache

import pytest
import torch
from torch import Tensor, nn

from gaitway import models
from gaitway.models import GPGait, GPGaitPlusPlus
from gaitway.models.part_graph import PartAttention, PartPooling
from gaitway.nn import Clips, RowBatchNorm
from gaitway.skeletons import COCO12, COCO17, Skeleton
from tests.models.examples import example, settle

LENGTHS = [4, 1, 7]
CHANNELS = (8, 8, 12, 16)
SMALL: dict[str, Callable[[], nn.Module]] = {
    "GPGait": lambda: GPGait(num_classes=3, channels=CHANNELS),
    "GPGaitPlusPlus": lambda: GPGaitPlusPlus(num_classes=3, channels=CHANNELS, dropout=0.0),
}


@cache
def small(name: str) -> nn.Module:
    torch.manual_seed(0)
    return settle(SMALL[name]()).eval()


def poses(n: int, t: int) -> Tensor:
    (frames,) = example(small("GPGait"), n, t)
    return frames


def embed(model: nn.Module, frames: Tensor, lengths: list[int] | None = None) -> Tensor:
    with torch.no_grad():
        embeddings: Tensor = model(frames, None if lengths is None else torch.tensor(lengths)).embeddings
    return embeddings


@pytest.mark.parametrize(
    ("name", "num_classes", "total", "without_classifier"),
    [
        ("gpgait_casiab", 74, 3_654_810, 3_294_874),
        ("gpgait_ccpg", 100, 3_781_274, 3_294_874),
        ("gpgait_gait3d", 3000, 18_640_274, 4_048_274),
        ("gpgait_grew", 20000, 105_222_370, 7_942_370),
        ("gpgait_oumvlp", 5153, 32_479_008, 7_414_816),
        ("gpgait_sustech1k", 250, 4_510_874, 3_294_874),
        ("gpgaitpp_casiab", 74, 5_227_539, 4_867_603),
        ("gpgaitpp_ccpg", 100, 5_354_003, 4_867_603),
        ("gpgaitpp_gait3d", 3000, 20_532_043, 5_940_043),
        ("gpgaitpp_grew", 20000, 108_777_035, 11_497_035),
        ("gpgaitpp_oumvlp", 5153, 36_561_227, 11_497_035),
        ("gpgaitpp_sustech1k", 250, 6_083_603, 4_867_603),
    ],
)
def test_published_sizes(name: str, num_classes: int, total: int, without_classifier: int) -> None:
    build = models.MODELS[name]
    assert inspect.signature(build).parameters["num_classes"].default == num_classes
    model = build(num_classes=1)  # the rest of the classifier is added here: it takes much memory
    classifier = model.get_parameter("network.neck.classifier.weight").numel()
    assert sum(parameter.numel() for parameter in model.parameters()) - classifier == without_classifier
    assert without_classifier + num_classes * classifier == total


@pytest.mark.parametrize("name", SMALL)
def test_embeddings_are_19_vectors_of_length_1_after_the_neck(name: str) -> None:
    with torch.no_grad():
        output = small(name)(poses(2, 5), logits=True)
    assert output.embeddings.shape == output["before_neck"].shape == (2, 19, 16)
    torch.testing.assert_close(output.embeddings.norm(dim=2), torch.ones(2, 19))
    assert output.logits is not None
    assert output.logits.abs().max() <= 1
    neck = small(name).get_submodule("network.neck")
    with torch.no_grad():
        torch.testing.assert_close(neck(output["before_neck"])[0], output.embeddings)


@pytest.mark.parametrize("name", SMALL)
def test_sequences_of_any_lengths_are_embedded_as_one_by_one(name: str) -> None:
    frames = poses(1, sum(LENGTHS))[0]
    together = embed(small(name), frames, LENGTHS)
    for found, sequence in zip(together, torch.split(frames, LENGTHS), strict=True):
        torch.testing.assert_close(found, embed(small(name), sequence[None])[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", SMALL)
def test_no_gradient_crosses_into_another_sequence(name: str) -> None:
    frames = poses(1, sum(LENGTHS))[0].requires_grad_()
    output = small(name)(frames, torch.tensor(LENGTHS))
    output["before_neck"][2].sum().backward()
    assert frames.grad is not None
    assert frames.grad.flatten(1).any(1).tolist() == [False] * 5 + [True] * 7


@pytest.mark.parametrize("name", SMALL)
def test_batch_norm_counts_the_frames_of_sequences_and_nothing_else(name: str) -> None:
    model, num_rows = SMALL[name]().train(), set()
    for layer in model.modules():
        if isinstance(layer, RowBatchNorm):
            layer.register_forward_pre_hook(lambda layer, given: num_rows.add(len(given[0])))
    model(poses(1, sum(LENGTHS))[0], torch.tensor(LENGTHS))
    assert num_rows == {12, 12 * 17, 12 * 12}


@pytest.mark.parametrize("name", SMALL)
def test_lengths_that_are_equal_train_as_a_dense_batch(name: str) -> None:
    dense, ragged = SMALL[name]().train(), SMALL[name]().train()
    ragged.load_state_dict(dense.state_dict())
    frames = poses(3, 4)
    found, expected = ragged(frames.flatten(0, 1), torch.tensor([4, 4, 4])), dense(frames)
    torch.testing.assert_close(found["before_neck"], expected["before_neck"], rtol=1e-4, atol=1e-5)
    for key, values in dense.state_dict().items():
        torch.testing.assert_close(ragged.state_dict()[key], values, rtol=1e-4, atol=1e-5, msg=key)


def test_the_order_of_frames_matters_only_to_convolutions_over_time() -> None:
    frames = poses(1, 6)
    turned = frames[:, [3, 1, 5, 0, 4, 2]]
    torch.testing.assert_close(embed(small("GPGait"), turned), embed(small("GPGait"), frames), rtol=1e-4, atol=1e-5)
    assert not torch.allclose(embed(small("GPGaitPlusPlus"), turned), embed(small("GPGaitPlusPlus"), frames), atol=1e-3)


def attention(partition: str | None) -> PartAttention:
    torch.manual_seed(0)
    return PartAttention(in_channels=4, out_channels=8, skeleton=COCO17, partition=partition).eval()


@pytest.mark.parametrize("partition", [*COCO17.partitions, None])
def test_what_a_joint_becomes_depends_on_the_joints_of_its_part_only(partition: str | None) -> None:
    """The attention depends on all joints, but through the softmax alone: without it nothing else does."""
    layer = attention(partition)
    nn.init.zeros_(layer.projection)
    parts = COCO17.partitions[partition or "body"].values()
    x = torch.randn(3, 17, 4, requires_grad=True)
    for joint in range(17):
        (gradient,) = torch.autograd.grad(layer(x, Clips(3))[:, joint].sum(), x)
        mine = next(part for part in parts if joint in part)
        assert gradient.abs().sum((0, 2)).nonzero().flatten().tolist() == sorted(mine)


def test_the_weights_into_a_joint_add_up_to_one_before_the_fixed_share() -> None:
    layer = attention(None)
    nn.init.zeros_(layer.PA)
    layer.adjacency.zero_()
    nn.init.zeros_(layer.output_bias)
    torch.manual_seed(1)
    one = torch.randn(1, 1, 4).expand(5, 17, 4)  # any mean of equal joints is that joint
    expected = layer.norm(one[0, :1] @ layer.output.sum(1).T)
    torch.testing.assert_close(layer(one, Clips(5)), nn.functional.mish(expected).expand(5, 17, 8))


def test_every_layer_has_a_learned_graph_of_its_own() -> None:
    model = GPGait(num_classes=3, channels=CHANNELS)
    graphs = [values for name, values in model.named_parameters() if name.endswith("PA")]
    assert len(graphs) == 3 + 4 + 3 + 4 + 3 + 2
    assert len({values.data_ptr() for values in graphs}) == len(graphs)
    assert all((values == 1e-6).all() for values in graphs)


def test_the_maps_of_a_graph_start_as_if_they_were_convolutions() -> None:
    layer = PartAttention(in_channels=64, out_channels=128, skeleton=COCO17, partition=None)
    for weights, fan_out in ((layer.projection, 32), (layer.output, 128)):
        bound = math.sqrt(6 / (64 + fan_out))
        assert 0.99 * bound < weights.abs().max() <= bound
    assert not layer.projection_bias.any()
    assert not layer.output_bias.any()


@pytest.mark.parametrize("skeleton", [COCO17, COCO12])
def test_pooling_equals_a_loop_over_parts(skeleton: Skeleton) -> None:
    x = torch.randn(3, skeleton.num_joints, 4, dtype=torch.float64, requires_grad=True)
    for partition, parts in skeleton.partitions.items():
        pooled = PartPooling(skeleton=skeleton, partition=partition).double()(x)
        expected = torch.stack([x[:, list(p)].mean(1) + x[:, list(p)].amax(1) for p in parts.values()], 1)
        torch.testing.assert_close(pooled, expected)
        weights = torch.randn_like(pooled)
        found, wanted = (torch.autograd.grad(y, x, weights, retain_graph=True)[0] for y in (pooled, expected))
        torch.testing.assert_close(found, wanted)


def test_without_mask_all_joints_are_seen_and_the_weights_are_the_same() -> None:
    masked, free = (GPGaitPlusPlus(num_classes=3, channels=CHANNELS, mask=mask, dropout=0.0) for mask in (True, False))
    free.load_state_dict(masked.state_dict())
    assert not torch.allclose(embed(masked.eval(), poses(2, 3)), embed(free.eval(), poses(2, 3)), atol=1e-3)


def test_dropout_is_before_the_convolutions_over_time_in_training_only() -> None:
    model = GPGaitPlusPlus(num_classes=3, channels=CHANNELS)
    assert {layer.p for layer in model.modules() if isinstance(layer, nn.Dropout)} == {0.1}
    frames = poses(4, 3)
    first, second = (model.train()(frames).embeddings for _ in range(2))
    assert not torch.equal(first, second)
    assert torch.equal(embed(model.eval(), frames), embed(model, frames))


@pytest.mark.parametrize("num_shared", [0, 4])
def test_layers_of_both_kinds_are_needed(num_shared: int) -> None:
    with pytest.raises(ValueError, match=f"{num_shared} shared of 4 layers"):
        GPGait(num_classes=3, num_shared=num_shared)
    with pytest.raises(ValueError, match="3 shared of 3 layers"):
        GPGaitPlusPlus(num_classes=3, channels=(8, 8, 8))


@pytest.mark.parametrize("name", SMALL)
def test_poses_of_other_joints_or_features_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"poses of shape \(2, 3, 18, 6\), expected \(n, t, 17, 6\)"):
        small(name)(torch.randn(2, 3, 18, 6))
    with pytest.raises(ValueError, match=r"expected \(sum of lengths, 17, 6\)"):
        small(name)(torch.randn(2, 17, 3), torch.tensor([1, 1]))


@pytest.mark.parametrize("name", SMALL)
def test_all_batch_norms_of_rows_are_the_exact_ones(name: str) -> None:
    """The neck's alone counts sequences, which are few."""
    model = SMALL[name]()
    others = [where for where, layer in model.named_modules() if type(layer) is nn.BatchNorm1d]
    assert others == ["network.neck.bn"]
    assert any(isinstance(layer, RowBatchNorm) for layer in model.modules())
