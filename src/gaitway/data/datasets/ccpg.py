"""CCPG (Li et al., CVPR 2023) as distributed: per frame a picture (JPEG) and the silhouette in it (PNG).

200 subjects in up to 7 outfits: `000/U0_D0_BG/01_0/*.png` is upper and lower clothing 0 with a bag, camera 01. The
alignment is CCPG's own: scaled by area, no frame is too small. The pictures are not read.
"""

from __future__ import annotations

import re

from gaitway.data.datasets.silhouettes import RawSilhouettes
from gaitway.data.datasets.sources import Layout, SequenceKey
from gaitway.data.pretreatment import align_ccpg

FRAME = re.compile(r"(?:^|/)(?P<subject>\d{3})/(?P<condition>U\d_D\d(?:_BG)?)/(?P<view>[^/]+)/[^/]+$")


def key_of(path: str) -> SequenceKey | None:
    """Subject, outfit, camera with the number of the walk."""
    found = FRAME.search(path)
    return (found["subject"], found["condition"], found["view"]) if found else None


CCPG = RawSilhouettes(
    name="ccpg",
    layout=Layout(path="<subject>/U<upper>_D<lower>[_BG]/<camera>/<frame>.png", key_of=key_of),
    align=align_ccpg,
)
