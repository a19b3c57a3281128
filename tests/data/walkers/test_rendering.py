"""What a walker looks like: these tests render with Anny (extra `walkers`)."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from gaitway.cli import main
from gaitway.data import Store
from gaitway.data.walkers import CONDITIONS, Recording, record, write_raw_tree, write_store
from gaitway.data.walkers.body import follow
from gaitway.data.walkers.camera import VIEWS, camera_of, draw_silhouettes
from gaitway.data.walkers.gait import Load, walk
from gaitway.data.walkers.generate import Walker, make_walker
from gaitway.data.walkers.keypoints import hidden, joints_of
from gaitway.data.walkers.layouts import RAW_LAYOUTS
from gaitway.data.walkers.skeleton import SEGMENT, SEGMENTS
from gaitway.data.walkers.skinning import Skin
from gaitway.skeletons import COCO_JOINTS

pytest.importorskip("anny")
pytestmark = pytest.mark.xdist_group("anny")  # loading Anny's body data takes time: once is enough


@pytest.fixture(scope="module")
def walker() -> Walker:
    return make_walker(seed=3, identity=1)


def recordings(conditions: tuple[str, ...], views: tuple[str, ...], identity: int = 1) -> list[Recording]:
    return list(record(3, identity, num_frames=6, conditions=conditions, views=views))


def clean(walker: Walker, kind: str, view: str = "090") -> NDArray[np.uint8]:
    body = walker.bodies[kind]
    rng = np.random.default_rng(0)
    pose = walk(body, walker.style, num_frames=24, phase=0.0, load=Load(), rng=rng)
    return draw_silhouettes(Skin(body).place(pose), camera_of(view))


def test_the_same_arguments_give_the_same_recording_and_others_do_not() -> None:
    first, again = recordings(("bg-01",), ("036",))[0], recordings(("bg-01",), ("036",))[0]
    np.testing.assert_array_equal(first.frames, again.frames)
    np.testing.assert_array_equal(first.poses, again.poses)
    assert not np.array_equal(first.frames, recordings(("bg-01",), ("036",), identity=2)[0].frames)
    assert not np.array_equal(first.frames, recordings(("bg-02",), ("036",))[0].frames)


def test_a_view_is_the_same_whatever_else_is_recorded() -> None:
    alone = recordings(("nm-02",), ("108",))[0]
    among = next(r for r in recordings(("cl-01", "nm-02"), ("000", "108")) if (r.condition, r.view) == ("nm-02", "108"))
    np.testing.assert_array_equal(alone.frames, among.frames)
    np.testing.assert_array_equal(alone.poses, among.poses)


def test_people_are_whole_and_of_casia_b_s_size() -> None:
    for recording in recordings(("nm-01",), VIEWS):
        assert recording.frames.shape == (6, 240, 320)
        assert set(np.unique(recording.frames)) == {0, 255}
        for frame in recording.frames:
            rows, columns = np.flatnonzero(frame.any(axis=1)), np.flatnonzero(frame.any(axis=0))
            assert 70 < np.ptp(rows) < 150
            assert rows[0] > 0
            assert rows[-1] < 239
            assert columns[0] > 0
            assert columns[-1] < 319


def test_joints_lie_on_the_body() -> None:
    for recording in recordings(("nm-01", "nm-02"), VIEWS):
        assert recording.poses.shape == (6, len(COCO_JOINTS), 3)
        assert recording.poses[..., 2].min() > 0
        assert recording.poses[..., 2].max() <= 1
        near = np.stack([cv2.dilate(frame, np.ones((9, 9), np.uint8)) for frame in recording.frames])
        x, y = np.round(recording.poses[..., 0]).astype(int), np.round(recording.poses[..., 1]).astype(int)
        on_body = near[np.arange(6)[:, None], y, x] > 0
        assert on_body.mean() > 0.95


def test_far_sides_are_hidden(walker: Walker) -> None:
    body = walker.bodies["nm"]
    pose = walk(body, walker.style, num_frames=24, phase=0.0, load=Load(), rng=np.random.default_rng(0))
    seen = {view: 1 - hidden(joints_of(pose, body), pose, camera_of(view)).mean(axis=0) for view in VIEWS}
    left, right = COCO_JOINTS.index("left_ear"), COCO_JOINTS.index("right_ear")
    assert seen["090"][left] > 0.9  # the camera at 90 degrees is on the left
    assert seen["090"][right] < 0.1
    assert seen["000"][COCO_JOINTS.index("nose")] > 0.9
    assert seen["180"][COCO_JOINTS.index("nose")] < 0.1


def test_arms_swing_against_the_legs_and_feet_stay_on_the_ground(walker: Walker) -> None:
    body = walker.bodies["nm"]
    pose = walk(body, walker.style, num_frames=50, phase=0.0, load=Load(), rng=np.random.default_rng(0))
    ahead = pose.joints[..., 0] - pose.joints[:, [SEGMENT["pelvis"]], 0]
    for side in ("left", "right"):
        hand, ankle = ahead[:, SEGMENT[f"hand_{side}"]], ahead[:, SEGMENT[f"foot_{side}"]]
        assert np.corrcoef(hand, ankle)[0, 1] < -0.5
    lowest = Skin(body).place(pose)[2].min(axis=1)
    assert np.abs(lowest).max() < 0.03
    speed = np.ptp(pose.joints[:, SEGMENT["pelvis"], 0]) / (49 / 25)
    assert 0.5 < speed < 1.8


def test_a_bag_adds_area_and_a_coat_adds_more(walker: Walker) -> None:
    normal, bag, coat = (int((clean(walker, kind) > 0).sum()) for kind in ("nm", "bg", "cl"))
    assert 1.02 * normal < bag
    assert 1.10 * normal < coat


def test_weights_follow_named_segments() -> None:
    weights = follow(2, thorax=0.8, lumbar=np.array([0.8, 2.4]))
    assert weights.shape == (2, len(SEGMENTS))
    np.testing.assert_allclose(weights[:, SEGMENT["thorax"]], [0.5, 0.25])
    np.testing.assert_allclose(weights.sum(axis=1), 1)


def test_writes_the_same_store_with_any_number_of_processes_and_after_an_interruption(tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise RuntimeError(f"stopped after {done} of {total}")

    one = write_store(tmp_path / "one", num_identities=2, seed=5, num_frames=1, num_processes=1)
    with pytest.raises(RuntimeError, match="stopped after 110 of 220"):
        write_store(tmp_path / "two", num_identities=2, seed=5, num_frames=1, num_processes=2, progress=stop)
    assert not (tmp_path / "two").exists()
    two = write_store(tmp_path / "two", num_identities=2, seed=5, num_frames=1, num_processes=2)
    assert dict(one.manifest.checksums) == dict(two.manifest.checksums)
    assert [info.name for info in one.index] == sorted(
        f"{subject}-{condition}-{view}" for subject in ("001", "002") for condition in CONDITIONS for view in VIEWS
    )


def test_writes_casia_b_s_raw_layout(tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    write_raw_tree(
        tmp_path / "raw",
        num_identities=1,
        seed=3,
        num_frames=2,
        num_processes=1,
        progress=lambda done, total: calls.append((done, total)),
    )
    files = sorted(str(file.relative_to(tmp_path / "raw")) for file in (tmp_path / "raw").rglob("*.png"))
    assert len(files) == 110 * 2
    assert files[0] == "001/bg-01/000/001-bg-01-000-001.png"
    assert files[-1] == "001/nm-06/180/001-nm-06-180-002.png"
    frame = cv2.imread(str(tmp_path / "raw" / files[0]), cv2.IMREAD_UNCHANGED)
    assert frame is not None
    np.testing.assert_array_equal(frame, next(record(3, 1, num_frames=2)).frames[0])
    assert calls == [(1, 1)]
    assert [entry.name for entry in tmp_path.iterdir()] == ["raw"]


def test_writes_other_data_sets_raw_layouts(tmp_path: Path) -> None:
    write_raw_tree(tmp_path / "raw", layout="grew", num_identities=1, seed=3, num_frames=2, num_processes=1)
    files = sorted(str(file.relative_to(tmp_path / "raw")) for file in (tmp_path / "raw").rglob("*.png"))
    assert len(files) == 8 * 3
    assert files[0] == "train/00001/47502CDE/00001.png"
    frame = cv2.imread(str(tmp_path / "raw" / files[0]), cv2.IMREAD_UNCHANGED)
    assert frame is not None
    assert frame.shape == (64, 64)
    write_raw_tree(tmp_path / "poses", layout="grew-pose", num_identities=1, seed=3, num_frames=2, num_processes=1)
    poses = sorted(str(file.relative_to(tmp_path / "poses")) for file in (tmp_path / "poses").rglob("*_2d_pose.txt"))
    assert poses == [name.replace(".png", "_2d_pose.txt") for name in files if "_gei" not in name]
    numbers = [float(word) for word in (tmp_path / "poses" / poses[0]).read_text().split(",")]
    assert numbers[:2] == [240, 320]
    expected = next(  # GREW's first video by name
        r.poses[0]
        for r in record(3, 1, num_frames=2, conditions=RAW_LAYOUTS["grew"].conditions, views=["036", "090"])
        if RAW_LAYOUTS["grew"].folder_of(1, r.condition, r.view) == "train/00001/47502CDE"
    )
    np.testing.assert_allclose(np.reshape(numbers[2:], (17, 3)), expected, rtol=1e-5)
    with pytest.raises(ValueError, match="no raw layout 'casia'; known are casia-b, casia-e, ccpg, gait3d, grew, hid"):
        write_raw_tree(tmp_path / "other", layout="casia", num_identities=1, seed=3)


def test_the_command_writes_a_store_and_refuses_to_overwrite(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["data", "walkers", str(tmp_path / "w"), "--identities", "1", "--seed", "7", "--frames", "1"]
    assert main(words) == 0
    assert Store(tmp_path / "w").manifest.num_sequences == 110
    assert main(words) == 2
    assert "exists already" in capsys.readouterr().err
    assert main([*words[:2], str(tmp_path / "v"), "--identities", "0"]) == 2
    assert "num_identities is 0" in capsys.readouterr().err
    assert not list(tmp_path.glob("v*"))
