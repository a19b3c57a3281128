"""SPOSGait's supernets and networks, in evaluation, training and recalibration."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from gaitway.interop import import_model, model_from_config
from gaitway.interop.opengait_config import Part
from gaitway.interop.opengait_recipe import convert_losses
from gaitway.models.sposgait import SPOSGait
from gaitway.training.objective import Objective
from gaitway.training.optim import Updates, build_optimizer, build_schedule
from gaitway.training.recipe import Component
from tests.parity.case import Case, Results
from tests.parity.every_model import build_loss, checkpoint_file, norm, places, recorded, to_arrays


def imported(case: Case) -> SPOSGait:
    """The case's supernet, or its network where the case is of one trained again, from a published file."""
    given = case.hyperparameters
    model_cfg: dict[str, Any] = {
        "model": given["model"].replace("-", "_"),
        "channels": given["channels"],
        "bin_num": given["bin_num"],
        "SeparateFCs": given["head"],
        "choice_max_num": given["choice_max_num"],
    }
    model_cfg |= {"SeparateBNNecks": given["bnneck"]} if given.get("bnneck") else {}
    if not case.name.startswith(("supernet_", "bn_")):
        model_cfg["retrain"] = {"search_network": given["architecture"]}
    with checkpoint_file(case) as file:
        model = import_model(file, model_from_config(model_cfg), bn_order="channel-major").model
    assert isinstance(model, SPOSGait)
    return model.double() if case.float64 else model


def embed(model: SPOSGait, silhouettes: Tensor, path: Sequence[int]) -> dict[str, Tensor]:
    """Embeddings `(1, d, p)` of one sequence, and the means of maps `(1, c, t)` that the cases give."""
    first = next(layer.name for layer in model.layers if layer.stage == min(s for s in model.stages if s))
    fourth = next(layer.name for layer in model.layers if layer.stage == 4)
    third = next(layer.name for layer in model.layers if layer.stage == 3)
    at = dict(zip([layer.name for layer in model.layers], path, strict=True))
    hooks = {
        "stage2_pooled": f"blocks.{third}/{at[third]}",
        "stage3_out": f"blocks.{fourth}/{at[fourth]}",
        "parts": "head",
    }
    hooks["stage0_pooled"] = f"blocks.{first}/{at[first]}" if 1 in model.stages else "aggregation"
    with torch.no_grad(), recorded(model, {*hooks.values(), "aggregation", "pooling"}) as calls:
        output = model(silhouettes[None], path=path)
    means = {name: calls[layer][0][0].mean((3, 4)) for name, layer in hooks.items() if name != "parts"}
    return {
        "embeddings": output.embeddings.transpose(1, 2),
        "lta_out": calls["aggregation"][0][1].mean((3, 4)),  # activated in place
        "parts": calls["head"][0][0].transpose(1, 2),
        **means,
    }


def run_paths(case: Case) -> Results:
    """Several paths through one supernet, or the one network, each sequence alone."""
    model = imported(case)
    given = case.hyperparameters
    found: dict[str, Tensor] = {}
    for path in given.get("architectures", [given.get("architecture")]):
        suffix = "/" + "-".join(map(str, path)) if "architectures" in given else ""
        for name, values in case.inputs.items():
            number = name.partition("/")[2]
            for what, tensor in embed(model, torch.from_numpy(values), path).items():
                found[f"{'' if what == 'embeddings' else 'feat/'}{what}{suffix}/{number}"] = tensor
    with torch.no_grad():  # the output of stage 4 is what is pooled over time, before the maximum
        found |= stage4(model, case)
    return to_arrays(found), {}


def stage4(model: SPOSGait, case: Case) -> dict[str, Tensor]:
    """Means of the last stage's maps."""
    given, found = case.hyperparameters, {}
    shortcut = model.shortcuts["4"]
    for path in given.get("architectures", [given.get("architecture")]):
        suffix = "/" + "-".join(map(str, path)) if "architectures" in given else ""
        last = f"blocks.{model.layers[-1].name}/{path[-1]}"
        for name, values in case.inputs.items():
            with recorded(model, {last, "shortcuts.4"}) as calls:
                model(torch.from_numpy(values)[None], path=path)
            of_block, of_shortcut = calls[last][0][1], calls["shortcuts.4"][0][1]
            found[f"feat/stage4_out{suffix}/{name.partition('/')[2]}"] = (of_block + of_shortcut).mean((3, 4))
    assert shortcut is not None
    return found


