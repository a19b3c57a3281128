"""The models that can be taken over from published code bases: how each is configured there, and what its file holds.

The names of the tensors are in the models' own files (`published_names`). To import one more model, give its file that
function and add an entry to `PUBLISHED_MODELS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gaitway.models import baseline, gaitset

Shapes = Mapping[str, tuple[int, ...]]  # published tensor name -> shape


class UnknownModelError(ValueError):
    """A published configuration names a model that Gaitway does not have."""


@dataclass(frozen=True)
class Neck:
    """A BN neck in our names: where its tensors are (`neck.`), and the per-part linear before it (`head.weight`)."""

    prefix: str
    linear: str | None


@dataclass(frozen=True)
class PublishedModel:
    """How a published code base configures and stores a model.

    Args:
        arguments: From `model_cfg` to our constructor's arguments; `num_classes` where the model has a classifier.
        names: From our model to its map of tensor names, published → ours; a name may be the beginning of several.
        facts: From the shapes in a file to what they say about the model, to compare and to show.
        necks: The BN necks, whose batch norms published files order in two ways.
    """

    arguments: Callable[[Mapping[str, Any]], dict[str, Any]]
    names: Callable[[Any], dict[str, str]]
    facts: Callable[[Shapes], dict[str, Any]]
    necks: tuple[Neck, ...] = ()


def model_from_config(model_cfg: Mapping[str, Any]) -> dict[str, Any]:
    """A published `model_cfg` as our component: `name` and all constructor arguments, `num_classes` included.

    Raises:
        UnknownModelError: when Gaitway does not have the model.
        ValueError: when the configuration lacks something or contradicts itself.
    """
    name = model_cfg.get("model")
    if name not in PUBLISHED_MODELS:
        raise UnknownModelError(f"Gaitway has no {name!r} yet; it imports {', '.join(sorted(PUBLISHED_MODELS))}")
    try:
        return {"name": name, **PUBLISHED_MODELS[name].arguments(model_cfg)}
    except (KeyError, TypeError) as error:
        raise ValueError(f"model_cfg of {name} lacks or misspells something: {error}; it says {model_cfg}") from error


def class_count(shapes: Shapes) -> int | None:
    """The number of classes of the classifier in a published file; None where there is none."""
    counts = (published.facts(shapes).get("classes") for published in PUBLISHED_MODELS.values())
    return next((count for count in counts if count is not None), None)


def _gaitset(model_cfg: Mapping[str, Any]) -> dict[str, Any]:
    first, *channels = model_cfg["in_channels"]
    head, bins = model_cfg["SeparateFCs"], model_cfg["bin_num"]
    _expect("in_channels[0]", first, 1)
    _expect("SeparateFCs.in_channels", head["in_channels"], channels[-1])
    _expect("SeparateFCs.parts_num", head["parts_num"], 2 * sum(bins))
    _expect("SeparateFCs.norm", head.get("norm", False), False)
    return {"channels": channels, "bins": bins, "embedding_dim": head["out_channels"]}


def _gaitset_facts(shapes: Shapes) -> dict[str, Any]:
    head = shapes.get("Head.fc_bin", (None,) * 3)
    return {
        "channels": _widths(shapes, "set_block", "forward_block.0.conv.weight"),
        "parts": head[0],
        "embedding width": head[2],
    }


def _baseline(model_cfg: Mapping[str, Any]) -> dict[str, Any]:
    backbone, head, neck = model_cfg["backbone_cfg"], model_cfg["SeparateFCs"], model_cfg["SeparateBNNecks"]
    if backbone["type"] != "Plain":
        raise UnknownModelError(
            f"Gaitway's Baseline has the backbone 'Plain' only, not yet {backbone['type']!r} (GaitBase, LidarGait)"
        )
    widths = [int(code.split("-")[1]) for code in backbone["layers_cfg"] if code != "M"]
    parts = sum(model_cfg["bin_num"])
    _expect("backbone_cfg.in_channels", backbone["in_channels"], 1)
    _expect("SeparateFCs.in_channels", head["in_channels"], widths[-1])
    _expect("SeparateFCs.parts_num", head["parts_num"], parts)
    _expect("SeparateFCs.norm", head.get("norm", False), False)
    _expect("SeparateBNNecks.in_channels", neck["in_channels"], head["out_channels"])
    _expect("SeparateBNNecks.parts_num", neck["parts_num"], parts)
    _expect("SeparateBNNecks.norm", neck.get("norm", True), True)
    return {
        "layers": backbone["layers_cfg"],
        "bins": model_cfg["bin_num"],
        "embedding_dim": head["out_channels"],
        "num_classes": neck["class_num"],
    }


def _baseline_facts(shapes: Shapes) -> dict[str, Any]:
    head = shapes.get("FCs.fc_bin", (None,) * 3)
    return {
        "channels": _widths(shapes, "Backbone.forward_block.feature.", "conv.weight"),
        "parts": head[0],
        "embedding width": head[2],
        "classes": shapes.get("BNNecks.fc_bin", (None,) * 3)[2],
    }


def _widths(shapes: Shapes, prefix: str, suffix: str) -> list[int]:
    """Output channels of the convolutions `<prefix><number>.<suffix>`, by number."""
    names = [name for name in shapes if name.startswith(prefix) and name.endswith(suffix)]
    return [shapes[name][0] for name in sorted(names, key=lambda name: int(name[len(prefix) :].partition(".")[0]))]


def _expect(key: str, found: Any, expected: Any) -> None:
    if found != expected:
        raise ValueError(f"model_cfg contradicts itself or Gaitway's model: {key} is {found}, expected {expected}")


PUBLISHED_MODELS = {
    "Baseline": PublishedModel(_baseline, baseline.published_names, _baseline_facts, (Neck("neck.", "head.weight"),)),
    "GaitSet": PublishedModel(_gaitset, gaitset.published_names, _gaitset_facts),
}
"""By the name that configurations use, which is also the name of our class."""
