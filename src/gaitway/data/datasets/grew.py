"""GREW (Zhu et al., ICCV 2021) as distributed: silhouettes of 64×64 pixels that are aligned already.

    train/00001/4XPn5Z28/00001.png           in the store 00001train-00-4XPn5Z28
    test/gallery/00001/<video>/…             00001-01-<video>, 00001-02-<video>
    test/probe/<video>/…                     probe-03-<video>
    distractor/<video>/…                     99999-04-<video>, if asked for

The names on the right are those of the tree to which OpenGait rearranges the files (`00001train/00/4XPn5Z28/`), which
can be prepared too. There, which of a subject's gallery videos is 01 depends on the order in a file system; here it is
the order of their names, as in FastPoseGait. Frames are kept as they are, empty ones included.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping

from gaitway.data.datasets.silhouettes import RawSilhouettes
from gaitway.data.datasets.sources import Layout, SequenceKey
from gaitway.data.pretreatment import unchanged

PROBE, DISTRACTOR = "probe", "99999"
"""Subjects of the videos whose subject is not told; the second is the label of the published submission."""

TRAIN = re.compile(r"(?:^|/)train/(?P<subject>\d{5})/(?P<view>[^/]+)/[^/]+$")
GALLERY = re.compile(r"(?:^|/)gallery/(?P<subject>\d{5})/(?P<view>[^/]+)/[^/]+$")
REARRANGED = re.compile(r"(?:^|/)(?P<subject>\d{5}|\d{5}train|probe)/(?P<condition>0[0-4])/(?P<view>[^/]+)/[^/]+$")
PROBES = re.compile(r"(?:^|/)probe/(?P<view>[^/]+)/[^/]+$")
DISTRACTORS = re.compile(r"/distractors?/")

UNNUMBERED = "gallery"
NOT_SUBJECTS = frozenset({"train", "test", "gallery", "distractor", "distractors"})


def key_of(path: str) -> SequenceKey | None:
    """Subject, 00 (train) to 04 (distractor) or `gallery` where the number is open yet, video."""
    if DISTRACTORS.search(path):
        return DISTRACTOR, "04", path.split("/")[-2]
    for pattern, subject, condition in (
        (REARRANGED, "{subject}", "{condition}"),
        (TRAIN, "{subject}train", "00"),
        (GALLERY, "{subject}", UNNUMBERED),
        (PROBES, PROBE, "03"),
    ):
        if found := pattern.search(path):
            names = found.groupdict()
            return subject.format(**names), condition.format(**names), names["view"]
    return None


def number_gallery(keys: Iterable[SequenceKey]) -> Mapping[SequenceKey, SequenceKey]:
    """Number each subject's gallery videos 01, 02, … by their names."""
    names = {key: key for key in keys}
    galleries: dict[str, list[SequenceKey]] = defaultdict(list)
    for key in sorted(names):
        if key[1] == UNNUMBERED:
            galleries[key[0]].append(key)
    for gallery in galleries.values():
        names |= {key: (key[0], f"{number:02}", key[2]) for number, key in enumerate(gallery, start=1)}
    return names


def grew(*, distractors: bool = False) -> RawSilhouettes:
    """GREW without or with the 233,857 distractors, which only a larger gallery takes."""
    skipped = r"gei\.png" if distractors else rf"gei\.png|{DISTRACTORS.pattern}"
    return RawSilhouettes(
        name="grew",
        layout=Layout(
            path="train/<subject>/<video>/<frame>.png, test/gallery/<subject>/<video>/… or test/probe/<video>/…",
            key_of=key_of,
            skipped=re.compile(skipped),
            arrange=number_gallery,
        ),
        align=unchanged,
        sizes=(64,),
        options={"distractors": distractors},
    )


def is_rearranged(subjects: Iterable[str]) -> bool:
    """Whether the names of a tree's first folders are subjects, and not those of GREW as distributed."""
    return NOT_SUBJECTS.isdisjoint(subjects)
