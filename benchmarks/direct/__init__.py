"""Models written down as their descriptions read, without any of the identities that make `gaitway.models` fast.

Loops over strips, parts and frames, activation before pooling, the time axis moved in and out of every frame-wise
block. They use the weights of our models, and are an oracle for the tests (`tests/models/test_direct.py` and
`tests/parity/test_direct.py`) and what `python -m benchmarks.models` compares the speed with. Sequences of one length
only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from benchmarks.direct import dygait, gaitgl, gaitpart, gaitset, gln, hstl, residual
from gaitway.types import Output

DIRECT: dict[str, Callable[[Any, Tensor], Output]] = {
    "DeepGaitV2": residual.direct,
    "DyGait": dygait.direct,
    "GaitBase": residual.direct,
    "GaitGL": gaitgl.direct,
    "GaitPart": gaitpart.direct,
    "GaitSet": gaitset.direct,
    "GLN": gln.direct,
    "HSTL": hstl.direct,
}
"""By the name of our class: from a model and silhouettes `(n, t, h, w)` to its output."""
