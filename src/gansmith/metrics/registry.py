"""Metrics by name: the modules of `metrics/images/` are listed, and each one's `METRIC` is what it brings."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, TypeVar

from ..errors import ConfigError, did_you_mean
from . import images
from .base import Metric

M = TypeVar("M")


@cache
def names() -> tuple[str, ...]:
    """Every metric's name, in alphabetical order. Modules with a leading underscore are helpers, not metrics."""
    return tuple(sorted(m.name for m in iter_modules(images.__path__) if not m.name.startswith("_")))


def metric_class(name: str) -> Callable[..., Metric]:
    """The class of the metric called `name`.

    Raises:
        ConfigError: there is none.
    """
    if name not in names():
        raise ConfigError(f"no metric {name!r}; known: {', '.join(names())}.{did_you_mean(name, names())}")
    found: Callable[..., Metric] = import_module(f"{images.__name__}.{name}").METRIC
    return found


def make(name: str, settings: Mapping[str, Any] | None = None) -> Metric:
    """A fresh metric.

    Args:
        name: of the metric.
        settings: its constructor's keywords; defaults for the others.

    Raises:
        ConfigError: unknown metric, or a setting that it does not have.
    """
    return fitted(metric_class(name), name, settings or {})


def fitted(made: Callable[..., M], name: str, settings: Mapping[str, Any]) -> M:
    """What a class makes of settings.

    Raises:
        ConfigError: one that it does not have.
    """
    takes = list(inspect.signature(made).parameters)
    if unknown := sorted(set(settings) - set(takes)):
        offered = f"it has: {', '.join(takes)}" if takes else "it has none"
        raise ConfigError(
            f"the metric {name} has no setting {unknown[0]!r}; {offered}.{did_you_mean(unknown[0], takes)}"
        )
    return made(**settings)


def looks_itself(needs: Iterable[str]) -> bool:
    """Whether a metric with these needs looks at pictures without an extractor."""
    return "pixels" in needs and not any(n == "features" or n.startswith("head:") for n in needs)


def takes_labels(name: str) -> bool:
    """Whether the metric called `name` takes in classes, needed or not."""
    found = metric_class(name)
    return "labels" in {*getattr(found, "needs", ()), *getattr(found, "uses", ())}


@cache
def titles() -> Mapping[str, tuple[str, str]]:
    """How figures are printed: with Inception's published weights, and with any other extractor."""
    found: dict[str, tuple[str, str]] = {}
    for name in names():
        found |= getattr(metric_class(name), "titles", {})
    return found
