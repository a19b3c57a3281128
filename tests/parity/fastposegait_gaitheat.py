"""GaitHeat: heat maps and poses through the transforms of the configuration, then the model."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from gaitway.data.transforms import AlignmentMatrices, SequenceRange
from tests.parity.case import Array, Case, Results
from tests.parity.every_model import Intermediate, imported, recorded
from tests.parity.fastposegait_models import strided, train

STREAMS = 3


def clips(maps: Tensor, sequences: int) -> Tensor:
    """Frames as `(sequences, c, t, h, w)`."""
    return torch.unflatten(maps, 0, (sequences, -1)).transpose(1, 2)


TAPS: dict[str, tuple[str, Intermediate]] = {
    "Backbone1/in": ("stem", lambda given, made: clips(given, 2 * STREAMS)),
    "Backbone1": ("stages.0", lambda given, made: clips(made, 2 * STREAMS)),
    "Backbone2_fusion": ("fusions.0", lambda given, made: clips(made, 2)),
    "Backbone3": ("stages.2", lambda given, made: clips(made, 2 * STREAMS)),
    "Backbone4": ("stages.3", lambda given, made: clips(made, 2 * STREAMS)),
    "Backbone4_fusion": ("fusions.2", lambda given, made: clips(made, 2)),
    **{
        f"FCs_{branch}": (f"heads.{branch}", lambda given, made: made.transpose(1, 2))
        for branch in ("part", "global", "fusion")
    },
}
"""Output name in the cases of two sequences → our layer, and which of its tensors."""


def transformed(heatmaps: Array, poses: Array, counts: Array, *, together: bool = False) -> tuple[Tensor, Tensor]:
    """Heat maps, scaled in float16 as published, and matrices; no body of the cases is upright by itself."""
    maps = SequenceRange()(torch.from_numpy(heatmaps), np.array([counts.sum()]) if together else counts, {})
    return maps.float(), AlignmentMatrices(p=0.0)(torch.from_numpy(poses), counts, {}).float()


def dense(case: Case) -> tuple[Tensor, Tensor]:
    """Both inputs of the model for sequences of equal length."""
    n, t = case.inputs["poses"].shape[:2]
    heatmaps, poses = (case.inputs[kind].reshape(n * t, *case.inputs[kind].shape[2:]) for kind in ("heatmaps", "poses"))
    maps, matrices = transformed(heatmaps, poses, np.full(n, t))
    return torch.unflatten(maps, 0, (n, t)), torch.unflatten(matrices, 0, (n, t))


def network_inputs(maps: Tensor, matrices: Tensor) -> dict[str, Tensor]:
    """As the cases have them, with rotation and translation as the last axis."""
    return {"network_input": maps, "network_input_1": matrices.movedim(-3, -1)}


def run_eval(case: Case) -> Results:
    """The evaluation-mode forward on sequences of equal length."""
    model, (maps, matrices) = imported(case), dense(case)
    with torch.no_grad(), recorded(model, {layer for layer, _ in TAPS.values()}) as calls:
        output = model(maps, matrices, logits=True)
    found = network_inputs(maps, matrices) | {tap: of(*calls[layer][0]) for tap, (layer, of) in TAPS.items()}
    logits = {"part": output["part_logits"], "global": output["global_logits"], "fusion": output["logits"]}
    found |= {f"logits/{branch}_softmax": values.transpose(1, 2) for branch, values in logits.items()}
    return strided(case, found | {"embeddings": output.embeddings.transpose(1, 2)}), {}


def run_packed(case: Case) -> Results:
    """The evaluation-mode forward on sequences of unequal length in one batch."""
    model = imported(case)
    maps, poses = (
        [values for name, values in case.inputs.items() if name.startswith(kind)] for kind in ("heatmaps", "poses")
    )
    counts = np.array([len(sequence) for sequence in poses])
    # published, the heat maps of all sequences that are tested at once are scaled together
    heatmaps, matrices = transformed(np.concatenate(maps), np.concatenate(poses), counts, together=True)
    with torch.no_grad():
        output = model(heatmaps, matrices, torch.from_numpy(counts))
    return strided(case, {"embeddings": output.embeddings.transpose(1, 2)}), {}


def run_train(case: Case) -> Results:
    """A training-mode forward with losses and gradients, and three optimiser steps on the same batch."""
    maps, matrices = dense(case)
    dtype = torch.float64 if case.float64 else torch.float32
    found, scalars = train(case, {"heatmaps": maps.to(dtype), "poses": matrices.to(dtype)})
    return strided(case, found | network_inputs(maps, matrices)), scalars


RUNNERS = {"gaitheat_*_eval": run_eval, "gaitheat_*_eval_packed": run_packed, "gaitheat_*_train": run_train}
