"""What happens to frames between the store and a model: batched, on the device, with random parameters per sequence.

Add a transform by adding its class to the file of its modality and naming it here.
"""

from __future__ import annotations

from gaitway.data.transforms.chain import Chain, Draws, Transform, chains
from gaitway.data.transforms.geometric import RandomAffine, RandomPerspective, RandomRotate
from gaitway.data.transforms.pose import (
    FlipSequence,
    GaitGraphStreams,
    GaitTRStreams,
    HumanOrientedDescriptors,
    InversePoses,
    JointNoise,
    MirrorPoses,
    NormalizeEmpty,
    PointNoise,
    RandomMove,
    RescaleCenter,
    ToCoco17,
    UprightSpine,
)
from gaitway.data.transforms.resampling import RandomSelectSequence, SelectSequenceCenter, TwoViews
from gaitway.data.transforms.silhouette import CutColumns, CutParsing, RandomErasing, RandomHorizontalFlip, Scale

TRANSFORMS: dict[str, type[Transform]] = {
    transform.__name__: transform
    for transform in (
        CutColumns,
        CutParsing,
        FlipSequence,
        GaitGraphStreams,
        GaitTRStreams,
        HumanOrientedDescriptors,
        InversePoses,
        JointNoise,
        MirrorPoses,
        NormalizeEmpty,
        PointNoise,
        RandomAffine,
        RandomErasing,
        RandomHorizontalFlip,
        RandomMove,
        RandomPerspective,
        RandomRotate,
        RandomSelectSequence,
        RescaleCenter,
        Scale,
        SelectSequenceCenter,
        ToCoco17,
        TwoViews,
        UprightSpine,
    )
}
"""Transform classes by name."""

__all__ = [
    "TRANSFORMS",
    "Chain",
    "CutColumns",
    "CutParsing",
    "Draws",
    "FlipSequence",
    "GaitGraphStreams",
    "GaitTRStreams",
    "HumanOrientedDescriptors",
    "InversePoses",
    "JointNoise",
    "MirrorPoses",
    "NormalizeEmpty",
    "PointNoise",
    "RandomAffine",
    "RandomErasing",
    "RandomHorizontalFlip",
    "RandomMove",
    "RandomPerspective",
    "RandomRotate",
    "RandomSelectSequence",
    "RescaleCenter",
    "Scale",
    "SelectSequenceCenter",
    "ToCoco17",
    "Transform",
    "TwoViews",
    "UprightSpine",
    "chains",
]
