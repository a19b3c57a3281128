from __future__ import annotations

import numpy as np
import pytest
import torch

from gaitway.data.transforms import RandomAffine, RandomPerspective, RandomRotate, RotateFlip
from gaitway.data.transforms.geometric import Floats, affine_matrices, perspective_matrices, warp, warp_where

SHIFT = np.array([[[1.0, 0.0, 2.0], [0.0, 1.0, -1.0], [0.0, 0.0, 1.0]]])  # two right, one up


def moved_points(matrix: Floats, points: list[list[float]]) -> Floats:
    """Where a map of the plane takes points (x, y)."""
    moved: Floats = np.concatenate((points, np.ones((len(points), 1))), axis=1) @ matrix.T
    return moved[:, :2] / moved[:, 2:]


def test_quarter_turn_is_counter_clockwise_about_the_published_centre() -> None:
    frame = torch.zeros(1, 8, 12)
    frame[0, 6, 6] = 1.0  # two to the right of (x, y) = (h // 2, w // 2) = (4, 6)
    draws = {"fires": np.array([True]), "angle": np.array([90.0])}
    turned = RandomRotate(p=1, degree=90)(frame, np.array([1]), draws)
    assert turned[0, 4, 4] == pytest.approx(1.0, abs=1e-4)  # two above it
    assert turned.sum() == pytest.approx(1.0, abs=1e-3)


def test_perspective_takes_the_quadrilateral_to_the_frame() -> None:
    corners = np.array([[3.0, 58.0, 7.0, 60.0]])  # top left, top right, bottom left, bottom right
    found = moved_points(perspective_matrices(corners, 48, 64)[0], [[3, 0], [58, 0], [7, 48], [60, 48]])
    assert np.allclose(found, [[0, 0], [64, 0], [0, 48], [64, 48]])


def test_perspective_corners_are_drawn_from_the_published_range() -> None:
    draws = {"fires": np.array([True]), "corners": np.array([[0.0, 0.0, 0.999, 0.999]])}
    frame = torch.zeros(1, 64, 64)
    frame[0, 0, 54] = frame[0, 63, 63] = 1.0
    found = RandomPerspective(p=1)(frame, np.array([1]), draws)
    by_hand = warp(frame[None], perspective_matrices(np.array([[0.0, 54.0, 9.0, 63.0]]), 64, 64))[0]
    assert torch.equal(found, by_hand)


def test_affine_takes_three_points_to_three_others() -> None:
    shifts = np.array([[1.0, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2]])
    found = moved_points(affine_matrices(shifts, 64, 48)[0], [[1, 2], [61, 4], [5, 42]])
    assert np.allclose(found, [[7, 8], [55, 0], [1, 46]])  # the height is taken for x, as published


def test_warp_shifts_exactly_and_fills_with_black() -> None:
    images = torch.rand(1, 3, 8, 6, generator=torch.Generator().manual_seed(0))
    moved = warp(images, SHIFT)
    assert torch.allclose(moved[..., :-1, 2:], images[..., 1:, :-2], atol=1e-5)
    assert moved[..., -1, :].abs().max() < 1e-5
    assert moved[..., :2].abs().max() < 1e-5


def test_warped_uint8_stays_uint8() -> None:
    half = np.array([[[1.0, 0.0, 0.5], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]])
    moved = warp(torch.full((1, 1, 8, 6), 200, dtype=torch.uint8), half)
    assert moved.dtype == torch.uint8
    assert moved[0, 0, 4].tolist() == [100, 200, 200, 200, 200, 200]


def test_only_the_chosen_sequences_are_warped_each_by_its_own_map() -> None:
    counts = np.array([3, 1, 2, 4])
    frames = torch.rand(10, 8, 6, generator=torch.Generator().manual_seed(0))
    back = np.linalg.inv(SHIFT)
    fires = np.array([True, False, True, False])
    found = warp_where(fires, frames, counts, np.concatenate((SHIFT, SHIFT, back, back)))
    assert torch.equal(found[3], frames[3])
    assert torch.equal(found[6:], frames[6:])
    assert torch.allclose(found[:3], warp(frames[None, :3], SHIFT)[0], atol=1e-6)
    assert torch.allclose(found[4:6], warp(frames[None, 4:6], back)[0], atol=1e-6)


def test_rotate_flip_mirrors_first_and_turns_about_the_middle() -> None:
    frames = torch.rand(3, 8, 8, generator=torch.Generator().manual_seed(0))
    counts = np.array([1, 1, 1])
    draws = {
        "flips": np.array([True, True, False]),
        "rotates": np.array([False, True, False]),
        "angle": np.array([90.0, 90.0, 90.0]),
    }
    found = RotateFlip(degree=90)(frames, counts, draws)
    assert torch.equal(found[0], frames[0].flip(-1))
    assert torch.equal(found[1], frames[1].flip(-1).rot90())  # counter-clockwise
    assert torch.equal(found[2], frames[2])


def test_rotate_flip_makes_no_new_values() -> None:
    frames = (torch.rand(2, 64, 44, generator=torch.Generator().manual_seed(0)) < 0.5).float() * 0.7
    draws = {"flips": np.array([True]), "rotates": np.array([True]), "angle": np.array([7.3])}
    found = RotateFlip()(frames, np.array([2]), draws)
    assert set(found.flatten().tolist()) == set(frames.flatten().tolist())
    assert not torch.equal(found, frames.flip(-1))


def test_rotate_flip_draws_once_per_sequence() -> None:
    draws = RotateFlip(p=0.5, degree=10).draw(np.full(2000, 30), np.random.default_rng(0))
    assert {name: values.shape for name, values in draws.items()} == dict.fromkeys(
        ("rotates", "flips", "angle"), (2000,)
    )
    both = np.mean(draws["rotates"] & draws["flips"])
    assert both == pytest.approx(0.25, abs=0.04)  # two coins, not one
    assert -10 <= draws["angle"].min() < -9 < 9 < draws["angle"].max() < 10


def test_impossible_settings_and_small_frames_are_refused() -> None:
    with pytest.raises(ValueError, match="RandomRotate: degree is -5"):
        RandomRotate(degree=-5)
    with pytest.raises(ValueError, match="RotateFlip: degree is -1"):
        RotateFlip(degree=-1)
    with pytest.raises(ValueError, match="RandomPerspective: p is 2, expected a probability"):
        RandomPerspective(p=2)
    one = np.array([1])
    with pytest.raises(ValueError, match="the frames are 40 wide; use frames at least 44 wide"):
        RandomPerspective()(torch.zeros(1, 64, 40), one, RandomPerspective().draw(one, np.random.default_rng(0)))
    with pytest.raises(ValueError, match="the frames are 48 high; use frames of at least 64 × 64"):
        RandomAffine()(torch.zeros(1, 48, 64), one, RandomAffine().draw(one, np.random.default_rng(0)))


@pytest.mark.parametrize("fires", [[True, True], [False, True]])
def test_several_maps_of_a_frame_move_as_each_alone(fires: list[bool]) -> None:
    generator = torch.Generator().manual_seed(0)
    frames = torch.randint(256, (5, 2, 64, 64), generator=generator, dtype=torch.uint8)
    counts, random = np.array([2, 3]), np.random.default_rng(0)
    for transform in (RandomAffine(p=1), RandomPerspective(p=1), RandomRotate(p=1)):
        draws = {**transform.draw(counts, random), "fires": np.array(fires)}
        together = transform(frames, counts, draws)
        alone = [transform(frames[:, i], counts, draws) for i in range(2)]
        assert torch.equal(together, torch.stack(alone, 1))
        assert not torch.equal(together, frames)
