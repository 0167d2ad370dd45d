"""Pictures of failures for the documentation: samples in the course of a run, a healthy twin's, and what gave it away.

python -m benchmarks health figures          docs/health/NAME.png of every plant whose samples were kept
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .. import machine
from .scenario import Scenario
from .trace import Trace, load, samples_path

PLACE = machine.ROOT / "docs" / "health"
TILE, GAP, LEFT, CHART = 144, 8, 56, 150  # pixels
INK, PALE, FAILING, HEALTHY, PAPER = (40, 40, 40), (222, 222, 222), (196, 60, 48), (60, 110, 170), (255, 255, 255)
REACH = 3.0  # of the plane that is drawn, to each side
FONT = ImageFont.load_default(12)


def draw(scenario: Scenario, seed: int) -> Path | None:
    """The figure of one plant; None where its run or its twin's was not kept."""
    trace, twin = load(scenario.name, seed), load(scenario.twin, seed)
    places = [samples_path(name, seed) for name in (scenario.name, scenario.twin)]
    if trace is None or twin is None or not all(p.exists() for p in places):
        return None
    own, healthy = (np.load(p) for p in places)
    tiles = [(f"at {int(k)} % of the run", tile(own[k])) for k in own.files]
    tiles.append(("healthy twin, at its end", tile(healthy[healthy.files[-1]])))
    signal = telling(trace)
    width = len(tiles) * (TILE + GAP) + GAP
    sheet = Image.new("RGB", (width, 24 + TILE + GAP + 24 + CHART + GAP), PAPER)
    pen = ImageDraw.Draw(sheet)
    for i, (title, picture) in enumerate(tiles):
        pen.text((GAP + i * (TILE + GAP), 6), title, fill=INK, font=FONT)
        sheet.paste(picture, (GAP + i * (TILE + GAP), 24))
    top = 24 + TILE + GAP
    pen.text((GAP, top + 4), f"{signal}: this run (red) and its healthy twin (blue)", fill=INK, font=FONT)
    box = (LEFT, top + 24, width - GAP, top + 24 + CHART)
    chart(pen, box, [(course(twin, signal), HEALTHY), (course(trace, signal), FAILING)])
    PLACE.mkdir(parents=True, exist_ok=True)
    sheet.save(PLACE / f"{scenario.name}.png", optimize=True)
    return PLACE / f"{scenario.name}.png"


def telling(trace: Trace) -> str:
    """The signal that the doctor's first finding rests on, if it has a course; the oracle's distance else."""
    for finding in trace.played:
        for evidence in finding.evidence:
            if len(trace.history.values(evidence.signal)[1]) > 1:
                return evidence.signal
    return "distance to real examples"


def course(trace: Trace, signal: str) -> list[tuple[float, float]]:
    """(share of the run, value) of a signal, or of the oracle's distance."""
    samples, values = trace.history.values(signal)
    if not len(values):
        return [(look["samples"] / trace.samples, look["distance"]) for look in trace.oracle]
    return [(s / trace.samples, float(v)) for s, v in zip(samples, values, strict=True)]


def tile(x: np.ndarray) -> Image.Image:
    """Samples (n ...) as one square picture: points of the plane, or rows and pictures side by side."""
    if x.ndim == 2 and x.shape[1] == 64:
        x = x.reshape(-1, 1, 8, 8)
    return sheet_of(x) if x.ndim == 4 else scatter(x)


def scatter(x: np.ndarray) -> Image.Image:
    """The first two coordinates of (n d); what lies beyond the border is drawn on it."""
    picture = np.full((TILE, TILE, 3), 248, np.uint8)
    finite = x[np.isfinite(x).all(1), :2]
    at = np.clip((finite + REACH) / (2 * REACH) * (TILE - 1), 0, TILE - 1).astype(int)
    picture[TILE - 1 - at[:, 1], at[:, 0]] = INK
    return Image.fromarray(picture)


def sheet_of(x: np.ndarray, across: int = 6) -> Image.Image:
    """Pictures (n c h w) in [-1, 1], the first `across` squared of them."""
    x = np.nan_to_num(x[: across * across], nan=1.0)
    rows = [np.concatenate(list(x[i : i + across]), axis=2) for i in range(0, across * across, across)]
    whole = np.concatenate(rows, axis=1).transpose(1, 2, 0)
    pixels = np.clip((whole + 1) * 127.5, 0, 255).astype(np.uint8)
    grey = pixels[..., 0] if pixels.shape[2] == 1 else pixels
    return Image.fromarray(grey).convert("RGB").resize((TILE, TILE), Image.Resampling.NEAREST)


def chart(
    pen: ImageDraw.ImageDraw,
    box: tuple[int, int, int, int],
    lines: Sequence[tuple[Sequence[tuple[float, float]], tuple[int, int, int]]],
) -> None:
    """Lines over the share of the run; logarithmic where values span more than two powers of ten."""
    left, top, right, bottom = box
    values = [v for course, _ in lines for _, v in course if math.isfinite(v)] or [0.0, 1.0]
    least, most = min(values), max(values)
    logarithmic = least > 0 and most > 100 * least

    def height(v: float) -> float:
        scale = math.log if logarithmic else float
        span = scale(most) - scale(least) or 1.0
        return bottom - 4 - (scale(v) - scale(least)) / span * (bottom - top - 8)

    pen.rectangle(box, outline=PALE)
    for value in (least, most):
        pen.text((4, height(value) - 6), f"{value:.2g}", fill=INK, font=FONT)
    for course, colour in lines:
        points = [(left + s * (right - left), height(v)) for s, v in course if math.isfinite(v)]
        if len(points) > 1:
            pen.line(points, fill=colour, width=2)
