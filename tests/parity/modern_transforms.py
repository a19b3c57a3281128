"""Augmentation of silhouettes: `silhouette_augment`."""

from __future__ import annotations

import numpy as np

from gaitway.data.transforms import (
    CutColumns,
    RandomAffine,
    RandomErasing,
    RandomHorizontalFlip,
    RandomPerspective,
    RandomRotate,
)
from tests.parity.case import Case, Results
from tests.parity.protocol_transforms import affine_draws, apply, erasing_draws, perspective_draws


def run_silhouette_augment(case: Case) -> Results:
    stored, given = case.inputs["silhouettes"], case.hyperparameters
    height, width = stored.shape[1:]
    cut = apply(CutColumns(), stored)
    fires = {"fires": np.array([True])}
    erase = given["erase"]
    erasing = erasing_draws([erase["area"], erase["ratio"]], (erase["top"], erase["left"]), *cut.shape[1:])
    outputs = {
        "cut": cut,
        "flip": apply(RandomHorizontalFlip(p=1.0), cut, fires),
        "erase": apply(RandomErasing(p=1.0), cut, erasing),
        "rotate": apply(RandomRotate(p=1.0), cut, fires | {"angle": np.array([given["degree"]])}),
        "perspective": apply(RandomPerspective(p=1.0), stored, perspective_draws(given["perspective_x"], width)) / 255,
        "affine": apply(RandomAffine(p=1.0), stored, affine_draws(given["affine"], height)) / 255,
    }
    return outputs, {}


RUNNERS = {"silhouette_augment": run_silhouette_augment}
