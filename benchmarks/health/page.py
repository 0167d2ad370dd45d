"""docs/benchmarks-health.md, from the scores that were kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .. import machine

PAGE = machine.ROOT / "docs" / "benchmarks-health.md"
ABSENT = "Not measured yet: `python -m benchmarks health run --seeds {0}`, then `score --seeds {0}`."
Result = dict[str, Any]
Kept = Callable[[str], Result | None]
BARS = (  # key, title, bar, whether more is better, in which score
    ("flagged", "failing runs flagged", 0.95, True, "health-fresh"),
    ("named", "failing runs rightly named", 0.90, True, "health-fresh"),
    ("flagged", "the same, unseen scenarios", 0.85, True, "health-unseen"),
    ("named", "rightly named, unseen scenarios", 0.75, True, "health-unseen"),
    ("false", "false alarms on healthy runs", 0.0, False, "health-fresh"),
    ("delay", "median delay, share of the run", 0.10, False, "health-fresh"),
)


def write() -> None:
    PAGE.write_text(render(machine.kept), encoding="utf-8")
    print(PAGE)


def render(kept: Kept) -> str:
    """The page, from results by name."""
    lines = [
        "# Benchmark of planted failures",
        "",
        "Written by `python -m benchmarks health page`, not by hand. GANs are trained by a plain PyTorch loop in which "
        "a fault was planted, and beside them healthy ones; `gansmith.health.Doctor` watches through the same five "
        "lines that anybody would add to a script. What is true of a run is found by code of its own "
        "(benchmarks/health/oracle.py): a run fails where its measure ends outside the 99 % band of healthy twins. "
        "Detectors were tuned on seeds 0 to 9; the scores are of seeds 100 to 109, and of scenarios that were written "
        "before any tuning and never looked at.",
        "",
        "*Flagged*: anything at or above a warning was said once the fault was there. *Rightly named*: the first cause "
        "that stood last is one of those that are right. *Alarms*: anything serious said of a healthy run. In "
        "brackets: Wilson's 95 % bounds.",
        "",
        "## Bars",
        "",
        *bars(kept),
    ]
    for name, title, seeds in (
        ("health-fresh", "Fresh seeds", "100-109"),
        ("health-unseen", "Unseen scenarios", "100-109"),
        ("health-tuned", "Seeds that detectors were tuned on", "0-9"),
    ):
        result = kept(name)
        lines += ["", f"## {title}", ""]
        lines += [ABSENT.format(seeds)] if result is None else section(result)
    return "\n".join(lines) + "\n"


def bars(kept: Kept) -> list[str]:
    lines = ["| what | bar | measured | reached |", "|---|---|---|---|"]
    for key, title, bar, more, name in BARS:
        result = kept(name)
        if result is None:
            lines.append(f"| {title} | {_bar(bar, more)} | not measured yet | - |")
            continue
        found = result["methods"]["doctor"][key]
        value, text = (found, _percent(found)) if key == "delay" else (_rate(found), share(found))
        reached = value is not None and (value >= bar if more else value <= bar)
        lines.append(f"| {title} | {_bar(bar, more)} | {text} | {'yes' if reached else '**no**'} |")
    return lines


def _bar(bar: float, more: bool) -> str:
    return f"{'≥' if more else '≤'} {bar:.0%}"


def section(result: Result) -> list[str]:
    """One score: methods, families, plants, healthy runs."""
    head = "flagged | rightly named | alarms on healthy runs | median delay |"
    lines = [f"| method | {head}", "|---|---|---|---|---|"]
    lines += [_row(name, found) for name, found in result["methods"].items()]
    lines += ["", "By the doctor:", "", f"| family | {head}", "|---|---|---|---|---|"]
    lines += [_row(name, found) for name, found in result["families"].items()]
    plants = [s for s in result["scenarios"] if s["kind"] == "plant"]
    healthy = [s for s in result["scenarios"] if s["kind"] == "control"]
    lines += [
        "",
        "| planted | fails by the oracle | flagged | rightly named | median delay | said |",
        "|---|---|---|---|---|---|",
    ]
    for s in plants:
        lines.append(
            f"| {s['title']} (`{s['name']}`) | {s['fails']} of {s['runs']} | {_rate_text(s['flagged'])} | "
            f"{_rate_text(s['named'])} | {_percent(s['delay'])} | {_said(s['said'])} |"
        )
    lines += ["", "| healthy | alarms | warnings | said |", "|---|---|---|---|"]
    for s in healthy:
        lines.append(
            f"| {s['title']} (`{s['name']}`) | {s['false']['hits']} of {s['false']['n']} | {s['warned']['hits']} | "
            f"{_said(s['said'])} |"
        )
    cost = result["cost"]
    seconds = [s["cpu_s"] for s in result["scenarios"]]
    lines += [
        "",
        f"A run takes {min(seconds):.1f} to {max(seconds):.1f} s of one core. With 30 readings in each, more "
        f"than the budget of a usual run allows, the doctor took {_percent(cost)} of the training's time (median).",
        "",
        f"Measured with `{result['command']}` on: {result['machine']}.",
    ]
    return lines


def _row(name: str, found: Result) -> str:
    rates = " | ".join(share(found[key]) for key in ("flagged", "named", "false"))
    return f"| {name} | {rates} | {_percent(found['delay'])} |"


def _rate(found: Result) -> float | None:
    return found["hits"] / found["n"] if found["n"] else None


def _rate_text(found: Result) -> str:
    return f"{found['hits']} of {found['n']}" if found["n"] else "-"


def share(found: Result) -> str:
    """`95 % (88 to 98), 95 of 100`."""
    if not found["n"]:
        return "-"
    rate = found["hits"] / found["n"]
    return f"{rate:.1%} ({found['low']:.1%} to {found['high']:.1%}), {found['hits']} of {found['n']}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def _said(said: dict[str, int]) -> str:
    return ", ".join(f"{name} {n}" for name, n in list(said.items())[:4])


def scenario_line(s: Result) -> str:
    """For a terminal."""
    if s["kind"] == "control":
        return f"{s['name']:28} alarms {_rate_text(s['false'])}, ends at {s['badness']:.3g}; said: {_said(s['said'])}"
    return (
        f"{s['name']:28} fails {s['fails']}, ends at {s['badness']:.3g}; flagged {_rate_text(s['flagged'])}, named "
        f"{_rate_text(s['named'])}, delay {_percent(s['delay'])}, early {s['early']['hits']}; said: {_said(s['said'])}"
    )


def method_line(name: str, found: Result) -> str:
    """For a terminal."""
    parts: Sequence[str] = [f"{key} {share(found[key])}" for key in ("flagged", "named", "among", "false", "warned")]
    return f"{name:20} {'; '.join(parts)}; delay {_percent(found['delay'])}"
