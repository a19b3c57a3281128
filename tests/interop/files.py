"""Files in the published layouts, written here from the layouts' description."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

State = dict[str, Tensor]
PARTS = 7  # of a pyramid 4, 2, 1

GAITSET_CFG: dict[str, Any] = {
    "model": "GaitSet",
    "in_channels": [1, 2, 3, 4],
    "SeparateFCs": {"in_channels": 4, "out_channels": 5, "parts_num": 2 * PARTS},
    "bin_num": [4, 2, 1],
}
GAITSET = {"name": "GaitSet", "channels": [2, 3, 4], "bins": [4, 2, 1], "embedding_dim": 5}


def gaitset_state() -> State:
    """GaitSet with widths 2, 3, 4 and embeddings of 5."""
    torch.manual_seed(0)
    shapes = {
        "set_block1.forward_block.0.conv.weight": (2, 1, 5, 5),
        "set_block1.forward_block.2.conv.weight": (2, 2, 3, 3),
        "set_block2.forward_block.0.conv.weight": (3, 2, 3, 3),
        "set_block2.forward_block.2.conv.weight": (3, 3, 3, 3),
        "set_block3.forward_block.0.conv.weight": (4, 3, 3, 3),
        "set_block3.forward_block.2.conv.weight": (4, 4, 3, 3),
        "gl_block2.0.conv.weight": (3, 2, 3, 3),
        "gl_block2.2.conv.weight": (3, 3, 3, 3),
        "gl_block3.0.conv.weight": (4, 3, 3, 3),
        "gl_block3.2.conv.weight": (4, 4, 3, 3),
        "Head.fc_bin": (2 * PARTS, 4, 5),
    }
    return {name: torch.randn(shape) for name, shape in shapes.items()}


def baseline_cfg(widths: Sequence[int] = (3, 4), num_classes: int = 6) -> dict[str, Any]:
    """The configuration of `baseline_state`."""
    layers = [code for width in widths for code in (f"BC-{width}", "M")][:-1]
    return {
        "model": "Baseline",
        "backbone_cfg": {"type": "Plain", "in_channels": 1, "layers_cfg": layers},
        "SeparateFCs": {"in_channels": widths[-1], "out_channels": 8, "parts_num": PARTS},
        "SeparateBNNecks": {"class_num": num_classes, "in_channels": 8, "parts_num": PARTS},
        "bin_num": [4, 2, 1],
    }


BASELINE = {"name": "Baseline", "layers": ["BC-3", "M", "BC-4"], "bins": [4, 2, 1], "embedding_dim": 8}


def baseline_state(widths: Sequence[int] = (3, 4), num_classes: int = 6) -> State:
    """A baseline of one convolution per width with a pool after each but the last, and embeddings of 8."""
    torch.manual_seed(0)
    state: State = {}
    for i, (before, width) in enumerate(zip((1, *widths), widths, strict=False)):
        kernel = 3 if i else 5
        name = f"Backbone.forward_block.feature.{3 * i}.conv.weight"  # convolution, activation, pool
        state[name] = torch.randn(width, before, kernel, kernel)
    state["FCs.fc_bin"] = torch.randn(PARTS, widths[-1], 8)
    state["BNNecks.fc_bin"] = torch.randn(PARTS, 8, num_classes)
    for field in ("weight", "bias", "running_mean", "running_var"):
        state[f"BNNecks.bn1d.{field}"] = torch.rand(8 * PARTS)
    state["BNNecks.bn1d.num_batches_tracked"] = torch.tensor(9)
    return state


def save(path: Path, state: State, **more: Any) -> Path:
    """Write a state dict as the published code does."""
    torch.save({"model": state, "optimizer": {"state": {}}, "scheduler": {}, "iteration": 40000, **more}, path)
    return path
