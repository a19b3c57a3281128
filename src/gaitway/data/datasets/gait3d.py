"""Gait3D (Zheng et al., CVPR 2022) as distributed: cropped silhouettes of people in a supermarket.

4,000 subjects, files such as `2D_Silhouettes/0000/camid0_videoid2/seq0/human_crop_f11627.png`; in the store
`0000-camid0_videoid2-seq0`. Poses, meshes and the label maps of Gait3D-Parsing beside them are passed over. The frames
of a sequence follow each other by name as text, as published, so that `…_f10000` comes before `…_f9999`.
"""

from __future__ import annotations

import re

from gaitway.data.datasets.silhouettes import RawSilhouettes
from gaitway.data.datasets.sources import Layout, SequenceKey

FRAME = re.compile(r"(?:^|/)(?P<subject>\d{4})/(?P<condition>camid\d+_videoid\d+)/(?P<view>seq\d+)/[^/]+$")


def key_of(path: str) -> SequenceKey | None:
    """Subject, camera and video, sequence."""
    found = FRAME.search(path)
    return (found["subject"], found["condition"], found["view"]) if found else None


GAIT3D = RawSilhouettes(
    name="gait3d",
    layout=Layout(
        path="<subject>/camid<camera>_videoid<video>/seq<number>/<frame>.png",
        key_of=key_of,
        skipped=re.compile(r"gei\.png|/2D_Parsings/"),
    ),
)
