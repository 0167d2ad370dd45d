"""Signals of one run side by side, thinned: what a detector looks at, and how it says what it saw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import SupportsInt

import numpy as np

from .finding import Evidence, Failure, Finding
from .history import History, Samples
from .statistics import Flags, Values, medians, persists

RESOLUTION = 40  # readings of a run at most: neighbours that are closer say the same, and tests take them for new
FEWEST = 8  # readings that stand for a warm-up where nobody knows how long a run will be
LAGS = 4  # half-lives after which the average has forgotten how it began (1/16 is left)
MOST = 0.5  # of a run that can be warm-up
POLLS = 3  # readings that show whether a figure still gets better
BETTER = 0.9  # of the least distance before, and a run counts as getting better


@dataclass(frozen=True)
class Course:
    """Some signals at the readings (n,) that have all of them.

    Args:
        samples: of the readings.
        columns: values (n,) by signal, finite.
    """

    samples: Samples
    columns: Mapping[str, Values]

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, name: str) -> Values:
        return self.columns[name]

    def since(self, samples: float) -> Course:
        """The part that begins there."""
        return self.where(self.samples >= samples)

    def where(self, chosen: Flags) -> Course:
        """The readings that are chosen."""
        return Course(self.samples[chosen], {name: values[chosen] for name, values in self.columns.items()})

    def streak(self, bad: Flags, polls: int) -> int | None:
        """Samples at which what is bad (n,) began, if it has been so for `polls` readings or more up to now."""
        begun = persists(bad, polls)
        return None if begun is None else int(self.samples[begun])


def course(history: History, *names: str, thin: bool = True, **otherwise: float) -> Course:
    """The signals `names`, and those of `otherwise` with what to take where they are missing or not finite.

    Args:
        thin: at most 40 readings a run, evenly; all of them else.
    """
    rows = [r for r in history.readings if all(np.isfinite(r.values.get(name, np.nan)) for name in names)]
    samples = np.array([r.samples for r in rows], dtype=np.int64)
    columns = {name: np.array([r.values[name] for r in rows], dtype=np.float64) for name in names}
    for name, value in otherwise.items():
        known = np.array([r.values.get(name, np.nan) for r in rows], dtype=np.float64)
        columns[name] = np.where(np.isfinite(known), known, value)
    seen = Course(samples, columns)
    return seen.where(thinned(samples, history)) if thin else seen


def thinned(samples: Samples, history: History) -> Flags:
    """Which readings (n,) to keep so that no two are closer than 1/40 of the run."""
    gap, kept, last = (history.length or history.samples) / RESOLUTION, np.zeros(len(samples), dtype=np.bool_), -np.inf
    for i, now in enumerate(samples):
        if now - last >= gap * (1 - 1e-9):
            kept[i], last = True, float(now)
    return kept


def tallies(history: History, *names: str) -> tuple[Samples, list[Values]]:
    """Counts (n, k) of several kinds at the thinned readings that have all of them."""
    rows = [r for r in history.readings if all(name in r.counts for name in names)]
    samples = np.array([r.samples for r in rows], dtype=np.int64)
    kept = thinned(samples, history)
    found = [[r.counts[name] for r, keep in zip(rows, kept, strict=True) if keep] for name in names]
    return samples[kept], [np.array(c, dtype=np.float64).reshape(len(c), -1 if c else 0) for c in found]


def settled(history: History, share: float) -> float:
    """Samples from which a run can be judged: `share` of its length, and what the average of G lags behind.

    Where the length is not known, from the eighth reading on.
    """
    if history.length is None:
        return float(history.readings[FEWEST - 1].samples) if len(history.readings) >= FEWEST else np.inf
    lag = LAGS * max(map(float, history.facts.get("half_life", {}).values()), default=0.0)
    return max(share * history.length, min(lag, MOST * history.length))


def improving(history: History) -> bool:
    """Whether the distance to held-out examples still falls: the last three readings against the best three before."""
    seen = course(history, "distance", distance_floor=0.0)
    if len(seen) < 2 * POLLS:
        return False
    middles = medians(np.maximum(seen["distance"], seen["distance_floor"]), POLLS)[POLLS - 1 :]
    return bool(middles[-1] < BETTER * middles[:-POLLS].min())


def told(signal: str, value: float, wanted: str, what: str | None = None) -> Evidence:
    """`what` (the signal's name where left out) with its value, and what is usual."""
    return Evidence(signal, f"{what or signal} {value:.3g}, {wanted}")


def covered(history: History) -> list[Evidence]:
    """What share of the held-out examples has a fake near it, where that was measured."""
    share = history.last("coverage")
    wanted = "of unseen real examples have a fake near them"
    return [] if share is None else [told("coverage", share, wanted, "a share of")]


def found(
    failure: Failure, history: History, onset: SupportsInt, *evidence: Evidence, suspects: Sequence[str] = ()
) -> Finding:
    """The finding of this moment."""
    return Finding(failure, int(onset), history.samples, tuple(evidence), tuple(suspects))
