from __future__ import annotations

import csv
import dataclasses
from pathlib import Path

import numpy as np
import pytest

from gaitway.evaluation import Figure, Result, SetResult


def example() -> Result:
    rank1 = Figure(
        published=60.0,
        unrounded=60.001,
        including_identical=70.0,
        identical_only=80.0,
        cells=((80.0, 70.0), (50.0, 80.0)),
    )
    mean_average_precision = dataclasses.replace(rank1, cells=((80.0, None), (50.0, 80.0)))
    nm = SetResult(
        num_probes=8,
        num_gallery=9,
        num_missing=2,
        num_unmatched=1,
        chance=25.0,
        figures={"rank-1": rank1, "rank-5": rank1, "mAP": mean_average_precision},
        equal_error_rate=12.5,
        cmc=(60.0, 90.0),
    )
    return Result(
        protocol="casia-b/test",
        measures="How often.",
        dataset="casia-b",
        distance="cosine",
        rerank="",
        num_gallery=9,
        num_subjects=4,
        num_missing=1,
        num_unused=3,
        probe_groups=("000", "090"),
        gallery_groups=("000", "090"),
        sets={"NM": nm, "BG": dataclasses.replace(nm, equal_error_rate=None, num_unmatched=0, num_missing=0)},
    )


def test_json_gives_the_same_result_back() -> None:
    assert Result.from_json(example().to_json()) == example()


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"format": 2, "sets": {}}', '{"format": 1}', example().to_json()[:-9]]
)
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not an evaluation result"):
        Result.from_json(text)


def test_published_figures_as_a_flat_table() -> None:
    assert example().figures() == {
        "NM/rank-1": 60.0,
        "NM/rank-5": 60.0,
        "NM/mAP": 60.0,
        "NM/EER": 12.5,
        "BG/rank-1": 60.0,
        "BG/rank-5": 60.0,
        "BG/mAP": 60.0,
    }
    assert example().sets["NM"].ranks == {1: 60.0, 5: 60.0}


def test_rows_of_the_table_leave_the_identical_views_out() -> None:
    nm = example().sets["NM"]
    assert nm.figures["rank-1"].per_probe_group().tolist() == [70.0, 50.0]
    np.testing.assert_array_equal(nm.figures["mAP"].matrix(), [[80.0, np.nan], [50.0, 80.0]])
    np.testing.assert_array_equal(nm.figures["mAP"].per_probe_group(), [np.nan, 50.0])
    cross_view = Figure(
        published=60.0, unrounded=60.0, including_identical=None, identical_only=None, cells=((70.0,), (50.0,))
    )
    assert cross_view.per_probe_group().tolist() == [70.0, 50.0]


def test_notes_count_what_is_missing() -> None:
    missing, unmatched = example().notes()
    assert missing.startswith("3 of the 28 sequences")
    assert unmatched.startswith("NM: in 1 searches")
    complete = SetResult(
        num_probes=8,
        num_gallery=9,
        num_missing=0,
        num_unmatched=0,
        chance=25.0,
        figures={},
        equal_error_rate=None,
        cmc=(),
    )
    assert dataclasses.replace(example(), num_missing=0, sets={"NM": complete}).notes() == []


def test_save_writes_json_and_csv_that_name_the_protocol(tmp_path: Path) -> None:
    path = example().save(tmp_path / "evaluation")
    assert path.name == "casia-b-test.json"
    assert Result.from_json(path.read_text()) == example()
    with path.with_suffix(".csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 8
    assert rows[0] == {
        "protocol": "casia-b/test",
        "distance": "cosine",
        "rerank": "",
        "set": "NM",
        "num_probes": "8",
        "num_gallery": "9",
        "figure": "rank-1",
        "published": "60.0",
        "unrounded": "60.001",
        "including_identical": "70.0",
        "identical_only": "80.0",
    }
    assert [row["figure"] for row in rows[:4]] == ["rank-1", "rank-5", "mAP", "EER"]
    assert sorted(file.name for file in path.parent.iterdir()) == ["casia-b-test.csv", "casia-b-test.json"]
