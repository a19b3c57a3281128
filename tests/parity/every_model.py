"""Cases that give a `model_cfg`: the model is built and loaded as `gaitway import checkpoint` does it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gaitway.interop import UnknownModelError, import_model, model_from_config
from gaitway.interop.checkpoints import to_ours
from gaitway.interop.opengait_config import defaults, effective, merge
from gaitway.interop.opengait_recipe import convert_losses
from gaitway.interop.published import PUBLISHED_MODELS
from gaitway.losses import LOSSES
from gaitway.training.batch_norm import freeze_batch_norm
from gaitway.training.objective import Objective
from gaitway.training.optim import build_optimizer
from gaitway.training.recipe import Component
from gaitway.types import Output
from tests.parity.case import Array, Case, Results
from tests.parity.running import NotKnownError

Intermediate = Callable[[Any, Any], Tensor]  # from a layer's input and output

INTERMEDIATES: dict[str, dict[str, tuple[str, int, Intermediate]]] = {
    "GaitSet": {
        "hpp": ("head", 0, lambda given, made: given.transpose(1, 2)),
        "set_pool_3": ("pyramid", 0, lambda given, made: given),
        "global_map": ("pyramid", 1, lambda given, made: given),
    },
    "Baseline": {
        "pooled_map": ("pyramid", 0, lambda given, made: given),
        "hpp": ("pyramid", 0, lambda given, made: made.transpose(1, 2)),
        "bnneck_feature": ("neck", 0, lambda given, made: made[0].transpose(1, 2)),
        # the same three, as another family of cases names them
        "temporal_pooled": ("pyramid", 0, lambda given, made: given),
        "pooled": ("pyramid", 0, lambda given, made: made.transpose(1, 2)),
        "embed_2": ("neck", 0, lambda given, made: made[0].transpose(1, 2)),
    },
}
"""Model → output name in the cases → our layer, which of its calls, and which of its tensors."""


def run_eval(case: Case) -> Results:
    """The evaluation-mode forward."""
    model = imported(case)
    silhouettes, lengths = frames_and_lengths(case)
    wanted = INTERMEDIATES[type(model).__name__]
    with torch.no_grad(), recorded(model, {layer for layer, _, _ in wanted.values()}) as calls:
        output = model(silhouettes, lengths, logits=True)
    found = {name: of(*calls[layer][call]) for name, (layer, call, of) in wanted.items()}
    return to_arrays(found | published_outputs(output)), {}


def run_train(case: Case) -> Results:
    """A training-mode forward with losses and gradients, and three optimiser steps on the same batch."""
    model = imported(case)
    names = PUBLISHED_MODELS[type(model).__name__].names(model)
    config = {key: case.hyperparameters[key] for key in ("model_cfg", "loss_cfg", "optimizer_cfg")}
    configured = effective(merge(defaults("opengait"), config))
    losses = convert_losses(configured.losses, has_classifier="softmax/logits" in case.outputs)
    objective = Objective(model=model, losses={name: build_loss(loss) for name, loss in losses.items()})
    optimizer = build_optimizer(
        Component(configured.optimizer.name, configured.optimizer.arguments), model.parameters()
    )
    silhouettes, lengths = frames_and_lengths(case)
    frames, labels = {"silhouettes": silhouettes}, torch.from_numpy(case.inputs["labels"])
    objective.train()
    if case.hyperparameters["batch_norm"].startswith("frozen"):
        freeze_batch_norm(model)

    outputs: list[Output] = []
    handle = model.register_forward_hook(lambda layer, given, made: outputs.append(made))
    total, figures = objective(frames, lengths, labels)
    handle.remove()
    total.backward()
    scalars = {"loss/total": float(total.detach())}
    for name, figure in figures.items():
        loss, _, entry = name.partition("/")
        scalars[f"loss/{loss}" if entry == "loss" else f"loss_info/{loss}/{entry}"] = float(figure)
    parameters, buffers = dict(model.named_parameters()), dict(model.named_buffers())
    before = {name: parameter.detach().clone() for name, parameter in parameters.items()}
    ours = {name: to_ours(name, names) or name for name in case.state}
    for name, mine in ours.items():
        if mine in parameters:
            gradient = parameters[mine].grad
            assert gradient is not None, f"{mine} has no gradient"
            scalars[f"grad_norm/{name}"] = norm(gradient)
        elif buffers[mine].is_floating_point():
            scalars[f"buffer_norm_after_1_step/{name}"] = norm(buffers[mine])

    optimizer.step()
    for name, mine in ours.items():
        if mine in parameters:
            scalars[f"delta_norm/{name}"] = norm(parameters[mine].detach() - before[mine])
    for step in (1, 2, 3):
        total, _ = objective(frames, lengths, labels)
        scalars[f"loss_after_{step}_step" + "s" * (step > 1)] = float(total.detach())
        if step < 3:
            optimizer.zero_grad()
            total.backward()
            optimizer.step()
    found = published_outputs(outputs[0])
    return to_arrays(
        {"triplet/embeddings": found["embeddings"]} | ({"softmax/logits": found["logits"]} if "logits" in found else {})
    ), scalars


def imported(case: Case) -> nn.Module:
    """The model of the case, imported from a checkpoint file in the published layout."""
    try:
        component = model_from_config(case.hyperparameters["model_cfg"], case.hyperparameters.get("dataset", ""))
    except UnknownModelError as error:
        raise NotKnownError(str(error)) from error
    order = case.hyperparameters.get("checkpoint_layout", "channel-major")
    with checkpoint_file(case) as file:
        model = import_model(file, component, bn_order=order).model
    check_size(case, model)
    return model.double() if case.float64 else model


def check_size(case: Case, module: nn.Module) -> None:
    found = sum(parameter.numel() for parameter in module.parameters())
    assert case.parameters in (None, found), f"{found} parameters instead of {case.parameters}"


@contextmanager
def checkpoint_file(case: Case) -> Iterator[Path]:
    """The state of the case as a published checkpoint file."""
    state = {name: torch.from_numpy(values) for name, values in case.state.items()}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "published-00001.pt"
        torch.save({"model": state, "optimizer": {}, "scheduler": {}, "iteration": 1}, file)
        yield file


def frames_and_lengths(case: Case) -> tuple[Tensor, Tensor | None]:
    """Silhouettes as our models take them: `(n, t, h, w)`, or `(sum of lengths, h, w)` with lengths."""
    silhouettes = torch.from_numpy(case.inputs["sils" if "sils" in case.inputs else "silhouettes"])
    silhouettes = silhouettes.double() if case.float64 else silhouettes
    if case.lengths is None:
        return silhouettes, None
    return silhouettes[0], torch.tensor(case.lengths)


def build_loss(component: Mapping[str, Any]) -> nn.Module:
    arguments = dict(component)
    return LOSSES[arguments.pop("name")](**arguments)


def published_outputs(output: Output) -> dict[str, Tensor]:
    """Embeddings and logits as published, `(n, channels, parts)`."""
    found = {"embeddings": output.embeddings.transpose(1, 2)}
    return found if output.logits is None else found | {"logits": output.logits.transpose(1, 2)}


@contextmanager
def recorded(model: nn.Module, layers: set[str]) -> Iterator[dict[str, list[tuple[Any, Any]]]]:
    """Collects first input and output of every call of some layers."""
    calls: dict[str, list[tuple[Any, Any]]] = {layer: [] for layer in layers}

    def record(layer: str) -> Callable[[nn.Module, tuple[Any, ...], Any], None]:
        return lambda module, given, made: calls[layer].append((given[0], made))

    handles = [model.get_submodule(layer).register_forward_hook(record(layer)) for layer in layers]
    yield calls
    for handle in handles:
        handle.remove()


def norm(tensor: Tensor) -> float:
    return float(tensor.double().norm())  # a float32 sum of millions of squares is off by a thousandth


def to_arrays(tensors: Mapping[str, Tensor]) -> dict[str, Array]:
    return {name: tensor.detach().numpy() for name, tensor in tensors.items()}


RUNNERS = {"eval": run_eval, "train": run_train}
