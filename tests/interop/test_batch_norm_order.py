from __future__ import annotations

import torch

from gaitway.interop.batch_norm_order import guess_order, join_parts, part_to_channel_major
from gaitway.nn import BatchNormNeck, PartLinear

P, C = 5, 6


def trained(order: str) -> dict[str, torch.Tensor]:
    """A linear and a neck whose statistics were gathered from data, in one of the two orders."""
    torch.manual_seed(0)
    linear = PartLinear(num_parts=P, in_features=4, out_features=C)
    linear.weight.data.normal_()
    neck = BatchNormNeck(num_parts=P, in_features=C, num_classes=3)
    with torch.no_grad():
        for _ in range(30):
            neck(linear(torch.randn(40, P, 4)))
    state = {f"neck.{name}": tensor for name, tensor in neck.state_dict().items()}
    if order == "part-major":
        for field in ("weight", "bias", "running_mean", "running_var"):
            state[f"neck.bn.{field}"] = state[f"neck.bn.{field}"].reshape(C, P).T.flatten()
    return {"head.weight": linear.weight.detach(), **state}


def test_channels_move_to_where_the_present_layout_has_them() -> None:
    values = torch.arange(P * C)  # part · C + channel
    state = {f"bn.{field}": values for field in ("weight", "bias", "running_mean", "running_var")}
    moved = part_to_channel_major(state, prefix="", num_parts=P)["bn.running_var"]
    for part in range(P):
        for channel in range(C):
            assert moved[channel * P + part] == part * C + channel


def test_one_batch_norm_per_part_becomes_one() -> None:
    state = {}
    for part in range(P):
        for field in ("weight", "bias", "running_mean", "running_var"):
            state[f"neck.bn.{part}.{field}"] = torch.arange(C) * 100 + part
        state[f"neck.bn.{part}.num_batches_tracked"] = torch.tensor(7)
    joined = join_parts(state, prefix="neck.", num_parts=P)
    assert joined.keys() == {
        f"neck.bn.{field}" for field in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    }
    assert joined["neck.bn.bias"][3 * P + 2] == 302  # channel 3, part 2
    assert joined["neck.bn.num_batches_tracked"] == 7


def test_the_order_is_inferred_from_the_weights_before() -> None:
    for order in ("channel-major", "part-major"):
        guess, why = guess_order(trained(order), prefix="neck.", linear="head.weight")
        assert guess == order
        assert why.startswith(f"{order} (correlation of running variances with the weights before: channel-major ")


def test_frozen_statistics_say_nothing() -> None:
    state = trained("part-major") | {"neck.bn.running_var": torch.ones(P * C)}
    guess, why = guess_order(state, prefix="neck.", linear="head.weight")
    assert guess == "channel-major"
    assert "can't be inferred, since batch norm was frozen" in why
    assert "--bn-order part-major" in why


def test_statistics_that_fit_neither_order_say_nothing() -> None:
    torch.manual_seed(1)
    state = trained("part-major") | {"neck.bn.running_var": torch.ones(P * C) + 1e-3 * torch.rand(1)}
    state["neck.bn.running_var"][0] += 1e-6
    guess, why = guess_order(state, prefix="neck.", linear="head.weight")
    assert guess == "channel-major"
    assert "can't be inferred" in why


def test_a_neck_without_a_linear_before_it() -> None:
    assert "can't be inferred without" in guess_order(trained("part-major"), prefix="neck.", linear=None)[1]
