"""Pose transforms against themselves written down for one sequence, in loops."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.direct.pose_transforms import DIRECT, through
from gaitway.data.transforms import TRANSFORMS, Chain
from tests.data.transforms.test_pose import of_each, poses

COUNTS = np.array([11, 7, 20, 8])
ARGUMENTS: dict[str, Mapping[str, Any]] = {
    "InversePoses": {"p": 0.3},
    "RandomSelectSequence": {"num": 7},
    "SelectJoints": {"joints": ["left_ankle", "nose"]},
    "SelectSequenceCenter": {"num": 9},
}
CHAINS = [
    ["PointNoise", "InversePoses", "JointNoise", "GaitTRStreams"],
    ["NormalizeEmpty", "FlipSequence", "InversePoses", "JointNoise", "PointNoise", "RandomMove", "GaitGraphStreams"],
    ["UprightSpine", "RescaleCenter", "InversePoses", "JointNoise", "HumanOrientedDescriptors"],
    ["MirrorPoses", "FlipSequence", "RandomSelectSequence", "PointNoise", "JointNoise"],
]


@pytest.mark.parametrize("names", [*([name] for name in DIRECT), *CHAINS], ids="-".join)
def test_a_batch_is_as_its_sequences_one_by_one(names: list[str]) -> None:
    x = poses(int(COUNTS.sum()), joints=18 if names == ["ToCoco17"] else 17)
    chain = Chain([TRANSFORMS[name](**ARGUMENTS.get(name, {})) for name in names])
    draws = chain.draw(COUNTS, np.random.default_rng(0))
    together, counts = chain(x, COUNTS, draws)
    for i, (before, after) in enumerate(zip(of_each(COUNTS), of_each(counts), strict=True)):
        own = [{name: values[i : i + 1] for name, values in drawn.items()} for drawn in draws]
        alone = torch.from_numpy(through(x[before].numpy(), chain.transforms, own))
        torch.testing.assert_close(together[after], alone, rtol=1e-6, atol=1e-5, equal_nan=True)
