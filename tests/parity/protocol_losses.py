"""Losses of the protocol family: triplet, cross-entropy, contrastive, their sum, and pairs over two processes."""

from __future__ import annotations

import multiprocessing
import tempfile
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional

from gaitway.interop.opengait_config import Part, defaults, effective, merge
from gaitway.interop.opengait_recipe import convert_losses
from gaitway.losses import SupConLoss
from gaitway.losses.supervised_contrastive import BASE_TEMPERATURE
from gaitway.training.objective import Objective
from gaitway.types import Output
from tests.parity.case import Case, Results
from tests.parity.every_model import build_loss, to_arrays


def run_triplet(case: Case) -> Results:
    loss = configured("TripletLoss", case.hyperparameters)
    embeddings, labels = from_published(case, "embeddings"), torch.from_numpy(case.inputs["labels"])
    values, _ = loss(embeddings, labels)
    values.mean().backward()
    assert embeddings.grad is not None
    by_part = [loss(embeddings[:, [i]].detach(), labels)[1] for i in range(embeddings.shape[1])]
    found = {f"info/{name}": torch.stack([figures[name] for figures in by_part]) for name in by_part[0]}
    found |= {"loss_per_part": values, "grad/embeddings": embeddings.grad.transpose(1, 2)}
    return to_arrays(found), {"loss": float(values.detach().mean())}


def run_cross_entropy(case: Case) -> Results:
    loss = configured("CrossEntropyLoss", case.hyperparameters)
    logits = from_published(case, "logits")
    values, figures = loss(logits, torch.from_numpy(case.inputs["labels"]))
    values.mean().backward()
    assert logits.grad is not None
    found = {"loss_per_part": values, "grad/logits": logits.grad.transpose(1, 2)}
    return to_arrays(found), {"loss": float(figures["loss"]), "info/accuracy": float(figures["accuracy"])}


def run_supcon_re(case: Case) -> Results:
    """With labels, and with every sequence its own class."""
    loss = configured("SupConLoss_Re", {"temperature": case.hyperparameters["temperature"]})
    assert case.hyperparameters["base_temperature"] == BASE_TEMPERATURE
    labels = torch.from_numpy(case.inputs["labels"])
    found, scalars = {}, {}
    for suffix, of in (("", labels), ("_unlabelled", torch.arange(len(labels)))):
        features = torch.from_numpy(case.inputs["features"]).requires_grad_()
        values, _ = loss(*of_views(features, of))
        values.mean().backward()
        assert features.grad is not None
        found[f"grad{suffix}/features"] = features.grad
        scalars[f"loss{suffix}"] = float(values.detach())
    return to_arrays(found), scalars


def run_supcon_lp(case: Case) -> Results:
    features = torch.from_numpy(case.inputs["features"]).requires_grad_()
    values, _ = configured("SupConLoss_Lp", case.hyperparameters)(
        features[:, None], torch.from_numpy(case.inputs["labels"])
    )
    values.mean().backward()
    assert features.grad is not None
    return to_arrays({"grad/features": features.grad}), {"loss": float(values.detach())}


def run_nt_xent(case: Case) -> Results:
    """NT-Xent is the supervised contrastive loss of two views whose only positives are each other."""
    temperature = case.hyperparameters["temperature"]
    views = {name: torch.from_numpy(case.inputs[name]).requires_grad_() for name in ("z_i", "z_j")}
    features = functional.normalize(torch.stack(list(views.values()), 1), dim=2)
    loss = SupConLoss(temperature=temperature, weight=BASE_TEMPERATURE / temperature)
    total = loss(*of_views(features, torch.arange(len(features))))[0].mean() * loss.weight
    total.backward()
    gradients = {f"grad/{name}": view.grad for name, view in views.items() if view.grad is not None}
    return to_arrays(gradients), {"loss": float(total.detach())}


