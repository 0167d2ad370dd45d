"""The page docs/benchmarks-tables.md, from what `python -m benchmarks.tables` has kept."""

from __future__ import annotations

import importlib
import statistics
from typing import Any

from . import machine

ABSENT = "Not measured yet."
FIGURES = (  # name in the judgement, title, factor, format
    ("sdmetrics-quality", "SDMetrics quality", 1, "{:.3f}"),
    ("shape-error", "shape error, %", 100, "{:.2f}"),
    ("pair-trend-error", "pair-trend error, %", 100, "{:.2f}"),
    ("real-or-fake-auc", "real-or-fake AUC", 1, "{:.3f}"),
    ("closer-to-training-share", "closer to training rows than to held-out ones, share", 1, "{:.3f}"),
    ("membership-distance-auc", "membership attack, AUC", 1, "{:.3f}"),
)
EXTRA = (("imbalance", "Over-sampling", "tables_imbalance"), ("imputation", "Imputation", "tables_imputation"))
EXTRA += (("tables-dp", "Differential privacy", "tables_dp"),)


def render() -> str:
    lines = [
        "# Benchmarks of tables",
        "",
        "Written by `python -m benchmarks.tables`, not by hand. The incumbent is the package `ctgan` 0.12.1 with its "
        "defaults; it is installed for this comparison alone, in an environment of its own.",
    ]
    for name, title, show in (
        ("tables-adult", "Adult", compared),
        ("tables-others", "Other tables", others),
        ("tables-transforms", "Fitting and applying the transforms", transforms),
        ("tables-sampling", "Sampling a million rows", sampling),
    ):
        lines += section(title, machine.kept(name), show)
    for name, title, module in EXTRA:
        result = machine.kept(name)
        lines += section(title, result, lambda kept, m=module: importlib.import_module(f"benchmarks.{m}").render(kept))
    return "\n".join(lines) + "\n"


def section(title: str, result: dict[str, Any] | None, show: Any) -> list[str]:
    if result is None:
        return ["", f"## {title}", "", ABSENT]
    return ["", f"## {title}", "", *show(result), "", f"Measured on: {result['machine']}."]


def others(result: dict[str, Any]) -> list[str]:
    lines: list[str] = []
    for row in result["tables"]:
        lines += [f"**{row['table']}**", "", *compared(row), ""]
    done = {row["table"] for row in result["tables"]}
    left = [name for name in ("diabetes", "cards", "covertype") if name not in done]
    return [*lines, f"Not measured yet: {', '.join(left)}."] if left else lines[:-1]


def compared(row: dict[str, Any]) -> list[str]:
    """One table's figures, ours beside the incumbent's."""
    ours, theirs = row["ours"], row["theirs"]
    seeds = ", ".join(str(r["seed"]) for r in ours)
    keys = [row for row in FIGURES if row[0] in theirs["figures"]]
    keys += [(k, k, 1, "{:.3f}") for k in sorted(theirs["figures"]) if k.startswith("tstr-")]
    simple = row.get("simple", {})
    lines = [
        f"{row['rows']:,} rows, {row['columns']} columns, target `{row['target']}`; ours to its own stop (seeds "
        f"{seeds}; mean and, where there are more, every seed in brackets), the incumbent for {theirs['epochs']} "
        "epochs (seed 0). Beside them what costs seconds: generators without a network.",
        "",
        f"| {' | '.join(['figure', 'gansmith', 'incumbent', *simple])} |",
        f"|---|---|---|{'---|' * len(simple)}",
    ]
    for key, title, factor, form in keys:
        values = [factor * r["figures"][key] for r in ours]
        each = f" ({', '.join(form.format(v) for v in values)})" if len(values) > 1 else ""
        others = [form.format(factor * f[key]) if key in f else "-" for f in (theirs["figures"], *simple.values())]
        lines.append(f"| {title} | {form.format(statistics.mean(values))}{each} | {' | '.join(others)} |")
    lines += ["", *course(row)] if row["table"] == "adult" else []
    same = all(r["same_bytes"] for r in ours)
    return [*lines, "", f"Same seed, same machine, same bytes of CSV: {'yes' if same else 'no'}."]


def course(row: dict[str, Any]) -> list[str]:
    """How long the training took beside the incumbent's, and which bars were reached."""
    ours, theirs, lines = row["ours"], row["theirs"], list[str]()
    seconds = statistics.mean(r["fit_s"] for r in ours)
    lines.append(
        "Both trained side by side, one core each; the training to its own stop took "
        f"{seconds / theirs['fit_s']:.2f} of the incumbent's time."
    )
    reached = [r["seconds_to_their_quality"] for r in ours]
    if all(reached):
        times = theirs["fit_s"] / statistics.mean(reached)
        lines += ["", f"The incumbent's quality is reached in a run that takes {times:.0f} times less time (bar: 4)."]
    else:
        lines += ["", "The incumbent's quality is not reached by every seed."]
    gradient = [r["figures"].get("tstr-f1, gradient boosting") for r in ours]
    return [*lines, "", *bars(row)] if all(gradient) else lines


def bars(row: dict[str, Any]) -> list[str]:
    """What was aimed at on Adult, and whether it was reached."""
    ours = [r["figures"] for r in row["ours"]]
    aims = (  # figure, factor, bar, whether more is better
        ("sdmetrics-quality", 1, 0.92, True),
        ("shape-error", 100, 5.0, False),
        ("pair-trend-error", 100, 8.0, False),
        ("tstr-f1, gradient boosting", 1, 0.785, True),
    )
    lines = ["| bar | aimed at | mean | reached |", "|---|---|---|---|"]
    for name, factor, bar, more in aims:
        value = factor * statistics.mean(f[name] for f in ours)
        reached = value >= bar if more else value <= bar
        lines.append(f"| {name} | {'≥' if more else '≤'} {bar} | {value:.3f} | {'yes' if reached else '**no**'} |")
    simple = {n: 100 * f["pair-trend-error"] for n, f in row.get("simple", {}).items() if "pair-trend-error" in f}
    easy = ", ".join(f"{name} {value:.1f} %" for name, value in simple.items() if value <= 8)
    if easy:
        lines += ["", f"The bar on pairs is an easy one on this table: {easy} stay below it, too."]
    note = row.get("note", "")
    return [*lines, "", note] if note else lines


def transforms(result: dict[str, Any]) -> list[str]:
    rounds = result["rounds"]
    lines = ["| numbers encoded by | times less than the incumbent's time |", "|---|---|"]
    for style in ("quantile", "modes"):
        ratio = machine.median([r["theirs_s"] / r[f"{style}_s"] for r in rounds])
        lines.append(f"| {style} | {ratio:.1f} |")
    note = f"Adult, types found, fitted and applied; {len(rounds)} rounds, alternating; medians. Bar: 5."
    return [*lines, "", note]


def sampling(result: dict[str, Any]) -> list[str]:
    rounds = result["rounds"]
    memory = machine.median([r["theirs_s"] / r["ours_s"] for r in rounds])
    to_file = machine.median([r["theirs_s"] / r["to_file_s"] for r in rounds])
    grown = ", ".join(f"{m['mib_more']:.0f} MiB for {m['rows']:,} rows" for m in result["memory"])
    bar = "reached" if memory >= 10 else "**not reached**"
    return [
        f"Adult, a million rows: {memory:.1f} times less time than the incumbent in memory, {to_file:.1f} times less "
        f"into a CSV file; {len(rounds)} rounds, alternating. Bar: 10, {bar}.",
        "",
        f"The highest memory while writing a file, above that before: {grown}.",
    ]
