"""Poses drawn as maps of limbs and joints: `skeletongait_maps_*`."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from gaitway.data.transforms import SkeletonMaps, ToCoco17
from gaitway.data.transforms.skeleton_maps import as_grey, centred, drawn, imputed
from tests.parity.case import Case, Results
from tests.parity.every_model import to_arrays


def run_maps(case: Case) -> Results:
    """The maps, and what they are made by; the canvases are those of the first frame."""
    given = case.hyperparameters
    poses, counts = torch.from_numpy(case.inputs["poses"]), np.array([len(case.inputs["poses"])])
    if given["coco18_to_coco17"]:
        poses = ToCoco17()(poses, counts, {})
    filled = imputed(poses, counts)
    normalised = centred(filled, given["canvas"])
    first = as_grey(drawn(normalised[:1], canvas=given["canvas"], sigma=given["sigma"]))
    found: dict[str, Tensor] = {
        "padded": filled,
        "normalised": normalised,
        "canvas_limbs": first[:, :1],
        "canvas_joints": first[:, 1:],
        "maps": SkeletonMaps(size=given["output"], sigma=given["sigma"])(poses, counts, {}),
    }
    return to_arrays(found), {}


RUNNERS = {"skeletongait_maps_*": run_maps}
