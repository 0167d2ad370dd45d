"""Who watches a run unless told otherwise: grids, TensorBoard, a quick score, the progress bar."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ..data.find import list_pictures
from ..data.images import ImageSource
from ..data.listing import NoSuchSplit
from ..data.part import Part
from ..data.source import Source
from ..errors import ConfigError, UserError
from ..metrics.extractors import IN_DOMAIN, choose_extractor, figure_name
from ..metrics.judge import QuickJudge
from ..spec import ImageSpec, Spec
from ..training.checkup import Checkup
from ..training.config import TrainConfig
from ..training.monitors import Monitor, Progress, SampleGrid, TensorBoardLog, View
from ..training.scored import Keep, Scored
from .processes import first_process
from .sides import image_spec

EXAMPLES = 1000  # of each side; enough to see the trend, too few to report
TICKS = 5  # from one score to the next
KEPT = "keep_best"  # where a run's settings say that, and with what patience
DOCTOR, CARES = "doctor", ("treat", "watch", "off")  # where they say what a doctor does, and what it can
BUDGET = 0.05  # of a run's time for its scores
UNSEEN = ("validation", "test")  # parts of the data that a doctor may look at beside those that are trained on
PART = 250


def keeping(about: Mapping[str, Any], recipe_name: str, spec: Spec) -> Keep | None:
    """What a run keeps, by what its settings say of it."""
    asked = about.get(KEPT)
    return None if asked is None else Keep(recipe_name, spec, patience=asked["patience"])


def default_monitors(
    source: Source, data: Any, *, tick: int, keep: Keep | None = None, care: str = CARES[0]
) -> list[Monitor]:
    """The usual monitors. Grids come before TensorBoard, which shows them.

    Args:
        data: as the user gave them; some data sets have an extractor of their own, some a part that is held out.
        tick: samples between two ticks.
        keep: keep the best weights by the quick score.
        care: what a doctor does: `treat` what goes wrong, `watch` and tell, or `off`.

    Raises:
        ConfigError: `keep` without a score for this kind of data.
    """
    scores: list[Monitor] = []
    data_name = data if isinstance(data, str) else ""
    if isinstance(source.spec, ImageSpec):
        scores.append(QuickScore(source, source.spec, data_name, every=TICKS * tick, keep=keep))
    elif keep is not None:
        raise ConfigError(f"no quick score is known for {source.spec.kind}, so the best weights cannot be told")
    doctor = [] if care == "off" else [checkup(source, data, treat=care == "treat")]
    return [SampleGrid(), TensorBoardLog(), *scores, *doctor, Progress()]


def checkup(source: Source, data: Any, *, treat: bool) -> Checkup:
    """A doctor for this run, with held-out examples where there are some."""
    held, remarks = unseen(source, data) if first_process() else (None, [])
    return Checkup(held_out=held, remarks=remarks, treat=treat)


def unseen(source: Source, data: Any) -> tuple[Source | None, list[str]]:
    """Pictures that training never sees, read as those that it does, and what to say of them: those that the source
    leaves out; else the data's part for validation, or for tests. None where there is none."""
    if isinstance(source, Part):
        return source.held, []
    if not isinstance(source, ImageSource):
        return None, []
    try:
        list_pictures(data, "train")  # else training takes all there is
    except NoSuchSplit:
        return None, []
    for split in UNSEEN:
        try:
            return _part(source, data, split), []
        except NoSuchSplit:
            continue
        except UserError as error:
            return None, [f"the doctor does without the part {split!r} of the data: {str(error).splitlines()[0]}"]
    return None, []


def _part(source: ImageSource, data: Any, split: str) -> ImageSource:
    """A part of the data, read as `source`; without labels where its classes are others.

    Raises:
        UserError: there is no such part, or it cannot be read.
    """
    spec = image_spec(source.spec)
    held = ImageSource(data, size=spec.size, channels=spec.channels, split=split)
    if image_spec(held.spec).labels == spec.labels:
        return held
    return ImageSource(data, size=spec.size, channels=spec.channels, split=split, labels=False)


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
    return default_monitors(source, data, tick=config.tick, keep=keep, care=care)


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
