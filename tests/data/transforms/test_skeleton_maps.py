from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from gaitway.data.transforms import CutColumns, RandomHorizontalFlip, RandomPerspective, RandomRotate, SkeletonMaps
from gaitway.data.transforms import skeleton_maps as module
from gaitway.data.transforms.chain import Chain
from gaitway.data.transforms.skeleton_maps import LIMBS, as_grey, centred, coverage, drawn, imputed, shrunk

Floats = npt.NDArray[np.float64]


def poses(num_frames: int, seed: int = 0) -> Tensor:
    """People of about 200 pixels, whose joints are never at 0."""
    rng = np.random.default_rng(seed)
    body = np.array([0, -2, -2, -1, -1, 5, 5, 12, 12, 18, 18, 20, 20, 30, 30, 40, 40]) * 5.0
    places = np.stack((rng.normal(0, 15, (num_frames, 17)), body + rng.normal(0, 3, (num_frames, 17))), 2) + 300
    return torch.from_numpy(np.concatenate((places, rng.uniform(0.2, 1, (num_frames, 17, 1))), 2))


def distance_to_segment(p: Floats, a: Floats, b: Floats) -> float:
    along = b - a
    length = float(along @ along)
    share = min(max(float((p - a) @ along) / length, 0.0), 1.0) if length else 0.0
    return float(np.hypot(*(p - a - share * along)))


def drawn_by_hand(pose: Floats, canvas: int, sigma: float) -> Floats:
    """The description pixel by pixel."""
    maps = np.zeros((2, canvas, canvas))
    for i, pairs in enumerate((LIMBS, [(joint, joint) for joint in range(17)])):
        for first, second in pairs:
            a, b = pose[first, :2], pose[second, :2]
            sure = min(pose[first, 2], pose[second, 2])
            if sure < 0.001:
                continue
            if (a - b) @ (a - b) < 1:
                b, sure = a, pose[first, 2]
            low = [max(int(min(a[axis], b[axis]) - 3 * sigma), 0) for axis in (0, 1)]
            high = [min(int(max(a[axis], b[axis]) + 3 * sigma), canvas - 1) for axis in (0, 1)]
            for x in range(low[0], high[0] + 1):
                for y in range(low[1], high[1] + 1):
                    d = distance_to_segment(np.array([x, y], float), a, b)
                    maps[i, y, x] = max(maps[i, y, x], sure * math.exp(-(d**2) / (2 * sigma**2)))
    return maps


def test_limbs_and_joints_are_drawn_as_by_hand() -> None:
    normalised = centred(poses(3), 32)
    normalised[0, 9] = torch.tensor([-9.5, 40.2, 1.0])  # beyond the canvas, and its box ends at column 0
    normalised[1, 5, :2] = normalised[1, 7, :2] + 0.5  # a limb shorter than a pixel is its first joint
    normalised[2, 3, 2] = 0.0009  # too unsure to be drawn
    found = drawn(normalised, canvas=32, sigma=2.5).numpy()
    for i, pose in enumerate(normalised.numpy()):
        assert np.abs(found[i] - drawn_by_hand(pose, 32, 2.5)).max() < 1e-5


def test_a_frame_is_centred_on_the_hips_and_scaled_to_one_height() -> None:
    given = poses(4)
    found = centred(given, 128)
    assert torch.allclose(found[:, [11, 12], :2].mean(1), torch.tensor(64.0).double())
    height = found[..., 1].amax(1) - found[..., 1].amin(1)
    assert torch.allclose(height, torch.tensor(85.0).double())
    assert torch.equal(found[..., 2], given[..., 2])


def test_grey_levels_that_the_published_table_of_colours_lowers() -> None:
    levels = torch.arange(256)
    grey = as_grey(levels / 256)
    lowered = levels[grey != levels].tolist()
    assert lowered == [*range(33, 62, 4), *range(66, 123, 8), *range(132, 245, 16)]
    assert torch.equal(grey[lowered], levels[lowered] - 1.0)
    assert as_grey(torch.tensor(1.0)) == 255


def test_maps_are_cut_to_their_rows_and_shrunk_by_area() -> None:
    grey = torch.zeros(1, 2, 8, 8)
    grey[0, 0, 2:6, 4] = torch.tensor([100.0, 200.0, 50.0, 250.0])
    grey[0, 1, 1, 3] = 240.0
    apart = shrunk(grey, size=2, crop="apart")
    # limbs: rows 2 to 5 and columns 2 to 6, so that a piece is 2 rows and 2½ columns
    assert torch.equal(apart[0, 0], torch.tensor([[0.5, 0.5], [0.5, 0.5]]) * torch.tensor([[60.0], [60.0]]))
    # joints: row 1 and column 4 alone, where there is nothing
    assert not apart[0, 1].any()
    # both: rows 1 to 5 and columns 2 to 6, pieces of 2½ × 2½; the joint in row 1, column 3
    together = shrunk(grey, size=2, crop="together")
    assert torch.equal(together[0, 1], torch.tensor([[math.floor(240 / 6.25), 0.0], [0.0, 0.0]]))


