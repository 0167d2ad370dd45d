"""Numbers that stand as text, with a currency, a unit or commas between thousands: `$1,250.00`, `45%`, `180 cm`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

_SHAPE = re.compile(
    r"(?P<before>(?:[$€£¥₹]|(?:USD|EUR|GBP|CHF))\s?)?(?P<number>-?(?:\d{1,3}(?:,\d{3})+|\d+)(?P<point>\.\d{1,9})?)"
    r"(?P<after>\s?(?:%|[$€£¥₹]|[A-Za-z°µ/]{1,8}))?"
)
LOOKED_AT = 50


def find(texts: Sequence[str]) -> str | None:
    """How numbers are written in all of these texts, as a format for `str.format` such as `${:,.2f}`; or None."""
    found = [_SHAPE.fullmatch(text) for text in texts[:LOOKED_AT]]
    if not found or None in found:
        return None
    parts = {(m["before"] or "", m["after"] or "", len(m["point"] or " ") - 1) for m in found if m}
    commas = any("," in m["number"] for m in found if m)
    if len(parts) != 1:
        return None
    before, after, decimals = parts.pop()
    return f"{before}{{:{',' if commas else ''}.{decimals}f}}{after}" if before or after or commas else None


def read(texts: Sequence[str], form: str) -> npt.NDArray[np.float64] | None:
    """The numbers in texts (n,); None unless writing them in this format gives the very same texts."""
    before, after = re.split(r"\{[^}]*\}", form)
    inner = [t[len(before) : len(t) - len(after)].replace(",", "") for t in texts]
    try:
        values = np.array([float(t) for t in inner], dtype=np.float64)
    except ValueError:
        return None
    return values if np.isfinite(values).all() and write(values, form) == list(texts) else None


def write(values: npt.NDArray[Any], form: str) -> list[str]:
    """Numbers (n,) -> texts."""
    one = form.format
    return [one(v) for v in values.tolist()]
