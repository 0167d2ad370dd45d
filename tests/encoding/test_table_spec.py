"""TableSpec: spans, compact rows and back, what may be asked for."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from gansmith.errors import DataError, SpecError
from gansmith.nn.tabular import Conditions, Heads
from gansmith.spec import spec_from_json
from gansmith.tabular.fit import fit_spec, take_sample
from gansmith.tabular.rows import random_rows
from gansmith.tabular.schema import Column, Schema
from gansmith.tabular.spec import TableSpec
from gansmith.testing import example_spec

SPEC = example_spec("table")
assert isinstance(SPEC, TableSpec)


def test_spans_lie_side_by_side() -> None:
    assert [(s.column, s.start, s.width, s.head) for s in SPEC.spans] == [
        ("sex", 0, 2, "choice"),
        ("job", 2, 4, "choice"),
        ("age", 6, 1, "scalar"),
        ("income", 7, 1, "scalar"),
        ("income", 8, 3, "choice"),
    ]
    assert SPEC.width == 11
    assert [s.column for s in SPEC.conditions] == ["sex", "job"]
    assert sum(SPEC.condition_shares[:2]) == pytest.approx(1)
    assert SPEC.condition_shares[-1] == pytest.approx(3 / 40)  # the missing ones


def test_a_spec_survives_json() -> None:
    assert spec_from_json(json.loads(json.dumps(SPEC.to_json()))) == SPEC
    with pytest.raises(SpecError, match="incomplete"):
        spec_from_json({"kind": "table", "schema": [], "encoders": []})
    with pytest.raises(DataError, match=r"no field 'nmae'. Did you mean 'name'"):
        spec_from_json({"kind": "table", "schema": [{"nmae": "x"}], "encoders": [], "rows": 3})


def test_compact_rows_come_back() -> None:
    rows = random_rows(SPEC, 200)
    scalars, codes = SPEC.compact(SPEC.expand(rows.scalars, rows.codes))
    assert np.allclose(scalars, rows.scalars)
    assert (codes == rows.codes.numpy()).all()


def test_asking_sets_the_bits_of_the_categories() -> None:
    cond, mask = SPEC.ask({"sex": "m", "job": None})
    assert cond.tolist() == [[0, 1, 0, 0, 0, 1]]
    assert mask.tolist() == [[1, 1]]
    assert SPEC.request(3, label="job=y")["cond"].shape == (3, 6)
    for where, words in (
        ({"sxe": "m"}, "Did you mean 'sex'"),
        ({"job": "yy"}, "no category 'yy'"),
        ({"age": 30}, "'age' is no category"),
    ):
        with pytest.raises(DataError, match=words):
            SPEC.ask(where)
    with pytest.raises(DataError, match="wanted COLUMN=VALUE"):
        SPEC.request(3, label="m")


def test_heads_make_rows() -> None:
    heads = Heads([s.width for s in SPEC.spans], [s.head == "choice" for s in SPEC.spans])
    raw = torch.randn(50, SPEC.width, generator=torch.Generator().manual_seed(0)) * 5
    x = heads(raw)
    for span in SPEC.spans:
        part = x[:, span.slice]
        wanted = torch.tanh(raw[:, span.slice]) if span.head == "scalar" else raw[:, span.slice].softmax(1)
        torch.testing.assert_close(part, wanted)
    hard = heads.harden(heads(raw, torch.rand(50, SPEC.width)))
    assert all((hard[:, s.slice].sum(1) == 1).all() for s in SPEC.spans if s.head == "choice")
    wanted = torch.zeros(50, SPEC.width)
    wanted[:, 1] = 1
    torch.testing.assert_close(heads.cross_entropy(raw, wanted), -raw[:, :2].log_softmax(1)[:, 1])


def test_gumbel_noise_draws_choices_by_their_probability() -> None:
    heads = Heads([3], [True])
    raw = torch.tensor([[0.7, 0.2, 0.1]]).log().expand(20_000, 3)
    uniform = torch.rand(20_000, 3, generator=torch.Generator().manual_seed(0))
    drawn = heads.harden(heads(raw, uniform)).mean(0)
    torch.testing.assert_close(drawn, raw[0].exp(), atol=0.01, rtol=0)


def test_conditions_are_drawn_by_frequency() -> None:
    conditions = Conditions.of_table(SPEC)
    cond, mask = conditions.drawn(torch.rand(40_000, 2, generator=torch.Generator().manual_seed(0)))
    assert (cond.sum(1) == 1).all()
    asked = cond[mask[:, 1] == 1].mean(0)
    torch.testing.assert_close(asked[2:], torch.tensor(SPEC.condition_shares[2:]), atol=0.01, rtol=0)
    rows = random_rows(SPEC, 64).batch(torch.arange(64), torch.device("cpu"))
    both = conditions.of(rows["x"], torch.ones(64, 2))
    torch.testing.assert_close(conditions.placed(both)[:, :6], rows["x"][:, :6])


def test_a_table_without_categories_can_be_learnt() -> None:
    schema = Schema((Column(name="a", kind="float"), Column(name="b", kind="float")))
    rng = np.random.default_rng(0)
    spec = fit_spec({"a": rng.normal(size=500), "b": rng.normal(size=500)}, schema, 500)
    assert spec.conditions == ()
    conditions = Conditions.of_table(spec)
    assert conditions.filled(torch.zeros(4, 0), torch.zeros(4, 0), torch.rand(4, 2)).shape == (4, 0)
    with pytest.raises(DataError, match="no column is left to learn"):
        fit_spec({}, Schema((Column(name="id", kind="identifier"),)), 5)


def test_a_sample_of_a_stream_is_bounded_and_fair() -> None:
    chunks = ({"a": np.arange(i * 1_000, (i + 1) * 1_000)} for i in range(20))
    kept = take_sample(chunks, most=2_000, seed=1)["a"]
    assert len(kept) == 2_000
    assert len(np.unique(kept)) == 2_000
    assert abs(kept.mean() - 10_000) < 500


def test_a_range_may_be_asked_of_categories_that_are_numbers() -> None:
    from gansmith.errors import UserError
    from gansmith.pipelines.tables.where import read_where

    schema = Schema((Column(name="age", kind="category", dtype="int64", categories=(35, 23, 62), counts=(5, 4, 3)),))
    (wish,) = read_where({"age": (20, 40)}, schema)
    assert sorted(wish.codes) == [0, 1]
    with pytest.raises(UserError, match="takes no value in"):
        read_where({"age": (70, 80)}, schema)
