"""`gansmith train --find-gamma`: short runs over a ladder of weights of R1 and R2, and which one to train with."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory
from typing import Any

import torch

from ..data.source import Source
from ..errors import ConfigError, Interrupted, SpecError, TrainingFailed
from ..game.gamma import PENALTIES, game_of, gamma_of, with_gamma
from ..spec import ImageSpec, Spec
from ..training.monitors import Monitor, View
from ..training.trainer import Trainer
from . import catalogue
from .prepare import Prepared
from .watch import PART, QuickScore

LADDER = (1 / 25, 1 / 5, 1.0, 5.0, 25.0)  # times the recipe's own
REPEATS = 3  # runs of the recipe's own gamma, from as many seeds: how far runs differ that are the same
STUDENT = {1: 12.7, 2: 4.30, 3: 3.18, 4: 2.78}  # 95 % of Student's t, two-sided, by degrees of freedom
NEGLIGIBLE, HEAVY = 0.001, 0.5  # shares of D's loss beyond which a penalty is told of
TICKS = 10  # of a short run; figures are of its second half


@dataclass(frozen=True)
class Trial:
    """A short run.

    Args:
        times: gamma, of the recipe's own.
        gamma: at the beginning.
        seed: of the run.
        score: the lower the better; infinite where the run failed.
        share: of D's loss that the penalties make up, in the second half of the run; NaN where it failed.
        failure: what ended the run early, or an empty text.
    """

    times: float
    gamma: float
    seed: int
    score: float
    share: float
    failure: str = ""

    def row(self) -> tuple[str, str, str, str]:
        """gamma, score, share, what to think of it."""
        if self.failure:
            return f"{self.gamma:.3g}", "-", "-", self.failure
        return f"{self.gamma:.3g}", f"{self.score:.4g}", f"{self.share:.2%}", self.remark()

    def remark(self) -> str:
        """What the share says."""
        if self.share < NEGLIGIBLE:
            return "the penalty hardly counts"
        return "the penalty outweighs the rest of D's loss" if self.share > HEAVY else ""


@dataclass(frozen=True)
class Found:
    """What the short runs told.

    Args:
        trials: all of them, by gamma.
        taken: the one to train with.
        why: a sentence.
        figure: the name of the score.
        protocol: how it was measured.
        floor: real pictures' score against others, None where the data have too few.
    """

    trials: tuple[Trial, ...]
    taken: Trial
    why: str
    figure: str
    protocol: str
    floor: float | None

    def lines(self) -> list[str]:
        """A table, and the reason, for people."""
        rows = [("gamma", self.figure, "share of D's loss", "")]
        for trial in self.trials:
            *cells, remark = trial.row()
            rows.append((cells[0], cells[1], cells[2], f"{remark} {'<- taken' * (trial is self.taken)}"))
        widths = [max(len(row[i]) for row in rows) for i in range(3)]
        table = [
            "  ".join(f"{cell:>{w}}" for cell, w in zip(row, widths, strict=False)) + f"  {row[3]}" for row in rows
        ]
        floor = "" if self.floor is None else f"; real pictures against others: {self.floor:.4g}"
        return [*(line.rstrip() for line in table), f"measured by {self.protocol}{floor}", self.why]

    def to_json(self) -> dict[str, Any]:
        """What the run's settings keep of it."""
        return {"gamma": self.taken.gamma, "why": self.why, "trials": [asdict(trial) for trial in self.trials]}


def refuse(prepared: Prepared) -> None:
    """Refuses a recipe in which there is no gamma to find, and runs of several processes.

    Raises:
        ConfigError: names the recipes that have one.
    """
    if gamma_of(prepared.recipe) is None:
        preset, spec = prepared.plan.preset, prepared.source.spec
        have = ", ".join(name for name in catalogue.names() if _has_gamma(name, spec, preset))
        instead = "; or give it one: recipe.game.r1=auto" if game_of(prepared.recipe) is not None else ""
        raise ConfigError(
            f"--find-gamma looks for the weight of R1 and R2, and {prepared.recipe_name} ({preset}) has neither.\n"
            f"Recipes that have: {have}{instead}"
        )
    if prepared.config.devices > 1:
        raise ConfigError("--find-gamma runs on one device: find it there, and give it to the others: recipe.game.r1=")


