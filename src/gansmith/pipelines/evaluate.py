"""Judging a run, or a folder of pictures made by anything, against real ones; and two of them against each other."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias

import torch

from .. import checkpoint
from ..config import write_text
from ..errors import ConfigError, DataError, MissingExtra, UserError, did_you_mean
from ..metrics import registry
from ..metrics.base import Extractor, Figure, MeasuredBy, Metric, Seen, which_is_better
from ..metrics.compare import Comparison
from ..metrics.compare import compare as compare_pictures
from ..metrics.equivariance import Equivariance
from ..metrics.extractors import choose_extractor, load_extractor
from ..metrics.judge import Hear, judge, lines
from ..metrics.onepass import HEAD
from ..metrics.path_length import PathLength
from ..metrics.probes import Probe
from ..recipes.base import Recipe
from ..report import write_report
from ..report.classes import Modes
from ..report.exhibits import exhibit
from ..training import folder
from ..training.journal import Journal
from .case import Case, open_case, unseen
from .latents import latents
from .paths import readable
from .sides import Pictures

METRICS = ("fid", "kid", "precision_recall", "density_coverage")
PROBES: Mapping[str, type[Probe]] = {probe.name: probe for probe in (Equivariance, PathLength)}
ALL = "all"
Wanted: TypeAlias = str | Extractor | torch.nn.Module
Tell: TypeAlias = Callable[[str, int], None]


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
    run: Path | str,
    data: Any = None,
    *,
    metrics: Sequence[str] = METRICS,
    n: int = 10_000,
    extractor: Wanted | Sequence[Wanted] | None = None,
    held: Any = None,
    seed: int = 0,
    recipe: str | type[Recipe] | None = None,
    split: str | None = None,
    size: int | None = None,
    channels: int | None = None,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    progress: Tell | None = None,
) -> Evaluation:
    """Judges a run against real pictures. Figures of a run go to evaluation.json, its log and its report.

    Args:
        run: a run folder, a checkpoint, a packed model; or a plain folder (or zip) of generated pictures.
        data: the real pictures; those that the run was trained on when left out.
        metrics: names, see `gansmith metrics`; `all` takes those that fit.
        n: how many pictures of each side, at most.
        extractor: `inception`, `fashion`, `random`, `timm:NAME`, `dinov2:NAME`, a module of your own; several of them;
            the best at hand when left out.
        held: real pictures that training never saw, for metrics of memorisation; the data's own test split when there
            is one.
        seed: of the generated pictures, and of the choice among more than `n` real ones.
        recipe: needed for a run with a recipe of your own.
        split: which part of the data is the real side.
        size, channels: bring plain folders that differ to these.
        settings: of metrics, by metric: `{"precision_recall": {"k": 5}}`.
        progress: called with the side and the number of pictures done.

    Raises:
        UserError: nothing there, no data named, too few pictures, an unknown metric or extractor, sides that differ.
    """
    case = open_case(Path(run), data, recipe, split, n, seed, size, channels)
    given: list[Any] = list(extractor) if isinstance(extractor, list | tuple) else [extractor]
    figures, whys, looks = list[Figure](), list[str](), list[_Closely]()
    for wanted in given:
        chosen, why = _extractor(wanted, case)
        looks.append(_Closely(case, chosen))
        figures += _judged(case, metrics, chosen, held, settings or {}, progress, looks[-1].hear)
        whys.append(why)
    remarks = tuple(dict.fromkeys([*case.remarks, *_second_opinion(case, given)]))
    written = _keep(case, figures, remarks, looks[0]) if case.settings else None
    return Evaluation(tuple(figures), "; ".join(dict.fromkeys(whys)), remarks, written)


def compare(
    a: Path | str,
    b: Path | str,
    data: Any = None,
    *,
    metrics: Sequence[str] = ("fid", "kid", "precision_recall"),
    n: int = 10_000,
    extractor: Wanted | None = None,
    seed: int = 0,
    recipe: str | type[Recipe] | None = None,
    split: str | None = None,
    size: int | None = None,
    channels: int | None = None,
    progress: Tell | None = None,
) -> list[Comparison]:
    """Which of two runs, or folders of pictures, is better, and whether so few pictures can tell; see `evaluate`.

    Raises:
        UserError: as of `evaluate`; a metric that cannot be compared; two runs of different sizes.
    """
    first = open_case(Path(a), data, recipe, split, n, seed, size, channels)
    second = open_case(Path(b), first.data if data is None else data, recipe, split, n, seed, size, channels)
    if first.spec.size != second.spec.size or first.spec.channels != second.spec.channels:
        raise DataError(f"both must make pictures of one size and colour; these differ: {first.spec} and {second.spec}")
    chosen, _ = _extractor(extractor, first)
    real = first.real
    return compare_pictures(
        real.parts(),
        first.fakes(),
        second.fakes(),
        chosen,
        metrics,
        split=first.split,
        seed=seed,
        real_key=real.key,
        progress=progress,
    )


def _second_opinion(case: Case, given: Sequence[Any]) -> list[str]:
    """Where D saw with a network trained on ImageNet, Inception's figures flatter it (arXiv:2203.06026)."""
    if case.make is not None and getattr(case.make.recipe, "sees_imagenet", False) and len(given) < 2:
        return ["its discriminator looks through a network trained on ImageNet, which flatters FID; add an extractor"]
    return []


