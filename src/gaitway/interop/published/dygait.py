"""DyGait as released, which is without projections in its shortcuts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gaitway.interop.published.model import Neck, PublishedModel, Shapes, expect
from gaitway.models import dygait

BLOCKS = ("conv3d", "GLConv")
TALL = "Gait3D-128pixel"
"""The data set for which the published code takes frames of 128×88 and 32 strips; `Gait3D` in its configuration."""


def configure(model_cfg: Mapping[str, Any], dataset: str) -> dict[str, Any]:
    """Our DyGait of a published `model_cfg`; a configuration without a neck has the parts of its data set."""
    channels = list(model_cfg["channels"])
    shallow = len(channels) == 3
    neck = model_cfg.get("SeparateBNNecks", {"in_channels": channels[-1], "class_num": model_cfg.get("class_num")})
    parts = neck.get("parts_num", 32 if shallow or dataset in (TALL, "Gait3D") else 31)
    if parts not in (31, 32):
        raise ValueError(f"SeparateBNNecks.parts_num is {parts}, but a published DyGait has 31 or 32 parts")
    expect("SeparateBNNecks.in_channels", neck["in_channels"], channels[-1])
    expect("SeparateBNNecks.norm", neck.get("norm", True), True)
    if neck["class_num"] is None:
        raise KeyError("class_num")
    return {
        "name": "DyGait",
        "channels": channels,
        "bins": [32] if parts == 32 else [16, 8, 4, 2, 1],
        "frame_height": 128 if parts == 32 and not shallow else 64,
        "layout": "shallow" if shallow else "deep",
        "shortcut": "identity",
        "num_classes": neck["class_num"],
    }


def facts(shapes: Shapes) -> dict[str, Any]:
    """What the shapes in a file say about the model."""
    blocks = sorted(name for name in shapes if name.startswith(BLOCKS) and name.endswith(".conv1g.weight"))
    projections = [name for name in shapes if name.endswith(".projection.0.weight")]
    return {
        "widths of the blocks": [shapes[name][0] for name in blocks],
        "parts": shapes.get("Head0.fc_bin", (None,) * 3)[0],
        "classes": shapes.get("BNNecks.fc_bin", (None,) * 3)[2],
        "projections in the shortcuts (shortcut: identity has none)": len(projections),
    }


PUBLISHED = PublishedModel(
    names=dygait.published_names,
    facts=facts,
    necks=(Neck("neck.", "head.weight"),),
    bn_order="part-major",
)
