"""CASIA-B (Yu et al., ICPR 2006) as distributed: silhouettes from background subtraction, a PNG per frame.

124 subjects, 10 sequences each (nm-01..06, bg-01..02, cl-01..02) from 11 views, as files such as
`001/bg-01/000/001-bg-01-000-001.png`: unpacked, or in an archive per subject, or in one archive of those. Any data
set in this layout can be prepared so.
"""

from __future__ import annotations

from gaitway.data.datasets.silhouettes import RawSilhouettes
from gaitway.data.datasets.sources import Layout, SequenceKey


def key_of(path: str) -> SequenceKey | None:
    """The last three folders."""
    parts = path.split("/")[-4:]
    return (parts[0], parts[1], parts[2]) if len(parts) == 4 and parts[0] else None


CASIA_B = RawSilhouettes(
    name="casia-b",
    layout=Layout(path="<subject>/<condition>/<view>/<frame>.png", key_of=key_of, same_depth=True),
    one_size=True,
)
