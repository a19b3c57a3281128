from __future__ import annotations

import pytest

from gaitway.skeletons import (
    COCO12,
    COCO17,
    OPENPOSE18,
    OPENPOSE18_TO_COCO17,
    SKELETONS,
    Skeleton,
    skeleton,
    skeleton_of,
)

ALL = pytest.mark.parametrize("it", SKELETONS.values(), ids=SKELETONS.keys())


@ALL
def test_joints_edges_and_parents_fit_together(it: Skeleton) -> None:
    everyone = set(range(it.num_joints))
    assert len(set(it.joints)) == it.num_joints
    assert {joint for edge in it.edges for joint in edge} == everyone  # nobody is left alone
    assert len({frozenset(edge) for edge in it.edges}) == len(it.edges)
    assert all(len(set(edge)) == 2 for edge in it.edges)
    assert len(it.parents) == it.num_joints
    assert set(it.parents) <= everyone
    assert it.center in everyone


@ALL
def test_partitions_take_every_joint_once(it: Skeleton) -> None:
    for parts in it.partitions.values():
        assert sorted(joint for part in parts.values() for joint in part) == list(range(it.num_joints))


@ALL
def test_partners_are_on_the_other_side(it: Skeleton) -> None:
    for joint, partner in enumerate(it.mirrored):
        assert it.mirrored[partner] == joint
        name, other = it.joints[joint], it.joints[partner]
        if name.startswith(("left_", "right_")):
            assert partner != joint
            assert name.partition("_")[2] == other.partition("_")[2]
        else:
            assert partner == joint
    mirrored_edges = {frozenset(it.mirrored[joint] for joint in edge) for edge in it.edges}
    assert mirrored_edges == {frozenset(edge) for edge in it.edges}  # bodies are symmetric


def test_names() -> None:
    assert COCO17.index("left_hip", "nose") == (11, 0)
    assert COCO17.joints[COCO17.center] == "nose"
    assert OPENPOSE18.joints[OPENPOSE18.center] == "neck"
    assert COCO12.joints == COCO17.joints[5:]
    assert [OPENPOSE18.joints[joint] for joint in OPENPOSE18_TO_COCO17] == list(COCO17.joints)


def test_skeletons_by_name_and_by_number_of_joints() -> None:
    assert all(skeleton(name) is it for name, it in SKELETONS.items())
    assert skeleton_of(17) is COCO17
    assert skeleton_of(18) is OPENPOSE18
    assert skeleton_of(12) is None  # no recorded poses are like that
    with pytest.raises(ValueError, match="no skeleton 'coco'; known are coco12, coco17, openpose18"):
        skeleton("coco")
