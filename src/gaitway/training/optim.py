"""The optimiser, its schedule and, for fp16, its loss scaler: what turns gradients into counted updates."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn
from torch.amp.grad_scaler import GradScaler
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from gaitway.training.recipe import OPTIMIZERS, SCHEDULES, Component, IdleGradients

SMALLEST_SCALE = 2.0**-10
"""Gradients that overflow even at this loss scale are not a matter of scale."""


def build_optimizer(part: Component, parameters: Iterable[nn.Parameter]) -> Optimizer:
    """The optimiser of a recipe, for those parameters that are to be trained.

    Raises:
        ValueError: when there is nothing to train.
    """
    parameters = [parameter for parameter in parameters if parameter.requires_grad]
    if not parameters:
        raise ValueError("the model has no parameters to train; evaluate it as it is")
    optimizer: Optimizer = OPTIMIZERS[part.name](parameters, **part.arguments)
    return optimizer


def build_schedule(part: Component, optimizer: Optimizer) -> LRScheduler:
    """The learning-rate schedule of a recipe; its unit is one counted update."""
    schedule: LRScheduler = SCHEDULES[part.name](optimizer, **part.arguments)
    return schedule


class Updates:
    """Takes optimiser steps and moves the schedule by one for each that counts.

    Under fp16 an update whose gradients overflowed is skipped: the scale shrinks, the weights stay, and neither
    schedule nor step count move. An update after which the scale grows is an update like any other.

    Args:
        optimizer: As wrapped by Fabric, whose precision plug-in holds the scaler.
        schedule: Of the optimiser inside.
        scaler: The loss scaler of fp16, or None.
        idle_gradients: What parameters that a step does not use have as their gradient: see `Training`.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        schedule: LRScheduler,
        scaler: GradScaler | None,
        *,
        idle_gradients: IdleGradients = "none",
    ) -> None:
        self.optimizer, self.schedule, self.scaler = optimizer, schedule, scaler
        self.idle_gradients = idle_gradients

    @property
    def parameters(self) -> list[nn.Parameter]:
        """All that are trained, in the optimiser's order."""
        return [parameter for group in self.optimizer.param_groups for parameter in group["params"]]

    @property
    def learning_rate(self) -> float:
        """Of the first parameter group, for the next update."""
        return float(self.optimizer.param_groups[0]["lr"])

    def step(self) -> bool:
        """Update the weights and clear the gradients. False when the update was skipped."""
        scale = self.scaler.get_scale() if self.scaler else 1.0
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=self.idle_gradients == "none")
        if self.scaler and self.scaler.get_scale() < scale:
            return False
        self.schedule.step()
        return True

    def gradients_are_hopeless(self) -> torch.Tensor:
        """Whether the gradients hold NaN or infinity for which no loss scale is to blame; a boolean scalar tensor."""
        gradients = [parameter.grad for parameter in self.parameters if parameter.grad is not None]
        if self.scaler and self.scaler.get_scale() > SMALLEST_SCALE:
            return torch.zeros((), dtype=torch.bool, device=gradients[0].device)
        return ~torch.isfinite(nn.utils.get_total_norm(gradients))

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next update depends on, beside the weights."""
        return {
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "scaler": self.scaler.state_dict() if self.scaler else {},
            "used": [i for i, parameter in enumerate(self.parameters) if parameter.grad is not None],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state`."""
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        if self.scaler:
            self.scaler.load_state_dict(state["scaler"])
        if self.idle_gradients == "zero":
            for i in state["used"]:
                self.parameters[i].grad = torch.zeros_like(self.parameters[i])
