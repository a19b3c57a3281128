"""GaitTR as FastPoseGait and OpenGait configure and store it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from gaitway.interop.batch_norm_order import FIELDS, Order, State
from gaitway.interop.published.model import PublishedModel, Shapes, expect
from gaitway.models import gaittr

SKELETONS = {"coco": "coco17", "openpose": "openpose18", "alphapose": "openpose18"}
"""Names of the joints' order, theirs → ours."""

CHANNEL_MAJOR = re.compile(rf"backbone\.\d+\.st\.data_bn\.({'|'.join(FIELDS)})")
"""The batch norms of every joint's channels that are not joint-major, as ours all are."""


def configure(model_cfg: Mapping[str, Any], dataset: str) -> dict[str, Any]:
    """Our GaitTR of a published `model_cfg`."""
    first, *channels = model_cfg["in_channels"]
    expect("in_channels[0]", first, gaittr.NUM_FEATURES)
    joints = model_cfg["joint_format"]
    if joints not in SKELETONS:
        raise ValueError(f"model_cfg: joint_format {joints!r}, expected one of {', '.join(SKELETONS)}")
    return {
        "name": "GaitTR",
        "channels": channels,
        "embedding_dim": model_cfg["num_class"],
        "skeleton": SKELETONS[joints],
    }


def facts(shapes: Shapes) -> dict[str, Any]:
    """What the shapes in a file say about the model."""
    outputs = {
        int(name.split(".")[1]): shape[0]
        for name, shape in shapes.items()
        if name.endswith(".st.attention_conv.attn_out.weight")
    }
    joints = shapes.get("data_bn.weight", (0,))[0] // gaittr.NUM_FEATURES if outputs else None
    return {
        "channels": [outputs[i] for i in sorted(outputs)],
        "joints": joints,
        "embedding width": shapes.get("fcn.weight", (None,))[0] if outputs else None,
    }


def convert(state: State, order: Order) -> State:
    """Bring all batch norms of every joint's channels into our order; `order` is that of BN necks and changes nothing.

    A file without an input batch norm of ten features per joint is left as it is, and does not fit the model then.
    """
    num_joints, rest = divmod(len(state.get("data_bn.weight", ())), gaittr.NUM_FEATURES)
    if rest or not num_joints:
        return state
    return {
        name: tensor.view(-1, num_joints).T.flatten()
        if CHANNEL_MAJOR.fullmatch(name) and len(tensor) % num_joints == 0
        else tensor
        for name, tensor in state.items()
    }


PUBLISHED = PublishedModel(names=gaittr.published_names, facts=facts, convert=convert)
