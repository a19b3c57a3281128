"""What happens to frames between the store and a model: batched, on the device, with random parameters per sequence.

Add a transform by adding its class to the file of its modality and naming it here.
"""

from __future__ import annotations

from gaitway.data.transforms.chain import Chain, Draws, Transform, chains
from gaitway.data.transforms.geometric import RandomAffine, RandomPerspective, RandomRotate, RotateFlip
from gaitway.data.transforms.silhouette import CutColumns, CutParsing, RandomErasing, RandomHorizontalFlip, Scale

TRANSFORMS: dict[str, type[Transform]] = {
    transform.__name__: transform
    for transform in (
        CutColumns,
        CutParsing,
        RandomAffine,
        RandomErasing,
        RandomHorizontalFlip,
        RandomPerspective,
        RandomRotate,
        RotateFlip,
        Scale,
    )
}
"""Transform classes by name."""

__all__ = [
    "TRANSFORMS",
    "Chain",
    "CutColumns",
    "CutParsing",
    "Draws",
    "RandomAffine",
    "RandomErasing",
    "RandomHorizontalFlip",
    "RandomPerspective",
    "RandomRotate",
    "RotateFlip",
    "Scale",
    "Transform",
    "chains",
]
