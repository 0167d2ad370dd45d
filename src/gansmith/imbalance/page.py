"""A laboratory run as text for a terminal, and as a page that needs nothing else."""

from __future__ import annotations

import html
import io
from typing import Any

from .. import __version__
from .paired import in_words
from .result import ALL, Comparison, LabResult
from .scores import HIGHER_IS_BETTER, METRICS

MARKS = {"better": "better", "worse": "worse", "alike": "alike"}
DOT_WIDTH, DOT_LEFT, DOT_ROW = 640, 150, 26


def as_text(result: LabResult, width: int = 110) -> str:
    """The table, the notes and the verdict."""
    from rich.console import Console

    out = io.StringIO()
    console = Console(file=out, width=width, highlight=False, markup=False)
    console.print(table(result), no_wrap=True)
    for note in result.notes:
        console.print(f"note: {note}")
    console.print()
    console.print(result.verdict)
    return out.getvalue()


def table(result: LabResult) -> Any:
    """The methods as a table of rich: means over folds and classifiers, and the test against the reference."""
    from rich import box
    from rich.table import Table

    made = Table(title=heading(result), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    header, rows = cells(result)
    for place, name in enumerate(header):
        made.add_column(name, justify="left" if place in (0, len(header) - 1) else "right")
    for row in rows:
        made.add_row(*row)
    return made


def heading(result: LabResult) -> str:
    counts = ", ".join(f"{name} {count:,}" for name, count in result.classes.items())
    return f"{result.target}: {counts}; {result.folds[0]}x{result.folds[1]} folds, seed {result.seed}"


def cells(result: LabResult) -> tuple[list[str], list[list[str]]]:
    """Header and rows: PR-AUC over all models and with each, the other figures, seconds, the test of PR-AUC."""
    several = len(result.models) > 1
    header = ["method", "PR-AUC", *(result.models if several else ()), "bal. acc.", "Brier", "s"]
    header += [f"against {result.methods[result.reference]}", "p", ""]
    found = {c.method: c for c in result.compare(result.reference)}
    rows = []
    for name, title in result.methods.items():
        figures = [result.mean("pr_auc", name)]
        figures += [result.mean("pr_auc", name, model) for model in result.models] if several else []
        figures += [result.mean("balanced_accuracy", name), result.mean("brier", name)]
        told = _told(found[name]) if name in found else ["", "", "reference"]
        rows.append([title, *(f"{figure:.3f}" for figure in figures), f"{result.seconds[name]:.0f}", *told])
    return header, rows


def _told(comparison: Comparison) -> list[str]:
    return [f"{comparison.gain:+.3f}", in_words(comparison.p).removeprefix("= "), MARKS[comparison.verdict]]


def render(result: LabResult) -> str:
    """The page as text."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("gansmith.imbalance", "."), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    header, rows = cells(result)
    return environment.get_template("lab.html.j2").render(
        target=result.target,
        facts=_facts(result),
        verdict=result.verdict,
        header=header,
        rows=rows,
        charts=[(METRICS[metric], _direction(metric), Markup(dots(result, metric))) for metric in METRICS],
        comparisons=[_row(result, c) for c in result.comparisons],
        against=result.methods[result.reference],
        test=result.test,
        notes=list(result.notes),
        version=__version__,
    )


def _facts(result: LabResult) -> list[tuple[str, str]]:
    return [
        *((f"class {name}", f"{count:,} rows") for name, count in result.classes.items()),
        ("folds", f"{result.folds[0]} x {result.folds[1]}, stratified"),
        ("classifiers", ", ".join(result.models.values())),
        ("seed", str(result.seed)),
        ("time", f"{sum(result.seconds.values()):,.0f} s"),
    ]


def _direction(metric: str) -> str:
    return "higher is better" if HIGHER_IS_BETTER[metric] else "lower is better"


def _row(result: LabResult, c: Comparison) -> list[str]:
    model = "all, mean" if c.model == ALL else result.models[c.model]
    gain = [f"{c.value:.4f}", f"{c.other:.4f}", f"{c.gain:+.4f}", f"{c.p:.3g}", MARKS[c.verdict]]
    return [METRICS[c.metric], model, result.methods[c.method], *gain]


def dots(result: LabResult, metric: str) -> str:
    """An SVG: a row for each method, with a small dot for each classifier's mean and a bar for the mean of all."""
    means = {name: [result.mean(metric, name, model) for model in result.models] for name in result.methods}
    every = [value for values in means.values() for value in values]
    low, span = min(every), (max(every) - min(every)) or 1.0

    def at(value: float) -> float:
        return DOT_LEFT + 12 + (DOT_WIDTH - DOT_LEFT - 60) * (value - low) / span

    body, height = [], DOT_ROW * len(means) + 24
    for row, (name, values) in enumerate(means.items()):
        y, mean = DOT_ROW * row + 18, sum(values) / len(values)
        title = html.escape(result.methods[name])
        body.append(f'<text x="0" y="{y + 4}">{title}</text>')
        body.append(f'<line class="rule" x1="{DOT_LEFT}" x2="{DOT_WIDTH - 44}" y1="{y}" y2="{y}"/>')
        for place, (model, value) in enumerate(zip(result.models.values(), values, strict=True)):
            tip = f"<title>{html.escape(model)}: {value:.3f}</title>"
            body.append(f'<circle class="c{place % 8}" cx="{at(value):.1f}" cy="{y}" r="5">{tip}</circle>')
        body.append(f'<rect class="mean" x="{at(mean) - 1.5:.1f}" y="{y - 10}" width="3" height="20"/>')
        body.append(f'<text x="{DOT_WIDTH}" y="{y + 4}" text-anchor="end">{mean:.3f}</text>')
    label = html.escape(METRICS[metric])
    return f'<svg viewBox="0 0 {DOT_WIDTH} {height}" role="img" aria-label="{label}">{"".join(body)}</svg>' + _legend(
        result
    )


def _legend(result: LabResult) -> str:
    models = "".join(f'<li class="c{i % 8}">{html.escape(m)}</li>' for i, m in enumerate(result.models.values()))
    return f'<ul class="legend">{models}<li class="bar">their mean</li></ul>'
