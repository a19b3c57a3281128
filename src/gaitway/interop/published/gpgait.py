"""GPGait and GPGait++ as FastPoseGait configures and stores them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import chain
from typing import Any

import torch
from torch import Tensor

from gaitway.interop.batch_norm_order import Order, State
from gaitway.interop.published.model import Neck, PublishedModel, Shapes
from gaitway.models import gpgait, gpgait_plusplus
from gaitway.models.part_graph import NUM_GRAPHS

FIRST = "conv_a.0.weight"
"""In the name of every attention."""


def configure(model_cfg: Mapping[str, Any], dataset: str) -> dict[str, Any]:
    """Our GPGait of a published `model_cfg`."""
    return {
        "name": "GPGait",
        "channels": list(model_cfg["in_channels"][1:]),  # the published code makes nothing of the first
        "num_shared": model_cfg["share_num"],
        "num_classes": model_cfg["num_class"],
    }


def configure_plus_plus(model_cfg: Mapping[str, Any], dataset: str) -> dict[str, Any]:
    """Our GPGait++ of a published `model_cfg`; the published code takes no notice of its `share_num`."""
    return {
        "name": "GPGaitPlusPlus",
        "channels": list(model_cfg["in_channels"][1:]),
        "mask": model_cfg["mask"],
        "num_classes": model_cfg["num_class"],
    }


def facts(shapes: Shapes) -> dict[str, Any]:
    """What the shapes in a file say about GPGait."""
    return _network_facts(shapes) | {"layers": None if _has_convolutions(shapes) else "without convolutions"}


def facts_plus_plus(shapes: Shapes) -> dict[str, Any]:
    """What the shapes in a file say about GPGait++."""
    return _network_facts(shapes) | {"layers": "with convolutions over time" if _has_convolutions(shapes) else None}


def _has_convolutions(shapes: Shapes) -> bool:
    return "pose.layer_share.0.tcn.conv.weight" in shapes


def _network_facts(shapes: Shapes) -> dict[str, Any]:
    return {
        "widths of the shared layers": _widths(shapes, "pose.layer_share."),
        "widths of the layers of each part": _widths(shapes, "pose.part_2."),
        "parts": shapes.get("head.fc_bin", (None,) * 3)[0],
        "classes": shapes.get("BNNecks.fc_bin", (None,) * 3)[2],
    }


def convert(state: State, order: Order) -> State:
    """Stack what is stored per graph: the maps to queries, keys and outputs of every attention.

    Where some of them are missing or of other shapes the others are left as they are, to be named in the error.
    """
    converted = dict(state)
    attentions = [name.removesuffix(FIRST) for name in state if name.endswith(FIRST)]
    for attention in attentions:
        for field, ending in (("weight", ""), ("bias", "_bias")):
            names = [[f"{attention}conv_{kind}.{i}.{field}" for i in range(NUM_GRAPHS)] for kind in "abd"]
            a, b, d = ([state[name] for name in kind if name in state] for kind in names)
            if [len(kind) for kind in (a, b, d)] != [NUM_GRAPHS] * 3 or any(map(_differ, (a + b, d))):
                continue
            queries_keys = torch.stack((torch.stack(a), torch.stack(b)), 1)
            converted[f"{attention}projection{ending}"] = queries_keys.flatten(3) if field == "weight" else queries_keys
            converted[f"{attention}output{ending}"] = (
                torch.stack(d, 1).flatten(2) if field == "weight" else torch.stack(d)
            )
            for name in chain(*names):
                del converted[name]
    return converted


def triplet_before_neck(component: Mapping[str, Any], prefix: str, loss: str) -> str | None:
    """The output of our model that a loss works on, where it is not the usual one."""
    return "before_neck" if loss == "TripletLoss" else None


def _differ(tensors: list[Tensor]) -> bool:
    return len({tensor.shape for tensor in tensors}) > 1


def _widths(shapes: Shapes, prefix: str) -> list[int]:
    layers = sorted(name for name in shapes if name.startswith(prefix) and name.endswith(".asg.bn.weight"))
    return [shapes[name][0] for name in layers]


GPGAIT = PublishedModel(
    names=gpgait.published_names,
    facts=facts,
    necks=(Neck("network.neck.", "network.head.weight"),),
    bn_order="channel-major",
    convert=convert,
    output_of=triplet_before_neck,
)
GPGAIT_PLUS_PLUS = replace(GPGAIT, names=gpgait_plusplus.published_names, facts=facts_plus_plus)
