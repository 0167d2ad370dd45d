"""Memorisation: closed forms, scipy's rank statistic, and generators that copy, underfit or do neither."""

from __future__ import annotations

import copy

import pytest
import torch

from gansmith.errors import DataError
from gansmith.metrics import neighbours
from gansmith.metrics.base import Seen
from gansmith.metrics.images.memorisation import Memorisation, c_t, k_means, nn_ratio, z_u
from gansmith.metrics.neighbours import nearest

from .helpers import normal, spreads

TRAIN, HELD = normal(600, 8, 0), normal(300, 8, 1)
FRESH = normal(300, 8, 2)
COPIES = TRAIN[:300] + 0.01 * normal(300, 8, 3)


def fed(fake: torch.Tensor, held: torch.Tensor = HELD, train: torch.Tensor = TRAIN, **settings: int) -> Memorisation:
    metric = Memorisation(**settings)
    for side, rows in (("real", train), ("held", held), ("fake", fake)):
        for part in rows.split(97):
            metric.update(Seen(part), side)
    return metric


def test_nearest_neighbours_are_exact_in_blocks_too(monkeypatch):
    distances, which = nearest(FRESH, TRAIN, k=3)
    whole = torch.cdist(FRESH.double(), TRAIN.double())
    wanted = whole.topk(3, largest=False)
    assert torch.allclose(distances, wanted.values)
    assert torch.equal(which, wanted.indices)
    monkeypatch.setattr("gansmith.metrics.balls.BLOCK", 5000)
    monkeypatch.setattr(neighbours, "ROWS", 3)
    assert all(torch.equal(a, b) for a, b in zip(nearest(FRESH, TRAIN, k=3), (distances, which), strict=True))
    apart, other = nearest(TRAIN, TRAIN, apart=True)
    assert (apart > 0).all()
    assert (other[:, 0] != torch.arange(len(TRAIN))).all()


def test_z_u_equals_scipys_rank_sum():
    stats = pytest.importorskip("scipy.stats")
    fake, held = (
        normal(70, 1, 5).flatten().double().round(decimals=1),
        normal(90, 1, 6).flatten().double().round(decimals=1),
    )
    u = stats.mannwhitneyu(fake.numpy(), held.numpy()).statistic  # pairs whose fake is larger, ties by half
    wanted = (u - 70 * 90 / 2) / (70 * 90 * 161 / 12) ** 0.5
    assert z_u(fake, held) == pytest.approx(wanted, abs=1e-12)
    assert z_u(held, fake) == pytest.approx(-wanted, abs=1e-12)


def test_c_t_averages_the_cells_by_their_held_out_share():
    fake = torch.cat([torch.zeros(40), torch.ones(40)]).double()
    held = torch.cat([torch.full((30,), 0.5), torch.full((90,), 0.5)]).double()
    cell_fake, cell_held = torch.arange(80) // 40, (torch.arange(120) >= 30).long()
    wanted = 0.25 * z_u(fake[:40], held[:30]) + 0.75 * z_u(fake[40:], held[30:])
    assert c_t(fake, held, cell_fake, cell_held) == pytest.approx(wanted)
    small = torch.cat([cell_held, torch.full((19,), 2)])  # a third cell, too small to take part
    share = (30 / 139 * z_u(fake[:40], held[:30]) + 90 / 139 * z_u(fake[40:], held[30:])) / (120 / 139)
    both = torch.cat([held, torch.ones(19).double()])
    assert c_t(fake, both, torch.cat([cell_fake[:79], torch.tensor([2])]), small) == pytest.approx(share, rel=0.02)
    with pytest.raises(DataError, match="C_T needs 20 generated and as many held-out"):
        c_t(fake[:10], held, cell_fake[:10], cell_held)


def test_an_unseen_sample_is_healthy():
    found = fed(FRESH).compute()
    assert found["nn_ratio"] == pytest.approx(1, abs=0.05)
    assert abs(found["c_t"]) < 3
    assert 0.5 < found["authenticity"] < 0.9


def test_copies_are_caught_by_all_three():
    found = fed(COPIES).compute()
    assert found["nn_ratio"] < 0.05
    assert found["c_t"] < -5
    assert found["authenticity"] < 0.02
    part = fed(torch.cat([COPIES[:75], FRESH[:225]])).compute()
    assert part["nn_ratio"] == pytest.approx(0.75, abs=0.05)
    assert part["c_t"] < -2


def test_underfitting_is_the_other_sign():
    found = fed(3 * FRESH).compute()
    assert found["nn_ratio"] > 2
    assert found["c_t"] > 5


def test_parts_order_and_processes_change_nothing():
    whole = fed(FRESH).compute()
    turned = fed(FRESH.flip(0), HELD.flip(0), TRAIN.flip(0)).compute()
    assert turned == pytest.approx(whole, rel=1e-9)
    first, second = fed(FRESH[:100], HELD[:50], TRAIN[:400]), fed(FRESH[100:], HELD[50:], TRAIN[400:])
    joined = copy.deepcopy(second)
    joined.merge(first)
    assert joined.compute() == pytest.approx(whole, rel=1e-9)
    again = Memorisation()
    again.load_state_dict(joined.state_dict())
    assert again.compute() == pytest.approx(whole, rel=1e-9)
    assert set(again.state_dict()) == set(again.states)


@pytest.mark.parametrize("figure", ["nn_ratio", "c_t", "authenticity"])
def test_its_influences_foretell_its_spread(figure):
    def draw(i: int) -> dict[str, Seen]:
        fake = torch.cat([TRAIN[:40] + 0.05, normal(160, 8, 2 * i + 10)])
        return {"real": Seen(TRAIN[:300]), "fake": Seen(fake), "held": Seen(normal(200, 8, 2 * i + 11))}

    spread, foretold = spreads(Memorisation, draw, figure, 20)
    assert spread > 0
    # fakes are mixed in fixed shares, which spreads less than a fresh mixture does: what is foretold is no lower
    assert 0.7 < foretold / spread < 3


def test_cells_are_those_of_the_data():
    blobs = torch.cat([normal(50, 3, s) * 0.1 + 10 * s for s in range(4)])
    centres = k_means(blobs, 4, seed=0)
    assert sorted(centres.mean(1).round().tolist()) == [0, 10, 20, 30]
    assert len(k_means(torch.ones(9, 2), 5, seed=0)) == 1
    assert fed(FRESH).detail() == "n_held=300, 7 cells"


def test_what_cannot_be_measured_is_refused():
    with pytest.raises(DataError, match="held-out ones: 3"):
        fed(FRESH, HELD[:3]).compute()
    with pytest.raises(DataError, match="every held-out picture equals a training picture"):
        nn_ratio(torch.ones(5).double(), torch.zeros(5).double())
    broken = FRESH.clone()
    broken[0, 0] = torch.inf
    with pytest.raises(DataError, match="features must be finite"):
        fed(broken).compute()
