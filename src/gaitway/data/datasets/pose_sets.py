"""The data sets of poses that can be prepared as they are distributed, by the name of the data set.

    casia-b    001/bg-01/000/000.pkl, an array per sequence, or CSV of a row per frame, 001-bg-01-000-001.png,x,y,…
    ccpg       000/U0_D0_BG/01_0/*.pkl, an array per sequence
    gait3d     2D_Poses/0000/camid0_videoid2/seq0/human_crop_f11627.txt, or JSON
    grew       train/00001/4XPn5Z28/00001_2d_pose.txt, test/gallery/…, test/probe/…
    oumvlp     00001/000_00/0021_keypoints.json: subject, view and sequence
    sustech1k  0000/00-nm/000/03….pkl

Arrays are (frames, joints, 3). In the store, sequences have the names of their silhouettes.
"""

from __future__ import annotations

import re

from gaitway.data.datasets import casia_b, ccpg, gait3d, grew, oumvlp, sustech1k
from gaitway.data.datasets.poses import RawPoses
from gaitway.data.datasets.sources import Layout, SequenceKey
from gaitway.skeletons import OPENPOSE18

CASIA_B_FRAME = re.compile(r"(?P<subject>\d{3})-(?P<condition>(?:nm|bg|cl)-\d{2})-(?P<view>\d{3})(?!\d)")
OUMVLP_AS_DISTRIBUTED = re.compile(r"(?:^|/)(?P<subject>\d{5})/(?P<view>\d{3})_(?P<sequence>\d{2})/[^/]+$")
GREW_PROBES = re.compile(r"(?:^|/)03/(?P<view>[^/]+)/[^/]+$")


def casia_b_row(frame: str) -> SequenceKey | None:
    """Subject, condition, view of a frame such as `001-bg-01-000-001.png`."""
    found = CASIA_B_FRAME.search(frame)
    return (found["subject"], found["condition"], found["view"]) if found else None


def oumvlp_key(path: str) -> SequenceKey | None:
    """Subject, sequence, view, as distributed or rearranged as the silhouettes."""
    found = OUMVLP_AS_DISTRIBUTED.search(path)
    return (found["subject"], found["sequence"], found["view"]) if found else oumvlp.key_of(path)


def grew_key(path: str) -> SequenceKey | None:
    """As of silhouettes; probes may also lie in `03/<video>`, where FastPoseGait's script puts them."""
    found = GREW_PROBES.search(path)
    return grew.key_of(path) or ((grew.PROBE, "03", found["view"]) if found else None)


POSES: dict[str, RawPoses] = {
    "casia-b": RawPoses(
        name="casia-b",
        layout=Layout(
            path="<subject>/<condition>/<view>/<view>.pkl or <name>.csv",
            key_of=casia_b.key_of,
            frame=re.compile(r"\.pkl$"),
            same_depth=True,
        ),
        row_of=casia_b_row,
    ),
    "ccpg": RawPoses(
        name="ccpg",
        layout=Layout(
            path="<subject>/U<upper>_D<lower>[_BG]/<camera>/<poses>.pkl",
            key_of=ccpg.key_of,
            frame=re.compile(r"(?<!-sils)(?<!-rgbs)(?<!-ratios)\.pkl$"),  # what silhouettes and pictures are made to
        ),
    ),
    "gait3d": RawPoses(
        name="gait3d",
        layout=Layout(
            path="<subject>/camid<camera>_videoid<video>/seq<number>/<frame>.txt or .json",
            key_of=gait3d.key_of,
            frame=re.compile(r"\.(?:txt|json)$"),
        ),
    ),
    "grew": RawPoses(
        name="grew",
        layout=Layout(
            path="train/<subject>/<video>/<frame>_2d_pose.txt, test/gallery/<subject>/<video>/… or "
            "test/probe/<video>/…",
            key_of=grew_key,
            frame=re.compile(r"_2d_pose\.txt$"),
            skipped=grew.DISTRACTORS,
            arrange=grew.number_gallery,
        ),
        named_as_silhouettes=True,
    ),
    "oumvlp": RawPoses(
        name="oumvlp",
        layout=Layout(
            path="<subject>/<view>_<sequence>/<frame>_keypoints.json", key_of=oumvlp_key, frame=re.compile(r"\.json$")
        ),
        joints=OPENPOSE18,
        several_people=True,
    ),
    "sustech1k": RawPoses(
        name="sustech1k",
        layout=Layout(
            path="<subject>/<condition>/<view>/03*.pkl", key_of=sustech1k.key_of, frame=re.compile(r"^03.*\.pkl$")
        ),
    ),
}
