"""Bodies: a shape drawn for each identity, as a cloud of surface points that follow a skeleton.

The shapes come from Anny (Brégier et al., ECCV 2026, arXiv 2511.03589) with MakeHuman's rig and body data (CC0).
A body is a cloud rather than a mesh because a silhouette of 130 pixels needs no more, and points are drawn fast.
"""

from __future__ import annotations

import getpass
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gaitway.data.walkers.skeleton import PARENTS, SEGMENT, SEGMENTS, Floats, turn, turn_onto

NUM_POINTS = 13_000  # 1.5 per pixel of the surface at 120 pixels per person

PROPORTIONS: Mapping[str, float] = {
    "measure-shoulder-dist-incr": 0.45,
    "measure-hips-circ-incr": 0.4,
    "measure-waist-circ-incr": 0.4,
    "measure-bust-circ-incr": 0.3,
    "stomach-pregnant-incr": 0.22,
    "buttocks-volume-incr": 0.4,
    "torso-scale-vert-incr": 0.35,
    "torso-scale-depth-incr": 0.3,
    "measure-thigh-circ-incr": 0.35,
    "measure-calf-circ-incr": 0.35,
    "upperlegs-height-incr": 0.35,
    "lowerlegs-height-incr": 0.35,
    "measure-upperarm-length-incr": 0.35,
    "measure-upperarm-circ-incr": 0.3,
    "neck-scale-vert-incr": 0.4,
    "head-scale-vert-incr": 0.3,
    "head-scale-depth-incr": 0.3,
}
"""Local changes of MakeHuman's body → how much they differ between people (standard deviation; the range is ±1)."""

_BONES = {
    "root": "pelvis",
    "spine04": "lumbar",
    "spine02": "thorax",
    "neck01": "neck",
    "head": "head",
    "clavicle": "shoulder",
    "upperarm01": "upper_arm",
    "lowerarm01": "forearm",
    "wrist": "hand",
    "upperleg01": "thigh",
    "lowerleg01": "shank",
    "foot": "foot",
    "toe1-1": "toes",
    "toe2-1": "toes",
    "toe3-1": "toes",
    "toe4-1": "toes",
    "toe5-1": "toes",
}
"""Bone of the rig (without its side) → the segment that begins with it."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What a body is made from: Anny's phenotypes, local changes, and the stature in metres."""

    phenotypes: Mapping[str, float]
    proportions: Mapping[str, float]
    stature: float


@dataclass(frozen=True, slots=True)
class Body:
    """A walker's surface in the reference pose.

    Args:
        points: `(m, 3)` surface points.
        normals: `(m, 3)` outward directions.
        weights: `(m, s)` share of each segment in a point's movement; rows sum to 1.
        joints: `(s, 3)` where each segment begins.
        face: Nose, eyes and ears (left first), `(5, 3)`; they move with the head.
        soles: `(2, k, 3)` points under the left and the right foot.
        stature: Height in metres.
    """

    points: Floats
    normals: Floats
    weights: Floats
    joints: Floats
    face: Floats
    soles: Floats
    stature: float

    def segment(self, name: str) -> NDArray[np.bool_]:
        """Which points `(m,)` belong to a segment more than to any other; `name` may end in a star for both sides."""
        wanted = [i for i, s in enumerate(SEGMENTS) if s == name or (name[-1] == "*" and s.startswith(name[:-1]))]
        return np.isin(self.weights.argmax(axis=1), wanted)

    def share(self, *names: str) -> Floats:
        """How much `(m,)` of each point's movement comes from these segments."""
        return np.asarray(self.weights[:, [SEGMENT[name] for name in names]].sum(axis=1))

    def with_points(self, points: Floats, normals: Floats, weights: Floats) -> Body:
        """The body with further points: a bag, the skirt of a coat."""
        return replace(
            self,
            points=np.concatenate([self.points, points]),
            normals=np.concatenate([self.normals, normals]),
            weights=np.concatenate([self.weights, weights]),
        )


def follow(num_points: int, **shares: Floats | float) -> Floats:
    """Weights `(num_points, s)` of points that follow the named segments, normalised."""
    weights = np.zeros((num_points, len(SEGMENTS)))
    for name, share in shares.items():
        weights[:, SEGMENT[name]] = share
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def draw_shape(rng: np.random.Generator) -> Shape:
    """Draw a grown-up: sex, age, stature (means and deviations as in most of the world), build."""
    male = rng.random() < 0.5
    age = rng.uniform(0.55, 0.9)  # Anny: 0.33 is a child, 0.67 a young adult, 1 is old
    stature = rng.normal(1.75, 0.07) if male else rng.normal(1.63, 0.065)
    phenotypes = {
        "gender": rng.uniform(0.0, 0.15) if male else rng.uniform(0.85, 1.0),  # Anny: 0 male, 1 female
        "age": age,
        "muscle": float(np.clip(rng.normal(0.55, 0.18), 0.1, 0.95)),
        "weight": float(np.clip(rng.normal(0.5, 0.13), 0.15, 0.9)),
        "height": 0.5,
        "proportions": rng.uniform(0.25, 0.85),
    }
    proportions = {name: float(np.clip(rng.normal(0, sd), -1, 1)) for name, sd in PROPORTIONS.items()}
    return Shape(phenotypes, proportions, float(np.clip(stature, 1.48, 1.95)))


