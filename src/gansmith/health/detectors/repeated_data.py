"""Repeated data: the loader yields the same rows again and again.

Test: the share of distinct rows in the last four batches, beside what a sound loader would yield of so many examples,
below a half in two readings in a row. Drawing with replacement gives .63 at the least, so a half is never chance. One
batch over and over gives .25, one constant example .004 (measured); healthy loaders .875 to 1.
"""

from __future__ import annotations

from ..course import course, found, told
from ..finding import Failure, Finding
from ..history import History

FAILURE = Failure(
    "repeated_data",
    "The loader repeats itself",
    "bug",
    "bug",
    "The same few examples are fed over and over, although the data have more: the networks learn these few by heart.",
    "Look at the loader: an iterator that is made anew in each step (next(iter(loader))) without shuffling, a fixed "
    "seed in the sampler, a transform that returns the same example, a path that is always the first file's.",
    "measured: docs/health.md",
    explains=(
        "lost_shard", "memorisation", "overfitting_d", "overpowering_d", "mode_dropping", "collapse", "divergence",
        "vanishing_gradient", "rotation", "weak_d", "plateau", "equilibrium", "condition_ignored",
    ),
)  # fmt: skip
LEAST = 0.5
POLLS = 2


def detect(history: History) -> Finding | None:
    """Whether the loader repeats itself now."""
    seen = course(history, "feed/unique", thin=False, **{"feed/unique_expected": 1.0})
    begun = seen.streak(seen["feed/unique"] < LEAST * seen["feed/unique_expected"], POLLS)
    if begun is None:
        return None
    wanted = f"{seen['feed/unique_expected'][-1]:.2g} is to be expected"
    text = told("feed/unique", seen["feed/unique"][-1], wanted, "share of distinct rows in four batches")
    return found(FAILURE, history, begun, text)
