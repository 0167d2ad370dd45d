"""The ledger: what adds up, what is refused, what survives JSON."""

from __future__ import annotations

import json
import math

import pytest

from gansmith.errors import ConfigError
from gansmith.privacy import accounting as acc
from gansmith.privacy.ledger import Entry, Ledger, undone


def some() -> Ledger:
    ledger = Ledger(1.0, 1e-5)
    ledger.given("names of columns", "public")
    ledger.charge("histograms", "gaussian", noise=30.0, sensitivity="1 in one count")
    ledger.charge("bulk", "exponential", epsilon=0.01, times=4)
    ledger.charge("training", "dp-sgd", noise=9.0, rate=0.1, steps=100, failure=1e-9)
    return ledger


def test_tight_composition_is_the_curves_sum_and_beats_addition() -> None:
    ledger = some()
    by_hand = acc.gaussian(30.0) + acc.exponential(0.01, 4) + acc.dp_sgd(9.0, 0.1, 100)
    assert ledger.spent() == pytest.approx(acc.epsilon_of(by_hand, 1e-5 - 1e-9))
    assert ledger.spent() < sum(e.epsilon for e in ledger.entries) < ledger.basic()


def test_plain_addition_wins_where_it_is_better() -> None:
    ledger = Ledger(None, 1e-5)
    ledger.charge("one", "pure", epsilon=0.1)
    ledger.charge("two", "pure", epsilon=0.2)
    assert ledger.spent() == pytest.approx(0.3)


def test_gaussians_add_up_exactly() -> None:
    ledger = Ledger(None, 1e-5)
    ledger.charge("counts", "gaussian", noise=4.0, times=3)
    ledger.charge("votes", "votes", noise=20.0, queries=100)
    assert ledger.spent() == pytest.approx(acc.gaussian_epsilon(math.sqrt(3 / 16 + 100 / 400), 1e-5))


def test_overspending_is_refused_and_leaves_no_trace() -> None:
    ledger = some()
    before, rows = ledger.spent(), len(ledger.entries)
    with pytest.raises(ConfigError, match=r"does not allow 'more': with it .* of epsilon 1 would be spent") as told:
        ledger.charge("more", "gaussian", noise=2.0)
    assert "Use more noise, or raise epsilon" in str(told.value)
    assert (ledger.spent(), len(ledger.entries)) == (before, rows)


def test_chances_of_failure_are_taken_from_delta() -> None:
    ledger = Ledger(None, 1e-5)
    ledger.charge("a", "gaussian", noise=5.0)
    least = ledger.spent()
    ledger.charge("b", "given", failure=9e-6)
    assert ledger.spent() == pytest.approx(acc.gaussian_epsilon(0.2, 1e-6))
    assert ledger.spent() > least
    ledger.charge("c", "given", failure=2e-6)
    assert ledger.spent() == math.inf


@pytest.mark.parametrize(("mechanism", "count"), [("votes", "queries"), ("laplace", "times")])
def test_as_much_as_still_fits(mechanism: str, count: str) -> None:
    for ledger in (Ledger(1.0, 1e-5), some()):
        most = ledger.most(mechanism, count, noise=30.0)
        entries = len(ledger.entries)
        with pytest.raises(ConfigError, match="does not allow 'one too many'"):
            ledger.charge("one too many", mechanism, noise=30.0, **{count: most + 1})
        ledger.charge("as many as fit", mechanism, noise=30.0, **{count: most})
        assert most > 0
        assert len(ledger.entries) == entries + 1
    with pytest.raises(ConfigError, match="a ledger without a limit"):
        Ledger(None, 1e-5).most(mechanism, count, noise=30.0)


def test_json_both_ways_and_a_table() -> None:
    ledger = some()
    again = Ledger.from_json(json.loads(json.dumps(ledger.to_json())))
    assert again.entries == ledger.entries
    assert again.spent() == ledger.spent()
    text = str(ledger)
    for word in ("training", "dp-sgd", "noise 9, rate 0.1, steps 100", "1 in one count", "together", "of 1"):
        assert word in text
    assert len({len(row) for row in ledger.rows()}) == 1


def test_equal_expenses_beside_one_another_share_a_row() -> None:
    ledger = Ledger(2.0, 1e-5)
    for name in ("age", "pay", "size"):
        ledger.charge(f"histogram of {name}", "gaussian", noise=50.0)
    ledger.charge("histogram of weight", "gaussian", noise=60.0)
    ledger.charge("counts of sex", "gaussian", noise=60.0)
    whats = [row[0] for row in ledger.rows(folded=True)]
    assert whats[1:-1] == ["histogram of age and 2 more, each", "histogram of weight", "counts of sex"]
    assert len(ledger.rows()) == 7


def test_the_promise_in_plain_words() -> None:
    ledger = Ledger(1.0, 1e-5)
    ledger.charge("votes", "votes", noise=40.0, queries=10)
    said = ledger.promise()
    for words in (
        "at most 2.72 times as likely",
        "1 in 100,000",
        f"epsilon {ledger.spent():.4g}",
        "two rows",
        "other models of this table spent",
    ):
        assert words in said
    assert "seed" not in said
    assert "22,026 times" in Ledger(10.0, 1e-5).promise()
    seeded = Ledger(1.0, 1e-5, secure=False)
    assert "not for release" in seeded.promise()
    assert not Ledger.from_json(json.loads(json.dumps(seeded.to_json()))).secure


def test_steps_that_were_undone_are_told() -> None:
    assert undone([range(100)]) == ""
    assert undone([range(60), range(40, 80), range(75, 100)]) == "; 25 steps were undone and are paid for all the same"


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ConfigError, match="a budget is epsilon > 0"):
        Ledger(0.0, 1e-5)
    with pytest.raises(ConfigError, match="a budget is epsilon > 0"):
        Ledger(1.0, 0.0)
    with pytest.raises(ConfigError, match="Did you mean 'gaussian'"):
        Ledger(1.0, 1e-5).charge("x", "gausian", noise=1.0)
    with pytest.raises(ConfigError, match="x: the mechanism gaussian"):
        Ledger(1.0, 1e-5).charge("x", "gaussian", scale=1.0)
    with pytest.raises(ConfigError, match="not a privacy ledger"):
        Ledger.from_json({"epsilon": 1.0})
    assert Entry(what="w", mechanism="given").curve().sum() == 0.0
