"""DeepGaitV2, and SkeletonGait, which is DeepGaitV2 on two channels, as OpenGait configures and stores them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from gaitway.interop.batch_norm_order import Order, State
from gaitway.interop.published.model import Neck, PublishedModel, Shapes, expect
from gaitway.models import deepgaitv2, skeletongait

MARKS = {
    "p3d": "layer2.0.conv1.forward_block.0.weight",
    "3d": "layer2.0.conv1.weight",
    "2d": "layer2.forward_block.0.conv1.weight",
}
"""A tensor that files of a mode have and others lack."""


def configure(model_cfg: Mapping[str, Any], dataset: str) -> dict[str, Any]:
    """Our DeepGaitV2 or SkeletonGait of a published `model_cfg`."""
    backbone, after_neck = model_cfg["Backbone"], model_cfg.get("use_emb2", False)
    sizes = {
        "layers": list(backbone["layers"]),
        "channels": list(backbone["channels"]),
        "num_classes": model_cfg["SeparateBNNecks"]["class_num"],
    }
    if backbone["in_channels"] == skeletongait.NUM_MAPS:
        expect("Backbone.mode", backbone["mode"], "p3d")
        return {"name": "SkeletonGait", **sizes, "embed_after_neck": after_neck}
    expect("Backbone.in_channels", backbone["in_channels"], 1)
    expect("use_emb2", after_neck, False)
    return {"name": "DeepGaitV2", "mode": backbone["mode"], **sizes}


def facts(shapes: Shapes, *, channels: int) -> dict[str, Any]:
    """What the shapes in a file say about the model whose frames have so many channels."""
    mode = next((mode for mode, mark in MARKS.items() if mark in shapes), None)
    head = shapes.get("FCs.fc_bin", (None,) * 3)
    return {
        "mode": mode,
        "blocks per stage": _blocks(shapes) if mode else [],
        "channels of the frames": channels
        if shapes.get("layer0.forward_block.0.weight", ())[1:2] == (channels,)
        else None,
        "parts": head[0],
        "embedding width": head[2],
        "classes": shapes.get("BNNecks.fc_bin", (None,) * 3)[2],
    }


def _blocks(shapes: Shapes) -> list[int]:
    names = [name.replace(".forward_block.", ".", 1).split(".") for name in shapes if name.startswith("layer")]
    return [len({name[1] for name in names if name[0] == f"layer{stage}"}) for stage in (1, 2, 3, 4)]


def convert(state: State, order: Order) -> State:
    """3-D kernels of one frame, or of one pixel, as the 2-D ones that ours are."""
    flat = dict(state)
    for name, tensor in state.items():
        if name.endswith(".downsample.0.weight") and tensor.ndim == 5:
            flat[name] = tensor.squeeze(2)  # (out, in, 1, 1)
        elif name.endswith(".shortcut3d.weight"):
            flat[name] = tensor.squeeze(-1)  # (out, in, 3, 1)
    return flat


def triplet_before_neck(component: Mapping[str, Any], prefix: str, loss: str) -> str | None:
    """The output of SkeletonGait that a loss works on, where it is not the usual one."""
    return "before_neck" if component["embed_after_neck"] and loss == "TripletLoss" else None


PUBLISHED = PublishedModel(
    names=deepgaitv2.published_names,
    facts=partial(facts, channels=1),
    necks=(Neck("neck.", "head.weight"),),
    convert=convert,
)
SKELETONGAIT = replace(
    PUBLISHED,
    names=skeletongait.published_names,
    facts=partial(facts, channels=skeletongait.NUM_MAPS),
    output_of=triplet_before_neck,
    beforehand=({"name": "SkeletonMaps"},),
)
