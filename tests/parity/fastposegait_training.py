"""Losses of the pose models, and their learning rates."""

from __future__ import annotations

import string

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from gaitway.training.optim import build_optimizer, build_schedule
from gaitway.training.recipe import Component
from tests.parity.case import Array, Case, Results
from tests.parity.every_model import to_arrays
from tests.parity.protocol_losses import configured, from_published, of_views


def run_losses(case: Case) -> Results:
    """Values per part where there are parts, their mean, and its gradient, by the names of the outputs."""
    found: dict[str, Tensor] = {}
    scalars: dict[str, float] = {}
    for name in [*case.outputs, *case.scalars]:
        key = name.removeprefix("grad/").removesuffix("/mean")
        kind, *settings = key.split("/")
        if key in scalars or f"{key}/mean" in scalars:
            continue
        labels = torch.from_numpy(case.inputs[labels_of(kind)])
        given, values = LOSS_RUNS[kind.partition("_")[0]](case, kind, settings, labels)
        (gradient,) = torch.autograd.grad(values.mean(), given)
        mean = float(values.detach().mean())
        if kind.startswith("supcon"):
            scalars[key] = mean
            found[f"grad/{key}"] = gradient
        else:
            scalars[f"{key}/mean"] = mean
            found |= {key: values, f"grad/{key}": gradient.transpose(1, 2)}
    return to_arrays(found), scalars


def labels_of(kind: str) -> str:
    """`supcon_lp_singleton` has labels of its own."""
    which = kind.removeprefix("supcon_re").removeprefix("supcon_lp")
    return f"labels{which}" if which != kind else "labels"


def triplet(case: Case, kind: str, settings: list[str], labels: Tensor) -> tuple[Tensor, Tensor]:
    embeddings = from_published(case, "embeddings")
    loss = configured("TripletLoss", {"margin": number(settings[0]), "is_hard_loss": kind == "triplet_hard"})
    return embeddings, loss(embeddings, labels)[0]


def cross_entropy(case: Case, kind: str, settings: list[str], labels: Tensor) -> tuple[Tensor, Tensor]:
    scale, smooth = map(number, settings)
    logits = from_published(case, "logits")
    return logits, configured("CrossEntropyLoss", {"scale": scale, "label_smooth": smooth == 1})(logits, labels)[0]


def supervised_contrastive(case: Case, kind: str, settings: list[str], labels: Tensor) -> tuple[Tensor, Tensor]:
    """What the models normalise comes normalised, as GaitGraph's two views do; the other loss does it itself."""
    arguments = {"temperature": number(settings[0])}
    if kind.startswith("supcon_lp"):
        features = torch.from_numpy(case.inputs["features"]).requires_grad_()
        return features, configured("SupConLoss_Lp", arguments)(features[:, None], labels)[0]
    features = torch.from_numpy(case.inputs["two_view"]).requires_grad_()
    embeddings, repeated = of_views(functional.normalize(features, dim=2), labels)
    return features, configured("SupConLoss_Re", arguments)(embeddings, repeated)[0]


def number(setting: str) -> float:
    """0.2 of `margin0.2`."""
    return float(setting.lstrip(string.ascii_letters))


LOSS_RUNS = {"triplet": triplet, "ce": cross_entropy, "supcon": supervised_contrastive}


def run_onecycle(case: Case) -> Results:
    """Learning rate and first momentum in force at some of the updates."""
    found: dict[str, Array] = {}
    for name, setting in case.hyperparameters["schedules"].items():
        optimizer = build_optimizer(Component(setting["optimizer"], {}), [nn.Parameter(torch.zeros(1))])
        schedule = build_schedule(Component("OneCycleLR", setting["scheduler"]), optimizer)
        rates, momenta = [], []
        optimizer.step()  # a schedule wants the optimiser to go first
        for step in case.inputs[f"{name}/at"]:
            schedule.last_epoch = int(step) - 1  # its rate depends on nothing else
            schedule.step()
            rates.append(optimizer.param_groups[0]["lr"])
            momenta.append(optimizer.param_groups[0]["betas"][0])
        found |= {f"{name}/lr": np.array(rates), f"{name}/beta1": np.array(momenta)}
    return found, {}


RUNNERS = {"pose_losses": run_losses, "onecycle": run_onecycle}
