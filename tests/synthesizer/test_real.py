"""No row that a run makes bears an identifier of the training data; what is given away knows nothing of them."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import gansmith as gs
from gansmith.data.tables_read import open_table
from gansmith.errors import CheckpointError
from gansmith.pipelines.tables import real as module
from gansmith.pipelines.tables.identifiers import fill
from gansmith.pipelines.tables.keys import Seen
from gansmith.pipelines.tables.real import FILE, Real, collected
from gansmith.tabular.fill import capacity, filled
from gansmith.tabular.schema import Column, Schema

QUICK: dict[str, Any] = {"batch": 100, "samples": 1_000, "quiet": True, "fields": {"width": 32, "latent": 8, "pac": 1}}
CODE = Column(name="code", kind="identifier", dtype="str", fill="pattern:P-####")


def real_codes(n: int = 900) -> pd.DataFrame:
    """A table that bears the very codes that the filler makes first: the worst case."""
    return pd.DataFrame({"code": filled(CODE, n, seed=3).astype(str), "age": np.arange(n) % 70 / 2})


def known(frame: pd.DataFrame) -> Real:
    return collected(open_table(frame), Schema((CODE,)))


def test_codes_that_are_real_are_replaced_by_others_of_the_same_form() -> None:
    frame = real_codes()
    schema = Schema((CODE, Column(name="age", kind="float")))
    plain = fill(frame[["age"]], schema, start=0, seed=3)
    assert plain["code"].isin(frame["code"]).all()
    made = fill(frame[["age"]], schema, start=0, seed=3, real=known(frame))
    assert not made["code"].isin(frame["code"]).any()
    assert made["code"].is_unique
    assert made["code"].str.fullmatch(r"P-\d{4}").all()


def test_unique_codes_stay_unique_and_unreal_over_blocks() -> None:
    frame, schema = real_codes(), Schema((CODE, Column(name="age", kind="float")))
    seen, found = [Seen()], known(frame)
    parts = [
        fill(frame[["age"]].iloc[i : i + 300], schema, start=i, seed=3, keys=[("code",)], seen=seen, real=found)
        for i in range(0, 900, 300)
    ]
    codes = pd.concat(parts)["code"]
    assert codes.is_unique
    assert not codes.isin(frame["code"]).any()


def test_dense_codes_and_too_many_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    assert capacity("P-####") == 10_000
    assert known(real_codes(1_000)).columns
    assert not known(real_codes(1_001)).columns
    monkeypatch.setattr(module, "MOST", 500)
    assert not known(real_codes(501)).columns


@pytest.mark.parametrize("fill", ["email", "phone_number", "ssn", "uuid4", "sentence", "first_name"])
def test_what_nobody_has_or_many_have_is_not_looked_at(fill: str) -> None:
    column = Column(name="code", kind="identifier", dtype="str", fill=fill)
    assert not collected(open_table(real_codes()), Schema((column,))).columns


def test_hashes_differ_by_key_and_go_through_a_file(tmp_path: Path) -> None:
    frame = real_codes()
    one, two = known(frame), known(frame)
    assert not np.isin(one.columns["code"], two.columns["code"]).any()
    one.save(tmp_path)
    raw = (tmp_path / FILE).read_bytes()
    assert not any(code.encode() in raw for code in frame["code"])
    back = Real.load(tmp_path)
    assert back is not None
    assert back.among(frame["code"], "code").all()
    assert not back.among(pd.Series(["P-x", None]), "code").any()
    (tmp_path / FILE).write_bytes(b"{}")
    with pytest.raises(CheckpointError, match="is damaged"):
        Real.load(tmp_path)
    Real("0" * 16, {}).save(tmp_path)
    assert Real.load(tmp_path) is None


def test_a_run_knows_them_and_what_is_given_away_does_not(tmp_path: Path) -> None:
    frame = real_codes()
    model = gs.TableSynthesizer("ctgan", out=tmp_path / "run", **QUICK).fit(frame)
    schema = model.schema_
    assert (schema["code"].kind, schema["code"].fill) == ("identifier", "pattern:P-####")
    made = model.sample(400, seed=3)
    assert not made["code"].isin(frame["code"]).any()
    pd.testing.assert_frame_equal(gs.TableSynthesizer.load(tmp_path / "run").sample(400, seed=3), made)
    model.save(tmp_path / "model")
    assert not (tmp_path / "model" / FILE).exists()
    saved = gs.TableSynthesizer.load(tmp_path / "model").sample(400, seed=3)
    assert saved["code"].isin(frame["code"]).all()  # by this test's design; elsewhere by chance
    pd.testing.assert_frame_equal(saved[["age"]], made[["age"]])
    pd.testing.assert_frame_equal(pickle.loads(pickle.dumps(model)).sample(400, seed=3), saved)
