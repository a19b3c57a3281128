"""Training subjects that are held out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaitway.data.held_out import split

NAMES = tuple(f"{i:03}" for i in range(30))


@given(st.permutations(NAMES), st.floats(0.01, 0.9))
def test_every_subject_is_on_one_side_whatever_the_order(names: list[str], share: float) -> None:
    left, held_out = split(names, share)
    assert sorted(left + held_out) == sorted(NAMES)
    assert len(held_out) == max(2, round(share * 30))
    assert set(held_out) == set(split(NAMES, share)[1])
    assert [name for name in names if name in held_out] == list(held_out)  # in the given order


def test_other_seeds_hold_out_others() -> None:
    assert len({split(NAMES, 0.2, seed)[1] for seed in range(20)}) == 20


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, 0.97])
def test_a_side_without_subjects_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match=r"held-out share|leave 1 to train on"):
        split(NAMES, share)
