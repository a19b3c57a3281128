"""Poses drawn as two grey pictures per frame, limbs and joints, for networks of silhouettes.

"SkeletonGait: Gait Recognition Using Skeleton Maps", Fan et al., AAAI 2024, arXiv 2311.13444; steps, constants and
roundings are those of OpenGait's `datasets/pretreatment_heatmap.py`, which released weights were trained with.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import Tensor

from gaitway.data.memory import empty, on_device
from gaitway.data.sampling import Ints
from gaitway.data.transforms.chain import Draws
from gaitway.skeletons import COCO17

Crop = Literal["apart", "together"]

LIMBS = (
    *((0, 1), (0, 2), (1, 3), (2, 4)),  # head
    *((0, 5), (5, 7), (7, 9), (0, 6), (6, 8), (8, 10)),  # the arms begin at the nose
    *((5, 11), (11, 13), (13, 15), (6, 12), (12, 14), (14, 16), (11, 12)),
)
"""What is drawn of COCO's 17 joints; not the edges of `COCO17`, which graph networks use."""

HIPS = COCO17.index("left_hip", "right_hip")
NUM_DONORS = 4
LEAST_CONFIDENCE = 0.001
SCALED_DOWN = 1.5
"""The side of the canvas to the height of a body on it."""
REACH = 3
"""Standard deviations to which a joint or limb is drawn, along rows and columns."""
ELEMENTS_AT_ONCE = {"cpu": 2**20, "cuda": 2**25}
"""Of one tensor, so that memory does not grow with the number of frames: what fits into a cache, or fills a GPU."""


class SkeletonMaps:
    """Draws limbs and joints as blurred lines and dots, brighter where they are surer.

    Joints that were not found take their place from the frames of their sequence that are nearest in the other joints,
    of those that the batch has; where a coordinate is missing in all of them nothing is filled in, as published. A
    frame in which all joints have one height becomes black.

    Args:
        size: Height and width of the maps. They are drawn on a canvas of twice the size.
        sigma: Standard deviation of the blur in pixels of the canvas.
        crop: Each map is cut to its own rows that are not black (`apart`, as published), so that limbs and joints are
            scaled and shifted by a little against each other; or both maps to the rows of both (`together`).
    """

    def __init__(self, *, size: int = 64, sigma: float = 8.0, crop: Crop = "apart") -> None:
        if size < 1 or sigma <= 0 or crop not in ("apart", "together"):
            raise ValueError(
                f"SkeletonMaps: size {size}, sigma {sigma} and crop {crop!r}; expected a size of at least 1, a sigma "
                "above 0, and crop apart or together"
            )
        self.size, self.sigma, self.crop = size, sigma, crop

    def draw(self, counts: Ints, generator: np.random.Generator) -> Draws:
        """Nothing is random."""
        return {}

    def __call__(self, frames: Tensor, counts: Ints, draws: Draws) -> Tensor:
        """`(m, 17, 3)`, or `(m, 17, 2)` of full confidence, to `(m, 2, size, size)` uint8: limbs, joints."""
        if frames.shape[1] != COCO17.num_joints or frames.shape[2] not in (2, 3):
            raise ValueError(
                f"SkeletonMaps takes poses of COCO's 17 joints, x, y and confidence, found frames of "
                f"{' × '.join(map(str, frames.shape[1:]))}; put ToCoco17 before it for OpenPose's 18"
            )
        canvas = 2 * self.size
        poses = centred(imputed(frames, counts), canvas)
        maps = empty((len(poses), 2, self.size, self.size), torch.uint8, frames.device)
        num = _at_once(len(LIMBS) * canvas**2, frames.device)
        space = _space(min(num, len(poses)), canvas, frames.device)
        for block, target in zip(torch.split(poses, num), torch.split(maps, num), strict=True):
            grey = as_grey(drawn(block, canvas=canvas, sigma=self.sigma, space=space[:, : len(block)]))
            target.copy_(shrunk(grey, size=self.size, crop=self.crop))
        return maps


