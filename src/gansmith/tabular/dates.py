"""Dates and times as text: which format they are written in, and fast ways there and back.

Formats are those of strftime, with `%-d` for a number without a leading zero (as in glibc) and `%3f` for thousandths.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

DAY = 86_400_000_000  # microseconds
_DATES = [
    *("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%d-%m-%Y", "%m-%d-%Y"),
    *("%-m/%-d/%Y", "%-d/%-m/%Y", "%-d.%-m.%Y", "%m/%d/%y", "%d/%m/%y", "%d.%m.%y", "%-m/%-d/%y"),
    *("%d-%b-%Y", "%d-%b-%y", "%-d-%b-%Y", "%-d-%b-%y", "%d/%b/%Y", "%Y-%m", "%b-%y", "%b-%Y", "%Y%m%d"),
]
_WORDED = ["%d %b %Y", "%-d %b %Y", "%b %d, %Y", "%b %-d, %Y", "%d %B %Y", "%-d %B %Y", "%B %d, %Y", "%B %-d, %Y",
           "%b %Y", "%B %Y"]  # fmt: skip
_TIMES = ["%H:%M:%S", "%H:%M", "%H:%M:%S.%f", "%H:%M:%S.%3f", "%-H:%M", "%-H:%M:%S", "%I:%M %p", "%I:%M:%S %p",
          "%-I:%M %p", "%-I:%M:%S %p"]  # fmt: skip
_ZONES = ["", "Z", "+00:00", "%z"]


def _all_formats() -> tuple[str, ...]:
    dates = [*_DATES, *_WORDED]
    timed = [f"{d}{join}{t}" for d in dates if "%d" in d or "%-d" in d for t in _TIMES for join in (" ", "T")]
    zoned = [f"%Y-%m-%d{join}{t}{z}" for join in ("T", " ") for t in _TIMES[:4] for z in _ZONES[1:]]
    return (*dates, *timed, *zoned, *_TIMES, "%Y-%m-%d %H:%M:%S UTC")


FORMATS = _all_formats()
_LOOKS = re.compile(r"^(?=.*\d)[\w ,.:/+-]{4,40}$")
_TOKEN = re.compile(r"%(-?[a-zA-Z]|3f)")


def candidates(texts: Sequence[str]) -> list[str]:
    """Formats in which all of these few texts can be read."""
    if not texts or not all(map(_LOOKS.match, texts)):
        return []
    return [f for f in FORMATS if all(_shape(f).fullmatch(t) for t in texts)]


_NUMBERS = {"Y": r"\d{4}", "y": r"\d\d", "f": r"\d{1,9}", "3f": r"\d{3}", "b": r"[A-Za-z]{3}", "B": r"[A-Za-z]{3,9}",
            "p": r"[AaPp][Mm]", "z": r"[+-]\d\d:?\d\d"}  # fmt: skip


@cache
def _shape(form: str) -> re.Pattern[str]:
    """A pattern of what a format writes."""
    parts = [
        re.escape(p) if i % 2 == 0 else _NUMBERS.get(p, r"\d{1,2}" if p[0] == "-" else r"\d\d")
        for i, p in enumerate(_TOKEN.split(form))
    ]
    return re.compile("".join(parts))


def parse(texts: Any, form: str) -> npt.NDArray[np.float64]:
    """Texts (n,) -> microseconds since 1970 (n,), NaN for what is missing or not written in this format."""
    import pandas as pd

    plain = form.replace("%-", "%").replace("%3f", "%f")
    try:
        found = pd.to_datetime(pd.Series(texts), format=plain, errors="coerce", utc=True)
    except (ValueError, OverflowError):  # a format with two meanings for one part, a year beyond all calendars
        return np.full(len(texts), np.nan)
    return microseconds(found)


def microseconds(moments: Any) -> npt.NDArray[np.float64]:
    """A pandas Series of dates, with a zone or without, -> microseconds since 1970 in UTC, NaN for missing ones."""
    zoned = getattr(moments.dtype, "tz", None) is not None
    plain = moments.dt.tz_convert("UTC").dt.tz_localize(None) if zoned else moments
    stamps = plain.to_numpy(dtype="datetime64[us]")
    return np.where(np.isnat(stamps), np.nan, stamps.astype(np.int64).astype(np.float64))


def render(values: npt.NDArray[np.float64], form: str) -> npt.NDArray[np.object_]:
    """Microseconds since 1970 (n,) -> texts (n,); every value must be a number."""
    import pandas as pd

    whole = values.astype(np.int64)
    days, place = np.unique(whole // DAY, return_inverse=True)  # calendars are slow, and there are few days
    dates = pd.DatetimeIndex((days * DAY).astype("datetime64[us]"))
    day_only = np.full(len(days), "", dtype=object)
    text: Any = None
    for i, part in enumerate(_TOKEN.split(form)):  # texts and parts take turns
        if text is None and (i % 2 == 0 or part in _OF_DAY):
            day_only = day_only + (part if i % 2 == 0 else _OF_DAY[part](dates))
            continue
        text = day_only[place] if text is None else text
        text = text + (part if i % 2 == 0 else _OF_DAY[part](dates)[place] if part in _OF_DAY else _clock(whole, part))
    return np.asarray(day_only[place] if text is None else text, dtype=object)


def _clock(whole: npt.NDArray[np.int64], part: str) -> npt.NDArray[np.object_]:
    return _OF_TIME[part](whole % DAY)


def _padded(numbers: Any, width: int) -> npt.NDArray[np.object_]:
    """Whole numbers from 0 to 9999 as text with leading zeros."""
    return _table(width)[np.asarray(numbers, dtype=np.int64)]


@cache
def _table(width: int) -> npt.NDArray[np.object_]:
    return np.array([f"{n:0{width}d}" for n in range(10_000)], dtype=object)


def _words(strings: Any) -> npt.NDArray[np.object_]:
    return np.array(list(strings), dtype=object)


_OF_DAY: dict[str, Callable[[Any], npt.NDArray[np.object_]]] = {
    "Y": lambda d: _padded(d.year, 4),
    "y": lambda d: _padded(d.year % 100, 2),
    "m": lambda d: _padded(d.month, 2),
    "-m": lambda d: _padded(d.month, 1),
    "d": lambda d: _padded(d.day, 2),
    "-d": lambda d: _padded(d.day, 1),
    "j": lambda d: _padded(d.dayofyear, 3),
    "b": lambda d: _words(name[:3] for name in d.month_name()),
    "B": lambda d: _words(d.month_name()),
    "a": lambda d: _words(name[:3] for name in d.day_name()),
    "A": lambda d: _words(d.day_name()),
    "z": lambda d: _words(["+00:00"] * len(d)),
}
_OF_TIME: dict[str, Callable[[npt.NDArray[np.int64]], npt.NDArray[np.object_]]] = {
    "H": lambda t: _padded(t // 3_600_000_000, 2),
    "-H": lambda t: _padded(t // 3_600_000_000, 1),
    "I": lambda t: _padded((t // 3_600_000_000 + 11) % 12 + 1, 2),
    "-I": lambda t: _padded((t // 3_600_000_000 + 11) % 12 + 1, 1),
    "p": lambda t: np.where(t < DAY // 2, "AM", "PM").astype(object),
    "M": lambda t: _padded(t // 60_000_000 % 60, 2),
    "S": lambda t: _padded(t // 1_000_000 % 60, 2),
    "f": lambda t: _padded(t // 1000 % 1000, 3) + _padded(t % 1000, 3),
    "3f": lambda t: _padded(t // 1000 % 1000, 3),
}


def unknown_token(form: str) -> str | None:
    """The first part of a format that cannot be written here, or None."""
    for part in _TOKEN.findall(form):
        if part not in _OF_DAY and part not in _OF_TIME:
            return f"%{part}"
    return None


def resolution(form: str) -> int:
    """The microseconds that a format can tell apart; a day for formats of months and years too."""
    parts = set(_TOKEN.findall(form))
    for step, tokens in ((1, {"f"}), (1000, {"3f"}), (1_000_000, {"S"}), (60_000_000, {"M"})):
        if parts & tokens:
            return step
    return 3_600_000_000 if parts & {"H", "-H", "I", "-I"} else DAY


@dataclass
class Moments:
    """What is known of the dates in a column.

    Attributes:
        step: the largest number of microseconds, up to a day, that all are multiples of.
    """

    count: int = 0
    low: float = float("nan")
    high: float = float("nan")
    step: int = DAY

    def add(self, values: npt.NDArray[np.float64], local: npt.NDArray[np.float64] | None = None) -> None:
        """Takes in dates (n,), without missing ones; `local` gives them on the clock of their zone."""
        if not len(values):
            return
        self.count += len(values)
        self.low, self.high = float(np.fmin(self.low, values.min())), float(np.fmax(self.high, values.max()))
        clock = (values if local is None else local).astype(np.int64)
        self.step = int(np.gcd(self.step, np.gcd.reduce(clock)))


@dataclass
class TextDates:
    """Formats that all texts so far can be read in, those that write the very same text first.

    Attributes:
        formats: alive candidates, best first; None before the first text.
        exact: those among them that write what they read.
    """

    formats: list[str] | None = None
    exact: set[str] = field(default_factory=set)
    moments: dict[str, Moments] = field(default_factory=dict)

    def add(self, texts: npt.NDArray[np.object_]) -> None:
        """Takes in different texts."""
        if self.formats is None:
            self.formats = candidates(texts[:20].tolist())
            self.exact = set(self.formats)
        self.formats = [f for f in self.formats if self._fits(f, texts)]

    def _fits(self, form: str, texts: npt.NDArray[np.object_]) -> bool:
        head = parse(texts[:100], form)
        values = head if np.isnan(head).any() or len(texts) <= 100 else parse(texts, form)
        if np.isnan(values).any():
            return False
        if form in self.exact and (render(values, form) != texts).any():
            self.exact.discard(form)
        self.moments.setdefault(form, Moments()).add(values)
        return True

    @property
    def best(self) -> str | None:
        """The first format that writes what it reads, else the first that reads all."""
        found = self.formats or []
        return next((f for f in found if f in self.exact), found[0] if found else None)

    @property
    def doubtful(self) -> str | None:
        """A format that fits as well and swaps day and month, or None."""
        best, swap = self.best, {"%d": "%m", "%m": "%d", "%-d": "%-m", "%-m": "%-d"}
        if best is None:
            return None
        other = re.sub(r"%-?[dm]", lambda m: swap[m[0]], best)
        return other if other != best and other in (self.formats or []) else None
