"""What happens to frames between the store and a model: batched, on the device, with random parameters per sequence.

Add a transform by adding its class to the file of its modality and naming it here.
"""

from __future__ import annotations

from gaitway.data.transforms.chain import Chain, Draws, Transform, chains
from gaitway.data.transforms.geometric import RandomAffine, RandomPerspective, RandomRotate, RotateFlip
from gaitway.data.transforms.heat_maps import AlignmentInPixels, AlignmentMatrices, SequenceRange
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
    SelectJoints,
    ToCoco17,
    UprightSpine,
)
from gaitway.data.transforms.resampling import RandomSelectSequence, SelectSequenceCenter, TwoViews
from gaitway.data.transforms.silhouette import CutColumns, CutParsing, RandomErasing, RandomHorizontalFlip, Scale
from gaitway.data.transforms.skeleton_maps import SkeletonMaps

TRANSFORMS: dict[str, type[Transform]] = {
    transform.__name__: transform
    for transform in (
        AlignmentInPixels,
        AlignmentMatrices,
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
        RotateFlip,
        RandomSelectSequence,
        RescaleCenter,
        Scale,
        SelectJoints,
        SelectSequenceCenter,
        SequenceRange,
        SkeletonMaps,
        ToCoco17,
        TwoViews,
        UprightSpine,
    )
}
"""Transform classes by name."""

__all__ = [
    "TRANSFORMS",
    "AlignmentInPixels",
    "AlignmentMatrices",
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
    "RotateFlip",
    "Scale",
    "SelectJoints",
    "SelectSequenceCenter",
    "SequenceRange",
    "SkeletonMaps",
    "ToCoco17",
    "Transform",
    "TwoViews",
    "UprightSpine",
    "chains",
]
