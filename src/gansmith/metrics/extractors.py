"""Which network takes the features: found by name, chosen for the data with a reason, and named in each figure."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..errors import ConfigError, SpecError, did_you_mean
from ..nn.features.dinov2 import DinoExtractor
from ..nn.features.fashion import FashionExtractor
from ..nn.features.inception import SHA256, WEIGHTS, InceptionExtractor
from ..nn.features.module import NO_WEIGHTS, ModuleExtractor, StackedExtractor
from ..nn.features.precision import DTYPES
from ..nn.features.randomnet import RandomExtractor
from ..nn.features.timmnet import TimmExtractor
from ..nn.features.weights import find_weights
from ..spec import ImageSpec, Spec
from .base import Extractor
from .registry import titles

ATTRIBUTES = ("name", "resize", "digest", "dim")

# What each name builds, and the settings it takes.
BUILDERS: Mapping[str, tuple[Callable[..., Extractor], tuple[str, ...]]] = {
    "inception": (InceptionExtractor, ("weights", "head", "resize", "dtype")),
    "fashion": (FashionExtractor, ()),
    "random": (RandomExtractor, ()),
}


def _inception(ways: str, **settings: Any) -> Extractor:
    """`ways`: how to resize, or a dtype, or both, as in `clean:bf16`."""
    for way in ways.split(":"):
        settings["dtype" if way in DTYPES else "resize"] = way
    return InceptionExtractor(**settings)


def _stacked(one: str, **settings: Any) -> Extractor:
    return StackedExtractor(load_extractor(one, **settings))  # type: ignore[arg-type]


# Families, FAMILY:NAME; each builder takes the name first.
FAMILIES: Mapping[str, tuple[Callable[..., Extractor], tuple[str, ...]]] = {
    "inception": (_inception, ("weights", "head")),
    "timm": (TimmExtractor, ("weights", "dtype")),
    "dinov2": (DinoExtractor, ("weights", "dtype")),
    "stacked": (_stacked, ("weights",)),
}
OWN = "FILE.py:NAME"
KNOWN = (
    *BUILDERS,
    "inception:clean",
    "inception:bf16",
    "stacked:NAME",
    "timm:NAME",
    "dinov2:vits14, vitb14, vitl14 or vitg14",
    OWN,
)

# Data sets that have an extractor trained for them.
IN_DOMAIN: Mapping[str, str] = {"bundled:fashion-mnist": "fashion"}


def load_extractor(
    name: object,
    *,
    weights: str | Path | None = None,
    head: str | Path | None = None,
    resize: str | None = None,
    dtype: str | None = None,
    size: int | None = None,
    logits: bool | None = None,
    device: torch.device | str = "cpu",
) -> Extractor:
    """The extractor called `name`, or one of the user's own.

    Args:
        name: `inception`, `fashion`, `random`; `inception:clean`, which resizes as clean-fid does; `inception:bf16`
            and `inception:clean:bf16`, for a GPU; `timm:NAME` or `dinov2:NAME`, whose weights lie on this machine;
            `stacked:NAME`, which looks with NAME at each channel alone; `my_file.py:NAME`, what NAME is (or
            returns) in that file; an object with the attributes of `Extractor`; or any network of float pictures (b
            c h w) in [0, 1] to features (b d), which gets them (see `ModuleExtractor`).
        weights: a file of weights, or the folder it lies in; None searches.
        head: Inception's: a file with its classifier, for the Inception Score.
        resize: Inception's: `tf-bilinear` (default) or `clean`.
        dtype: `f32` (default), or `bf16` on a GPU.
        size: of a network of your own: resize pictures to this side first.
        logits: of a network of your own: its outputs are class logits.
        device: where it runs.

    Raises:
        ConfigError: unknown name, a setting that this extractor does not have, or an object that is none.
        DataError: weights are absent, damaged, or of another network.
        MissingExtra: a package is absent that brings the network.
    """
    given = {"weights": weights, "head": head, "resize": resize, "dtype": dtype, "size": size, "logits": logits}
    settings = {setting: value for setting, value in given.items() if value is not None}
    extractor = _named(name, settings) if isinstance(name, str) else _users_own(name, settings)
    return extractor.to(device) if isinstance(extractor, nn.Module) else extractor


def _named(name: str, settings: dict[str, Any]) -> Extractor:
    family, colon, rest = name.rpartition(":")
    if colon and family.endswith(".py"):
        own = _users_own(_from_file(Path(family), rest), settings)
        if isinstance(own, ModuleExtractor) and own.digest == NO_WEIGHTS:  # all that it does is in its code
            own.digest = hashlib.sha256(Path(family).read_bytes()).hexdigest()[:12]
        return own
    family, colon, rest = name.partition(":")
    if colon and rest and family in FAMILIES:
        build, takes = FAMILIES[family]
        return build(rest, **_taken(family, takes, settings))
    if name not in BUILDERS:
        raise ConfigError(f"no extractor {name!r}; known: {', '.join(KNOWN)}.{did_you_mean(name, BUILDERS)}")
    build, takes = BUILDERS[name]
    return build(**_taken(name, takes, settings))


def _taken(name: str, takes: tuple[str, ...], settings: dict[str, Any]) -> dict[str, Any]:
    if unknown := sorted(settings.keys() - set(takes)):
        has = f"it has: {', '.join(takes)}" if takes else "it has none"
        raise ConfigError(f"the extractor {name} has no setting: {', '.join(unknown)}; {has}")
    return settings


def _from_file(path: Path, name: str) -> Any:
    """What is called `name` in a Python file of the user's; called, if it is a class or a function."""
    if not path.is_file():
        raise ConfigError(f"no such file: {path}")
    found = importlib.util.spec_from_file_location(path.stem, path)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    try:
        found.loader.exec_module(module)
        if not hasattr(module, name):
            raise ConfigError(f"{path} has nothing called {name!r}.{did_you_mean(name, vars(module))}")
        own = getattr(module, name)
        return own if isinstance(own, nn.Module | Extractor) and not isinstance(own, type) else own()
    except ConfigError:
        raise
    except Exception as error:
        raise ConfigError(f"{path} did not yield an extractor: {type(error).__name__}: {error}") from error


def _users_own(extractor: Any, settings: dict[str, Any]) -> Extractor:
    """The object itself if it has the attributes; else, a network, within a `ModuleExtractor`."""
    missing = [a for a in ATTRIBUTES if not hasattr(extractor, a)]
    if missing and isinstance(extractor, nn.Module):
        return ModuleExtractor(extractor, **_taken("of your own", ("size", "logits"), settings))
    if missing or not callable(extractor):
        lacks = ", ".join(missing) or "__call__"
        raise ConfigError(f"an extractor has name, resize, digest, dim and __call__; this one lacks: {lacks}")
    _taken("of your own", (), settings)
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


def sees_imagenet(name: str) -> bool:
    """Whether the extractor of this name was trained on pictures of ImageNet. Its weights need not be at hand."""
    known = [table[part][0] for table in (BUILDERS, FAMILIES) for part in name.split(":") if part in table]
    return any(getattr(build, "sees_imagenet", False) for build in known)


def figure_name(metric: str, extractor: Extractor) -> str:
    """`FID` and `KID` only for Inception's own weights, `FD` and `KD` for all others; see a metric's `titles`."""
    genuine = extractor.name == "inception" and extractor.digest == SHA256[:12]
    family, slash, member = metric.partition("/")  # a figure of one class: class_fid/3
    return titles().get(family, (family, family))[0 if genuine else 1] + slash + member