def _extractor(wanted: Wanted | None, case: Case) -> tuple[Extractor, str]:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if isinstance(wanted, str | None):
        return choose_extractor(case.spec, case.name, wanted, device=device)
    return load_extractor(wanted), "features by an extractor of your own"


def _judged(
    case: Case,
    metrics: Sequence[str],
    extractor: Extractor,
    held: Any,
    settings: Mapping[str, Mapping[str, Any]],
    progress: Tell | None,
    hear: Hear,
) -> list[Figure]:
    fed = registry.names() if ALL in metrics else _sorted(metrics)[0]
    wanted = any("held" in registry.make(name, settings.get(name)).needs for name in fed)
    away = unseen(case, held) if wanted or held is not None else None  # opening them reads them all
    streamed, probes = _sorted(_fitting(case, metrics, extractor, away) if ALL in metrics else metrics)
    needs = {need for name in streamed for need in registry.make(name, settings.get(name)).needs}
    classes = case.real.classes if "labels" in needs else ()
    if "labels" in needs and not classes:
        raise ConfigError(_without_classes(streamed))
    real = Pictures(case.real.source, case.real.rows, classes)
    spare = case.spare and Pictures(case.spare.source, case.spare.rows, classes)
    if "held" in needs:
        away = away and Pictures(away.source, away.rows, classes)
        if away is None:
            raise DataError("metrics of memorisation need real pictures that training never saw: --held PICTURES")
    found = judge(
        real.parts(),
        case.fakes(),
        extractor,
        streamed,
        held=away.parts() if away and "held" in needs else None,
        spare=spare.parts() if spare else None,
        split=case.split,
        settings=settings,
        real_key=real.key,
        keys={side: pictures.key for side, pictures in (("held", away), ("spare", spare)) if pictures is not None},
        progress=progress,
        warn=case.remarks.append,
        hear=hear,
    )
    return [*(_with_class(f, classes) for f in found), *_probed(case, probes, settings)]


def _sorted(metrics: Sequence[str]) -> tuple[list[str], list[str]]:
    """Names of metrics over pictures, and of probes.

    Raises:
        ConfigError: neither.
    """
    known = {*registry.names(), *PROBES}
    for name in metrics:
        if name not in known:
            raise ConfigError(f"no metric {name!r}; known: {', '.join(sorted(known))}.{did_you_mean(name, known)}")
    return [name for name in metrics if name not in PROBES], [name for name in metrics if name in PROBES]


def _fitting(case: Case, metrics: Sequence[str], extractor: Any, away: Pictures | None) -> list[str]:
    """All metrics that these pictures and this extractor allow, and what was asked for besides."""
    have = {"features", "pixels", *(HEAD + head for head in getattr(extractor, "heads", ()))}
    have |= ({"labels"} if case.real.classes else set()) | ({"held"} if away else set())
    fits = [name for name in registry.names() if registry.make(name).needs <= have]
    fits = [name for name in fits if _at_hand(case, name, registry.metric_class(name))]
    honoured = set(case.make.recipe.honours) if case.make else set()
    probes = [name for name, probe in PROBES.items() if case.make and honoured >= set(getattr(probe, "wishes", ()))]
    probes = [name for name in probes if _at_hand(case, name, PROBES[name])]
    return list(dict.fromkeys([*fits, *probes, *(name for name in metrics if name != ALL)]))


