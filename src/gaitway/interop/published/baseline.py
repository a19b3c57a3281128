"""The class `Baseline` of OpenGait: by its backbone the baseline of release 1.0 (and GaitBase on HID), or GaitBase."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gaitway.interop.published import gaitbase
from gaitway.interop.published.model import (
    Neck,
    PublishedModel,
    Shapes,
    UnknownModelError,
    expect,
    head_and_neck,
    widths,
)
from gaitway.models import baseline


def configure(model_cfg: Mapping[str, Any], dataset: str) -> dict[str, Any]:
    """Our Baseline, or GaitBase, of a published `model_cfg`."""
    if model_cfg["backbone_cfg"]["type"] == "ResNet9":
        return gaitbase.configure(model_cfg, dataset)
    backbone = model_cfg["backbone_cfg"]
    if backbone["type"] != "Plain":
        raise UnknownModelError(
            f"Gaitway has the class Baseline with the backbones 'Plain' and 'ResNet9', not {backbone['type']!r}"
        )
    channels = [int(code.split("-")[1]) for code in backbone["layers_cfg"] if code != "M"]
    expect("backbone_cfg.in_channels", backbone["in_channels"], 1)
    return {
        "name": "Baseline",
        "layers": backbone["layers_cfg"],
        **head_and_neck(model_cfg, channels[-1]),
    }


def facts(shapes: Shapes) -> dict[str, Any]:
    """What the shapes in a file say about the model."""
    head = shapes.get("FCs.fc_bin", (None,) * 3)
    return {
        "channels": widths(shapes, "Backbone.forward_block.feature.", "conv.weight"),
        "parts": head[0],
        "embedding width": head[2],
        "classes": shapes.get("BNNecks.fc_bin", (None,) * 3)[2],
    }


PUBLISHED = PublishedModel(names=baseline.published_names, facts=facts, necks=(Neck("neck.", "head.weight"),))
