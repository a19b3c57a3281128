"""The order of the channels of a BN neck's batch norm in published files.

OpenGait's releases 1.0 and 1.1 (until July 2022) flattened parts and channels as `part * channels + channel`
(part-major), later versions as `channel * parts + part` (channel-major), which is also ours. The shapes are equal, so a
file in the wrong order loads without an error and gives wrong logits; embeddings are taken before and do not change.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor

Order = Literal["channel-major", "part-major", "auto"]
State = dict[str, Tensor]

FIELDS = ("weight", "bias", "running_mean", "running_var")
CLEARLY = 0.1  # by how much one correlation must exceed the other to decide


def join_parts(state: Mapping[str, Tensor], *, prefix: str, num_parts: int) -> State:
    """Join `<prefix>bn.<part>.*`, one batch norm per part (`parallel_BN1d: false`), into one in our order.

    Args:
        state: By our names.
        prefix: Of the neck, such as `neck.`.
        num_parts: Number of parts p.
    """
    joined = dict(state)
    if f"{prefix}bn.0.weight" not in joined:
        return joined
    for field in FIELDS:
        parts = [joined.pop(f"{prefix}bn.{i}.{field}") for i in range(num_parts)]
        joined[f"{prefix}bn.{field}"] = torch.stack(parts, 1).flatten()  # (c, p) -> (c·p,)
    counts = [joined.pop(f"{prefix}bn.{i}.num_batches_tracked") for i in range(num_parts)]
    joined[f"{prefix}bn.num_batches_tracked"] = counts[0]
    return joined


def part_to_channel_major(
    state: Mapping[str, Tensor], *, prefix: str, num_parts: int, after: str | None = None
) -> State:
    """Turn the batch norm of a neck, and the inputs of the weight `after`, from part-major into our order."""
    names = [f"{prefix}bn.{field}" for field in FIELDS] + ([after] if after else [])
    moved = {name: torch.unflatten(state[name], -1, (num_parts, -1)).transpose(-1, -2).flatten(-2) for name in names}
    return {**state, **moved}


def guess_order(state: Mapping[str, Tensor], *, prefix: str, linear: str | None) -> tuple[Order, str]:
    """The likely order of a neck's batch norm, and why.

    An output of the per-part linear before the neck varies the more, the larger its weights are. So the running
    variances, read in the right order, correlate with the sums of squared weights.

    Args:
        state: By our names.
        prefix: Of the neck, such as `neck.`.
        linear: Weight `(p, in, c)` of the linear before it, if there is one.
    """
    variance = state[f"{prefix}bn.running_var"].double()
    unknown = "taken for channel-major, today's order; if the file is from before July 2022, say --bn-order part-major"
    if bool((variance == variance[0]).all()):
        return "channel-major", f"the order can't be inferred, since batch norm was frozen in training; {unknown}"
    if linear is None:
        return "channel-major", f"the order can't be inferred without a linear layer before the neck; {unknown}"
    power = state[linear].double().square().sum(1)  # (p, c)
    num_parts, num_channels = power.shape
    correlation = {
        "channel-major": _correlation(power, variance.reshape(num_channels, num_parts).T),
        "part-major": _correlation(power, variance.reshape(num_parts, num_channels)),
    }
    figures = ", ".join(f"{order} {value:.2f}" for order, value in correlation.items())
    why = f"correlation of running variances with the weights before: {figures}"
    if not abs(correlation["channel-major"] - correlation["part-major"]) > CLEARLY:
        return "channel-major", f"the order can't be inferred ({why}); {unknown}"
    if correlation["part-major"] > correlation["channel-major"]:
        return "part-major", f"part-major ({why})"
    return "channel-major", f"channel-major ({why})"


def _correlation(a: Tensor, b: Tensor) -> float:
    return float(torch.corrcoef(torch.stack((a.flatten(), b.flatten())))[0, 1])
