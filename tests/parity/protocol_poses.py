"""Transforms of poses as OpenGait and FastPoseGait share them."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor

from gaitway.data.transforms.chain import Draws
from gaitway.interop.opengait_transforms import MSGG_JOINTS
from tests.parity.case import Case, Results
from tests.parity.every_model import to_arrays
from tests.parity.fastposegait_data import ALWAYS, apply

Steps = list[tuple[str, dict[str, Any], Draws]]


def run(case: Case) -> Results:
    """Every output, by its name."""
    given = case.inputs
    frames = len(given["pose" if "pose" in given else "pose18"])
    sides: Steps = [("InversePoses", {}, {"fires": np.ones((1, frames), bool)})]
    msgg: Steps = [("SelectJoints", {"joints": MSGG_JOINTS}, {})]
    upright: Steps = [("UprightSpine", {}, {})]
    steps: dict[str, Steps] = {
        "normalize_empty": [("NormalizeEmpty", {}, {})],
        "mirror": [("MirrorPoses", {}, ALWAYS)],
        "flip_time": [("FlipSequence", {}, ALWAYS)],
        "left_right_17": sides,
        "left_right_18": sides,
        "select_center": [("SelectSequenceCenter", {"num": case.hyperparameters.get("center_length")}, {})],
        "skeleton_opengait": [],
        "skeleton_fastposegait": [],
        "gaitgraph1": [],
        "msgg_17": msgg,
        "msgg_18": msgg,
        "two_view": [("TwoViews", {}, {})],
        "gaittr_17": [("GaitTRStreams", {}, {})],
        "gaitgraph_17": [("GaitGraphStreams", {}, {})],
        "gaittr_18": [("GaitTRStreams", {"center": "nose"}, {})],
        "gaitgraph_18": [("GaitGraphStreams", {"center": "nose"}, {})],
        "gaittr_18_fastposegait": [("GaitTRStreams", {}, {})],
        "gaitgraph_18_fastposegait": [("GaitGraphStreams", {}, {})],
        "affine": upright,
        "hot_neck": [*upright, ("RescaleCenter", {}, {})],
        "hot_head": [*upright, ("RescaleCenter", {"center": "head"}, {})],
        "hot_hip": [*upright, ("RescaleCenter", {"center": "hip"}, {})],
        "rescale_only": [("RescaleCenter", {}, {})],
        "hod": [*upright, ("RescaleCenter", {}, {}), ("HumanOrientedDescriptors", {}, {})],
        "pose17": [("ToCoco17", {}, {})],
    }
    if "noise_joint" in given:
        steps |= {
            "joint_noise": [("JointNoise", {"std": 1.0}, {"noise": given["noise_joint"][None]})],
            "point_noise": [("PointNoise", {"std": 1.0}, {"noise": given["noise_point"][None]})],
            "random_move": [("RandomMove", {"x": 1.0, "y": 1.0}, {"by": given["noise_move"][None]})],
        }
    found: dict[str, Tensor] = {}
    for name in case.outputs:
        x = apply(steps[name], given["pose18" if "18" in name or "pose" not in given else "pose"])
        if name in ("skeleton_fastposegait", "gaitgraph1", "two_view"):
            x = x.permute(2, 0, 1).unsqueeze(-1)
        elif name == "skeleton_opengait":
            x = x.transpose(1, 2).unsqueeze(-1)
        found[name] = x
    return to_arrays(found), {}


CASES = ("transform_pose_basic", "transform_pose_streams", "transform_human_oriented", "data_pose_18_to_17")
RUNNERS = dict.fromkeys(CASES, run)
