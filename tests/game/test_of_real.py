"""Terms of real pictures alone: asked of D for these, in its own step, and of nothing else."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from test_game import Duo, duo
from torch import Tensor

from gansmith.batch import Batch
from gansmith.game import Game, Judged
from gansmith.recipes.base import Context


class Drawing(Duo):
    """D's further loss of a real picture is its mean; it remembers for how many it was asked."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def judge(self, nets: Any, x: Tensor, batch: Batch, ctx: Context) -> Judged:
        return Judged(nets.D(x), of_real={"drawn": partial(self.drawn, x)})

    def drawn(self, x: Tensor, n: int) -> Tensor:
        self.asked.append(n)
        return x[:n].flatten(1).mean(1)


@pytest.mark.parametrize("together", [False, True])
def test_it_is_of_the_real_pictures(together: bool) -> None:
    _, nets, batch = duo()
    players, game = Drawing(), Game(together=together)
    found = game.phases(players)["D"].loss(nets, batch, Context())
    torch.testing.assert_close(found["drawn"], batch["x"].flatten(1).mean(1))
    assert players.asked == [len(batch)]
    assert set(found) == {"adv", "drawn"}


def test_packs_count_for_each_of_their_pictures() -> None:
    _, nets, batch = duo(8)
    found = Game(pac=2).phases(Drawing())["D"].loss(nets, batch, Context())
    wanted = batch["x"].flatten(1).mean(1).view(-1, 2).mean(1).repeat_interleave(2)
    torch.testing.assert_close(found["drawn"], wanted)


def test_g_is_never_told() -> None:
    _, nets, batch = duo()
    players = Drawing()
    found = Game(loss="relativistic").phases(players)["G"].loss(nets, batch, Context())
    assert set(found) == {"adv"}
    assert not players.asked
