"""The laboratory's last word, derived from the paired tests and from nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .paired import in_words

if TYPE_CHECKING:
    from .result import Comparison, LabResult


def verdict(result: Any) -> str:
    """Two to four sentences: who gains over the reference, who loses, whether the reference itself was worth it, and
    which single combination did best.

    Args:
        result: a LabResult.
    """
    found: LabResult = result
    parts = [_gains(found), _losses(found), _reference(found), _models(found), _best(found)]
    return " ".join(part for part in parts if part)


def _gains(result: LabResult) -> str:
    rivals = _rivals(result)
    against = result.methods[result.reference]
    how = f"{result.test}, Holm-corrected, 5 % level"
    if not rivals:
        return f"Nothing was compared with {against}."
    better = [c for c in rivals if c.verdict == "better"]
    if better:
        names = _join([result.methods[c.method] for c in better])
        return (
            f"{names} {_verb(better, 'gains', 'gain')} over {against}: PR-AUC {_figures(better)} against "
            f"{rivals[0].other:.3f}, mean over {_count(result.models)} ({how}; p {in_words(max(c.p for c in better))}"
            f"{' at the most' if len(better) > 1 else ''})."
        )
    top = rivals[0]
    return (
        f"No gain over {against}: no over-sampling raises its PR-AUC of {top.other:.3f} beyond chance, mean over "
        f"{_count(result.models)} ({how}); the nearest is {result.methods[top.method]} with {top.value:.3f} "
        f"(p {in_words(top.p)})."
    )


def _rivals(result: LabResult) -> list[Comparison]:
    """Over-samplers against the reference; leaving the rows as they are is no over-sampling."""
    return [c for c in result.compare(result.reference) if c.method != "none"]


def _losses(result: LabResult) -> str:
    worse = [c for c in _rivals(result) if c.verdict == "worse"]
    if not worse:
        return ""
    names = _join([result.methods[c.method] for c in worse])
    return f"{names} {_verb(worse, 'does', 'do')} harm: {_figures(worse)}."


def _reference(result: LabResult) -> str:
    """Whether class weights were worth it over doing nothing."""
    if result.reference != "weights" or "none" not in result.methods:
        return ""
    itself = next(c for c in result.compare("none") if c.method == "weights")
    against = f"over doing nothing ({itself.value:.3f} against {itself.other:.3f}, p {in_words(itself.p)})"
    told = {
        "better": f"Class weights do gain {against}.",
        "worse": f"Class weights themselves lose {against}.",
        "alike": f"Class weights themselves gain nothing {against}.",
    }
    return told[itself.verdict]


def _models(result: LabResult) -> str:
    """Gains with a single model that the mean over the models does not show."""
    overall = {c.method for c in _rivals(result) if c.verdict == "better"}
    found = [
        f"{result.methods[c.method]} with {result.models[model]} ({c.value:.3f}, not {c.other:.3f}; p {in_words(c.p)})"
        for model in (result.models if len(result.models) > 1 else {})
        for c in result.compare(result.reference, "pr_auc", model)
        if c.verdict == "better" and c.method not in {*overall, "none"}
    ]
    return f"With one model alone there is a gain: {_join(found)}." if found else ""


def _best(result: LabResult) -> str:
    value, method, model = max(
        ((result.mean("pr_auc", a, b), a, b) for a in result.methods for b in result.models), key=lambda found: found[0]
    )
    return f"The best single combination is {result.models[model]} with {result.methods[method]}: PR-AUC {value:.3f}."


def _figures(found: Sequence[Comparison]) -> str:
    return _join([f"{c.value:.3f}" for c in found])


def _verb(found: Sequence[Comparison], one: str, more: str) -> str:
    return one if len(found) == 1 else more


def _count(models: Any) -> str:
    return f"{len(models)} classifiers" if len(models) > 1 else next(iter(models.values()))


def _join(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
