"""Charts of how training went, from the lines of `metrics.jsonl`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gaitway.report.charts import Axis, Line, line_chart

ACTIVE, ACCURACY, RANK_1 = "active", "accuracy", "rank-1"


def training_charts(metrics: Sequence[Mapping[str, Any]], protocol: str) -> list[str]:
    """The charts, as HTML; empty when nothing was logged.

    Args:
        metrics: Lines of `metrics.jsonl`.
        protocol: Whose rank-1 while training is shown.
    """
    logged = [line for line in metrics if "loss" in line]
    evaluated = [
        {"step": line["step"], **line["evaluation"]}
        for line in metrics
        if line.get("evaluation", {}).get("protocol") == protocol
    ]
    losses = [key for key in _names(logged) if key == "loss" or key.endswith("/loss")]
    losses = losses[:1] if len(losses) == 2 else losses  # the total of one loss is that loss
    rate = ["lr"] if "lr" in _names(logged) else []
    wanted: list[tuple[list[Any], list[str], Axis]] = [
        (logged, losses, Axis("loss", low=0)),
        (logged, _ending(logged, ACTIVE), Axis("share of triplets that still teach", low=0)),
        (logged, _ending(logged, ACCURACY), Axis("share of training sequences classified right", low=0, high=1)),
        (logged, rate, Axis("learning rate", low=0)),
        (evaluated, _ending(evaluated, RANK_1), Axis("rank-1 on test subjects, %", low=0)),
    ]
    charts = []
    for lines, keys, axis in wanted:
        if not keys or len(lines) < 2:
            continue
        series = [
            Line(key, [line["step"] for line in lines], [line.get(key, float("nan")) for line in lines], look)
            for look, key in enumerate(keys)
        ]
        last = ", ".join(f"{line.name} {line.y[-1]:.4g}" for line in series)
        chart = line_chart(
            series,
            description=f"Training curve: {axis.label}, by step; at the end {last}.",
            x_axis=Axis("step", low=0, high=lines[-1]["step"]),
            y_axis=axis,
        )
        charts.append(chart)
    return charts


def _names(lines: Sequence[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(key for line in lines for key in line))


def _ending(lines: Sequence[Mapping[str, Any]], figure: str) -> list[str]:
    return [key for key in _names(lines) if key.endswith(f"/{figure}")]
