"""Losses, the pyramid of generalised means, the augmentation, recalibration and the fitness of a path."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from gaitway.evaluation import EmbeddingSet, evaluate, load_protocol
from gaitway.nas.judging import mean_figures
from gaitway.nas.recalibration import recalibrated
from gaitway.nn import BatchNormNeck, GeneralisedMeanPooling
from tests.parity.case import Case, Results
from tests.parity.every_model import places, to_arrays
from tests.parity.protocol_losses import configured, from_published
from tests.parity.protocol_margins import labels_of, run_arcface, run_cosface, run_sphereface
from tests.parity.protocol_transforms import turned
from tests.parity.sposgait_models import imported


def run_neck_and_softmax(case: Case) -> Results:
    """A neck in training mode and the cross-entropy of its cosines."""
    num_parts, width, num_classes = case.state["fc_bin"].shape
    neck = BatchNormNeck(num_parts=num_parts, in_features=width, num_classes=num_classes)
    names = {"fc_bin": "classifier.weight"}
    state = {names.get(name, name.replace("bn1d", "bn")): torch.from_numpy(v) for name, v in case.state.items()}
    neck.load_state_dict(state)
    embeddings = from_published(case, "embeddings")
    features, logits = neck(embeddings)
    loss = configured("CrossEntropyLoss", case.hyperparameters)
    values, figures = loss(logits, labels_of(case))
    values.mean().backward()
    assert embeddings.grad is not None
    found = {
        "features": features.transpose(1, 2),
        "logits": logits.transpose(1, 2),
        "loss_per_part": values,
        "gradient/embeddings": embeddings.grad.transpose(1, 2),
        "running_mean_after": neck.bn.running_mean,
        "running_var_after": neck.bn.running_var,
    }
    scalars = {name: float(figures[name]) for name in ("loss", "accuracy")}
    return to_arrays({name: tensor for name, tensor in found.items() if tensor is not None}), scalars


def run_pyramid(case: Case) -> Results:
    """The pyramid and its vector-Jacobian products; a part of the strips is dead."""
    features = torch.from_numpy(case.inputs["features"]).requires_grad_()
    rows = features.shape[2]
    pooling = GeneralisedMeanPooling(levels=[[rows // num] * num for num in case.hyperparameters["bin_num"]])
    pooling.load_state_dict({"exponent": torch.from_numpy(case.state["p"])})
    parts = pooling(features).transpose(1, 2)
    parts.backward(torch.from_numpy(case.inputs["cotangent"]))
    assert features.grad is not None
    assert pooling.exponent.grad is not None
    return to_arrays({"parts": parts, "gradient/features": features.grad}), {"gradient/p": float(pooling.exponent.grad)}


def run_rotate_flip(case: Case) -> Results:
    found = {}
    for draw in case.hyperparameters["draws"]:
        how = {name: draw[name] for name in ("rotate", "flip", "angle")}
        found[f"sils/{draw['torch_seed']}"] = turned(case.inputs["sils"], **how)
    return found, {}


def run_recalibration(case: Case) -> Results:
    """One path by the shared statistics and by its own, and by the shared ones again."""
    model, given = imported(case), case.hyperparameters
    path = model.checked(given["architecture"])
    batches = [(torch.from_numpy(case.inputs[f"calibration/{i}"]), None) for i in range(given["batches"])]
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}
    ours = places(case, model)

    def embeddings() -> dict[str, Tensor]:
        with torch.no_grad():
            return {
                str(i): model(torch.from_numpy(case.inputs[f"sils/{i}"])[None], path=path).embeddings.transpose(1, 2)
                for i in (0, 1)
            }

    found = {f"embeddings_shared/{i}": tensor for i, tensor in embeddings().items()}
    with recalibrated(model, path, batches):
        found |= {f"embeddings_recalibrated/{i}": tensor for i, tensor in embeddings().items()}
        buffers = dict(model.named_buffers())
        for name in case.outputs:
            if name.startswith("buffers/"):
                found[name] = buffers[ours[name.removeprefix("buffers/")][0]].clone()
    assert all(torch.equal(buffer, before[name]) for name, buffer in model.named_buffers())
    assert all(torch.equal(tensor, found[f"embeddings_shared/{i}"]) for i, tensor in embeddings().items())
    return to_arrays(found), {}


def run_fitness(case: Case, protocol: str) -> Results:
    """What a search judges a path by, from its embeddings."""
    embeddings = torch.from_numpy(case.inputs["embeddings"]).transpose(1, 2).contiguous()
    who = [tuple(case.sequences[key]) for key in ("labels", "types", "views")]
    result = evaluate(EmbeddingSet(embeddings, *who), load_protocol(protocol))
    means = mean_figures(result)
    of_sets = {name: found.figures["rank-1"].published for name, found in result.sets.items()}
    return {}, {**of_sets, "fitness": means["rank-1"], "Rank-1": means["rank-1"], "Rank-5": means["rank-5"]}


RUNNERS = {
    "loss_arcface*": run_arcface,
    "loss_cosface": run_cosface,
    "loss_sphereface": run_sphereface,
    "loss_bnneck_softmax": run_neck_and_softmax,
    "gem_pyramid": run_pyramid,
    "augment_rotate_flip": run_rotate_flip,
    "bn_recalibration": run_recalibration,
    "search_fitness_casiab": partial(run_fitness, protocol="casia-b"),
    "search_fitness_grew": partial(run_fitness, protocol="grew/local"),
}
