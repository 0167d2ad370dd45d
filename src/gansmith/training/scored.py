"""A score every so many samples: the curve, the best weights, and the end of a run in which nothing gets better."""

from __future__ import annotations

import math
import time
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from .. import checkpoint
from ..errors import CheckpointError
from ..spec import Spec
from . import folder
from .journal import read
from .monitors import Monitor, View
from .state import recipe_document


@dataclass(frozen=True)
class Keep:
    """Keep the weights with the best score in the run's folder `best/`, where `load` looks first.

    Args:
        recipe_name: under which the recipe is found again.
        spec: of what is generated.
        patience: samples without a better score after which the run ends; None lets it run on.
        least: the improvement that counts, as a share of the best score.
    """

    recipe_name: str
    spec: Spec
    patience: int | None = None
    least: float = 0.005


class Scored(Monitor):
    """Subclasses say how to draw from the generator, and how what was drawn is judged; the lower the better.

    Args:
        name: what the score is called in the log.
        protocol: how it is measured, in words.
        every: samples between scores.
        keep: keep the best weights; scores then come at fixed numbers of samples, whatever the clock says, so that the
            same seed keeps the same weights.
        budget: share of the run's time that scores may take without `keep`; beyond it they come more rarely.

    Attributes:
        best: the best score so far; infinite before the first.
        best_at: samples seen when it was reached.
        searched: how many scores the best was chosen from.
    """

    def __init__(
        self, name: str, protocol: str, every: int, *, keep: Keep | None = None, budget: float | None = None
    ) -> None:
        self.name, self.protocol, self.every, self.keep, self.budget = name, protocol, every, keep, budget
        self._forget()

    @abstractmethod
    def draw(self, view: View) -> Any:
        """What to judge. All processes draw, as networks may be sharded over them."""

    @abstractmethod
    def score(self, drawn: Any) -> float:
        """The judgement, on the first process alone."""

    def _forget(self) -> None:
        self.best, self.best_at, self.searched, self.enough = math.inf, 0, 0, False
        self._better_at = 0  # when the score last improved by enough to be worth waiting for more
        self._last = -1  # samples at the last score
        self._next, self._spent, self._begun = self.every, 0.0, time.monotonic()

    def start(self, view: View) -> None:
        """A resumed run knows its scores from its log."""
        self._forget()
        self._next = (view.samples // self.every + 1) * self.every
        if self.keep is not None and view.journal.path is not None and view.journal.path.exists():
            for event in list(read(view.journal.path)):
                if event.get("event") == "metric" and event.get("name") == self.name:
                    self._last = int(event["samples"])
                    self.searched += 1
                    self._take(self.keep, float(event["value"]), self._last)

    def tick(self, view: View, figures: Mapping[str, float]) -> None:
        if view.samples >= self._next and self._affordable(view):
            self._next = (view.samples // self.every + 1) * self.every
            self._measure(view)

    def end(self, view: View) -> None:
        if view.samples > self._last and not self.enough:
            self._measure(view)

    def _affordable(self, view: View) -> bool:
        """Whether another score as costly as those before stays within the budget; all processes say the same."""
        if self.keep is not None or self.budget is None or not self.searched:
            return True
        expected = self._spent * (self.searched + 1) / self.searched
        return view.agree(expected <= self.budget * (time.monotonic() - self._begun))

    def _measure(self, view: View) -> None:
        begun, self._last = time.monotonic(), view.samples
        self.searched += 1
        nets, used = view.generator(), set[str]()
        hooks = [net.register_forward_hook(lambda *_, n=name: used.add(n)) for name, net in nets.items()]
        drawn = self.draw(view)
        for hook in hooks:
            hook.remove()
        weights = {name: _whole(net) for name, net in nets.items() if name in used} if self.keep else {}
        if view.first:
            value = self.score(drawn)
            view.journal.write(
                "metric", **view.where(), name=self.name, value=value, protocol=self.protocol, spread=None, quick=True
            )
            if self.keep is not None and self._take(self.keep, value, view.samples):
                self._save(self.keep, view, weights)
        self._spent += time.monotonic() - begun

    def _take(self, keep: Keep, value: float, at: int) -> bool:
        """Notes a score; whether it is the best so far."""
        if value < self.best * (1 - keep.least):
            self._better_at = at
        better = value < self.best
        if better:
            self.best, self.best_at = value, at
        self.enough = keep.patience is not None and at - self._better_at >= keep.patience
        return better

    def _save(self, keep: Keep, view: View, weights: Mapping[str, Mapping[str, Any]]) -> None:
        document = recipe_document(keep.recipe_name, view.recipe, keep.spec, list(weights))
        score = {"name": self.name, "value": self.best, "searched": self.searched, **view.where()}
        try:
            full = {name: dict(state) for name, state in weights.items() if state}
            checkpoint.write(view.out / folder.BEST, full, {"recipe": document, "score": score})
        except CheckpointError as error:
            view.journal.write("warning", **view.where(), message=f"the best weights were not kept: {error}")


def _whole(net: nn.Module) -> dict[str, Any]:
    """The weights of a network, gathered from all processes where it is sharded."""
    return {k: v.full_tensor() if hasattr(v, "full_tensor") else v for k, v in net.state_dict().items()}
