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
from gaitway.models.gaitgraph1 import GaitGraph1, gaitgraph1_casiab, gaitgraph1_grew, gaitgraph1_oumvlp
from gaitway.models.gaitgraph2 import GaitGraph2, gaitgraph2_casiab, gaitgraph2_grew, gaitgraph2_oumvlp
from gaitway.models.gaitheat import GaitHeat, gaitheat_casiab
from gaitway.models.gaitpart import GaitPart, gaitpart_casiab, gaitpart_oumvlp
from gaitway.models.gaitset import GaitSet, gaitset_casiab, gaitset_oumvlp
from gaitway.models.gaittr import (
    GaitTR,
    gaittr_casiab,
    gaittr_gait3d,
    gaittr_grew,
    gaittr_grew_plus,
    gaittr_oumvlp,
    gaittr_oumvlp17,
    gaittr_oumvlp_plus,
)
from gaitway.models.gei import GaitEnergyImage
from gaitway.models.gln import GLN, gln_phase1, gln_phase2
from gaitway.models.gpgait import (
    GPGait,
    gpgait_casiab,
    gpgait_ccpg,
    gpgait_gait3d,
    gpgait_grew,
    gpgait_oumvlp,
    gpgait_sustech1k,
)
from gaitway.models.gpgait_plusplus import (
    GPGaitPlusPlus,
    gpgaitpp_casiab,
    gpgaitpp_ccpg,
    gpgaitpp_gait3d,
    gpgaitpp_grew,
    gpgaitpp_oumvlp,
    gpgaitpp_sustech1k,
)
from gaitway.models.hstl import HSTL, hstl_casiab, hstl_gait3d, hstl_oumvlp
from gaitway.models.skeletongait import SkeletonGait, skeletongait_ccpg, skeletongait_gait3d, skeletongait_oumvlp
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
        GPGait,
        GPGaitPlusPlus,
        DeepGaitV2,
        DyGait,
        GaitBase,
        GaitEnergyImage,
        GaitGL,
        GaitGraph1,
        GaitGraph2,
        GaitHeat,
        GaitPart,
        GaitSet,
        GaitTR,
        HSTL,
        SPOSGait,
        SkeletonGait,
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
        gaitgraph1_casiab,
        gaitgraph1_grew,
        gaitgraph1_oumvlp,
        gaitgraph2_casiab,
        gaitgraph2_grew,
        gaitgraph2_oumvlp,
        gaitheat_casiab,
        gaitpart_casiab,
        gaitpart_oumvlp,
        gaitset_casiab,
        gaitset_oumvlp,
        gaittr_casiab,
        gaittr_gait3d,
        gaittr_grew,
        gaittr_grew_plus,
        gaittr_oumvlp,
        gaittr_oumvlp17,
        gaittr_oumvlp_plus,
        gln_phase1,
        gln_phase2,
        gpgait_casiab,
        gpgait_ccpg,
        gpgait_gait3d,
        gpgait_grew,
        gpgait_oumvlp,
        gpgait_sustech1k,
        gpgaitpp_casiab,
        gpgaitpp_ccpg,
        gpgaitpp_gait3d,
        gpgaitpp_grew,
        gpgaitpp_oumvlp,
        gpgaitpp_sustech1k,
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
        skeletongait_ccpg,
        skeletongait_gait3d,
        skeletongait_oumvlp,
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
    "GPGait",
    "GPGaitPlusPlus",
    "GaitBase",
    "GaitEnergyImage",
    "GaitGL",
    "GaitGraph1",
    "GaitGraph2",
    "GaitHeat",
    "GaitPart",
    "GaitSet",
    "GaitTR",
    "SPOSGait",
    "SkeletonGait",
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
    "gaitgraph1_casiab",
    "gaitgraph1_grew",
    "gaitgraph1_oumvlp",
    "gaitgraph2_casiab",
    "gaitgraph2_grew",
    "gaitgraph2_oumvlp",
    "gaitheat_casiab",
    "gaitpart_casiab",
    "gaitpart_oumvlp",
    "gaitset_casiab",
    "gaitset_oumvlp",
    "gaittr_casiab",
    "gaittr_gait3d",
    "gaittr_grew",
    "gaittr_grew_plus",
    "gaittr_oumvlp",
    "gaittr_oumvlp17",
    "gaittr_oumvlp_plus",
    "gln_phase1",
    "gln_phase2",
    "gpgait_casiab",
    "gpgait_ccpg",
    "gpgait_gait3d",
    "gpgait_grew",
    "gpgait_oumvlp",
    "gpgait_sustech1k",
    "gpgaitpp_casiab",
    "gpgaitpp_ccpg",
    "gpgaitpp_gait3d",
    "gpgaitpp_grew",
    "gpgaitpp_oumvlp",
    "gpgaitpp_sustech1k",
    "hstl_casiab",
    "hstl_gait3d",
    "hstl_oumvlp",
    "list_models",
    "skeletongait_ccpg",
    "skeletongait_gait3d",
    "skeletongait_oumvlp",
    "sposgait_large_gait3d",
    "sposgait_large_grew",
    "sposgait_large_grew_two_losses",
    "sposgait_large_oumvlp",
    "sposgait_medium_grew",
    "sposgait_small_casiab",
    "sposgait_small_grew",
]
