"""What each penalty teaches D: the gradient in D's own weights, against finite differences in float64."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from test_game import Duo, duo, slopes
from torch import Tensor

from gansmith.game import Game
from gansmith.game.game import FLIPS
from gansmith.game.terms import FAKE, REAL
from gansmith.recipes.base import Context

PENALTIES = {
    "r1": {"r1": 3.0},
    "r2": {"r2": 3.0},
    "gp": {"gp": 10.0},
    "dragan": {"gp": 10.0, "gp_at": "around"},
    "lecam": {"lecam": 0.3},
    "bcr_real": {"bcr_real": 10.0},
    "bcr_fake": {"bcr_fake": 10.0},
    "drift": {"drift": 0.5},
}

TERMS = {"dragan": "gp"}


def value(name: str, nets: Any, batch: Any, game: Game) -> Tensor:
    return game.phases(Duo())["D"].loss(nets, batch, Context())[TERMS.get(name, name)].sum()


@pytest.mark.parametrize("name", PENALTIES)
def test_gradients_in_the_weights_are_those_of_finite_differences(name: str) -> None:
    settings: dict[str, Any] = PENALTIES[name]
    game, (_, nets, batch) = Game(**settings), duo()
    game.prepare(nets)
    if name == "lecam":
        for buffer, average in ((REAL, 0.4), (FAKE, -0.3)):
            nets.D.register_buffer(buffer, torch.tensor(average, dtype=torch.float64))
    weight = nets.D.head.weight
    (gradient,) = torch.autograd.grad(value(name, nets, batch, game), weight)
    assert gradient.abs().max() > 1e-3, "the penalty says nothing here"
    for i in range(weight.numel()):
        assert float(gradient.flatten()[i]) == pytest.approx(slope(name, nets, batch, game, i), rel=1e-6, abs=1e-9)


def slope(name: str, nets: Any, batch: Any, game: Game, i: int, step: float = 1e-5) -> float:
    """The central difference of a penalty in the i-th weight of D's head."""
    found, weight = [], nets.D.head.weight
    for sign in (1, -1):
        with torch.no_grad():
            weight.view(-1)[i] += sign * step
        found.append(float(value(name, nets, batch, game).detach()))
        with torch.no_grad():
            weight.view(-1)[i] -= sign * step
    return (found[0] - found[1]) / (2 * step)


@pytest.mark.parametrize("side", ["real", "fake"])
def test_consistency_is_the_square_of_what_flips_and_shifts_change(side: str) -> None:
    _, nets, batch = duo()
    weights: dict[str, Any] = {f"bcr_{side}": 10.0}
    game, ctx = Game(**weights), Context()
    found = game.phases(Duo())["D"].loss(nets, batch, Context())[f"bcr_{side}"]
    fake = Duo().fake(nets, batch, ctx).detach()
    x = batch["x"] if side == "real" else fake
    torch.testing.assert_close(found, 10 * (nets.D(FLIPS(x, 1.0, ctx)) - nets.D(x)).square())


def test_dragan_asks_for_slopes_of_one_around_real_pictures() -> None:
    _, nets, batch = duo()
    found = Game(gp=10.0, gp_at="around").phases(Duo())["D"].loss(nets, batch, Context())["gp"]
    ctx = Context()
    Duo().fake(nets, batch, ctx)
    x, u = batch["x"], ctx.rand(batch, 1, 2, 2).double()
    share = ctx.rand(batch).double().view(-1, 1, 1, 1)
    x = x + (1 - share) * u * x.std(correction=0) / 2
    wanted = 10 * (slopes(nets.D, x).square().sum(1).sqrt() - 1).square()
    torch.testing.assert_close(found, wanted, rtol=1e-6, atol=1e-9)
