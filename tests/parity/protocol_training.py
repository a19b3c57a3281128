"""Training: the start of the weights and learning-rate schedules.

Both cases also pin what belongs to models that Gaitway does not have yet; what it has is held to the same figures by
`test_in_part.py`.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from gaitway.nn import initialise
from gaitway.training.optim import build_optimizer, build_schedule
from gaitway.training.recipe import SCHEDULES, Component
from tests.parity.case import Array, Case, Results
from tests.parity.running import NotKnownError


def opengait_start(case: Case) -> dict[str, float]:
    """The spread of freshly initialised layers, as OpenGait starts them."""
    torch.manual_seed(case.hyperparameters["seed"])
    conv, linear, bn = nn.Conv2d(64, 128, 3), nn.Linear(512, 256), nn.BatchNorm2d(4096)
    initialise(nn.ModuleList([conv, linear, bn]))
    assert conv.bias is not None
    figures = {
        "conv_std": conv.weight.std(),
        "conv_max": conv.weight.abs().max(),
        "conv_bias_absmax": conv.bias.abs().max(),
        "linear_std": linear.weight.std(),
        "bn_weight_mean": bn.weight.mean(),
        "bn_weight_std": bn.weight.std(),
    }
    return {f"opengait/{name}": float(figure.detach()) for name, figure in figures.items()}


def known_schedules(case: Case) -> dict[str, Array]:
    """Learning rate and, where it is cycled, first momentum in force at each update."""
    found: dict[str, Array] = {}
    for i, setting in enumerate(case.hyperparameters["settings"]):
        if setting["scheduler"] not in SCHEDULES:
            continue
        weight = nn.Parameter(torch.zeros(1))
        optimizer = build_optimizer(Component(setting["opt"], {"lr": setting["lr"]}), [weight])
        schedule = build_schedule(Component(setting["scheduler"], setting["args"]), optimizer)
        weight.grad = torch.zeros(1)
        rates, momenta = [], []
        for step in range(setting["steps"]):
            rates.append(optimizer.param_groups[0]["lr"])
            momenta.append(optimizer.param_groups[0].get("betas", (0.0,))[0])
            optimizer.step()
            if step + 1 < setting["steps"]:  # OneCycleLR refuses to go on after its last step
                schedule.step()
        found |= {f"lr_{i}": np.array(rates), f"beta1_{i}": np.array(momenta)}
    return found


def run_initialisation(case: Case) -> Results:
    raise NotKnownError("FastPoseGait's start of the weights comes with its models (OpenGait's: test_in_part.py)")


def run_schedules(case: Case) -> Results:
    missing = {setting["scheduler"] for setting in case.hyperparameters["settings"]} - SCHEDULES.keys()
    if missing:
        raise NotKnownError(f"Gaitway has no schedule {', '.join(missing)} yet (the others: test_in_part.py)")
    return known_schedules(case), {}


RUNNERS = {"train_initialisation": run_initialisation, "train_schedules": run_schedules}
