"""The transforms of published configurations, and what they are here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gaitway.interop.published.gaittr import SKELETONS as JOINT_FORMATS
from gaitway.skeletons import skeleton

Component = dict[str, Any]


def _with_names(name: str, **published: str) -> Callable[[Mapping[str, Any]], list[Component]]:
    """A transform and the published names of its arguments."""
    return lambda given: [
        {"name": name} | {ours: given[theirs] for ours, theirs in published.items() if theirs in given}
    ]


def _streams(name: str, *, center: int | None) -> Callable[[Mapping[str, Any]], list[Component]]:
    """Streams relative to the joint of a published number (or of the argument `center`), or the skeleton's own."""

    def convert(given: Mapping[str, Any]) -> list[Component]:
        joints = skeleton(JOINT_FORMATS[given.get("joint_format", "coco")])
        at = given.get("center", center)
        return [{"name": name} if at in (None, joints.center) else {"name": name, "center": joints.joints[at]}]

    return convert


def _mirror(given: Mapping[str, Any]) -> list[Component]:
    """OpenGait and FastPoseGait name the probability differently."""
    probabilities = [given[name] for name in ("prob", "probability") if name in given]
    return [{"name": "MirrorPoses", "p": probabilities[0] if probabilities else 0.5}]


def _random_move(given: Mapping[str, Any]) -> list[Component]:
    x, y = given.get("random_r", (4, 1))
    return [{"name": "RandomMove", "x": float(x), "y": float(y)}]


MSGG_JOINTS = (
    *("right_shoulder", "right_elbow", "right_knee", "right_hip", "left_elbow", "left_knee"),
    *("left_shoulder", "right_wrist", "right_ankle", "left_hip", "left_wrist", "left_ankle"),
)
"""The twelve joints that OpenGait's MSGG takes."""

TRANSFORMS: dict[str, Callable[[Mapping[str, Any]], list[Component]]] = {
    "Affine": _with_names("UprightSpine"),
    "BaseSilCuttingTransform": _with_names("CutColumns", columns="cutting"),
    "BaseSilTransform": _with_names("Scale"),
    "BaseParsingCuttingTransform": _with_names("CutParsing", columns="cutting"),
    "FlipSequence": _with_names("FlipSequence", p="probability"),
    "GaitGraphMultiInput": _streams("GaitGraphStreams", center=0),
    "GaitGraph_MultiInput": _streams("GaitGraphStreams", center=None),
    "GaitTRMultiInput": _streams("GaitTRStreams", center=0),
    "GaitTR_MultiInput": _streams("GaitTRStreams", center=None),
    "HOD_MultiInput": _with_names("HumanOrientedDescriptors"),
    "InversePosesPre": _with_names("InversePoses", p="probability"),
    "JointNoise": _with_names("JointNoise", std="std"),
    "MSGGTransform": lambda given: [{"name": "SelectJoints", "joints": list(MSGG_JOINTS)}],
    "MirrorPoses": _mirror,
    "NormalizeEmpty": _with_names("NormalizeEmpty"),
    "PointNoise": _with_names("PointNoise", std="std"),
    "RandomHorizontalFlip": _with_names("RandomHorizontalFlip", p="prob"),
    "RandomErasing": _with_names(
        "RandomErasing", p="prob", min_area="sl", max_area="sh", min_aspect="r1", per_frame="per_frame"
    ),
    "RandomAffine": _with_names("RandomAffine", p="prob"),
    "RandomMove": _random_move,
    "RandomPerspective": _with_names("RandomPerspective", p="prob"),
    "RandomRotate": _with_names("RandomRotate", p="prob", degree="degree"),
    "RandomRotateFlipTransform": lambda given: [{"name": "CutColumns"}, {"name": "RotateFlip"}],
    "RandomSelectSequence": _with_names("RandomSelectSequence", num="sequence_length"),
    "RescaleCenter": _with_names("RescaleCenter", center="center", scale="scale"),
    "RotationMat": _with_names("AlignmentMatrices"),
    "SelectSequenceCenter": _with_names("SelectSequenceCenter", num="sequence_length"),
    "Sequence_level": _with_names("SequenceRange"),
    "TwoView": _with_names("TwoViews"),
}
"""Published transforms that Gaitway has, and what they are here."""

ONLY_LAYOUT = ("GaitGraph1Input", "NoOperation", "SkeletonInput")
"""Published transforms that change no value, only the order of the axes, or nothing."""

WITH_JOINTS = (
    *("GaitGraphMultiInput", "GaitGraph_MultiInput", "GaitTRMultiInput", "GaitTR_MultiInput"),
    *("HOD_MultiInput", "InversePosesPre"),
)
"""Published transforms that are told the format of joints, COCO's if they are not."""

WITHOUT_EFFECT: dict[str, Any] = {"divsor": 255, "disvor": 255, "img_shape": None, "img_w": 64}
"""Arguments of theirs that Gaitway has no counterpart of, and the values at which none is needed."""
