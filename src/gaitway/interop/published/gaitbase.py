"""The class `Baseline` of OpenGait with the backbone `ResNet9`: GaitBase."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gaitway.interop.published.model import Neck, PublishedModel, Shapes, expect, head_and_neck
from gaitway.models import gaitbase

PREFIX = "Backbone.forward_block."


def configure(model_cfg: Mapping[str, Any], dataset: str) -> dict[str, Any]:
    """Our GaitBase of a published `model_cfg`."""
    backbone = model_cfg["backbone_cfg"]
    expect("backbone_cfg.block", backbone["block"], "BasicBlock")
    expect("backbone_cfg.strides", tuple(backbone["strides"]), (1, 2, 2, 1))
    expect("backbone_cfg.maxpool", backbone["maxpool"], False)
    expect("backbone_cfg.in_channels", backbone.get("in_channels", 1), 1)
    return {
        "name": "GaitBase",
        "channels": list(backbone["channels"]),
        "layers": list(backbone["layers"]),
        **head_and_neck(model_cfg, backbone["channels"][-1]),
    }


def facts(shapes: Shapes) -> dict[str, Any]:
    """What the shapes in a file say about the model."""
    stages = [f"{PREFIX}layer{stage}." for stage in (1, 2, 3, 4)]
    first = [f"{stage}0.conv1.weight" for stage in stages]
    blocks = [sum(name.startswith(stage) and name.endswith(".conv1.weight") for name in shapes) for stage in stages]
    head = shapes.get("FCs.fc_bin", (None,) * 3)
    return {
        "channels": [shapes[name][0] for name in first if name in shapes],
        "blocks per stage": blocks if any(blocks) else [],
        "parts": head[0],
        "embedding width": head[2],
        "classes": shapes.get("BNNecks.fc_bin", (None,) * 3)[2],
    }


PUBLISHED = PublishedModel(names=gaitbase.published_names, facts=facts, necks=(Neck("neck.", "head.weight"),))
