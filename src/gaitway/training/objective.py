"""A model and its losses as one module, so that distributed wrapping sees one module."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Protocol, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn

from gaitway.types import Output

Figures = dict[str, Tensor]


class Loss(Protocol):
    """A module that takes one entry of a model's output and the labels.

    Attributes:
        on: Which entry.
        pairwise: Whether it compares the sequences of a batch, and so needs all of them.
        weight: Factor in the sum of losses.
    """

    on: str
    pairwise: ClassVar[bool]
    weight: float

    def __call__(self, tensor: Tensor, labels: Tensor) -> tuple[Tensor, Figures]:
        """Return the values `(p,)` or `()` and detached scalars to log."""


class Objective(nn.Module):
    """Runs a model and its losses and returns what to minimise and what to log.

    The total is the sum over losses of `mean over parts × weight`. Losses see float32 whatever the model computes in.

    With W processes each one holds its share of the batch. A loss of pairs needs the whole batch: the other
    processes' rows are gathered as constants, and the loss is multiplied by W. The mean of gradients that
    `DistributedDataParallel` takes is then exactly the gradient of one process with the whole batch.

    Args:
        model: Takes the modalities that it names, in that order, and the lengths; returns an `Output`.
        losses: By the name that they are logged under; each is a `Loss`.
    """

    def __init__(self, *, model: nn.Module, losses: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.model = model
        self.modalities = cast(tuple[str, ...], model.modalities)
        self.losses = nn.ModuleDict(losses)

    def forward(self, frames: Mapping[str, Tensor], lengths: Tensor | None, labels: Tensor) -> tuple[Tensor, Figures]:
        """Return the total to back-propagate and the figures `loss` and `<name of loss>/<figure>`.

        `loss` is the total without the factor W; figures are detached scalars of this process's view, whose mean
        over processes is that of one process. Arguments are those of a `Batch`; labels `(n,)`.
        """
        output: Output = self.model(*(frames[modality] for modality in self.modalities), lengths)
        total = loss_sum = torch.zeros((), device=labels.device)
        figures: Figures = {}
        with torch.autocast(labels.device.type, enabled=False):
            for name, module in self.losses.items():
                loss = cast(Loss, module)
                tensor = output[loss.on]
                tensor = tensor.to(torch.promote_types(tensor.dtype, torch.float32))
                # with several views of each sequence, all first views come before all second ones
                values, scale, found = values_of(loss, tensor, labels.repeat(len(tensor) // len(labels)))
                total = total + values.mean() * loss.weight * scale
                loss_sum = loss_sum + values.detach().mean() * loss.weight
                figures |= {f"{name}/{figure}": value for figure, value in found.items()}
        return total, {"loss": loss_sum, **figures}


def values_of(loss: Loss, tensor: Tensor, labels: Tensor) -> tuple[Tensor, int, Figures]:
    """A loss's values, the factor to back-propagate them with, and its figures; see `Objective` for several processes.

    Args:
        loss: The loss.
        tensor: This process's share of what the loss works on, `(n, ...)`.
        labels: This process's labels, `(n,)`.
    """
    scale = 1
    if loss.pairwise and num_processes() > 1:
        tensor, labels, scale = gathered(tensor), gathered(labels), num_processes()
    values, figures = loss(tensor, labels)
    return values, scale, figures


def num_processes() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def gathered(local: Tensor) -> Tensor:
    """The rows of all processes in rank order, `(W·n, ...)`; only this process's rows carry gradient.

    Every process must hold the same number of rows n.
    """
    rows = [torch.empty_like(local, memory_format=torch.contiguous_format) for _ in range(num_processes())]
    dist.all_gather(rows, local.detach().contiguous())
    rows[dist.get_rank()] = local
    return torch.cat(rows)
