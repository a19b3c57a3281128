"""What a search has found, on disk and ranked."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from gaitway.nas.results import Evaluation, SearchResults, chosen


def evaluation(path: tuple[int, ...], rank_1: float, macs: float, generation: int, place: int) -> Evaluation:
    figures = {"rank-1": rank_1, "macs": macs, "parameters": 10.0}
    return Evaluation(path, generation, place, figures, 1.5, "machine 7")


FOUND = (
    evaluation((0, 1), 50.0, 30.0, 0, 0),
    evaluation((0, 2), 60.0, 40.0, 0, 1),
    evaluation((0, 3), 60.0, 20.0, 1, 0),
    evaluation((0, 4), 40.0, 10.0, 1, 1),
)


def results(*objectives: str) -> SearchResults:
    return SearchResults("first", objectives, {"supernet": {"weights": "abc"}}, FOUND)


def test_equals_rank_as_they_were_proposed() -> None:
    assert [found.path for found in results("rank-1").ranked] == [(0, 2), (0, 3), (0, 1), (0, 4)]
    assert results("rank-1").best.path == (0, 2)


def test_the_next_objective_decides_between_equals() -> None:
    assert results("rank-1", "macs").best.path == (0, 3)


def test_the_front_of_one_objective_is_drawn_with_its_cost() -> None:
    assert [found.path for found in results("rank-1").front] == [(0, 3), (0, 4)]
    assert [found.path for found in results("rank-1", "parameters").front] == [(0, 2), (0, 3)]


def test_history_by_generation() -> None:
    (first, second) = results("rank-1").summaries
    assert (first.best, first.median, first.best_so_far) == (60.0, 55.0, 60.0)
    assert (second.best, second.median, second.best_so_far) == (60.0, 50.0, 60.0)
    least = results("macs", "rank-1").summaries
    assert [row.best_so_far for row in least] == [30.0, 10.0]


def test_files_hold_everything(tmp_path: Path) -> None:
    results("rank-1").save(tmp_path / "search")
    assert SearchResults.load(tmp_path / "search") == results("rank-1")
    with (tmp_path / "search" / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["architecture"] for row in rows] == ["0 1", "0 2", "0 3", "0 4"]
    assert [row["on_front"] for row in rows] == ["0", "0", "1", "1"]
    assert {path.name for path in (tmp_path / "search").iterdir()} == {"history.csv", "search.json"}


def test_a_search_that_has_found_nothing(tmp_path: Path) -> None:
    empty = SearchResults("first", ("rank-1",), {}, ())
    empty.save(tmp_path)
    assert SearchResults.load(tmp_path) == empty
    with pytest.raises(ValueError, match="has evaluated nothing yet"):
        chosen(empty, "best")


def test_folders_that_hold_none(tmp_path: Path) -> None:
    results("rank-1").save(tmp_path / "run" / "searches" / "first")
    with pytest.raises(FileNotFoundError, match=r"run holds no search .*; searches below it: .*first"):
        SearchResults.load(tmp_path / "run")
    (tmp_path / "search.json").write_text("{")
    with pytest.raises(ValueError, match="search.json is damaged"):
        SearchResults.load(tmp_path)


def test_an_architecture_is_chosen() -> None:
    found = results("rank-1")
    assert chosen(found, "best") == (0, 2)
    assert chosen(found, "3") == (0, 1)
    assert chosen(found, "[0, 5, 5]") == chosen(found, "0,5,5") == (0, 5, 5)
    for wrong in ("0", "5", "worst", "a,b", "-1"):
        with pytest.raises(ValueError, match="give best, a number from 1 to 4"):
            chosen(found, wrong)
