"""Our quality and diagnostic scores are SDMetrics 0.32.0's; `tools/sdmetrics_reference.py` made the stored numbers."""

from __future__ import annotations

import importlib.util
import json
import math
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from gansmith.metrics.tables import columns, quality
from gansmith.metrics.tables.diagnostic import diagnostic
from gansmith.tabular.schema import Schema

pd = pytest.importorskip("pandas")

HERE = Path(__file__).parent
STORED: dict[str, Any] = json.loads((HERE / "sdmetrics.json").read_text(encoding="utf-8"))
EXACT = 1e-6


def tool() -> ModuleType:
    path = HERE.parents[1] / "tools" / "sdmetrics_reference.py"
    spec = importlib.util.spec_from_file_location("sdmetrics_reference", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def pair(name: str, shared_data: Path) -> tuple[Any, Any]:
    if not name.startswith("adult"):
        return tuple(pd.read_csv(HERE / f"{name}.{side}.csv") for side in ("real", "fake"))  # type: ignore[return-value]
    made = tool()
    whole = made.adult(str(shared_data / "tabular" / "adult.csv.gz"))
    real, fake = whole[::2].reset_index(drop=True), whole[1::2].reset_index(drop=True)
    return real, made.noisy(real, 0) if name == "adult_noisy" else fake


def same(ours: float, theirs: float | None) -> bool:
    """SDMetrics' NaN is stored as null."""
    return math.isnan(ours) if theirs is None else abs(ours - theirs) < EXACT


@pytest.mark.parametrize("name", sorted(STORED))
def test_every_score_is_the_stored_one(name: str, shared_data: Path) -> None:
    real, fake = pair(name, shared_data)
    theirs = STORED[name]
    schema = Schema.from_json(theirs["schema"])
    tables = columns.align(schema, {"real": real, "fake": fake})
    shapes, trends = quality.shapes(tables), quality.trends(tables)

    assert [(s.name, s.measure) for s in shapes] == [(c, m) for c, m, _ in theirs["columns"]]
    for shape, (_, _, score) in zip(shapes, theirs["columns"], strict=True):
        assert same(shape.score, score), shape
    for trend, (a, b, measure, score, correlation, association) in zip(trends, theirs["pairs"], strict=True):
        assert (trend.a, trend.b, trend.measure) == (a, b, measure)
        assert trend.counts == (score is not None), trend
        assert score is None or same(trend.score, score), (trend, score)
        strength = correlation if measure == "CorrelationSimilarity" else association
        assert strength is None or same(trend.real, strength), (trend, strength)

    found = zip(quality.score(shapes, trends), ("quality", "shapes", "trends"), strict=True)
    assert all(same(value, theirs[key]) for value, key in found)


@pytest.mark.parametrize("name", sorted(STORED))
def test_the_diagnosis_is_the_stored_one(name: str, shared_data: Path) -> None:
    real, fake = pair(name, shared_data)
    theirs = STORED[name]
    schema = Schema.from_json(theirs["schema"])
    key = next((c.name for c in schema if c.kind == "identifier"), None)
    score, valid, alike, each = diagnostic(real, fake, schema, key=key)
    assert [(v.name, v.measure) for v in each] == [(c, m) for c, m, _ in theirs["valid"]]
    for found, (_, _, wanted) in zip(each, theirs["valid"], strict=True):
        assert same(found.score, wanted), (found, wanted)
    for value, key_ in ((score, "diagnostic"), (valid, "validity"), (alike, "structure")):
        assert same(value, theirs[key_]), (key_, value, theirs[key_])


def test_the_stored_numbers_hold_the_hard_cases() -> None:
    """The fixtures test what they are there for: scores that are NaN, pairs under the threshold, invalid values."""
    pairs = [p for s in STORED.values() for p in s["pairs"]]
    assert sum(p[3] is None for p in pairs) > 30
    assert sum(p[3] is not None and p[2] == "ContingencySimilarity" for p in pairs) > 30
    assert STORED["odd"]["validity"] < 0.7
    assert STORED["keyed"]["valid"][0] == ["key", "KeyUniqueness", 0.955]
    assert STORED["no_trend"]["trends"] is None
