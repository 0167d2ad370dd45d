"""Every detector finds its failure where it begins, and is silent on healthy runs of many kinds at any moment."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gansmith.health import detectors
from gansmith.health.course import course, improving, settled, thinned
from gansmith.health.detectors import detect_all
from gansmith.health.finding import SEVERITIES, Finding, causes
from gansmith.health.history import History, Reading

FOLDER = Path(detectors.__file__).parent
NAMES = sorted(p.stem for p in FOLDER.glob("[!_]*.py"))
CONTRACT = {
    "range_mismatch", "constant_data", "duplicated_rows", "nonfinite_data", "wrong_dtype", "labels_out_of_range",
    "grey_pictures",
}  # fmt: skip
LENGTH, READINGS, CLUSTERS = 100_000, 25, 16
NAN = float("nan")


@dataclass
class Course:
    """A run to be made into a history: signals (n,), counts (n, k), facts."""

    n: int = READINGS
    length: int | None = LENGTH
    signals: dict[str, np.ndarray] = field(default_factory=dict)
    counts: dict[str, np.ndarray] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    notes: dict[int, dict[str, str]] = field(default_factory=dict)

    @property
    def samples(self) -> np.ndarray:
        return np.round(np.arange(1, self.n + 1) * LENGTH / READINGS).astype(int)

    def put(self, since: int = 0, **values: float | np.ndarray) -> Course:
        """Signals from reading `since` on; `__` in a name is a slash."""
        for name, value in values.items():
            name = name.replace("__", "/")
            self.signals.setdefault(name, np.full(self.n, NAN))
            self.signals[name] = self.signals[name].copy()
            self.signals[name][since:] = value
        return self

    def history(self) -> History:
        readings = []
        for i, samples in enumerate(self.samples):
            values = {name: float(v[i]) for name, v in self.signals.items() if not np.isnan(v[i])}
            counts = {name: tuple(int(c) for c in v[i]) for name, v in self.counts.items()}
            readings.append(Reading(int(samples), int(samples) // 64, values, counts, self.notes.get(i, {})))
        return History(readings, self.length, self.facts)


def healthy(seed: int = 0, n: int = READINGS) -> Course:
    """A run that goes well, with the noise that measured ones had."""
    random = np.random.default_rng(seed)
    t = (np.arange(n) + 1) / READINGS
    noise = lambda scale: random.normal(0, scale, n)  # noqa: E731
    real = random.dirichlet(np.full(CLUSTERS, 8.0))
    mixed = np.exp(-t / 0.08)[:, None]
    fake = (1 - mixed) * real + mixed * np.eye(CLUSTERS)[0]
    run = Course(n, facts={"loss": "non_saturating", "bounds": (-1.0, 1.0), "batch": 64, "networks": ("G", "D")})
    run.counts = {
        "clusters/real": np.tile(np.round(real * 2_000), (n, 1)),
        "clusters/fake": np.stack([random.multinomial(512, p / p.sum()) for p in fake]),
        "clusters/fed": np.stack([random.multinomial(400, real) for _ in range(n)]),
    }
    run.put(
        diversity=1 - 0.9 * np.exp(-t / 0.05) + noise(0.03),
        coverage=np.clip(0.5 * (1 - np.exp(-t / 0.15)) + noise(0.03), 0, 1),
        rank=0.9 - 0.6 * np.exp(-t / 0.05) + noise(0.02),
        recall=0.8 + noise(0.05),
        distance=(1 + 20 * np.exp(-t / 0.15)) * np.exp(noise(0.15)),
        distance_floor=0.5,
        separation=0.5 + noise(0.25),
        sign=np.clip(0.3 + noise(0.2), -1, 1),
        overfit=0.25 + noise(0.15),
        logit__real=0.4 + noise(0.1),
        logit__fake=-0.4 + noise(0.1),
        logit__low=-2 + noise(0.3),
        logit__high=2 + noise(0.3),
        loss__D=1.35 + noise(0.03),
        loss__G=0.72 + noise(0.03),
        gradient__G=0.5 * np.exp(noise(0.4)),
        gradient__D=0.8 * np.exp(noise(0.3)),
        gradient_first__G=1.0,
        gradient_first__D=1.0,
        gradient_z__G=3 + np.abs(noise(1.0)),
        gradient_z__D=3 + np.abs(noise(1.0)),
        update__G=0.004 * np.exp(noise(0.3)),
        update__D=0.006 * np.exp(noise(0.3)),
        weight__G=10 + 3 * t + noise(0.01),
        weight__D=12 + 2 * t + noise(0.01),
        cosine__G=0.1 + noise(0.2),
        cosine__D=noise(0.2),
        copying=6 + noise(2.0),
        nearest=1.4 + noise(0.1),
        data__low=-1.0,
        data__high=1.0,
        output__low=-0.99,
        output__high=0.98,
        feed__unique=0.97 + noise(0.005),
        feed__unique_expected=1.0,
        condition=0.1 + 0.7 * (1 - np.exp(-t / 0.15)) + noise(0.02),
        condition_real=0.9,
        labels=0.88,
        average_distance=1.6 * (1 + 20 * np.exp(-t / 0.12)) * np.exp(noise(0.3)),
        average_gap=0.15 + np.abs(noise(0.03)),
        evaluation_gap=0.12 + np.abs(noise(0.03)),
        nonfinite__loss__D=0.0,
        nonfinite__gradient__G=0.0,
        nonfinite__weight__G=0.0,
    )
    for name in ("dead/G.layers.2", "dead/G.layers.4", "dead/D.head"):
        run.signals[name] = np.clip(0.15 + noise(0.04), 0, 1)
    return run


# --------------------------------------------------------------------------------------------------- failures

Fault = tuple[Callable[[Course], Course], int, int]  # what happens, from which reading on, and found by which


def bins(run: Course, counts: str, since: int, change: Callable[[np.ndarray], np.ndarray]) -> Course:
    run.counts[counts] = run.counts[counts].copy()
    run.counts[counts][since:] = np.stack([change(c) for c in run.counts[counts][since:]])
    return run


def without(*lost: int) -> Callable[[np.ndarray], np.ndarray]:
    def change(counts: np.ndarray) -> np.ndarray:
        kept = counts.copy()
        kept[list(lost)] = 0
        kept[kept.argmax()] += counts.sum() - kept.sum()
        return kept

    return change


def wandering(run: Course) -> Course:
    for i in range(10, run.n):
        run.counts["clusters/fake"][i] = 500 * np.eye(CLUSTERS)[i % CLUSTERS] + 0.5
    return run.put(10, coverage=0.1, distance=4.0)


def mirrored_labels(run: Course) -> Course:
    run.facts["classes"] = tuple("abcdefghij")
    return run.put(0, labels=0.11, condition_real=0.12, condition=0.1)


def average_that_will_not_catch_up(run: Course) -> Course:
    run.facts["half_life"] = {"G": 2 * LENGTH}
    return run.put(0, distance=20.0, average_gap=0.8, diversity=0.2, coverage=0.0)


def one_bad_batch(run: Course) -> Course:
    run.signals["data/high"][8], run.signals["gradient_z/D"][8] = 7e4, 35.0
    return run.put(9, coverage=0.08)


def jumped(run: Course) -> Course:
    run.signals["weight/G"][12:] *= 9.0
    return run.put(12, diversity=3.0, coverage=0.0)


def clipped_data(run: Course) -> Course:
    return run.put(0, data__low=0.0, data__high=1.0)


def twice(run: Course) -> Course:
    run.put(0, logit__real=0.93, logit__fake=0.9, logit__low=0.2, logit__high=0.97, critic_sigmoid=1.0)
    loss = np.logaddexp(0, -0.93) + np.logaddexp(0, 0.9)
    return run.put(0, loss__D=loss, gradient__G=1e-6)


def overflowing(run: Course) -> Course:
    return run.put(0, nonfinite__loss__D=40.0, update__G=0.0, update__D=0.0, weight__G=10.0, weight__D=12.0)


def broken(run: Course) -> Course:
    run.notes[9] = {"broken": "G.layers.0.weight"}
    run.put(9, nonfinite__loss__D=40.0, nonfinite__weight__G=1.0)
    for name in ("diversity", "coverage", "distance", "weight/G", "gradient/G", "loss/D"):
        run.signals[name][9:] = NAN
    return run


def turning(run: Course) -> Course:
    return run.put(8, cosine__G=0.97, coverage=0.05, distance=4.0)


def flat(run: Course) -> Course:
    random = np.random.default_rng(9)
    run.put(6, distance=3 * np.exp(random.normal(0, 0.1, run.n - 6)))
    return run.put(6, coverage=0.3 + random.normal(0, 0.02, run.n - 6))


def settled_down(run: Course) -> Course:
    return run.put(8, separation=0.05, distance=0.6)


FAULTS: dict[str, Fault] = {
    "collapse": (lambda run: run.put(11, diversity=0.1, coverage=0.01, rank=0.2), 11, 14),
    "mode_dropping": (lambda run: bins(run, "clusters/fake", 10, without(2, 5, 9)).put(10, distance=3.0), 10, 15),
    "rotation": (turning, 8, 12),
    "divergence": (lambda run: run.put(10, diversity=2.0, coverage=0.05, distance=80.0), 10, 13),
    "vanishing_gradient": (lambda run: run.put(6, gradient__G=1e-7, separation=9.0), 6, 8),
    "overpowering_d": (lambda run: run.put(7, separation=6.0, coverage=0.05, distance=4.0), 7, 12),
    "weak_d": (lambda run: run.put(8, separation=0.02, coverage=0.03, distance=4.0), 8, 12),
    "overfitting_d": (lambda run: run.put(8, overfit=1.4, separation=3.0, coverage=0.1, nearest=0.6), 8, 11),
    "memorisation": (lambda run: run.put(9, copying=-29.0, nearest=0.5), 9, 11),
    "nonfinite": (broken, 9, 10),
    "corrupted_weights": (jumped, 12, 13),
    "dead_units": (lambda run: run.put(0, **{"dead/G.layers.2": 1.0}, diversity=0.0, coverage=0.0), 0, 2),
    "condition_ignored": (lambda run: run.put(0, condition=0.11), 8, 11),
    "label_noise": (mirrored_labels, 0, 1),
    "lost_shard": (lambda run: bins(run, "clusters/fed", 9, without(2, 5)), 9, 11),
    "stale_average": (average_that_will_not_catch_up, 3, 7),
    "evaluation_gap": (lambda run: run.put(0, evaluation_gap=1.1, diversity=0.2, coverage=0.0), 2, 6),
    "overflow": (overflowing, 0, 3),
    "plateau": (flat, 15, 25),
    "equilibrium": (settled_down, 8, 14),
    "frozen_network": (lambda run: run.put(6, update__D=0.0, weight__D=12.5, distance=40.0, coverage=0.02), 6, 10),
    "double_sigmoid": (twice, 0, 3),
    "repeated_data": (lambda run: run.put(0, feed__unique=0.25, copying=-20.0, nearest=0.2), 0, 2),
    "bad_batch": (one_bad_batch, 8, 9),
    "range_mismatch": (clipped_data, 0, 2),
}


def of(history: History, name: str) -> Finding | None:
    found: Finding | None = detectors.detectors()[name].detect(history)
    return found


def first(run: Course, name: str) -> int | None:
    """How many readings it took."""
    history = run.history()
    for i in range(1, len(history.readings) + 1):
        if of(History(history.readings[:i], history.length, history.facts), name) is not None:
            return i
    return None


def test_every_detector_has_a_fault_to_find() -> None:
    assert sorted(FAULTS) == NAMES == sorted(detectors.detectors())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seed", [0, 1])
def test_a_failure_is_found_soon_and_where_it_begins(name: str, seed: int) -> None:
    fault, onset, by = FAULTS[name]
    run = fault(healthy(seed))
    at = first(run, name)
    assert at is not None, f"{name} was not found"
    assert onset < at <= by
    found = of(run.history(), name)
    assert found is not None
    assert abs(found.onset - run.samples[onset]) <= 2 * LENGTH / READINGS
    assert found.at == LENGTH
    assert found.evidence


@pytest.mark.parametrize("name", [n for n in NAMES if n not in ("plateau", "equilibrium")])
def test_it_is_the_cause_that_is_reported(name: str) -> None:
    """Its symptoms are found beside it, and left out."""
    fault, _, _ = FAULTS[name]
    grave = [f.name for f in causes(detect_all(fault(healthy()).history())) if f.severity in ("serious", "bug")]
    assert grave == [name]


@pytest.mark.parametrize("name", NAMES)
def test_a_sentence_says_what_and_how_much(name: str) -> None:
    found = of(FAULTS[name][0](healthy()).history(), name)
    assert found is not None
    sentence = found.sentence()
    assert found.failure.title in sentence
    assert re.search(r"\d", sentence)
    assert "nan" not in sentence


@pytest.mark.parametrize("name", NAMES)
def test_gaps_in_the_signals_do_no_harm(name: str) -> None:
    """A seventh of all values missing: nothing breaks, and a failure that lasts is found all the same."""
    random = np.random.default_rng(3)
    run = FAULTS[name][0](healthy(1))
    for signal, values in run.signals.items():
        kept = values.copy()
        if signal not in ("data/high", "data/low", "nonfinite/weight/G"):
            kept[random.random(run.n) < 0.15] = NAN
        run.signals[signal] = kept
    detect_all(run.history())
    assert first(run, name) is not None


def test_readings_that_are_empty_or_not_finite_say_nothing() -> None:
    names = list(healthy().signals)
    for value in (NAN, float("inf")):
        readings = [Reading(1_000 * i, i, dict.fromkeys(names, value)) for i in range(1, 12)]
        quiet = {name for name in names if not name.startswith("nonfinite/")}
        readings = [Reading(r.samples, r.step, {n: v for n, v in r.values.items() if n in quiet}) for r in readings]
        assert detect_all(History(readings, 20_000)) == []
    assert detect_all(History()) == []
    assert detect_all(History([Reading(0, 0)])) == []


# ------------------------------------------------------------------------------------------------ healthy runs


def wasserstein(run: Course) -> Course:
    run.facts |= {"loss": "wasserstein", "compares": True}
    return run.put(0, loss__D=-512.0, loss__G=380.0, logit__real=900.0, logit__fake=400.0, logit__low=200.0, sign=1.0)


def relativistic(run: Course) -> Course:
    run.facts |= {"loss": "relativistic", "compares": True}
    return run.put(0, logit__real=0.6, logit__fake=0.4, logit__low=0.1, logit__high=0.9, sign=1.0)


def one_mode(run: Course) -> Course:
    run.counts = {name: counts[:, :1] for name, counts in run.counts.items()}
    return run.put(0, cosine__G=0.78, coverage=1.0, rank=1.0)


def one_class_of_few(run: Course) -> Course:
    """125 pictures: D does overfit, which is warned of; nothing is serious as long as what is made is good."""
    return run.put(0, separation=2.2, overfit=1.3)


def averaged(run: Course) -> Course:
    """An average that lags in the beginning and then is the better one."""
    run.facts["half_life"] = {"G": LENGTH / 15}
    t = run.samples / LENGTH
    lag = np.exp(-t / 0.14)
    return run.put(0, distance=1 + 40 * lag, average_gap=0.15 + lag, diversity=1 - 0.9 * lag, coverage=0.5 * (1 - lag))


def averaged_of_unknown_length(run: Course) -> Course:
    run.length = None
    return averaged(run)


def ending(run: Course) -> Course:
    """Rates that fall to zero: the last steps move nothing."""
    falling = 0.004 * np.maximum(0, 1 - np.arange(run.n) / (run.n - 4))
    run.put(0, update__G=falling, update__D=falling)
    return run.put(run.n - 4, weight__G=13.0, weight__D=14.0)


def warmed_up(run: Course) -> Course:
    run.signals["gradient_z/G"][1:4] = 30.0
    run.signals["update/D"][1:4] = 0.2
    return run


def slow(run: Course) -> Course:
    """Variety and coverage that rise over the whole run."""
    t = run.samples / LENGTH
    return run.put(0, diversity=0.15 + 0.8 * t, coverage=0.4 * t, rank=0.2 + 0.7 * t, distance=30 - 25 * t)


def drawn_evenly(run: Course) -> Course:
    """Rare classes are drawn as often as common ones: what is fed and made has other shares than the data."""
    random = np.random.default_rng(7)
    real = np.array([0.85, *[0.01] * 15])
    run.counts["clusters/real"] = np.tile(real * 2_000, (run.n, 1))
    for name, n in (("clusters/fed", 400), ("clusters/fake", 512)):
        run.counts[name] = random.multinomial(n, np.full(CLUSTERS, 1 / CLUSTERS), run.n)
    return run


def scaled(run: Course) -> Course:
    run.signals["scale"] = np.where(np.arange(run.n) < 3, 65_536.0, 2_048.0)
    run.signals["nonfinite/gradient/G"][::3] = 1.0
    return run


def refused(run: Course) -> Course:
    """One batch was out of range and skipped."""
    run.signals["data/high"][7] = 1e5
    run.signals["nonfinite/loss/D"][7] = 1.0
    return run.put(0, skipped=0.0).put(7, skipped=0.02)


def spectrally_held(run: Course) -> Course:
    """Weights of fixed length that do move."""
    return run.put(0, weight__G=10.0, weight__D=12.0)


def without_optimizers(run: Course) -> Course:
    """Steps cannot be measured from outside: update is 0 whatever happens."""
    run.facts["optimizers"] = ()
    return run.put(0, update__G=0.0, update__D=0.0)


def without_bounds(run: Course) -> Course:
    run.facts["bounds"] = None
    random = np.random.default_rng(5)
    run.put(0, data__low=-2.3 + random.normal(0, 0.2, run.n), data__high=2.3 + random.normal(0, 0.2, run.n))
    return run.put(0, output__low=-0.97, output__high=0.5).put(2, output__low=-2.2, output__high=2.1)


def probabilities(run: Course) -> Course:
    """D ends in a sigmoid, and its loss takes probabilities, as it should."""
    run.put(0, logit__real=0.55, logit__fake=0.42, logit__low=0.2, logit__high=0.8, critic_sigmoid=1.0)
    return run.put(0, loss__D=-np.log(0.55) - np.log(0.58))


def few_examples(run: Course) -> Course:
    return run.put(0, feed__unique=0.25, feed__unique_expected=0.25)


HEALTHY: Mapping[str, Callable[[Course], Course]] = {
    f.__name__: f
    for f in (
        wasserstein, relativistic, one_mode, one_class_of_few, averaged, averaged_of_unknown_length, ending, warmed_up,
        slow, drawn_evenly, scaled, refused, spectrally_held, without_optimizers, without_bounds, probabilities,
        few_examples,
    )
}  # fmt: skip


def alarms(run: Course) -> set[str]:
    """Grave findings at any moment."""
    history = run.history()
    found: set[str] = set()
    for i in range(1, len(history.readings) + 1):
        now = detect_all(History(history.readings[:i], history.length, history.facts))
        found |= {f"{f.name} at reading {i}" for f in now if f.severity in ("serious", "bug")}
    return found


@pytest.mark.parametrize("seed", range(3))
def test_a_healthy_run_alarms_nobody_at_any_moment(seed: int) -> None:
    assert alarms(healthy(seed)) == set()


@pytest.mark.parametrize("name", HEALTHY)
def test_healthy_runs_of_other_kinds_alarm_nobody(name: str) -> None:
    assert alarms(HEALTHY[name](healthy(8))) == set()


def test_few_readings_alarm_nobody() -> None:
    run = healthy(4)
    few = run.history()
    few.readings = few.readings[4::5]
    assert [f.name for f in detect_all(few) if f.severity in ("serious", "bug")] == []


def test_a_run_of_unknown_length_alarms_nobody() -> None:
    run = healthy(5)
    run.length = None
    assert alarms(run) == set()


def test_the_first_readings_of_a_short_look_alarm_nobody() -> None:
    for n in (1, 2, 3, 5):
        assert alarms(healthy(6, n)) == set()


def test_a_cured_run_is_well_again() -> None:
    run = healthy(2)
    for name in ("diversity", "coverage", "rank"):
        run.signals[name][8:14] = 0.05
    history = run.history()
    assert of(history.until(int(run.samples[11])), "collapse") is not None
    assert of(history, "collapse") is None


def test_a_fault_that_somebody_refused_is_a_note() -> None:
    found = {f.name: f for f in detect_all(refused(healthy()).history())}
    assert {found["bad_batch"].severity, found["nonfinite"].severity} == {"note"}
    assert found["bad_batch"].failure.explains == ()


def test_a_refusal_may_be_told_at_the_next_reading() -> None:
    told, silent = (one_bad_batch(healthy().put(0, skipped=0.0)) for _ in range(2))
    told.signals["skipped"][9] = 0.01
    early = [of(History(r.history().readings[:9], LENGTH), "bad_batch") for r in (told, silent)]
    late = [of(r.history(), "bad_batch") for r in (told, silent)]
    assert [f.severity for f in early if f is not None] == ["note", "note"]
    assert [f.severity for f in late if f is not None] == ["note", "serious"]


def test_broken_batches_are_counted() -> None:
    run = refused(healthy())
    run.signals["data/high"][[12, 20]] = 7e4
    run.signals["skipped"][[12, 20]] = 0.01
    found = of(run.history(), "bad_batch")
    assert found is not None
    assert found.evidence[0].text.endswith("were fed, in 3 of 25 readings")
    assert found.severity == "note"


def test_suspects_are_named() -> None:
    run = bins(healthy(), "clusters/fake", 8, without(2, 5))
    assert of(run.history(), "mode_dropping").suspects == ("cluster 2", "cluster 5")  # type: ignore[union-attr]
    run.counts = {name.replace("clusters", "classes"): c[:, :10] for name, c in run.counts.items()}
    run.facts["classes"] = ("coat", "shirt", "bag", "boot", "dress", "sandal", "hat", "sock", "glove", "scarf")
    assert of(run.history(), "mode_dropping").suspects == ("bag", "sandal")  # type: ignore[union-attr]
    assert of(broken(healthy()).history(), "nonfinite").suspects == ("G.layers.0.weight",)  # type: ignore[union-attr]


def test_data_in_order_are_told_from_a_lost_part() -> None:
    run = healthy()
    run.counts["clusters/fed"][10:] = [400 * np.eye(CLUSTERS)[i % 5] for i in range(run.n - 10)]
    found = of(run.history(), "lost_shard")
    assert found is not None
    assert found.severity == "warning"
    assert "not shuffled" in found.sentence()


def test_players_that_wander_rotate() -> None:
    found = of(wandering(healthy()).history(), "rotation")
    assert found is not None
    assert found.evidence[0].signal == "clusters/fake"


def test_a_sigmoid_that_nobody_told_of_shows_by_its_ends() -> None:
    run = twice(healthy()).put(0, critic_sigmoid=NAN, logit__low=0.001, logit__high=0.999)
    assert of(run.history(), "double_sigmoid") is not None
    run.put(0, logit__low=0.2)
    assert of(run.history(), "double_sigmoid") is None


def test_labels_are_compared_with_those_held_out_and_as_fed() -> None:
    worse = of(healthy().put(0, labels=0.5).history(), "label_noise")
    fed = of(healthy().put(4, **{"feed/labels": 0.1}).history(), "label_noise")
    assert worse is not None
    assert fed is not None
    assert fed.evidence[0].signal == "feed/labels"
    assert of(healthy().put(0, labels=0.3, condition_real=0.32).history(), "label_noise") is None


def test_an_exploding_gradient_is_divergence() -> None:
    run = healthy().put(9, coverage=0.05)
    run.signals["gradient/D"][9:] = 10.0 ** np.linspace(1, 5, run.n - 9)
    found = of(run.history(), "divergence")
    assert found is not None
    assert found.evidence[0].signal == "gradient/D"


def test_data_past_a_tanh_are_seen_without_bounds() -> None:
    run = without_bounds(healthy()).put(0, data__low=0.0, data__high=255.0, output__low=-1.0, output__high=1.0)
    assert of(run.history(), "range_mismatch") is not None


# ----------------------------------------------------------------------------------------------------- courses


def test_courses_are_thinned_and_have_only_whole_readings() -> None:
    readings = [Reading(i * 10, i, {"a": float(i), **({"b": 1.0} if i % 2 else {})}) for i in range(1, 401)]
    seen = course(History(readings, 4_000), "a", b=7.0)
    assert len(seen) == 40
    assert np.diff(seen.samples).min() >= 100
    assert set(seen["b"]) == {1.0}
    assert len(course(History(readings, 4_000), "a", "b", thin=False)) == 200
    assert set(course(History(readings, 4_000), "a", thin=False, b=7.0)["b"]) == {1.0, 7.0}
    assert not thinned(np.array([5, 6], dtype=np.int64), History(readings, 4_000)).all()


def test_when_a_run_can_be_judged() -> None:
    readings = [Reading(100 * i, i) for i in range(1, 11)]
    assert settled(History(readings, 2_000), 0.25) == 500
    assert settled(History(readings, 2_000, {"half_life": {"G": 150}}), 0.25) == 600
    assert settled(History(readings, 2_000, {"half_life": {"G": 1e9}}), 0.25) == 1_000
    assert settled(History(readings), 0.25) == 800
    assert settled(History(readings[:4]), 0.25) == np.inf


def test_what_gets_better() -> None:
    def runs(*distances: float) -> History:
        return History([Reading(100 * (i + 1), i, {"distance": d}) for i, d in enumerate(distances)])

    assert improving(runs(9, 8, 7, 6, 5, 4))
    assert not improving(runs(8, 7, 7, 7, 7, 7))
    assert not improving(runs(5, 5, 5, 9, 8, 7, 6))
    assert not improving(runs(9, 1))


# ------------------------------------------------------------------------------------------------------- texts


@pytest.mark.parametrize("name", NAMES)
def test_failures_are_told_in_full(name: str) -> None:
    failure = detectors.detectors()[name].FAILURE
    assert failure.name == name
    assert failure.severity in SEVERITIES
    assert set(failure.explains) <= set(NAMES) | CONTRACT
    assert name not in failure.explains
    for text in (failure.meaning, failure.advice):
        assert text.endswith(".")
        assert 40 < len(text) < 600
    assert "arXiv:" in failure.reference or "docs/" in failure.reference or "torch." in failure.reference
    assert len((FOLDER / f"{name}.py").read_text(encoding="utf-8").splitlines()) <= 120


@pytest.mark.parametrize("name", NAMES)
def test_settings_that_are_advised_are_there(name: str) -> None:
    from gansmith import Augment, Game, Solver

    advice = detectors.detectors()[name].FAILURE.advice
    for home, where in (("game", Game), ("solver", Solver), ("game.augment", Augment)):
        for setting in re.findall(rf"recipe\.{re.escape(home)}\.(\w+)(?![\w.])", advice):
            assert setting in where.__dataclass_fields__, f"{name} advises {home}.{setting}"


@pytest.mark.parametrize("name", NAMES)
def test_the_page_on_health_has_a_section_on_it(name: str) -> None:
    page = (Path(__file__).parents[2] / "docs" / "health.md").read_text(encoding="utf-8")
    failure = detectors.detectors()[name].FAILURE
    assert f"## {failure.title}" in page
    assert f"`{name}`" in page
