"""The policy: what is done about findings, and when nothing is."""

from __future__ import annotations

from gansmith.health.finding import Failure, Family, Finding, Severity, causes
from gansmith.health.policy import LEAST_WINDOW, Policy

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
