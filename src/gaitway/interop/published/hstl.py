"""HSTL as its own code base configures and stores it: a class for each of three data sets."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from gaitway.interop.batch_norm_order import Order, State
from gaitway.interop.published.model import PublishedModel, Shapes, expect
from gaitway.models import hstl

HEIGHTS = {
    "HSTL": hstl.HEIGHTS_CASIAB,
    "HSTL_OU": hstl.HEIGHTS_OUMVLP,
    "HSTL_Gait3D": hstl.HEIGHTS_GAIT3D,
}
"""The published classes, and the regions that each has."""

PIECE = re.compile(r"astp\w+\.hpp\.\d+\.p|fta\.mma\.\d+\.fcs\.[01]\.(weight|bias)")
"""The tensors that are stored per region and are one tensor here, with `*` in place of each number."""

FIRST_COMMIT_PARTS = 17


def configure(model_cfg: Mapping[str, Any], dataset: str) -> dict[str, Any]:
    """Our HSTL of a published `model_cfg`."""
    name, widths = model_cfg["model"], list(model_cfg["channels"])
    heights = HEIGHTS[name]
    expect(f"the number of channels of {name}", len(widths), len(heights))
    channels = [[width, width] for width in widths]
    if name == "HSTL":
        channels[:2] = [
            [widths[0]],
            [widths[0], widths[1]],
        ]  # one convolution in the first level, and the second widens late
    return {
        "name": "HSTL",
        "channels": channels,
        "heights": [list(level) for level in heights],
        "pool": name != "HSTL",
        "num_classes": model_cfg["class_num"],
    }


def facts(shapes: Shapes) -> dict[str, Any]:
    """What the shapes in a file say about the model."""
    levels = [re.fullmatch(r"arme(\d+)\.0\.conv3d(\.\d+\.conv3d)?\.weight", name) for name in shapes]
    regions = [int(level[1]) for level in levels if level]
    return {
        "regions per level": [regions.count(level) for level in sorted(set(regions))],
        "parts": shapes.get("Head0.fc_bin", (None,) * 3)[0] if regions else None,
        "embedding width": shapes.get("Head0.fc_bin", (None,) * 3)[2] if regions else None,
        "classes": shapes.get("Head1.fc_bin", (None,) * 3)[2] if regions else None,
    }


def convert(state: State, order: Order) -> State:
    """Stack what is stored per region: exponents, and the linear maps of the frame aggregation.

    Raises:
        ValueError: when the file has the layout of the code base's first commit.
    """
    head = state.get("Head0.fc_bin")
    if head is not None and len(head) == FIRST_COMMIT_PARTS and "HPP.p" not in state:
        raise ValueError(
            f"{FIRST_COMMIT_PARTS} parts are the layout of the code base's first commit of July 2023, which could not "
            "run as committed and was superseded in October 2023; give a file of the later layout, which has 73 parts "
            "(CASIA-B), 50 (OUMVLP) or 46 (Gait3D)"
        )
    pieces: defaultdict[str, dict[tuple[int, ...], Tensor]] = defaultdict(dict)
    converted = {}
    for name, tensor in state.items():
        if PIECE.fullmatch(name):
            pieces[re.sub(r"\.\d+", ".*", name)][tuple(map(int, re.findall(r"\.(\d+)", name)))] = tensor
        else:
            converted[name] = tensor
    for name, numbered in pieces.items():
        counts = [max(numbers) + 1 for numbers in zip(*numbered, strict=True)]
        whole = len({tensor.shape for tensor in numbered.values()}) == 1 and len(numbered) == math.prod(counts)
        if not whole:
            raise ValueError(f"{name}: not one tensor of the same shape for each number in place of the *")
        stacked = torch.stack([numbered[numbers] for numbers in sorted(numbered)])
        stacked = torch.unflatten(stacked, 0, counts)
        converted[name] = stacked if name.endswith("bias") else stacked.squeeze(-1)
    return converted


PUBLISHED = PublishedModel(names=hstl.published_names, facts=facts, convert=convert)