def _has_gamma(name: str, spec: Spec, preset: str) -> bool:
    entry = catalogue.entry(name)
    if entry.makes != spec.kind:
        return False
    try:
        return gamma_of(catalogue.build(catalogue.find(name), spec, preset)) is not None
    except SpecError:  # it makes no pictures of this size
        return False


def find(prepared: Prepared, data_name: str, beside: Path, *, samples: int) -> Found:
    """Trains for a moment with each gamma of a ladder, and takes the one with the best score, if it is better at all.

    The recipe's own gamma is run from three seeds: their spread says what differences mean. All others run from the
    first seed. See `choose`.

    Args:
        data_name: as the user gave the data; some have an extractor of their own.
        beside: the run's folder to be; short runs are made next to it, and removed.
        samples: of each short run.

    Raises:
        ConfigError: see `refuse`.
        TrainingFailed: every one of them failed.
        Interrupted: a signal came.
    """
    refuse(prepared)
    ruler = _ruler(prepared.source, data_name, samples)
    seeds = [(1.0, prepared.config.seed + i) for i in range(REPEATS)]
    others = [(times, prepared.config.seed) for times in LADDER if times != 1]
    beside.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".gamma-", dir=beside.parent) as folder:
        runs = [*seeds, *others]
        trials = []
        for number, (times, seed) in enumerate(runs):
            _tell(f"looking for gamma: short run {number + 1} of {len(runs)}")
            out = Path(folder) / str(number)
            trials.append(_trial(prepared, times, seed, samples, ruler, out))
            rmtree(out, ignore_errors=True)
    _tell("")
    taken, why = choose(trials)
    ordered = tuple(sorted(trials, key=lambda trial: (trial.times, trial.seed)))
    return Found(ordered, taken, why, ruler.name, ruler.protocol, _floor(prepared.source, ruler))


def _tell(text: str) -> None:
    """A line that gives way to the next, on a terminal."""
    if sys.stderr.isatty():
        print(f"\r{text:<60}", end="" if text else "\r", file=sys.stderr, flush=True)


def _ruler(source: Source, data_name: str, samples: int) -> QuickScore:
    if not isinstance(source.spec, ImageSpec):
        raise ConfigError(f"--find-gamma is for pictures, and these data are of the kind: {source.spec.kind}")
    return QuickScore(source, source.spec, data_name, every=samples)


def _floor(source: Source, ruler: QuickScore) -> float | None:
    """The score of real pictures other than those that the score compares with."""
    n = ruler.count
    rows = torch.randperm(len(source), generator=torch.Generator().manual_seed(0))[n : 2 * n]
    if len(rows) < n:
        return None
    return ruler.score(torch.cat([ruler.spec.pixels(source.batch(r, torch.device("cpu"))) for r in rows.split(PART)]))


class _Ear(Monitor):
    """Hears the losses of a short run's second half, and judges it at its end."""

    def __init__(self, ruler: QuickScore, samples: int, every: int) -> None:
        self.ruler, self.samples, self.every = ruler, samples, every
        self.score, self.shares = math.inf, list[float]()

    def tick(self, view: View, figures: Mapping[str, float]) -> None:
        if 2 * view.samples >= self.samples:
            self.shares.append(penalty_share(figures, self.every))

    def end(self, view: View) -> None:
        self.score = self.ruler.score(self.ruler.draw(view))


def penalty_share(figures: Mapping[str, float], every: int) -> float:
    """What R1 and R2 are of D's whole loss, by the figures of a tick.

    Args:
        figures: by `PHASE/name`. The penalties', on each n-th step, are n times as heavy as they count on average.
        every: n.
    """
    penalties = sum(abs(value) for name, value in figures.items() if name.rpartition("/")[2] in PENALTIES) / every
    rest = sum(abs(value) for name, value in figures.items() if name.startswith("D") and name.endswith("/adv"))
    return penalties / (penalties + rest) if penalties + rest > 0 else math.nan


