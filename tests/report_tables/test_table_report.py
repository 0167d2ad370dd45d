"""The report on a synthetic table: the verdict's rules one by one, and a page that stands alone and tells the truth."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from gansmith.errors import DataError
from gansmith.metrics.tables import Bootstrap, MeasuredOn, TableFigure, TableJudgement, judge_table
from gansmith.report.tables import Verdict, decide, write_table_report
from gansmith.report.tables.marginals import bars, bin_edges, histogram
from gansmith.report.tables.plots import MOST_COLUMNS, chosen, strip
from gansmith.tabular.schema import Column, Schema

np = pytest.importorskip("numpy")
pd = pytest.importorskip("pandas")
pytest.importorskip("sklearn")

ON = MeasuredOn(10_000, 10_000, "train and held-out", 10_000)
CLEAN: dict[str, tuple[float, tuple[float, float] | None, float | None]] = {
    "validity": (1.0, None, None),
    "structure": (1.0, None, None),
    "shape-error": (0.03, None, None),
    "pair-trend-error": (0.05, None, None),
    "tstr-auroc, random forest": (0.88, None, 0.90),
    "exact-copies": (0.001, (0.0005, 0.002), 0.001),
    "closer-to-training-share": (0.50, (0.48, 0.52), 0.5),
    "membership-distance-auc": (0.50, (0.48, 0.52), 0.5),
    "membership-distance-found-at-1%": (0.01, (0.008, 0.013), 0.01),
    "attribute-inference-gain": (0.0, (-0.01, 0.01), 0.0),
    "membership-shadow-auc, random": (0.51, (0.47, 0.55), 0.5),
}
LEDGER = {
    "epsilon": 1.0,
    "delta": 1e-5,
    "spent": 0.97,
    "audited": 0.4,
    "promise": "Nobody <knows>.",
    "entries": [{"what": "bounds of <age>", "epsilon": 0.1, "delta": 0.0, "note": "exponential mechanism"}],
}


def judged(**changed: Any) -> TableJudgement:
    """A judgement with the figures of a good table, some of them changed (None: not measured)."""
    values = CLEAN | {name.replace("__", ", ").replace("_", "-"): value for name, value in changed.items()}
    figures = [
        TableFigure(
            name=name,
            value=v[0],
            interval=v[1],
            reference=v[2],
            better="low",
            meaning="m",
            protocol=ON,
            group="privacy",
        )
        for name, v in values.items()
        if v is not None
    ]
    return TableJudgement(tuple(figures))


def outcome_of(verdict: Verdict, name: str) -> str:
    return next(c.outcome for c in verdict.criteria if c.name.startswith(name))


def test_a_good_table_can_be_signed() -> None:
    verdict = decide(judged(), LEDGER)
    assert verdict.outcome == "sign"
    assert {c.outcome for c in verdict.criteria} == {"pass"}
    assert "Not measured" not in verdict.sentence
    assert "promise of differential privacy" in decide(judged()).sentence  # what is unknown is said


@pytest.mark.parametrize(
    ("name", "changed", "failing"),
    [
        ("copies", {"exact_copies": (0.01, (0.008, 0.012), 0.001)}, "Copies"),
        ("near", {"closer_to_training_share": (0.56, (0.54, 0.58), 0.5)}, "Nearness"),
        ("attack", {"membership_distance_auc": (0.60, (0.55, 0.65), 0.5)}, "Membership, attack by distance"),
        ("shadow", {"membership_shadow_auc__random": (0.7, (0.6, 0.8), 0.5)}, "Membership, attack with shadow"),
        ("secret", {"attribute_inference_gain": (0.1, (0.08, 0.12), 0.0)}, "Secrets"),
    ],
)
def test_one_leak_is_enough_to_refuse(name: str, changed: dict[str, Any], failing: str) -> None:
    verdict = decide(judged(**changed))
    assert verdict.outcome == "refuse", name
    assert outcome_of(verdict, failing) == "fail"
    assert failing.lower() in verdict.sentence


def test_too_few_rows_are_no_privacy() -> None:
    """An interval from .35 to .65 holds chance, and says nothing."""
    verdict = decide(judged(membership_distance_auc=(0.5, (0.35, 0.65), 0.5)))
    assert verdict.outcome == "incomplete"
    assert outcome_of(verdict, "Membership, attack by distance") == "not measured"
    assert decide(judged(closer_to_training_share=None)).outcome == "incomplete"


def test_copies_without_held_out_rows_are_only_clean_when_there_are_none() -> None:
    assert outcome_of(decide(judged(exact_copies=(0.0, (0.0, 0.01), None))), "Copies") == "pass"
    assert outcome_of(decide(judged(exact_copies=(0.1, (0.08, 0.12), None))), "Copies") == "not measured"


def test_a_private_table_without_use_is_named_so() -> None:
    verdict = decide(judged(shape_error=(0.3, None, None)))
    assert verdict.outcome == "sign for privacy only"
    assert "columns alike" in verdict.sentence
    both = decide(judged(shape_error=(0.3, None, None), exact_copies=(0.5, (0.4, 0.6), 0.001)))
    assert both.outcome == "refuse"
    assert "In use it falls short: columns alike" in both.sentence


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        ({}, "pass"),
        ({"audited": 1.7}, "fail"),
        ({"spent": 1.2}, "fail"),
        ({"secure": False}, "fail"),
        ({"secure": True}, "pass"),
        ({"audited": None}, "not measured"),
        ({"audited": {"epsilon": 0.3, "confidence": 0.95}}, "pass"),
    ],
)
def test_the_promise_is_held_against_expenses_and_audit(change: dict[str, Any], outcome: str) -> None:
    name = "The audit" if "audited" in change else "The promise"
    assert outcome_of(decide(judged(), LEDGER | change), name) == outcome


def test_the_verdict_speaks_of_the_promise() -> None:
    said = decide(judged(), LEDGER).sentence
    assert "differential privacy with epsilon 1, of which its ledger says that 0.97 was spent" in said
    assert "outside of that budget" in said, "the report itself is not private"
    assert "no audit" not in said
    assert "the audit of that promise" in decide(judged(), LEDGER | {"audited": None}).sentence
    broken = decide(judged(), LEDGER | {"secure": False})
    assert broken.outcome == "refuse"
    assert "the promise of differential privacy" in broken.sentence


@pytest.fixture(scope="module")
def small() -> tuple[Any, Any, Any, Schema]:
    """Two columns of each kind, with hostile names and values."""
    rng = np.random.default_rng(0)

    def table(n: int) -> Any:
        x = rng.normal(size=n)
        return pd.DataFrame(
            {
                "<b>x</b>": np.where(rng.random(n) < 0.1, np.nan, x),
                "zeros": np.where(rng.random(n) < 0.9, 0, rng.integers(1, 5000, n)),
                "k & co": np.where(x > 0, "<script>alert(1)</script>", "b"),
                "when": pd.Timestamp("2020-01-01") + pd.to_timedelta(np.round((x + 5) * 100), unit="D"),
                "flag": x + rng.normal(size=n) > 0,
                "same": "only",
            }
        )

    kinds = ("float", "integer", "category", "datetime", "boolean", "category")
    real = table(400)
    schema = Schema(tuple(Column(name=n, kind=k) for n, k in zip(real, kinds, strict=True)))  # type: ignore[arg-type]
    return real, table(400), table(300), schema


class Page(HTMLParser):
    """Tags that are open, texts, and whatever points outside the page."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.outside: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.outside += [v for k, v in attrs if k in ("src", "href") and v]
        if tag not in ("meta", "link", "br", "line", "rect", "circle", "polygon", "polyline"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in ("line", "rect", "circle", "polygon", "polyline"):
            return
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_the_page_stands_alone_and_tells_the_truth(small: Any, tmp_path: Path) -> None:
    real, test, _, schema = small
    fake = Bootstrap(1).fit(real, schema).sample(400)
    judgement = judge_table(real, fake, schema, test=test, target="flag")
    about = {"title": "Rows & more", "data": "p.csv", "notes": ["a note"]}
    path = write_table_report(
        tmp_path / "sub" / "report.html", judgement, real, fake, schema, ledger=LEDGER, about=about
    )
    source = path.read_text(encoding="utf-8")
    page = Page()
    page.feed(source)
    text = " ".join(page.text)
    assert page.open == []
    assert page.outside == []
    assert "<script" not in source
    assert "Rows & more" in text
    for wanted in ("Do not release", "<b>x</b>", "k & co", "bounds of <age>", "independent columns", "signature"):
        assert wanted in text, wanted
    assert len(re.findall(r'class="column"', source)) == len(schema)
    assert source.count("<figcaption>Real</figcaption>") == 1
    assert "100.00%" in text  # of the rows are copies

    data = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    assert data["verdict"]["outcome"] == "refuse"
    assert TableJudgement.from_json(data["judgement"]).figures == judgement.figures
    assert data["ledger"]["audited"] == 0.4
    assert "Nobody <knows>." in text, "the promise, in words"


def test_a_page_with_little_to_tell_is_written_all_the_same(small: Any, tmp_path: Path) -> None:
    real, _, fake, schema = small
    judgement = judge_table(real, fake, schema, baselines=False)
    text = write_table_report(tmp_path / "r.html", judgement, real, fake, schema).read_text(encoding="utf-8")
    assert "Not ready to be signed" in text
    assert "there are no held-out rows" in text
    assert "makes no formal promise" in text


def test_one_column_is_enough(tmp_path: Path) -> None:
    schema = Schema((Column(name="x", kind="float"),))
    table = pd.DataFrame({"x": np.random.default_rng(0).normal(size=60)})
    judgement = judge_table(table, table[::-1], schema, test=table + 0.01, baselines=False)
    path = write_table_report(tmp_path / "r.html", judgement, table, table, schema)
    assert "How columns hang together" not in path.read_text(encoding="utf-8")


def test_bad_paths_and_ledgers_are_named(small: Any, tmp_path: Path) -> None:
    real, _, fake, schema = small
    judgement = judge_table(real, fake, schema, baselines=False)
    with pytest.raises(DataError, match="the report is an HTML file"):
        write_table_report(tmp_path / "r.json", judgement, real, fake, schema)
    with pytest.raises(DataError, match="needs a list of entries; it has: epsilon"):
        write_table_report(tmp_path / "r.html", judgement, real, fake, schema, ledger={"epsilon": 1})
    with pytest.raises(DataError, match="got: 'training'"):
        write_table_report(tmp_path / "r.html", judgement, real, fake, schema, ledger={"entries": ["training"]})
    assert not list(tmp_path.iterdir())


def test_bars_show_every_row_and_new_categories() -> None:
    real, fake = np.array([0] * 6 + [1] * 3 + [-1]), np.array([0] * 5 + [2] * 5)
    drawn, notes = bars(real, fake, ("a<", "b", "new"))
    assert notes == ["1 categories that the real column has not"]
    assert "a&lt;: 60.00% real, 50.00% synthetic" in drawn
    assert "missing: 10.00% real, 0.00% synthetic" in drawn
    many, _ = bars(np.arange(30), np.arange(30), tuple(range(30)))
    assert "23 others" in many


def test_bins_follow_whole_numbers_and_spikes() -> None:
    few = bin_edges(np.array([1.0, 2, 3, 4] * 10), whole=True)
    assert few.tolist() == [0.5, 1.5, 2.5, 3.5, 4.5]
    spiky = np.concatenate([np.zeros(90), np.linspace(1, 100, 10)])
    assert histogram(spiky, spiky, date=False, whole=False)[1]
    assert not histogram(few, few, date=False, whole=False)[1]
    assert "2020" in histogram(np.array([1.58e18, 1.6e18]), np.array([1.59e18]), date=True, whole=False)[0]


def test_wide_tables_show_their_strongest_columns() -> None:
    from gansmith.metrics.tables.quality import Trend

    names = [f"c{i}" for i in range(60)]
    trends = [Trend(a, "c59", "CorrelationSimilarity", 1.0, i / 60, 0.0, True) for i, a in enumerate(names[:-1])]
    kept = chosen(trends, names)
    assert len(kept) == MOST_COLUMNS
    assert "c59" in kept
    assert "c0" not in kept
    assert kept == [n for n in names if n in kept]


def test_better_is_drawn_to_the_right() -> None:
    low = TableFigure(name="e", value=0.1, better="low", meaning="", protocol=ON)
    other = {"b": TableFigure(name="e", value=0.5, better="low", meaning="", protocol=ON)}
    drawn = strip(low, other)
    spot = float(re.search(r'circle class="spot" cx="([\d.]+)"', drawn)[1])  # type: ignore[index]
    mark = float(re.search(r'rect class="mark b0" x="([\d.]+)"', drawn)[1])  # type: ignore[index]
    assert spot > mark + 100
