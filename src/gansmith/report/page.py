"""Templates of this folder as pages."""

from __future__ import annotations

from typing import Any

from .. import __version__
from .charts import count


def page(template: str, **values: Any) -> str:
    """A template filled in; every text in it is escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("gansmith.report", "."), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters["count"] = lambda v: count(float(v))
    return environment.get_template(template).render(version=__version__, **values)