def _trial(prepared: Prepared, times: float, seed: int, samples: int, ruler: QuickScore, out: Path) -> Trial:
    recipe, batch = with_gamma(prepared.recipe, times), prepared.config.batch
    game, gamma = game_of(recipe), gamma_of(recipe)
    assert game is not None
    assert gamma is not None
    whole = max(1, samples // batch) * batch
    tick = max(batch, whole // TICKS)
    config = replace(prepared.config, samples=whole, minutes=None, seed=seed, tick=tick, save_every=2 * whole)
    ear = _Ear(ruler, whole, game.penalty_every)
    try:
        Trainer(recipe, prepared.source, config, out=out, recipe_name=prepared.recipe_name, monitors=[ear]).fit()
    except Interrupted as error:
        raise Interrupted("stopped while it looked for gamma; no run was begun", error.exit_code - 128) from None
    except TrainingFailed as error:
        return Trial(times, gamma, seed, math.inf, math.nan, f"failed: {str(error).splitlines()[0][:60]}")
    if not math.isfinite(ear.score):
        return Trial(times, gamma, seed, math.inf, math.nan, "failed: its pictures have no finite score")
    return Trial(times, gamma, seed, ear.score, sum(ear.shares) / max(1, len(ear.shares)))


def choose(trials: Sequence[Trial]) -> tuple[Trial, str]:
    """The trial whose gamma to train with, and why.

    Logarithms of scores are compared. The runs of the recipe's own gamma, s their standard deviation, say what is
    noise: another gamma is better if it is below their mean by more than t s sqrt(1 + 1/n), with Student's t at 95 %.
    Among those that are, and that do not differ from the best by more than t s sqrt(2), the one nearest to the recipe's
    own is taken: short runs cannot tell them apart, and the paper's authors had long ones.

    Raises:
        TrainingFailed: all of them failed.
    """
    own = [trial for trial in trials if trial.times == 1]
    alive = [trial for trial in trials if math.isfinite(trial.score)]
    if not alive:
        raise TrainingFailed("every short run failed, whatever its gamma: lower the learning rate, or look at the data")
    best = min(alive, key=lambda trial: trial.score)
    logs = [_log(trial) for trial in own if trial in alive]
    if len(logs) < len(own):
        return best, f"gamma {best.gamma:.3g}: with the recipe's own, {own[0].gamma:.3g}, short runs failed"
    mean, s = sum(logs) / len(logs), _deviation(logs)
    t = STUDENT[len(logs) - 1]
    better = [
        trial for trial in alive if trial.times != 1 and _log(trial) < mean - t * s * math.sqrt(1 + 1 / len(logs))
    ]
    noise = f"runs of the same gamma differ by {math.expm1(s):.1%}"
    if not better:
        kept = min(own, key=_log)
        return kept, f"gamma {kept.gamma:.3g}, the recipe's own: none is better beyond noise ({noise})"
    near = [trial for trial in better if _log(trial) <= _log(min(better, key=_log)) + t * s * math.sqrt(2)]
    taken = min(near, key=lambda trial: abs(math.log(trial.times)))
    gain = 1 - taken.score / math.exp(mean)
    return taken, f"gamma {taken.gamma:.3g}: its score is {gain:.0%} below that of the recipe's own ({noise})"


def _log(trial: Trial) -> float:
    return math.log(max(trial.score, 1e-12))


def _deviation(values: Sequence[float]) -> float:
    mean = sum(values) / len(values)
    return math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))


def found_and_set(
    prepared: Prepared, data_name: str, out: Path, samples: int, say: Callable[[str], None] = print
) -> Prepared:
    """The same run with the gamma that was found, told in a few lines.

    Raises:
        ConfigError, TrainingFailed: see `find`.
    """
    found = find(prepared, data_name, out, samples=samples)
    for line in found.lines():
        say(line)
    about = prepared.about | {"find_gamma": found.to_json()}
    return replace(prepared, recipe=with_gamma(prepared.recipe, found.taken.times), about=about)
