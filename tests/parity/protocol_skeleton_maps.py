"""Poses drawn as maps of limbs and joints: `data_skeleton_heatmap`."""

from __future__ import annotations

import numpy as np
import torch

from gaitway.data.transforms import SkeletonMaps
from gaitway.data.transforms.skeleton_maps import centred, drawn, imputed
from tests.parity.case import Case, Results
from tests.parity.every_model import to_arrays

STRIDE = 2
"""Of the raw maps, as the case's note says."""


def run(case: Case) -> Results:
    """The maps, and one frame of them before it is made grey."""
    given = case.hyperparameters
    canvas, sigma, raw = given["heatmap_image_height"], given["sigma"], given["raw_frame"]
    poses, counts = torch.from_numpy(case.inputs["pose"]), np.array([len(case.inputs["pose"])])
    normalised = centred(imputed(poses, counts), canvas)
    limbs, joints = drawn(normalised[raw : raw + 1], canvas=canvas, sigma=sigma)[0, :, ::STRIDE, ::STRIDE]
    maps = SkeletonMaps(size=given["final_img_size"], sigma=sigma)(poses, counts, {})
    found = {"normalised": normalised, "heatmap": maps, "limb_raw": limbs, "joint_raw": joints}
    return to_arrays(found), {}


RUNNERS = {"data_skeleton_heatmap": run}
