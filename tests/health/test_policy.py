"""The policy: what is done about findings, and when nothing is."""

from __future__ import annotations

from gansmith.health.finding import Failure, Family, Finding, Severity, causes
from gansmith.health.policy import LEAST_WINDOW, Policy, Remedy

ALL = frozenset({"calm", "return", "augment"})


def finding(name: str, family: Family, severity: Severity = "serious", explains: tuple[str, ...] = ()) -> Finding:
    return Finding(Failure(name, name, severity, family, "", "", "", explains), 100, 200)


def decided(policy: Policy, *findings: Finding, times: int, begin: int = 0) -> list[str]:
    remedies = [policy.decide(findings, begin + 1_000 * i) for i in range(times)]
    return [r.action for r in remedies if r is not None]


def test_a_healthy_run_is_left_alone() -> None:
    assert decided(Policy(ALL, 10_000), times=20) == []
    assert decided(Policy(ALL, 10_000), finding("x", "divergence", "warning"), times=20) == []
    assert decided(Policy(ALL, 10_000), finding("x", "note", "note"), times=20) == []


def test_a_bug_stops_at_once() -> None:
    assert decided(Policy(ALL), finding("range_mismatch", "bug", "bug"), times=1) == ["stop"]


def test_one_bad_reading_is_not_enough() -> None:
    policy = Policy(ALL)
    bad = finding("collapse", "diversity")
    assert policy.decide([bad], 0) is None
    assert policy.decide([], 1) is None
    assert policy.decide([bad], 2) is None
    assert policy.decide([bad], 3) is not None


def test_divergence_is_calmed_in_place_and_then_by_going_back() -> None:
    taken = decided(Policy(ALL), finding("divergence", "divergence"), times=60)
    assert taken == ["calm", "return", "return", "finish"]


def test_lost_diversity_needs_going_back() -> None:
    assert decided(Policy(ALL), finding("collapse", "diversity"), times=2) == ["return"]


def test_overfitting_is_augmented_and_then_ends() -> None:
    assert decided(Policy(ALL), finding("overfitting_d", "overfit"), times=40)[:2] == ["augment", "finish"]
    assert decided(Policy(frozenset({"return"})), finding("overfitting_d", "overfit"), times=2) == ["finish"]


def test_an_action_has_its_time() -> None:
    policy, bad = Policy(ALL, 100_000), finding("divergence", "divergence")
    first = [i for i in range(60) if policy.decide([bad], 1_000 * i) is not None]
    assert first[1] - first[0] >= max(15, LEAST_WINDOW)


def test_causes_silence_their_symptoms() -> None:
    frozen = finding("frozen_network", "bug", "bug", explains=("collapse",))
    assert [f.name for f in causes([finding("collapse", "diversity"), frozen])] == ["frozen_network"]
    a, b = finding("a", "bug", explains=("b",)), finding("b", "bug", explains=("a",))
    assert {f.name for f in causes([a, b])} == {"a", "b"}


def undone(policy: Policy, *, until: int, times: int = 60) -> list[tuple[str, str | None]]:
    """Actions and what each undoes, where a divergence stands in the first `until` readings."""
    bad = finding("divergence", "divergence")
    remedies = [policy.decide([bad] if i < until else [], 1_000 * i) for i in range(times)]
    return [(r.action, r.undoes) for r in remedies if r is not None]


def test_what_does_not_help_in_its_window_is_undone() -> None:
    assert undone(Policy(ALL), until=60) == [("calm", None), ("return", "calm"), ("return", None), ("finish", None)]


def test_what_helped_is_never_undone() -> None:
    policy, bad = Policy(ALL), finding("divergence", "divergence")
    assert undone(policy, until=4) == [("calm", None)]
    again = [policy.decide([bad], 100_000 + 1_000 * i) for i in range(3)]
    assert [(r.action, r.undoes) for r in again if r is not None] == [("return", None)]


def test_another_failure_undoes_nothing() -> None:
    policy = Policy(ALL)
    assert undone(policy, until=2, times=2) == [("calm", None)]
    later = [policy.decide([finding("collapse", "diversity")], 50_000 + 1_000 * i) for i in range(9)]
    assert [(r.action, r.undoes) for r in later if r is not None] == [("return", None)]


def test_a_restart_does_not_make_an_action_a_success() -> None:
    policy, bad = Policy(ALL), finding("overfitting_d", "overfit")
    policy.took(Remedy("augment", bad), 10_000)
    taken = [policy.decide([bad], 10_000 + 1_000 * i) for i in range(LEAST_WINDOW + 2)]
    assert [(r.action, r.undoes) for r in taken if r is not None] == [("finish", "augment")]
