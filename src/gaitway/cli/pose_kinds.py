"""What `gaitway prepare` says of the data sets of poses and how it is asked for them; see `prepare`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

MARKED = """A joint that was not found, or is no number, gets (0, 0) and confidence 0; a confidence that is not in the
file becomes 1; each is counted, as are frames without a person. --with STORE copies the silhouettes of a store, so that
OUT has both under one index; sequences that lack one of them, or have more frames of one, are listed."""

CASIA_B = """Read the poses of CASIA-B, COCO's 17 joints in pixels. RAW is the folder of `001/bg-01/000/000.pkl`, an
array (frames, 17, 3) per sequence, which is read without being executed; or a CSV file, or a folder of them, with a row
per frame: the frame's name, such as 001-bg-01-000-001.png, then x, y, confidence of each joint.

gaitway prepare casia-b-pose CASIA-B-pose stores/casia-b-pose
gaitway prepare casia-b-pose poses.csv stores/casia-b-both --with stores/casia-b"""

CCPG = """Read the poses of CCPG. RAW is the folder of `000/U0_D0_BG/01_0/*.pkl`, an array (frames, 17 or 18, 3) per
sequence; pickles of silhouettes, pictures and ratios beside it are passed over.

gaitway prepare ccpg-pose CCPG-pose stores/ccpg-pose"""

GAIT3D = """Read the poses of Gait3D. RAW is the folder 2D_Poses of `0000/camid0_videoid2/seq0/*.txt`, per frame two
numbers and x, y, confidence of 17 joints; or of JSON files, as of OpenPose or COCO.

gaitway prepare gait3d-pose Gait3D/2D_Poses stores/gait3d-pose"""

GREW = """Read the poses of GREW, `*_2d_pose.txt` beside the silhouettes, and rearrange them as `gaitway prepare grew`
does. RAW is the folder of `train/`, `test/gallery/` and `test/probe/`, as folders or archives, or a rearranged tree.
Gallery videos are numbered by name, or as in the store of --with.

gaitway prepare grew-pose GREW stores/grew-pose
gaitway prepare grew-pose GREW stores/grew-both --with stores/grew"""

OUMVLP = """Read OUMVLP-Pose, of OpenPose or of AlphaPose, 18 joints. RAW is the folder of
`00001/000_00/*_keypoints.json` (subject, view and sequence). Where several people are in a frame, --silhouettes finds
the one who lies on the raw silhouette; --first-person takes the first, as published results up to 2025 do, which jumps
from one person to another. --joints coco17 leaves out the neck.

gaitway prepare oumvlp-pose OUMVLP-Pose stores/oumvlp-pose --silhouettes OUMVLP
gaitway prepare oumvlp-pose OUMVLP-Pose stores/oumvlp-17 --first-person --joints coco17"""

SUSTECH1K = """Read the poses of SUSTech1K. RAW is the folder of `0000/00-nm/000/03*.pkl`; the other 15 pickles of a
sequence are not read, and no pickle is executed.

gaitway prepare sustech1k-pose SUSTech1K-Released-pkl stores/sustech1k-pose"""

POSE_KINDS = {  # command -> name of the data set, in a line, in a paragraph, skeletons that it can be prepared in
    "casia-b-pose": ("casia-b", "poses of CASIA-B (array per sequence, or CSV)", CASIA_B, ()),
    "ccpg-pose": ("ccpg", "poses of CCPG (array per sequence)", CCPG, ("coco17", "openpose18")),
    "gait3d-pose": ("gait3d", "poses of Gait3D (text or JSON per frame)", GAIT3D, ()),
    "grew-pose": ("grew", "poses of GREW (text per frame, to be rearranged)", GREW, ()),
    "oumvlp-pose": ("oumvlp", "OUMVLP-Pose (JSON per frame, to be rearranged)", OUMVLP, ("openpose18", "coco17")),
    "sustech1k-pose": ("sustech1k", "poses of SUSTech1K (array per sequence)", SUSTECH1K, ()),
}


def add_pose_options(command: argparse.ArgumentParser, kind: str, skeletons: Sequence[str]) -> None:
    """Describe what only poses have."""
    command.add_argument(
        "--with",
        dest="join",
        metavar="STORE",
        help="a store of the data set's silhouettes, whose frames are copied: OUT has silhouettes and poses",
    )
    if skeletons:
        command.add_argument(
            "--joints", choices=skeletons, default=skeletons[0], help=f"the skeleton (default: {skeletons[0]})"
        )
    if kind == "oumvlp-pose":
        person = command.add_mutually_exclusive_group(required=True)
        person.add_argument(
            "--silhouettes",
            metavar="FOLDER",
            help="raw silhouettes (Silhouette_000-00/00001/0001.png, unpacked): of several people in a frame, take the "
            "one who lies on the silhouette",
        )
        person.add_argument(
            "--first-person", action="store_true", help="of several people take the first, as published"
        )
