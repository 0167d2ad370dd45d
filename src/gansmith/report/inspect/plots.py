"""Drawings for the page: values by channel, and widths against heights. SVG as text; colours are the page's."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence

from ..charts import count

WIDTH, HEIGHT = 560, 220
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 12, 30
CHANNELS = (("red", "r"), ("green", "g"), ("blue", "b"))


def values(histogram: Sequence[Sequence[float]], *, colour: bool) -> str:
    """How often values occur, from 0 to 255, one step line a channel; a single line where all is grey.

    The axis is cut where one step towers over all others (a white background, say), and its share is written on it.
    """
    lines = [(name, kind, row) for (name, kind), row in zip(CHANNELS, histogram, strict=True)]
    lines = lines if colour else [("grey", "k", histogram[0])]
    ordered = sorted((v for _, _, row in lines for v in row), reverse=True)
    top = min(ordered[0], 2.5 * ordered[min(len(lines) * 2, len(ordered) - 1)] or ordered[0])
    body = [_line(row, kind, top) for _, kind, row in lines]
    if ordered[0] > top:
        body += [_cut(i, row[i]) for _, _, row in lines[:1] for i in range(len(row)) if row[i] > top]
    ticks = "".join(
        f'<text x="{_x(v, 256):.1f}" y="{HEIGHT - 9}" text-anchor="middle">{v}</text>' for v in (0, 64, 128, 192, 255)
    )
    return _svg("Shares of values", f'{"".join(body)}<line class="axis" {_base()}/>{ticks}')


def _line(row: Sequence[float], kind: str, top: float) -> str:
    points = []
    for i, value in enumerate(row):
        y = HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * min(value / top, 1.0)
        points += [f"{_x(i, len(row)):.1f},{y:.1f}", f"{_x(i + 1, len(row)):.1f},{y:.1f}"]
    return f'<polyline class="value {kind}" points="{" ".join(points)}"/>'


def _cut(step: int, value: float) -> str:
    anchor, aside = ("start", 12) if step < 16 else ("end", -12)
    x = _x(step + 0.5, 32) + aside
    return f'<text class="cut" x="{x:.1f}" y="{TOP + 10}" text-anchor="{anchor}">{value:.0%}</text>'


def _x(place: float, steps: int) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * place / steps


def _base() -> str:
    return f'x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{HEIGHT - BOTTOM}" y2="{HEIGHT - BOTTOM}"'


def sizes(found: Mapping[tuple[int, int], int], side: int) -> str:
    """Widths against heights, a dot for each size, its area the number of pictures; logarithmic where they spread."""
    ends = [v for pair in found for v in pair]
    low, high = min([*ends, side]), max([*ends, side])
    log = high / low > 8
    scale: list[float] = [math.log(v) if log else float(v) for v in (low, high)]
    span = (scale[1] - scale[0]) or 1.0
    room = HEIGHT - TOP - BOTTOM

    def place(value: int) -> float:
        return 0.06 + 0.88 * ((math.log(value) if log else value) - scale[0]) / span

    most = max(found.values())
    dots = []
    for (w, h), c in sorted(found.items(), key=lambda item: -item[1]):
        x, y = LEFT + (WIDTH - LEFT - RIGHT) * place(w), HEIGHT - BOTTOM - room * place(h)
        told = html.escape(f"{w} x {h}: {c:,} pictures")
        dots.append(
            f'<circle class="size" cx="{x:.1f}" cy="{y:.1f}" r="{2 + 12 * math.sqrt(c / most):.1f}">'
            f"<title>{told}</title></circle>"
        )
    marks = []
    for v in sorted({low, side, high}):
        x, y = LEFT + (WIDTH - LEFT - RIGHT) * place(v), HEIGHT - BOTTOM - room * place(v)
        marks.append(f'<text x="{x:.1f}" y="{HEIGHT - 9}" text-anchor="middle">{count(v)}</text>')
        marks.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{count(v)}</text>')
    axes = (
        f'<line class="axis" {_base()}/><line class="axis" x1="{LEFT}" x2="{LEFT}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>'
    )
    return _svg("Width across, height up, in pixels", axes + "".join(dots) + "".join(marks))


def _svg(label: str, body: str) -> str:
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{html.escape(label)}">{body}</svg>'
