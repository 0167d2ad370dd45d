"""When to stop, and which weights were the best: a two-sample score against rows that training never sees.

At every so many samples rows are drawn from the averaged generator and compared with held-out rows. The lowest score so
far decides which weights are kept; when it has not been undercut for long enough, the run ends. Losses say nothing of
the kind: both players' may stand still while the rows get better, or worse.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ... import checkpoint
from ...errors import CheckpointError
from ...recipes.base import Networks, sample
from ...tabular.spec import TableSpec
from ...training import folder
from ...training.journal import read
from ...training.monitors import Monitor, View
from ...training.state import recipe_document

BINS = 20  # of a number, equally full of held-out rows
MOST_PAIRS = 2_000
NAME = "held-out"
Levels: TypeAlias = npt.NDArray[np.int64]


class TwoSample:
    """How far rows are from held-out ones: the geometric mean of two distances.

    One is the total variation distance between the tables of every two columns, numbers cut into BINS, averaged over
    the pairs: what quality scores look at. The other is the energy distance (Szekely and Rizzo 2013,
    doi:10.1016/j.jspi.2013.03.018) between whole rows, which sees what more than two columns have in common.

    Each alone, sliced distances, and cross-validated classifiers (logistic, boosted trees) were compared on 18
    checkpoints of CTGAN on Adult, by Spearman's correlation with SDMetrics' quality, with the AUC of boosted trees on
    20,000 rows that tell real from made, and with the F1 and AUC of a model trained on made rows. This one: 0.96, 0.96,
    0.94, 0.96 at 0.24 s; pairs alone 0.93, 0.89, 0.85, 0.84; energy alone 0.92, 0.93, 0.91, 0.94; a logistic classifier
    0.96, 0.94, 0.94, 0.97 at 1.7 s; boosted trees 0.89, 0.97, 0.90, 0.95 at 1.4 s.

    Args:
        spec: of the rows.
        real: held-out rows (n width).
    """

    MOST_ROWS = 2_000

    def __init__(self, spec: TableSpec, real: Tensor, seed: int = 0) -> None:
        self.spec = spec
        self._edges = [self._cut(real[:, s.start]) if s.head == "scalar" else None for s in spec.spans]
        self._real = self._levels(real)
        self.sizes = [
            s.width if edges is None else len(edges) + 1 for s, edges in zip(spec.spans, self._edges, strict=True)
        ]
        self.pairs = self._choose(seed)
        self._tables = [self._table(self._real, pair) for pair in self.pairs]
        self._rows = real[: self.MOST_ROWS].float()
        self._own = float(torch.cdist(self._rows, self._rows).mean())

    @staticmethod
    def _cut(values: Tensor) -> npt.NDArray[np.float64]:
        return np.unique(np.quantile(values.double().numpy(), np.linspace(0, 1, BINS + 1)[1:-1]))

    def _levels(self, x: Tensor) -> list[Levels]:
        """The level of each span in each row."""
        found = []
        for span, edges in zip(self.spec.spans, self._edges, strict=True):
            part = x[:, span.slice]
            found.append(
                part.argmax(1).numpy() if edges is None else np.searchsorted(edges, part[:, 0].double().numpy())
            )
        return found

    def _choose(self, seed: int) -> list[tuple[int, int]]:
        """All pairs of spans, or many at random; a span with itself where there is but one."""
        pairs = list(itertools.combinations(range(len(self.sizes)), 2)) or [(0, 0)]
        if len(pairs) <= MOST_PAIRS:
            return pairs
        chosen = np.random.default_rng(seed).choice(len(pairs), MOST_PAIRS, replace=False)
        return [pairs[i] for i in sorted(chosen)]

    def _table(self, levels: Sequence[Levels], pair: tuple[int, int]) -> npt.NDArray[np.float64]:
        i, j = pair
        cells = levels[i] * self.sizes[j] + levels[j]
        return np.bincount(cells, minlength=self.sizes[i] * self.sizes[j]) / max(1, len(cells))

    def score(self, made: Tensor) -> float:
        """The distance of rows (n width); the lower the better."""
        made = made.detach().float().cpu()
        return math.sqrt(self.of_pairs(made) * self.of_rows(made))

    def of_pairs(self, made: Tensor) -> float:
        """The mean total variation distance over pairs of columns, in [0, 1]."""
        levels = self._levels(made)
        tables = (self._table(levels, pair) for pair in self.pairs)
        return float(np.mean([np.abs(a - b).sum() / 2 for a, b in zip(self._tables, tables, strict=True)]))

    def of_rows(self, made: Tensor) -> float:
        """The energy distance between rows, on MOST_ROWS of each."""
        made = made[: self.MOST_ROWS]
        between, own = float(torch.cdist(self._rows, made).mean()), float(torch.cdist(made, made).mean())
        return math.sqrt(max(0.0, 2 * between - own - self._own))


class HeldOut(Monitor):
    """Keeps the best weights of a run in its folder `best/`, and ends the run when they have been the best for long.

    Args:
        spec, real: held-out rows (n width), and how they are encoded.
        recipe_name: under which the recipe is found again.
        every: samples between two scores.
        patience: samples without a better score after which the run ends; None lets it run on.
        least: the improvement that counts, as a share of the best score.

    Attributes:
        best: the best score so far; infinite before the first.
        best_at: samples seen when it was reached.
    """

    def __init__(
        self,
        spec: TableSpec,
        real: Tensor,
        recipe_name: str,
        *,
        every: int,
        patience: int | None = None,
        least: float = 0.005,
    ) -> None:
        self.spec, self.recipe_name, self.every, self.patience, self.least = spec, recipe_name, every, patience, least
        self.test = TwoSample(spec, real)
        self.rows = len(real)
        self.best, self.best_at, self.enough = math.inf, 0, False
        self._next = every
        self._better_at = 0  # when the score last improved by enough to be worth waiting for more

    def start(self, view: View) -> None:
        """A resumed run knows its scores from its log."""
        self._next = (view.samples // self.every + 1) * self.every
        self.best, self.best_at, self._better_at, self.enough = math.inf, 0, 0, False
        if view.journal.path is not None and view.journal.path.exists():
            for event in list(read(view.journal.path)):
                if event.get("event") == "metric" and event.get("name") == NAME:
                    self._take(float(event["value"]), int(event["samples"]))

    def tick(self, view: View, figures: Mapping[str, float]) -> None:
        if view.samples >= self._next:
            self._next = (view.samples // self.every + 1) * self.every
            self._measure(view)

    def end(self, view: View) -> None:
        if view.samples > self.best_at and not self.enough:
            self._measure(view)

    def _measure(self, view: View) -> None:
        """All processes draw, as networks may be sharded over them; the first judges and writes."""
        nets, used = view.generator(), set[str]()
        hooks = [net.register_forward_hook(lambda *_, n=name: used.add(n)) for name, net in nets.items()]
        request = self.spec.request(self.rows)
        made = sample(view.recipe, nets, request, seed=1, chunk=4096)["x"].cpu()
        for hook in hooks:
            hook.remove()
        weights = {name: _whole(net) for name, net in nets.items() if name in used}
        if not view.first:
            return
        value = self.test.score(made)
        protocol = f"pairs-energy(n_real={self.rows}, n_fake={self.rows}, bins={BINS}, pairs={len(self.test.pairs)})"
        view.journal.write("metric", **view.where(), name=NAME, value=value, protocol=protocol, spread=None, quick=True)
        if self._take(value, view.samples):
            self._keep(view, nets, weights)

    def _take(self, value: float, at: int) -> bool:
        """Notes a score; whether it is the best so far."""
        if value < self.best * (1 - self.least):
            self._better_at = at
        better = value < self.best
        if better:
            self.best, self.best_at = value, at
        self.enough = self.patience is not None and at - self._better_at >= self.patience
        return better

    def _keep(self, view: View, nets: Networks, weights: Mapping[str, Mapping[str, Tensor]]) -> None:
        document = recipe_document(self.recipe_name, view.recipe, self.spec, list(weights))
        score = {"name": NAME, "value": self.best, **view.where()}
        try:
            full = {name: dict(state) for name, state in weights.items() if state}
            checkpoint.write(view.out / folder.BEST, full, {"recipe": document, "score": score})
        except CheckpointError as error:
            view.journal.write("warning", **view.where(), message=f"the best weights were not kept: {error}")


def _whole(net: torch.nn.Module) -> dict[str, Tensor]:
    """The weights of a network, gathered from all processes where it is sharded."""
    return {k: v.full_tensor() if hasattr(v, "full_tensor") else v for k, v in net.state_dict().items()}


def scores(run: Path) -> list[tuple[int, float]]:
    """(samples, score) of a run, in order."""
    events = read(run / folder.LOG) if (run / folder.LOG).is_file() else ()
    found = [e for e in events if e.get("event") == "metric" and e.get("name") == NAME]
    return [(int(e["samples"]), float(e["value"])) for e in found]
