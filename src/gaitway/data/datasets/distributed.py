"""The data sets of silhouettes that can be prepared as they are distributed, by the command that does it."""

from __future__ import annotations

from gaitway.data.datasets.casia_b import CASIA_B
from gaitway.data.datasets.casia_e import CASIA_E
from gaitway.data.datasets.ccpg import CCPG
from gaitway.data.datasets.gait3d import GAIT3D
from gaitway.data.datasets.grew import grew
from gaitway.data.datasets.hid import HID
from gaitway.data.datasets.oumvlp import OUMVLP
from gaitway.data.datasets.silhouettes import RawSilhouettes
from gaitway.data.datasets.sustech1k import SUSTECH1K

DISTRIBUTED: dict[str, RawSilhouettes] = {
    "casia-b": CASIA_B,
    "casia-e": CASIA_E,
    "ccpg": CCPG,
    "gait3d": GAIT3D,
    "grew": grew(),
    "hid": HID,
    "oumvlp": OUMVLP,
    "sustech1k": SUSTECH1K,
}
