"""Identifiers are made up: alike in form, unlike in content, the same for the same seed and row."""

from __future__ import annotations

import re
import time

import pandas as pd
import pytest

from gansmith.errors import DataError
from gansmith.tabular.fill import filled
from gansmith.tabular.frames import restore
from gansmith.tabular.infer import infer
from gansmith.tabular.schema import Column, Schema

FORMS = {
    "email": r"[a-z.'-]+\d+@example\.(com|org|net)",
    "uuid4": r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
    "name": r"\S.* \S.*",
    "phone_number": r"\+1-[1-9]\d\d-555-01\d\d",
    "ssn": r"9\d\d-\d\d-\d{4}",
    "pattern:AB-%##?&^": r"AB-[1-9]\d\d[A-Z][a-z][0-9a-f]",
    "iban": r"[A-Z]{2}\d\d[A-Z0-9]+",
    "ipv4": r"\d+\.\d+\.\d+\.\d+",
}


def column(fill: str, **values: object) -> Column:
    return Column.from_json({"name": "x", "kind": "identifier", "dtype": "str", "fill": fill, **values})


@pytest.mark.parametrize("fill", FORMS)
def test_fillings_have_the_form_and_depend_on_seed_and_row(fill: str) -> None:
    made = filled(column(fill), 300, seed=3)
    assert all(re.fullmatch(FORMS[fill], text) for text in made)
    assert filled(column(fill), 40, start=200, seed=3).tolist() == made[200:240].tolist()
    assert filled(column(fill), 300, seed=4).tolist() != made.tolist()


@pytest.mark.parametrize("fill", ["email", "uuid4", "sequence", "pattern:K-##", "user_name"])
def test_keys_are_unique(fill: str) -> None:
    assert filled(column(fill), 20_000).is_unique


def test_numbers_go_on_after_the_real_ones() -> None:
    schema = infer(pd.DataFrame({"id": range(1000, 1100)}))
    made = restore({}, schema, rows=3)
    assert made["id"].tolist() == [1100, 1101, 1102]
    assert made["id"].dtype == "int64"


def test_no_letter_of_a_real_code_is_kept_unless_all_share_it() -> None:
    schema = infer(pd.DataFrame({"k": [f"K-{i:05d}" for i in range(300)]}))
    assert schema["k"].fill == "pattern:K-#####"
    few = infer(pd.DataFrame({"k": [f"{'x' * (i + 3)}{chr(97 + i)}" for i in range(26)]}))
    assert few["k"].fill is not None
    assert set(few["k"].fill.removeprefix("pattern:")) == {"&"}


def test_missing_identifiers_are_missing_as_often() -> None:
    frame = pd.DataFrame({"mail": [None if i % 4 == 0 else f"u{i}@real.org" for i in range(400)]})
    made = restore({}, infer(frame), rows=10_000)["mail"]
    assert abs(made.isna().mean() - 0.25) < 0.02
    assert not made.str.endswith("real.org").any()


def test_long_numbers_keep_their_type() -> None:
    schema = infer(pd.DataFrame({"k": [2**61 + 7919 * i for i in range(300)]}))
    assert schema["k"].kind == "identifier"
    assert restore({}, schema, rows=100)["k"].dtype == "int64"


def test_an_unknown_provider_is_named() -> None:
    with pytest.raises(DataError, match=r"Faker has no provider 'emial' .* Did you mean 'email'"):
        filled(column("emial"), 3)


def test_a_million_addresses_take_seconds() -> None:
    begun = time.process_time()
    restore({}, Schema((column("email"),)), rows=1_000_000)
    assert time.process_time() - begun < 8
