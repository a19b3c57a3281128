"""GaitHeat as FastPoseGait configures and stores it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gaitway.interop.published.model import Neck, PublishedModel, Shapes, expect, head_and_neck
from gaitway.models import gaitheat


def configure(model_cfg: Mapping[str, Any], dataset: str) -> dict[str, Any]:
    """Our GaitHeat of a published `model_cfg`."""
    backbone = model_cfg["backbone_cfg"]
    expect("backbone_cfg.in_channel", backbone["in_channel"], 1)
    expect("backbone_cfg.block", backbone["block"], "BasicBlock")
    expect("backbone_cfg.strides", list(backbone["strides"]), [1, 2, 2, 1])
    expect("backbone_cfg.maxpool", backbone.get("maxpool", False), False)
    channels = list(backbone["channels"])
    sizes = {"channels": channels, "layers": list(backbone["layers"])}
    return {"name": "GaitHeat", **sizes, **head_and_neck(model_cfg, channels[-1])}


def facts(shapes: Shapes) -> dict[str, Any]:
    """What the shapes in a file say about the model."""
    head = shapes.get("FCs_fusion.fc_bin", (None,) * 3)
    blocks = [name for name in shapes if name.endswith(".conv1.weight") and "_fusion" not in name]
    return {
        "blocks per stage": [sum(f".layer{stage}." in name for name in blocks) for stage in (1, 2, 3, 4)]
        if blocks
        else [],
        "parts": head[0],
        "embedding width": head[2],
        "classes": shapes.get("BNNecks_fusion.fc_bin", (None,) * 3)[2],
    }


def output_of(component: Mapping[str, Any], prefix: str, loss: str) -> str | None:
    """The output that a loss works on, which its name begins with."""
    branch = prefix.partition("_")[0]
    if branch not in gaitheat.BRANCHES:
        return None
    if loss == "CrossEntropyLoss":
        return "logits" if branch == "fusion" else f"{branch}_logits"
    return branch


PUBLISHED = PublishedModel(
    names=gaitheat.published_names,
    facts=facts,
    necks=tuple(Neck(f"necks.{branch}.", f"heads.{branch}.weight") for branch in gaitheat.BRANCHES),
    output_of=output_of,
)
