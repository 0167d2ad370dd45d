"""Which network takes the features: found by name, chosen for the data with a reason, and named in each figure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..errors import ConfigError, SpecError, did_you_mean
from ..nn.features.fashion import FashionExtractor
from ..nn.features.inception import SHA256, WEIGHTS, InceptionExtractor
from ..nn.features.randomnet import RandomExtractor
from ..nn.features.weights import find_weights
from ..spec import ImageSpec, Spec
from .base import Extractor
from .registry import titles

# What each name builds, and the settings it takes.
BUILDERS: Mapping[str, tuple[Callable[..., Extractor], tuple[str, ...]]] = {
    "inception": (InceptionExtractor, ("weights", "resize")),
    "fashion": (FashionExtractor, ()),
    "random": (RandomExtractor, ()),
}

# Data sets that have an extractor trained for them.
IN_DOMAIN: Mapping[str, str] = {"bundled:fashion-mnist": "fashion"}


def load_extractor(
    name: str | Extractor | nn.Module,
    *,
    weights: str | Path | None = None,
    resize: str | None = None,
    device: torch.device | str = "cpu",
) -> Extractor:
    """The extractor called `name`, or the user's own one after a look at its attributes.

    Args:
        name: `inception`, `fashion`, `random`, or an object with the attributes of `Extractor`.
        weights: Inception's file or its folder; None searches.
        resize: Inception's: `tf-bilinear` (default) or `clean`.
        device: where it runs.

    Raises:
        ConfigError: unknown name or resize, or an object that lacks an attribute.
        DataError: Inception's weights are absent or damaged.
    """
    if not isinstance(name, str):
        return _users_own(name)
    if name not in BUILDERS:
        raise ConfigError(f"no extractor {name!r}; known: {', '.join(BUILDERS)}.{did_you_mean(name, BUILDERS)}")
    build, takes = BUILDERS[name]
    settings = {k: v for k, v in {"weights": weights, "resize": resize}.items() if v is not None}
    if unknown := sorted(settings.keys() - set(takes)):
        raise ConfigError(f"the extractor {name} has no setting: {', '.join(unknown)}")
    extractor = build(**settings)
    return extractor.to(device) if isinstance(extractor, nn.Module) else extractor


def _users_own(extractor: Any) -> Extractor:
    missing = [a for a in ("name", "resize", "digest", "dim") if not hasattr(extractor, a)]
    if missing or not callable(extractor):
        lacks = ", ".join(missing) or "__call__"
        raise ConfigError(f"an extractor has name, resize, digest, dim and __call__; this one lacks: {lacks}")
    if isinstance(extractor, nn.Module):
        extractor.eval().requires_grad_(False)
    own: Extractor = extractor
    return own


def choose_extractor(
    spec: Spec, data_name: str, prefer: str | None = None, *, device: torch.device | str = "cpu"
) -> tuple[Extractor, str]:
    """The best extractor at hand for these data, and a sentence that says why.

    Inception when its weights are found; else the one trained for this data set; else random networks.

    Args:
        spec: what one example looks like; pictures only.
        data_name: as the user gave it, e.g. `bundled:fashion-mnist`.
        prefer: an extractor's name, to decide it.

    Raises:
        SpecError: the data are no pictures.
        DataError: Inception's weights are damaged, or preferred and absent.
    """
    if not isinstance(spec, ImageSpec):
        raise SpecError(f"these extractors look at pictures; the data are: {spec.kind}")
    if prefer is not None:
        return load_extractor(prefer, device=device), f"features by {prefer}, as asked"
    if find_weights(WEIGHTS) is not None:
        reason = "features by inception (the 2015-12-05 network of the FID), whose weights are on this machine"
        return load_extractor("inception", device=device), reason
    absent = "Inception's weights are not on this machine, so no FID-inception; figures are called"
    if (name := IN_DOMAIN.get(data_name)) is not None:
        return load_extractor(
            name, device=device
        ), f"{absent} FD-{name}: features by a classifier trained for {data_name}"
    reason = f"{absent} FD-random: features by five untrained networks, to be read against the real-against-real floor"
    return load_extractor("random", device=device), reason


def figure_name(metric: str, extractor: Extractor) -> str:
    """`FID` and `KID` only for Inception's own weights, `FD` and `KD` for all others; see a metric's `titles`."""
    genuine = extractor.name == "inception" and extractor.digest == SHA256[:12]
    return titles().get(metric, (metric, metric))[0 if genuine else 1]
