"""What is said and kept when training meets NaN or infinity."""

from __future__ import annotations

import json
import math
from pathlib import Path

import torch.distributed as dist
from lightning_fabric import Fabric

from gaitway.training.devices import averaged
from gaitway.training.objective import Figures
from gaitway.types import Batch

REPORT = "non_finite.json"


class NonFiniteError(ArithmeticError):
    """A loss or a gradient is NaN or infinite, so that training cannot go on."""


def non_finite_error(
    fabric: Fabric, batch: Batch, figures: Figures, *, step: int, run: Path, checkpoint: Path
) -> NonFiniteError:
    """The error to raise, on all processes; the first one writes `non_finite.json` into the run's folder.

    Args:
        fabric: Of the run.
        batch: This process's share of the batch.
        figures: What the losses found.
        step: Number of the update that did not take place.
        run: The run's folder.
        checkpoint: Written before this update.
    """
    found = {name: averaged(fabric, figure).item() for name, figure in figures.items()}
    losses = [name for name, value in found.items() if name.endswith("/loss") and not math.isfinite(value)]
    what = " and ".join(f"{name} = {found[name]}" for name in losses) if losses else "the gradient, though no loss,"
    names = [f"{s}-{c}-{v}" for s, c, v in zip(batch.subjects, batch.conditions, batch.views, strict=True)]
    if fabric.world_size > 1:
        shares: list[list[str]] = [[] for _ in range(fabric.world_size)]
        dist.all_gather_object(shares, names)
        names = [name for share in shares for name in share]
    if fabric.is_global_zero:
        values = {name: str(value) for name, value in found.items()}  # JSON has no NaN
        report = {"step": step, "losses": losses, "figures": values, "sequences": names}
        (run / REPORT).write_text(json.dumps(report, indent=1) + "\n")
    shown = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
    return NonFiniteError(
        f"step {step}: {what} is not finite. The batch has the sequences {shown}; all of them and all figures are in "
        f"{run / REPORT}. Weights and statistics from before this step are in {checkpoint}. A lower learning rate is "
        f"the usual cure: gaitway train RECIPE --data STORE --init {checkpoint} optimizer.lr=…"
    )
