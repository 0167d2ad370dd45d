"""Who watches a run unless told otherwise: grids, TensorBoard, a quick score, the progress bar."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ..data.source import Source
from ..metrics.extractors import IN_DOMAIN, choose_extractor, figure_name
from ..metrics.judge import QuickJudge
from ..spec import ImageSpec
from ..training.config import TrainConfig
from ..training.monitors import Monitor, Progress, QuickScore, SampleGrid, TensorBoardLog, View

EXAMPLES = 1000  # of each side; enough to see the trend, too few to report
TICKS = 5  # from one score to the next
PART = 250


def default_monitors(source: Source, data_name: str, *, tick: int) -> list[Monitor]:
    """The usual monitors. Grids come before TensorBoard, which shows them.

    Args:
        data_name: as the user gave the data; some data sets have an extractor of their own.
        tick: samples between two ticks.
    """
    scores: list[Monitor] = []
    if isinstance(source.spec, ImageSpec):
        scores.append(QuickScores(source, source.spec, data_name).monitor(TICKS * tick))
    return [SampleGrid(), TensorBoardLog(), *scores, Progress()]


def watchers(given: Sequence[Monitor] | None, source: Source, data: Any, config: TrainConfig) -> Sequence[Monitor]:
    """Those that were given, or else the usual ones."""
    if given is not None:
        return given
    return default_monitors(source, data if isinstance(data, str) else "", tick=config.tick)


class QuickScores:
    """A Fréchet distance on few pictures, by an extractor that is quick on this machine.

    Args:
        source: of the real pictures; the first thousand of a fixed shuffle are used.
    """

    def __init__(self, source: Source, spec: ImageSpec, data_name: str) -> None:
        cuda = torch.cuda.is_available()
        quick = None if cuda else IN_DOMAIN.get(data_name, "random")  # Inception takes minutes without a GPU
        self.extractor, _ = choose_extractor(spec, data_name, quick, device="cuda" if cuda else "cpu")
        self.source, self.spec = source, spec
        self.count = min(EXAMPLES, len(source))
        self._judge: QuickJudge | None = None

    def monitor(self, every: int) -> QuickScore:
        name = f"{figure_name('fid', self.extractor)}-{self.extractor.name}-quick"
        protocol = f"{self.extractor.name}(n_real={self.count}, n_fake={self.count}, resize={self.extractor.resize})"
        return QuickScore(name, self.score, protocol, every)

    def score(self, view: View) -> float:
        """All processes generate, as the generator may be sharded over them; the first judges."""
        pixels = [self.spec.pixels(view.generate(part, seed=1)) for part in self.spec.request(self.count).split(PART)]
        if not view.first:
            return math.nan
        if self._judge is None:
            self._judge = QuickJudge(self.extractor, self._real())
        scores = self._judge.score(torch.cat(pixels))
        return next(iter(scores.values()))

    def _real(self) -> Tensor:
        rows = torch.randperm(len(self.source), generator=torch.Generator().manual_seed(0))[: self.count]
        parts = [self.source.batch(part, torch.device("cpu")) for part in rows.split(PART)]
        return torch.cat([self.extractor(self.spec.pixels(part)).float().cpu() for part in parts])
