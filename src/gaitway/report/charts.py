"""Charts as inline SVG: small, sharp at any size, coloured by the page's style sheet for light and dark.

Every series has its own colour, dash pattern and marker, so that a chart can be read without telling colours apart.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
import numpy.typing as npt

WIDTH, HEIGHT = 400, 260
LEFT, RIGHT, TOP, BOTTOM = 44, 12, 30, 40  # margins around the plot
MOST_POINTS = 300  # of a line; longer ones are averaged in bins
MARKERS_PER_LINE = 8
MARKERS = (  # circle, square, triangle, diamond; about 8 wide, around the origin
    "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z",
    "M-3.6 -3.6h7.2v7.2h-7.2z",
    "M0 -4.6L4.4 3.4H-4.4z",
    "M0 -4.9L4.9 0L0 4.9L-4.9 0z",
)
NUM_COLOURS = 6  # of the style sheet: .series-0 to .series-5

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Line:
    """A series of a line chart; `look` chooses colour and marker, a `faint` line is thin and dashed."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    look: int = 0
    faint: bool = False


@dataclass(frozen=True, slots=True)
class Axis:
    """An axis: what it shows, its range where that is not the data's, and whether its values are `whole` numbers."""

    label: str
    low: float | None = None
    high: float | None = None
    whole: bool = False


def line_chart(lines: Sequence[Line], *, description: str, x_axis: Axis, y_axis: Axis) -> str:
    """A line chart with a legend, as HTML.

    Args:
        lines: At least one, each of at least one point.
        description: What the chart shows, for those who do not see it.
        x_axis: Across.
        y_axis: Upwards.
    """
    x = _Scale.of(x_axis, [line.x for line in lines], LEFT, WIDTH - RIGHT)
    y = _Scale.of(y_axis, [line.y for line in lines], HEIGHT - BOTTOM, TOP)
    parts = [_opening(x, y, description, x_axis, y_axis)]
    for line in lines:
        parts.append(_drawn(line, x, y))
    parts.append("</svg>")
    legend = "".join(_legend_entry(line) for line in lines) if len(lines) > 1 else ""
    return "".join(parts) + (f'<p class="legend">{legend}</p>' if legend else "")


@dataclass(frozen=True, slots=True)
class Spot:
    """A point of a scatter chart: where, what it is (shown on hover), how it looks; `look` None is grey."""

    x: float
    y: float
    title: str
    look: int | None


def scatter_chart(
    spots: Sequence[Spot], steps: Sequence[Line], *, description: str, x_axis: Axis, y_axis: Axis, legend: str = ""
) -> str:
    """Points between two axes and lines through some of them, as HTML.

    Args:
        spots: At least one; the grey ones lie below the others.
        steps: Lines without markers of their own.
        description: What the chart shows, for those who do not see it.
        x_axis: Across.
        y_axis: Upwards.
        legend: HTML below the chart.
    """
    x = _Scale.of(x_axis, [[spot.x for spot in spots]], LEFT, WIDTH - RIGHT)
    y = _Scale.of(y_axis, [[spot.y for spot in spots]], HEIGHT - BOTTOM, TOP)
    parts = [_opening(x, y, description, x_axis, y_axis)]
    for line in steps:
        places = "L".join(f"{x(a):.1f} {y(b):.1f}" for a, b in zip(line.x, line.y, strict=True))
        parts.append(f'<g class="series-{line.look % NUM_COLOURS}"><path class="line" d="M{places}"/></g>')
    for spot in sorted(spots, key=lambda spot: spot.look is not None):
        look = "other" if spot.look is None else f"series-{spot.look % NUM_COLOURS}"
        shape = MARKERS[0] if spot.look is None else MARKERS[spot.look % len(MARKERS)]
        parts.append(
            f'<g class="{look}"><path class="full" transform="translate({x(spot.x):.1f} {y(spot.y):.1f})" d="{shape}">'
            f"<title>{escape(spot.title)}</title></path></g>"
        )
    parts.append("</svg>")
    return "".join(parts) + (f'<p class="legend">{legend}</p>' if legend else "")


def _opening(x: _Scale, y: _Scale, description: str, x_axis: Axis, y_axis: Axis) -> str:
    """The beginning of a chart's SVG: grid, axes, ticks and labels."""
    parts = [f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(description)}">']
    for tick in y.ticks:
        parts.append(f'<path class="grid" d="M{LEFT} {y(tick):.1f}H{WIDTH - RIGHT}"/>')
        parts.append(f'<text class="tick end" x="{LEFT - 6}" y="{y(tick) + 4:.1f}">{_number(tick, y.step)}</text>')
    for tick in x.ticks:
        parts.append(f'<text class="tick middle" x="{x(tick):.1f}" y="{HEIGHT - 24}">{_number(tick, x.step)}</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text class="label middle" x="{middle}" y="{HEIGHT - 6}">{escape(x_axis.label)}</text>')
    parts.append(f'<text class="label" x="0" y="12">{escape(y_axis.label)}</text>')
    parts.append(f'<path class="axis" d="M{LEFT} {HEIGHT - BOTTOM}H{WIDTH - RIGHT}"/>')
    return "".join(parts)


@dataclass(frozen=True, slots=True)
class Point:
    """A point of a map: where, what it is (shown on hover), how it looks; `look` None is grey."""

    x: float
    y: float
    title: str
    look: int | None
    marker: int
    filled: bool


@dataclass(frozen=True, slots=True)
class Label:
    """A word on a map."""

    x: float
    y: float
    text: str
    look: int


