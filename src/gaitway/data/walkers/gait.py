"""Walking: joint angles as Fourier series around normative curves, changed by a person's style.

The normative curves are typical sagittal angles of healthy grown-ups at their own speed over a gait cycle from heel
strike to heel strike, at every 5 % and good to a few degrees, after the textbooks: D. A. Winter, "The Biomechanics and
Motor Control of Human Gait" (2nd edition, 1991); J. Perry and J. M. Burnfield, "Gait Analysis: Normal and Pathological
Function" (2nd edition, 2010).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from gaitway.data.walkers.body import Body
from gaitway.data.walkers.skeleton import SEGMENT, Floats, Pose, pose_segments, turn
from gaitway.data.walkers.style import NUM_HARMONICS, Style

FRAMES_PER_SECOND = 25.0

# degrees at 0, 5, ..., 95 % of the cycle; flexion and dorsiflexion are positive
NORMATIVE: Mapping[str, tuple[float, ...]] = {
    "hip": (29, 28, 25, 21, 16, 10.5, 5, -0.5, -5, -9, -11, -10, -5, 4, 14, 22, 28, 31, 31.5, 30.5),
    "knee": (4, 11, 17, 18, 15.5, 12, 8, 5.5, 5, 7, 13, 24, 39, 53, 60, 59, 51, 37, 20, 7),
    "ankle": (0, -5, -4, 0, 3, 5.5, 7.5, 9, 10, 9.5, 6, -4, -15, -19, -13, -5, 0, 2.5, 2.5, 1.5),
    "shoulder": (-20, -19.5, -17.5, -14, -9.5, -4.5, 0.5, 5, 8.5, 11, 12, 11.5, 9, 5.5, 1, -4, -9, -13.5, -17, -19),
    "elbow": (21, 20.5, 21, 22.5, 25, 28.5, 32.5, 36.5, 40, 42.5, 43.5, 43, 41, 38, 34.5, 31, 28, 25, 23, 21.5),
}
_SERIES = {name: np.fft.rfft(curve)[: NUM_HARMONICS + 1] / len(curve) for name, curve in NORMATIVE.items()}
_SIDES = (("left", 1.0, 0.0), ("right", -1.0, 0.5))


@dataclass(frozen=True, slots=True)
class Load:
    """What carrying something does to a walk.

    Args:
        bag_on: The segment that the bag hangs on.
        arm_swing: Factors of the left and the right arm's swing.
        arm_out: Degrees by which the left and the right arm are held away from the body.
        elbow_bend: Degrees by which the left and the right elbow are bent more.
        trunk_lean: Degrees of leaning forward.
        trunk_bend: Degrees of bending to the left.
        bag_swing: Degrees by which the bag swings forward and back.
    """

    bag_on: str = "pelvis"
    arm_swing: tuple[float, float] = (1.0, 1.0)
    arm_out: tuple[float, float] = (0.0, 0.0)
    elbow_bend: tuple[float, float] = (0.0, 0.0)
    trunk_lean: float = 0.0
    trunk_bend: float = 0.0
    bag_swing: float = 0.0


def walk(
    body: Body,
    style: Style,
    *,
    num_frames: int,
    phase: float,
    load: Load,
    rng: np.random.Generator,
) -> Pose:
    """Let a body walk along x, the middle frame at x = 0.

    Args:
        body: Who walks.
        style: How.
        num_frames: Number of frames t at 25 per second.
        phase: Where in the left leg's cycle the first frame is, in cycles.
        load: What is carried.
        rng: Draws how the cycle drifts.

    Returns:
        The pose in each frame; the lower foot is on the ground, z = 0.
    """
    cycles_per_frame = style["cadence"] / 120 / FRAMES_PER_SECOND
    drift = 0.008 * np.cumsum(rng.standard_normal(num_frames)) / np.sqrt(num_frames)
    phases = phase + cycles_per_frame * np.arange(num_frames) + drift
    turns = _turns(style, phases, load)
    pelvis = np.zeros((num_frames, 3))
    pelvis[:, 0] = _stride(body, style, load) * (phases - phases.mean())
    pelvis[:, 1] = style["sway"] * np.cos(2 * np.pi * (phases - 0.3))
    soles = _soles(body, pose_segments(body.joints, turns, pelvis))
    pelvis[:, 2] = _smooth(-soles[..., 2].min(axis=(1, 2)))
    return pose_segments(body.joints, turns, pelvis, load.bag_on)


def _angle(style: Style, curve: str, phase: Floats, amplitude: float) -> Floats:
    """A joint's angle `(t,)` in degrees: the mean of the normative curve, and the style's swing around it."""
    series = _SERIES[curve]
    waves = np.exp(2j * np.pi * np.multiply.outer(phase, np.arange(1, NUM_HARMONICS + 1)))
    return np.asarray(series[0].real + amplitude * 2 * (waves @ (series[1:] * style.ripple[curve])).real)


def _turns(style: Style, phase: Floats, load: Load) -> dict[str, Floats]:
    """The turns of all segments at these phases of the left leg's cycle."""
    tilt = _tilt(style, phase)
    turns = {**_trunk(style, phase, tilt, load), **_hanging(phase, load)}
    for number, (side, sign, offset) in enumerate(_SIDES):
        turns |= _leg(style, phase + offset + sign * style["limp"] / 2, side, sign, tilt)
        turns |= _arm(style, phase + offset, side, sign, number, load)
    return turns


