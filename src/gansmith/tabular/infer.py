"""Finds out what the columns of a table are, from rows that stream by once (twice where a late surprise comes)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import DataError, did_you_mean
from . import decorated
from .dates import Moments, TextDates
from .decide import Facts, decide
from .recognise import PLACEHOLDERS
from .schema import DISCRETE, Column, Schema
from .tally import Distinct, Numbers
from .values import TEXT, check_finite, family, moments, need, numbers, numbers_among, texts

FEW_WORDS = 200  # so many different texts among numbers are remembered as text too, in case words come later
_NUMBER = re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*")


def infer(frame: Any, *, name_hints: bool = True, wanted: Schema | None = None) -> Schema:
    """What the columns of a DataFrame are.

    Args:
        frame: a pandas DataFrame, whole.
        name_hints: whether names such as `customer_id` or `zip_code` may speak for a kind.
        wanted: columns that the user has described, some or all; what is left open there is found in the data.

    Raises:
        DataError: no columns, two of one name, infinite values, cells that are no single values, a described column
            that is missing or cannot be what it is said to be.
    """
    inference = Inference([str(c) for c in frame.columns], name_hints=name_hints, wanted=wanted)
    inference.add(frame)
    return inference.schema()


class Inference:
    """Takes in chunks of rows and says at the end what the columns are; its memory does not grow with the rows.

    Args:
        names: of the columns.
        wanted: see `infer`.
        from_file: whether the chunks are text as it stands in a file, and dtypes are to be chosen.

    Attributes:
        rows: taken in so far.
    """

    def __init__(
        self,
        names: Sequence[str],
        *,
        name_hints: bool = True,
        wanted: Schema | None = None,
        from_file: bool = False,
        as_words: Mapping[str, str] | None = None,
    ) -> None:
        check_names(names)
        self.names, self.rows, self._wanted = list(names), 0, wanted
        self._hints, self._from_file, self._as_words = name_hints, from_file, dict(as_words or {})
        if wanted is not None:
            for name in wanted.names:
                if name not in self.names:
                    raise DataError(
                        f"the schema has a column {name!r}, the data have none.{did_you_mean(name, self.names)} "
                        f"There are: {', '.join(self.names[:20])}"
                    )
        self._tallies: dict[str, _Tally] = {}

    def add(self, frame: Any) -> None:
        """Takes in a DataFrame."""
        for place, name in enumerate(self.names):
            if self._concerns(name):
                self._tally(name, frame.iloc[:, place]).add_series(frame.iloc[:, place])
        self.rows += len(frame)

    def add_texts(self, batch: Mapping[str, Any]) -> None:
        """Takes in rows of a file: a pyarrow array of strings for each column."""
        for name in self.names:
            if self._concerns(name):
                self._tally(name).add_texts(batch[name])
        self.rows += len(batch[self.names[0]])

    def add_blanks(self, blanks: Mapping[str, Counter[str]]) -> None:
        """Takes in how a file writes missing values, column by column."""
        for name, words in blanks.items():
            if self._concerns(name):
                self._tally(name).facts.blanks.update(words)

    def _concerns(self, name: str) -> bool:
        return self._wanted is None or name in self._wanted.names

    def _tally(self, name: str, series: Any = None) -> _Tally:
        if name not in self._tallies:
            wanted = self._wanted[name] if self._wanted is not None else None
            facts = Facts(name=name, hints=self._hints, from_file=self._from_file)
            if wanted is not None:
                facts.kind, facts.fill = wanted.kind, wanted.fill
            tally = _Tally(facts, form=wanted.format if wanted else None)
            if series is not None:
                tally.family, facts.dtype = family(series, name)
            if name in self._as_words or (wanted and wanted.kind in ("category", "boolean") and tally.family == "text"):
                tally.as_words = wanted is None or wanted.dtype in TEXT
            self._tallies[name] = tally
        return self._tallies[name]

    @property
    def again(self) -> dict[str, str]:
        """Columns that turned out to hold words when numbers had been counted, and which words; take in all rows
        anew, with these as `as_words`."""
        return {name: tally.surprise for name, tally in self._tallies.items() if tally.surprise}

    def schema(self) -> Schema:
        """What the columns are.

        Raises:
            DataError: a described column cannot be what it is said to be.
        """
        found = []
        for name in [n for n in self.names if self._concerns(n)]:
            column = self._tally(name).finish()
            found.append(_merged(column, self._wanted[name]) if self._wanted is not None else column)
        return Schema(tuple(found))

    def remarks(self) -> list[str]:
        """What a user should know of how the columns were understood, a sentence each."""
        late = [f"{name}: {word}, so it is taken as text; {_MEND}" for name, word in self._as_words.items()]
        return [*late, *(remark for tally in self._tallies.values() for remark in tally.remarks())]


def check_names(names: Sequence[str]) -> None:
    """
    Raises:
        DataError: no columns, or two of one name.
    """
    if not names:
        raise DataError("the table has no columns; wanted at least one")
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        places = ", ".join(f"{n!r} (columns {_places(names, n)})" for n in twice[:5])
        raise DataError(f"column names must differ; these come more than once: {places}")


def _places(names: Sequence[str], name: str) -> str:
    return " and ".join(str(i + 1) for i, n in enumerate(names) if n == name)


_FOREIGN: dict[str, tuple[str, ...]] = {
    "discrete": ("decimals", "low", "high", "special", "format", "step", "fill"),
    "integer": ("categories", "counts", "format", "step", "fill", "decimals"),
    "float": ("categories", "counts", "format", "step", "fill"),
    "datetime": ("categories", "counts", "special", "decimals", "fill"),
    "identifier": ("categories", "counts", "special", "decimals", "format", "step", "low", "high"),
}


def _merged(found: Column, wanted: Column) -> Column:
    """What the user wrote stands; what was left open is filled in from the data."""
    default = Column(name=wanted.name, kind=wanted.kind)
    others = _FOREIGN["discrete" if wanted.kind in DISCRETE else wanted.kind]  # left over from a kind it had before
    written = {f: v for f, v in vars(wanted).items() if v != vars(default)[f] and f not in others}
    if written.get("categories") and tuple(written["categories"]) != found.categories:
        known = dict(zip(found.categories, found.counts, strict=False))
        missing = [found.counts[-1]] if found.nulls else []
        written.setdefault("counts", (*(known.get(c, 0) for c in written["categories"]), *missing))
    return replace(found, **written)


@dataclass
class _Tally:
    """What is remembered of one column.

    Attributes:
        as_words: whether numbers in text are not to be taken as such.
        surprise: the word that came after so many numbers that their texts had been forgotten, and its row.
        odd: the same of a word that came in time.
    """

    facts: Facts
    form: str | None = None
    family: str = "text"
    as_words: bool = False
    surprise: str = ""
    odd: str = ""
    words: Distinct | None = field(default_factory=Distinct)

    def add_series(self, series: Any) -> None:
        """Takes in a chunk of a pandas column."""
        if self.family == "text":
            self.add_texts(texts(series))
            return
        before, missing = self.facts.rows, np.asarray(series.isna())
        self.facts.rows += len(series)
        self.facts.nulls += int(missing.sum())
        known = series[~missing]
        if self.family == "number":
            self._add_numbers(numbers(known, self.facts.name), np.flatnonzero(~missing), before)
        elif self.family == "moment":
            self._add_moments(known)
        else:
            self._add_discrete(known)

    def _add_numbers(self, values: npt.NDArray[Any], places: npt.NDArray[Any], before: int) -> None:
        check_finite(values, self.facts.name, lambda i: before + int(places[i]) + 1)
        self.facts.numbers = self.facts.numbers or Numbers()
        self.facts.numbers.add(values, single=self.facts.dtype.lower().startswith("float32"))

    def _add_moments(self, known: Any) -> None:
        self.facts.moments = self.facts.moments or Moments()
        if len(known):
            stamps, local, self.facts.timezone = moments(known)
            self.facts.moments.add(stamps, local)

    def _add_discrete(self, known: Any) -> None:
        if self.facts.dtype == "category":
            categories = known.cat.categories.tolist()
            self.facts.levels = tuple(dict.fromkeys((*self.facts.levels, *map(_plain, categories))))
            self.facts.ordered = bool(known.cat.ordered)
            known = known.astype(object)
        counts = known.astype(object).value_counts(sort=False)
        self._count([_plain(v) for v in counts.index.tolist()], counts.to_numpy())

    def _count(self, values: list[Any], counts: npt.NDArray[Any]) -> None:
        assert self.words is not None
        held = np.empty(len(values), dtype=object)
        held[:] = values
        self.words.add(held, counts.astype(np.int64))

    def add_texts(self, array: Any) -> None:
        """Takes in a chunk of text, a pyarrow array of strings."""
        before = self.facts.rows
        self.facts.rows += len(array)
        self.facts.nulls += array.null_count
        known = array.drop_null() if array.null_count else array
        if not len(known) or self.surprise:
            return
        found = None if self.as_words else self._numbers_among(known)
        if found is not None:
            places = np.flatnonzero(_numpy(array.is_valid()))
            self._add_text_numbers(*found, known, places, before)
        elif self.facts.numbers is not None and self.words is None:
            self.surprise = _odd_one(array, before)
        else:
            if not self.as_words and numbers_among(known[:32]) is not None:
                self.odd = _odd_one(array, before)
            self.facts.numbers, self.facts.format, self.as_words = None, None, True
            self._add_words(known)

    def _numbers_among(self, known: Any) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_]] | None:
        """Numbers in text, bare ones or all with the same unit or currency."""
        form, facts = self.facts.format, self.facts
        if form is None and (found := numbers_among(known)) is not None:
            return found
        held = known.to_pylist()
        if form is None and facts.numbers is None:
            form = decorated.find(held)
        values = decorated.among(held, form) if form is not None else None
        if values is not None:
            facts.format = form
        return values

    def _add_text_numbers(
        self, values: npt.NDArray[Any], absent: npt.NDArray[Any], known: Any, places: npt.NDArray[Any], before: int
    ) -> None:
        """Numbers; while there are few different ones, their texts too."""
        if absent.any():
            self._note_placeholders(known.filter(need("pyarrow").array(absent)))
        self._add_numbers(values, places[~absent], before)
        if self.words is not None:
            self._count_texts(known)
            if len(self.words.values) > FEW_WORDS:
                self.words = None

    def _note_placeholders(self, words: Any) -> None:
        """A written NaN, or a word such as `?`, among numbers or dates."""
        self.facts.placeholders.update(words.to_pylist())

    def _count_texts(self, known: Any) -> npt.NDArray[np.object_]:
        counted = need("pyarrow.compute").value_counts(known)
        values = counted.field("values").to_pylist()
        self._count(values, np.asarray(counted.field("counts")))
        return np.array(values, dtype=object)

    def _add_words(self, known: Any) -> None:
        found = self._count_texts(known)
        self.facts.dates = self.facts.dates or TextDates([self.form] if self.form else None)
        absent = np.isin(found, list(PLACEHOLDERS))
        if self.facts.dates.formats != [] and not absent.all():
            self.facts.dates.add(found[~absent])
            if absent.any():
                counted = need("pyarrow.compute").is_in(known, value_set=need("pyarrow").array(sorted(PLACEHOLDERS)))
                self._note_placeholders(known.filter(counted))

    def finish(self) -> Column:
        """What the column is."""
        facts = self.facts
        facts.distinct = self.words
        if facts.numbers is None:
            facts.distinct = self.words or Distinct()
            self._settle_among_dates()
        elif facts.placeholders:
            self._settle_placeholders()
        if self.family == "text" and facts.from_file:
            facts.dtype = _dtype_of(facts)
        return decide(facts)

    def _settle_placeholders(self) -> None:
        """Numbers with a word such as `?` among them: a category if they are few, else the word is a missing value."""
        facts, numbers = self.facts, self.facts.numbers
        assert numbers is not None
        few = self.words is not None and len(self.words.values) <= 20 and facts.rows >= 5 * len(self.words.values)
        if few and facts.kind is None:
            facts.numbers, facts.placeholders = None, Counter()
        else:
            facts.nulls += facts.placeholders.total()

    def _settle_among_dates(self) -> None:
        """A word such as `?` among dates is a missing value; among other words it is one of them."""
        facts = self.facts
        if facts.kind in (None, "datetime") and facts.dates is not None and facts.dates.best:
            facts.nulls += facts.placeholders.total()
        else:
            facts.placeholders = Counter()

    def remarks(self) -> list[str]:
        facts, found = self.facts, []
        among = "numbers" if facts.numbers is not None else "dates"
        for word, count in sorted(facts.placeholders.items()):
            found.append(f"{facts.name}: {word!r} stands among {among} {count:,} times and is read as a missing value.")
        if facts.dates is not None and facts.dates.doubtful:
            best, other = facts.dates.best, facts.dates.doubtful
            found.append(
                f"{facts.name}: dates are read as {best}; {other} would fit as well, and the schema can say so."
            )
        if facts.numbers is None and self.odd and facts.distinct is not None and _mostly_numbers(facts.distinct):
            found.append(f"{facts.name}: {self.odd}, so it is taken as text; {_MEND}")
        return found


_MEND = "mend such cells or leave them empty to have numbers."


def _odd_one(array: Any, before: int) -> str:
    """Which text in a pyarrow array is no number, and its row."""
    texts = array.to_pylist()
    at = next((i for i, t in enumerate(texts) if t is not None and not _NUMBER.fullmatch(t)), 0)
    return f"row {before + at + 1:,} holds {str(texts[at])[:30]!r} among numbers"


def _mostly_numbers(distinct: Distinct) -> bool:
    """Whether 95 in 100 of many different texts are numbers."""
    texts = [str(v) for v in distinct.values.tolist()]
    return len(texts) > FEW_WORDS and sum(bool(_NUMBER.fullmatch(t)) for t in texts) >= 0.95 * len(texts)


def _numpy(array: Any) -> npt.NDArray[Any]:
    return np.asarray(array.to_numpy(zero_copy_only=False))


def _plain(value: Any) -> Any:
    value = value.item() if isinstance(value, np.generic) else value
    return value if isinstance(value, bool | int | float | str) else str(value)


def _dtype_of(facts: Facts) -> str:
    """The pandas dtype for a column of a file."""
    if facts.known == 0:
        return "str" if facts.distinct and len(facts.distinct.values) else "float64"
    if facts.numbers is not None and facts.format is None:
        return ("Int64" if facts.nulls else "int64") if _held_as_ints(facts.numbers) else "float64"
    if facts.distinct is not None and facts.distinct.exact and set(facts.distinct.values.tolist()) <= {"True", "False"}:
        facts.distinct.values = np.array([v == "True" for v in facts.distinct.values], dtype=object)
        return "boolean" if facts.nulls else "bool"
    return "str"


def _held_as_ints(numbers: Numbers) -> bool:
    return numbers.distinct.values.dtype.kind in "iu"
