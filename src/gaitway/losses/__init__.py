"""One file per loss. Add a loss by adding its file and naming it here."""

from torch import nn

from gaitway.losses.arcface import ArcFaceLoss
from gaitway.losses.cosface import CosFaceLoss
from gaitway.losses.cross_entropy import CrossEntropyLoss
from gaitway.losses.sphereface import SphereFaceLoss
from gaitway.losses.supervised_contrastive import SupConDistanceLoss, SupConLoss
from gaitway.losses.triplet import TripletLoss

LOSSES: dict[str, type[nn.Module]] = {
    loss.__name__: loss
    for loss in (
        ArcFaceLoss,
        CosFaceLoss,
        CrossEntropyLoss,
        SphereFaceLoss,
        SupConDistanceLoss,
        SupConLoss,
        TripletLoss,
    )
}
"""Loss classes by name."""

__all__ = [
    "LOSSES",
    "ArcFaceLoss",
    "CosFaceLoss",
    "CrossEntropyLoss",
    "SphereFaceLoss",
    "SupConDistanceLoss",
    "SupConLoss",
    "TripletLoss",
]
