"""Updates: which count, and what the schedule makes of them."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.amp.grad_scaler import GradScaler

from gaitway.training.devices import create_fabric, loss_scaler
from gaitway.training.optim import Updates, build_optimizer, build_schedule
from gaitway.training.recipe import Component


def updates(model: nn.Module, schedule: Component, scaler: GradScaler | None = None, **sgd: float) -> Updates:
    optimizer = build_optimizer(Component("SGD", {"lr": 1.0, **sgd}), model.parameters())
    return Updates(optimizer, build_schedule(schedule, optimizer), scaler)


def test_the_schedule_moves_with_every_update() -> None:
    model = nn.Linear(1, 1)
    steps = updates(model, Component("MultiStepLR", {"milestones": [2, 3], "gamma": 0.1}))
    rates = []
    for _ in range(4):
        rates.append(steps.learning_rate)
        model(torch.ones(1)).backward()
        assert steps.step()
    assert rates == pytest.approx([1, 1, 0.1, 0.01])
    assert model.weight.grad is None


def test_one_cycle_starts_and_ends_as_published() -> None:
    # three-phase one-cycle of GaitGraph 1: from max_lr / 100 up and down again to max_lr / 100 / 1000
    model = nn.Linear(1, 1)
    arguments = {"max_lr": 0.01, "total_steps": 200, "three_phase": True, "pct_start": 0.475}
    steps = updates(
        model, Component("OneCycleLR", {**arguments, "div_factor": 100, "final_div_factor": 1000.0}), momentum=0.9
    )
    rates = []
    for _ in range(200):
        rates.append(steps.learning_rate)
        model(torch.ones(1)).backward()
        steps.step()
    assert rates[0] == pytest.approx(1e-4)
    assert max(rates) == pytest.approx(0.01, rel=1e-3)
    assert rates[-1] == pytest.approx(1e-7)


class TestFp16:
    def test_an_overflow_is_skipped_and_a_growing_scale_counts(self) -> None:
        fabric = create_fabric(accelerator="cpu", precision="fp16")
        scaler = loss_scaler(fabric)
        assert scaler is not None
        scaler.set_growth_interval(1)
        model = nn.Linear(1, 1, bias=False)
        model, optimizer = fabric.setup(model, torch.optim.SGD(model.parameters(), lr=0.5))
        schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer.optimizer, [1])
        steps = Updates(optimizer, schedule, scaler)
        before = model.weight.detach().clone()

        fabric.backward(model(torch.ones(1, 1)).sum() * 1e38)  # × 65536 overflows
        assert not steps.step()
        assert torch.equal(model.weight, before)
        assert steps.learning_rate == 0.5
        assert scaler.get_scale() == 2.0**15

        fabric.backward(model(torch.ones(1, 1)).sum())
        assert steps.step()
        assert scaler.get_scale() == 2.0**16  # grew, and yet the update counts
        assert steps.learning_rate == pytest.approx(0.05)
        torch.testing.assert_close(model.weight.detach(), before - 0.5)

    def test_gradients_are_hopeless_when_no_scale_helps(self) -> None:
        model = nn.Linear(1, 1)
        scaler = GradScaler("cpu")
        steps = updates(model, Component("ConstantLR", {}), scaler)
        scaler.scale(model(torch.ones(1)).sum() * torch.inf).backward()
        assert not steps.gradients_are_hopeless()  # the scale may be to blame
        for _ in range(30):
            assert not steps.gradients_are_hopeless() or scaler.get_scale() <= 2.0**-10
            scaler.scale(model(torch.ones(1)).sum() * torch.inf).backward()
            scaler.step(steps.optimizer)
            scaler.update()
        assert steps.gradients_are_hopeless()


def test_gradients_that_are_not_finite() -> None:
    model = nn.Linear(1, 1)
    steps = updates(model, Component("ConstantLR", {}))
    model(torch.ones(1)).backward()
    assert not steps.gradients_are_hopeless()
    model(torch.tensor([torch.nan])).backward()
    assert steps.gradients_are_hopeless()


def test_state_goes_round() -> None:
    def trained(num: int, from_state: dict[str, object] | None = None) -> Updates:
        torch.manual_seed(0)
        model = nn.Linear(1, 1)
        steps = updates(model, Component("MultiStepLR", {"milestones": [3]}), momentum=0.9)
        if from_state:
            steps.load_state_dict(from_state)
        for _ in range(num):
            model(torch.ones(1)).backward()
            steps.step()
        return steps

    assert trained(2, trained(2).state_dict()).state_dict()["schedule"] == trained(4).state_dict()["schedule"]
    assert trained(0, trained(2).state_dict()).state_dict() == trained(2).state_dict()


def test_nothing_to_train() -> None:
    with pytest.raises(ValueError, match="no parameters to train"):
        build_optimizer(Component("SGD", {"lr": 1.0}), nn.ReLU().parameters())


def test_frozen_parameters_are_left_out() -> None:
    model = nn.Linear(2, 1)
    model.bias.requires_grad_(False)
    optimizer = build_optimizer(Component("SGD", {"lr": 1.0}), model.parameters())
    assert [id(parameter) for parameter in optimizer.param_groups[0]["params"]] == [id(model.weight)]
