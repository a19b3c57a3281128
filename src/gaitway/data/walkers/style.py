"""How a person walks: a table of traits, each with how much people differ in it and how much a person's walks do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Trait(NamedTuple):
    """Mean over people, standard deviation between people, and between the walks of one person."""

    mean: float
    between_people: float
    between_walks: float


TRAITS: Mapping[str, Trait] = {
    # rhythm
    "cadence": Trait(112, 7, 1.6),  # steps per minute
    "vigour": Trait(1.0, 0.09, 0.02),  # scales the swing of the legs: step length
    # legs, degrees unless said otherwise
    "hip_swing": Trait(1.0, 0.07, 0.012),  # factor
    "hip_offset": Trait(0, 1.6, 0.4),
    "hip_timing": Trait(0, 0.012, 0.003),  # cycles
    "knee_swing": Trait(1.0, 0.08, 0.012),
    "knee_offset": Trait(2.0, 2.5, 0.6),
    "knee_timing": Trait(0, 0.012, 0.003),
    "ankle_swing": Trait(1.0, 0.15, 0.03),
    "ankle_offset": Trait(0, 2.0, 0.5),
    "ankle_timing": Trait(0, 0.015, 0.003),
    "toe_out": Trait(7, 5, 1.0),
    "stance_width": Trait(0, 1.2, 0.3),  # abduction of both hips
    "circumduction": Trait(1.5, 1.2, 0.3),  # abduction in swing
    # pelvis and trunk
    "pelvis_turn": Trait(4.5, 2.0, 0.4),
    "pelvis_drop": Trait(4.0, 1.5, 0.3),
    "pelvis_tilt": Trait(3.0, 2.5, 0.5),
    "sway": Trait(0.022, 0.007, 0.002),  # metres to each side
    "trunk_lean": Trait(2.0, 3.0, 0.6),
    "trunk_turn": Trait(6.0, 2.5, 0.5),
    "trunk_roll": Trait(1.5, 1.2, 0.3),
    "trunk_bend": Trait(0, 0.8, 0.25),  # to one side
    "stoop": Trait(4.0, 4.5, 0.8),  # curve of the upper back
    "head_forward": Trait(2.0, 5.0, 1.5),
    "head_nod": Trait(-3.0, 4.0, 1.5),
    "head_turn": Trait(0, 1.5, 2.0),
    "shoulders_up": Trait(0, 3.0, 0.5),
    "shoulders_forward": Trait(2.0, 4.0, 0.7),
    # arms
    "arm_swing": Trait(1.0, 0.32, 0.06),
    "arm_offset": Trait(2.0, 5.0, 1.0),
    "arm_out": Trait(5.0, 3.0, 0.6),
    "arm_timing": Trait(0, 0.025, 0.006),
    "elbow_bend": Trait(0, 6.0, 1.2),
    "elbow_swing": Trait(1.0, 0.35, 0.06),
    # left against right: added to the left, taken from the right
    "hip_asymmetry": Trait(0, 0.03, 0.008),
    "knee_asymmetry": Trait(0, 0.03, 0.008),
    "arm_asymmetry": Trait(0, 0.14, 0.04),
    "elbow_asymmetry": Trait(0, 3.0, 0.8),
    "toe_out_asymmetry": Trait(0, 2.0, 0.5),
    "limp": Trait(0, 0.006, 0.002),  # the left step takes this much more of the cycle
}

NUM_HARMONICS = 6
RIPPLE = Trait(0.0, 0.05, 0.012)
"""Each Fourier coefficient of hip, knee, ankle, shoulder and elbow is changed by this share of its size."""

CURVES = ("hip", "knee", "ankle", "shoulder", "elbow")


@dataclass(frozen=True, slots=True)
class Style:
    """A way of walking: the traits, and factors `(h,)` for the Fourier coefficients of each curve."""

    traits: Mapping[str, float]
    ripple: Mapping[str, NDArray[np.complex128]]

    def __getitem__(self, name: str) -> float:
        return self.traits[name]


def draw_style(rng: np.random.Generator) -> Style:
    """Draw a person's way of walking."""
    traits = {name: rng.normal(trait.mean, trait.between_people) for name, trait in TRAITS.items()}
    return Style(traits, {curve: 1 + _ripple(rng, RIPPLE.between_people) for curve in CURVES})


def vary_style(style: Style, rng: np.random.Generator) -> Style:
    """Draw how the person walks this time."""
    traits = {name: style.traits[name] + rng.normal(0, trait.between_walks) for name, trait in TRAITS.items()}
    ripple = {curve: style.ripple[curve] * (1 + _ripple(rng, RIPPLE.between_walks)) for curve in CURVES}
    return Style(traits, ripple)


def _ripple(rng: np.random.Generator, size: float) -> NDArray[np.complex128]:
    return np.asarray(size * (rng.standard_normal(NUM_HARMONICS) + 1j * rng.standard_normal(NUM_HARMONICS)))
