"""The pose models: raw poses through the transforms of the configuration, then the model, evaluating and training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from gaitway.data.transforms import TRANSFORMS
from gaitway.data.transforms.chain import Chain
from gaitway.interop.opengait_config import defaults, effective, merge
from gaitway.interop.opengait_recipe import ONLY_LAYOUT, convert_losses
from gaitway.interop.opengait_recipe import TRANSFORMS as PUBLISHED_TRANSFORMS
from gaitway.training.objective import Loss, Objective
from gaitway.training.optim import build_optimizer, build_schedule
from gaitway.training.recipe import Component
from gaitway.types import Output
from tests.parity.case import Array, Case, Results
from tests.parity.every_model import Intermediate, build_loss, imported, norm, places, recorded, to_arrays

TAPS: dict[str, dict[str, tuple[str, int, Intermediate]]] = {}
"""Model → output name in the cases → our layer, which of its calls, and which of its tensors."""


def run_eval(case: Case) -> Results:
    """The evaluation-mode forward."""
    model = imported(case)
    chain, layout = published_chain(case)
    poses = [values for name, values in case.inputs.items() if name.startswith("poses")]
    found: dict[str, Tensor] = {}
    if case.hyperparameters["batching"] == "single":  # sequences of unequal length, which ours takes in one batch
        counts = np.array([len(sequence) for sequence in poses])
        frames, lengths = through(chain, np.concatenate(poses), counts), torch.from_numpy(counts)
    else:
        frames, lengths = dense(chain, poses[0]), None
        found["network_input"] = as_published(frames, layout)
    taps = {tap: of for tap, of in TAPS.get(type(model).__name__, {}).items() if tap in case.outputs}
    with torch.no_grad(), recorded(model, {layer for layer, _, _ in taps.values()}) as calls:
        output = model(frames.double() if case.float64 else frames, lengths)
    found |= {tap: of(*calls[layer][call]) for tap, (layer, call, of) in taps.items()}
    found["embeddings"] = output.embeddings.transpose(1, 2)
    if output.logits is not None:
        found["logits/softmax"] = output.logits.transpose(1, 2)
    return strided(case, found), {}


def run_train(case: Case) -> Results:
    """A training-mode forward with losses and gradients, and three optimiser steps on the same batch."""
    model = imported(case)
    for layer in model.modules():
        if isinstance(layer, nn.Dropout):
            layer.p = 0.0  # no case draws at random
    sections = ("model_cfg", "loss_cfg", "optimizer_cfg", "scheduler_cfg")
    config = merge(defaults("fastposegait"), {key: case.hyperparameters[key] for key in sections})
    # a section that a configuration gives stands alone, as the cases record it
    config |= {key: case.hyperparameters[key] for key in ("optimizer_cfg", "scheduler_cfg")}
    configured = effective(config, "fastposegait")
    losses = convert_losses(configured.losses, has_classifier=any(name.endswith("/logits") for name in case.outputs))
    objective = Objective(model=model, losses={name: build_loss(loss) for name, loss in losses.items()}).train()
    optimizer = build_optimizer(
        Component(configured.optimizer.name, configured.optimizer.arguments), model.parameters()
    )
    schedule = build_schedule(Component(configured.scheduler.name, configured.scheduler.arguments), optimizer)
    chain, layout = published_chain(case)
    inputs = dense(chain, case.inputs["poses"])
    found = {"network_input": as_published(inputs, layout)}
    frames = inputs.double() if case.float64 else inputs
    labels = torch.tensor(case.hyperparameters["labels"])
    if case.hyperparameters["model_cfg"]["model"] == "GaitGraph1":  # two views, one after the other in time
        frames = torch.cat(frames.chunk(2, 1))

    outputs: list[Output] = []
    handle = model.register_forward_hook(lambda layer, given, made: outputs.append(made))
    total, figures = objective({"poses": frames}, None, labels)
    handle.remove()
    scalars = {"loss_total": float(total.detach())}
    scalars |= {f"loss/{name}": float(figures[f"{name}/loss"]) for name in losses}
    ours, buffers = places(case, model), dict(model.named_buffers())
    for name in case.hyperparameters["bn_keys"]:
        scalars[f"norm_after_first_forward/{name}"] = norm(buffers[ours[name][0]])
    total.backward()
    parameters = dict(model.named_parameters())
    for name in case.hyperparameters["grad_keys"]:
        mine, where = ours[name]
        gradient = parameters[mine].grad
        assert gradient is not None, f"{mine} has no gradient"
        scalars[f"grad_norm/{name}"] = norm(gradient[where])
    for step in case.hyperparameters["steps"]:
        at = optimizer.param_groups[0]
        assert np.isclose(at["lr"], step["lr"], rtol=1e-12), f"learning rate {at['lr']}, expected {step['lr']}"
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        total, _ = objective({"poses": frames}, None, labels)
        total.backward()
    scalars["loss_after_3_steps"] = float(total.detach())
    for name, loss in losses.items():
        tensor = outputs[0][cast(Loss, objective.losses[name]).on].detach()
        repeated = labels.repeat(len(tensor) // len(labels))
        found[f"loss_parts/{name}"] = objective.losses[name](tensor, repeated)[0]
        found |= loss_input(name, loss["name"], tensor, views=len(tensor) // len(labels))
    return strided(case, found), scalars


def loss_input(name: str, loss: str, tensor: Tensor, views: int) -> dict[str, Tensor]:
    """What a loss works on, as published: by part last, or views beside each other."""
    if loss == "CrossEntropyLoss":
        return {f"{name}/logits": tensor.transpose(1, 2)}
    if loss == "TripletLoss":
        return {f"{name}/embeddings": tensor.transpose(1, 2)}
    features = tensor.squeeze(1)  # (views·n, d)
    return {f"{name}/features": torch.stack(features.chunk(views), 1) if views > 1 else features}


def published_chain(case: Case) -> tuple[Chain, bool]:
    """The case's transforms, and whether they end with channels first."""
    section = {"trainer_cfg": {"transform": case.hyperparameters["transform"]}}
    parts = effective(merge(defaults("fastposegait"), section), "fastposegait").train_transforms
    ours = [PUBLISHED_TRANSFORMS[part.name](part.arguments) for part in parts if part.name not in ONLY_LAYOUT]
    built = [TRANSFORMS[str(one.pop("name"))](**one) for one in ours]
    return Chain(built), parts[-1].name == "SkeletonInput"