def _at_hand(case: Case, name: str, metric: Any) -> bool:
    """Whether all that a metric works with is on this machine: weights of networks of its own."""
    try:
        getattr(metric, "prepare", lambda: None)()
    except (DataError, MissingExtra) as error:
        case.remarks.append(f"{name} is left out: {str(error).splitlines()[0]}")
        return False
    return True


def _without_classes(metrics: Sequence[str]) -> str:
    need = [name for name in metrics if "labels" in registry.make(name).needs]
    others = [name for name in registry.names() if "labels" not in registry.make(name).needs]
    return (
        f"{', '.join(need)} needs the class of every picture on both sides: a recipe that heeds classes, such as cgan, "
        f"or folders with one folder a class; without classes there are: {', '.join(others)}"
    )


def _with_class(figure: Figure, classes: Sequence[str]) -> Figure:
    """`class-FID/3` by the name of its class."""
    head, slash, number = figure.name.partition("/")
    if not slash or not number.isdigit() or int(number) >= len(classes):
        return figure
    return replace(figure, name=f"{head}/{classes[int(number)]}")


def _probed(case: Case, names: Sequence[str], settings: Mapping[str, Mapping[str, Any]]) -> list[Figure]:
    if names and case.make is None:
        raise ConfigError(f"{', '.join(names)} needs the generator itself, and this is a folder of pictures")
    figures = []
    for name in names:
        probe: Probe = PROBES[name](**settings.get(name, {}))
        assert case.make is not None
        found = probe.measure(latents(case.make, seed=case.seed), seed=case.seed)
        by = MeasuredBy("generator", "none", "", 0, 0, "none", detail=probe.detail())
        figures += [
            Figure(k, v, by, found.get(f"{k}_std"), better=which_is_better(probe, k))
            for k, v in found.items()
            if not k.endswith("_std")
        ]
    return figures


@dataclass
class _Closely:
    """What the report shows besides figures, by the extractor that was used first."""

    case: Case
    extractor: Extractor
    known: Seen | None = None
    modes: Modes | None = None

    def hear(self, metrics: Mapping[str, Metric], kept: Mapping[str, Seen]) -> None:
        """Remembers what judging saw."""
        self.known = kept["real"]
        for counted in (metric for metric in metrics.values() if hasattr(metric, "counts")):  # of modes, for bars
            self.modes = Modes(counted.counts("fake").tolist(), counted.counts("real").tolist())

    def show(self, figures: Sequence[Figure], checkpoint: str) -> None:
        """Writes it into the run's folder; too few pictures to show anything are no failure of the judgement."""
        real = self.case.real
        if self.known is None or len(self.known.features) != len(real.rows):
            return  # more pictures than are kept: rows and features no longer belong together
        try:
            exhibit(
                self.case.run,
                self.extractor,
                self.case.fakes(),
                real.source,
                self.known.features,
                figures,
                rows=real.rows,
                modes=self.modes,
                split=self.case.split,
                checkpoint=checkpoint,
                seed=self.case.seed,
            )
        except DataError as error:
            self.case.remarks.append(f"the report shows no pictures beside the figures: {error}")


def _keep(case: Case, figures: Sequence[Figure], remarks: Sequence[str], closely: _Closely) -> Path:
    """Writes the figures to evaluation.json, to the log, and into the report."""
    step_folder, _ = checkpoint.newest(case.run)
    state = checkpoint.read_document(step_folder, "state")
    document = {
        "checkpoint": step_folder.name,
        "data": readable(case.name),
        "figures": [f.to_json() for f in figures],
        "remarks": list(remarks),
    }
    path = case.run / folder.EVALUATION
    try:
        write_text(path, json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from error
    where = {"step": int(state["step"]), "samples": int(state["step"]) * int(case.settings["train"]["batch"])}
    journal = Journal(case.run / folder.LOG)
    for figure in figures:
        journal.write("metric", **where, seconds=round(float(state["seconds"]), 3), **figure.to_json())
    closely.show(figures, step_folder.name)
    write_report(case.run)
    return path
