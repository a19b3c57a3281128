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


def clips(x: Tensor) -> Tensor:
    """Frames as the cases that give them have them, `(2, c, t, h, w)`; they all have two sequences."""
    return torch.unflatten(x, 0, (2, -1)).transpose(1, 2)


INTERMEDIATES: dict[str, dict[str, tuple[str, int, Intermediate]]] = {
    "GLN": {
        "smooth1": ("pyramid", 0, lambda given, made: given),
        "smooth2": ("pyramid", 1, lambda given, made: given),
        "smooth3": ("pyramid", 2, lambda given, made: given),
        "hpp": ("head", 0, lambda given, made: given.transpose(1, 2)),
        "reduce_feature": ("compact.reduce", 0, lambda given, made: made),
        "bn_reduce_feature": ("compact.reduced_bn", 0, lambda given, made: made),
        "logits": ("compact.classifier", 0, lambda given, made: made),
    },
    "GaitGL": {
        "pooled_map": ("pooling", 0, lambda given, made: given),
        "gem": ("pooling", 0, lambda given, made: made.transpose(1, 2)),
        "head0": ("head", 0, lambda given, made: made.transpose(1, 2)),
    },
    "GaitPart": {
        # (n, t, p, c), or (sum of lengths, p, c)
        "part_sequence": ("temporal", 0, lambda given, made: given[(None,) * (4 - given.ndim)].movedim(-1, 1)),
        "tfa": ("temporal", 0, lambda given, made: made.transpose(1, 2)),
    },
    "DeepGaitV2": {
        "temporal_pooled": ("pyramid", 0, lambda given, made: given),
        "pooled": ("pyramid", 0, lambda given, made: made.transpose(1, 2)),
        "embed_2": ("neck", 0, lambda given, made: made[0].transpose(1, 2)),
        "stage/layer0": ("backbone.stages.0", 0, lambda given, made: clips(given)),
        "stage/layer1": ("backbone.stages.0", 0, lambda given, made: clips(made)),
        "stage/layer2": ("backbone.stages.1", 0, lambda given, made: clips(made)),
        "stage/layer3": ("backbone.stages.2", 0, lambda given, made: clips(made)),
        "stage/layer4": ("backbone.stages.3", 0, lambda given, made: clips(made)),
    },
    "SkeletonGait": {
        "temporal_pooled": ("pyramid", 0, lambda given, made: given),
        "pooled": ("pyramid", 0, lambda given, made: made.transpose(1, 2)),
        "embed_2": ("neck.classifier", 0, lambda given, made: given.transpose(1, 2)),
        "stage/layer0": ("backbone.stages.0", 0, lambda given, made: clips(given)),
        "stage/layer1": ("backbone.stages.0", 0, lambda given, made: clips(made)),
        "stage/layer2": ("backbone.stages.1", 0, lambda given, made: clips(made)),
        "stage/layer3": ("backbone.stages.2", 0, lambda given, made: clips(made)),
        "stage/layer4": ("backbone.stages.3", 0, lambda given, made: clips(made)),
    },
    "GaitBase": {
        "temporal_pooled": ("pyramid", 0, lambda given, made: given),
        "pooled": ("pyramid", 0, lambda given, made: made.transpose(1, 2)),
        "embed_2": ("neck", 0, lambda given, made: made[0].transpose(1, 2)),
        "stage/Backbone.forward_block.bn1": ("backbone.stages.0", 0, lambda given, made: given),
        "stage/Backbone.forward_block.layer1": ("backbone.stages.0", 0, lambda given, made: made),
        "stage/Backbone.forward_block.layer2": ("backbone.stages.1", 0, lambda given, made: made),
        "stage/Backbone.forward_block.layer3": ("backbone.stages.2", 0, lambda given, made: made),
        "stage/Backbone.forward_block.layer4": ("backbone.stages.3", 0, lambda given, made: made),
    },
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


OPTIONS: dict[str, dict[str, Any]] = {"deepgaitv2_p3d_eval_concat": {"look_across_sequences": True}}
"""Case → arguments for what published code does whatever its configuration says, and our model on request only."""


def run_eval(case: Case) -> Results:
    """The evaluation-mode forward."""
    model = imported(case)
    if any(name.startswith("sils_t") for name in case.inputs):
        return each_alone(model, case)
    silhouettes, lengths = frames_and_lengths(case)
    wanted = {name: of for name, of in INTERMEDIATES[type(model).__name__].items() if name in case.outputs}
    with torch.no_grad(), recorded(model, {layer for layer, _, _ in wanted.values()}) as calls:
        output = model(silhouettes, lengths, logits=True)
    found = {name: of(*calls[layer][call]) for name, (layer, call, of) in wanted.items()}
    return to_arrays(published_outputs(output) | found), {}


def each_alone(model: nn.Module, case: Case) -> Results:
    """Embeddings of cases that have an input `sils_tT` and an output `embeddings_tT` per number of frames T."""
    found = {}
    with torch.no_grad():
        for name, values in case.inputs.items():
            silhouettes = torch.from_numpy(values)
            output = model(silhouettes.double() if case.float64 else silhouettes)
            found[name.replace("sils", "embeddings")] = output.embeddings.transpose(1, 2)
    return to_arrays(found), {}


def run_train(case: Case) -> Results:
    """A training-mode forward with losses and gradients, and three optimiser steps on the same batch."""
    model = imported(case)
    for layer in model.modules():
        if isinstance(layer, nn.Dropout):
            layer.p = 0.0  # no case draws at random
    config = {key: case.hyperparameters[key] for key in ("model_cfg", "loss_cfg", "optimizer_cfg")}
    configured = effective(merge(defaults("opengait"), config))
    losses = convert_losses(configured.losses, has_classifier="softmax/logits" in case.outputs)
    objective = Objective(model=model, losses={name: build_loss(loss) for name, loss in losses.items()})
    optimizer = build_optimizer(
        Component(configured.optimizer.name, configured.optimizer.arguments), model.parameters()
    )
    of_case, lengths = frames_and_lengths(case)
    (modality,) = objective.modalities
    frames, labels = {modality: of_case}, torch.from_numpy(case.inputs["labels"])
    objective.train()
    if case.hyperparameters.get("batch_norm", "").startswith("frozen"):
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
    ours = places(case, model)
    for name, (mine, where) in ours.items():
        if mine in parameters:
            gradient = parameters[mine].grad
            if parameters[mine].requires_grad:
                assert gradient is not None, f"{mine} has no gradient"
                scalars[f"grad_norm/{name}"] = norm(gradient[where])
        elif buffers[mine].is_floating_point():
            scalars[f"buffer_norm_after_1_step/{name}"] = norm(buffers[mine])

    optimizer.step()
    for name, (mine, where) in ours.items():
        if mine in parameters:
            scalars[f"delta_norm/{name}"] = norm((parameters[mine].detach() - before[mine])[where])
            scalars[f"param_norm_after_1_step/{name}"] = norm(parameters[mine].detach()[where])
    for step in (1, 2, 3):
        total, _ = objective(frames, lengths, labels)
        scalars[f"loss_after_{step}_step" + "s" * (step > 1)] = float(total.detach())
        if step < 3:
            optimizer.zero_grad()
            total.backward()
            optimizer.step()
    found = published_outputs(outputs[0])
    given = {"triplet/embeddings": found["embeddings"]}
    given |= {"softmax/logits": found["logits"]} if "logits" in found else {}
    if "loss_info/triplet/loss" in case.outputs:
        given |= each_part(objective.losses["triplet"], outputs[0].embeddings.detach(), labels)
    return to_arrays(given), {name: figure for name, figure in scalars.items() if name not in given}


def each_part(loss: nn.Module, embeddings: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """The figures of a triplet loss, of which we log the mean over parts, for every part `(p,)`."""
    of_parts = [loss(part, labels)[1] for part in torch.split(embeddings, 1, dim=1)]
    found = {f"loss_info/triplet/{name}": torch.stack([figures[name] for figures in of_parts]) for name in of_parts[0]}
    # the published mean has the rounding errors of the distances to oneself in it, which ours are 0 without
    x = embeddings.transpose(0, 1).contiguous()  # (p, n, d)
    squares = x.square().sum(2)
    squared = squares[:, :, None] + squares[:, None, :] - 2 * torch.bmm(x, x.transpose(1, 2))
    return found | {"loss_info/triplet/mean_dist": squared.clamp(min=0).sqrt().mean((1, 2))}


def places(case: Case, model: nn.Module) -> dict[str, tuple[str, Any]]:
    """Published tensor → our tensor, and the index of its elements there, found by converting numbered tensors."""
    published = PUBLISHED_MODELS[type(model).__name__]
    names, order = published.names(model), case.hyperparameters.get("checkpoint_layout", "channel-major")
    numbered = {name: torch.full(values.shape, i) for i, (name, values) in enumerate(case.state.items())}
    converted = published.convert(numbered, order) if published.convert else numbered
    found: dict[str, tuple[str, Any]] = {}
    for name, numbers in converted.items():
        mine = to_ours(name, names) or name
        if numbers is numbered.get(name):
            found[name] = mine, ...
        else:
            found |= {list(numbered)[i]: (mine, numbers == i) for i in torch.unique(numbers).tolist()}
    return found


def imported(case: Case) -> nn.Module:
    """The model of the case, imported from a checkpoint file in the published layout."""
    try:
        component = model_from_config(case.hyperparameters["model_cfg"], case.hyperparameters.get("dataset", ""))
        component |= OPTIONS.get(case.name, {})
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
    """Frames as our models take them: `(n, t, ...)`, or `(sum of lengths, ...)` with lengths."""
    (name,) = (name for name in ("sils", "silhouettes", "maps") if name in case.inputs)
    frames = torch.from_numpy(case.inputs[name])
    frames = frames.double() if case.float64 else frames
    if case.lengths is None:
        return frames, None
    return frames[0], torch.tensor(case.lengths)


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