def through(chain: Chain, frames: Array, counts: Array) -> Tensor:
    """Frames of sequences one after the other, transformed."""
    draws = chain.draw(counts, np.random.default_rng(0))
    transformed, _ = chain(torch.from_numpy(frames), counts, draws)
    return transformed


def dense(chain: Chain, sequences: Array) -> Tensor:
    """Sequences of equal length `(n, t, v, 3)`, transformed."""
    n, t = sequences.shape[:2]
    frames = through(chain, sequences.reshape(n * t, *sequences.shape[2:]), np.full(n, t))
    return torch.unflatten(frames, 0, (n, t))


def as_published(frames: Tensor, channels_first: bool) -> Tensor:
    """`(n, t, v, c)` as `(n, c, t, v, 1)` where the configuration asks for it."""
    return frames.permute(0, 3, 1, 2).unsqueeze(-1) if channels_first else frames


def strided(case: Case, found: Mapping[str, Tensor]) -> dict[str, Array]:
    """The elements that the case stores of its larger outputs."""
    strides: Mapping[str, Any] = case.hyperparameters.get("strides", {})
    return {
        name: values[tuple(slice(None, None, step) for step in strides.get(name, ()))]
        for name, values in to_arrays(found).items()
    }


RUNNERS = {
    f"{model}_*{mode}": runner
    for model in ("gaittr", "gaitgraph1", "gaitgraph2", "gpgait", "gpgaitpp")
    for mode, runner in (("_eval", run_eval), ("_eval_varlen", run_eval), ("_train", run_train))
}
