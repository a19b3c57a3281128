"""SUSTech1K (Shen et al., CVPR 2023) as distributed: 16 pickles per sequence, of which the one numbered 06 is used.

1,050 subjects; `0000/00-nm/000/06-….pkl` holds the aligned silhouettes, beside point clouds, depth maps, pictures and
raw masks. Conditions are such as `01-nm` or `03-ub-bg`, views `000` to `315`, also `045-far` and `045-near`. Pickles
are read without executing them.
"""

from __future__ import annotations

import re

from gaitway.data.datasets.silhouettes import RawSilhouettes
from gaitway.data.datasets.sources import Layout, SequenceKey
from gaitway.data.pretreatment import scale_cubic

FRAMES = re.compile(r"(?:^|/)(?P<subject>\d{4})/(?P<condition>\d\d-[^/]+)/(?P<view>\d{3}[^/]*)/[^/]+$")


def key_of(path: str) -> SequenceKey | None:
    """Subject, condition, view."""
    found = FRAMES.search(path)
    return (found["subject"], found["condition"], found["view"]) if found else None


SUSTECH1K = RawSilhouettes(
    name="sustech1k",
    layout=Layout(path="<subject>/<condition>/<view>/06*.pkl", key_of=key_of, frame=re.compile(r"^06.*\.pkl$")),
    align=scale_cubic,
)
