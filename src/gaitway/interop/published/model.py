"""What the importer knows about one published model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from gaitway.interop.batch_norm_order import Order, State

Shapes = Mapping[str, tuple[int, ...]]  # published tensor name -> shape
Configure = Callable[[Mapping[str, Any], str], dict[str, Any]]
"""From a published `model_cfg` and the name of the data set to our component: `name` and constructor arguments,
`num_classes` among them where the model has a classifier."""


class UnknownModelError(ValueError):
    """A published configuration names a model that Gaitway does not have."""


@dataclass(frozen=True)
class Neck:
    """A BN neck in our names: where its tensors are (`neck.`), and the per-part linear before it (`head.weight`).

    The inputs of the weight `after`, if there is one, are the flattened channels of the neck, in the same order.
    """

    prefix: str
    linear: str | None
    after: str | None = None


@dataclass(frozen=True, kw_only=True)
class PublishedModel:
    """What a published file of one of our model classes holds.

    Args:
        names: From our model to its map of tensor names, published → ours; a name may be the beginning of several.
        facts: From the shapes in a file to what they say about the model, to compare and to show.
        necks: The BN necks, whose batch norms published files order in two ways.
        bn_order: The order in all files of this model, or `auto` where it differs from file to file.
        convert: From a state by published names, and the order of its channels, to one that `names` fits; for models
            whose tensors are stored in other pieces than ours.
        unused: From our model to beginnings of published names of tensors that it has no use for, and that are left
            out where they are there.
        adapted: From our model and a state by published names to constructor arguments that the file says otherwise or
            in addition, and what there is to tell about it; raises `ValueError` where both cannot be true.
        built: From our model to tensors that published files hold and it builds itself, by their published names.
        output_of: From our component, and `log_prefix` and class of a configured loss, to the output of our model that
            the loss works on, where it is not the one that such a loss works on anyway.
        beforehand: Transforms of ours for what published code does to frames before it stores them.
    """

    names: Callable[[Any], dict[str, str]]
    facts: Callable[[Shapes], dict[str, Any]]
    necks: tuple[Neck, ...] = ()
    bn_order: Order = "auto"
    convert: Callable[[State, Order], State] | None = None
    unused: Callable[[Any], list[str]] | None = None
    adapted: Callable[[Any, Mapping[str, Tensor]], tuple[dict[str, Any], list[str]]] | None = None
    built: Callable[[Any], State] | None = None
    output_of: Callable[[Mapping[str, Any], str, str], str | None] = lambda component, prefix, loss: None
    beforehand: tuple[Mapping[str, Any], ...] = ()


def expect(key: str, found: Any, expected: Any) -> None:
    """See that a value of a configuration is the one that the rest of it, or our model, needs."""
    if found != expected:
        raise ValueError(f"model_cfg contradicts itself or Gaitway's model: {key} is {found}, expected {expected}")


def head_and_neck(model_cfg: Mapping[str, Any], width: int) -> dict[str, Any]:
    """Our arguments of horizontal parts, a linear layer per part and a BN neck, after a map of `width` channels."""
    head, neck, parts = model_cfg["SeparateFCs"], model_cfg["SeparateBNNecks"], sum(model_cfg["bin_num"])
    expect("SeparateFCs.in_channels", head["in_channels"], width)
    expect("SeparateFCs.parts_num", head["parts_num"], parts)
    expect("SeparateFCs.norm", head.get("norm", False), False)
    expect("SeparateBNNecks.in_channels", neck["in_channels"], head["out_channels"])
    expect("SeparateBNNecks.parts_num", neck["parts_num"], parts)
    expect("SeparateBNNecks.norm", neck.get("norm", True), True)
    return {
        "bins": model_cfg["bin_num"],
        "embedding_dim": head["out_channels"],
        "num_classes": neck["class_num"],
    }


def widths(shapes: Shapes, prefix: str, suffix: str) -> list[int]:
    """Output channels of the convolutions `<prefix><number>.<suffix>`, by number."""
    names = [name for name in shapes if name.startswith(prefix) and name.endswith(suffix)]
    return [shapes[name][0] for name in sorted(names, key=lambda name: int(name[len(prefix) :].partition(".")[0]))]