def trained(case: Case, model: SPOSGait) -> tuple[Objective, torch.optim.Optimizer, dict[str, Tensor], Tensor]:
    """Objective, optimiser, frames and labels of a training case."""
    given = case.hyperparameters
    parts = {
        loss["log_prefix"]: Part(loss["type"], {k: v for k, v in loss.items() if k not in ("type", "log_prefix")}, {})
        for loss in given["losses"]
    }
    losses = convert_losses(parts, has_classifier=model.neck is not None)
    objective = Objective(model=model, losses={name: build_loss(loss) for name, loss in losses.items()}).train()
    settings = dict(given["optimizer"])
    optimizer = build_optimizer(Component(settings.pop("solver"), settings), model.parameters())
    silhouettes = torch.from_numpy(case.inputs["sils"])
    frames = {"silhouettes": silhouettes.double() if case.float64 else silhouettes}
    return objective, optimizer, frames, torch.from_numpy(case.inputs["labels"])


def run_train(case: Case) -> Results:
    """A training step and the loss after three, on one path."""
    model, given = imported(case), case.hyperparameters
    model.path = model.checked(given["architecture"])
    objective, optimizer, frames, labels = trained(case, model)
    outputs: list[Any] = []
    handle = model.register_forward_hook(lambda layer, inputs, made: outputs.append(made))
    total, figures = objective(frames, None, labels)
    handle.remove()
    total.backward()
    ours = places(case, model)
    parameters, buffers = dict(model.named_parameters()), dict(model.named_buffers())
    scalars = {"loss/total": float(total.detach())}
    scalars |= {f"loss/{name}": float(figures[f"{name}/loss"]) for name in objective.losses}
    if "softmax/accuracy" in figures:
        scalars["accuracy"] = float(figures["softmax/accuracy"])

    def norms(what: str) -> Iterator[tuple[str, float]]:
        for name in case.scalars:
            kind, _, tensor = name.partition("/")
            if kind == what:
                gradient = parameters[ours[tensor][0]].grad
                assert gradient is not None
                yield name, norm(gradient)

    scalars |= dict(norms("grad_norm"))
    clip = given.get("clip_grad")
    for step in range(3):
        if clip:
            torch.nn.utils.clip_grad_value_(model.parameters(), clip["clip_value"])
            scalars |= dict(norms("grad_norm_clipped")) if not step else {}
        optimizer.step()
        optimizer.zero_grad()
        total, _ = objective(frames, None, labels)
        if step < 2:
            total.backward()
    scalars["loss_after_3_steps"] = float(total.detach())
    for name in case.scalars:
        kind, _, tensor = name.partition("/")
        if kind == "buffer_norm_after":
            scalars[name] = norm(buffers[ours[tensor][0]])
    found = {"embeddings": outputs[0].embeddings.transpose(1, 2)}
    parts = torch.split(outputs[0].embeddings.detach(), 1, dim=1)
    of_parts = [objective.losses["triplet"](part, labels)[1] for part in parts]
    for theirs, figure in {
        "loss": "loss",
        "hard_loss": "hard_loss",
        "nonzero": "loss_num",
        "mean_dist": "mean_dist",
    }.items():
        found[f"triplet/{theirs}_per_part"] = torch.stack([figures[figure] for figures in of_parts])
    if outputs[0].logits is not None:
        found["logits"] = outputs[0].logits.transpose(1, 2)
        found["softmax/loss_per_part"] = objective.losses["softmax"](outputs[0].logits.detach(), labels)[0]
    return to_arrays(found), scalars


def run_switch(case: Case) -> Results:
    """Steps on changing paths, under one of the two rules for blocks that are idle."""
    model, given = imported(case), case.hyperparameters
    objective, optimizer, frames, labels = trained(case, model)
    ours = places(case, model)
    parameters = dict(model.named_parameters())
    before = {name: parameter.detach().clone() for name, parameter in parameters.items()}
    schedule = build_schedule(Component("ConstantLR", {"factor": 1.0}), optimizer)
    updates = Updates(optimizer, schedule, None, idle_gradients=given["idle_grad"])
    scalars = {}
    for step, path in enumerate(given["architectures"]):
        model.path = model.checked(path)
        total, _ = objective(frames, None, labels)
        total.backward()
        assert updates.step()
        scalars[f"loss_at_step/{step}"] = float(total.detach())
        for name in case.scalars:
            if name.startswith(f"delta_norm/{step}/"):
                mine = ours[name.split("/", 2)[2]][0]
                scalars[name] = norm(parameters[mine].detach() - before[mine])
    model.path = model.checked(given["architectures"][0])
    scalars["loss_first_path_at_end"] = float(objective(frames, None, labels)[0].detach())
    return {}, scalars


RUNNERS = {"*_paths": run_paths, "*_eval": run_paths, "*_eval_varlen": run_paths, "*_train": run_train}
RUNNERS |= {"supernet_switch_*": run_switch}
