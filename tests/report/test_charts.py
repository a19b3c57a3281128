from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from gaitway.report.charts import (
    MOST_POINTS,
    NUM_COLOURS,
    Axis,
    Label,
    Line,
    Point,
    binned,
    line_chart,
    map_chart,
    round_step,
)


def svg_of(html: str) -> ET.Element:
    """The chart, which must be well-formed."""
    return ET.fromstring(html[: html.index("</svg>") + len("</svg>")])


@pytest.mark.parametrize(("rough", "round_"), [(0.9, 1), (1, 1), (1.1, 2), (2.2, 2.5), (3, 5), (7, 10), (0.03, 0.05)])
def test_steps_are_round(rough: float, round_: float) -> None:
    assert round_step(rough) == pytest.approx(round_)


def test_points_of_a_line_are_where_they_belong() -> None:
    chart = line_chart(
        [Line("a", [0, 10], [0, 100])], description="d", x_axis=Axis("x", 0, 10), y_axis=Axis("y", 0, 100)
    )
    path = svg_of(chart).find(".//path[@class='line']")
    assert path is not None
    numbers = [float(n) for n in re.findall(r"[\d.]+", path.attrib["d"])]
    assert numbers == [44, 220, 388, 30]  # lower left to upper right corner of the plot


@pytest.mark.parametrize(
    ("largest", "ticks"),
    [
        (0.18, ["0.00", "0.05", "0.10", "0.15", "0.20"]),
        (0.001, ["0", "2.5e−4", "5e−4", "7.5e−4", "1e−3"]),
        (9500, ["0", "2,500", "5,000", "7,500", "10,000"]),
        (10, ["0.0", "2.5", "5.0", "7.5", "10.0"]),
    ],
)
def test_ticks_are_round_and_cover_the_data(largest: float, ticks: list[str]) -> None:
    lines = [Line("a", [1, 50], [largest / 9, largest])]
    chart = line_chart(lines, description="d", x_axis=Axis("step"), y_axis=Axis("loss", low=0))
    assert [element.text for element in svg_of(chart).findall(".//text") if "end" in element.attrib["class"]] == ticks


def test_ticks_of_whole_numbers_are_whole() -> None:
    generations = Axis("generation", low=0, high=2, whole=True)
    chart = line_chart([Line("a", [0, 1, 2], [5, 6, 7])], description="d", x_axis=generations, y_axis=Axis("y"))
    texts = [element.text for element in svg_of(chart).findall(".//text") if "middle" in element.attrib["class"]]
    assert texts[:3] == ["0", "1", "2"]


def test_names_are_escaped_and_described() -> None:
    lines = [Line("<b>", [0, 1], [0, 1]), Line("c", [0, 1], [1, 0], look=1, faint=True)]
    chart = line_chart(lines, description='he said "<so>"', x_axis=Axis("x&y"), y_axis=Axis("y"))
    assert svg_of(chart).attrib["aria-label"] == 'he said "<so>"'
    assert "<b>" not in chart
    assert chart.count("&lt;b&gt;") == 2  # in the chart and in its legend


def test_long_lines_are_averaged() -> None:
    values = np.arange(10 * MOST_POINTS, dtype=np.float64)
    assert binned(values) == pytest.approx(values.reshape(-1, 10).mean(1))
    assert len(binned(values[: MOST_POINTS + 1])) == MOST_POINTS
    assert binned(values[:7]) is not None
    assert len(binned(values[:7])) == 7


def test_a_constant_line_and_a_gap_can_be_drawn() -> None:
    chart = line_chart(
        [Line("a", [1, 2, 3], [0.0, float("nan"), 0.0])], description="d", x_axis=Axis("x"), y_axis=Axis("y")
    )
    assert "nan" not in chart


def test_map_keeps_proportions_and_puts_colours_on_top() -> None:
    points = [
        Point(0, 0, "a", look=NUM_COLOURS + 1, marker=0, filled=True),
        Point(2, 1, "b & c", look=None, marker=1, filled=False),
    ]
    chart = svg_of(map_chart(points, [Label(0, 0, "<a>", 0)], description="d"))
    marks = chart.findall("use")
    assert [mark.attrib["class"] for mark in marks] == ["other hollow", "series-1 full"]
    (x1, y1), (x0, y0) = [(float(mark.attrib["x"]), float(mark.attrib["y"])) for mark in marks]
    assert (x1 - x0) == pytest.approx(2 * (y1 - y0), abs=0.2)
    assert [mark.find("title").text for mark in marks] == ["b & c", "a"]  # type: ignore[union-attr]
