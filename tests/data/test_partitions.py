from __future__ import annotations

import json
from pathlib import Path

import pytest

from gaitway.data.partitions import list_partitions, load_partition
from tests.conftest import MakeStore

COUNTS = {
    "casia-b": (74, 50),
    "casia-e": (200, 814),
    "ccgr": (571, 400),
    "ccgr-mini": (571, 400),
    "ccpg": (100, 100),
    "d-gait": (194, 98),
    "freegait": (500, 695),
    "gait3d": (3000, 1000),
    "gaitlu-1m": (100, 0),
    "grew": (20000, 6001),
    "hid2022": (500, 506),
    "hid2023": (0, 860),
    "oumvlp": (5153, 5154),
    "ragar": (250, 283),
    "scoliosis1k-1116": (745, 748),
    "scoliosis1k-112": (745, 748),
    "scoliosis1k-114": (745, 748),
    "scoliosis1k-118": (744, 749),
    "sustech1k": (250, 800),
}


@pytest.mark.parametrize("name", sorted(COUNTS))
def test_shipped_partition_has_the_published_counts(name: str) -> None:
    partition = load_partition(name)
    assert (len(set(partition.train)), len(set(partition.test))) == COUNTS[name]
    assert not set(partition.train) & set(partition.test)


def test_every_shipped_partition_can_be_loaded() -> None:
    assert set(COUNTS) <= set(list_partitions())
    for name in list_partitions():
        assert load_partition(name).name == name


def test_casia_b() -> None:
    partition = load_partition("casia-b")
    assert partition.dataset == "CASIA-B"
    assert (partition.train[0], partition.train[-1], partition.test[0], partition.test[-1]) == (
        "001",
        "074",
        "075",
        "124",
    )
    assert len(partition.views) == 11
    assert partition.types[:2] == ("nm-01", "nm-02")
    assert partition.protocols["single_view_gallery"]["probe"]["CL"] == ["cl-01", "cl-02"]


def test_listed_probes_are_kept() -> None:
    assert load_partition("gait3d").probe[0] == "0002-camid33_videoid2-seq0"
    assert len(load_partition("freegait").gallery) == 691


def test_opengait_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "MINE.json"
    path.write_text(json.dumps({"TRAIN_SET": ["1"], "TEST_SET": ["2", "3"], "PROBE_SET": ["2-nm-01-000"]}))
    partition = load_partition(path)
    assert (partition.train, partition.test, partition.probe) == (("1",), ("2", "3"), ("2-nm-01-000",))
    assert partition.dataset == "MINE"


def test_unknown_name_gets_the_nearest_one() -> None:
    with pytest.raises(ValueError, match=r"no partition 'casia_b'.*did you mean 'casia-b'\?.*known are casia-b, "):
        load_partition("casia_b")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "partition .*bad.json: "),
        ("[]", "found a list"),
        ('{"train": ["1"]}', r"expected lists train and test \(or TRAIN_SET and TEST_SET\), found train"),
        ('{"train": [1], "test": []}', "train must be a list of names in quotes"),
    ],
)
def test_file_that_is_no_partition_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "bad.json").write_text(text)
    with pytest.raises(ValueError, match=problem):
        load_partition(tmp_path / "bad.json")


def test_rows_are_those_of_the_subjects_in_the_store(make_store: MakeStore) -> None:
    store = make_store(num_subjects=3, conditions=["nm-01"], views=["000", "090"])
    partition = load_partition("casia-b")
    assert partition.rows(store, "train").tolist() == [0, 1, 2, 3, 4, 5]
    with pytest.raises(
        ValueError, match=r"no test subject of partition casia-b is in .*it has 001, 002, 003 of made-up"
    ):
        partition.rows(store, "test")


def test_rows_have_the_modalities(make_store: MakeStore) -> None:
    store = make_store(num_subjects=1)
    with pytest.raises(ValueError, match=r"none of the 8 train sequences .* has poses; the store has silhouettes"):
        load_partition("casia-b").rows(store, "train", ["poses"])


def test_partition_without_the_part_says_so(make_store: MakeStore) -> None:
    with pytest.raises(ValueError, match="the partition lists none of HID"):
        load_partition("hid2023").rows(make_store(), "train")
