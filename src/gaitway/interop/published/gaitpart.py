"""GaitPart as OpenGait configures and stores it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from gaitway.interop.batch_norm_order import Order, State
from gaitway.interop.published.model import PublishedModel, Shapes, UnknownModelError, expect, widths
from gaitway.models import gaitpart

SQUEEZE = 4  # the published code has no key for it
TEMPORAL = "TFA.pooling_func.conv1d3x"


def configure(model_cfg: Mapping[str, Any], dataset: str) -> dict[str, Any]:
    """Our GaitPart of a published `model_cfg`."""
    backbone, head, bins = model_cfg["backbone_cfg"], model_cfg["SeparateFCs"], model_cfg["bin_num"]
    if backbone["type"] != "Plain":
        raise UnknownModelError(f"Gaitway's GaitPart has the backbone 'Plain' only, not {backbone['type']!r}")
    channels = [int(code.split("-")[1]) for code in backbone["layers_cfg"] if code != "M"]
    expect("bin_num", len(bins), 1)
    expect("backbone_cfg.in_channels", backbone["in_channels"], 1)
    expect("SeparateFCs.in_channels", head["in_channels"], channels[-1])
    expect("SeparateFCs.parts_num", head["parts_num"], bins[0])
    expect("SeparateFCs.norm", head.get("norm", False), False)
    return {
        "name": "GaitPart",
        "layers": backbone["layers_cfg"],
        "num_parts": bins[0],
        "squeeze": SQUEEZE,
        "embedding_dim": head["out_channels"],
    }


def facts(shapes: Shapes) -> dict[str, Any]:
    """What the shapes in a file say about the model."""
    head = shapes.get("Head.fc_bin", (None,) * 3)
    return {
        "channels": widths(shapes, "Backbone.forward_block.feature.", "conv.weight"),
        "parts": head[0],
        "embedding width": head[2],
    }


def convert(state: State, order: Order) -> State:
    """Stack the temporal networks of the parts; a state that lacks one of them stays as it is."""
    num_parts = sum(name.startswith(f"{TEMPORAL}1.") and name.endswith(".0.conv.weight") for name in state)
    parts = range(num_parts)
    stacks = {
        "{1,3}.*.0": ((num_parts, 2), [f"{kernel}.{part}.0" for part in parts for kernel in (1, 3)]),
        "1.*.2": ((num_parts,), [f"1.{part}.2" for part in parts]),
        "3.*.2": ((num_parts,), [f"3.{part}.2" for part in parts]),
    }
    converted = dict(state)
    for name, (shape, pieces) in stacks.items():
        names = [f"{TEMPORAL}{piece}.conv.weight" for piece in pieces]
        found = [converted.pop(piece) for piece in names if piece in state]
        if not found or len(found) < len(names) or any(tensor.shape != found[0].shape for tensor in found):
            return state
        converted[f"{TEMPORAL}{name}.conv.weight"] = torch.unflatten(torch.stack(found), 0, shape)
    return converted


PUBLISHED = PublishedModel(names=gaitpart.published_names, facts=facts, convert=convert)
