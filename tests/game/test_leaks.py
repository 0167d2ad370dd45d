"""G does not learn the augmentation (Karras 2020, arXiv:2006.06676, section 2.2): what D is shown is not what G makes.

All real pictures are one bump of light. G draws that bump by its formula and has three knobs besides: how much its
brightness varies, how much its place does, and which share of its pictures is mirrored. So it could imitate an
augmentation perfectly. All knobs are to end at nothing wherever they began; and the same few steps do find
augmentations that leak.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gansmith.augment.ada import ADA
from gansmith.batch import Batch
from gansmith.game import Augment, Game
from gansmith.recipes.base import Context, Networks

SIDE, STEPS, ROWS = 16, 300, 32
AT = (-0.5, -0.2)  # of the bump, across and down, in [-1, 1]
NONE = dict.fromkeys((f.name for f in fields(ADA)), 0.0)
FLIP = ADA(**NONE | {"flip": 1.0})
BLITS = ADA(**NONE | {"flip": 1.0, "shift": 1.0, "brightness": 1.0})


class Knobs(nn.Module):
    """The bump with brightness + a n, moved across by b n, mirrored where n exceeds t."""

    def __init__(self, brightness: float, place: float, mirrored: float) -> None:
        super().__init__()
        self.brightness, self.place = nn.Parameter(torch.tensor(brightness)), nn.Parameter(torch.tensor(place))
        self.least = nn.Parameter(torch.special.ndtri(torch.tensor(1 - mirrored)))
        self.register_buffer("side", (torch.arange(SIDE) + 0.5) * 2 / SIDE - 1)

    def forward(self, noise: Tensor) -> Tensor:
        shine, move, turn = noise.unbind(1)
        across, mirrored = AT[0] + self.place * move, torch.sigmoid(6 * (turn - self.least))[:, None, None]
        x = torch.lerp(self.bump(across), self.bump(-across), mirrored)
        return (x + self.brightness * shine[:, None, None])[:, None]

    def bump(self, across: Tensor) -> Tensor:
        wide = torch.exp(-((self.side - across[:, None]) ** 2) / 0.15)
        return torch.exp(-((self.side - AT[1]) ** 2) / 0.15)[None, :, None] * wide[:, None, :] - 0.5

    def turned(self) -> dict[str, float]:
        """Where the knobs are: standard deviations of brightness and of places (in pixels), share of mirrored."""
        share = 1 - torch.special.ndtr(self.least.detach())
        spread = self.place.detach().abs() * SIDE / 2
        return {"brightness": float(self.brightness.detach().abs()), "place": float(spread), "mirrored": float(share)}


class Players:
    """G and D by themselves."""

    def fake(self, nets: Any, batch: Batch, ctx: Context) -> Tensor:
        return nets.G(ctx.randn(batch, 3))

    def judge(self, nets: Any, x: Tensor, batch: Batch, ctx: Context) -> Tensor:
        return nets.D(x)


def ends(augment: Augment, *, begins: tuple[float, float, float], of_data: bool = False) -> dict[str, float]:
    """Where G's knobs end that begin so; `of_data` augments the data instead of what D is shown."""
    torch.manual_seed(0)
    leaky = nn.LeakyReLU(0.2)
    d = nn.Sequential(nn.Flatten(), nn.Linear(SIDE**2, 64), leaky, nn.Linear(64, 64), leaky, nn.Linear(64, 1))
    nets = Networks({"G": Knobs(*begins), "D": nn.Sequential(d, nn.Flatten(0))})
    game = Game(r1=0.1, augment=Augment() if of_data else augment)
    real = Knobs(0.0, 0.0, 1e-6)(torch.zeros(ROWS, 3)).detach()
    phases = game.phases(Players())
    steps = {
        "D": torch.optim.Adam(nets.D.parameters(), 3e-3, (0.0, 0.99)),
        "G": torch.optim.Adam(nets.G.parameters(), 1e-2, (0.0, 0.99)),
    }
    for step in range(STEPS):
        for number, (name, optimizer) in enumerate(steps.items()):
            ctx = Context(seed=2 * step + number, step=step)
            x = augment(real, 1.0 if of_data else 0.0, ctx) if of_data else real
            with nets.only((name,)):
                losses = phases[name].loss(nets, Batch(x=x), ctx)
                torch.stack([v.mean() for v in losses.values()]).sum().backward()
                optimizer.step()
                optimizer.zero_grad()
    return nets.G.turned()


def test_knobs_are_turned_to_nothing_by_what_d_alone_is_shown() -> None:
    for augment in (Augment(kind="ada", p=0.8, ada=BLITS), Augment(kind="diffaugment", p=1.0)):
        found = ends(augment, begins=(0.3, 0.2, 0.5))
        assert found["brightness"] < 0.1, augment.kind
        assert found["place"] < 0.6, augment.kind
        assert found["mirrored"] < 0.15, augment.kind


def test_augmented_data_leak_and_are_found_out() -> None:
    """The same augmentations of the real pictures alone: G takes them up, though it began without."""
    found = ends(Augment(kind="ada", ada=BLITS), begins=(0.02, 0.02, 0.02), of_data=True)
    assert found["brightness"] > 0.12
    assert found["place"] > 0.8
    assert found["mirrored"] > 0.3
    assert ends(Augment(kind="diffaugment"), begins=(0.02, 0.02, 0.02), of_data=True)["place"] > 1.2


def test_a_flip_that_is_sure_hides_what_g_does_and_one_that_is_not_shows_it() -> None:
    """With p = 1 half of all pictures are mirrored whatever G makes, and G's mirrored ones look as real as others."""
    real = Knobs(0.0, 0.0, 1e-6)(torch.zeros(4000, 3)).detach()

    def mirrored(x: Tensor, p: float) -> float:
        shown = Augment(kind="ada", ada=FLIP)(x, p, Context())
        return float((shown == real.flip(3)).flatten(1).all(1).float().mean())

    assert mirrored(real, 1.0) == pytest.approx(mirrored(real.flip(3), 1.0), abs=0.03)
    assert mirrored(real, 0.8) == pytest.approx(0.4, abs=0.03)
    assert mirrored(real.flip(3), 0.8) == pytest.approx(0.6, abs=0.03)
