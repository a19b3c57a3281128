"""GLN as OpenGait configures and stores it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gaitway.interop.published.model import Neck, PublishedModel, Shapes, expect, widths
from gaitway.models import gln

BINS = [16, 8, 4, 2, 1]  # of the pooling, whatever `bin_num` says


def configure(model_cfg: Mapping[str, Any], dataset: str) -> dict[str, Any]:
    """Our GLN of a published `model_cfg`."""
    first, *channels = model_cfg["in_channels"]
    head = model_cfg["SeparateFCs"]
    compact = not model_cfg["Lateral_pretraining"]
    expect("in_channels[0]", first, 1)
    expect("bin_num", model_cfg["bin_num"], BINS)
    expect("SeparateFCs.in_channels", head["in_channels"], model_cfg["lateral_dim"])
    expect("SeparateFCs.parts_num", head["parts_num"], 3 * sum(BINS))
    expect("SeparateFCs.norm", head.get("norm", False), False)
    return {
        "name": "GLN",
        "compact": compact,
        "channels": channels,
        "lateral_dim": model_cfg["lateral_dim"],
        "bins": BINS,
        "embedding_dim": head["out_channels"],
        "compact_dim": model_cfg["hidden_dim"],
        "dropout": model_cfg["dropout"],
        **({"num_classes": model_cfg["class_num"]} if compact else {}),
    }


def facts(shapes: Shapes) -> dict[str, Any]:
    """What the shapes in a file say about the model."""
    head = shapes.get("Head.fc_bin", (None,) * 3)
    compact = {"classes": shapes["reduce_cls.weight"][0]} if "reduce_cls.weight" in shapes else {}
    return {
        "phase": 2 if compact else 1,
        "channels": widths(shapes, "sil_stage_", "forward_block.0.conv.weight"),
        "parts": head[0],
        "embedding width": head[2],
        **compact,
    }


PUBLISHED = PublishedModel(
    names=gln.published_names,
    facts=facts,
    necks=(Neck("compact.", "head.weight", after="compact.reduce.weight"),),
)
