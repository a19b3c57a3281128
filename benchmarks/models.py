"""Every model as it is built here against the direct form of its description, in turns on the same frames.

python -m benchmarks.models                     # all
python -m benchmarks.models GaitPart HSTL       # some

Prints, per model, how many times as fast an embedding and a training step (forward and backward pass) are: float32
against the direct form in float32, and bf16 on top; and the peak memory of a training step of both forms.
"""

from __future__ import annotations

import argparse
import inspect
import os
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # as the command line does

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from benchmarks.direct import DIRECT
from gaitway.bench.measure import Comparison, PeakMemory, compare, in_turns, machine
from gaitway.cli.bench import measured_on
from gaitway.models import MODELS, create_model
from gaitway.types import Output

SEQUENCES, FRAMES, NUM_CLASSES = 4, 30, 74
SIZES = {"GLN": (128, 88)}  # else 64×44
Form = Callable[..., Output]
Frames = tuple[Tensor, ...]
"""Of each modality of a model."""


def main() -> None:
    """Measure the models that the command line names, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", metavar="MODEL", help=f"of {', '.join(DIRECT)}; all when none is named")
    parser.add_argument("--repeats", type=int, default=5, help="runs of each form that count (default: 5)")
    parser.add_argument("--sequences", type=int, default=SEQUENCES, help=f"in the batch (default: {SEQUENCES})")
    parser.add_argument("--frames", type=int, default=FRAMES, help=f"of a sequence (default: {FRAMES})")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    args = parser.parse_args()
    device = torch.device(args.device)
    table = Table(
        "model", "of", "direct s", "float32", "bf16", "direct MiB", "float32 MiB", "bf16 MiB", box=None, padding=(0, 2)
    )
    # a process for each model, or what one leaves allocated would count in the next one's peak
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), max_tasks_per_child=1) as fresh_process:
        measured = partial(_measure, sequences=args.sequences, frames=args.frames, repeats=args.repeats, device=device)
        for rows in fresh_process.map(measured, args.models or DIRECT):
            for row in rows:
                table.add_row(*row)
                print(*row, file=sys.stderr, flush=True)
    Console().print(table)
    print(measured_on(machine(device)))
    print(
        f"{args.sequences} sequences of {args.frames} frames; times as fast as the direct form by the clock (processor)"
    )


def _measure(name: str, *, sequences: int, frames: int, repeats: int, device: torch.device) -> list[list[str]]:
    """The rows of one model."""
    classifies = "num_classes" in inspect.signature(MODELS[name]).parameters
    model = create_model(name, **({"num_classes": NUM_CLASSES} if classifies else {})).to(device)
    batch = tuple(x.to(device) for x in _frames(name, model, sequences, frames))
    rows = []
    for what, run in (("embedding", _embed), ("training step", _train)):
        forms: dict[str, Form] = {
            "direct": partial(DIRECT[name], model),
            "float32": model,
            "bf16": partial(_in_bf16, model),
        }
        ways = {form: partial(run, model, forward, batch) for form, forward in forms.items()}
        found = compare(in_turns(ways, repeats=repeats, device=device), baseline="direct")
        memory = [f"{_peak(way, device) / 2**20:.0f}" for way in ways.values()] if run is _train else []
        rows.append([name, what, *_cells(found), *memory])
    return rows


def _frames(name: str, model: nn.Module, n: int, t: int) -> Frames:
    if name == "GaitHeat":
        return torch.rand(n, t, 2, 64, 48), torch.eye(2, 3) + 0.05 * torch.randn(n, t, 2, 2, 3)
    if model.modalities == ("poses",):
        shape = model.frame_shape
        assert isinstance(shape, tuple)
        return (torch.randn(n, t, *shape),)
    return ((torch.rand(n, t, *SIZES.get(name, (64, 44))) > 0.6).float(),)


def _embed(model: nn.Module, form: Form, frames: Frames) -> None:
    model.eval()
    with torch.inference_mode():
        form(*frames)


def _train(model: nn.Module, form: Form, frames: Frames) -> None:
    model.train()
    output = form(*frames)
    made = [output.embeddings, *([] if output.logits is None else [output.logits]), *output.features.values()]
    loss = torch.stack([tensor.float().square().mean() for tensor in made]).sum()
    torch.autograd.grad(loss, [parameter for parameter in model.parameters() if parameter.requires_grad])


def _in_bf16(model: nn.Module, *frames: Tensor) -> Output:
    with torch.autocast(frames[0].device.type, torch.bfloat16):
        output: Output = model(*frames)
    return output


def _peak(way: Callable[[], None], device: torch.device) -> int:
    with PeakMemory(device) as memory:
        way()
    return memory.bytes


def _cells(found: Comparison) -> list[str]:
    ratios = [f"{found[form]['speedup']:.2f} ({found[form]['cpu_speedup']:.2f})" for form in ("float32", "bf16")]
    return [f"{found['direct']['seconds']:.3f}", *ratios]


if __name__ == "__main__":
    main()
