"""GaitGL as OpenGait configures and stores it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gaitway.interop.published.model import Neck, PublishedModel, Shapes, expect
from gaitway.models import gaitgl

LARGE = ("OUMVLP", "GREW")
"""Data sets for which the published code builds the deeper network, whatever the rest of the configuration says."""


def configure(model_cfg: Mapping[str, Any], dataset: str) -> dict[str, Any]:
    """Our GaitGL of a published `model_cfg`."""
    large = dataset in LARGE
    channels = list(model_cfg["channels"])
    expect(f"the number of channels for the data set {dataset or 'of no name'}", len(channels), 4 if large else 3)
    neck = model_cfg.get("SeparateBNNecks")
    if neck is not None:
        expect("SeparateBNNecks.in_channels", neck["in_channels"], channels[-1])
        expect("SeparateBNNecks.parts_num", neck["parts_num"], 64)
        expect("SeparateBNNecks.norm", neck.get("norm", True), True)
    return {
        "name": "GaitGL",
        "channels": channels if large else [*channels, channels[-1]],
        "depth": 2 if large else 1,
        "halvings": 1 if large else 3,
        "bn_neck": neck is not None,
        "num_classes": model_cfg["class_num"] if neck is None else neck["class_num"],
    }


def facts(shapes: Shapes) -> dict[str, Any]:
    """What the shapes in a file say about the model."""
    blocks = {name: shape for name, shape in shapes.items() if name.endswith(".global_conv3d.conv3d.weight")}
    classifier = "BNNecks.fc_bin" if "BNNecks.fc_bin" in shapes else "Head1.fc_bin"
    necks = {"BNNecks.fc_bin": "per part", "Head1.fc_bin": "shared"}
    return {
        "widths of the global-local convolutions": [blocks[name][0] for name in sorted(blocks)],
        "parts": shapes.get("Head0.fc_bin", (None,) * 3)[0],
        "batch norm of the head": necks[classifier] if classifier in shapes else None,
        "classes": shapes.get(classifier, (None,) * 3)[2],
    }


PUBLISHED = PublishedModel(names=gaitgl.published_names, facts=facts, necks=(Neck("neck.", "head.weight"),))
