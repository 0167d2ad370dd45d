"""The report on a synthetic table: one HTML file that needs nothing else, and the same figures as JSON beside it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ... import __version__
from ...config import write_text
from ...errors import DataError
from ...metrics.tables import TableFigure, TableJudgement
from ...metrics.tables.columns import align
from ...privacy.ledger import fold_alike
from ...tabular.schema import Schema
from . import marginals, plots, verdict

if TYPE_CHECKING:
    import pandas as pd

HEADLINES = (
    ("sdmetrics-quality", "SDMetrics quality"),
    ("shape-error", "shape error"),
    ("pair-trend-error", "pair-trend error"),
    ("real-or-fake-auc", "real or fake, AUC"),
    ("membership-distance-auc", "membership attack, AUC"),
    ("exact-copies", "exact copies"),
)
SHARES = ("shape-error", "pair-trend-error", "exact-copies", "validity", "structure")
AXES = {"closer-to-training-share": (0.3, 1.0), "exact-copies": (0.0, 0.2), "attribute-inference-gain": (-0.2, 0.6)}
GROUPS = {
    "quality": "Likeness",
    "detection": "Can a classifier tell it from the real table?",
    "utility": "Train on synthetic, test on real",
    "privacy": "Privacy",
}
FACTS = ("title", "command", "notes")  # shown elsewhere than in the line under the title
LABELS = {
    "sdmetrics-quality": "SDMetrics quality score",
    "sdmetrics-column-shapes": "SDMetrics column shapes",
    "sdmetrics-pair-trends": "SDMetrics pair trends",
    "shape-error": "Shape error",
    "pair-trend-error": "Pair-trend error",
    "sdmetrics-diagnostic": "SDMetrics diagnostic score",
    "validity": "Valid values",
    "structure": "Columns and dtypes",
    "real-or-fake-auc": "Real or fake, AUC",
    "exact-copies": "Exact copies of training rows",
    "closer-to-training-share": "Closer to training than to held-out rows",
    "closest-record-distance-median": "Distance to closest record, median",
    "closest-record-distance-5%": "Distance to closest record, 5th percentile",
    "nearest-neighbour-ratio": "Nearest-neighbour distance ratio",
    "membership-distance-auc": "Membership, attack by distance, AUC",
    "membership-distance-found-at-1%": "Membership, found at 1 % false alarms",
    "membership-shadow-auc, random": "Membership, shadow models, AUC",
    "membership-shadow-auc, isolated": "Membership, shadow models, unusual people, AUC",
    "attribute-inference-gain": "Guessing a secret column, gain",
    "attribute-inference-worst-gain": "Guessing a secret column, worst gain",
}
SIDES = (("privacy", "Privacy"), ("use", "Use"))
SCORES = {"f1": "Macro F1", "auroc": "AUROC", "auprc": "AUPRC", "r2": "R²"}
OUTCOMES = {
    "sign": "Can be signed",
    "sign for privacy only": "No leak found, limited use",
    "incomplete": "Not ready to be signed",
    "refuse": "Do not release",
}


def write_table_report(
    path: Path | str,
    judgement: TableJudgement,
    real: pd.DataFrame,
    fake: pd.DataFrame,
    schema: Schema,
    *,
    ledger: Mapping[str, Any] | None = None,
    about: Mapping[str, Any] | None = None,
) -> Path:
    """Writes the report as HTML, and beside it, with the ending `.json`, everything that it says as data.

    Args:
        path: of the HTML file.
        judgement: from `judge_table`.
        real, fake: the same tables, for the charts; only counts of their values are shown.
        schema: what the columns are.
        ledger: of a differentially private generator: `entries` (each `what`, `epsilon`, `delta`, `note`), the claimed
            `epsilon` and `delta`, `spent`, and `audited`, the lower bound that an audit measured; `Ledger.to_json`.
        about: what else to say: `title`, `data`, `recipe`, `command`, `notes` (a list), anything as text.

    Returns:
        The path of the HTML file.

    Raises:
        DataError: the tables do not fit the schema, or the path ends in `.json`.
        MissingExtra: pandas is absent.
    """
    path = Path(path)
    if path.suffix == ".json":
        raise DataError(
            f"the report is an HTML file and puts its data beside it; give a path that ends in .html: {path}"
        )
    decided = verdict.decide(judgement, ledger)
    page = render(judgement, decided, real, fake, schema, ledger=ledger, about=about or {})
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, page)
    data = {"verdict": decided.to_json(), "judgement": judgement.to_json(), "ledger": dict(ledger) if ledger else None}
    write_text(
        path.with_suffix(".json"), json.dumps({**data, "about": dict(about or {})}, indent=1, default=str) + "\n"
    )
    return path


def render(
    judgement: TableJudgement,
    decided: verdict.Verdict,
    real: pd.DataFrame,
    fake: pd.DataFrame,
    schema: Schema,
    *,
    ledger: Mapping[str, Any] | None,
    about: Mapping[str, Any],
) -> str:
    """The page as text."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("gansmith.report.tables", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("table_report.html.j2")
    return page.render(
        title=str(about.get("title", "A synthetic table")),
        facts=facts(judgement, about),
        verdict=decided,
        outcome=OUTCOMES[decided.outcome],
        criteria=[(title, [c for c in decided.criteria if c.group == group]) for group, title in SIDES],
        headlines=headlines(judgement),
        baselines=list(judgement.baselines),
        scores=scores(judgement),
        columns=columns(judgement, real, fake, schema),
        **associations(judgement),
        privacy=privacy(judgement),
        secrets=judgement.secrets,
        promise=promise(ledger),
        missing=judgement.missing,
        command=str(about.get("command", "")),
        notes=[str(n) for n in about.get("notes", ())],
        protocols=[(label(f.name), str(f.protocol)) for f in judgement.figures],
        version=__version__,
    )


