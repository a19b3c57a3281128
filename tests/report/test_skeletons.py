from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from gaitway.report.skeletons import COLORS, HEIGHT_OF_JOINT, confidences, draw_skeletons, scaled_to_body
from gaitway.skeletons import COCO17, SKELETONS, Skeleton

PAPER = (255, 255, 255)
Floats = npt.NDArray[np.float64]


def standing(skeleton: Skeleton, t: int = 4) -> Floats:
    """Poses `(t, v, 3)` of a body 1 high that stands over 0: arms and legs apart, all joints sure."""
    poses = np.ones((t, skeleton.num_joints, 3))
    for v, joint in enumerate(skeleton.joints):
        sideways = {"left": 0.1, "right": -0.1}.get(joint.partition("_")[0], 0)
        poses[:, v, :2] = sideways, HEIGHT_OF_JOINT[joint.rpartition("_")[2]]
    return poses


def is_color(picture: npt.NDArray[np.uint8], side: str) -> npt.NDArray[np.bool_]:
    close: npt.NDArray[np.bool_] = np.abs(picture.astype(int) - COLORS[side]) < 3
    return np.asarray(close.all(axis=-1))


@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=SKELETONS)
@pytest.mark.parametrize(("scale", "shift"), [(1, (5, 0)), (320, (700, -40)), (0.01, (0, 9))])
def test_a_body_in_any_unit_fills_the_picture(skeleton: Skeleton, scale: float, shift: tuple[float, float]) -> None:
    poses = standing(skeleton)
    poses[..., :2] = poses[..., :2] * scale + shift
    places = scaled_to_body(poses, skeleton, height=100, width=60, sure=confidences(poses))
    expected = standing(skeleton)[..., :2] * 100 + (30, 0)
    np.testing.assert_allclose(places, expected, atol=1e-6)


def test_each_frame_is_scaled_for_itself() -> None:
    poses = standing(COCO17, 3)
    poses[..., :2] *= np.array([90, 100, 111])[:, None, None]
    places = scaled_to_body(poses, COCO17, height=100, width=60, sure=confidences(poses))
    np.testing.assert_allclose(places, standing(COCO17, 3)[..., :2] * 100 + (30, 0), atol=2)


def test_missing_joints_hardly_move_the_others() -> None:
    poses = 200 * standing(COCO17, 40)
    poses[..., 2] = np.random.default_rng(0).random(poses.shape[:2]) > 0.5
    sure = confidences(poses)
    places = scaled_to_body(poses, COCO17, height=100, width=60, sure=sure)
    there = sure > 0
    assert 0.4 < there.mean() < 0.6
    np.testing.assert_allclose(places[there][:, 1], (standing(COCO17, 40)[..., 1] * 100)[there], atol=1e-6)


@pytest.mark.parametrize(
    "poses", [np.zeros((3, 17, 3)), np.full((3, 17, 3), np.nan), -standing(COCO17), standing(COCO17)[:, :, ::-1]]
)
def test_whatever_the_pose_its_places_are_numbers_of_about_the_pictures_size(poses: Floats) -> None:
    places = scaled_to_body(poses, COCO17, height=100, width=60, sure=confidences(poses))
    assert np.isfinite(places).all()
    assert (np.abs(places[confidences(poses) > 0]) <= 250).all()


def test_a_lonely_joint_takes_the_size_of_the_rest_of_the_sequence() -> None:
    poses = 200 * standing(COCO17, 5)
    poses[2, 1:, 2] = 0
    places = scaled_to_body(poses, COCO17, height=100, width=60, sure=confidences(poses))
    assert places[2, 0].tolist() == pytest.approx([30, 9])


def test_confidences() -> None:
    poses = np.array([[[4, 5, 0.5], [4, 5, 1.7], [4, 5, -1], [0, 0, 0.9], [0, 5, 1], [np.nan, 5, 1], [4, 5, np.nan]]])
    assert confidences(poses).tolist() == [[0.5, 1, 0, 0, 1, 0, 0]]
    assert confidences(poses[..., :2]).tolist() == [[1, 1, 1, 0, 1, 0, 1]]


def drawn(sure: Floats, t: int = 1, height: int = 128) -> npt.NDArray[np.uint8]:
    pictures = np.full((t, height, height, 3), PAPER, np.uint8)
    places = standing(COCO17, t)[..., :2] * height + (height / 2, 0)
    draw_skeletons(pictures, places, sure, COCO17, ground=PAPER)
    return pictures


def test_left_is_blue_with_dots_and_right_orange_with_rings() -> None:
    picture = drawn(np.ones((1, 17)))[0]
    left_half, right_half = picture[:, 70:], picture[:, :58]  # of a walker who comes towards us
    assert is_color(left_half, "left").sum() > 150
    assert is_color(right_half, "right").sum() > 150
    assert not is_color(left_half, "right").any()
    assert not is_color(right_half, "left").any()
    shoulders = round(128 * HEIGHT_OF_JOINT["shoulder"])
    assert is_color(picture[shoulders, 60:68], "middle").all()
    hip, across = round(128 * HEIGHT_OF_JOINT["hip"]), round(128 * 0.1)
    assert is_color(picture[hip, 64 + across], "left")
    assert (picture[hip, 64 - across] > 240).all()


def test_a_missing_joint_and_its_bones_are_not_drawn() -> None:
    sure = np.ones((1, 17))
    sure[0, COCO17.index("left_knee", "left_ankle")] = 0
    picture = drawn(sure)[0]
    below_hip = round(128 * HEIGHT_OF_JOINT["hip"]) + 6
    assert not is_color(picture[below_hip:], "left").any()
    assert is_color(picture[below_hip:], "right").any()
    assert (drawn(np.zeros((1, 17))) == 255).all()


def test_the_less_sure_the_paler() -> None:
    knee = round(128 * 0.6), 64 + round(128 * 0.1)
    darkness = []
    for confidence in (0.1, 0.4, 0.7, 1.0):
        sure = np.ones((1, 17))
        sure[0, COCO17.index("left_knee")] = confidence
        darkness.append(255 - int(drawn(sure)[0][knee].mean()))
    assert darkness == sorted(darkness)
    assert 0 < darkness[0] < darkness[-1] / 2


def test_frames_do_not_reach_into_each_other() -> None:
    sure = np.zeros((400, 17))
    sure[1::2] = 1  # on several canvases
    pictures = np.full((400, 100, 40, 3), PAPER, np.uint8)
    places = np.zeros((400, 17, 2)) + np.linspace(-300, 500, 17)[:, None]
    draw_skeletons(pictures, places, sure, COCO17, ground=PAPER)
    assert (pictures[::2] == 255).all()
    assert (pictures[1::2] != 255).any(axis=(1, 2, 3)).all()
    np.testing.assert_array_equal(pictures[399], pictures[1])
