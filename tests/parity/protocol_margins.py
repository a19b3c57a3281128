"""Losses with a margin: `loss_arcface`, `loss_cosface`, `loss_sphereface`."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from gaitway.losses import ArcFaceLoss, CosFaceLoss, SphereFaceLoss
from tests.parity.case import Case, Results
from tests.parity.every_model import norm, to_arrays
from tests.parity.protocol_losses import configured, from_published


def labels_of(case: Case) -> Tensor:
    return torch.from_numpy(case.inputs["labels"])


def run_arcface(case: Case) -> Results:
    """As a published configuration has it, past π too; the cosines are `(n, k, p)`."""
    loss = configured("ArcFaceLoss", case.hyperparameters)
    assert isinstance(loss, ArcFaceLoss)
    given = "logits" if "logits" in case.inputs else "cosines"
    cosines = from_published(case, given)
    before = cosines.detach().clone()
    values, figures = loss(cosines, labels_of(case))
    values.mean().backward()
    assert cosines.grad is not None
    assert torch.equal(cosines, before), "the published code overwrites them, ours must not"
    shifted = loss.with_margin(cosines, labels_of(case)).transpose(1, 2)
    gradient = cosines.grad.transpose(1, 2)
    found = {"loss_per_part": values, "cosines_after": shifted, "shifted_logits": shifted}
    found |= {f"gradient/{given}": gradient, f"grad/{given}": gradient}
    accuracy = float(figures["accuracy"])
    return to_arrays(found), {"loss": float(figures["loss"]), "accuracy": accuracy, "info/accuracy": accuracy}


def cosface(case: Case, features: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """CosFace's logits `(n, k)` and its loss, by a normalised classifier `(k, d)` on features `(n, d)`."""
    cosines = F.linear(F.normalize(features), F.normalize(weight))[:, None]  # as the models' necks give them
    loss = CosFaceLoss(margin=case.hyperparameters["m"], scale=case.hyperparameters["s"])
    values, _ = loss(cosines, labels_of(case))
    return loss.cross_entropy.scale * loss.with_margin(cosines, labels_of(case))[:, 0], values.mean()


def sphereface(case: Case, weight: Tensor) -> SphereFaceLoss:
    """The loss, with a classifier `(k, d)`."""
    num_classes, width = weight.shape
    margin = case.hyperparameters.get("sphereface_m", case.hyperparameters["m"])
    loss = SphereFaceLoss(num_classes=num_classes, num_parts=1, in_features=width, margin=margin)
    loss.load_state_dict({"classifier": weight.T[None], "steps": torch.tensor(0)})
    return loss


def run_cosface(case: Case) -> Results:
    features = torch.from_numpy(case.inputs["features"]).requires_grad_()
    weight = torch.from_numpy(case.state["weight"]).requires_grad_()
    logits, loss = cosface(case, features, weight)
    of_features, of_weight = torch.autograd.grad(loss, (features, weight))
    found = {"logits": logits, "gradient/features": of_features}
    return to_arrays(found), {"loss": float(loss.detach()), "grad_norm/weight": norm(of_weight)}


def run_sphereface(case: Case) -> Results:
    loss = sphereface(case, torch.from_numpy(case.state["weight"]))
    features, labels = torch.from_numpy(case.inputs["features"]).requires_grad_(), labels_of(case)
    found: dict[str, Tensor] = {}
    scalars: dict[str, float] = {}
    for call in (1, 2):
        values, figures = loss(features[:, None], labels)
        of_features, of_weight = torch.autograd.grad(values.mean(), (features, loss.classifier))
        found |= {f"logits/call{call}": loss.scores(features[:, None], labels)[:, 0]}
        found |= {"gradient/features": of_features}
        scalars |= {f"lambda/call{call}": float(loss.share_of_cosine), "loss": float(figures["loss"])}
        scalars |= {"grad_norm/weight": norm(of_weight)}
    return to_arrays(found), scalars


def run_cosface_and_sphereface(case: Case) -> Results:
    features = torch.from_numpy(case.inputs["features"]).requires_grad_()
    weight, labels = torch.from_numpy(case.inputs["weight"]), labels_of(case)
    logits, loss = cosface(case, features, weight)
    (gradient,) = torch.autograd.grad(loss, features)
    found = {"cosface_logits": logits, "grad/features": gradient}
    layer = sphereface(case, weight)
    for call in (1, 2):
        layer(features[:, None], labels)
        found[f"sphereface_logits_{call}"] = layer.scores(features[:, None], labels)[:, 0]
    return to_arrays(found), {"cosface_ce": float(loss.detach())}


RUNNERS = {"loss_arcface": run_arcface, "loss_cosface_logits": run_cosface_and_sphereface}