def facts(judgement: TableJudgement, about: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The line under the title."""
    rows = judgement.about.get("rows", {})
    told = {k: v for k, v in about.items() if k not in FACTS}
    counted = {f"{name} rows": f"{rows[key]:,}" for key, name in ROWS.items() if rows.get(key)}
    rest = {k: judgement.about[k] for k in ("columns", "target", "seed") if judgement.about.get(k) is not None}
    return [(str(k), str(v)) for k, v in {**told, **counted, **rest}.items()]


ROWS = {"real": "training", "test": "held-out", "fake": "synthetic"}


def headlines(judgement: TableJudgement) -> list[dict[str, str]]:
    """The large figures at the top: six of them, and the best model trained on the table."""
    found = []
    for name, label in HEADLINES:
        if (figure := judgement.get(name)) is not None:
            found.append({"label": label, "value": number(figure), "beside": aside(figure), "meaning": figure.meaning})
    learnt = [f for f in judgement.figures if f.name.startswith(("tstr-auroc", "tstr-r2"))]
    if learnt:
        best = max(learnt, key=lambda f: f.value)
        score = "AUROC" if "auroc" in best.name else "R²"
        beside = f"{max(f.reference or 0 for f in learnt):.3f} trained on real rows"
        found.insert(
            4, {"label": f"{score}, best model", "value": number(best), "beside": beside, "meaning": best.meaning}
        )
    return found


def number(figure: TableFigure) -> str:
    """A value as people read it: shares as percentages, the rest with three decimals, a dash where it is undefined."""
    return value_of(figure.name, figure.value)


def label(name: str) -> str:
    """What the page calls a figure: `tstr-f1, random forest` is `Macro F1, random forest`."""
    score, _, model = name.removeprefix("tstr-").partition(", ")
    return LABELS.get(name) or (f"{SCORES[score]}, {model}" if score in SCORES else name)


def value_of(name: str, value: float) -> str:
    if value != value:
        return "-"
    if name in SHARES:
        return f"{value:.2%}" if value < 0.9995 or value == 1 else f"{value:.3%}"
    return f"{value:.3f}"


def aside(figure: TableFigure) -> str:
    """What stands beside a value: its interval, else its reference."""
    if figure.interval is not None:
        low, high = (value_of(figure.name, v) for v in figure.interval)
        return f"{low} to {high}"
    return "" if figure.reference is None else f"{value_of(figure.name, figure.reference)} for real rows"


def scores(judgement: TableJudgement) -> list[dict[str, Any]]:
    """Figures in groups, each with the same figure of every baseline, as rows of a table."""
    found = []
    for group, title in GROUPS.items():
        rows = [_row(judgement, f) for f in judgement.figures if f.group == group]
        if rows:
            found.append({"title": title, "rows": rows, "models": group == "utility"})
    return found


def _row(judgement: TableJudgement, figure: TableFigure) -> dict[str, Any]:
    from markupsafe import Markup

    others = plots.beside(judgement, figure.name)
    return {
        "name": label(figure.name),
        "better": "higher is better" if figure.better == "high" else "lower is better",
        "value": number(figure),
        "interval": "" if figure.interval is None else aside(figure),
        "reference": "" if figure.reference is None else value_of(figure.name, figure.reference),
        "others": [number(others[of]) if of in others else "" for of in judgement.baselines],
        "strip": Markup(plots.strip(figure, others)),  # made of numbers and escaped names
        "meaning": figure.meaning,
    }


def columns(judgement: TableJudgement, real: pd.DataFrame, fake: pd.DataFrame, schema: Schema) -> list[dict[str, Any]]:
    """One chart for each column, in the order of the table."""
    from markupsafe import Markup

    tables = align(schema, {"real": real, "fake": fake})
    shapes = {s.name: s.score for s in judgement.shapes}
    found = []
    for column in tables.columns:
        drawn, notes = marginals.chart(column, tables)
        score = shapes.get(column.name, float("nan"))
        told = "" if score != score else f"{score:.1%} alike"
        found.append({"name": column.name, "kind": column.kind, "score": told, "svg": Markup(drawn), "notes": notes})
    return found


def associations(judgement: TableJudgement) -> dict[str, Any]:
    """The matrices, and the pairs that are told worst."""
    from markupsafe import Markup

    names = [s.name for s in judgement.shapes]
    shown = plots.chosen(judgement.trends, names)
    drawn = plots.matrices(judgement.trends, shown) if len(names) > 1 else []
    return {
        "matrices": [(title, Markup(svg)) for title, svg in drawn],
        "left_out": len(names) - len(shown),
        "worst": [(t, f"{t.score:.1%}", f"{t.real:.3f}", f"{t.fake:.3f}") for t in plots.worst(judgement.trends)],
    }


def privacy(judgement: TableJudgement) -> list[dict[str, Any]]:
    """The privacy figures that have an interval, each drawn against what chance gives."""
    from markupsafe import Markup

    found = []
    for figure in judgement.figures:
        if figure.group == "privacy" and figure.interval is not None:
            drawn = plots.interval(figure, *axis(figure))
            found.append(
                {
                    "name": label(figure.name),
                    "value": number(figure),
                    "interval": aside(figure),
                    "reference": "" if figure.reference is None else value_of(figure.name, figure.reference),
                    "svg": Markup(drawn),
                    "meaning": figure.meaning,
                }
            )
    return found


def axis(figure: TableFigure) -> tuple[float, float]:
    """The ends of the axis that an interval is drawn on: the same in every report, unless a value lies outside."""
    low, high = next((ends for start, ends in AXES.items() if figure.name.startswith(start)), (0.3, 1.0))
    if "worst" in figure.name:
        low, high = AXES["attribute-inference-gain"]
    if "found-at" in figure.name:
        low, high = 0.0, 0.2
    ends = [figure.value, *(figure.interval or ())]
    return min(low, *ends), max(high, *ends)


def promise(ledger: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The ledger as rows of text; None where there is none.

    Raises:
        DataError: it holds no list of entries.
    """
    if ledger is None:
        return None
    entries = ledger.get("entries")
    if not isinstance(entries, list | tuple):
        raise DataError(f"a privacy ledger needs a list of entries; it has: {', '.join(map(str, ledger)) or 'nothing'}")
    claimed, spent, audited = verdict.epsilons(ledger)
    delta = ledger.get("delta")
    return {
        "rows": list(_entries(entries)),
        "sentence": str(ledger.get("promise") or ""),
        "claimed": _said(claimed),
        "spent": _said(spent),
        "audited": _said(audited),
        "delta": f"{delta:.1e}" if isinstance(delta, float) else "",
    }


def _said(epsilon: float | None) -> str:
    return "" if epsilon is None else f"{epsilon:.4g}"


def _entries(entries: list[Any] | tuple[Any, ...]) -> Iterator[tuple[str, ...]]:
    """What, how, epsilon, delta and note of each expense."""
    for entry in entries:
        if not isinstance(entry, Mapping):
            raise DataError(
                f"an entry of a privacy ledger is a mapping with what, epsilon, delta, note; got: {entry!r}"
            )
    for what, entry in fold_alike(entries):
        epsilon, delta = float(entry.get("epsilon") or 0), float(entry.get("delta") or 0)
        numbers = ", ".join(f"{name} {value:.4g}" for name, value in (entry.get("parameters") or {}).items())
        how = f"{entry.get('mechanism') or ''}{': ' if numbers else ''}{numbers}"
        yield what, how, f"{epsilon:.4f}", f"{delta:.1e}" if delta else "0", str(entry.get("note") or "")
