"""One file per published method. Add a model by adding its file and naming it here."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Any

from torch import nn

from gaitway.models.baseline import Baseline, baseline_casiab, baseline_oumvlp, gaitbase_hid
from gaitway.models.deepgaitv2 import DeepGaitV2, deepgaitv2_casiab, deepgaitv2_gait3d
from gaitway.models.dygait import DyGait, dygait_casiab, dygait_gait3d, dygait_grew, dygait_oumvlp
from gaitway.models.gaitbase import GaitBase, gaitbase_casiab
from gaitway.models.gaitgl import GaitGL, gaitgl_casiab, gaitgl_grew, gaitgl_grew_bnneck, gaitgl_oumvlp
from gaitway.models.gaitpart import GaitPart, gaitpart_casiab, gaitpart_oumvlp
from gaitway.models.gaitset import GaitSet, gaitset_casiab, gaitset_oumvlp
from gaitway.models.gei import GaitEnergyImage
from gaitway.models.gln import GLN, gln_phase1, gln_phase2
from gaitway.models.hstl import HSTL, hstl_casiab, hstl_gait3d, hstl_oumvlp
from gaitway.models.sposgait import (
    SPOSGait,
    sposgait_large_gait3d,
    sposgait_large_grew,
    sposgait_large_grew_two_losses,
    sposgait_large_oumvlp,
    sposgait_medium_grew,
    sposgait_small_casiab,
    sposgait_small_grew,
)

MODELS: dict[str, Callable[..., nn.Module]] = {
    model.__name__: model
    for model in (
        Baseline,
        GLN,
        DeepGaitV2,
        DyGait,
        GaitBase,
        GaitEnergyImage,
        GaitGL,
        GaitPart,
        GaitSet,
        HSTL,
        SPOSGait,
        baseline_casiab,
        baseline_oumvlp,
        deepgaitv2_casiab,
        deepgaitv2_gait3d,
        dygait_casiab,
        dygait_gait3d,
        dygait_grew,
        dygait_oumvlp,
        gaitbase_casiab,
        gaitbase_hid,
        gaitgl_casiab,
        gaitgl_grew,
        gaitgl_grew_bnneck,
        gaitgl_oumvlp,
        gaitpart_casiab,
        gaitpart_oumvlp,
        gaitset_casiab,
        gaitset_oumvlp,
        gln_phase1,
        gln_phase2,
        hstl_casiab,
        hstl_gait3d,
        hstl_oumvlp,
        sposgait_large_gait3d,
        sposgait_large_grew,
        sposgait_large_grew_two_losses,
        sposgait_large_oumvlp,
        sposgait_medium_grew,
        sposgait_small_casiab,
        sposgait_small_grew,
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
    "GLN",
    "HSTL",
    "MODELS",
    "Baseline",
    "DeepGaitV2",
    "DyGait",
    "GaitBase",
    "GaitEnergyImage",
    "GaitGL",
    "GaitPart",
    "GaitSet",
    "SPOSGait",
    "baseline_casiab",
    "baseline_oumvlp",
    "create_model",
    "deepgaitv2_casiab",
    "deepgaitv2_gait3d",
    "dygait_casiab",
    "dygait_gait3d",
    "dygait_grew",
    "dygait_oumvlp",
    "gaitbase_casiab",
    "gaitbase_hid",
    "gaitgl_casiab",
    "gaitgl_grew",
    "gaitgl_grew_bnneck",
    "gaitgl_oumvlp",
    "gaitpart_casiab",
    "gaitpart_oumvlp",
    "gaitset_casiab",
    "gaitset_oumvlp",
    "gln_phase1",
    "gln_phase2",
    "hstl_casiab",
    "hstl_gait3d",
    "hstl_oumvlp",
    "list_models",
    "sposgait_large_gait3d",
    "sposgait_large_grew",
    "sposgait_large_grew_two_losses",
    "sposgait_large_oumvlp",
    "sposgait_medium_grew",
    "sposgait_small_casiab",
    "sposgait_small_grew",
]
