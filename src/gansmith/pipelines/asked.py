"""Which metrics were asked for, which of them fit what there is, and what the others lack."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..errors import ConfigError, DataError, MissingExtra, did_you_mean
from ..metrics import registry
from ..metrics.equivariance import Equivariance
from ..metrics.onepass import HEAD
from ..metrics.path_length import PathLength
from ..metrics.probes import Probe
from ..metrics.settings import whole as whole
from .catalogue import entries
from .generate import Generator

METRICS = ("fid", "kid", "precision_recall", "density_coverage")
COMPARED = ("fid", "kid", "precision_recall")
PROBES: Mapping[str, type[Probe]] = {probe.name: probe for probe in (Equivariance, PathLength)}
ALL = "all"
NEEDS = {
    "labels": "classes on both sides",
    "held": "pictures that training never saw (--held)",
    "head:logits": "an extractor with class scores",
    "head:spatial": "an extractor with spatial features (inception)",
    "generator": "the generator itself",
}
Settings = Mapping[str, Mapping[str, Any]]


def named(metrics: Any) -> list[str]:
    """The names that were asked for, each once, and behind them those that they are never measured without; a single
    one may come as a text.

    Raises:
        ConfigError: none, or an unknown one.
    """
    if not isinstance(metrics, Iterable):
        raise ConfigError(f"metrics are names, such as {list(COMPARED)}, not: {metrics!r}")
    asked = list(dict.fromkeys([metrics] if isinstance(metrics, str) else map(str, metrics)))
    known = {*registry.names(), *PROBES}
    if not asked:
        raise ConfigError(f"no metric was asked for; known: {', '.join(sorted(known))}, or all")
    for name in asked:
        if name not in known and name != ALL:
            raise ConfigError(f"no metric {name!r}; known: {', '.join(sorted(known))}.{did_you_mean(name, known)}")
    streamed = [name for name in asked if name in registry.names()]
    others = [other for name in streamed for other in getattr(registry.metric_class(name), "never_without", ())]
    return list(dict.fromkeys([*asked, *others]))


def generators(probes: Sequence[str]) -> str:
    """Which runs these probes can measure, in words."""
    wishes = {wish for name in probes for wish in getattr(PROBES[name], "wishes", ())}
    able = ", ".join(e.name for e in entries() if e.makes == "image" and wishes and wishes <= {*e.honours})
    return f"give a run, a checkpoint or a packed model of {able or 'any recipe that makes pictures of a latent'}"


def fitting(
    asked: Sequence[str], have: frozenset[str], make: Generator | None, settings: Settings
) -> tuple[list[str], str]:
    """All metrics that fit what there is, and those that were asked for besides `all`; and what is left out, and why.

    Args:
        asked: names, and `all`.
        have: what metrics need and there is: `features`, `pixels`; of `labels`, `held`; heads of the extractor.
        make: the generator; None for plain pictures.
        settings: of metrics.
    """
    fits, lacks = list[str](), dict[str, list[str]]()
    for name in registry.names():
        metric = registry.make(name, settings.get(name))
        reasons = [NEEDS.get(need, f"an extractor with {need}") for need in sorted(metric.needs - have)]
        _sort(name, reasons or _absent(metric), fits, lacks)
    for name, cls in PROBES.items():
        wishes: set[str] = set() if make is None else {*getattr(cls, "wishes", ())} - {*make.recipe.honours}
        reasons = [NEEDS["generator"]] if make is None else [f"a recipe that honours {w}" for w in sorted(wishes)]
        _sort(name, reasons or _absent(registry.fitted(cls, name, settings.get(name, {}))), fits, lacks)
    left = "; ".join(f"{', '.join(names)} ({reason})" for reason, names in lacks.items())
    others = [name for name in asked if name != ALL]
    return list(dict.fromkeys([*fits, *others])), left


def _sort(name: str, reasons: Sequence[str], fits: list[str], lacks: dict[str, list[str]]) -> None:
    if reasons:
        lacks.setdefault(" and ".join(reasons), []).append(name)
    else:
        fits.append(name)


def _absent(metric: Any) -> list[str]:
    """What a metric works with that is not on this machine: weights of networks of its own."""
    try:
        getattr(metric, "prepare", lambda: None)()
    except (DataError, MissingExtra) as error:
        return [str(error).splitlines()[0]]
    return []


def heads(extractor: Any) -> frozenset[str]:
    """The further outputs that an extractor has, as metrics need them."""
    return frozenset(HEAD + head for head in getattr(extractor, "heads", ()))


def refuse_without_classes(streamed: Sequence[str], unlike: str) -> None:
    """Refuses metrics of classes where both sides have none in common.

    Raises:
        ConfigError: says which metrics do without.
    """
    need = [name for name in streamed if "labels" in registry.make(name).needs]
    if need and unlike:
        raise ConfigError(f"{', '.join(need)}: {unlike}")
    if need:
        others = [name for name in registry.names() if "labels" not in registry.make(name).needs]
        raise ConfigError(
            f"{', '.join(need)} needs the class of every picture on both sides: a recipe that heeds classes, such as "
            f"cgan, or folders with one folder a class; without classes there are: {', '.join(others)}"
        )
