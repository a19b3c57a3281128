"""The competitions on human identification at a distance (HID, 2022 and later) as distributed: 128×128, aligned.

`00500/<sequence>/*.png` is a sequence of a training or gallery subject, `probe/<sequence>/*.png` one of somebody to be
named. In the store they're `00500-default-<sequence>` and `probe-default-<sequence>`: the view names the video, as in a
submission. Frames are kept as they are.
"""

from __future__ import annotations

import re

from gaitway.data.datasets.silhouettes import RawSilhouettes
from gaitway.data.datasets.sources import Layout, SequenceKey
from gaitway.data.pretreatment import unchanged

FRAME = re.compile(r"(?:^|/)(?P<subject>\d{4,5}|probe)/(?P<view>[^/]+)/[^/]+$")


def key_of(path: str) -> SequenceKey | None:
    """Subject or `probe`, `default`, sequence."""
    found = FRAME.search(path)
    return (found["subject"], "default", found["view"]) if found else None


HID = RawSilhouettes(
    name="hid",
    layout=Layout(path="<subject>/<sequence>/<frame>.png or probe/<sequence>/<frame>.png", key_of=key_of),
    align=unchanged,
    sizes=(128,),
)
