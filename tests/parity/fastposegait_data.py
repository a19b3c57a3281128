"""Graphs of joints, and the transforms of poses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gaitway.data.transforms import TRANSFORMS, Transform
from gaitway.data.transforms.chain import Draws, resampled
from gaitway.nn.graph import adjacency, hop_distances, same_part
from gaitway.skeletons import COCO12, COCO17, OPENPOSE18
from tests.parity.case import Array, Case, Results
from tests.parity.every_model import to_arrays

FORMATS = {"coco": COCO17, "coco-no-head": COCO12, "openpose": OPENPOSE18, "alphapose": OPENPOSE18}


def run_graphs(case: Case) -> Results:
    """Adjacency, distances, edges, parents, partners and part masks."""
    outputs: dict[str, Array] = {}
    for name in case.outputs:
        what, form, *rest = name.split("/")
        skeleton = FORMATS[form]
        if what == "adjacency":
            found = adjacency(skeleton.num_joints, skeleton.edges, max_hop=int(rest[0].removeprefix("hop"))).numpy()
        elif what == "hop_distance":
            # the cases give -1 to joints further apart than the largest hop
            found = hop_distances(skeleton.num_joints, skeleton.edges).numpy()
            found = np.where(found > int(rest[0].removeprefix("hop")), -1, found)
        elif what == "mask":
            partition = list(skeleton.partitions.values())[int(rest[0])]
            found = same_part(skeleton.num_joints, partition.values()).numpy()
        else:
            of = {"edges": skeleton.edges, "connect_joint": skeleton.parents, "flip_idx": skeleton.mirrored}
            found = np.array(of[what])
        outputs[name] = found
    return outputs, {f"center/{form}": float(skeleton.center) for form, skeleton in FORMATS.items()}


def apply(steps: Sequence[tuple[str, dict[str, Any], Draws]], frames: Array) -> Tensor:
    """Transforms with given random parameters on one sequence."""
    counts, x = np.array([len(frames)]), torch.from_numpy(frames)
    for name, arguments, draws in steps:
        transform: Transform = TRANSFORMS[name](**arguments)
        x, counts = transform(x, counts, draws), resampled(transform, counts)
    return x


ALWAYS = {"fires": np.array([True])}
IN_ALL_FRAMES = {"fires": np.ones((1, 12), bool)}
SIMPLE: dict[str, list[tuple[str, dict[str, Any], Draws]]] = {
    "GaitTR_MultiInput": [("GaitTRStreams", {}, {})],
    "GaitGraph_MultiInput": [("GaitGraphStreams", {}, {})],
    "HOD_MultiInput": [("HumanOrientedDescriptors", {}, {})],
    "InversePosesPre_p1": [("InversePoses", {}, IN_ALL_FRAMES)],
    "MirrorPoses_p1": [("MirrorPoses", {}, ALWAYS)],
    "FlipSequence_p1": [("FlipSequence", {}, ALWAYS)],
    "SkeletonInput": [],
    "NormalizeEmpty": [("NormalizeEmpty", {}, {})],
    "NormalizeEmpty_then_GaitGraph_MultiInput": [("NormalizeEmpty", {}, {}), ("GaitGraphStreams", {}, {})],
    "Affine": [("UprightSpine", {}, {})],
    "RescaleCenter_neck": [("RescaleCenter", {}, {})],
    "RescaleCenter_head": [("RescaleCenter", {"center": "head"}, {})],
    "RescaleCenter_hip": [("RescaleCenter", {"center": "hip"}, {})],
    "RescaleCenter_scale100": [("RescaleCenter", {"scale": 100.0}, {})],
    "RescaleCenter_then_HOD": [("RescaleCenter", {}, {}), ("HumanOrientedDescriptors", {}, {})],
    "RescaleCenter_then_HOD_without_frame2": [("RescaleCenter", {}, {}), ("HumanOrientedDescriptors", {}, {})],
    "Affine_RescaleCenter_HOD_SkeletonInput": [
        ("UprightSpine", {}, {}),
        ("RescaleCenter", {}, {}),
        ("HumanOrientedDescriptors", {}, {}),
    ],
    "SelectSequenceCenter_5": [("SelectSequenceCenter", {"num": 5}, {})],
    "SelectSequenceCenter_8": [("SelectSequenceCenter", {"num": 8}, {})],
    "TwoView_SkeletonInput": [("TwoViews", {}, {})],
    # published: the second view is mirrored once more than the first, back to what it was
    "TwoView_MirrorPoses_p1_PointNoise_std0_SkeletonInput": [
        ("TwoViews", {}, {}),
        ("MirrorPoses", {}, {"fires": np.array([True, False])}),
        ("PointNoise", {"std": 0.0}, {"noise": np.ones((2, 12, 17, 3))}),
    ],
    "oumvlp18_to_coco17": [("ToCoco17", {}, {})],
    "Sequence_level": [("SequenceRange", {}, {})],
    "RotationMat": [("AlignmentMatrices", {"p": 0.0}, {})],
    "AffineMat": [("AlignmentInPixels", {}, {})],
}
"""Output, without the input that it is of → our transforms."""


def run_transforms(case: Case) -> Results:
    """The transforms, by the names of the outputs."""
    inputs = {"coco": "p17", "alphapose": "p18"}
    found: dict[str, Tensor] = {}
    for name in case.outputs:
        steps, given = name.rsplit("/", 1)
        frames = case.inputs[inputs.get(given, given)]
        frames = np.delete(frames, 2, axis=0) if steps.endswith("_without_frame2") else frames
        x = apply(SIMPLE[steps], frames)
        if steps.endswith("SkeletonInput"):
            x = x.permute(2, 0, 1).unsqueeze(-1)
        elif steps.endswith("Mat"):
            x = x.permute(0, 2, 3, 1)  # rotation and translation as the last axis
        found[name] = x
    return to_arrays(found), {}


RUNNERS = {"graphs": run_graphs, "pose_transforms": run_transforms}
