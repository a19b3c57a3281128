"""Paths, their costs, and constraints."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

from gaitway.nas.costs import CostModel
from gaitway.nas.space import COSTS, Constraints, Space

SMALL = Space(CostModel(variant="small", channels=(4, 6, 8)), frames=12)


@pytest.mark.parametrize("cost", COSTS)
def test_costs_of_all_paths_are_those_of_each(cost: str) -> None:
    costs = SMALL.all_costs(cost)
    assert costs.shape == SMALL.num_choices == (1, 6, 6, 6)
    assert costs.size == SMALL.num_paths == 216
    for path in product(*map(range, SMALL.num_choices)):
        assert costs[path] == getattr(SMALL.model.of(path, 12), cost)


def test_the_large_space_is_counted_at_once() -> None:
    large = Space(CostModel(variant="large", channels=(64, 128, 256, 512)))
    costs = large.all_costs("macs")
    assert costs.size == 1_679_616
    path = (0, 0, 4, 5, 2, 0, 4, 3, 4, 3)
    assert costs[path] == large.costs(path).macs


def test_constraints_allow_what_is_within_both_ends() -> None:
    macs, parameters = SMALL.all_costs("macs"), SMALL.all_costs("parameters")
    low, high = int(np.median(macs)), int(np.median(parameters))
    allowed = SMALL.allowed(Constraints(least={"macs": low}, most={"parameters": high}))
    assert (allowed == ((macs >= low) & (parameters <= high))).all()
    assert 0 < allowed.sum() < 216
    assert SMALL.allowed(Constraints(least={}, most={})).all()


def test_constraints_that_nothing_satisfies_say_what_there_is() -> None:
    macs = SMALL.all_costs("macs")
    with pytest.raises(ValueError, match=rf"at most 10 macs; its 216 paths have {macs.min():,} to {macs.max():,} macs"):
        SMALL.allowed(Constraints(least={}, most={"macs": 10}))
    with pytest.raises(ValueError, match="at least 10 and at most 5 parameters"):
        Constraints(least={"parameters": 10}, most={"parameters": 5})


def config(**model: Any) -> dict[str, Any]:
    return {"model": {"name": "SPOSGait", "channels": [4, 6, 8]} | model}


def test_the_space_of_a_supernet() -> None:
    space = Space.of_supernet(config(), height=64, width=44, source="here")
    assert (space.num_paths, space.model.channels) == (216, [4, 6, 8])
    assert (
        Space.of_supernet(config(variant="medium", channels=[4] * 4), height=64, width=44, source="").num_paths == 7776
    )


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"architecture": [0, 1, 2, 3]}, r"runs/x is the network of the one architecture \[0, 1, 2, 3\], no supernet"),
        ({"name": "GaitSet"}, "runs/x is a GaitSet, no supernet"),
        ({"variant": "medium"}, "'medium' with 3 channels"),
    ],
)
def test_other_models_are_refused(model: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Space.of_supernet(config(**model), height=64, width=44, source="runs/x").allowed(Constraints({}, {}))
