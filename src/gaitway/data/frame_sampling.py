"""Which frames of a sequence a batch takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from gaitway.data.sampling import Ints, choose


@dataclass(frozen=True, kw_only=True)
class FrameSampling:
    """The published ways of taking frames from a sequence of T frames; OpenGait's `sample_type` is `count_order`.

    `count` says how many, n: `fixed` is `num`; `unfixed` is uniform in `min_num..max_num`, drawn per sequence; `all`
    are all frames in their order, or the first `limit`.

    `order` says which, for the other two. `ordered`: from a window of n + `skip` frames at a random place, n of them
    in their order; a sequence shorter than the window is repeated until it is long enough. `unordered`: n distinct
    frames in random order, with replacement when T < n. `allordered`: as OpenGait's published code does, the same as
    `unordered`.

    Args:
        count: How many frames.
        order: Which frames.
        num: n of `fixed`.
        min_num: Smallest n of `unfixed`.
        max_num: Largest n of `unfixed`.
        skip: Frames of an `ordered` window that are left out at random places; 0 takes consecutive frames.
        limit: Most frames of `all`, or None.
    """

    count: Literal["fixed", "unfixed", "all"] = "fixed"
    order: Literal["ordered", "unordered", "allordered"] = "unordered"
    num: int = 30
    min_num: int = 25
    max_num: int = 50
    skip: int = 0
    limit: int | None = None

    def __post_init__(self) -> None:
        if self.count not in ("fixed", "unfixed", "all") or self.order not in ("ordered", "unordered", "allordered"):
            raise ValueError(
                f"frames: count {self.count!r} and order {self.order!r}; expected a count of fixed, unfixed or all "
                "and an order of ordered, unordered or allordered"
            )
        too_low = self.num < 1 or self.skip < 0 or (self.limit is not None and self.limit < 1)
        if too_low or not 1 <= self.min_num <= self.max_num:
            raise ValueError(
                f"frames: num {self.num}, min_num {self.min_num}, max_num {self.max_num}, skip {self.skip}, limit "
                f"{self.limit}; expected at least 1 frame, min_num up to max_num, and skip of at least 0"
            )

    def __call__(self, lengths: Ints, generator: np.random.Generator) -> tuple[Ints, Ints]:
        """Draw frames of n sequences.

        Args:
            lengths: `(n,)`, frames of each sequence, at least 1.
            generator: Random numbers.

        Returns:
            The chosen positions inside their sequences, one sequence after the other, and `(n,)`, how many each
            sequence has of them.
        """
        if self.count == "all":
            counts = lengths if self.limit is None else np.minimum(lengths, self.limit)
            return np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts), counts
        if self.count == "fixed":
            counts = np.full_like(lengths, self.num)
        else:
            counts = generator.integers(self.min_num, self.max_num + 1, size=len(lengths))
        chosen = np.arange(counts.max()) < counts[:, None]
        if self.order != "ordered":
            return choose(lengths, counts, generator)[chosen], counts
        window = counts + self.skip
        tiled = np.where(lengths < window, -(-window // lengths) * lengths, lengths)
        start = generator.integers(0, tiled - window + 1)
        inside = np.arange(counts.max()) if not self.skip else _sorted_choice(window, counts, chosen, generator)
        return ((start[:, None] + inside) % lengths[:, None])[chosen], counts


def _sorted_choice(window: Ints, counts: Ints, chosen: npt.NDArray[np.bool_], generator: np.random.Generator) -> Ints:
    """Per row `counts` distinct positions of the window, rising; what is not `chosen` goes to the end."""
    positions = choose(window, counts, generator)
    return np.sort(np.where(chosen, positions, window.max()), axis=1)
