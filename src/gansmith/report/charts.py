"""Line charts as SVG text. Drawn here and not by a plotting library, so that colours follow the reader's theme."""

from __future__ import annotations

import html
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Points = Sequence[tuple[float, float]]

WIDTH, HEIGHT = 560, 250
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 12, 28
COLOURS = 8
MOST_POINTS = 400


@dataclass(frozen=True)
class Axis:
    """Maps values to pixels; logarithmic where the values span more than two orders of magnitude."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        low, high, v = (_log(x) if self.log else x for x in (self.low, self.high, value))
        return self.start + (self.end - self.start) * (v - low) / (high - low)

    def ticks(self, count: int = 5) -> list[float]:
        """Round numbers within the axis."""
        if self.log:
            first, last = math.ceil(_log(self.low) - 1e-9), math.floor(_log(self.high) + 1e-9)
            stride = max(1, math.ceil((last - first + 1) / count))
            return [10.0**k for k in range(first, last + 1, stride)]
        step = _nice((self.high - self.low) / count)
        first = math.ceil(self.low / step - 1e-9)
        return [round(k * step, 12) for k in range(first, math.floor(self.high / step + 1e-9) + 1)]


def chart(series: Mapping[str, Points], title: str) -> str:
    """An SVG figure of one or more curves over the samples seen; an empty string when nothing can be drawn."""
    colours = {name: f"c{number % COLOURS}" for number, name in enumerate(series)}  # an empty curve keeps its colour
    drawn = {name: thin([p for p in points if math.isfinite(p[1])]) for name, points in series.items()}
    drawn = {name: points for name, points in drawn.items() if points}
    if not drawn:
        return ""
    x_axis, y_axis = axes(list(drawn.values()))
    body = [_grid(x_axis, y_axis)]
    body += [_curve(points, x_axis, y_axis, colours[name]) for name, points in drawn.items()]
    legend = "".join(f'<li class="{colours[name]}">{html.escape(name)}<b></b></li>' for name in drawn)
    data = {name: [[x, _short(y), round(x_axis(x), 1), round(y_axis(y), 1)] for x, y in p] for name, p in drawn.items()}
    return (
        f'<figure class="chart" data-curves="{html.escape(json.dumps(data))}">'
        f"<figcaption>{html.escape(title)}{' <small>logarithmic</small>' if y_axis.log else ''}</figcaption>"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{html.escape(title)}">{"".join(body)}'
        f'<line class="cursor" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/></svg><ul class="legend">{legend}</ul></figure>'
    )


def axes(curves: Sequence[Points]) -> tuple[Axis, Axis]:
    """The axes that hold all of these curves."""
    xs = [x for points in curves for x, _ in points]
    ys = [y for points in curves for _, y in points]
    low, high = min(ys), max(ys)
    log = low > 0 and high / low > 100
    if not log:
        pad = 0.06 * (high - low) or 0.5 * abs(high) or 1.0
        low, high = low - (0 if low == 0 else pad), high + pad
    elif high / low < 10:
        high = low * 10
    first, last = min(xs), max(xs)
    first = 0.0 if first < 0.2 * last or first == last else first
    last = last if last > first else first + 1
    return Axis(first, last, LEFT, WIDTH - RIGHT), Axis(low, high, HEIGHT - BOTTOM, TOP, log)


def thin(points: Points, most: int = MOST_POINTS) -> list[tuple[float, float]]:
    """At most about `most` points: of each stretch the lowest and the highest, so that no spike is lost."""
    if len(points) <= most:
        return list(points)
    size = math.ceil(2 * len(points) / most)
    kept: list[tuple[float, float]] = []
    for i in range(0, len(points), size):
        part = points[i : i + size]
        kept += sorted({min(part, key=lambda p: p[1]), max(part, key=lambda p: p[1])})
    return kept


def count(value: float) -> str:
    """A count as people write it: 1.5M, 200k, 950."""
    for unit, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= unit:
            return f"{value / unit:.3g}{letter}"
    return f"{value:.3g}"


def _grid(x_axis: Axis, y_axis: Axis) -> str:
    lines = []
    for value in y_axis.ticks():
        y = y_axis(value)
        lines.append(f'<line class="rule" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        lines.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{_label(value)}</text>')
    for value in x_axis.ticks():
        x = x_axis(value)
        anchor = "end" if x > WIDTH - RIGHT - 14 else "middle"
        lines.append(f'<text x="{x:.1f}" y="{HEIGHT - 8}" text-anchor="{anchor}">{count(value)}</text>')
    return "".join(lines)


def _curve(points: Points, x_axis: Axis, y_axis: Axis, colour: str) -> str:
    if len(points) == 1:
        x, y = points[0]
        return f'<circle class="dot {colour}" cx="{x_axis(x):.1f}" cy="{y_axis(y):.1f}" r="3.5"/>'
    path = " ".join(f"{x_axis(x):.1f},{y_axis(y):.1f}" for x, y in points)
    return f'<polyline class="curve {colour}" points="{path}"/>'


def _label(value: float) -> str:
    return count(value) if abs(value) >= 1000 or value == 0 else f"{value:.3g}"


def _short(value: float) -> float:
    return float(f"{value:.4g}")


def _log(value: float) -> float:
    return math.log10(value)


def _nice(step: float) -> float:
    """The round number (1, 2 or 5 times a power of ten) nearest above `step`."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(k * power for k in (1, 2, 5, 10) if k * power >= step * 0.999)
