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
        gaps: Subject -> what is known to be missing or poor.
    """

    title: str
    num_prepared: Mapping[str, int]
    gaps: Mapping[str, str] = field(default_factory=dict)


FACTS: dict[str, Facts] = {
    "casia-b": Facts(
        title="CASIA-B (Yu et al., ICPR 2006)",
        # test: ShiqiYu/OpenGait issue 99; train: counted in a published copy
        num_prepared={"train": 8_107, "test": 5_485},
        gaps={"005": "many of its sequences have few frames or none; older work (GaitSet, HSTL) does not train on it"},
    ),
}
"""By the name of the data set, as in the manifest of a store."""
