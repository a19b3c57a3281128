"""What is known of the data sets beyond their partitions, for `gaitway doctor` to compare with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Facts:
    """What a prepared copy of a data set holds when it is like everybody's.

    Args:
        title: Name and source.
        num_prepared: Part of the partition (`train`, `test`) -> how many of its sequences have valid frames.
        is_certain: Whether `num_prepared` was counted or published, and not only told.
        gaps: Subject -> what is known to be missing or poor.
        extra_subjects: Subjects beyond the partition that some protocol uses (distractors).
        problems: What is known to be odd about the data set or its published use, and what it means; a sentence each.
        frame_sizes: The frames' only sizes, where the data set comes aligned.
    """

    title: str
    num_prepared: Mapping[str, int] = field(default_factory=dict)
    is_certain: bool = True
    gaps: Mapping[str, str] = field(default_factory=dict)
    extra_subjects: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    frame_sizes: tuple[tuple[int, int], ...] = ()


HID_PROBLEMS = (
    "Probes are nobody's, so their sequences can only be submitted: `gaitway evaluate --submission`.",
    "The training part of 2022 has 500 people; from 2023 on there is none.",
)

FACTS: dict[str, Facts] = {
    "casia-b": Facts(
        title="CASIA-B (Yu et al., ICPR 2006)",
        # test: ShiqiYu/OpenGait issue 99; train: counted in a published copy
        num_prepared={"train": 8_107, "test": 5_485},
        gaps={"005": "many of its sequences have few frames or none; older work (GaitSet, HSTL) does not train on it"},
    ),
    "casia-e": Facts(
        title="CASIA-E (Song et al., TPAMI 2022)",
        problems=("View 270 is neither probe nor gallery in the published protocol.",),
    ),
    "ccpg": Facts(
        title="CCPG (Li et al., CVPR 2023)",
        problems=(
            "Two protocols are in use: re-identification removes the gallery of the probe's own camera, the gait "
            "protocol averages over pairs of cameras. Their figures can't be compared.",
        ),
    ),
    "gait3d": Facts(
        title="Gait3D (Zheng et al., CVPR 2022)",
        num_prepared={"train": 18_940, "test": 6_369},
        is_certain=False,
        problems=(
            "The frames of a sequence are ordered by name as text, as published: models that look along time see some "
            "frames out of order where frame numbers differ in length.",
        ),
    ),
    "grew": Facts(
        title="GREW (Zhu et al., ICCV 2021)",
        num_prepared={"test": 24_000},
        extra_subjects=("99999",),
        problems=(
            "Which gallery video of a subject is 01 depends on who rearranged the data (here: the order of names). "
            "Only the local protocol, 01 against 02, depends on it.",
            "The subjects of the probes are not told: official figures come from the server "
            "(`gaitway evaluate --submission`), and figures of the local protocol can't be compared with them.",
        ),
        frame_sizes=((64, 64),),
    ),
    "hid2022": Facts(title="HID 2022", problems=HID_PROBLEMS, frame_sizes=((128, 128),)),
    "hid2023": Facts(title="HID 2023 and later", problems=HID_PROBLEMS, frame_sizes=((128, 128),)),
    "oumvlp": Facts(
        title="OUMVLP (Takemura et al., IPSJ CVA 2018)",
        problems=(
            "Some people lack some of the 28 sequences. Published figures count a probe without a match in a gallery "
            "view as an error, so that no model reaches 100 %.",
        ),
    ),
    "sustech1k": Facts(
        title="SUSTech1K (Shen et al., CVPR 2023)",
        problems=(
            "Conditions are found by a part of their name: `03-nt-cl` counts as clothing, as night and in the overall "
            "figure.",
        ),
    ),
}
"""By the name of the data set, as in the manifest of a store."""
