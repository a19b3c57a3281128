"""GaitSet as it is built here against the direct form of its description, in float32, in turns on the same frames.

python -m benchmarks.direct_gaitset
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial

os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # as the command line does

import torch

from gaitway.bench.measure import compare, in_turns, machine
from gaitway.cli.bench import measured_on
from gaitway.models import GaitSet
from tests.models.direct_gaitset import direct_embeddings

SEQUENCES, FRAMES, REPEATS = 4, 30, 9


def main() -> None:
    device = torch.device("cpu")
    model = GaitSet()
    silhouettes = (torch.rand(SEQUENCES, FRAMES, 64, 44) > 0.6).float()
    forms: dict[str, Callable[[], torch.Tensor]] = {
        "direct": lambda: direct_embeddings(model, silhouettes),
        "gaitway": lambda: model(silhouettes).embeddings,
    }

    def embed(form: Callable[[], torch.Tensor]) -> None:
        with torch.inference_mode():
            form()

    def train(form: Callable[[], torch.Tensor]) -> None:
        torch.autograd.grad(form().square().mean(), list(model.parameters()))

    for what, run in (("embedding", embed), ("forward and backward", train)):
        ways = {name: partial(run, form) for name, form in forms.items()}
        found = compare(in_turns(ways, repeats=REPEATS, device=device), baseline="direct")
        for name, figures in found.items():
            print(
                f"{what:22} {name:8} {figures['seconds']:.3f} s ({figures['cpu_seconds']:.3f} s of the processor), "
                f"{figures['speedup']:.2f} ({figures['cpu_speedup']:.2f}) times as fast"
            )
    print(measured_on(machine(device)))


if __name__ == "__main__":
    main()
