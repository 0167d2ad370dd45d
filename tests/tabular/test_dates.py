"""Dates as text: the format is found, and reading and writing undo each other."""

from __future__ import annotations

import numpy as np
import pytest

from gansmith.tabular.dates import FORMATS, TextDates, candidates, parse, render, resolution, unknown_token

DAY = 86_400_000_000


def found(*texts: str) -> TextDates:
    dates = TextDates()
    dates.add(np.array(texts, dtype=object))
    return dates


@pytest.mark.parametrize(
    ("texts", "form"),
    [
        (("2020-01-31", "2021-12-01"), "%Y-%m-%d"),
        (("1/2/2020", "12/31/2020"), "%-m/%-d/%Y"),
        (("31/01/2020", "01/12/2020"), "%d/%m/%Y"),
        (("31.1.2020", "1.12.2020"), "%-d.%-m.%Y"),
        (("2020-01-01T10:00:00Z", "2020-01-01T11:00:00Z"), "%Y-%m-%dT%H:%M:%SZ"),
        (("2020-01-01 10:00:00.123", "2020-01-01 10:00:00.000"), "%Y-%m-%d %H:%M:%S.%3f"),
        (("2020-01-01 10:00:00.123456", "2020-01-01 10:00:00.000001"), "%Y-%m-%d %H:%M:%S.%f"),
        (("Jan 3, 2020", "Feb 13, 2021"), "%b %-d, %Y"),
        (("3:05 PM", "12:00 AM"), "%-I:%M %p"),
        (("20200131", "20211201"), "%Y%m%d"),
        (("14:35", "00:00"), "%H:%M"),
        (("2020-01", "1999-12"), "%Y-%m"),
        (("5-Mar-21", "15-Apr-99"), "%-d-%b-%y"),
    ],
)
def test_formats_are_found_that_write_what_they_read(texts: tuple[str, ...], form: str) -> None:
    dates = found(*texts)
    assert dates.best == form
    assert form in dates.exact


@pytest.mark.parametrize(
    "texts", [("1999",), ("abc",), ("2020-13-01",), ("31/31/2020",), ("1.2.3",), ("",), ("10-20",)]
)
def test_what_is_no_date(texts: tuple[str, ...]) -> None:
    assert found(*texts).best is None


def test_mixed_offsets_are_read_as_utc() -> None:
    dates = found("2020-01-01 10:00:00+02:00", "2020-07-01 10:00:00+01:00")
    assert dates.best == "%Y-%m-%d %H:%M:%S%z"
    assert dates.exact == set()
    values = parse(np.array(["2020-01-01 10:00:00+02:00"], dtype=object), dates.best)
    assert render(values, dates.best).tolist() == ["2020-01-01 08:00:00+00:00"]


def test_chunks_narrow_formats_down() -> None:
    dates = found("01/02/2020")
    assert dates.doubtful == "%d/%m/%Y"
    dates.add(np.array(["25/02/2020"], dtype=object))
    assert (dates.best, dates.doubtful) == ("%d/%m/%Y", None)
    dates.add(np.array(["soon"], dtype=object))
    assert dates.best is None


def test_every_format_reads_what_it_writes() -> None:
    days = np.random.default_rng(0).integers(0, 18_000 * DAY, 30)
    for form in FORMATS:
        texts = render((days // resolution(form) * resolution(form)).astype(np.float64), form)
        again = render(parse(texts, form), form)
        assert again.tolist() == texts.tolist(), form
        assert form in candidates(texts[:3].tolist())
        assert unknown_token(form) is None


def test_dates_before_1970_and_far_ahead() -> None:
    values = np.array([-DAY * 20_000 - 1_000_000, DAY * 100_000], dtype=np.float64)
    assert (parse(render(values, "%Y-%m-%d %H:%M:%S"), "%Y-%m-%d %H:%M:%S") == values).all()
