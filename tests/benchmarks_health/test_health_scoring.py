"""Scores of methods that find planted failures, on runs and findings made by hand."""

from __future__ import annotations

import argparse
import math

import pytest

pytest.importorskip("benchmarks", reason="the benchmarks stand beside a checkout's tests, run from its root")

from benchmarks import machine
from benchmarks.health import baselines, calls, command, page, score
from benchmarks.health.calls import Call, Moment
from benchmarks.health.scenarios import ALL
from benchmarks.health.trace import Trace
from benchmarks.health.truth import Truth, band, truth_of

from gansmith.health.finding import Failure, Finding
from gansmith.health.history import History, Reading

STEPS, BATCH = 100, 10
INJECTED, SLOW, HEALTHY = ALL["f22-lost-shard"], ALL["f01-fast-g"], ALL["h01-ring-r1"]


def run(name: str = "f01-fast-g", seed: int = 0, oracle: list[float] | None = None, **signals: list[float]) -> Trace:
    """A run of 1,000 samples; readings and looks at equal distances."""
    n = max((len(v) for v in signals.values()), default=10)
    readings = [
        Reading((i + 1) * 1000 // n, i, {k.replace("__", "/"): v[i] for k, v in signals.items()}) for i in range(n)
    ]
    looks = oracle or [0.1] * 10
    return Trace(
        name=name,
        seed=seed,
        steps=STEPS,
        samples=STEPS * BATCH,
        history=History(readings, STEPS * BATCH, {"bounds": (-1.0, 1.0)}),
        oracle=[{"samples": 1000.0 * (i + 1) / len(looks), "distance": v} for i, v in enumerate(looks)],
        losses={"D": [1.0] * STEPS, "G": [1.0] * STEPS},
    )


# --------------------------------------------------------------------------------------------------------- truth


def test_the_band_holds_the_twins_with_some_margin():
    limits = band([run(oracle=[0.4, 0.2, 0.2]), run(oracle=[0.6, 0.2, 0.2])], "distance")
    assert all(limit > 0.6 for limit in limits[:2]), "neighbouring looks count, too"
    assert limits[2] == pytest.approx(1.25 * 0.2 + 0.05)
    assert band([], "distance") == []


def test_a_run_fails_from_where_it_leaves_the_band_for_good():
    twins = [run(oracle=[0.2] * 10)]
    bad = truth_of(SLOW, run(oracle=[0.9, 0.1, 0.1, 0.1, 0.1, 0.9, 0.9, 0.9, 0.9, 0.9]), twins)
    assert (bad.fails, bad.onset) == (True, 600)
    assert truth_of(SLOW, run(oracle=[0.9] * 10), twins).onset == 100
    recovered = truth_of(SLOW, run(oracle=[0.9] * 9 + [0.1]), twins)
    assert (recovered.fails, recovered.onset) == (False, None)
    assert truth_of(SLOW, run(oracle=[0.9] * 10), []).fails is False, "without a twin nothing is known"


def test_a_fault_that_was_put_in_begins_there_whatever_the_oracle_sees():
    truth = truth_of(INJECTED, run(oracle=[0.1] * 10), [run(oracle=[0.2] * 10)])
    assert (truth.fails, truth.onset) == (False, 200)


# ------------------------------------------------------------------------------------------------------- judging


def judged(scenario, onset: int | None, *moments: Moment, n: int = 10) -> score.Row:
    trace = run(scenario.name, diversity=[1.0] * n)
    return score.judge(scenario, trace, Truth(onset is not None, onset, 0.0, 0.0), "doctor", moments)


def said(samples: int, *names: str, severity: str = "serious") -> Moment:
    return Moment(samples, tuple(Call(n, severity) for n in names))


def test_a_right_cause_in_time():
    row = judged(INJECTED, 200, said(100), said(400, "lost_shard"), said(1000, "lost_shard", "mode_dropping"))
    assert (row.truth, row.flagged, row.named, row.among) == (True, True, True, True)
    assert row.delay == pytest.approx(0.2)
    assert row.false == ()


def test_a_symptom_in_front_of_the_cause_is_not_rightly_named():
    row = judged(INJECTED, 200, said(400, "mode_dropping", "lost_shard"))
    assert (row.flagged, row.named, row.among) == (True, False, True)
    wrong = judged(INJECTED, 200, said(400, "mode_dropping"))
    assert (wrong.flagged, wrong.named, wrong.among) == (True, False, False)


def test_what_is_said_before_the_fault_is_a_false_alarm_and_no_detection():
    row = judged(INJECTED, 500, said(300, "lost_shard"))
    assert (row.flagged, row.named, row.delay) == (False, False, None)
    assert row.false == ("lost_shard",)
    near = judged(INJECTED, 500, said(400, "lost_shard"))
    assert (near.flagged, near.delay) == (True, 0.0), "one reading early is the same reading"


def test_notes_flag_nothing():
    assert not judged(SLOW, 100, said(300, "equilibrium", severity="note")).flagged
    assert judged(SLOW, 100, said(300, "collapse", severity="warning")).flagged


def test_what_stood_last_counts_even_if_nothing_stands_at_the_end():
    row = judged(INJECTED, 200, said(300, "mode_dropping"), said(400, "lost_shard"), said(1000))
    assert row.named
    assert row.said == ("lost_shard",)


def test_healthy_runs_count_alarms_by_severity():
    quiet = judged(HEALTHY, None, said(500))
    assert (quiet.truth, quiet.false, quiet.warned) == (False, (), ())
    loud = judged(HEALTHY, None, said(300, "collapse"), said(500, "weak_d", severity="warning"))
    assert (loud.false, loud.warned, loud.flagged) == (("collapse",), ("weak_d",), False)
    arguable = judged(ALL["h12-digits-zeros"], None, said(500, "overfitting_d"))
    assert arguable.false == ()


def test_the_summary_counts_each_kind_once():
    rows = [
        judged(INJECTED, 200, said(400, "lost_shard")),
        judged(INJECTED, 200, said(300, "mode_dropping")),
        judged(INJECTED, 200),
        judged(SLOW, None, said(300, "collapse")),  # did not fail: neither detection nor false alarm
        judged(HEALTHY, None, said(300, "collapse")),
        judged(HEALTHY, None),
    ]
    found = score.summary(rows)
    counts = {k: (found[k]["hits"], found[k]["n"]) for k in ("flagged", "named", "false", "warned", "early")}
    assert counts == {"flagged": (2, 3), "named": (1, 3), "false": (1, 2), "warned": (0, 2), "early": (0, 3)}
    assert found["delay"] == pytest.approx(0.15)
    assert found["flagged"]["low"] == pytest.approx(0.2077, abs=1e-3)  # Wilson 1927, 2 of 3
    assert found["flagged"]["high"] == pytest.approx(0.9385, abs=1e-3)


# ------------------------------------------------------------------------------------------------------- methods


def test_the_doctor_is_replayed_reading_by_reading(monkeypatch):
    low = Failure("low", "Low", "serious", "divergence", "", "", "", explains=("shadow",))
    shadow = Failure("shadow", "Shadow", "warning", "divergence", "", "", "")

    def detect(history: History) -> list[Finding]:
        at = history.samples
        fell = history.last("diversity") == 0.0
        return [Finding(shadow, 0, at), *([Finding(low, at, at)] if fell else [])]

    monkeypatch.setattr(calls, "detect_all", detect)
    trace = run(diversity=[1.0, 1.0, 0.0, 1.0])
    trace.contract = [Finding(Failure("early", "", "bug", "bug", "", "", ""), 0, 0)]
    names = [[c.name for c in m.calls] for m in calls.doctor(trace)]
    assert names == [["early"], ["early", "shadow"], ["early", "shadow"], ["early", "low"], ["early", "shadow"]]
    assert [m.samples for m in calls.doctor(trace)] == [0, 250, 500, 750, 1000]


def test_baselines_of_losses():
    trace = run()
    assert baselines.nothing(trace) == []
    assert [baselines.not_a_number(trace), baselines.loss_spike(trace), baselines.low_d_loss(trace)] == [[], [], []]
    trace.losses["G"][40] = math.nan
    assert baselines.not_a_number(trace) == [Moment(410, (Call("nonfinite", "serious"),))]
    trace = run()
    trace.losses["D"][30] = 3.5
    assert baselines.loss_spike(trace)[0].samples == 310
    trace.losses["D"] = [1.0] * 50 + [0.001] * 50
    assert baselines.low_d_loss(trace) == [Moment(600, (Call("collapse", "serious"),))]


@pytest.mark.parametrize(
    ("cause", "signals", "first"),
    [
        ("nonfinite", {"nonfinite__output": [0.0, 0.0, 1.0, 0.0]}, 750),
        ("range_mismatch", {"data__low": [0.0] * 4, "data__high": [255.0] * 4}, 250),
        ("range_mismatch", {"data__low": [0.0] * 4, "data__high": [1.0] * 4}, 250),
        ("repeated_data", {"feed__unique": [1.0, 0.25, 1.0, 1.0]}, 500),
        ("frozen_network", {"update__G": [0.1, 0.0, 0.0, 0.0]}, 750),
        ("frozen_network", {"update__D": [0.0, 0.0, 0.1, 0.1]}, 500),
        ("vanishing_gradient", {"gradient__G": [1.0, 1e-6, 1.0, 1.0], "gradient_first__G": [1.0] * 4}, 500),
        ("collapse", {"diversity": [0.1, 0.1, 0.1, 0.9]}, 750),
        ("rotation", {"cosine__G": [0.95] * 4}, 750),
        ("overpowering_d", {"separation": [4.0] * 4, "coverage": [0.1] * 4}, 750),
        ("overfitting_d", {"separation": [1.0] * 4, "overfit": [1.0] * 4}, 500),
        ("memorisation", {"copying": [-5.0] * 4, "nearest": [0.5] * 4}, 500),
        ("mode_dropping", {"missing": [1.0] * 8}, 750),
    ],
)
def test_each_of_the_twelve_rules(cause: str, signals: dict[str, list[float]], first: int):
    moments = [m for m in baselines.twelve_rules(run(**signals)) if m.calls]
    assert moments[0] == Moment(first, (Call(cause, "serious"),))


def test_the_twelve_rules_are_silent_on_a_healthy_run():
    healthy = {
        "diversity": 1.0, "separation": 0.5, "coverage": 0.5, "overfit": 3.0, "copying": 5.0, "nearest": 1.1,
        "missing": 0.0, "cosine__G": 0.2, "update__G": 0.01, "update__D": 0.01, "feed__unique": 1.0,
        "gradient__G": 1.0, "gradient_first__G": 1.0, "data__low": -1.0, "data__high": 1.0, "sign": 0.2,
    }  # fmt: skip
    trace = run(**{name: [value] * 10 for name, value in healthy.items()})
    assert len(baselines.RULES) == 12
    assert not any(m.calls for m in baselines.twelve_rules(trace))
    assert not any(m.calls for m in baselines.r_t(trace))
    assert [m.samples for m in baselines.r_t(run(sign=[0.9] * 4)) if m.calls] == [750, 1000]


# -------------------------------------------------------------------------------------------------- the whole of it


def scored(tmp_path, monkeypatch) -> dict:
    from benchmarks.health import trace as traces

    monkeypatch.setattr(traces, "PLACE", tmp_path)
    for seed in (0, 1):
        run("h04-ring-bare", seed, oracle=[0.1] * 10, diversity=[1.0] * 10).keep()
        run("f01-fast-g", seed, oracle=[0.1] * 4 + [0.9] * 6, diversity=[1.0] * 4 + [0.0] * 6).keep()
    return score.score([SLOW, ALL["h04-ring-bare"]], [0, 1, 2])


def test_a_score_of_kept_runs(tmp_path, monkeypatch):
    result = scored(tmp_path, monkeypatch)
    rules, none = result["methods"]["12 rules"], result["methods"]["nothing"]
    assert (rules["named"]["hits"], rules["named"]["n"]) == (2, 2)
    assert (rules["false"]["hits"], rules["false"]["n"]) == (0, 2)
    assert rules["delay"] == pytest.approx(0.1)  # the second reading in a row without variety
    assert (none["flagged"]["hits"], none["flagged"]["n"], none["delay"]) == (0, 2, None)
    told = {s["name"]: s for s in result["scenarios"]}
    assert (told["f01-fast-g"]["fails"], told["f01-fast-g"]["runs"]) == (2, 2)
    assert set(result["families"]) == {"diversity"}


def test_the_page_tells_what_is_measured_from_what_is_not(tmp_path, monkeypatch):
    empty = page.render(lambda name: None)
    assert empty.count("not measured yet") == len(page.BARS)
    assert "Not measured yet: `python -m benchmarks health run --seeds 100-109`" in empty
    result = scored(tmp_path, monkeypatch) | {"command": "score", "machine": "a machine"}
    text = page.render({"health-fresh": result}.get)
    assert "| G's rate 20 times D's, Adam (.9, .999) (`f01-fast-g`) | 2 of 2 |" in text
    assert "| nothing | 0.0% (" in text
    assert "Measured with `score` on: a machine." in text
    assert text.count("not measured yet") == 2, "the bars of unseen scenarios"


def test_seeds_are_numbers_and_ranges():
    assert command.seeds_of("0-2,7") == [0, 1, 2, 7]
    with pytest.raises(argparse.ArgumentTypeError, match="not: a-b"):
        command.seeds_of("a-b")


def test_a_score_of_a_part_is_told_and_not_kept(tmp_path, monkeypatch, capsys):
    scored(tmp_path, monkeypatch)
    monkeypatch.setattr(machine, "RESULTS", tmp_path / "results")
    command.main(["score", "--seeds", "0", "--only", "f01", "h04"])
    said = capsys.readouterr().out
    assert "f01-fast-g" in said
    assert "not kept for the page: 2 of 2 runs were played" in said
    command.main(["score", "--seeds", "0", "--quiet"])
    assert "not kept for the page: 2 of" in capsys.readouterr().out
    assert not (tmp_path / "results").exists()