def test_shares_of_an_axis() -> None:
    found = coverage(torch.tensor([1]), torch.tensor([6]), size=2, canvas=8)[0]
    assert torch.allclose(found, torch.tensor([[0, 0.4, 0.4, 0.2, 0, 0, 0, 0], [0, 0, 0, 0.2, 0.4, 0.4, 0, 0]]))


def test_missing_coordinates_come_from_the_nearest_frames_of_the_sequence() -> None:
    frames = torch.ones(6, 2, 3, dtype=torch.float64)
    frames[:, 0, 0] = torch.tensor([1.0, 2.0, 4.0, 8.0, 16.0, 32.0])  # decides who is near
    frames[:, 1, 1] = torch.tensor([0.0, 10.0, 20.0, 30.0, 40.0, 50.0])
    found = imputed(frames, np.array([6]))
    near, values = np.array([1.0, 3.0, 7.0, 15.0]), np.array([10.0, 20.0, 30.0, 40.0])
    assert found[0, 1, 1].item() == pytest.approx((values / near).sum() / (1 / near).sum())
    assert torch.equal(found[1:], frames[1:])
    assert torch.equal(found[..., 2], frames[..., 2]), "confidence stays"

    frames[0, 0, 0] = 2.0  # a frame at no distance decides alone
    assert imputed(frames, np.array([6]))[0, 1, 1] == 10.0


def test_frames_that_share_nothing_take_the_mean_and_what_nobody_has_stays() -> None:
    frames = torch.tensor([[[0.0, 7.0]], [[3.0, 0.0]], [[5.0, 0.0]]], dtype=torch.float64)
    assert torch.equal(
        imputed(frames, np.array([3]))[:, 0], torch.tensor([[4.0, 7.0], [3.0, 7.0], [5.0, 7.0]]).double()
    )
    nobody = torch.tensor([[[0.0, 0.0], [1.0, 2.0]], [[0.0, 5.0], [0.0, 2.0]]], dtype=torch.float64)
    assert torch.equal(imputed(nobody, np.array([2])), nobody)


def test_sequences_of_unequal_length_are_drawn_as_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    frames, counts = poses(9), np.array([4, 1, 4])
    frames[[0, 2, 6, 7], [3, 11, 5, 16]] = 0
    frames[4, 2] = 0  # of a sequence of one frame
    whole = SkeletonMaps(size=16, sigma=2)(frames, counts, {})
    alone = [SkeletonMaps(size=16, sigma=2)(x, np.array([len(x)]), {}) for x in torch.split(frames, counts.tolist())]
    assert torch.equal(whole, torch.cat(alone))
    assert whole.dtype == torch.uint8
    monkeypatch.setattr(module, "ELEMENTS_AT_ONCE", {"cpu": 1})  # one frame at a time
    assert torch.equal(SkeletonMaps(size=16, sigma=2)(frames, counts, {}), whole)


def test_frames_that_cannot_be_scaled_become_black_and_leave_the_others() -> None:
    frames = poses(4)
    good = SkeletonMaps(size=16)(frames[:1], np.array([1]), {})
    frames[1, :, 1] = 5.0
    frames[2, :, :2] = torch.nan
    frames[3, 4, 2] = torch.nan
    found = SkeletonMaps(size=16)(frames, np.array([1, 1, 1, 1]), {})
    assert torch.equal(found[:1], good)
    assert not found[1:].any()


def test_coordinates_that_are_no_numbers_are_missing() -> None:
    frames = poses(5)
    frames[1, 4, 0] = frames[3, 2, 1] = 0
    expected = imputed(frames, np.array([5]))
    frames[1, 4, 0], frames[3, 2, 1] = torch.nan, torch.inf
    assert torch.equal(imputed(frames, np.array([5])), expected)
    assert expected.all()


def test_poses_without_confidence_are_sure() -> None:
    frames = poses(2)
    frames[..., 2] = 1
    with_confidence, without = (SkeletonMaps(size=16)(x, np.array([2]), {}) for x in (frames, frames[..., :2]))
    assert torch.equal(with_confidence, without)
    assert with_confidence.amax() == 255


def test_published_augmentations_follow() -> None:
    steps = (SkeletonMaps(), RandomPerspective(p=1), CutColumns(), RandomHorizontalFlip(p=1), RandomRotate(p=1))
    chain, counts = Chain(steps), np.array([2, 3])
    maps, _ = chain(poses(5).float(), counts, chain.draw(counts, np.random.default_rng(0)))
    assert maps.shape == (5, 2, 64, 44)
    assert maps.dtype == torch.float32
    assert 0.9 < maps.amax() <= 1


@pytest.mark.parametrize("options", [{"size": 0}, {"sigma": 0.0}, {"crop": "both"}])
def test_senseless_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected a size of at least 1"):
        SkeletonMaps(**options)


def test_poses_of_other_joints_are_refused() -> None:
    with pytest.raises(ValueError, match="found frames of 18 × 3; put ToCoco17 before it"):
        SkeletonMaps()(torch.rand(2, 18, 3), np.array([2]), {})
