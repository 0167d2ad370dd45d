"""What a metric says of real pictures against real pictures: no generator can be expected to do better.

A figure without its floor cannot be read: FID of few pictures is large, precision far below 1, whatever the generator.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from ..errors import DataError
from .base import Metric, Seen, Side
from .onepass import rows

Sides = dict[Side, Seen]
HALVES = "two halves of the real pictures"
OTHERS = "other real pictures"


@dataclass(frozen=True)
class Floor:
    """A metric that saw real pictures on every side.

    Args:
        metric: after it saw them.
        sample: what it saw.
        what: which real pictures stood for the generated ones, in words.
    """

    metric: Metric
    sample: Sides
    what: str


def floor_of(fresh: Metric, kept: Mapping[str, Seen], n_fake: int, seed: int) -> Floor | None:
    """Feeds a fresh metric with real pictures on every side; None where there are too few of them.

    Without real side, the real pictures stand for the fakes. With a held-out side, half of that does. Else further real
    pictures, `spare`, do, where there are as many as fakes; or else half of the real ones, against the other half.

    Args:
        fresh: a new metric, of the settings of the one whose floor this is.
        kept: `real`, and where given `held` and `spare`.
        n_fake: pictures of the generator.
        seed: of the halves.
    """
    sample, what = _sides(fresh, kept, n_fake, seed)
    for side, seen in sample.items():
        fresh.update(seen, side)
    try:
        fresh.compute()
    except DataError:
        return None
    return Floor(fresh, sample, what)


def _sides(metric: Metric, kept: Mapping[str, Seen], n_fake: int, seed: int) -> tuple[Sides, str]:
    real = kept["real"]
    if "real" not in metric.sides:
        return {"fake": _first(real, n_fake)}, "the real pictures"
    if "held" in metric.needs:
        one, other = halves(kept["held"], seed)
        return {"real": real, "fake": one, "held": other}, "half of the held-out pictures"
    if "spare" in kept and len(kept["spare"]) >= n_fake:
        return {"real": real, "fake": _first(kept["spare"], n_fake)}, OTHERS
    one, other = halves(real, seed)
    return {"real": one, "fake": other}, HALVES


def halves(seen: Seen, seed: int) -> tuple[Seen, Seen]:
    """Two random halves; of an odd number the first is smaller."""
    order = torch.randperm(len(seen), generator=torch.Generator().manual_seed(seed))
    return rows(seen, order[: len(seen) // 2]), rows(seen, order[len(seen) // 2 :])


def _first(seen: Seen, n: int) -> Seen:
    return rows(seen, slice(n))


class StreamedFloor:
    """The floor of a metric that sees every picture, of which not all are kept (nor any pixels).

    Each real picture falls to one side or the other; or all to the real side, where spare ones make the other.

    Args:
        metric: a fresh one.
        seed: of the sides.
        spare: whether there are spare real pictures.
    """

    def __init__(self, metric: Metric, seed: int, *, spare: bool) -> None:
        self.metric, self._spare = metric, spare
        self.counts: dict[Side, int] = {"real": 0, "fake": 0}
        self._random = torch.Generator().manual_seed(seed)
        self._alone = "real" not in metric.sides

    @property
    def what(self) -> str:
        """Which real pictures stand for the generated ones, in words."""
        return "the real pictures" if self._alone else OTHERS if self._spare else HALVES

    def add(self, seen: Seen, side: str, n_fake: int) -> None:
        """Takes in a batch of `real` or of `spare`, of which no more count than there are fakes."""
        if side == "spare":
            room = n_fake - self.counts["fake"] if self._spare and not self._alone else 0
            self._feed(_first(seen, max(0, room)), "fake")
        elif side == "real":
            fake = torch.full((len(seen),), self._alone)
            if not self._alone and not self._spare:
                fake = torch.rand(len(seen), generator=self._random) < 0.5
            self._feed(rows(seen, (~fake).nonzero()[:, 0]), "real")
            self._feed(rows(seen, fake.nonzero()[:, 0]), "fake")

    def _feed(self, seen: Seen, side: Side) -> None:
        if len(seen):
            self.metric.update(seen, side)
            self.counts[side] += len(seen)