def make_body(shape: Shape, rng: np.random.Generator) -> Body:
    """Make the surface points of a shape; `rng` scatters them.

    Raises:
        ModuleNotFoundError: when Anny isn't installed.
    """
    model = _anny()
    vertices, heads = _rest(model, shape)
    bones = list(model.bone_labels)
    segment_of_bone = _segments_of_bones(bones, list(model.bone_parents))

    joints = _joints(heads, bones)
    weights = np.zeros((len(vertices), len(SEGMENTS)))
    shares, indices = model.vertex_bone_weights.numpy(), model.vertex_bone_indices.numpy()
    np.add.at(weights, (np.arange(len(vertices))[:, None], segment_of_bone[indices]), shares)
    weights /= weights.sum(axis=1, keepdims=True)

    face = _face(vertices, heads, bones)
    vertices, joints, face = _stand(vertices, weights, joints, face)
    sole_height = vertices[:, 2].min()
    stature = vertices[:, 2].max() - sole_height
    scale = shape.stature / stature
    vertices, joints, face = ((x - [0, 0, sole_height]) * scale for x in (vertices, joints, face))

    points, normals, point_weights = _scatter(vertices, model.faces.numpy(), weights, rng)
    soles = np.stack([_sole(vertices, weights, side) for side in ("left", "right")])
    return Body(points, normals, point_weights, joints, face, soles, shape.stature)


def prepare_bodies() -> None:
    """Load Anny's body data. The first time on a machine Anny reads MakeHuman's files and caches them: about a minute.

    Raises:
        ModuleNotFoundError: when Anny isn't installed.
    """
    _anny()


@cache
def _anny() -> Any:
    try:
        import anny
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "Rendering new walkers needs the package anny, which isn't installed. "
            "Install it with: pip install 'gaitway[walkers]'"
        ) from error
    # MakeHuman's own rig and mesh: both are CC0, and need no skinning beyond ours
    with _one_process_at_a_time():
        model = anny.Anny(rig="makehuman", topology="anny", local_changes=list(PROPORTIONS), skinning_method="lbs")
    return model.to(torch.float64)


@contextmanager
def _one_process_at_a_time() -> Iterator[None]:
    """Anny writes its cache in place: a second process must wait until the file is whole."""
    try:
        import fcntl
    except ModuleNotFoundError:  # Windows has none
        yield
        return
    with (Path(tempfile.gettempdir()) / f"gaitway-anny-{getpass.getuser()}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # let go when the file is closed, however the process ends
        yield


def _rest(model: Any, shape: Shape) -> tuple[Floats, Floats]:
    """Vertices and bone heads of a shape in the pose that Anny rests in, in our axes."""
    heights = []
    for height in (0.35, 0.65):  # stature depends on all phenotypes: find the one that gives the wanted stature
        rest = _forward(model, shape, height)[0]
        heights.append(float(rest[:, 2].max() - rest[:, 2].min()))
    slope = (heights[1] - heights[0]) / 0.3
    height = float(np.clip(0.35 + (shape.stature - heights[0]) / slope, 0.05, 0.95))
    return _forward(model, shape, height)


def _forward(model: Any, shape: Shape, height: float) -> tuple[Floats, Floats]:
    with torch.no_grad():
        out = model(
            pose_parameters=torch.eye(4, dtype=torch.float64).expand(1, model.bone_count, 4, 4),
            phenotype_kwargs={**shape.phenotypes, "height": height},
            local_changes_kwargs=dict(shape.proportions),
        )
    to_ours = np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])  # Anny looks along -y, its left is +x
    return out["rest_vertices"][0].numpy() @ to_ours, out["rest_bone_heads"][0].numpy() @ to_ours


def _side(bone: str) -> str:
    return {".L": "_left", ".R": "_right"}.get(bone[-2:], "")


def _segments_of_bones(bones: list[str], parents: list[int]) -> NDArray[np.int64]:
    """The segment of every bone: that of the nearest bone above it that begins one."""
    segments = np.zeros(len(bones), np.int64)
    for number, bone in enumerate(bones):  # parents come first
        name = _BONES.get(bone.removesuffix(".L").removesuffix(".R"))
        segments[number] = segments[max(parents[number], 0)] if name is None else SEGMENT[name + _side(bone)]
    return segments


