"""The verdict: named criteria, each passed, failed or not measured, and one sentence for who must decide.

An attack that does better than chance by less than MARGIN is let pass; one whose interval is too wide to tell counts as
not measured, so that too few rows never look like privacy.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from ...metrics.tables import TableFigure, TableJudgement, intervals

Outcome = Literal["pass", "fail", "not measured"]
MARGIN = 0.02
SHAPE, TREND, LOSS, VALID = 0.10, 0.10, 0.05, 0.99
COPIES = 0.001  # real rows repeat in clusters, which the interval does not know of
ROUNDING = 1e-6


@dataclass(frozen=True)
class Criterion:
    """One question with its answer.

    Args:
        name: what is asked, short.
        rule: when it is passed, in words.
        outcome: the answer.
        evidence: the numbers that it rests on, or why there are none.
        group: `privacy` or `use`.
        required: whether signing needs an answer.
    """

    name: str
    rule: str
    outcome: Outcome
    evidence: str
    group: Literal["privacy", "use"]
    required: bool = True

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Verdict:
    """What the criteria come to.

    Attributes:
        outcome: `sign`, `sign for privacy only`, `incomplete` or `refuse`.
        sentence: the same in plain words, naming the criteria it rests on.
    """

    outcome: Literal["sign", "sign for privacy only", "incomplete", "refuse"]
    sentence: str
    criteria: tuple[Criterion, ...]

    def to_json(self) -> dict[str, Any]:
        return {"outcome": self.outcome, "sentence": self.sentence, "criteria": [c.to_json() for c in self.criteria]}


def decide(judgement: TableJudgement, ledger: Mapping[str, Any] | None = None) -> Verdict:
    """The verdict on a judged table.

    Args:
        judgement: from `judge_table`.
        ledger: `epsilon` (claimed), `delta`, `spent`, `audited` (the lower bound that an audit measured) and `entries`;
            None when the generator promises no differential privacy.
    """
    criteria = (*privacy(judgement), *promise(ledger), *use(judgement))
    failed = [c for c in criteria if c.outcome == "fail"]
    open_ = [c for c in criteria if c.outcome == "not measured" and c.required and c.group == "privacy"]
    unasked = [c for c in criteria if c.outcome == "not measured" and not (c.required and c.group == "privacy")]
    known = (f" Not measured: {_names(unasked)}." if unasked else "") + promised(ledger)
    risks, short = ([c for c in failed if c.group == group] for group in ("privacy", "use"))
    if short and (risks or open_):
        known = f" In use it falls short: {_names(short)}.{known}"
    if risks:
        text = f"Do not release this table: it fails on {_names(risks)}."
        return Verdict("refuse", text + known, criteria)
    if open_:
        text = f"Not ready to be signed: nothing failed on privacy, but there is no answer on {_names(open_)}."
        return Verdict("incomplete", text + known, criteria)
    if failed:
        text = f"No leak was found, but the table falls short in use: {_names(failed)}."
        return Verdict("sign for privacy only", text + known, criteria)
    text = "No leak was found, and the table is valid, alike and useful within the limits below: it can be signed."
    return Verdict("sign", text + known, criteria)


def _names(criteria: list[Criterion]) -> str:
    return "; ".join(c.name.lower() for c in criteria)


def privacy(judgement: TableJudgement) -> list[Criterion]:
    """Copies, closest records, the attacks."""
    asks = [
        ("Nearness to training rows", ["closer-to-training-share"], 0.5, True),
        ("Membership, attack by distance", ["membership-distance-auc"], 0.5, True),
        ("Membership, the surest guesses", ["membership-distance-found-at-1%"], 0.01, True),
        (
            "Membership, attack with shadow models",
            ["membership-shadow-auc, random", "membership-shadow-auc, isolated"],
            0.5,
            False,
        ),
        ("Secrets of people in the data", ["attribute-inference-gain", "attribute-inference-worst-gain"], 0.0, True),
    ]
    found = [_attack(judgement, name, figures, chance, need) for name, figures, chance, need in asks]
    return [_copies(judgement), *found]


def _copies(judgement: TableJudgement) -> Criterion:
    figure = judgement.get("exact-copies")
    name, rule = (
        "Copies of training rows",
        "No more synthetic rows are copies than held-out rows are by chance, as far as the rows can tell.",
    )
    if figure is None or figure.interval is None:
        return Criterion(name, rule, "not measured", "no figure", "privacy")
    evidence = f"{figure.value:.3%} of synthetic rows"
    if figure.reference is None:
        clean = figure.value == 0
        evidence += "" if clean else "; nothing was held out to tell what chance gives"
        return Criterion(name, rule, "pass" if clean else "not measured", evidence, "privacy")
    n, held = figure.protocol.n_fake, figure.protocol.n_test
    excess = intervals.difference(figure.value * n, n, figure.reference * held, held)[0]
    outcome: Outcome = "fail" if excess > COPIES else "pass"
    return Criterion(name, rule, outcome, f"{evidence}, {figure.reference:.3%} of held-out rows", "privacy")


def _attack(judgement: TableJudgement, name: str, figures: list[str], chance: float, required: bool) -> Criterion:
    rule = f"The 95 % interval begins at or below {chance + MARGIN:g}, {MARGIN:g} above chance."
    found = [f for f in (judgement.get(n) for n in figures) if f is not None and f.interval is not None]
    if not found:
        why = next((w for n, w in judgement.missing.items() if figures[0].startswith(n)), None)
        why = why or judgement.missing.get("closer-to-training-share", "it was not asked for")
        return Criterion(name, rule, "not measured", why, "privacy", required)
    evidence = ", ".join(_told(f) for f in found)
    lows = [f.interval[0] - chance for f in found if f.interval]
    if max(lows) > MARGIN:
        return Criterion(name, rule, "fail", evidence, "privacy", required)
    first = found[0]  # the others look at a part of the rows or columns, and their intervals are wider by design
    if first.interval and first.interval[1] - chance > _resolution(chance):
        evidence += "; the interval is too wide to tell, more held-out rows are needed"
        return Criterion(name, rule, "not measured", evidence, "privacy", required)
    return Criterion(name, rule, "pass", evidence, "privacy", required)


def _resolution(chance: float) -> float:
    """How far above chance an interval may end and still say something."""
    return 0.04 if chance == 0.01 else 0.10


def _told(figure: TableFigure) -> str:
    low, high = figure.interval or (math.nan, math.nan)
    return f"{figure.value:.3f} ({low:.3f} to {high:.3f})"


def promise(ledger: Mapping[str, Any] | None) -> list[Criterion]:
    """The claimed epsilon against the expenses, and against what an audit measured."""
    name, audit = "The promise of differential privacy", "The audit of that promise"
    rule = "The expenses add up to no more than the claimed epsilon, and the noise is nobody's to know."
    claimed, spent, audited = epsilons(ledger)
    if ledger is None or claimed is None:
        return [Criterion(name, rule, "not measured", "this generator makes no such promise", "privacy", False)]
    evidence = f"claimed {claimed:g}" + (f", spent {spent:.4g}" if spent is not None else "")
    wrong = "more was spent than is claimed" if spent is not None and spent > claimed * (1 + ROUNDING) else ""
    if ledger.get("secure") is False:
        wrong = "the noise was made from a seed, and whoever knows it can take the noise out"
    kept: Outcome = "fail" if wrong else "pass"
    found = Criterion(name, rule, kept, f"{evidence}: {wrong}" if wrong else evidence, "privacy", False)
    rule = "An attack on models trained with and without a planted row measures no more than the claimed epsilon."
    if audited is None:
        return [found, Criterion(audit, rule, "not measured", "no audit was run", "privacy", False)]
    measured: Outcome = "pass" if audited <= claimed else "fail"
    evidence = f"claimed {claimed:g}, measured at least {audited:.3g}"
    return [found, Criterion(audit, rule, measured, evidence, "privacy", False)]


def promised(ledger: Mapping[str, Any] | None) -> str:
    """What the verdict says of the promise; nothing where there is none."""
    claimed, spent, _ = epsilons(ledger)
    if ledger is None or claimed is None:
        return ""
    told = "" if spent is None else f", of which its ledger says that {spent:.4g} was spent"
    return (
        f" The generator claims differential privacy with epsilon {claimed:g}{told}; this report itself looks at the "
        "real rows, outside of that budget, and is for those who may see them."
    )


def epsilons(ledger: Mapping[str, Any] | None) -> tuple[float | None, float | None, float | None]:
    """The claimed epsilon, what was spent, and the audited lower bound; None for each that the ledger lacks."""
    ledger = ledger or {}
    spent = _number(ledger.get("spent"))
    claimed = _number(ledger.get("epsilon"))
    audited = ledger.get("audited")
    if isinstance(audited, Mapping):
        audited = audited.get("epsilon", audited.get("lower"))
    return spent if claimed is None else claimed, spent, _number(audited)


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def use(judgement: TableJudgement) -> list[Criterion]:
    """Whether the table is valid, alike, and good to learn from."""
    return [_valid(judgement), _shapes(judgement), _trends(judgement), _learning(judgement)]


def _valid(judgement: TableJudgement) -> Criterion:
    valid, alike = judgement["validity"], judgement["structure"]
    outcome: Outcome = "pass" if valid >= VALID and alike == 1 else "fail"
    rule = (
        f"At least {VALID:.0%} of values are within the real ranges and categories; all columns and dtypes are there."
    )
    return Criterion("Valid values and columns", rule, outcome, f"{valid:.2%} of values, {alike:.0%} of columns", "use")


def _shapes(judgement: TableJudgement) -> Criterion:
    error = judgement["shape-error"]
    outcome: Outcome = "pass" if error <= SHAPE else "fail"
    return Criterion("Columns alike", f"The shape error is at most {SHAPE:.0%}.", outcome, f"{error:.2%}", "use")


def _trends(judgement: TableJudgement) -> Criterion:
    error = judgement["pair-trend-error"]
    simple = judgement.get("pair-trend-error", of="independent columns")
    rule = f"The pair-trend error is at most {TREND:.0%}, and less than that of columns drawn independently."
    if error != error:
        return Criterion("Trends alike", rule, "not measured", "no pair of columns has a trend", "use", False)
    beside = f", independent columns {simple.value:.2%}" if simple else ""
    good = error <= TREND and (simple is None or error < simple.value)
    return Criterion("Trends alike", rule, "pass" if good else "fail", f"{error:.2%}{beside}", "use")


def _learning(judgement: TableJudgement) -> Criterion:
    name = "Good to learn from"
    found = [f for f in judgement.figures if f.name.startswith(("tstr-auroc", "tstr-r2")) and f.reference is not None]
    rule = f"The best model trained on it scores at most {LOSS:g} less than the best trained on real rows."
    if not found:
        why = judgement.missing.get("train on synthetic, test on real", "it was not asked for")
        return Criterion(name, rule, "not measured", why, "use", False)
    best, real = max(f.value for f in found), max(f.reference for f in found if f.reference is not None)
    what = "area under the ROC curve" if "auroc" in found[0].name else "R²"
    outcome: Outcome = "pass" if best >= real - LOSS else "fail"
    return Criterion(name, rule, outcome, f"{what} {best:.3f}, trained on real rows {real:.3f}", "use")
