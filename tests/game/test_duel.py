"""A game among several: its pair alone plays it, by the names and settings that the game knows."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gansmith.batch import Batch
from gansmith.game import Augment, Duel, Game, Solver
from gansmith.recipes.base import Context, Networks


class Pictures(nn.Module):
    """G(z) = a z."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.tensor(0.7))

    def forward(self, z: Tensor) -> Tensor:
        return self.a * z


class Judge(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer, self.act, self.head = nn.Linear(4, 3), nn.LeakyReLU(), nn.Linear(3, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.act(self.layer(x.flatten(1)))).flatten()


class Duo:
    def fake(self, nets: Any, batch: Batch, ctx: Context) -> Tensor:
        return nets.G(ctx.randn(batch, 1, 2, 2))

    def judge(self, nets: Any, x: Tensor, batch: Batch, ctx: Context) -> Tensor:
        return nets.D(x)


def pairs() -> Networks:
    torch.manual_seed(0)
    return Networks({"G1": Pictures(), "D1": Judge(), "G12": Pictures(), "D12": Judge()})


def test_phases_are_the_games_under_other_names() -> None:
    game = Game(r1=1.0, penalty_step="after", penalty_every=4, d_steps=2)
    own, theirs = game.phases(Duo()), Duel(12, game, Solver()).phases(Duo())
    assert list(theirs) == ["D12", "penalty12", "G12"]
    for phase, named in zip(own.values(), theirs.values(), strict=True):
        assert named.trains == tuple(f"{name}12" for name in phase.trains)
        assert named.second_order == tuple(f"{name}12" for name in phase.second_order)
        assert (named.every, named.repeats) == (phase.every, phase.repeats)


@pytest.mark.parametrize("phase", ["D", "G"])
def test_a_pair_plays_alone_and_as_the_game_says(phase: str) -> None:
    nets, batch, game = pairs(), Batch(x=torch.randn(6, 1, 2, 2)), Game(loss="hinge", r1=2.0)
    loss = Duel(12, game, Solver()).phases(Duo())[f"{phase}12"].loss(nets, batch, Context(seed=3))
    alone = Networks({"G": nets.G12, "D": nets.D12})
    wanted = game.phases(Duo())[phase].loss(alone, batch, Context(seed=3))
    assert loss.keys() == wanted.keys()
    for name, values in wanted.items():
        torch.testing.assert_close(loss[name], values)
    torch.stack([v.mean() for v in loss.values()]).sum().backward()
    assert all(p.grad is None for name in ("G1", "D1") for p in nets[name].parameters())
    assert all(p.grad is not None for p in nets[f"{phase}12"].parameters())


def test_settings_reach_the_networks_and_optimizers_of_the_pair() -> None:
    nets = pairs()
    duel = Duel(1, Game(minibatch="stddev", dropout=0.5), Solver(kind="rmsprop", lr=1e-3, d_lr=4e-3, clip=0.01))
    duel.prepare(nets)
    assert isinstance(nets.D1.head, nn.Sequential)
    assert isinstance(nets.D12.head, nn.Linear)
    phases = duel.phases(Duo())
    assert duel.hyper(phases["D1"], 0, ())["lr"] == 4e-3
    assert duel.hyper(phases["G1"], 0, ())["lr"] == 1e-3
    optimizer = duel.optimizer(phases["D1"], nets.D1.parameters())
    nets.D1(torch.randn(4, 1, 2, 2)).mean().backward()
    optimizer.step()
    assert max(float(p.detach().abs().max()) for p in nets.D1.parameters()) <= 0.01


def test_each_pair_hears_its_own_figures() -> None:
    nets = pairs()
    game = Game(augment=Augment(kind="ada", target=0.6, over=1000))
    duels = [Duel(n, game, Solver()) for n in (1, 12)]
    for duel in duels:
        duel.prepare(nets)
    figures = {"D1/real_sign": 0.9, "D12/real_sign": 0.1, "G12/adv": 3.0}
    for duel in duels:
        duel.control(nets, figures, Context(samples=100))
    assert float(nets.D1.augment_p) == pytest.approx(0.1)
    assert float(nets.D12.augment_p) == 0
    assert [duel.plays("penalty12") for duel in duels] == [False, True]