def _tilt(style: Style, phase: Floats) -> Floats:
    """How far the pelvis tips forward: once with every step."""
    return np.asarray(style["pelvis_tilt"] + 1.2 * np.cos(4 * np.pi * phase - 0.6))


def _trunk(style: Style, phase: Floats, tilt: Floats, load: Load) -> dict[str, Floats]:
    """Pelvis, spine and head. The chest turns against the pelvis, the head undoes most of what is below it."""
    cycle = 2 * np.pi * phase
    yaw = -style["pelvis_turn"] * np.cos(cycle)  # the side whose heel strikes is in front
    drop = style["pelvis_drop"] * np.cos(cycle - 2 * np.pi * 0.2)  # the standing side is up
    lean = style["trunk_lean"] + load.trunk_lean
    counter = style["trunk_turn"] * np.cos(cycle - 0.15) - yaw
    roll = -0.9 * drop + style["trunk_roll"] * np.cos(cycle - 2 * np.pi * 0.3) - style["trunk_bend"] - load.trunk_bend
    return {
        "pelvis": turn("z", yaw) @ turn("y", tilt) @ turn("x", drop),
        "lumbar": turn("z", 0.4 * counter) @ turn("y", lean - tilt - 0.3 * style["stoop"]) @ turn("x", 0.6 * roll),
        "thorax": turn("z", 0.6 * counter) @ turn("y", np.full_like(cycle, style["stoop"])) @ turn("x", 0.4 * roll),
        "neck": turn("y", np.full_like(cycle, style["head_forward"])),
        "head": turn("z", style["head_turn"] - 0.8 * (counter + yaw))
        @ turn("y", style["head_nod"] - 0.7 * (lean + style["stoop"]) - style["head_forward"] - 0.5 * tilt),
    }


def _leg(style: Style, phase: Floats, side: str, sign: float, tilt: Floats) -> dict[str, Floats]:
    hip = _angle(
        style,
        "hip",
        phase + style["hip_timing"],
        style["vigour"] * style["hip_swing"] * (1 + sign * style["hip_asymmetry"]),
    )
    hip += style["hip_offset"] - 6  # the thigh against the vertical: flexion is measured from a tilted pelvis
    knee = _angle(
        style,
        "knee",
        phase + style["knee_timing"],
        (0.4 + 0.6 * style["vigour"]) * style["knee_swing"] * (1 + sign * style["knee_asymmetry"]),
    )
    knee = np.maximum(knee + style["knee_offset"] + 0.5 * style["hip_offset"], 0.0)
    ankle = _angle(style, "ankle", phase + style["ankle_timing"], style["ankle_swing"]) + style["ankle_offset"]
    swing = np.sin(np.pi * np.clip((phase % 1 - 0.6) / 0.4, 0, 1))  # 0 while the foot stands
    adduction = 3.5 * np.cos(2 * np.pi * (phase - 0.2))  # level legs under a dropping pelvis
    out = style["stance_width"] + style["circumduction"] * swing - adduction * style["pelvis_drop"] / 4
    toe_out = style["toe_out"] + sign * style["toe_out_asymmetry"]
    toes = 28 * np.exp(-0.5 * (((phase - 0.58 + 0.5) % 1 - 0.5) / 0.06) ** 2)  # they bend as the heel lifts
    return {
        f"thigh_{side}": turn("y", -tilt - hip) @ turn("x", sign * out),
        f"shank_{side}": turn("y", knee),
        f"foot_{side}": turn("z", np.full_like(phase, sign * toe_out)) @ turn("y", -ankle),
        f"toes_{side}": turn("y", -toes),
    }


