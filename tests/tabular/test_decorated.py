"""Numbers with a currency, a unit or marks between digits are numbers, and come back as they were written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gansmith.data.tables_read import open_table
from gansmith.errors import DataError
from gansmith.tabular import decorated
from gansmith.tabular.frames import canonicalise, restore
from gansmith.tabular.infer import infer
from gansmith.tabular.schemafile import load_schema

VALUES = np.round(np.random.default_rng(0).lognormal(6, 1.5, 300), 2)


def european(x: float, digits: int = 2, thousands: str = ".") -> str:
    return f"{x:,.{digits}f}".translate(str.maketrans({",": thousands, ".": ","}))


@pytest.mark.parametrize(
    ("write", "form"),
    [
        (lambda x: european(x, thousands="") + " €", "{:,2f} €"),
        (lambda x: "€ " + european(x), "€ {:.,2f}"),
        (lambda x: european(x), "{:.,2f}"),
        (lambda x: european(x % 100, 1) + " %", "{:,1f} %"),
        (lambda x: european(x % 100).rstrip("0").rstrip(",") + " %", "{:,f} %"),
        (lambda x: european(x, thousands="\u202f") + "\u00a0€", "{:\u202f,2f}\u00a0€"),
        (lambda x: european(x - 500, thousands=" ") + " kr", "{: ,2f} kr"),
        (lambda x: "CHF " + f"{x:,.2f}".replace(",", "'"), "CHF {:'.2f}"),
        (lambda x: european(x * 10, 0) + " €", "{:.,0f} €"),
        (lambda x: f"${x:,.2f}", "${:,.2f}"),
    ],
)
def test_amounts_are_numbers_and_come_back_as_they_were(write: Callable[[float], str], form: str) -> None:
    frame = pd.DataFrame({"a": [write(float(x)) for x in VALUES]})
    schema = infer(frame)
    assert schema["a"].kind in ("float", "integer")
    assert schema["a"].format == form
    assert restore(canonicalise(frame, schema), schema)["a"].tolist() == frame["a"].tolist()


@pytest.mark.parametrize("form", ["{:,2f} €", "{:.,2f}", "{:,f} %", "${:,.2f}", "{:'.1f}"])
def test_what_was_written_is_read(form: str) -> None:
    values = np.array([0.0, -1234567.5, 12.25, 999.0])
    texts = decorated.write(values, form)
    found = decorated.read(texts, form)
    assert found is not None
    assert np.abs(found - values).max() <= 0.0501
    assert decorated.write(found, form) == texts


def test_no_zero_has_a_sign() -> None:
    assert decorated.write(np.array([-0.001, -0.0]), "{:,2f} €") == ["0,00 €", "0,00 €"]


@pytest.mark.parametrize(
    "texts", [["612 345 678", "655 321 987"], ["1.2.3", "4.5.6"], ["007 kg", "12 kg"], ["-", "?"], ["9" * 400 + " €"]]
)
def test_codes_are_no_amounts(texts: list[str]) -> None:
    assert decorated.find(texts) is None


def test_a_dash_among_amounts_is_a_missing_value(written: Callable[..., Path]) -> None:
    cells = ["-" if i % 7 == 0 else european(float(x)) + " €" for i, x in enumerate(VALUES)]
    path = written("n;pay\n" + "".join(f"{i % 50};{cell}\n" for i, cell in enumerate(cells)))
    table = open_table(path)
    column = table.schema["pay"]
    assert (column.kind, column.format, column.nulls) == ("float", "{:.,2f} €", True)
    assert "'-' stands among numbers 43 times" in " ".join(table.notes())
    frame = table.frame()
    assert frame["pay"].isna().sum() == 43
    assert np.isnan(canonicalise(frame, table.schema)["pay"]).sum() == 43


def test_a_format_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "schema.yaml"
    path.write_text('columns: [{name: a, kind: float, format: "{:2} €"}]\n', encoding="utf-8")
    with pytest.raises(DataError, match=r"'a': no format of numbers: '\{:2\} €'"):
        load_schema(path)
