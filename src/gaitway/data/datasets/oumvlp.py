"""OUMVLP (Takemura et al., IPSJ CVA 2018) as distributed: a folder or archive per view and sequence.

10,307 subjects, up to 28 sequences each: `Silhouette_000-00/00001/0001.png` is view 000, sequence 00, subject 00001. In
the store a sequence is `00001-00-000`, as in the tree `00001/00/000/` to which OpenGait rearranges the files; that tree
can be prepared too. The 28 archives are 7z files with a password: 7-Zip unpacks them.
"""

from __future__ import annotations

import re

from gaitway.data.datasets.silhouettes import RawSilhouettes
from gaitway.data.datasets.sources import Layout, SequenceKey

AS_DISTRIBUTED = re.compile(r"(?:^|/)Silhouette_(?P<view>\d{3})-(?P<sequence>\d{2})/(?P<subject>\d{5})/[^/]+$")
REARRANGED = re.compile(r"(?:^|/)(?P<subject>\d{5})/(?P<sequence>\d{2})/(?P<view>\d{3})/[^/]+$")


def key_of(path: str) -> SequenceKey | None:
    """Subject, sequence, view."""
    found = AS_DISTRIBUTED.search(path) or REARRANGED.search(path)
    return (found["subject"], found["sequence"], found["view"]) if found else None


OUMVLP = RawSilhouettes(
    name="oumvlp",
    layout=Layout(path="Silhouette_<view>-<sequence>/<subject>/<frame>.png", key_of=key_of),
    one_size=True,
)