def imputed(frames: Tensor, counts: Ints) -> Tensor:
    """Fill in coordinates that are missing, which is when they are exactly 0, or not finite.

    Each takes the mean of the 4 frames of its sequence that have it and are nearest, weighted by the inverse of the
    distance. The distance of two frames is Euclidean over the coordinates that both have, scaled up to all of them.
    In a sequence in all of whose frames a coordinate is missing all that is missing is 0, as published.

    Args:
        frames: `(m, v, c)`, x and y first, of n sequences, one after the other.
        counts: `(n,)`, frames per sequence.

    Returns:
        `(m, v, c)`.
    """
    m, v, device = len(frames), frames.shape[1], frames.device
    x = frames[..., :2].flatten(1)  # (m, 2v)
    present = (x != 0) & x.isfinite()
    x = torch.where(present, x, 0)
    sequence = on_device(np.repeat(np.arange(len(counts)), counts), device)  # (m,)
    first, length = on_device(np.cumsum(counts) - counts, device), on_device(counts, device)
    none = x.new_zeros(len(counts), 2 * v)
    num_donors, sums = none.index_add(0, sequence, present.to(x.dtype)), none.index_add(0, sequence, x)
    gaps = ~present & (num_donors > 0).all(1)[sequence, None]
    position = torch.arange(int(counts.max()), device=device)
    filled = x.clone()
    for rows in torch.split(gaps.any(1).nonzero().squeeze(1), _at_once(len(position) * 2 * v, device)):
        of = sequence[rows]
        donors = (first[of, None] + position).clamp(max=m - 1)  # (r, t), beyond the end others, which don't count
        common = present[rows, None] & present[donors]  # (r, t, 2v)
        num_common = common.sum(2)
        squared = ((x[rows, None] - x[donors]).square() * common).sum(2) * (2 * v / num_common)
        known = (position < length[of, None]) & (num_common > 0)
        distance = torch.where(known, squared.sqrt(), torch.inf)  # (r, t)

        row, coordinate = gaps[rows].nonzero().unbind(1)  # (g,)
        has_it = present[donors[row], coordinate[:, None]]  # (g, t)
        nearest, place = torch.where(has_it, distance[row], torch.inf).topk(
            min(NUM_DONORS, len(position)), largest=False
        )
        equal = nearest == 0
        weights = torch.where(equal.any(1, keepdim=True), equal.to(x.dtype), 1 / nearest)  # (g, 4)
        total = weights.sum(1)
        weighted = (weights * x[donors[row].gather(1, place), coordinate[:, None]]).sum(1) / total
        mean = (sums / num_donors)[of[row], coordinate]
        filled[rows[row], coordinate] = torch.where(total > 0, weighted, mean)
    return torch.cat((filled.view(m, v, 2), frames[..., 2:]), 2)


def centred(poses: Tensor, canvas: int) -> Tensor:
    """Bring the hips into the middle of the canvas and every frame's body to two thirds of its height.

    Args:
        poses: `(m, 17, 3)`, or `(m, 17, 2)` of full confidence.
        canvas: Height and width of the canvas in pixels.

    Returns:
        `(m, 17, 3)`; frames that cannot be scaled have all joints in the middle and confidence 0.
    """
    places = poses[..., :2]
    confidence = poses[..., 2:] if poses.shape[2] == 3 else torch.ones_like(places[..., :1])
    height = places[..., 1].amax(1) - places[..., 1].amin(1)
    scale = int(canvas / SCALED_DOWN) / height
    centred = (places - places[:, list(HIPS)].mean(1, keepdim=True)) * scale[:, None, None] + canvas / 2
    found = torch.cat((centred, confidence), 2)
    nothing = found.new_tensor([canvas / 2, canvas / 2, 0])
    return torch.where(found.isfinite().all(2).all(1)[:, None, None], found, nothing)


def drawn(poses: Tensor, *, canvas: int, sigma: float, space: Tensor | None = None) -> Tensor:
    """Draw limbs and joints; where several cover a pixel the brightest counts.

    A pixel at distance d from a joint or limb of confidence s has the brightness s · exp(-d² / 2σ²), as far as it lies
    in the box of 3σ around it. A limb is as sure as the less sure of its ends; one shorter than a pixel is its first
    end. The maximum is taken of the logarithms, so that there is one exponential per pixel, in float32.

    Args:
        poses: `(m, 17, 3)` in pixels of the canvas.
        canvas: Height and width of the canvas.
        sigma: Standard deviation in pixels.
        space: `(2, m, 17, canvas, canvas)` float32 of any content to draw in. On a CPU fresh memory takes ten times as
            long as what is done in it.

    Returns:
        `(m, 2, canvas, canvas)` float32: limbs, joints.
    """
    places, confidence = poses[..., :2], poses[..., 2]
    sure = torch.where(confidence < LEAST_CONFIDENCE, 0, confidence)
    _, of_joints = _along_axes(places, places, sure, canvas=canvas, sigma=sigma)
    first, second = torch.tensor(LIMBS, device=poses.device).unbind(1)
    start, end = places[:, first], places[:, second]  # (m, 17, 2)
    short = (end - start).square().sum(2) < 1
    end = torch.where(short[..., None], start, end)
    least = torch.minimum(sure[:, first], sure[:, second])
    least = torch.where(short & (least > 0), sure[:, first], least)
    away, fall = _along_axes(start, end, least, canvas=canvas, sigma=sigma)
    # with s the place along the limb, 0 at its start and 1 at its end, and u = s clamped to the limb,
    # d² = |away|² - length² · u (2s - u); s and u are scaled so that the factors are 1
    along = end - start
    length = along.norm(dim=2)
    scaled = (away * (along / length.clamp(min=1)[..., None] / sigma)[..., None]).float()
    s, u = _space(len(poses), canvas, poses.device) if space is None else space  # (m, 17, canvas, canvas)
    torch.add(scaled[:, :, 0, None, :], scaled[:, :, 1, :, None], out=s)
    torch.minimum(torch.clamp(s, min=0, out=u), (length / sigma).float()[..., None, None], out=u)
    limbs = s.sub_(u, alpha=0.5).mul_(u).add_(fall[:, :, 0, None, :]).add_(fall[:, :, 1, :, None]).amax(1)
    torch.add(of_joints[:, :, 0, None, :], of_joints[:, :, 1, :, None], out=s)
    return torch.stack((limbs, s.amax(1)), 1).exp_()