def _arm(style: Style, phase: Floats, side: str, sign: float, number: int, load: Load) -> dict[str, Floats]:
    swing = style["arm_swing"] * (1 + sign * style["arm_asymmetry"]) * load.arm_swing[number]
    swing = max(swing, 0.05)
    shoulder = _angle(style, "shoulder", phase + style["arm_timing"], swing) + style["arm_offset"]
    elbow = _angle(style, "elbow", phase + style["arm_timing"], 0.9 * swing * style["elbow_swing"])
    elbow += style["elbow_bend"] + sign * style["elbow_asymmetry"] + load.elbow_bend[number] - 8
    out = max(style["arm_out"], 1.0) + load.arm_out[number]
    still = np.ones_like(phase)
    return {
        f"shoulder_{side}": turn("x", sign * style["shoulders_up"] * still)
        @ turn("z", -sign * (style["shoulders_forward"] + 0.1 * (shoulder - style["arm_offset"]))),
        f"upper_arm_{side}": turn("y", -shoulder) @ turn("x", sign * out * still),
        f"forearm_{side}": turn("z", -sign * 12.0 * still) @ turn("y", -np.maximum(elbow, 2.0)),
        f"hand_{side}": turn("y", -6.0 * still),
    }


def _hanging(phase: Floats, load: Load) -> dict[str, Floats]:
    """A bag and a skirt lag behind the body that they hang on."""
    cycle = 2 * np.pi * phase
    return {
        "skirt": turn("z", 3.0 * np.cos(cycle - 0.9)) @ turn("y", 2.5 * np.cos(2 * cycle - 1.2)),
        "bag": turn("y", load.bag_swing * np.cos(cycle - 0.5)) @ turn("x", 0.3 * load.bag_swing * np.cos(cycle)),
    }


def _soles(body: Body, pose: Pose) -> Floats:
    feet = [SEGMENT["foot_left"], SEGMENT["foot_right"]]
    toes = [SEGMENT["toes_left"], SEGMENT["toes_right"]]

    def placed(segments: list[int], points: Floats) -> Floats:
        arms = points - body.joints[segments][:, None]
        return np.asarray(
            np.einsum("tfij,fkj->tfki", pose.rotations[:, segments], arms) + pose.joints[:, segments][:, :, None]
        )

    ahead = body.soles[..., 0] > body.joints[toes][:, None, 0]  # under the toes, which bend
    return np.where(ahead[None, ..., None], placed(toes, body.soles), placed(feet, body.soles))


def _stride(body: Body, style: Style, load: Load) -> float:
    """Metres per cycle: how far a foot that stands moves back under the pelvis, so that it doesn't slip."""
    flat = np.array([0.12, 0.42])  # from here to here in its own cycle a foot is flat on the ground
    moved = 0.0
    for side, _, offset in _SIDES:
        turns = _turns(style, flat - offset, load)
        foot = pose_segments(body.joints, turns, np.zeros((2, 3))).joints[:, SEGMENT[f"foot_{side}"], 0]
        moved += float(foot[0] - foot[1])
    return moved / 2 / float(flat[1] - flat[0])


def _smooth(values: Floats) -> Floats:
    kernel = np.array([0.25, 0.5, 0.25])
    return np.convolve(np.pad(values, 1, mode="edge"), kernel, mode="valid")
