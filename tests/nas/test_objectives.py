"""Objectives and fronts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaitway.nas.objectives import check_objectives, front, upward

FEW = st.integers(0, 4).map(float)


@given(st.lists(st.tuples(FEW, FEW, FEW), max_size=20))
def test_the_front_is_what_no_other_beats(values: list[tuple[float, float, float]]) -> None:
    naive = [
        place
        for place, one in enumerate(values)
        if not any(other != one and all(b >= a for a, b in zip(one, other, strict=True)) for other in values)
    ]
    assert front(values) == naive


def test_costs_are_turned() -> None:
    assert upward({"rank-1": 50.0, "macs": 7.0}, ["macs", "rank-1"]) == (-7.0, 50.0)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["rank-2"], "no objective 'rank-2'; name some of rank-1, "),
        (["rank-1", "rank-1"], "an objective twice"),
        (["macs", "latency"], "are costs"),
    ],
)
def test_wrong_objectives(names: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_objectives(names)
