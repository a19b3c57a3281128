"""The pose models: raw poses through the transforms of the configuration, then the model, evaluating and training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from gaitway.data.transforms.chain import Chain
from gaitway.interop.opengait_config import defaults, effective, merge
from gaitway.interop.opengait_recipe import convert_losses
from gaitway.interop.opengait_transforms import ONLY_LAYOUT
from gaitway.interop.opengait_transforms import TRANSFORMS as PUBLISHED_TRANSFORMS
from gaitway.interop.published import PUBLISHED_MODELS, model_from_config
from gaitway.training.objective import Loss, Objective
from gaitway.training.optim import build_optimizer, build_schedule
from gaitway.training.recipe import Component, build_transforms
from gaitway.types import Output
from tests.parity.case import Array, Case, Results
from tests.parity.every_model import Intermediate, build_loss, imported, norm, places, recorded, to_arrays


def resgcn_taps(num: int) -> dict[str, tuple[str, int, Intermediate]]:
    """The outputs of ResGCN's layers on so many sequences, views included; those of its first layers are activated."""
    ours = {
        "head.0.layers.0.scn": "branches.0.graph",
        "head.0.layers.0.tcn": "branches.0.time",
        **{f"head.{i}": f"branches.{i}" for i in range(3)},
        **{f"backbone.{i}": f"stages.{i}" for i in range(6)},
    }
    return {
        "ResGCN": ("resgcn", 0, lambda given, made: made),
        **{f"ResGCN.{a}": (f"resgcn.{b}", 0, lambda given, made: rows_as_maps(made, num)) for a, b in ours.items()},
    }


def by_joint_and_channel(given: Tensor, made: Tensor) -> Tensor:
    """Rows as `(2, v·c, t)`."""
    return rows_as_maps(made).permute(0, 3, 1, 2).flatten(1, 2)


def part_graph_taps() -> dict[str, tuple[str, int, Intermediate]]:
    """The outputs of the branches' layers in GPGait and GPGait++."""
    ours = {
        **{f"pose.layer_share.{i}": f"pose.shared.{i}" for i in range(4)},
        "pose.part_2.0": "pose.stacks.0.layers.0",
        **{f"pose.backbone.{i}": f"pose.stacks.3.layers.{i}" for i in range(4)},
        **{f"angle.layer_share.{i}": f"angle.shared.{i}" for i in range(2, 4)},
    }
    return {
        "pose.data_bn": ("network.pose.norm", 0, by_joint_and_channel),
        **{a: (f"network.{b}", 0, lambda given, made: rows_as_maps(made)) for a, b in ours.items()},
        **{a: (f"network.{a}", 0, lambda given, made: made.transpose(1, 2)) for a in ("pose", "bone", "angle", "head")},
    }


TAPS: dict[str, dict[str, tuple[str, int, Intermediate]]] = {
    "GaitGraph1": resgcn_taps(4),
    "GaitGraph2": resgcn_taps(6),
    "GPGait": part_graph_taps(),
    "GPGaitPlusPlus": part_graph_taps(),
    "GaitTR": {
        "data_bn": ("input_norm", 0, by_joint_and_channel),
        "backbone.0.tcn": ("blocks.0.temporal", 0, lambda given, made: rows_as_maps(made)),
        "backbone.0.st": ("blocks.0.attention", 0, lambda given, made: rows_as_maps(made)),
        **{f"backbone.{i}": (f"blocks.{i}", 0, lambda given, made: rows_as_maps(made)) for i in range(8)},
    },
}
"""Model → output name in the cases → our layer, which of its calls, and which of its tensors."""


WITH_NEAR_TIES = ("gpgait", "GPGait_PlusPlus")
"""Trained in float64: among their maxima over frames and joints are near ties (2e-6 to 6e-6 apart), which float32
decides differently from processor to processor, and with them the gradients."""


def rows_as_maps(rows: Tensor, num: int = 2) -> Tensor:
    """Rows of sequences of equal length as maps `(num, c, t, v)`."""
    return torch.unflatten(rows, 0, (num, -1)).movedim(-1, 1)


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
        wanted = "logits/softmax" in case.outputs
        output = model(frames.double() if case.float64 else frames, lengths, logits=wanted)
    found |= {tap: of(*calls[layer][call]) for tap, (layer, call, of) in taps.items()}
    found["embeddings"] = output.embeddings.transpose(1, 2)
    if output.logits is not None:
        found["logits/softmax"] = output.logits.transpose(1, 2)
    return strided(case, found), {}


def run_train(case: Case) -> Results:
    """A training-mode forward with losses and gradients, and three optimiser steps on the same batch."""
    chain, layout = published_chain(case)
    inputs = dense(chain, case.inputs["poses"])
    name = case.hyperparameters["model_cfg"]["model"]
    frames = inputs.double() if case.float64 or name in WITH_NEAR_TIES else inputs
    if name == "GaitGraph1":  # two views, one after the other in time
        frames = torch.cat(frames.chunk(2, 1))
    found, scalars = train(case, {"poses": frames})
    return strided(case, found | {"network_input": as_published(inputs, layout)}), scalars


def train(case: Case, frames: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, float]]:
    """Everything that a training case expects, from the frames of each modality."""
    model = imported(case).to(next(iter(frames.values())).dtype)
    for layer in model.modules():
        if isinstance(layer, nn.Dropout):
            layer.p = 0.0  # no case draws at random
    sections = ("model_cfg", "loss_cfg", "optimizer_cfg", "scheduler_cfg")
    config = merge(defaults("fastposegait"), {key: case.hyperparameters[key] for key in sections})
    # a section that a configuration gives stands alone, as the cases record it
    config |= {key: case.hyperparameters[key] for key in ("optimizer_cfg", "scheduler_cfg")}
    configured = effective(config, "fastposegait")
    losses = convert_losses(configured.losses, has_classifier=any(name.endswith("/logits") for name in case.outputs))
    component = model_from_config(case.hyperparameters["model_cfg"])
    for name, loss in losses.items():
        output = PUBLISHED_MODELS[component["name"]].output_of(component, name, configured.losses[name].name)
        losses[name] = loss | ({} if output is None else {"on": output})
    objective = Objective(model=model, losses={name: build_loss(loss) for name, loss in losses.items()}).train()
    optimizer = build_optimizer(
        Component(configured.optimizer.name, configured.optimizer.arguments), model.parameters()
    )
    schedule = build_schedule(Component(configured.scheduler.name, configured.scheduler.arguments), optimizer)
    labels = torch.tensor(case.hyperparameters["labels"])

    outputs: list[Output] = []
    handle = model.register_forward_hook(lambda layer, given, made: outputs.append(made))
    total, figures = objective(frames, None, labels)
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
        total, _ = objective(frames, None, labels)
        total.backward()
    scalars["loss_after_3_steps"] = float(total.detach())
    found: dict[str, Tensor] = {}
    for name, loss in losses.items():
        tensor = outputs[0][cast(Loss, objective.losses[name]).on].detach()
        repeated = labels.repeat(len(tensor) // len(labels))
        found[f"loss_parts/{name}"] = objective.losses[name](tensor, repeated)[0]
        found |= loss_input(name, loss["name"], tensor, views=len(tensor) // len(labels))
    return found, scalars


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
    ours = (PUBLISHED_TRANSFORMS[part.name](part.arguments) for part in parts if part.name not in ONLY_LAYOUT)
    return Chain(build_transforms(one for some in ours for one in some)), parts[-1].name == "SkeletonInput"


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
