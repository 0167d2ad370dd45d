"""Lost shard: a part of the data no longer reaches the networks.

Test: the two-proportion test of mode dropping, with Holm's correction over clusters, of the rows that the loop fed
since the last reading against those that it fed before, below half of their share; and against the whole data, where a
cluster is missing altogether from the start. The same clusters in two readings in a row: a shard is lost. Where most
rows fed since one reading are of other clusters than those before, the data come in an order and were not shuffled.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..course import found, tallies
from ..finding import Evidence, Failure, Finding
from ..history import History
from ..statistics import Flags, Values, persists, total_variation
from .mode_dropping import dropped

FAILURE = Failure(
    "lost_shard",
    "A part of the data is missing from the batches",
    "serious",
    "data",
    "Some kinds of examples that the data have are not fed any more, or never were, so the generator cannot learn "
    "them and forgets what it knew of them.",
    "Look at the loader: a file or shard that cannot be read and is skipped, a worker that died, a filter, a sampler "
    "that was given fewer indices; data that come in order want shuffling.",
    "measured: docs/health.md",
    explains=("mode_dropping", "plateau", "memorisation", "overfitting_d", "condition_ignored", "equilibrium"),
)
POLLS = 2
FEWER, NONE = 0.5, 0.02  # of the share before; of the share in the data
ENOUGH = 100  # rows fed before, to compare with
OTHERS = 0.5  # total variation between two readings, of data in order; that of chance is near .1


def detect(history: History) -> Finding | None:
    """What part of the data is not fed now."""
    samples, (real, fed) = tallies(history, "clusters/real", "clusters/fed")
    if len(samples) < POLLS:
        return None
    absent = _absent(fed, real)
    which = np.flatnonzero(absent[-POLLS:].all(0))
    if not len(which):
        return None
    begun = samples[min(persists(absent[:, i], POLLS) or 0 for i in which)]
    share = float((real[-1] / real[-1].sum())[which].sum())
    if total_variation(fed[-1:], fed[-2:-1])[0] > OTHERS:
        text = "other clusters are fed from reading to reading: the data come in an order and are not shuffled"
        return found(replace(FAILURE, severity="warning"), history, begun, Evidence("clusters/fed", text))
    text = f"{len(which)} of {absent.shape[1]} clusters, {share:.0%} of the data, are hardly fed or not at all"
    suspects = [f"cluster {i}" for i in which]
    return found(FAILURE, history, begun, Evidence("clusters/fed", text), suspects=suspects)


def _absent(fed: Values, real: Values) -> Flags:
    """Which clusters (n, k) each reading lacks; what it lacks does not become what is usual."""
    usual, flags = np.zeros(fed.shape[1]), []
    for now, whole in zip(fed, real, strict=True):
        lost = dropped(now, usual, FEWER) if usual.sum() >= ENOUGH else np.zeros(len(now), dtype=np.bool_)
        usual = usual if lost.any() else usual + now
        flags.append(lost | dropped(now, whole, NONE))
    return np.stack(flags)
