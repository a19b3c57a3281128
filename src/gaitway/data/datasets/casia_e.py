"""CASIA-E (Song et al., TPAMI 2022) as distributed: zip files, in them a tar per subject, a JPEG per frame.

1,014 subjects; `forTrain/001/H/scene1/bg/000/1/*.jpg` is camera height H, scene 1, with a bag, view 000, walk 1, and in
the store `001-H-scene1-bg-1-000`. The frames are cropped squares, which are scaled only.
"""

from __future__ import annotations

import re

from gaitway.data.datasets.silhouettes import RawSilhouettes
from gaitway.data.datasets.sources import Layout, SequenceKey
from gaitway.data.pretreatment import scale_other_heights

FRAME = re.compile(
    r"(?:^|/)(?P<subject>\d{3,4})/(?P<height>[HL])/(?P<scene>scene[^/]+)/(?P<walk>[^/]+)/(?P<view>\d{3})"
    r"/(?P<number>[^/]+)/[^/]+$"
)


def key_of(path: str) -> SequenceKey | None:
    """Subject; height, scene, clothing and number of the walk; view."""
    found = FRAME.search(path)
    if not found:
        return None
    return found["subject"], "-".join(found.group("height", "scene", "walk", "number")), found["view"]


CASIA_E = RawSilhouettes(
    name="casia-e",
    layout=Layout(
        path="<subject>/<H or L>/<scene>/<condition>/<view>/<number>/<frame>.jpg",
        key_of=key_of,
        frame=re.compile(r"\.jpg$"),
    ),
    align=scale_other_heights,
    least_frames=6,
)