def of_views(features: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Published features `(n, views, d)` as embeddings `(views·n, 1, d)`, and the labels of these."""
    return features.transpose(0, 1).flatten(0, 1).unsqueeze(1), labels.repeat(features.shape[1])


def run_aggregate(case: Case) -> Results:
    """The configured losses and a bare tensor, which is a loss on a feature here."""
    loss_cfg = case.hyperparameters["loss_cfg"]
    parts = effective(merge(defaults("opengait"), {"loss_cfg": loss_cfg})).losses
    losses: dict[str, nn.Module] = {
        name: build_loss(loss) for name, loss in convert_losses(parts, has_classifier=True).items()
    }
    labels = torch.from_numpy(case.inputs["labels"])
    output = Output(
        from_published(case, "embeddings"),
        logits=from_published(case, "logits"),
        features={"extra": torch.from_numpy(case.inputs["extra"])},
    )
    objective = Objective(model=Prepared(output), losses={**losses, "extra": Mean()})
    total, figures = objective({"prepared": labels}, None, labels)
    figures["extra"] = figures.pop("extra/loss")
    tags = [f"scalar/{name}" for name in figures if name not in ("loss", "triplet/active")]  # those are ours only
    scalars = {f"tag/scalar/{name}": float(figure) for name, figure in figures.items()}
    return {"tags": np.array(tags)}, {"total": float(total.detach()), **scalars}


def run_two_ranks(case: Case) -> Results:
    loss = configured("TripletLoss", case.hyperparameters)
    embeddings, labels = from_published(case, "embeddings").detach(), torch.from_numpy(case.inputs["labels"])
    with tempfile.TemporaryDirectory() as folder:
        context = multiprocessing.get_context("spawn")
        arguments = (Path(folder), loss, embeddings, labels)
        processes = [context.Process(target=one_of_two, args=(rank, *arguments)) for rank in (0, 1)]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
            assert process.exitcode == 0, f"a process ended with {process.exitcode}"
        found = {
            f"rank{rank}/{name}": values
            for rank in (0, 1)
            for name, values in torch.load(Path(folder) / f"rank{rank}.pt", weights_only=True).items()
        }
    alone = backpropagated(loss, embeddings, labels)
    found |= {"single/loss_per_part": alone["loss_per_part"], "single/grad": alone["grad"]}
    return to_arrays(found), {}


def one_of_two(rank: int, folder: Path, loss: nn.Module, embeddings: Tensor, labels: Tensor) -> None:
    """One of two gloo processes, which holds half of the batch."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    torch.save(backpropagated(loss, embeddings.chunk(2)[rank], labels.chunk(2)[rank]), folder / f"rank{rank}.pt")
    dist.destroy_process_group()


def backpropagated(loss: nn.Module, embeddings: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """What a process back-propagates and logs, part by part, and the gradient of its rows."""
    local = embeddings.clone().requires_grad_()
    objective = Objective(model=Prepared(Output(local)), losses={"triplet": loss})
    objective({"prepared": labels}, None, labels)[0].backward()
    assert local.grad is not None
    totals, logged = [], []
    for i in range(embeddings.shape[1]):
        part = Objective(model=Prepared(Output(embeddings[:, [i]])), losses={"triplet": loss})
        total, figures = part({"prepared": labels}, None, labels)
        totals.append(total.detach())
        logged.append(figures["triplet/loss"])
    return {
        "loss_per_part": torch.stack(totals),
        "info_loss": torch.stack(logged),
        "grad": local.grad.transpose(1, 2),
    }


class Prepared(nn.Module):
    """A model that gives an output made before."""

    modalities: ClassVar[tuple[str, ...]] = ("prepared",)

    def __init__(self, output: Output) -> None:
        super().__init__()
        self.output = output

    def forward(self, _: Tensor, lengths: Tensor | None = None) -> Output:
        return self.output


class Mean(nn.Module):
    """The mean of a feature as a loss."""

    pairwise: ClassVar[bool] = False
    weight: ClassVar[float] = 1.0
    on: ClassVar[str] = "extra"

    def forward(self, tensor: Tensor, labels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        return tensor, {"loss": tensor.mean()}


def configured(name: str, arguments: dict[str, Any]) -> nn.Module:
    """A loss from published arguments."""
    return build_loss(convert_losses({"loss": Part(name, arguments, {})}, has_classifier=True)["loss"])


def from_published(case: Case, name: str) -> Tensor:
    """An input `(n, channels, parts)` as a leaf `(n, parts, channels)`."""
    return torch.from_numpy(case.inputs[name]).transpose(1, 2).contiguous().requires_grad_()


RUNNERS = {
    "loss_triplet_two_ranks": run_two_ranks,
    "loss_triplet_batch_all*": run_triplet,
    "loss_triplet_hard": run_triplet,
    "loss_cross_entropy_*": run_cross_entropy,
    "loss_supcon_re": run_supcon_re,
    "loss_supcon_lp": run_supcon_lp,
    "loss_nt_xent": run_nt_xent,
    "loss_aggregate": run_aggregate,
}