def map_chart(points: Sequence[Point], labels: Sequence[Label], *, description: str) -> str:
    """A map of points without axes, as SVG; the grey points lie below the coloured ones."""
    width, height, margin = 720.0, 520.0, 14.0
    places = np.array([(point.x, point.y) for point in points])
    low, high = places.min(0), places.max(0)
    scale = min((width - 2 * margin) / (high[0] - low[0] or 1), (height - 2 * margin) / (high[1] - low[1] or 1))
    offset = np.array([width, height]) / 2 - scale * (low + high) / 2

    def place(x: float, y: float) -> tuple[float, float]:
        return scale * x + offset[0], scale * y + offset[1]

    parts = [f'<svg class="map" viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{escape(description)}">']
    parts.append("<defs>")
    parts += [f'<path id="mark-{i}" d="{shape}"/>' for i, shape in enumerate(MARKERS)]
    parts.append("</defs>")
    for point in sorted(points, key=lambda point: point.look is not None):
        look = "other" if point.look is None else f"series-{point.look % NUM_COLOURS}"
        x, y = place(point.x, point.y)
        parts.append(
            f'<use href="#mark-{point.marker % len(MARKERS)}" x="{x:.1f}" y="{y:.1f}" '
            f'class="{look} {"full" if point.filled else "hollow"}"><title>{escape(point.title)}</title></use>'
        )
    for label in labels:
        x, y = place(label.x, label.y)
        text = escape(label.text)
        parts.append(f'<text class="name series-{label.look % NUM_COLOURS}" x="{x:.1f}" y="{y - 8:.1f}">{text}</text>')
    parts.append("</svg>")
    return "".join(parts)


def marker(look: int, *, filled: bool) -> str:
    """A marker in the text colour, for a legend."""
    kind = "full" if filled else "hollow"
    shape = MARKERS[look % len(MARKERS)]
    return f'<svg class="key" viewBox="-6 -6 12 12" aria-hidden="true"><path class="plain {kind}" d="{shape}"/></svg>'


def key(look: int | None) -> str:
    """The marker of the spots of a look, for a legend."""
    css, shape = (
        ("other", MARKERS[0]) if look is None else (f"series-{look % NUM_COLOURS}", MARKERS[look % len(MARKERS)])
    )
    path = f'<g class="{css}"><path class="full" d="{shape}"/></g>'
    return f'<svg class="key" viewBox="-6 -6 12 12" aria-hidden="true">{path}</svg>'


@dataclass(frozen=True, slots=True)
class _Scale:
    """From values to pixels, with round ticks."""

    low: float
    high: float
    start: float
    end: float
    step: float

    @classmethod
    def of(cls, axis: Axis, values: Sequence[Sequence[float]], start: float, end: float) -> _Scale:
        flat = np.concatenate([np.asarray(series, dtype=np.float64) for series in values])
        low = float(np.nanmin(flat)) if axis.low is None else axis.low
        high = float(np.nanmax(flat)) if axis.high is None else axis.high
        if high <= low:
            high = low + (abs(low) or 1.0)
        step = max(round_step((high - low) / 4), float(axis.whole))
        if axis.low is None:
            low = math.floor(low / step + 1e-9) * step
        if axis.high is None:
            high = math.ceil(high / step - 1e-9) * step
        return cls(low, high, start, end, step)

    def __call__(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    @property
    def ticks(self) -> list[float]:
        first, last = math.ceil(self.low / self.step - 1e-9), math.floor(self.high / self.step + 1e-9)
        return [i * self.step for i in range(first, last + 1)]


def round_step(step: float) -> float:
    """The smallest of 1, 2, 2.5, 5 × a power of ten that is at least `step`."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= step * (1 - 1e-9))


def _number(value: float, step: float) -> str:
    """A tick as short as its step allows: 2,000 or 0.05 or 2.5e−4."""
    if step < 1e-3:
        mantissa, _, exponent = f"{value:.1e}".partition("e")
        return f"{float(mantissa):g}e{int(exponent)}".replace("-", "−") if value else "0"
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    if not math.isclose(step * 10**decimals, round(step * 10**decimals)):
        decimals += 1  # a step of 2.5
    return f"{value:,.{decimals}f}".replace("-", "−")


def _drawn(line: Line, x: _Scale, y: _Scale) -> str:
    xs, ys = binned(np.asarray(line.x, dtype=np.float64)), binned(np.asarray(line.y, dtype=np.float64))
    known = np.isfinite(ys)
    places = [f"{x(a):.1f} {y(b):.1f}" for a, b in zip(xs[known], ys[known], strict=True)]
    css = f"series-{line.look % NUM_COLOURS}" + (" faint" if line.faint else "")
    parts = [f'<g class="{css}"><title>{escape(line.name)}</title><path class="line" d="M{"L".join(places)}"/>']
    if not line.faint:
        every = max(1, math.ceil(len(places) / MARKERS_PER_LINE))
        shape = MARKERS[line.look % len(MARKERS)]
        parts += [f'<path class="full" transform="translate({place})" d="{shape}"/>' for place in places[::every]]
    return "".join(parts) + "</g>"


def binned(values: Floats) -> Floats:
    """At most `MOST_POINTS` values: means of neighbours where there are more."""
    if len(values) <= MOST_POINTS:
        return values
    edges = np.linspace(0, len(values), MOST_POINTS + 1).astype(np.int64)
    means: Floats = np.add.reduceat(values, edges[:-1]) / np.diff(edges)
    return means


def _legend_entry(line: Line) -> str:
    css = f"series-{line.look % NUM_COLOURS}" + (" faint" if line.faint else "")
    mark = "" if line.faint else f'<path class="full" d="{MARKERS[line.look % len(MARKERS)]}"/>'
    key = f'<svg class="key wide" viewBox="-14 -6 28 12" aria-hidden="true"><g class="{css}">'
    return f'<span>{key}<path class="line" d="M-14 0H14"/>{mark}</g></svg>{escape(line.name)}</span>'
