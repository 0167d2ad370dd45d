"""Sources of training data. Names are loaded when first used."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..spec import Spec
    from ..tabular.fit import Style
    from ..tabular.schema import Schema
    from .build import Progress as Progress
    from .images import ImageSource as ImageSource
    from .images import Report as Report
    from .source import Source as Source
    from .tables import TableSource as TableSource

__all__ = ["ImageSource", "Report", "Source", "TableSource", "open_source"]

_HOMES = {"ImageSource": "images", "Report": "images", "Source": "source", "TableSource": "tables"}


def open_source(
    data: Any,
    *,
    size: int | None = None,
    channels: int | None = None,
    mirror: bool = False,
    cache: str | os.PathLike[str] | bool | None = None,
    labels: bool | None = None,
    classes: Sequence[str] = (),
    split: str | None = None,
    holdout: float = 0.0,
    workers: int | None = None,
    progress: Progress | None = None,
    schema: Schema | None = None,
    style: Style = "quantile",
    spec: Spec | None = None,
) -> Source:
    """The source of whatever the user gave.

    Args:
        size, channels, mirror, cache, labels, classes, split, workers, progress: of pictures, see `ImageSource`.
        holdout: share of the pictures that the source leaves out; they are its `held` (see `data.part`).
        schema, style: of a table, see `TableSource`.
        spec: read them as this spec of an earlier run says, where reading fits anything to the data.

    Raises:
        DataError: the data cannot be read, or are not what was asked for.
        MissingExtra: a package for this kind of data is absent.
    """
    from .tables_read import Table, is_table

    if isinstance(data, Table) or is_table(data):
        from ..tabular.spec import TableSpec
        from .tables import TableSource

        return TableSource(data, schema=schema, style=style, spec=spec if isinstance(spec, TableSpec) else None)
    from .images import ImageSource

    pictures = ImageSource(
        data,
        size=size,
        channels=channels,
        mirror=mirror,
        cache=cache,
        labels=labels,
        classes=classes,
        split=split,
        workers=workers,
        progress=progress,
    )
    if not holdout:
        return pictures
    from .part import hold_out

    return hold_out(pictures, holdout)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