def _along_axes(start: Tensor, end: Tensor, confidence: Tensor, *, canvas: int, sigma: float) -> tuple[Tensor, Tensor]:
    """What of a limb's brightness is a sum of one term of the column and one of the row.

    Args:
        start: `(m, k, 2)`, x and y.
        end: `(m, k, 2)`.
        confidence: `(m, k)`; 0 draws nothing.
        canvas: Height and width of the canvas.
        sigma: Standard deviation in pixels.

    Returns:
        How far columns and rows are from the start, and the terms, -∞ outside of the limb's box, float32; both
        `(m, k, 2, canvas)`.
    """
    pixels = torch.arange(canvas, device=start.device, dtype=start.dtype)
    low = (torch.minimum(start, end) - REACH * sigma).trunc()[..., None]
    high = (torch.maximum(start, end) + REACH * sigma).trunc()[..., None]
    away = pixels - start[..., None]
    fall = away.square() / (-2 * sigma**2) + confidence.log()[..., None, None] / 2
    return away, torch.where((low <= pixels) & (pixels <= high), fall, -torch.inf).float()


def as_grey(brightness: Tensor) -> Tensor:
    """Grey levels 0 to 255, as whole numbers in float32, of a brightness 0 to 1.

    As published they go through a table of colours, which lowers some of the levels by one.
    """
    levels = (256 * brightness).floor_().clamp_(max=255)
    return (255 * (levels.double() * (1 / 255))).trunc_().float()


def shrunk(grey: Tensor, *, size: int, crop: Crop) -> Tensor:
    """Cut out the rows that are not black, and as many columns around the middle, and shrink them to a square.

    Every pixel of the square is the mean of the area that it covers, rounded down.

    Args:
        grey: `(m, 2, canvas, canvas)`, 0 to 255.
        size: Height and width of the square.
        crop: See `SkeletonMaps`.

    Returns:
        `(m, 2, size, size)`.
    """
    canvas = grey.shape[-1]
    visible = grey.amax(3) > 0  # (m, 2, canvas)
    if crop == "together":
        visible = visible.any(1, keepdim=True)
    rows = torch.arange(canvas, device=grey.device)
    top = torch.where(visible, rows, canvas).amin(2)
    bottom = torch.where(visible, rows + 1, 0).amax(2)
    half = (bottom - top) // 2
    down = coverage(top, bottom, size=size, canvas=canvas).to(grey.dtype)
    across = coverage(canvas // 2 - half, (canvas // 2 + half + 1).clamp(max=canvas), size=size, canvas=canvas)
    return (down @ grey @ across.to(grey.dtype).mT).add_(1e-3).floor_()


def coverage(first: Tensor, last: Tensor, *, size: int, canvas: int) -> Tensor:
    """The shares of pixels of an axis in equal pieces of it.

    Args:
        first: `(...)`, the pixel at which the first piece begins.
        last: `(...)`, the pixel before which the last one ends.
        size: Number of pieces.
        canvas: Number of pixels.

    Returns:
        `(..., size, canvas)`; each piece's shares add up to 1.
    """
    step = ((last - first) / size)[..., None, None]
    begin = first[..., None, None] + step * torch.arange(size, device=first.device)[:, None]
    pixel = torch.arange(canvas, device=first.device)
    inside = torch.minimum(begin + step, pixel + 1) - torch.maximum(begin, pixel)
    return inside.clamp_(min=0) / step


def _space(num_frames: int, canvas: int, device: torch.device) -> Tensor:
    return empty((2, num_frames, len(LIMBS), canvas, canvas), torch.float32, device)


def _at_once(elements: int, device: torch.device) -> int:
    """How many frames to work on at a time, if one takes so many elements."""
    return max(1, ELEMENTS_AT_ONCE["cpu" if device.type == "cpu" else "cuda"] // elements)
