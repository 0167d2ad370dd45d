"""Association matrices, intervals and comparisons with the baselines, as SVG text."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

from ...metrics.tables import TableFigure, TableJudgement
from ...metrics.tables.quality import Trend
from ..charts import Axis

MOST_COLUMNS = 40
MATRIX = 360
STRIP = 220
LETTERS = 15
LEAST = 0.04  # the shortest axis, in units of the figure
DIFFERENT = 0.5  # a difference that is drawn in full colour


def chosen(trends: Sequence[Trend], names: Sequence[str]) -> list[str]:
    """The columns that the matrices show: all, or the 40 with the strongest trends."""
    if len(names) <= MOST_COLUMNS:
        return list(names)
    strength = dict.fromkeys(names, 0.0)
    for trend in trends:
        for name in (trend.a, trend.b):
            strength[name] += abs(trend.real) if trend.real == trend.real else 0.0
    kept = set(sorted(names, key=lambda n: -strength[n])[:MOST_COLUMNS])
    return [n for n in names if n in kept]


def matrices(trends: Sequence[Trend], names: Sequence[str]) -> list[tuple[str, str]]:
    """Titles and pictures of the associations in the real table, in the synthetic one, and of their difference."""
    real = {(t.a, t.b): t.real for t in trends}
    fake = {(t.a, t.b): t.fake for t in trends}
    gap = {(t.a, t.b): t.fake - t.real for t in trends}
    return [
        ("Real", matrix(real, names, 1.0)),
        ("Synthetic", matrix(fake, names, 1.0)),
        ("Synthetic less real", matrix(gap, names, DIFFERENT)),
    ]


def matrix(values: Mapping[tuple[str, str], float], names: Sequence[str], full: float) -> str:
    """A square of cells: blue for positive, red for negative, paler towards 0, empty where undefined."""
    margin, foot = 92, 94
    cell = (MATRIX - margin) / max(len(names), 1)
    size = min(11.0, max(4.0, cell * 0.72))
    parts = []
    for i, a in enumerate(names):
        at = margin + (i + 0.5) * cell
        side = (i + 0.5) * cell + size * 0.35
        text = html.escape(_short(a))
        parts.append(f'<text x="{margin - 5}" y="{side:.1f}" font-size="{size:.1f}" text-anchor="end">{text}</text>')
        low = MATRIX - margin + 6
        parts.append(
            f'<text transform="translate({at + size * 0.35:.1f} {low}) rotate(-90)" font-size="{size:.1f}" '
            f'text-anchor="end">{text}</text>'
        )
        for j, b in enumerate(names):
            parts.append(_cell(a, b, values, margin + j * cell, i * cell, cell, full))
    return f'<svg viewBox="0 0 {MATRIX} {MATRIX - margin + foot}" role="img">{"".join(parts)}</svg>'


def _cell(a: str, b: str, values: Mapping[tuple[str, str], float], x: float, y: float, size: float, full: float) -> str:
    place = f'x="{x:.2f}" y="{y:.2f}" width="{size - 0.6:.2f}" height="{size - 0.6:.2f}"'
    if a == b:
        return f'<rect class="same" {place}/>'
    value = values.get((a, b), values.get((b, a), float("nan")))
    if value != value:
        return f'<rect class="none" {place}/>'
    strength = min(1.0, abs(value) / full)
    kind = "plus" if value >= 0 else "minus"
    told = f"<title>{html.escape(a)} and {html.escape(b)}: {value:+.3f}</title>"
    return f'<rect class="{kind}" {place} fill-opacity="{strength:.3f}">{told}</rect>'


def _short(name: str) -> str:
    return name if len(name) <= LETTERS else name[: LETTERS - 1] + "…"


def interval(figure: TableFigure, low: float, high: float) -> str:
    """A figure with its interval on an axis from low to high, and a mark where its reference is."""
    x, y = Axis(low, high, 8, STRIP - 8), 13
    at = [min(max(v, low), high) for v in (figure.value, *(figure.interval or (figure.value, figure.value)))]
    parts = [f'<line class="rule" x1="8" x2="{STRIP - 8}" y1="{y}" y2="{y}"/>']
    if figure.reference is not None:
        ref = x(min(max(figure.reference, low), high))
        parts.append(f'<line class="chance" x1="{ref:.1f}" x2="{ref:.1f}" y1="2" y2="24"/>')
    parts.append(f'<line class="span" x1="{x(at[1]):.1f}" x2="{x(at[2]):.1f}" y1="{y}" y2="{y}"/>')
    parts.append(f'<circle class="spot" cx="{x(at[0]):.1f}" cy="{y}" r="5"/>')
    return f'<svg class="strip" viewBox="0 0 {STRIP} 26" role="img" aria-hidden="true">{"".join(parts)}</svg>'


def strip(figure: TableFigure, beside: Mapping[str, TableFigure]) -> str:
    """A figure and the same of each baseline on one axis, better to the right."""
    values = [figure.value, *(f.value for f in beside.values())]
    values += [figure.reference] if figure.reference is not None else []
    known = [v for v in values if v == v] or [0.0]
    low, high = min(known), max(known)
    if high - low < LEAST:  # else the axis would make a chasm of a hair
        low, high = (low + high - LEAST) / 2, (low + high + LEAST) / 2
    axis = Axis(low, high, 10, STRIP - 10) if figure.better == "high" else Axis(low, high, STRIP - 10, 10)
    parts = [f'<line class="rule" x1="10" x2="{STRIP - 10}" y1="13" y2="13"/>']
    if figure.reference is not None:
        ref = axis(figure.reference)
        parts.append(f'<line class="chance" x1="{ref:.1f}" x2="{ref:.1f}" y1="3" y2="23"/>')
    for i, (name, other) in enumerate(beside.items()):
        if other.value == other.value:
            title = f"<title>{html.escape(name)}: {other.value:.4g}</title>"
            parts.append(
                f'<rect class="mark b{i}" x="{axis(other.value) - 4:.1f}" y="9" width="8" height="8">{title}</rect>'
            )
    if figure.value == figure.value:
        parts.append(f'<circle class="spot" cx="{axis(figure.value):.1f}" cy="13" r="6"/>')
    return f'<svg class="strip" viewBox="0 0 {STRIP} 26" role="img" aria-hidden="true">{"".join(parts)}</svg>'


def worst(trends: Sequence[Trend], most: int = 8) -> list[Trend]:
    """The pairs whose trend is told worst."""
    return sorted((t for t in trends if t.score == t.score), key=lambda t: t.score)[:most]


def beside(judgement: TableJudgement, name: str) -> dict[str, TableFigure]:
    """A figure of each baseline."""
    found = {of: judgement.get(name, of=of) for of in judgement.baselines}
    return {of: figure for of, figure in found.items() if figure is not None}
