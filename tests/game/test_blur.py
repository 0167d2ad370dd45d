"""D's soft beginning: pictures through a Gaussian that narrows."""

from __future__ import annotations

import pytest
import torch

from gansmith.batch import Batch
from gansmith.game import Game
from gansmith.game.views import blurred
from gansmith.recipes.base import Context, Networks
from gansmith.schedule import Linear


def test_blurring_is_a_sum_over_a_gaussian() -> None:
    x, sigma = torch.randn(2, 3, 9, 9, dtype=torch.float64), 0.8
    taps = torch.exp(-0.5 * (torch.arange(-3, 4, dtype=torch.float64) / sigma) ** 2)
    kernel = (taps[:, None] * taps / taps.sum() ** 2).expand(3, 1, 7, 7)
    wanted = torch.nn.functional.conv2d(x, kernel, padding=3, groups=3)
    torch.testing.assert_close(blurred(x, sigma), wanted, rtol=1e-6, atol=1e-6)
    assert blurred(x, 0.05) is x


@pytest.mark.parametrize(("samples", "sigma"), [(0, 2.0), (50, 1.0), (100, 0.0)])
def test_d_sees_both_kinds_blurred_and_gradients_pass(samples: int, sigma: float) -> None:
    shown: list[torch.Tensor] = []
    x, fake = torch.randn(2, 1, 8, 8), torch.randn(2, 1, 8, 8, requires_grad=True)

    class Players:
        def fake(self, nets, batch, ctx):
            return fake

        def judge(self, nets, x, batch, ctx):
            shown.append(x)
            return x.sum((1, 2, 3))

    game = Game(blur=Linear(2.0, 0.0, 100))
    phases = game.phases(Players())
    phases["D"].loss(Networks({"D": torch.nn.Identity()}), Batch(x=x), Context(samples=samples))
    for seen, plain in zip(shown, (x, fake), strict=True):
        torch.testing.assert_close(seen, blurred(plain, sigma))
    losses = phases["G"].loss(Networks({"D": torch.nn.Identity()}), Batch(x=x), Context(samples=samples))
    (gradient,) = torch.autograd.grad(losses["adv"].sum(), fake)
    assert gradient.abs().sum() > 0
