"""Fills identifier columns: names, e-mail addresses, numbers that nobody has. Row i depends on (seed, i) alone."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import DataError, did_you_mean
from .recognise import PLACES
from .schema import Column
from .tally import mix
from .values import TEXT, need, text_dtype

POOL = 4_096  # made-up first names, last names and so on, of which rows are put together
BLOCK = 1_024  # rows that a Faker of their own fills
DOMAINS = ("example.com", "example.org", "example.net")
"""Domains that nobody can have (RFC 2606)."""

Texts = npt.NDArray[np.object_]


def filled(column: Column, n: int, *, start: int = 0, seed: int = 0) -> Any:
    """A pandas Series of n values for an identifier.

    Args:
        column: `fill` says with what; `low` and `high` of a `sequence` are those of the training data, whose numbers
            it does not repeat.

    Raises:
        DataError: Faker has no such provider; the nearest is named.
        MissingExtra: Faker is absent.
    """
    pd, fill = need("pandas"), column.fill or "sequence"
    rows = np.arange(start, start + n, dtype=np.int64)
    own = zlib.crc32(column.name.encode("utf-8", "surrogatepass")) ^ (seed * 0x9E3779B1)
    if fill == "sequence":
        made: npt.NDArray[Any] = _sequence(rows, column)
    elif fill.startswith("pattern:"):
        made = _patterned(fill.removeprefix("pattern:"), rows, own)
    else:
        made = _QUICK[fill](rows, own) if fill in _QUICK else _by_faker(fill, rows, own)
    series = _as_dtype(pd, made, column.dtype)
    return series.mask(_missing(column, rows, own)) if column.nulls else series


def _missing(column: Column, rows: npt.NDArray[np.int64], seed: int) -> npt.NDArray[np.bool_]:
    """As many values are missing as in the training data."""
    known, absent = column.counts if len(column.counts) == 2 else (1, 0)
    return np.asarray(_random(rows, seed, 3).astype(np.float64) / 2**64 < absent / max(1, known + absent))


def _as_dtype(pd: Any, values: npt.NDArray[Any], dtype: str) -> Any:
    if dtype in ("object", "date", "time", "decimal"):
        return pd.Series(values, dtype=object)
    if dtype in TEXT:
        return pd.Series(values.astype(str).astype(object)).astype(text_dtype(dtype))
    try:
        whole = values.astype(np.int64) if "int" in dtype.lower() else values
        return pd.Series(whole).astype(dtype)
    except (ValueError, TypeError, OverflowError):  # words where the user had numbers
        return pd.Series(values)


def _sequence(rows: npt.NDArray[np.int64], column: Column) -> npt.NDArray[np.int64]:
    """Whole numbers after the highest of the training data, so that no made-up row bears the number of a real one."""
    first = int(column.high) + 1 if column.high is not None and abs(column.high) < 2**52 else 1
    return rows + first


def _random(rows: npt.NDArray[np.int64], seed: int, number: int = 0) -> npt.NDArray[np.uint64]:
    """64 random bits for each row."""
    key = np.uint64((seed * 0x9E3779B97F4A7C15 + number * 0xD1B54A32D192ED03) % 2**64)
    return mix(mix(rows.astype(np.uint64)) ^ mix(np.array([key], dtype=np.uint64)))


def _shuffled(rows: npt.NDArray[np.int64], seed: int, size: int) -> npt.NDArray[np.int64]:
    """Row numbers put in a random order, one to one, within each stretch of `size` rows.

    A Feistel network over the next power of four, walked until it falls below `size` (Black and Rogaway 2002).
    """
    half = max(1, (max(2, size - 1).bit_length() + 1) // 2)
    low, found = np.uint64((1 << half) - 1), (rows % size).astype(np.uint64)
    left = np.ones(len(found), dtype=bool)
    while left.any():
        a, b = found[left] >> np.uint64(half), found[left] & low
        for turn in range(4):
            a, b = b, a ^ (_random(b.astype(np.int64), seed, 10 + turn) & low)
        found[left] = a << np.uint64(half) | b
        left = left & (found >= size)
    return found.astype(np.int64)


def capacity(pattern: str) -> int:
    """How many different texts a pattern makes, 2^62 at most."""
    possible = 1
    for c in pattern:
        possible = min(possible * len(PLACES.get(c, "x")), 2**62)
    return possible


def _patterned(pattern: str, rows: npt.NDArray[np.int64], seed: int, *, unique: bool = True) -> Texts:
    """`#` a digit, `%` one of 1 to 9, `?` a capital letter, `&` a small one, `^` a digit of sixteen; all different:
    when such texts run out, a number is put before or after them."""
    sets = [PLACES[c] for c in pattern if c in PLACES]
    possible = capacity(pattern)
    if possible < 2**31:
        number = _shuffled(rows, seed, possible) if possible > 1 else rows * 0
        digits = _split(number, [len(s) for s in sets])
    else:
        digits = [(_random(rows, seed, i) % np.uint64(len(s))).astype(np.int64) for i, s in enumerate(sets)]
    text: Any = np.full(len(rows), "", dtype=object)
    places = iter(zip(sets, digits, strict=True))
    for c in pattern:
        if c in PLACES:
            letters, digit = next(places)
            text = text + np.array(list(letters), dtype=object)[digit]
        else:
            text = text + c
    return np.asarray(_told_apart(text, rows // possible, pattern) if unique else text, dtype=object)


def _told_apart(text: Any, turn: npt.NDArray[np.int64], pattern: str) -> Any:
    """Texts that come a second time bear the number of the turn."""
    again = turn > 0
    if again.any():
        number = turn[again].astype(str).astype(object)
        text[again] = number + text[again] if set(pattern) <= set("0123456789#%") else text[again] + "-" + number
    return text


def _split(number: npt.NDArray[np.int64], bases: list[int]) -> list[npt.NDArray[np.int64]]:
    """Digits of numbers in mixed bases."""
    digits = []
    for base in bases:
        digits.append(number % base)
        number = number // base
    return digits


def _uuids(rows: npt.NDArray[np.int64], seed: int) -> Texts:
    """Random UUIDs, version 4 (RFC 9562)."""
    raw = np.stack([_random(rows, seed, 0), _random(rows, seed, 1)], 1).view(np.uint8).reshape(len(rows), 16).copy()
    raw[:, 6], raw[:, 8] = raw[:, 6] & 0x0F | 0x40, raw[:, 8] & 0x3F | 0x80
    joined = raw.tobytes().hex()
    texts = (joined[i : i + 32] for i in range(0, len(joined), 32))
    return np.array([f"{t[:8]}-{t[8:12]}-{t[12:16]}-{t[16:20]}-{t[20:]}" for t in texts], dtype=object)


def _faker(seed: int) -> Any:
    faker = need("faker").Faker()
    faker.seed_instance(seed)
    return faker


def _provider(faker: Any, fill: str) -> Callable[[], Any]:
    known = [name for name in dir(faker) if not name.startswith("_") and name not in ("seed", "seed_instance")]
    if fill not in known or not callable(getattr(faker, fill)):
        raise DataError(
            f"Faker has no provider {fill!r} to fill a column with.{did_you_mean(fill, known)} "
            "Wanted: sequence, pattern:AB-####, or a provider such as email, name, uuid4, phone_number"
        )
    provider: Callable[[], Any] = getattr(faker, fill)
    return provider


@lru_cache(maxsize=32)
def _pool(fill: str, seed: int) -> Texts:
    """Different texts of one provider."""
    draw = _provider(_faker(seed), fill)
    return np.array(list(dict.fromkeys(str(draw()) for _ in range(POOL))), dtype=object)


def _picked(fill: str, rows: npt.NDArray[np.int64], seed: int) -> Texts:
    pool = _pool(fill, seed)
    return pool[(_random(rows, seed) % np.uint64(len(pool))).astype(np.int64)]


def _combined(rows: npt.NDArray[np.int64], seed: int) -> tuple[Texts, Texts, npt.NDArray[np.int64]]:
    """First names, last names and the numbers 0 to 99, all different together for the first millions of rows."""
    first, last = _pool("first_name", seed), _pool("last_name", seed)
    size = len(first) * len(last) * 100
    one, two, number = _split(_shuffled(rows, seed, size), [len(first), len(last), 100])
    return first[one], last[two], number + rows // size * 100


def _full_names(rows: npt.NDArray[np.int64], seed: int) -> Texts:
    first, last, _ = _combined(rows, seed)
    return np.asarray(first + " " + last, dtype=object)


def _addresses(rows: npt.NDArray[np.int64], seed: int, *, domain: bool = True) -> Texts:
    first, last, number = _combined(rows, seed)
    local = np.array(
        [f"{a}.{b}{n}".lower() for a, b, n in zip(first, last, number.tolist(), strict=True)], dtype=object
    )
    at = np.array([f"@{d}" if domain else "" for d in DOMAINS], dtype=object)
    return np.asarray(local + at[(_random(rows, seed) % np.uint64(3)).astype(np.int64)], dtype=object)


_QUICK: dict[str, Callable[[npt.NDArray[np.int64], int], Texts]] = {
    "uuid4": _uuids,
    "name": _full_names,
    "first_name": lambda rows, seed: _picked("first_name", rows, seed),
    "last_name": lambda rows, seed: _picked("last_name", rows, seed),
    "email": _addresses,
    "user_name": lambda rows, seed: _addresses(rows, seed, domain=False),
    "phone_number": lambda rows, seed: _patterned("+1-%##-555-01##", rows, seed, unique=False),
    "ssn": lambda rows, seed: _patterned("9##-##-####", rows, seed),
}
"""Providers made here, a thousand times as fast as by Faker one by one; its names, domains of RFC 2606, telephone
numbers of the range that is kept free for fiction, social security numbers of the range that is never given."""


def _by_faker(fill: str, rows: npt.NDArray[np.int64], seed: int) -> Texts:
    """Any provider of Faker, a block of rows at a time."""
    out = np.empty(len(rows), dtype=object)
    blocks = rows // BLOCK
    for block in range(int(blocks[0]), int(blocks[-1]) + 1) if len(rows) else ():
        draw = _provider(_faker(zlib.crc32(repr((seed, fill, block)).encode())), fill)
        own = np.array([draw() for _ in range(BLOCK)], dtype=object)
        here = blocks == block
        out[here] = own[rows[here] % BLOCK]
    return out
