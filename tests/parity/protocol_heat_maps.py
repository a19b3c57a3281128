"""Transforms for GaitHeat: `transform_heatmap_alignment_fastposegait`."""

from __future__ import annotations

import numpy as np
import torch

from gaitway.data.transforms import AlignmentInPixels, AlignmentMatrices, SequenceRange
from tests.parity.case import Case, Results
from tests.parity.every_model import to_arrays


def run(case: Case) -> Results:
    """Scaled maps, and both kinds of matrices, with rotation and translation as the last axis."""
    maps, poses = (torch.from_numpy(case.inputs[name]) for name in ("heat", "pose"))
    counts = np.array([len(poses)])
    found = {
        "sequence_level": SequenceRange()(maps, np.array([len(maps)]), {}),
        "affine_mat": AlignmentInPixels()(poses, counts, {}).movedim(1, -1),
        "rotation_mat": AlignmentMatrices(p=1.0)(poses, counts, {}).movedim(1, -1),
    }
    return to_arrays(found), {}


RUNNERS = {"transform_heatmap_alignment_fastposegait": run}
