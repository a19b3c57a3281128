"""Losses of pairs over two processes give the total and the gradient of one, also with several views of a sequence."""

from __future__ import annotations

import multiprocessing
from pathlib import Path
from typing import ClassVar

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn

from gaitway.losses import SupConDistanceLoss, SupConLoss, TripletLoss
from gaitway.training.objective import Objective
from gaitway.types import Output

VIEWS, SEQUENCES = 2, 6


class Layer(nn.Module):
    """A model of one layer on frames `(views·n, 6)`."""

    modalities: ClassVar[tuple[str, ...]] = ("poses",)

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(6, 4)
        nn.init.normal_(self.layer.weight, generator=torch.Generator().manual_seed(1))
        nn.init.zeros_(self.layer.bias)

    def forward(self, frames: Tensor, lengths: Tensor | None = None) -> Output:
        return Output(nn.functional.normalize(self.layer(frames), dim=1).unsqueeze(1))


def backpropagated(loss: nn.Module, frames: Tensor, labels: Tensor) -> dict[str, Tensor]:
    objective = Objective(model=Layer(), losses={"pairs": loss})
    total, figures = objective({"poses": frames}, None, labels)
    total.backward()
    gradients = {name: p.grad for name, p in objective.named_parameters() if p.grad is not None}
    return {"total": figures["loss"], **gradients}


def batch() -> tuple[Tensor, Tensor]:
    """Frames `(views, n, 6)` of identities with one to three sequences, and labels `(n,)`."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(VIEWS, SEQUENCES, 6, generator=generator), torch.tensor([0, 1, 0, 2, 1, 0])


def one_of_two(rank: int, folder: Path, loss: nn.Module) -> None:
    """One of two gloo processes, which holds every second sequence, all first views before all second ones."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    frames, labels = batch()
    found = backpropagated(loss, frames[:, rank::2].flatten(0, 1), labels[rank::2])
    for tensor in found.values():
        dist.all_reduce(tensor)  # DistributedDataParallel takes the mean
    torch.save({name: tensor / 2 for name, tensor in found.items()}, folder / f"rank{rank}.pt")
    dist.destroy_process_group()


@pytest.mark.parametrize(
    "loss",
    [SupConLoss(temperature=0.1), SupConDistanceLoss(temperature=0.1, weight=0.5), TripletLoss(hard=True)],
    ids=lambda loss: type(loss).__name__,
)
def test_two_processes_are_as_one(loss: nn.Module, tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=one_of_two, args=(rank, tmp_path, loss)) for rank in (0, 1)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    frames, labels = batch()
    alone = backpropagated(loss, frames.flatten(0, 1), labels)
    assert alone["total"] > 0
    for rank in (0, 1):
        found = torch.load(tmp_path / f"rank{rank}.pt", weights_only=True)
        torch.testing.assert_close(found, alone)
