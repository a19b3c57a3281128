"""GaitGraph and GaitGraph2 as FastPoseGait and OpenGait configure and store them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Any

from torch import Tensor

from gaitway.interop.published.gaittr import SKELETONS
from gaitway.interop.published.model import PublishedModel, Shapes, expect, widths
from gaitway.models import gaitgraph1, gaitgraph2, resgcn

STREAMS = {"GaitGraph1": (1, gaitgraph1.NUM_FEATURES), "GaitGraph2": (gaitgraph2.NUM_STREAMS, gaitgraph2.NUM_FEATURES)}
"""Of the published classes: how many streams of features, and how many features in each."""

LAST_WIDTH = 256
"""Of the last module; the published classes take no other."""


def configure(model_cfg: Mapping[str, Any], dataset: str) -> dict[str, Any]:
    """Our GaitGraph1 or GaitGraph2 of a published `model_cfg`."""
    name, joints = model_cfg["model"], model_cfg["joint_format"]
    features, *branch_channels = model_cfg["input_branch"]
    before, *channels = model_cfg["main_stream"]
    expect("input_num", model_cfg["input_num"], STREAMS[name][0])
    expect("input_branch[0]", features, STREAMS[name][1])
    expect("block", model_cfg["block"], "Bottleneck")
    expect("main_stream[0]", before, branch_channels[-1])
    expect("main_stream[-1]", channels[-1], LAST_WIDTH)
    if joints not in SKELETONS:
        raise ValueError(f"model_cfg: joint_format {joints!r}, expected one of {', '.join(SKELETONS)}")
    return {
        "name": name,
        "branch_channels": branch_channels,
        "channels": channels,
        "reduction": model_cfg["reduction"],
        "embedding_dim": model_cfg["num_class"],
        "skeleton": SKELETONS[joints],
        "tta": model_cfg["tta"],
    }


def facts(shapes: Shapes, *, num_streams: int) -> dict[str, Any]:
    """What the shapes in a file say about a model of so many streams; nothing where it has another number."""
    found = sum(re.fullmatch(r"ResGCN\.head\.\d+\.bn\.weight", name) is not None for name in shapes)
    known = shapes if found == num_streams else {}
    return {
        "streams of features": found or None,
        "widths of a branch": widths(known, "ResGCN.head.0.layers.", ".scn.conv_up.weight"),
        "widths after the branches": widths(known, "ResGCN.backbone.", ".scn.conv_up.weight"),
        "widths of the bottlenecks after the branches": widths(known, "ResGCN.backbone.", ".scn.conv_down.weight"),
        "joints": known.get("ResGCN.head.0.layers.0.edge", (None, None))[1],
        "embedding width": known.get("ResGCN.fcn.weight", (None,))[0],
    }


def graphs(model: gaitgraph1.GaitGraph1 | gaitgraph2.GaitGraph2) -> dict[str, Tensor]:
    """The graph, of which published files have a copy per stream, and Gaitway's none."""
    return resgcn.built_shares(model.resgcn)


GAITGRAPH1, GAITGRAPH2 = (
    PublishedModel(names=names, facts=partial(facts, num_streams=STREAMS[model][0]), built=graphs)
    for model, names in (("GaitGraph1", gaitgraph1.published_names), ("GaitGraph2", gaitgraph2.published_names))
)
