"""Decides what a column is, from what was remembered of it. The thresholds are here and nowhere else."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..errors import DataError
from . import decorated, recognise
from .dates import DAY, Moments, TextDates
from .schema import Column, Kind
from .tally import MOST_DISTINCT, Distinct, Numbers
from .values import TEXT, scalars

FEW_WHOLE = 20  # whole numbers with at most so many different values, each in 5 rows on average, are categories
FEW_FRACTIONS = 10  # the same of other numbers, each in 20 rows on average
MOST_CODES = 5_000  # different values of a column that is named like codes
FEW_TEXTS = 50  # text with more different values is an identifier where they are more than half as many as the rows
LEAST_UNIQUE = 20  # rows from which on values that are all different speak for an identifier
EXACT = 2.0**53  # whole numbers beyond are no amounts but numbers of something, and floats cannot tell them apart
LEAST_COUNTED = 10  # the same of whole numbers without a gap

MOST_SPECIAL = 8
_SHARE, _TELLING_SHARE, _EDGE_SHARE, _RATIO, _ROWS = 0.04, 0.005, 0.002, 10.0, 100
_TELLING = (0, -1, -2, 9, 99, 999, 9999, 99999, 999999, -9, -99, -999, -9999, -99999, 88, 888, 8888, 77, 777, 7777)


@dataclass
class Facts:
    """What is known of a column when all its rows were seen.

    Attributes:
        rows, nulls: how many rows, how many of them without a value.
        dtype: to come back to.
        distinct: the different values, where they are categories or text.
        numbers, moments, dates: see there; dates are those that are text.
        kind: what the user says that the column is.
        placeholders: words among numbers or dates that were taken for missing values, and how often each came.
        blanks: the same of words that mean a missing value in any column of a file.
        format: how numbers are written that are text with a unit or a currency.
    """

    name: str
    rows: int = 0
    nulls: int = 0
    dtype: str = "str"
    distinct: Distinct | None = None
    numbers: Numbers | None = None
    moments: Moments | None = None
    dates: TextDates | None = None
    levels: tuple[Any, ...] = ()
    ordered: bool = False
    timezone: str | None = None
    kind: Kind | None = None
    fill: str | None = None
    hints: bool = True
    from_file: bool = False
    placeholders: Counter[str] = field(default_factory=Counter)
    blanks: Counter[str] = field(default_factory=Counter)
    format: str | None = None

    @property
    def known(self) -> int:
        return self.rows - self.nulls

    @property
    def missing(self) -> str:
        """How a missing value is mostly written."""
        words = self.placeholders + self.blanks
        return max(sorted(words), key=lambda word: words[word], default="")


def decide(facts: Facts) -> Column:
    """The column that these facts speak for, or that the user wants (`facts.kind`)."""
    if facts.known == 0:
        return _identifier(facts) if facts.kind == "identifier" else _category(facts, Distinct())
    if facts.moments is not None:
        return _of_moments(facts)
    if facts.numbers is not None:
        return _of_numbers(facts, facts.numbers)
    assert facts.distinct is not None
    return _of_words(facts, facts.distinct)


def _column(facts: Facts, kind: Kind, **values: Any) -> Column:
    dtype = values.pop("dtype", facts.dtype)
    return Column(name=facts.name, kind=kind, dtype=dtype, nulls=facts.nulls > 0, missing=facts.missing, **values)


def _identifier(facts: Facts, fill: str = "sequence", **values: Any) -> Column:
    counts = (facts.known, facts.nulls) if facts.nulls else ()
    return _column(facts, "identifier", fill=facts.fill or fill, counts=counts, **values)


def _category(facts: Facts, distinct: Distinct, kind: Kind = "category") -> Column:
    if not distinct.exact or (kind == "boolean" and distinct.number > 2):
        most = "two values" if kind == "boolean" else f"{MOST_DISTINCT:,} categories"
        raise DataError(
            f"column {facts.name!r} has {distinct.number:,} different values; a {kind} has at most {most}: "
            "choose another kind in the schema"
        )
    values, counts = distinct.ranked()
    known = scalars(np.array(values, dtype=object))
    missing = [facts.nulls] if facts.nulls else []
    return _column(
        facts,
        kind,
        categories=tuple(known.tolist()),
        counts=(*counts, *missing),
        levels=facts.levels,
        ordered=facts.ordered,
    )


# dates


def _of_moments(facts: Facts) -> Column:
    assert facts.moments is not None
    if facts.kind == "identifier":
        return _identifier(facts, "date")
    if facts.kind not in (None, "datetime"):
        raise DataError(f"column {facts.name!r} holds dates, so its kind is datetime or identifier: {facts.kind}")
    found = facts.moments
    return _column(
        facts, "datetime", low=found.low, high=found.high, step=float(found.step), timezone=facts.timezone
    )  # fmt: skip


# numbers


def _of_numbers(facts: Facts, numbers: Numbers) -> Column:
    known, k = numbers.count, numbers.distinct.number
    kind: Kind = facts.kind or _kind_of_numbers(facts, numbers, known, k)
    if kind == "identifier":
        return _identifier(facts, *_fill_of_numbers(facts, numbers), low=numbers.low, high=numbers.high)
    if kind in ("category", "boolean"):
        return _category(facts, _as_written(facts, numbers), kind)
    if kind == "datetime":
        return _of_number_dates(facts, numbers)
    return _column(
        facts,
        kind,
        decimals=numbers.decimals if kind == "float" else None,
        low=numbers.low,
        high=numbers.high,
        special=special_values(numbers),
        format=facts.format,
    )


def _as_written(facts: Facts, numbers: Numbers) -> Distinct:
    """The different values as categories: numbers, or the texts that they came as."""
    if facts.dtype in TEXT and facts.distinct is not None:
        return facts.distinct
    if facts.format is None:
        return numbers.distinct
    texts = np.array(decorated.write(numbers.distinct.values, facts.format), dtype=object)
    return replace(numbers.distinct, values=texts)


def _kind_of_numbers(facts: Facts, numbers: Numbers, known: int, k: int) -> Kind:
    name, repeated, hints = facts.name, known / max(1, k), facts.hints and facts.format is None
    if numbers.consecutive and facts.format is None and known >= LEAST_COUNTED and facts.nulls == 0:
        return "identifier"
    if hints and numbers.whole and (found := _hinted_kind(facts, numbers, known, k)):
        return found
    if numbers.whole and max(abs(numbers.low), abs(numbers.high)) > EXACT:
        return "category" if k <= MOST_CODES and repeated >= 5 else "identifier"
    few, each = (FEW_WHOLE, 5) if numbers.whole else (FEW_FRACTIONS, 20)
    if k == 1 or (k <= few and repeated >= each):
        return "category"
    if facts.dtype.startswith("timedelta"):
        return "float"
    if hints and numbers.whole and recognise.is_code_name(name) and k <= MOST_CODES and repeated >= 5:
        return "category"
    whole_type = "int" in facts.dtype.lower() or facts.nulls > 0 or facts.dtype in TEXT
    return "integer" if numbers.whole and whole_type else "float"


def _hinted_kind(facts: Facts, numbers: Numbers, known: int, k: int) -> Kind | None:
    """What the name of a column of whole numbers says, if the numbers agree."""
    if recognise.hinted_fill(facts.name) and k > FEW_WHOLE and numbers.low >= 1e4:
        return "identifier"
    if _are_dates(numbers):
        return "datetime"
    if not recognise.is_id_name(facts.name) or known < LEAST_COUNTED or numbers.low < 0:
        return None
    if k >= 0.99 * known or k > MOST_CODES:
        return "identifier"
    return "category" if k <= known / 2 else "identifier"


def _fill_of_numbers(facts: Facts, numbers: Numbers) -> tuple[str]:
    hinted = recognise.hinted_fill(facts.name) if facts.hints else None
    if not numbers.whole or (hinted is None and numbers.high <= EXACT):
        return ("sequence",)
    digits = len(str(int(numbers.high)))
    return ("pattern:" + ("%" if digits < 19 else "1") + "#" * (min(digits, 19) - 1),)  # at most what 64 bits hold


def _are_dates(numbers: Numbers) -> bool:
    """Whether whole numbers are dates written as 20240131."""
    if not (numbers.low >= 19_000_101 and numbers.high <= 21_001_231) or len(numbers.distinct.values) < 5:
        return False
    return not np.isnan(_number_dates(numbers)).any()


def _number_dates(numbers: Numbers) -> Any:
    from .dates import parse

    return parse(numbers.distinct.values.astype(np.int64).astype(str), "%Y%m%d")


def _of_number_dates(facts: Facts, numbers: Numbers) -> Column:
    stamps = _number_dates(numbers)
    if np.isnan(stamps).any():
        raise DataError(f"column {facts.name!r} cannot be datetime: its numbers are no dates such as 20240131")
    low, high = float(stamps.min()), float(stamps.max())
    return _column(facts, "datetime", format="%Y%m%d", low=low, high=high, step=float(DAY))


def special_values(numbers: Numbers) -> tuple[float, ...]:
    """Values on which rows pile up: ten times as many as the different values beside them have on average, and a
    share of all rows that depends on how likely such a value has a meaning of its own: 4 %; of 0, -1 and numbers of
    nines 0.5 %; of the lowest and the highest 0.2 %. At most MOST_SPECIAL, ascending."""
    values, counts = np.unique(numbers.sample.values, return_counts=True)
    n = int(counts.sum())
    if n < _ROWS or len(values) < 3:
        return ()
    share = np.where(np.isin(values, _TELLING), _TELLING_SHARE, _SHARE)
    share[[0, -1]] = _EDGE_SHARE
    enough = (counts >= share * n) & (counts >= 5)
    found = [i for i in np.argsort(-counts, kind="stable") if enough[i]][: 4 * MOST_SPECIAL]
    special = [i for i in found if counts[i] >= _RATIO * _beside(counts, int(i), found)]
    return tuple(sorted(float(values[i]) for i in special[:MOST_SPECIAL]))


def _beside(counts: Any, i: int, heavy: Sequence[Any]) -> float:
    """The mean count of the eight values on either side, heavier ones than this left out."""
    heavier = {int(j) for j in heavy if counts[j] >= counts[i]}
    near = [counts[j] for j in range(max(0, i - 8), min(len(counts), i + 9)) if j not in heavier]
    return float(np.mean(near)) if near else float("inf")


# words


def _of_words(facts: Facts, distinct: Distinct) -> Column:
    texts = [str(v) for v in distinct.values[:1000]]
    kind = facts.kind or _kind_of_words(facts, distinct, texts)
    if kind in ("integer", "float") or (kind == "datetime" and not (facts.dates and facts.dates.best)):
        wanted = "dates in one format" if kind == "datetime" else "numbers"
        raise DataError(
            f"column {facts.name!r} cannot be {kind}: it does not hold {wanted}, but {_examples(texts)}; "
            "change its kind in the schema, or mend the data"
        )
    if kind == "identifier":
        return _identifier(facts, *_fill_of_words(facts, texts))
    if kind == "datetime":
        return _of_text_dates(facts)
    return _category(facts, distinct, kind)


def _examples(texts: list[str]) -> str:
    words = [t for t in texts if not re.fullmatch(r"[-+]?\d*\.?\d+([eE][-+]?\d+)?", t)] or texts
    return ", ".join(repr(t[:30]) for t in words[:3])


def _kind_of_words(facts: Facts, distinct: Distinct, texts: list[str]) -> Kind:
    k, plain = distinct.number, facts.dtype != "category"
    words = all(isinstance(v, str) for v in distinct.values[:1000].tolist())
    if k <= 2 and all(isinstance(v, bool) for v in distinct.values.tolist()):
        return "boolean"
    if words and recognise.is_truth(texts):
        return "boolean"
    if words and plain and k > 1 and facts.dates is not None and facts.dates.best:
        return "datetime"
    if words and (recognise.content_fill(texts) or (facts.hints and _names_someone(facts, texts, k))):
        return "identifier"
    return "identifier" if _are_different(facts, distinct, k) else "category"


def _names_someone(facts: Facts, texts: list[str], k: int) -> bool:
    """Whether a column's name says that it holds personal data, and its texts do not contradict."""
    if recognise.names_persons(facts.name, texts):
        return k > 1
    hinted = recognise.hinted_fill(facts.name)
    few = 1 if hinted in ("first_name", "last_name") else min(FEW_WHOLE, facts.known / 2)
    return hinted is not None and k > few


def _are_different(facts: Facts, distinct: Distinct, k: int) -> bool:
    """Whether values hardly ever come twice: learning them would be repeating them."""
    if k > MOST_DISTINCT:
        return True
    if distinct.single and facts.known >= LEAST_UNIQUE:
        return True
    return k > FEW_TEXTS and k > facts.known / 2


def _fill_of_words(facts: Facts, texts: list[str]) -> tuple[str]:
    hinted = recognise.hinted_fill(facts.name) if facts.hints else None
    return (recognise.content_fill(texts) or hinted or recognise.made_like(texts),)


def _of_text_dates(facts: Facts) -> Column:
    assert facts.dates is not None
    form = facts.dates.best or ""
    found = facts.dates.moments[form]
    return _column(facts, "datetime", format=form, low=found.low, high=found.high, step=float(found.step))
