"""The doctor in a plain loop: it sees what happens, and changes nothing."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from watched_loop import Loop, ring

from gansmith.errors import ConfigError
from gansmith.health.doctor import Doctor
from gansmith.health.history import History


def test_a_watched_loop_is_the_same_to_the_bit() -> None:
    alone, watched = Loop(), Loop()
    doctor = watched.watched()
    alone.steps(60)
    torch.manual_seed(1)
    alone.steps(10)
    watched_again = Loop()
    watched_again.watched()
    watched_again.steps(60)
    torch.manual_seed(1)
    watched_again.steps(10)
    watched.steps(60)
    assert len(doctor.history.readings) == 3
    for a, b in zip(alone.G.state_dict().values(), watched_again.G.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_batch_normalisation_is_left_as_it_was() -> None:
    loops = []
    for watched in (False, True):
        loop = Loop()
        torch.manual_seed(3)
        loop.G = nn.Sequential(nn.Linear(2, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 2))
        loop.opt_g = torch.optim.Adam(loop.G.parameters(), lr=1e-3)
        if watched:
            doctor = loop.watched()
        loop.steps(45)
        loops.append(loop.G.state_dict())
    assert "evaluation_gap" in doctor.history.readings[0].values
    assert all(torch.equal(loops[0][k], loops[1][k]) for k in loops[0])


def test_a_reading_holds_what_the_guide_says() -> None:
    loop = Loop()
    doctor = loop.watched(samples=100 * 64)
    loop.steps(60)
    values = doctor.history.readings[-1].values
    for name in (
        "loss/D", "loss/G", "gradient/G", "gradient_first/G", "update/G", "weight/D", "cosine/G", "separation", "sign",
        "overfit", "diversity", "coverage", "density", "precision", "recall", "missing", "clusters", "ndb", "rank",
        "distance", "distance_floor", "copying", "nearest", "output/low", "output/high", "data/low", "data/high",
        "feed/unique", "dead/G.2", "nonfinite/loss/D", "nonfinite/gradient/G", "nonfinite/weight/G",
    ):  # fmt: skip
        assert math.isfinite(values[name]), name
    assert 1e-5 < values["update/G"] < 0.5
    assert values["clusters"] == len(doctor.history.readings[-1].counts["clusters/fake"])
    assert doctor.history.facts["loss"] == "non_saturating"


def test_a_network_that_does_not_move_has_an_update_of_zero() -> None:
    loop = Loop(g_lr=0.0)
    doctor = loop.watched()
    loop.steps(45)
    assert doctor.history.last("update/G") == 0.0
    assert doctor.history.last("update/D") > 0.0


def test_without_optimizers_it_looks_at_the_weights_between_polls() -> None:
    loop = Loop(g_lr=0.0)
    doctor = loop.watched(optimizers=None)
    loop.steps(65)
    assert doctor.history.last("update/G") == 0.0
    assert doctor.history.last("update/D") > 0.0
    assert doctor.history.last("gradient/D") > 0.0


def test_a_loss_that_is_not_finite_is_looked_into_at_once() -> None:
    loop = Loop(spoil=lambda step, x: x * float("inf") if step == 7 else x)
    doctor = loop.watched(every=10_000_000)
    loop.steps(10)
    assert doctor.history.readings[0].step == 8
    assert doctor.history.readings[0].values["nonfinite/loss/D"] >= 1
    assert doctor.history.readings[0].notes["broken"].startswith(("G.", "D."))
    assert [f.name for f in doctor.findings()] == ["nonfinite"]


def test_polls_keep_within_their_budget() -> None:
    loop = Loop()
    doctor = loop.watched(every=None, budget=0.1)
    loop.steps(400)
    assert 1 <= len(doctor.history.readings) < 20
    assert doctor.share < 0.5  # a clock, a loaded machine, and networks so small that hooks take a good part


def test_real_points_are_as_the_theory_says() -> None:
    """Coverage of equal distributions is 1 - 0.5^5, density 1 (Naeem 2020)."""
    doctor = Doctor(real=ring(2_000), held_out=ring(500, seed=1), generate=lambda n, seed: ring(n, seed + 7), batch=64)
    found = doctor.poll().values
    assert found["coverage"] == pytest.approx(0.969, abs=0.03)
    assert found["density"] == pytest.approx(1.0, abs=0.12)
    assert found["diversity"] == pytest.approx(1.0, abs=0.05)
    assert abs(found["copying"]) < 3.5
    assert found["missing"] == 0
    assert found["distance"] < 0.1


def test_a_blurred_mean_is_no_copy() -> None:
    """It lies nearer to every training example than unseen ones do, and to none of them nearer than to the next."""
    kind = torch.Generator().manual_seed(0)
    data = torch.randn(1_000, 40, generator=kind)
    blurred = Doctor(
        real=data[:800], held_out=data[800:], generate=lambda n, seed: data[:800].mean(0) + 0.1 * data[:n], batch=64
    )
    found = blurred.poll().values
    assert found["copying"] < -10
    assert found["nearest"] < 0.75
    assert found["singled"] > 0.95


def test_copies_and_missing_modes_show() -> None:
    data = ring(2_000)
    copies = Doctor(real=data, held_out=ring(500, seed=1), generate=lambda n, seed: data[:n] + 1e-4, batch=64).poll()
    assert copies.values["copying"] < -10
    assert copies.values["nearest"] < 0.2
    assert copies.values["singled"] < 0.2
    half = Doctor(real=data, generate=lambda n, seed: _upper(n, seed), batch=64).poll()
    assert half.values["missing"] >= 4
    assert half.values["recall"] < 0.8


def _upper(n: int, seed: int) -> torch.Tensor:
    made = ring(4 * n, seed + 7)
    return made[made[:, 1] > 0.2][:n]


def test_labels_tell_whether_conditions_are_heeded() -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(8, (2_000,), generator=generator)
    at = labels * (math.pi / 4)
    data = 2 * torch.stack([at.cos(), at.sin()], 1) + 0.1 * torch.randn(2_000, 2, generator=generator)
    heeds = Doctor(real=data, labels=labels, generate=lambda n, _: (data[:n], labels[:n]), batch=64).poll()
    ignores = Doctor(real=data, labels=labels, generate=lambda n, _: (data[:n], labels[:n].flip(0)), batch=64).poll()
    assert heeds.values["condition"] > 0.95
    assert heeds.values["labels"] > 0.95
    assert ignores.values["condition"] < 0.3
    assert sum(heeds.counts["classes/fake"]) == 512


def test_a_history_survives_json() -> None:
    loop = Loop()
    doctor = loop.watched()
    loop.steps(45)
    again = History.from_json(doctor.history.to_json())
    assert again.readings == doctor.history.readings
    assert dict(again.facts) == dict(doctor.history.facts)


def test_rewinding_forgets() -> None:
    loop = Loop()
    doctor = loop.watched()
    loop.steps(65)
    doctor.rewind(20 * 64)
    assert [r.samples for r in doctor.history.readings] == [20 * 64]
    loop.steps(20)
    assert [r.samples for r in doctor.history.readings] == [20 * 64, 40 * 64]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"real": torch.zeros(100)}, "a tensor"),
        ({"real": torch.zeros(4, 2)}, "8 or more"),
        ({"real": torch.zeros(10, 2), "labels": torch.zeros(3, dtype=torch.int64)}, "one for each"),
    ],
)
def test_what_it_cannot_work_with_is_refused(settings: dict[str, object], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        Doctor(**settings)  # type: ignore[arg-type]


def test_optimizers_are_named_after_networks() -> None:
    loop = Loop()
    with pytest.raises(ConfigError, match="named after"):
        loop.watched(optimizers={"H": loop.opt_g})


def test_rows_that_have_equals_are_covered_and_are_no_copies() -> None:
    """Three categories and a flag: most rows that nobody saw are in the training data, too."""
    generator = torch.Generator().manual_seed(0)

    def rows(n: int) -> torch.Tensor:
        kind = nn.functional.one_hot(torch.randint(3, (n,), generator=generator), 3).float()
        return torch.cat([kind, torch.randint(2, (n, 1), generator=generator).float()], 1)

    made = rows(512)
    doctor = Doctor(real=rows(2_000), held_out=rows(512), generate=lambda n, _: made[:n], repeats=True, batch=64)
    found = doctor.poll().values
    assert found["coverage"] == found["recall"] == 1.0
    assert not {"copying", "nearest"} & set(found)
