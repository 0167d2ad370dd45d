"""Charts of single columns, real against synthetic, as SVG text."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ...metrics.tables.columns import Aligned
from ...tabular.schema import DISCRETE, Column
from ..charts import Axis, count

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 360, 168, 6, 6, 10, 24
BINS, MOST_WHOLE, MOST_BARS, LABEL = 36, 40, 8, 18
SPIKE = 0.55  # a bin that holds more than this hides all others, unless heights grow with the square root
NANOSECONDS_A_DAY = 86_400e9

Floats = npt.NDArray[np.float64]


def chart(column: Column, tables: Aligned) -> tuple[str, list[str]]:
    """A chart of one column, and notes that belong under it."""
    real, fake = tables["real"][column.name], tables["fake"][column.name]
    if column.kind in DISCRETE:
        return bars(real, fake, tables.levels[column.name])
    lost = [float(np.isnan(v).mean()) for v in (real, fake)]
    notes = [f"missing: {lost[0]:.1%} real, {lost[1]:.1%} synthetic"] if max(lost) else []
    a, b = real[~np.isnan(real)], fake[~np.isnan(fake)]
    if not len(a) and not len(b):
        return _empty(), [*notes, "no value at all"]
    drawn, rooted = histogram(a, b, date=column.kind == "datetime", whole=column.kind == "integer")
    return drawn, [*notes, *(["heights grow with the square root"] if rooted else [])]


def histogram(real: Floats, fake: Floats, *, date: bool, whole: bool) -> tuple[str, bool]:
    """Shares of rows in bins: the real ones filled, the synthetic ones as a line; whether heights are rooted."""
    edges = bin_edges(np.concatenate([real, fake]), whole)
    shares = [_shares(v, edges) for v in (real, fake)]
    rooted = bool(max(s.max() for s in shares) > SPIKE) and len(edges) > 4
    if rooted:
        shares = [np.sqrt(s) for s in shares]
    x = Axis(float(edges[0]), float(edges[-1]), LEFT, WIDTH - RIGHT)
    y = Axis(0.0, max(max(s.max() for s in shares), 1e-9), HEIGHT - BOTTOM, TOP)
    outlines = [_steps(edges, s, x, y) for s in shares]
    base = HEIGHT - BOTTOM
    body = (
        f'<polygon class="area" points="{LEFT},{base} {outlines[0]} {WIDTH - RIGHT},{base}"/>'
        f'<polyline class="line" points="{outlines[1]}"/>'
        f'<line class="rule" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{base}" y2="{base}"/>'
    )
    return _svg(body + "".join(_ticks(x, date)), HEIGHT), rooted


def bin_edges(values: Floats, whole: bool) -> Floats:
    """Edges of bins over the middle 99 % of the values; one bin for each whole number where there are few."""
    low, high = np.percentile(values, [0.5, 99.5])
    if low == high:
        low, high = float(values.min()), float(values.max())
    if whole and high - low <= MOST_WHOLE:
        return np.arange(math.floor(low) - 0.5, math.ceil(high) + 1.0)
    if low == high:
        low, high = low - 0.5, high + 0.5
    return np.linspace(low, high, BINS + 1)


def _shares(values: Floats, edges: Floats) -> Floats:
    """The share of values in each bin; what lies outside counts in the first and the last."""
    if not len(values):
        return np.zeros(len(edges) - 1)
    inside = np.clip(values, edges[0], edges[-1])
    return np.histogram(inside, edges)[0] / len(values)


def _steps(edges: Floats, heights: Floats, x: Axis, y: Axis) -> str:
    points = []
    for left, right, height in zip(edges[:-1], edges[1:], heights, strict=True):
        points += [f"{x(float(left)):.1f},{y(float(height)):.1f}", f"{x(float(right)):.1f},{y(float(height)):.1f}"]
    return " ".join(points)


def _ticks(x: Axis, date: bool) -> list[str]:
    """Labels under a chart, those at its ends kept within it."""
    values = _dates(x) if date else [(v, count(v)) for v in x.ticks(4)]
    found = []
    for value, text in values:
        at = x(value)
        anchor = "start" if at < LEFT + 16 else "end" if at > WIDTH - RIGHT - 16 else "middle"
        found.append(f'<text x="{at:.1f}" y="{HEIGHT - 7}" text-anchor="{anchor}">{html.escape(text)}</text>')
    return found


def _dates(x: Axis) -> list[tuple[float, str]]:
    """Four evenly spaced dates, as precise as their distance asks for."""
    days = (x.high - x.low) / NANOSECONDS_A_DAY
    unit = "M" if days > 400 else "D" if days > 4 else "m"
    ticks = [x.low + (x.high - x.low) * share for share in (0.04, 0.35, 0.65, 0.96)]
    return [(t, str(np.datetime64(int(t), "ns").astype(f"datetime64[{unit}]")).replace("T", " ")) for t in ticks]


def bars(real: Any, fake: Any, levels: Sequence[Any]) -> tuple[str, list[str]]:
    """Paired bars of the most frequent categories, real above synthetic; the others together."""
    counts = [np.bincount(v + 1, minlength=len(levels) + 1) for v in (real, fake)]
    shares = [c / max(c.sum(), 1) for c in counts]
    order = [int(i) for i in np.argsort(-(shares[0] + shares[1] * 1e-6), kind="stable") if counts[0][i] or counts[1][i]]
    shown = order if len(order) <= MOST_BARS else order[: MOST_BARS - 1]
    rows = [(_name(i, levels), float(shares[0][i]), float(shares[1][i])) for i in shown]
    if rest := order[len(shown) :]:
        rows.append((f"{len(rest)} others", float(shares[0][rest].sum()), float(shares[1][rest].sum())))
    new = int(((counts[0] == 0) & (counts[1] > 0)).sum())
    return _bars(rows), [f"{new} categories that the real column has not"] if new else []


def _name(code: int, levels: Sequence[Any]) -> str:
    return "missing" if code == 0 else str(levels[code - 1])


def _bars(rows: list[tuple[str, float, float]]) -> str:
    start, end, step = 118, WIDTH - 46, 19
    longest = max((max(a, b) for _, a, b in rows), default=1) or 1
    x = Axis(0.0, longest, start, end)
    parts = []
    for i, (name, a, b) in enumerate(rows):
        y = 6 + i * step
        text = name if len(name) <= LABEL else name[: LABEL - 1] + "…"
        parts.append(
            f'<text x="{start - 8}" y="{y + 12}" text-anchor="end">{html.escape(text)}</text>'
            f'<rect class="bar real" x="{start}" y="{y}" width="{x(a) - start:.1f}" height="7"/>'
            f'<rect class="bar fake" x="{start}" y="{y + 8}" width="{x(b) - start:.1f}" height="7"/>'
            f'<text x="{x(max(a, b)) + 5:.1f}" y="{y + 12}">{a:.1%}</text>'
            f"<title>{html.escape(name)}: {a:.2%} real, {b:.2%} synthetic</title>"
        )
    return _svg("".join(f"<g>{part}</g>" for part in parts), max(10 + len(rows) * step, 60))


def _empty() -> str:
    return _svg("", 60)


def _svg(body: str, height: int) -> str:
    return f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-hidden="true">{body}</svg>'
