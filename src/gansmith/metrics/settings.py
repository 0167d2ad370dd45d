"""Settings of metrics, as users give them: each is checked before any picture is looked at."""

from __future__ import annotations

import numbers
from collections.abc import Iterable, Mapping
from typing import Any

from ..errors import ConfigError, did_you_mean

SEEDS = 2**32  # numpy's legacy generator takes seeds below


def whole(value: Any, name: str, least: int | None = 1, below: int | None = None) -> int:
    """A whole number as an int.

    Raises:
        ConfigError: it is none, or below `least`, or not below `below`.
    """
    fits = not isinstance(value, bool) and isinstance(value, numbers.Integral)
    if not fits or (least is not None and value < least) or (below is not None and value >= below):
        wanted = "a whole number" + ("" if least is None else f", {least} or more")
        raise ConfigError(f"{name} is {wanted}{'' if below is None else f', below {below}'}; not: {value!r}")
    return int(value)


def counts(metric: str, least: int = 1, **values: Any) -> None:
    """Refuses settings of a metric that count something, where they are no whole numbers of `least` or more.

    Raises:
        ConfigError: names the metric, the setting, what was wanted and what came.
    """
    for name, value in values.items():
        whole(value, f"{name} of {metric}", least)


def legacy_seed(metric: str, seed: Any) -> None:
    """Refuses a seed that numpy's legacy generator does not take.

    Raises:
        ConfigError: as of `counts`.
    """
    whole(seed, f"seed of {metric}", 0, SEEDS)


def given_in_vain(settings: Mapping[str, Any], asked: Iterable[str], known: Iterable[str]) -> None:
    """Refuses settings that no metric would see.

    Args:
        settings: by metric.
        asked: the metrics that are measured.
        known: all metrics.

    Raises:
        ConfigError: settings of an unknown metric, of one that was not asked for, or that are no mapping.
    """
    asked, known = list(asked), list(known)
    for name, given in settings.items():
        if name not in known:
            near = did_you_mean(name, known)
            raise ConfigError(f"settings are given for a metric {name!r}, which there is none of.{near}")
        if name not in asked:
            measured = ", ".join(asked)
            raise ConfigError(f"settings are given for {name}, which was not asked for; measured are: {measured}")
        if not isinstance(given, Mapping):
            raise ConfigError(f"the settings of {name} are a mapping of names to values, not: {given!r}")