def _joints(heads: Floats, bones: list[str]) -> Floats:
    joints = np.zeros((len(SEGMENTS), 3))
    for name, segment in _BONES.items():
        if segment == "toes":
            continue
        for bone in (name, f"{name}.L", f"{name}.R"):
            if bone in bones:
                joints[SEGMENT[segment + _side(bone)]] = heads[bones.index(bone)]
    for side in ("L", "R"):
        toes = [heads[bones.index(f"toe{number}-1.{side}")] for number in range(1, 6)]
        joints[SEGMENT["toes" + _side(f".{side}")]] = np.mean(toes, axis=0)
    joints[SEGMENT["skirt"]] = joints[SEGMENT["bag"]] = joints[SEGMENT["pelvis"]]
    return joints


def _face(vertices: Floats, heads: Floats, bones: list[str]) -> Floats:
    """Nose, eyes, ears: the eyes are bones, the nose is the foremost point of the head, the ears the outermost."""
    eyes = np.stack([heads[bones.index("eye.L")], heads[bones.index("eye.R")]])
    around = vertices[(vertices[:, 2] > eyes[0, 2] - 0.08) & (vertices[:, 2] < eyes[0, 2] + 0.04)]
    ears = np.stack([around[around[:, 1].argmax()], around[around[:, 1].argmin()]])
    return np.concatenate([around[around[:, 0].argmax()][None], eyes, ears])


def _stand(vertices: Floats, weights: Floats, joints: Floats, face: Floats) -> tuple[Floats, Floats, Floats]:
    """Bring a body from Anny's resting pose to the reference pose: legs and arms straight down, feet forward."""
    turns = np.broadcast_to(np.eye(3), (len(SEGMENTS), 3, 3)).copy()
    for side, sign in (("left", 1.0), ("right", -1.0)):

        def along(start: str, end: str, side: str = side) -> Floats:
            return np.asarray(joints[SEGMENT[f"{end}_{side}"]] - joints[SEGMENT[f"{start}_{side}"]])

        for segment, end, target in (
            ("upper_arm", "forearm", (0.0, 0.10 * sign, -1.0)),
            ("forearm", "hand", (0.04, 0.02 * sign, -1.0)),
            ("thigh", "shank", (0.0, -0.06 * sign, -1.0)),
            ("shank", "foot", (0.0, -0.06 * sign, -1.0)),
        ):
            turns[SEGMENT[f"{segment}_{side}"]] = turn_onto(along(segment, end), np.array(target))
        turns[SEGMENT[f"hand_{side}"]] = turns[SEGMENT[f"forearm_{side}"]]
        foot = along("foot", "toes")
        turns[SEGMENT[f"foot_{side}"]] = turn("z", -float(np.rad2deg(np.arctan2(foot[1], foot[0]))))
        turns[SEGMENT[f"toes_{side}"]] = turns[SEGMENT[f"foot_{side}"]]

    standing = joints.copy()
    for name, parent in PARENTS.items():
        if parent:
            here, above = SEGMENT[name], SEGMENT[parent]
            standing[here] = standing[above] + turns[above] @ (joints[here] - joints[above])
    offsets = standing - np.einsum("sij,sj->si", turns, joints)
    vertices = np.einsum("ms,sij,mj->mi", weights, turns, vertices, optimize=True) + weights @ offsets
    return vertices, standing, face + standing[SEGMENT["head"]] - joints[SEGMENT["head"]]


def _scatter(
    vertices: Floats, triangles: NDArray[np.int64], weights: Floats, rng: np.random.Generator
) -> tuple[Floats, Floats, Floats]:
    """Points spread evenly over the surface, with their normals and weights."""
    corners = vertices[triangles]  # (faces, 3 corners, 3)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = np.linalg.norm(normals, axis=1)
    steps = (np.arange(NUM_POINTS) + rng.random(NUM_POINTS)) / NUM_POINTS
    chosen = np.searchsorted(np.cumsum(area) / area.sum(), steps).clip(max=len(area) - 1)
    a, b = rng.random((2, NUM_POINTS))
    fold = a + b > 1
    a[fold], b[fold] = 1 - a[fold], 1 - b[fold]
    mix = np.stack([1 - a - b, a, b], axis=1)
    points = np.einsum("mk,mki->mi", mix, corners[chosen])
    point_weights = np.einsum("mk,mks->ms", mix, weights[triangles[chosen]])
    return points, normals[chosen] / np.maximum(area[chosen], 1e-12)[:, None], point_weights


def _sole(vertices: Floats, weights: Floats, side: str) -> Floats:
    """Eight points under a foot, from heel to toe."""
    foot = vertices[weights[:, [SEGMENT[f"foot_{side}"], SEGMENT[f"toes_{side}"]]].sum(axis=1) > 0.9]
    edges = np.linspace(foot[:, 0].min(), foot[:, 0].max(), 9)[1:-1]
    part = np.digitize(foot[:, 0], edges)
    return np.stack([foot[part == k][foot[part == k, 2].argmin()] for k in range(8)])
