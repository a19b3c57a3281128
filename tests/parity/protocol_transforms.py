"""Transforms of silhouettes: `transform_*`."""

from __future__ import annotations

import numpy as np
import torch

from gaitway.data.transforms import (
    CutColumns,
    CutParsing,
    RandomAffine,
    RandomErasing,
    RandomHorizontalFlip,
    RandomPerspective,
    RandomRotate,
    RotateFlip,
    Scale,
    Transform,
)
from gaitway.data.transforms.geometric import affine_matrices, perspective_matrices, rotation_matrices
from gaitway.data.transforms.silhouette import erased_rectangles
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
    found["parsing_labels"] = apply(CutParsing(), case.inputs["labels"])[:, ::4]
    found["parsing_255"] = apply(CutParsing(), case.inputs["s64"])[:, ::4]
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
    for number, (uniform, corner) in enumerate(case.hyperparameters["draws"]):
        draws = erasing_draws(uniform, corner, height, width)
        places = {name: draws[name] for name in ("area", "aspect", "top", "left")}
        outputs[f"rect_{number}"] = erased_rectangles(**places, height=height, width=width)[0]
        erased = apply(RandomErasing(p=1.0), frames, draws)
        assert (erased == erased[0]).all(), "the frames of the case are equal, so the erased ones must be"
        outputs[f"out_{number}"] = erased[0]
    return outputs, {}


def run_random_rotate(case: Case) -> Results:
    frames = case.inputs["s"]
    outputs = {}
    for number, angle in enumerate(case.hyperparameters["angles"]):
        draws = {"fires": np.array([True]), "angle": np.array([float(angle)])}
        outputs[f"out_{number}"] = apply(RandomRotate(p=1.0), frames, draws)
        outputs[f"matrix_{number}"] = rotation_matrices(draws["angle"], *frames.shape[1:])[0, :2]
    return outputs, {}


def run_random_affine(case: Case) -> Results:
    frames = case.inputs["s"]
    outputs = {}
    for number, shifts in enumerate(case.hyperparameters["draws"]):
        outputs[f"out_{number}"] = apply(RandomAffine(p=1.0), frames, affine_draws(shifts, frames.shape[1]))
        outputs[f"matrix_{number}"] = affine_matrices(np.array([shifts], float), *frames.shape[1:])[0, :2]
    return outputs, {}


def run_random_perspective(case: Case) -> Results:
    outputs = {}
    for name, corners in case.hyperparameters["corners"].items():
        frames = case.inputs[name]
        outputs[f"out_{name}"] = apply(RandomPerspective(p=1.0), frames, perspective_draws(corners, frames.shape[2]))
        outputs[f"matrix_{name}"] = perspective_matrices(np.array([corners], float), *frames.shape[1:])[0]
    return outputs, {}


def run_rotate_flip(case: Case) -> Results:
    outputs = {}
    for number, (flip, rotate, angle) in enumerate(case.hyperparameters["cases"]):
        outputs[f"out_{number}"] = turned(case.inputs["s"], rotate=rotate, flip=flip, angle=angle)
    return outputs, {}


def turned(frames: Array, *, rotate: bool, flip: bool, angle: float) -> Array:
    """Frames cut, scaled, mirrored and rotated, as the published `RandomRotateFlipTransform` does it."""
    draws = {"rotates": np.array([rotate]), "flips": np.array([flip]), "angle": np.array([angle])}
    return apply(RotateFlip(), apply(CutColumns(), frames), draws)


def erasing_draws(uniform: list[float], corner: tuple[int, int], height: int, width: int) -> dict[str, Array]:
    """Our draws for those of a case: area and aspect of each attempt, then the upper left corner in pixels."""
    area, aspect = np.array(uniform).reshape(1, -1, 2).transpose(2, 0, 1)
    nowhere = np.zeros(1)
    _, _, tall, wide = erased_rectangles(area, aspect, nowhere, nowhere, height, width)[0]
    # ours is a place in [0, 1) of the possible range, the case's an integer
    top, left = (corner[0] + 0.5) / (height - tall + 1), (corner[1] + 0.5) / (width - wide + 1)
    places = {"area": area, "aspect": aspect, "top": np.array([top]), "left": np.array([left])}
    return {"fires": np.array([True]), **places}


def affine_draws(shifts: list[int], height: int) -> dict[str, Array]:
    """Our places in [0, 1) of the possible range for the integers of a case."""
    return {"fires": np.array([True]), "shifts": (np.array([shifts]) + 0.5) / (10 * (height // 64))}


def perspective_draws(corners: list[int], width: int) -> dict[str, Array]:
    """Likewise."""
    largest = 10 * (width // 44)
    places = np.array([corners]) - np.array([0, width - largest] * 2)
    return {"fires": np.array([True]), "corners": (places + 0.5) / largest}


RUNNERS = {
    "transform_random_affine": run_random_affine,
    "transform_random_erasing": run_random_erasing,
    "transform_random_perspective": run_random_perspective,
    "transform_random_rotate": run_random_rotate,
    "transform_rotate_flip_sposgait": run_rotate_flip,
    "transform_silhouette_basic": run_silhouette_basic,
}
