"""Sources of training data. Names are loaded when first used."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .build import Progress as Progress
    from .images import ImageSource as ImageSource
    from .images import Report as Report
    from .source import Source as Source

__all__ = ["ImageSource", "Report", "Source", "open_source"]

_HOMES = {"ImageSource": "images", "Report": "images", "Source": "source"}


def open_source(
    data: Any,
    *,
    size: int | None = None,
    channels: int | None = None,
    mirror: bool = False,
    cache: str | os.PathLike[str] | bool | None = None,
    labels: bool | None = None,
    split: str | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Source:
    """The source of whatever the user gave; the arguments are those of `ImageSource`.

    Raises:
        DataError: the data cannot be read, or are not what was asked for.
        MissingExtra: a package for this kind of data is absent.
    """
    from .images import ImageSource

    return ImageSource(
        data,
        size=size,
        channels=channels,
        mirror=mirror,
        cache=cache,
        labels=labels,
        split=split,
        workers=workers,
        progress=progress,
    )


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
