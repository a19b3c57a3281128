"""Transforms of silhouettes: `transform_*`."""

from __future__ import annotations

import numpy as np
import torch

from gaitway.data.transforms import CutColumns, RandomErasing, RandomHorizontalFlip, RandomRotate, Scale, Transform
from gaitway.data.transforms.silhouette import erased_rectangles, rotation_matrices
from tests.parity.case import Array, Case, Results
from tests.parity.running import NotKnownError


def apply(transform: Transform, frames: Array, draws: dict[str, Array] | None = None) -> Array:
    """A transform of one sequence."""
    return transform(torch.from_numpy(frames.copy()), np.array([len(frames)]), draws or {}).numpy()


def silhouette_basic(case: Case) -> dict[str, Array]:
    """The outputs of `transform_silhouette_basic` that are about silhouettes."""
    found = {f"cut_{width}": apply(CutColumns(), case.inputs[f"s{width}"])[:, ::2] for width in (64, 128, 44, 200)}
    found["cut_explicit"] = apply(CutColumns(columns=case.hyperparameters["cutting"]), case.inputs["s64"])[:, ::2]
    found["cut_0"] = apply(CutColumns(columns=0), case.inputs["s64"])[:, ::2]
    found["sil"] = apply(Scale(), case.inputs["s64"])[:, ::4, ::4]
    fires = {"fires": np.array([True])}
    found["hflip"] = apply(RandomHorizontalFlip(p=1.0), case.inputs["s64"], fires)[:, ::4]
    return found


def run_silhouette_basic(case: Case) -> Results:
    missing = sorted(set(case.outputs) - set(silhouette_basic(case)))
    raise NotKnownError(f"Gaitway computes the silhouette outputs of this case, but not yet {', '.join(missing)}")


def run_random_erasing(case: Case) -> Results:
    frames = case.inputs["s"]
    height, width = frames.shape[1:]
    outputs = {}
    for number, (uniform, (top, left)) in enumerate(case.hyperparameters["draws"]):
        area, aspect = np.array(uniform).reshape(1, -1, 2).transpose(2, 0, 1)
        nowhere = np.zeros(1)
        _, _, tall, wide = erased_rectangles(area, aspect, nowhere, nowhere, height, width)[0]
        # ours is a place in [0, 1) of the possible range, the case's an integer
        draws = {
            "area": area,
            "aspect": aspect,
            "top": np.array([(top + 0.5) / (height - tall + 1)]),
            "left": np.array([(left + 0.5) / (width - wide + 1)]),
        }
        outputs[f"rect_{number}"] = erased_rectangles(**draws, height=height, width=width)[0]
        erased = apply(RandomErasing(p=1.0), frames, {"fires": np.array([True]), **draws})
        assert (erased == erased[0]).all(), "the frames of the case are equal, so the erased ones must be"
        outputs[f"out_{number}"] = erased[0]
    return outputs, {}


def run_random_rotate(case: Case) -> Results:
    frames = case.inputs["s"]
    outputs = {}
    for number, angle in enumerate(case.hyperparameters["angles"]):
        draws = {"fires": np.array([True]), "angle": np.array([float(angle)])}
        outputs[f"out_{number}"] = apply(RandomRotate(p=1.0), frames, draws)
        outputs[f"matrix_{number}"] = rotation_matrices(draws["angle"], *frames.shape[1:])[0]
    return outputs, {}


RUNNERS = {
    "transform_random_erasing": run_random_erasing,
    "transform_random_rotate": run_random_rotate,
    "transform_silhouette_basic": run_silhouette_basic,
}
