"""Numbers that stand as text, with a currency, a unit, or marks between digits: `$1,250.00`, `1.397,03 €`, `12,5 %`.

How they are written is a format with one field, `{:` what stands between thousands (nothing, a comma, point, space or
apostrophe), the decimal mark (a point or a comma), how many digits follow it (nothing: as many as it takes), `f}`:

    ${:,.2f}     $1,250.00          {:.,2f} €    1.250,00 €        {:,f} %     12,5 %
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from .recognise import PLACEHOLDERS

LOOKED_AT = 50
MOST_DIGITS = 9
EXACT = 2.0**53  # larger numbers are not told apart
_SPACES = " \u00a0\u202f"  # an ordinary one, and those that keep a number on one line
_APOSTROPHES = "'\u2019"
_MARKS = ((",", "."), (".", ","), *((s, ",") for s in _SPACES), *((s, ".") for s in _APOSTROPHES + _SPACES))
_CODES = "USD|EUR|GBP|CHF|JPY|CNY|INR|SEK|NOK|DKK|PLN|CZK|HUF|CAD|AUD|BRL|MXN|TRY|ZAR"
_BEFORE = rf"(?:(?:(?:US|CA|NZ|A|R)?[$€£¥₹]|{_CODES})\s?)?"
_AFTER = r"(?:\s?(?:%|[$€£¥₹]|(?:(?![\d_])[\w°/]){1,8}))?"
_FIELD = re.compile(
    rf"(?P<before>[^{{}}]*)\{{:(?P<thousands>[,.{_APOSTROPHES}{_SPACES}]?)(?P<point>[.,])(?P<digits>\d?)f\}}"
    r"(?P<after>[^{}]*)"
)


@dataclass(frozen=True)
class Style:
    """A format, taken apart; `digits` is None where there are as many as it takes."""

    before: str
    after: str
    thousands: str
    point: str
    digits: int | None

    @property
    def form(self) -> str:
        digits = "" if self.digits is None else self.digits
        return f"{self.before}{{:{self.thousands}{self.point}{digits}f}}{self.after}"

    def number(self, text: str) -> float:
        """The number in a text.

        Raises:
            ValueError: there is none.
        """
        inner = text[len(self.before) : len(text) - len(self.after)]
        whole = inner.replace(self.thousands, "") if self.thousands else inner
        return float(whole.replace(self.point, "."))

    def texts(self, values: npt.NDArray[Any]) -> list[str]:
        shown = MOST_DIGITS if self.digits is None else self.digits
        plain = f"{{:{',' if self.thousands else ''}.{shown}f}}".format
        made = [plain(v) for v in (np.round(values, shown) + 0).tolist()]  # + 0: no negative zero
        if self.digits is None:
            made = [t.rstrip("0").rstrip(".") for t in made]
        if (self.thousands or ",", self.point) != (",", "."):
            marks = str.maketrans({",": self.thousands, ".": self.point})
            made = [t.translate(marks) for t in made]
        return [f"{self.before}{t}{self.after}" for t in made] if self.before or self.after else made


@lru_cache(maxsize=256)
def style(form: str) -> Style | None:
    """A format, taken apart; None for one that is none."""
    found = _FIELD.fullmatch(form)
    if found is None or found["thousands"] == found["point"]:
        return None
    digits = int(found["digits"]) if found["digits"] else None
    return Style(found["before"], found["after"], found["thousands"], found["point"], digits)


def _styles(texts: Sequence[str]) -> Iterator[Style]:
    """Ways in which all of these texts may be written, the likeliest first."""
    loose = list[Style]()
    for thousands, point in _MARKS:
        found = [_shape(thousands, point).fullmatch(t) for t in texts]
        wraps = {(m["before"], m["after"]) for m in found if m}
        if None in found or len(wraps) != 1:
            continue
        digits = {len(m["fraction"] or " ") - 1 for m in found if m}
        apart = thousands if any(thousands in m["whole"] for m in found if m) else ""
        wrap = wraps.pop()
        if not any(wrap) and not (apart == "," or (point == "," and max(digits))):
            continue  # bare digits in groups of three may be a telephone number
        made = Style(*wrap, apart, point, digits.pop() if len(digits) == 1 else None)
        if made.digits is not None:
            yield made
        loose.append(Style(*wrap, apart, point, None))
    yield from loose


@lru_cache(maxsize=32)
def _shape(thousands: str, point: str) -> re.Pattern[str]:
    mark = re.escape(thousands)
    number = rf"(?P<whole>-?(?:\d{{1,3}}(?:{mark}\d{{3}})+|\d+))(?P<fraction>{re.escape(point)}\d{{1,{MOST_DIGITS}}})?"
    return re.compile(rf"(?P<before>{_BEFORE}){number}(?P<after>{_AFTER})")


def find(texts: Sequence[str]) -> str | None:
    """How numbers are written in all of these texts but placeholders such as `-`; None where that is not known."""
    known = [t for t in texts if t not in PLACEHOLDERS]
    for made in _styles(known[:LOOKED_AT]) if known else ():
        if read(known, made.form) is not None:
            return made.form
    return None


def read(texts: Sequence[str], form: str) -> npt.NDArray[np.float64] | None:
    """The numbers in texts (n,); None unless writing them in this format gives the very same texts."""
    made = style(form)
    if made is None:
        return None
    try:
        values = np.array([made.number(t) for t in texts], dtype=np.float64)
    except ValueError:
        return None
    exact = bool((np.abs(values) < EXACT).all())
    return values if exact and made.texts(values) == list(texts) else None


def numbers(texts: Sequence[str], form: str) -> npt.NDArray[np.float64]:
    """The numbers in texts (n,), however exactly they are written; NaN where there is none."""
    made = style(form)

    def one(text: str) -> float:
        try:
            return made.number(text) if made is not None else np.nan
        except ValueError:
            return np.nan

    found = np.array([one(text) for text in texts], dtype=np.float64)
    return np.where(np.isfinite(found), found, np.nan)


def among(texts: Sequence[str], form: str) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]] | None:
    """Numbers in texts (n,), placeholders such as `-` allowed among them.

    Returns:
        The numbers, and where in `texts` (n,) a placeholder stands; None if there is anything else.
    """
    absent = np.array([t in PLACEHOLDERS for t in texts], dtype=bool)
    values = read([t for t, no in zip(texts, absent, strict=True) if not no], form)
    return None if values is None else (values, absent)


def write(values: npt.NDArray[Any], form: str) -> list[str]:
    """Numbers (n,) -> texts."""
    made = style(form)
    assert made is not None, form  # a schema with another one is refused when it is read
    return made.texts(values)
