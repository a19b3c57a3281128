"""The search space of a supernet: its paths, their costs, and which of them constraints allow."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import Any

import numpy as np
import numpy.typing as npt

from gaitway.models.sposgait import Architecture
from gaitway.nas.costs import FRAMES, CostModel, Costs

COSTS = ("macs", "parameters")
"""What constraints can be about: exact, known before a path is evaluated."""


@dataclass(frozen=True)
class Constraints:
    """Bounds on costs, both ends included; a cost that is not named is free.

    Args:
        least: The least allowed, by cost.
        most: The most allowed, by cost.
    """

    least: Mapping[str, float]
    most: Mapping[str, float]

    def __post_init__(self) -> None:
        for name, low in self.least.items():
            if low > self.most.get(name, math.inf):
                raise ValueError(f"at least {low:,.0f} and at most {self.most[name]:,.0f} {name}: swap the two")

    def __str__(self) -> str:
        """In words."""
        words = [f"at least {bound:,.0f} {name}" for name, bound in self.least.items()]
        words += [f"at most {bound:,.0f} {name}" for name, bound in self.most.items()]
        return " and ".join(words) or "none"


@dataclass(frozen=True)
class Space:
    """All paths through a supernet.

    Args:
        model: Counts what they cost.
        frames: Length of the clip that costs are counted for.
    """

    model: CostModel
    frames: int = FRAMES

    @classmethod
    def of_supernet(cls, config: Mapping[str, Any], *, height: int, width: int, source: str) -> Space:
        """The space of the supernet that a checkpoint's `config.json` describes.

        Args:
            config: The contents of the file.
            height: Rows of a frame as the model gets it.
            width: Columns of it.
            source: The checkpoint, for messages.

        Raises:
            ValueError: when it is no supernet.
        """
        model = config["model"]
        if model["name"] != "SPOSGait":
            raise ValueError(
                f"{source} is a {model['name']}, no supernet; search the run of a recipe of SPOSGait without an "
                "architecture (`gaitway nas train` makes one)"
            )
        if model.get("architecture") is not None:
            raise ValueError(
                f"{source} is the network of the one architecture {list(model['architecture'])}, no supernet; search "
                "the run that it was found in"
            )
        shape = {name: model[name] for name in ("variant", "channels", "bins", "embedding_dim") if name in model}
        return cls(CostModel(**{"variant": "small", "channels": (64, 128, 256), **shape}, height=height, width=width))

    @cached_property
    def num_choices(self) -> tuple[int, ...]:
        """Blocks to choose from in every layer."""
        return tuple(layer.num_choices for layer in self.model.layers)

    @property
    def num_paths(self) -> int:
        """How many there are."""
        return math.prod(self.num_choices)

    def costs(self, path: Architecture) -> Costs:
        """What a path costs, for a clip of `frames` frames."""
        return self.model.of(path, self.frames)

    def all_costs(self, name: str) -> npt.NDArray[np.int64]:
        """A cost of all paths, `(*num_choices)`: each layer adds its own, whatever the others are."""
        first = (0,) * len(self.num_choices)
        base = int(getattr(self.costs(first), name))
        added = [
            np.array([getattr(self.costs(path), name) - base for path in _changed(first, place, count)])
            for place, count in enumerate(self.num_choices)
        ]
        return base + reduce(np.add.outer, added)

    def allowed(self, constraints: Constraints) -> npt.NDArray[np.bool_]:
        """Which paths constraints allow, `(*num_choices)`.

        Raises:
            ValueError: when it is none; says what paths of this space cost.
        """
        allowed = np.ones(self.num_choices, dtype=np.bool_)
        ranges = []
        for name in COSTS:
            costs = self.all_costs(name)
            allowed &= costs >= constraints.least.get(name, 0)
            allowed &= costs <= constraints.most.get(name, math.inf)
            ranges.append(f"{costs.min():,} to {costs.max():,} {name}")
        if not allowed.any():
            raise ValueError(
                f"no path of this space has {constraints}; its {self.num_paths:,} paths have {' and '.join(ranges)} "
                f"for a clip of {self.frames} frames of {self.model.height} × {self.model.width}: loosen the "
                "constraints"
            )
        return allowed

    def as_dict(self) -> dict[str, Any]:
        """The space as plain values, by which two are compared."""
        model = self.model
        return {
            "variant": model.variant,
            "channels": list(model.channels),
            "bins": list(model.bins),
            "embedding_dim": model.embedding_dim,
            "frame": [model.height, model.width],
            "clip": self.frames,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Space:
        """The space that `as_dict` gave."""
        height, width = values["frame"]
        shape = {name: values[name] for name in ("variant", "channels", "bins", "embedding_dim")}
        return cls(CostModel(**shape, height=height, width=width), values["clip"])


def _changed(path: Architecture, place: int, count: int) -> Iterator[Architecture]:
    """A path with each of the blocks of one layer."""
    for kind in range(count):
        yield (*path[:place], kind, *path[place + 1 :])
