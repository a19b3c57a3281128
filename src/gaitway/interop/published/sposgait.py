"""SPOSGait's published files: supernets, and networks trained again, which hold all blocks of the supernet too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from gaitway.interop.published.model import Neck, PublishedModel, Shapes, expect
from gaitway.models import sposgait
from gaitway.models.sposgait import KERNELS, SPOSGait, searched_layers

VARIANTS = {"SPOSGait_small": "small", "SPOSGait_medium": "medium", "SPOSGait_large": "large"}
"""Names in published configurations → ours."""


def configure(model_cfg: Mapping[str, Any], dataset: str) -> dict[str, Any]:
    """Our component for a published `model_cfg`; with `retrain.search_network` the network of that path."""
    variant = VARIANTS[model_cfg["model"].replace("-", "_")]
    channels, head = list(model_cfg["channels"]), model_cfg["SeparateFCs"]
    parts = sum(model_cfg["bin_num"])
    expect("SeparateFCs.in_channels", head["in_channels"], channels[-1])
    expect("SeparateFCs.parts_num", head["parts_num"], parts)
    neck = model_cfg.get("SeparateBNNecks")
    component: dict[str, Any] = {
        "name": "SPOSGait",
        "variant": variant,
        "channels": channels,
        "bins": list(model_cfg["bin_num"]),
        "embedding_dim": head["out_channels"],
        "bn_neck": neck is not None,
        "architecture": (model_cfg.get("retrain") or {}).get("search_network"),
    }
    layers = searched_layers(component["variant"], channels)
    choices = model_cfg.get("choice_max_num")
    if choices is not None:
        expect("choice_max_num", list(choices), [layer.num_choices for layer in layers])
    return component | ({"num_classes": neck["class_num"]} if neck is not None else {})


def facts(shapes: Shapes) -> dict[str, Any]:
    """Widths, parts and classes of a published file."""
    stages = [shapes.get(f"downsample{stage}.0.weight") for stage in range(5)]
    head = shapes.get("Head0.fc_bin", (None, None, None))
    classifier = shapes.get("BNNecks.fc_bin") if any(stages) else None
    return {
        "layers": [name for name in LAYERS if f"conv3d_{name}.0.0.conv3d.weight" in shapes] or None,
        "channels": [shape[0] for shape in stages if shape] or None,
        "parts": head[0] if any(stages) else None,
        "embedding width": head[2] if any(stages) else None,
        **({"classes": classifier[2]} if classifier else {}),
    }


def adapted(model: SPOSGait, state: Mapping[str, Tensor]) -> tuple[dict[str, Any], list[str]]:
    """The architecture of a network that was trained again, and a missing classifier.

    A file of either kind has all blocks; what it does not say is which of them were trained. Batch normalisation has
    counted its batches.
    """
    changes: dict[str, Any] = {}
    told = []
    if model.neck is not None and "Head0.fc_bin" in state and "BNNecks.fc_bin" not in state:
        changes["bn_neck"] = False
        told.append("The file has no classifier (BNNecks); the model gets none.")
    trained = [_trained_blocks(state, layer.name) for layer in model.layers]
    if not all(trained):  # it is another model's, or was not trained
        return changes, told
    if all(len(kinds) == 1 for kinds in trained):
        path = [kinds[0] for kinds in trained]
        if model.architecture is None:
            changes["architecture"] = path
            told.append(f"The file holds the network of one architecture, {path}: no other block was trained.")
        elif path != list(model.architecture):
            raise ValueError(
                f"the blocks that were trained are those of architecture {path}, the recipe or configuration has "
                f"{list(model.architecture)}; give that of the file by its model.architecture"
            )
    elif model.architecture is not None:
        told.append(f"The file holds a supernet; its path {list(model.architecture)} is taken.")
    return changes, told


def _trained_blocks(state: Mapping[str, Tensor], layer: str) -> list[int]:
    counts = {kind: state.get(f"conv3d_{layer}.{kind}.1.num_batches_tracked") for kind in range(len(KERNELS))}
    return [kind for kind, count in counts.items() if count is not None and count > 0]


LAYERS = ("00", "01", "10", "11", "20", "21", "30", "31", "40", "41")


def unused(model: SPOSGait) -> list[str]:
    """Beginnings of the published names of blocks that this network does not have."""
    idle = [
        f"conv3d_{layer.name}.{kind}."
        for layer in model.layers
        for kind in range(len(KERNELS))
        if f"{layer.name}/{kind}" not in model.blocks
    ]
    return idle if model.neck is not None else [*idle, "BNNecks."]


PUBLISHED = PublishedModel(
    names=sposgait.published_names,
    facts=facts,
    necks=(Neck("neck.", "head.weight"),),
    bn_order="channel-major",
    unused=unused,
    adapted=adapted,
)
