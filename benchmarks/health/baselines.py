"""What others do instead: nothing, one number, or twelve rules of thumb.

The rules are those of the study that the plants come from; it set their thresholds on the runs that it scored. Where it
does not say how often a rule must hold, twice in a row is taken.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gansmith.health.history import History, Reading

from .calls import Call, Method, Moment
from .trace import Trace

WINDOW, TIMES = 10, 2.0  # of loss spikes: Lightning's SpikeDetection
D_LOSS = 0.01
SIGN = 0.6  # ADA's target of r_t (Karras et al. 2020, arXiv:2006.06676)


def nothing(trace: Trace) -> list[Moment]:
    return []


def not_a_number(trace: Trace) -> list[Moment]:
    """A loss that is not finite."""
    steps = [i for values in trace.losses.values() for i, v in enumerate(values) if not math.isfinite(v)]
    return _at(trace, min(steps, default=None), "nonfinite")


def loss_spike(trace: Trace) -> list[Moment]:
    """A loss further from the mean of the ten before it than twice that mean."""
    steps = [step for values in trace.losses.values() if (step := _spike(values)) is not None]
    return _at(trace, min(steps, default=None), "")


def _spike(values: Sequence[float]) -> int | None:
    total = sum(values[:WINDOW])
    for i in range(WINDOW, len(values)):
        mean = total / WINDOW
        if abs(values[i] - mean) > TIMES * abs(mean):
            return i
        total += values[i] - values[i - WINDOW]
    return None


def low_d_loss(trace: Trace) -> list[Moment]:
    """A mean loss of D below .01 over ten steps, which one tool takes for collapse."""
    values = trace.losses["D"]
    means = ((i, sum(values[i : i + WINDOW]) / WINDOW) for i in range(len(values) - WINDOW + 1))
    return _at(trace, next((i + WINDOW - 1 for i, mean in means if mean < D_LOSS), None), "collapse")


def _at(trace: Trace, step: int | None, name: str) -> list[Moment]:
    return [] if step is None else [Moment((step + 1) * trace.batch, (Call(name, "serious"),))]


def r_t(trace: Trace) -> list[Moment]:
    """ADA's r_t above its target in three readings."""
    return follow(trace, [Rule("overfitting_d", lambda r, _: _has(r, "sign") > SIGN, polls=3)])


@dataclass(frozen=True)
class Rule:
    """A rule of thumb.

    Args:
        cause: what it says.
        holds: of one reading and the whole history.
        polls: readings in a row in which it must hold.
        warmup: share of the run before which it is silent.
    """

    cause: str
    holds: Callable[[Reading, History], bool]
    polls: int = 1
    warmup: float = 0.0


def _has(reading: Reading, name: str, absent: float = math.nan) -> float:
    """A signal; comparisons with what is absent are false."""
    return reading.values.get(name, absent)


def _broken(r: Reading, _: History) -> bool:
    return any(v > 0 for name, v in r.values.items() if name.startswith("nonfinite/")) or any(
        name.startswith("loss/") and not math.isfinite(v) for name, v in r.values.items()
    )


def _misfit(r: Reading, history: History) -> bool:
    """Data beyond G's range by a twentieth of it, or in no more than 55 % of it."""
    bounds = history.facts.get("bounds")
    if bounds is None:
        return False
    low, high = bounds
    span, least, most = high - low, _has(r, "data/low"), _has(r, "data/high")
    return least < low - span / 20 or most > high + span / 20 or most - least < 0.55 * span


def _vanished(r: Reading, _: History) -> bool:
    return _has(r, "gradient/G") < 1e-4 * _has(r, "gradient_first/G")


RULES = [
    Rule("nonfinite", _broken),
    Rule("range_mismatch", _misfit),
    Rule("repeated_data", lambda r, _: _has(r, "feed/unique") < 0.5),
    Rule("frozen_network", lambda r, _: _has(r, "update/G") == 0.0, polls=2),
    Rule("frozen_network", lambda r, _: _has(r, "update/D") == 0.0, polls=2),
    Rule("vanishing_gradient", _vanished),
    Rule("collapse", lambda r, _: _has(r, "diversity") < 0.35, polls=2, warmup=0.3),
    Rule("rotation", lambda r, _: _has(r, "cosine/G") > 0.9, polls=2, warmup=0.3),
    Rule("overpowering_d", lambda r, _: _has(r, "separation") > 3 and _has(r, "coverage") < 0.2, polls=3),
    Rule("overfitting_d", lambda r, _: _has(r, "overfit") > 0.9 and _has(r, "separation") > 0.8, polls=2),
    Rule("memorisation", lambda r, _: _has(r, "copying") < -3 and _has(r, "nearest") < 0.75, polls=2),
    Rule("mode_dropping", lambda r, _: _has(r, "missing") > 0, polls=4, warmup=0.3),
]


def twelve_rules(trace: Trace) -> list[Moment]:
    return follow(trace, RULES)


def follow(trace: Trace, rules: Sequence[Rule]) -> list[Moment]:
    """What the rules say after each reading, in the order in which they stand."""
    history, streaks, moments = trace.history, [0] * len(rules), list[Moment]()
    for reading in history.readings:
        over = reading.samples / (history.length or trace.samples)
        calls = []
        for i, rule in enumerate(rules):
            streaks[i] = streaks[i] + 1 if over >= rule.warmup and rule.holds(reading, history) else 0
            if streaks[i] >= rule.polls:
                calls.append(Call(rule.cause, "serious"))
        moments.append(Moment(reading.samples, tuple(calls)))
    return moments


BASELINES: dict[str, Method] = {
    "nothing": nothing,
    "NaN check": not_a_number,
    "loss spike": loss_spike,
    "D's loss below .01": low_d_loss,
    "r_t alone": r_t,
    "12 rules": twelve_rules,
}
