"""What the cases of HSTL and DyGait have in common: outputs in our order of axes, and no `model_cfg`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from gaitway.evaluation.distance import pairwise_distance
from gaitway.interop import import_model, model_from_config
from gaitway.interop.opengait_config import defaults, effective, merge
from gaitway.interop.opengait_recipe import convert_losses
from gaitway.losses import TripletLoss
from gaitway.training.objective import Objective
from gaitway.training.optim import build_optimizer
from gaitway.training.recipe import Component
from gaitway.types import Output
from tests.parity.case import Case, Results
from tests.parity.every_model import build_loss, check_size, checkpoint_file, norm, to_arrays

Pick = Callable[[Mapping[str, Tensor], str], Tensor]
"""From tensors by our names (parameters, gradients, buffers) and a published name to that published tensor."""


def imported(case: Case, model_cfg: Mapping[str, Any], dataset: str = "") -> nn.Module:
    """The model of a published configuration, imported from a checkpoint file in the published layout."""
    with checkpoint_file(case) as file:
        model = import_model(file, model_from_config(model_cfg, dataset)).model
    check_size(case, model)
    return model


def embed(case: Case, model: nn.Module) -> tuple[Output, dict[str, float]]:
    """A dense batch in evaluation mode, and the distance of its first two sequences."""
    with torch.no_grad():
        output: Output = model(torch.from_numpy(case.inputs["sils"]), logits=True)
    distance = pairwise_distance(output.embeddings[:1], output.embeddings[1:2])
    return output, {"distance/0-1": float(distance)}


def embed_lengths(case: Case, model: nn.Module) -> Results:
    """Sequences of unequal length, which the published code embeds one by one, as one batch."""
    names = [f"sils_t{length}" for length in case.hyperparameters["lengths"]]
    sequences = [torch.from_numpy(case.inputs[name])[0] for name in names]
    with torch.no_grad():
        embeddings = model(torch.cat(sequences), torch.tensor(case.hyperparameters["lengths"])).embeddings
    found = {name.replace("sils", "embeddings"): embeddings[i : i + 1] for i, name in enumerate(names)}
    return to_arrays(found), {}


def train(case: Case, model: nn.Module, pick: Pick) -> Results:
    """A training-mode forward with losses and gradients, and three optimiser steps on the same batch."""
    settings = case.hyperparameters
    published = {"loss_cfg": settings["losses"], "optimizer_cfg": settings["optimizer"]}
    configured = effective(merge(defaults("opengait"), published))
    losses = {name: build_loss(loss) for name, loss in convert_losses(configured.losses, has_classifier=True).items()}
    objective = Objective(model=model, losses=losses)
    optimizer = build_optimizer(
        Component(configured.optimizer.name, configured.optimizer.arguments), model.parameters()
    )
    frames, labels = {"silhouettes": torch.from_numpy(case.inputs["sils"])}, torch.from_numpy(case.inputs["labels"])
    objective.train()

    outputs: list[Output] = []
    handle = model.register_forward_hook(lambda layer, given, made: outputs.append(made))
    total, figures = objective(frames, None, labels)
    handle.remove()
    total.backward()
    gradients = {name: parameter.grad for name, parameter in model.named_parameters() if parameter.grad is not None}
    buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}
    scalars = {
        "loss/total": float(total.detach()),
        "loss_info/triplet/loss_num_mean": float(figures["triplet/loss_num"]),
    }
    scalars |= {f"loss/{name}": float(figures[f"{name}/loss"]) for name in losses}
    for name in case.scalars:
        what, _, tensor = name.partition("/")
        if what == "grad_norm":
            scalars[name] = norm(pick(gradients, tensor))
        elif what == "buffer_norm_after_1_step":
            scalars[name] = norm(pick(buffers, tensor))

    for step in (1, 2, 3):
        optimizer.step()
        total, _ = objective(frames, None, labels)
        scalars[f"loss_after_{step}_step" + "s" * (step > 1)] = float(total.detach())
        optimizer.zero_grad()
        total.backward()
    (output,) = outputs
    assert output.logits is not None
    return to_arrays(
        {
            "triplet/embeddings": output.embeddings,
            "softmax/logits": output.logits,
            **triplet_figures(losses["triplet"], output.embeddings, labels),
        }
    ), scalars


def triplet_figures(loss: nn.Module, embeddings: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """The figures of a triplet loss per part, `(p,)`."""
    assert isinstance(loss, TripletLoss)
    parts = [loss(part, labels)[1] for part in torch.split(embeddings.detach(), 1, 1)]
    return {f"loss_info/triplet/{name}": torch.stack([part[name] for part in parts]) for name in ("loss", "hard_loss")}
