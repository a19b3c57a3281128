"""Training batches of poses, all at once, against sequence by sequence in numpy, in turns on the same sequences.

python -m benchmarks.batches                                  # the recipes named below
python -m benchmarks.batches casia-b-pose/gaittr --sequences 64

Both ways choose sequences and frames, draw random parameters, transform and make float32 tensors. The one by one way
has every sequence as an array in memory already, as published code with its cache has.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # as the command line does

import numpy as np
import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor

from benchmarks.direct.pose_transforms import through
from gaitway.bench.measure import Comparison, compare, in_turns, machine
from gaitway.bench.noise import noise_store
from gaitway.cli.bench import measured_on
from gaitway.data import Store
from gaitway.data.loader import TrainLoader
from gaitway.data.transforms import Chain, TwoViews
from gaitway.training.recipe import Recipe, load_recipe

RECIPES = ("casia-b-pose/gaittr", "casia-b-pose/gaitgraph1", "casia-b-pose/gaitgraph2", "casia-b-pose/gpgait")
SEQUENCES, FRAMES = 256, 60


def main() -> None:
    """Measure the recipes that the command line names, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipes", nargs="*", metavar="RECIPE", help=f"of poses (default: {', '.join(RECIPES)})")
    parser.add_argument("--sequences", type=int, default=SEQUENCES, help=f"in a batch (default: {SEQUENCES})")
    parser.add_argument("--frames", type=int, default=FRAMES, help=f"of a sequence (default: {FRAMES})")
    parser.add_argument("--repeats", type=int, default=5, help="batches of each way that count (default: 5)")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    args = parser.parse_args()
    device = torch.device(args.device)
    table = Table("recipe", "one by one", "all at once", "times as fast", box=None, padding=(0, 2))
    for name in track(args.recipes or RECIPES, description="measuring"):
        sampler = f"sampler={{name: RandomSampler, batch_size: {args.sequences}}}"
        recipe = load_recipe(name, [sampler, f"frames.num={args.frames}"])
        found = measure(recipe, args.repeats, device)
        slow, fast = (found[way] for way in ("one by one", "all at once"))
        table.add_row(
            name,
            *(f"{1000 * way['seconds']:.1f} ms ({1000 * way['cpu_seconds']:.1f})" for way in (slow, fast)),
            f"{fast['speedup']:.1f} ({fast['cpu_speedup']:.1f})",
        )
    Console().print(table)
    print(measured_on(machine(device)))
    print(f"{args.sequences} sequences of {args.frames} frames; by the clock (in brackets of processor time)")


def measure(recipe: Recipe, repeats: int, device: torch.device) -> Comparison:
    """Both ways on noise in the shape of the recipe's data set."""
    with TemporaryDirectory(prefix="gaitway-bench-") as folder:
        store = noise_store(Path(folder) / "store", recipe)
        rows = np.arange(len(store.index))
        labels = np.unique(store.index.subjects, return_inverse=True)[1]
        loader = TrainLoader(
            store,
            rows,
            labels,
            recipe.build_sampler(),
            recipe.frames,
            recipe.build_transforms(),
            modalities=("poses",),
            device=device,
        )
        one_by_one = OneByOne(store, loader, recipe, device)
        ways = {"one by one": _step_by_step(one_by_one.batch), "all at once": _step_by_step(loader.batch)}
        return compare(in_turns(ways, repeats=repeats, device=device), baseline="one by one")


def _step_by_step(batch: Callable[[int], object]) -> Callable[[], object]:
    """Makes the batches of steps 0, 1, 2, …"""
    steps = count()
    return lambda: batch(next(steps))


class OneByOne:
    """Batches of the sequences and frames that `loader` chooses, every sequence transformed by itself."""

    def __init__(self, store: Store, loader: TrainLoader, recipe: Recipe, device: torch.device) -> None:
        self.loader, self.device = loader, device
        self.sequences = [np.array(store.frames("poses", row)) for row in range(len(store.index))]
        self.lengths = np.array([len(sequence) for sequence in self.sequences])
        transforms = recipe.build_transforms()
        self.num_views = 1 + any(isinstance(transform, TwoViews) for transform in transforms)
        self.chain = Chain([transform for transform in transforms if not isinstance(transform, TwoViews)])

    def batch(self, step: int) -> Tensor:
        """The poses of a step `(views·n, t, ...)`."""
        generator = np.random.default_rng((self.loader.seed, step))
        chosen = self.loader.sampler(self.loader.groups, generator)
        positions, counts = self.loader.frame_sampling(self.lengths[chosen], generator)
        frames = np.split(positions, np.cumsum(counts)[:-1])
        made = []
        for _ in range(self.num_views):
            for row, inside in zip(chosen, frames, strict=True):
                draws = self.chain.draw(np.array([len(inside)]), generator)
                made.append(through(self.sequences[row][inside], self.chain.transforms, draws))
        return torch.from_numpy(np.stack(made)).to(self.device)


if __name__ == "__main__":
    main()
