"""One file per published method. Add a model by adding its file and naming it here."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Any

from torch import nn

from gaitway.models.baseline import Baseline, baseline_casiab, baseline_oumvlp
from gaitway.models.gaitset import GaitSet, gaitset_casiab, gaitset_oumvlp
from gaitway.models.gei import GaitEnergyImage

MODELS: dict[str, Callable[..., nn.Module]] = {
    model.__name__: model
    for model in (
        Baseline,
        GaitEnergyImage,
        GaitSet,
        baseline_casiab,
        baseline_oumvlp,
        gaitset_casiab,
        gaitset_oumvlp,
    )
}
"""Model classes and their published variants, by name."""


def list_models() -> list[str]:
    """Names that `create_model` knows: classes and published variants."""
    return sorted(MODELS)


def create_model(name: str, **arguments: Any) -> nn.Module:
    """Build the model called `name` with its constructor's arguments.

    Raises:
        ValueError: when there is no such model; names the nearest one.
    """
    if name not in MODELS:
        near = difflib.get_close_matches(name, MODELS, n=1, cutoff=0.3)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"no model {name!r}{hint} Known: {', '.join(list_models())}")
    return MODELS[name](**arguments)


__all__ = [
    "MODELS",
    "Baseline",
    "GaitEnergyImage",
    "GaitSet",
    "baseline_casiab",
    "baseline_oumvlp",
    "create_model",
    "gaitset_casiab",
    "gaitset_oumvlp",
    "list_models",
]
