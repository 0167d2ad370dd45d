"""Judging a run, or pictures made by anything, against real ones; and two of them against each other."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import torch

from ..errors import ConfigError, DataError, MissingExtra
from ..metrics import registry
from ..metrics.base import Extractor, Figure, MeasuredBy, Metric, Working, which_is_better
from ..metrics.compare import Comparison
from ..metrics.compare import compare as compare_pictures
from ..metrics.doubts import flattered
from ..metrics.extractors import choose_extractor, load_extractor
from ..metrics.judge import Hear, judge, lines
from ..metrics.probes import Probe
from ..metrics.settings import given_in_vain
from ..nn.features.maps import LooksThrough
from ..recipes.base import Recipe
from .asked import (
    ALL,
    COMPARED,
    METRICS,
    PROBES,
    Settings,
    fitting,
    generators,
    heads,
    named,
    refuse_without_classes,
    whole,
)
from .case import Case, open_case, unseen
from .keeping import Closely, keep
from .latents import latents
from .sides import Part, Pictures, in_words, without_classes

Wanted: TypeAlias = str | Extractor | torch.nn.Module
Tell: TypeAlias = Callable[[str, int], None]
NUMBERED = re.compile(r"\bclass (\d+)(?= has| vary)")
NOT_TRAINED_ON = "looks for copies of the real pictures, and these are not what it was trained on"


@dataclass(frozen=True)
class Evaluation:
    """What a judgement found. `print(evaluation)` shows each figure with its protocol.

    Attributes:
        figures: each with its protocol.
        extractor: which extractor took the features and why, in a sentence.
        remarks: biased figures, damaged checkpoints, what else a reader must know.
        written: the file that keeps the figures; None for a plain folder of pictures.
    """

    figures: tuple[Figure, ...]
    extractor: str
    remarks: tuple[str, ...] = field(default=())
    written: Path | None = None

    def __getitem__(self, name: str) -> float:
        """The value of the figure called `name`, upper or lower case: `evaluation["fid"]`."""
        found = {f.name.lower(): f.value for f in reversed(self.figures)}
        if name.lower() not in found:
            raise KeyError(f"no figure {name!r}; there are: {', '.join(f.name for f in self.figures)}")
        return found[name.lower()]

    def __str__(self) -> str:
        return "\n".join(lines(self.figures))


def evaluate(
    run: Any,
    data: Any = None,
    *,
    metrics: Sequence[str] | str = METRICS,
    n: int = 10_000,
    extractor: Wanted | Sequence[Wanted] | None = None,
    held: Any = None,
    seed: int = 0,
    recipe: str | type[Recipe] | None = None,
    split: str | None = None,
    size: int | None = None,
    channels: int | None = None,
    settings: Settings | None = None,
    progress: Tell | None = None,
    working: Working | None = None,
) -> Evaluation:
    """Judges a run against real pictures. Figures of a run go to evaluation.json, its log and its report.

    Args:
        run: a run folder, a checkpoint, a packed model; or generated pictures: a folder, a zip, an array, or a pair
            (array, labels).
        data: the real pictures, as any of these; those that the run was trained on when left out.
        metrics: names, see `gansmith metrics`; `all` takes those that fit.
        n: how many pictures of each side, at most.
        extractor: `inception`, `inception:clean`, `fashion`, `random`, `stacked:NAME`, `timm:NAME`, `dinov2:NAME`,
            `FILE.py:NAME`, a module of your own; several of them; the best at hand when left out.
        held: real pictures that training never saw, for metrics of memorisation; the data's own test split when there
            is one.
        seed: of the generated pictures, and of the choice among more than `n` real ones.
        recipe: needed for a run with a recipe of your own.
        split: which part of the data is the real side.
        size, channels: bring plain folders that differ to these.
        settings: of metrics, by metric: `{"precision_recall": {"k": 5}}`.
        progress: called with the side and the number of pictures done.
        working: called by metrics that compute for long, with what they do, how much is done, and of how much.

    Raises:
        UserError: nothing there, no data named, too few pictures, an unknown metric or extractor, sides that differ.
    """
    asked = named(metrics)
    known = [*registry.names(), *PROBES]
    given_in_vain(settings or {}, known if ALL in asked else asked, known)
    case = open_case(run, data, recipe, split, *_numbers(n, seed, size), channels)
    given: list[Any] = list(extractor) if isinstance(extractor, list | tuple) else [extractor]
    figures, whys, looks = list[Figure](), list[str](), list[Closely]()
    judging = _Judging(case, asked, settings or {}, held, progress, working, several=len(given) > 1)
    for wanted in given or [None]:
        chosen, why = _extractor(wanted, case)
        looks.append(Closely(case, chosen))
        figures += judging.figures(chosen, looks[-1].hear, first=len(looks) == 1)
        whys.append(why)
    case.remarks += _flattered(case, [look.extractor for look in looks])
    remarks = tuple(dict.fromkeys(case.remarks))
    written = keep(case, figures, remarks, looks[0]) if case.settings else None
    remarks = tuple(dict.fromkeys([*remarks, *case.remarks]))  # the report may have added to them
    return Evaluation(tuple(figures), "; ".join(dict.fromkeys(whys)), remarks, written)


class Comparisons(list[Comparison]):
    """What a comparison found, a figure each.

    Attributes:
        extractor: which extractor took the features and why, in a sentence.
        remarks: biased figures, and what else a reader must know.
    """

    def __init__(self, found: Sequence[Comparison], extractor: str, remarks: Sequence[str]) -> None:
        super().__init__(found)
        self.extractor, self.remarks = extractor, tuple(remarks)


def compare(
    a: Any,
    b: Any,
    data: Any = None,
    *,
    metrics: Sequence[str] | str = COMPARED,
    n: int = 10_000,
    extractor: Wanted | None = None,
    seed: int = 0,
    recipe: str | type[Recipe] | None = None,
    split: str | None = None,
    size: int | None = None,
    channels: int | None = None,
    settings: Settings | None = None,
    progress: Tell | None = None,
) -> Comparisons:
    """Which of two runs, or folders of pictures, is better, and whether so few pictures can tell; see `evaluate`.

    Raises:
        UserError: as of `evaluate`; a metric that cannot be compared; two runs of different sizes.
    """
    asked, numbers = named(metrics), _numbers(n, seed, size)
    if lost := [name for name in asked if name == ALL or name in PROBES]:
        raise ConfigError(f"two models cannot be compared by {lost[0]}; name metrics such as: {', '.join(COMPARED)}")
    first = open_case(a, data, recipe, split, *numbers, channels)
    second = open_case(b, first.data if data is None else data, recipe, split, *numbers, channels)
    if (first.spec.size, first.spec.channels) != (second.spec.size, second.spec.channels):
        raise DataError(
            "both must make pictures of one size and colour; these differ: "
            f"A {in_words(first.spec)}, B {in_words(second.spec)}"
        )
    chosen, why = _extractor(extractor, first)
    for case in (first, second):
        case.remarks += _flattered(case, [chosen])
    remarks, real = _of_both(first, second), first.real
    told = any(map(registry.takes_labels, asked)) and first.real.classes == second.real.classes
    real = Pictures(real.source, real.rows, real.classes if told else ())
    fakes: list[Iterator[Part]] = [case.fakes() if told else without_classes(case.fakes()) for case in (first, second)]
    found = compare_pictures(
        real.parts(),
        fakes[0],
        fakes[1],
        chosen,
        asked,
        split=first.split,
        settings=settings,
        seed=seed,
        real_key=real.key,
        progress=progress,
        warn=remarks.append,
    )
    return Comparisons(found, why, tuple(dict.fromkeys(remarks)))


def _of_both(first: Case, second: Case) -> list[str]:
    """What must be known of both sides: what is the same of both is said once."""
    remarks = [said for said in first.remarks if said in second.remarks]
    for name, case in (("A", first), ("B", second)):
        remarks += [f"{name}: {said}" for said in case.remarks if said not in remarks]
    if first.trained != second.trained:
        one, other = ("A", "B") if first.trained else ("B", "A")
        remarks.append(f"{one} was trained on these real pictures and {other} was not, which favours {one}")
    return remarks


def _numbers(n: Any, seed: Any, size: Any) -> tuple[int, int, int | None]:
    return whole(n, "n"), whole(seed, "seed", None), size if size is None else whole(size, "size")


def _flattered(case: Case, extractors: Sequence[Extractor]) -> list[str]:
    """Which of the extractors flatter a model whose D looked through a network; see `flattered`."""
    recipe: object = None if case.make is None else case.make.recipe
    if not isinstance(recipe, LooksThrough):
        return []
    try:
        return flattered(recipe.looker(), extractors)
    except (DataError, MissingExtra):  # a network that is not here is none of those that judge
        return []


def _extractor(wanted: Wanted | None, case: Case) -> tuple[Extractor, str]:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if isinstance(wanted, str | None):
        return choose_extractor(case.spec, case.name, wanted, device=device)
    return load_extractor(wanted), "features by an extractor of your own"


@dataclass
class _Judging:
    """One judgement: the same pictures and metrics by one extractor after the other."""

    case: Case
    asked: Sequence[str]
    settings: Settings
    held: Any
    progress: Tell | None
    working: Working | None
    several: bool

    def figures(self, extractor: Extractor, hear: Hear, *, first: bool) -> list[Figure]:
        """All figures by this extractor; those that no extractor takes part in come with the first one alone."""
        names = self._fitting(extractor) if ALL in self.asked else list(self.asked)
        streamed = [name for name in names if name not in PROBES]
        if not first:
            streamed = [name for name in streamed if not registry.looks_itself(self._metric(name).needs)]
        probed = self._probed([name for name in names if name in PROBES]) if first else []
        return [*(self._streamed(streamed, extractor, hear) if streamed else []), *probed]

    def _metric(self, name: str) -> Metric:
        return registry.make(name, self.settings.get(name))

    @cached_property
    def _away(self) -> Pictures | None:
        """Pictures that training never saw; opening them reads them all, so only where some metric may need them."""
        fed = registry.names() if ALL in self.asked else [name for name in self.asked if name not in PROBES]
        wanted = any("held" in self._metric(name).needs for name in fed)
        return unseen(self.case, self.held) if wanted or self.held is not None else None

    def _fitting(self, extractor: Extractor) -> list[str]:
        have = {"features", "pixels", *heads(extractor)}
        have |= ({"labels"} if self.case.real.classes else set()) | ({"held"} if self._away else set())
        names, left = fitting(self.asked, frozenset(have), self.case.make, self.settings)
        if left:
            by = f" by {extractor.name}" if self.several else ""
            self.case.remarks.append(f"`all`{by} leaves out: {left}")
        return names

    def _streamed(self, names: Sequence[str], extractor: Extractor, hear: Hear) -> list[Figure]:
        case, needs = self.case, {need for name in names for need in self._metric(name).needs}
        classes = case.real.classes if any(map(registry.takes_labels, names)) else ()
        if not classes:
            refuse_without_classes(names, case.unlike)
        away = self._away if "held" in needs else None
        if "held" in needs and away is None:
            unseen_by = ", ".join(name for name in names if "held" in self._metric(name).needs)
            raise DataError(f"{unseen_by} needs real pictures that training never saw: --held PICTURES")
        if copying := [name for name in names if getattr(registry.metric_class(name), "of_training", False)]:
            case.remarks += [] if case.trained or not case.settings else [f"{', '.join(copying)} {NOT_TRAINED_ON}"]
        sides = {"real": case.real, "held": away, "spare": case.spare}
        told = {side: Pictures(p.source, p.rows, classes) for side, p in sides.items() if p is not None}
        with _naming(classes):
            found = judge(
                told["real"].parts(),
                case.fakes(),
                extractor,
                names,
                held=told["held"].parts() if "held" in told else None,
                spare=told["spare"].parts() if "spare" in told else None,
                split=case.split,
                settings={name: given for name, given in self.settings.items() if name in names},
                real_key=told["real"].key,
                keys={side: told[side].key for side in ("held", "spare") if side in told},
                progress=self.progress,
                working=self.working,
                warn=lambda said: case.remarks.append(_with_names(said, classes)),
                hear=hear,
            )
        return [_with_class(figure, classes) for figure in found]

    def _probed(self, names: Sequence[str]) -> list[Figure]:
        make, spec = self.case.make, self.case.spec
        if names and make is None:
            raise ConfigError(
                f"{', '.join(names)} needs the generator itself, and these are pictures; {generators(names)}"
            )
        figures = []
        for name in names:
            probe: Probe = registry.fitted(PROBES[name], name, self.settings.get(name, {}))
            probe.working = self.working  # type: ignore[attr-defined]  # one without it takes no notice
            assert make is not None
            found = probe.measure(latents(make, seed=self.case.seed), seed=self.case.seed)
            size = f"{spec.size}x{spec.size}x{spec.channels}"
            by = MeasuredBy("generator", "", "", 0, 0, "", detail=probe.detail(), pictures=size)
            figures += [
                Figure(k, v, by, found.get(f"{k}_std"), better=which_is_better(probe, k))
                for k, v in found.items()
                if not k.endswith("_std")
            ]
        return figures


def _with_class(figure: Figure, classes: Sequence[str]) -> Figure:
    """`class-FID/3` by the name of its class."""
    head, slash, member = figure.name.partition("/")
    number, floor, _ = member.partition("-floor")
    return replace(figure, name=f"{head}/{_class(number, classes)}{floor}") if slash else figure


def _class(number: str, classes: Sequence[str]) -> str:
    return classes[int(number)] if number.isdigit() and int(number) < len(classes) else number


def _with_names(text: str, classes: Sequence[str]) -> str:
    """The text, in which classes are called by their names instead of their numbers."""
    return NUMBERED.sub(lambda found: f"class {_class(found[1], classes)}", text)


@contextmanager
def _naming(classes: Sequence[str]) -> Iterator[None]:
    """An error that speaks of a class by its number names it."""
    try:
        yield
    except DataError as error:
        raise DataError(_with_names(str(error), classes)) from None
