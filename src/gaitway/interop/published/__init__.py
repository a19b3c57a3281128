"""The models that can be taken over from published code bases: how each is configured there, and what its file holds.

The names of the tensors are in the models' own files (`published_names`). To import one more model, give its file that
function, add a file here with `configure`, `facts` and `PUBLISHED`, and name it in the two tables below.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gaitway.interop.published import (
    baseline,
    deepgaitv2,
    dygait,
    gaitbase,
    gaitgl,
    gaitgraph,
    gaitheat,
    gaitpart,
    gaitset,
    gaittr,
    gln,
    gpgait,
    hstl,
    sposgait,
)
from gaitway.interop.published.model import Configure, Neck, PublishedModel, Shapes, UnknownModelError

CONFIGURED: dict[str, Configure] = {
    "Baseline": baseline.configure,
    "DeepGaitV2": deepgaitv2.configure,
    "Dygait": dygait.configure,
    "Dygait_aaai": dygait.configure,
    "GaitGL": gaitgl.configure,
    "GaitGraph1": gaitgraph.configure,
    "GaitGraph2": gaitgraph.configure,
    "GaitHeat": gaitheat.configure,
    "GaitPart": gaitpart.configure,
    "GaitSet": gaitset.configure,
    "GaitTR": gaittr.configure,
    "GLN": gln.configure,
    "gpgait": gpgait.configure,
    "GPGait_PlusPlus": gpgait.configure_plus_plus,
    "HSTL": hstl.configure,
    "HSTL_Gait3D": hstl.configure,
    "HSTL_OU": hstl.configure,
    "SPOSGait_large": sposgait.configure,
    "SPOSGait_medium": sposgait.configure,
    "SPOSGait_small": sposgait.configure,
}
"""By the name that published configurations use."""

PUBLISHED_MODELS: dict[str, PublishedModel] = {
    "Baseline": baseline.PUBLISHED,
    "DeepGaitV2": deepgaitv2.PUBLISHED,
    "DyGait": dygait.PUBLISHED,
    "GaitBase": gaitbase.PUBLISHED,
    "GaitGL": gaitgl.PUBLISHED,
    "GaitGraph1": gaitgraph.GAITGRAPH1,
    "GaitGraph2": gaitgraph.GAITGRAPH2,
    "GaitHeat": gaitheat.PUBLISHED,
    "GaitPart": gaitpart.PUBLISHED,
    "GaitSet": gaitset.PUBLISHED,
    "GaitTR": gaittr.PUBLISHED,
    "GLN": gln.PUBLISHED,
    "GPGait": gpgait.GPGAIT,
    "GPGaitPlusPlus": gpgait.GPGAIT_PLUS_PLUS,
    "HSTL": hstl.PUBLISHED,
    "SPOSGait": sposgait.PUBLISHED,
    "SkeletonGait": deepgaitv2.SKELETONGAIT,
}
"""By the name of our class."""


def model_from_config(model_cfg: Mapping[str, Any], dataset: str = "") -> dict[str, Any]:
    """A published `model_cfg` as our component: `name` and all constructor arguments, `num_classes` included.

    Args:
        model_cfg: As published.
        dataset: `data_cfg.dataset_name` of the same file; some published code builds another network by it.

    Raises:
        UnknownModelError: when Gaitway does not have the model.
        ValueError: when the configuration lacks something or contradicts itself.
    """
    name = model_cfg.get("model")
    if name not in CONFIGURED:
        raise UnknownModelError(f"Gaitway has no {name!r} yet; it imports {', '.join(sorted(CONFIGURED))}")
    try:
        return CONFIGURED[name](model_cfg, dataset)
    except (KeyError, TypeError) as error:
        raise ValueError(f"model_cfg of {name} lacks or misspells something: {error}; it says {model_cfg}") from error


def class_count(shapes: Shapes) -> int | None:
    """The number of classes of the classifier in a published file; None where there is none."""
    counts = (published.facts(shapes).get("classes") for published in PUBLISHED_MODELS.values())
    return next((count for count in counts if count is not None), None)


__all__ = [
    "CONFIGURED",
    "PUBLISHED_MODELS",
    "Configure",
    "Neck",
    "PublishedModel",
    "Shapes",
    "UnknownModelError",
    "class_count",
    "model_from_config",
]
