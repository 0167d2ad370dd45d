"""Who watches a run unless told otherwise: grids, TensorBoard, a quick score, the progress bar."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ..data.source import Source
from ..errors import ConfigError
from ..metrics.extractors import IN_DOMAIN, choose_extractor, figure_name
from ..metrics.judge import QuickJudge
from ..spec import ImageSpec, Spec
from ..training.checkup import Checkup
from ..training.config import TrainConfig
from ..training.monitors import Monitor, Progress, SampleGrid, TensorBoardLog, View
from ..training.scored import Keep, Scored

EXAMPLES = 1000  # of each side; enough to see the trend, too few to report
TICKS = 5  # from one score to the next
KEPT = "keep_best"  # where a run's settings say that, and with what patience
DOCTOR, CARES = "doctor", ("treat", "watch", "off")  # where they say what a doctor does, and what it can
BUDGET = 0.05  # of a run's time for its scores
PART = 250


def keeping(about: Mapping[str, Any], recipe_name: str, spec: Spec) -> Keep | None:
    """What a run keeps, by what its settings say of it."""
    asked = about.get(KEPT)
    return None if asked is None else Keep(recipe_name, spec, patience=asked["patience"])


def default_monitors(
    source: Source, data_name: str, *, tick: int, keep: Keep | None = None, care: str = CARES[0]
) -> list[Monitor]:
    """The usual monitors. Grids come before TensorBoard, which shows them.

    Args:
        data_name: as the user gave the data; some data sets have an extractor of their own.
        tick: samples between two ticks.
        keep: keep the best weights by the quick score.
        care: what a doctor does: `treat` what goes wrong, `watch` and tell, or `off`.

    Raises:
        ConfigError: `keep` without a score for this kind of data.
    """
    scores: list[Monitor] = []
    if isinstance(source.spec, ImageSpec):
        scores.append(QuickScore(source, source.spec, data_name, every=TICKS * tick, keep=keep))
    elif keep is not None:
        raise ConfigError(f"no quick score is known for {source.spec.kind}, so the best weights cannot be told")
    doctor = [] if care == "off" else [Checkup(treat=care == "treat")]
    return [SampleGrid(), TensorBoardLog(), *scores, *doctor, Progress()]


def watchers(
    given: Sequence[Monitor] | None,
    source: Source,
    data: Any,
    config: TrainConfig,
    keep: Keep | None = None,
    care: str = CARES[0],
) -> Sequence[Monitor]:
    """Those that were given, or else the usual ones."""
    if given is not None:
        return given
    return default_monitors(source, data if isinstance(data, str) else "", tick=config.tick, keep=keep, care=care)


class QuickScore(Scored):
    """A Fréchet distance on few pictures, by an extractor that is quick on this machine; not for reporting.

    Args:
        source: of the real pictures; the first thousand of a fixed shuffle are used, their features taken once.
        data_name: see `default_monitors`.
        every: samples between two scores.
        keep: keep the best weights.
    """

    def __init__(
        self, source: Source, spec: ImageSpec, data_name: str, *, every: int, keep: Keep | None = None
    ) -> None:
        cuda = torch.cuda.is_available()
        quick = None if cuda else IN_DOMAIN.get(data_name, "random")  # Inception takes minutes without a GPU
        self.extractor, _ = choose_extractor(spec, data_name, quick, device="cuda" if cuda else "cpu")
        self.source, self.spec = source, spec
        self.count = min(EXAMPLES, len(source))
        self._judge: QuickJudge | None = None
        name = f"{figure_name('fid', self.extractor)}-{self.extractor.name}-quick"
        protocol = f"{self.extractor.name}(n_real={self.count}, n_fake={self.count}, resize={self.extractor.resize})"
        super().__init__(name, protocol, every, keep=keep, budget=BUDGET)

    def draw(self, view: View) -> Tensor:
        parts = self.spec.request(self.count).split(PART)
        return torch.cat([self.spec.pixels(view.generate(part, seed=1)) for part in parts])

    def score(self, drawn: Tensor) -> float:
        if self._judge is None:
            self._judge = QuickJudge(self.extractor, self._real())
        return next(iter(self._judge.score(drawn).values()))

    def _real(self) -> Tensor:
        rows = torch.randperm(len(self.source), generator=torch.Generator().manual_seed(0))[: self.count]
        parts = [self.source.batch(part, torch.device("cpu")) for part in rows.split(PART)]
        return torch.cat([self.extractor(self.spec.pixels(part)).float().cpu() for part in parts])
