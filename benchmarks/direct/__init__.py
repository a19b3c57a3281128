"""Models written down as their descriptions read, without any of the identities that make `gaitway.models` fast.

Loops over strips, parts, heads and frames, activation before pooling, the time axis moved in and out of every
frame-wise block. They use the weights of our models, and are an oracle for the tests (`tests/models/test_direct.py` and
`tests/parity/test_direct.py`) and what `python -m benchmarks.models` compares the speed with. Sequences of one length
only.
"""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.direct import (
    dygait,
    gaitgl,
    gaitgraph,
    gaitheat,
    gaitpart,
    gaitset,
    gaittr,
    gln,
    hstl,
    part_graph,
    residual,
)
from gaitway.types import Output

Direct = Callable[..., Output]
"""From a model and the frames of each of its modalities, such as silhouettes `(n, t, h, w)` or poses `(n, t, v, c)`, to
the model's output."""

DIRECT: dict[str, Direct] = {
    "DeepGaitV2": residual.direct,
    "DyGait": dygait.direct,
    "GaitBase": residual.direct,
    "GaitGL": gaitgl.direct,
    "GaitGraph1": gaitgraph.direct_gaitgraph1,
    "GaitGraph2": gaitgraph.direct_gaitgraph2,
    "GaitHeat": gaitheat.direct,
    "GaitPart": gaitpart.direct,
    "GaitSet": gaitset.direct,
    "GaitTR": gaittr.direct,
    "GLN": gln.direct,
    "GPGait": part_graph.direct_gpgait,
    "GPGaitPlusPlus": part_graph.direct_gpgait_plus_plus,
    "HSTL": hstl.direct,
    "SkeletonGait": residual.direct,
}
"""By the name of our class."""
