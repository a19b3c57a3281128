"""GaitSet as OpenGait configures and stores it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gaitway.interop.published.model import PublishedModel, Shapes, expect, widths
from gaitway.models import gaitset


def configure(model_cfg: Mapping[str, Any], dataset: str) -> dict[str, Any]:
    """Our GaitSet of a published `model_cfg`."""
    first, *channels = model_cfg["in_channels"]
    head, bins = model_cfg["SeparateFCs"], model_cfg["bin_num"]
    expect("in_channels[0]", first, 1)
    expect("SeparateFCs.in_channels", head["in_channels"], channels[-1])
    expect("SeparateFCs.parts_num", head["parts_num"], 2 * sum(bins))
    expect("SeparateFCs.norm", head.get("norm", False), False)
    return {"name": "GaitSet", "channels": channels, "bins": bins, "embedding_dim": head["out_channels"]}


def facts(shapes: Shapes) -> dict[str, Any]:
    """What the shapes in a file say about the model."""
    head = shapes.get("Head.fc_bin", (None,) * 3)
    return {
        "channels": widths(shapes, "set_block", "forward_block.0.conv.weight"),
        "parts": head[0],
        "embedding width": head[2],
    }


PUBLISHED = PublishedModel(names=gaitset.published_names, facts=facts)
