"""Eight Gaussians on a ring and two small players in a plain loop, as a user's own code would have them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from gansmith.health.doctor import Doctor


def ring(n: int, seed: int = 0) -> Tensor:
    """(n 2) points of eight Gaussians on a circle of radius 2."""
    generator = torch.Generator().manual_seed(seed)
    angle = torch.randint(8, (n,), generator=generator) * (math.pi / 4)
    return 2 * torch.stack([angle.cos(), angle.sin()], 1) + 0.1 * torch.randn(n, 2, generator=generator)


class Loop:
    """A GAN on the ring; `doctor` watches it where there is one.

    Args:
        lr: of both players.
        g_lr: of G alone.
        spoil: changes a batch before it is used, `(step, x) -> x`.
    """

    def __init__(
        self, *, lr: float = 2e-3, g_lr: float | None = None, spoil: Callable[[int, Tensor], Tensor] | None = None
    ) -> None:
        torch.manual_seed(0)
        self.data, self.spoil = ring(2_000), spoil or (lambda _, x: x)
        self.G = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 2))
        self.D = nn.Sequential(
            nn.Linear(2, 32), nn.LeakyReLU(0.2), nn.Linear(32, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1)
        )
        self.opt_g = torch.optim.Adam(self.G.parameters(), lr=lr if g_lr is None else g_lr, betas=(0.0, 0.99))
        self.opt_d = torch.optim.Adam(self.D.parameters(), lr=lr, betas=(0.0, 0.99))
        self.doctor: Doctor | None = None

    def generate(self, n: int, seed: int) -> Tensor:
        made: Tensor = self.G(torch.randn(n, 2, generator=torch.Generator().manual_seed(seed)))
        return made

    def watched(self, **settings: Any) -> Doctor:
        """A doctor of this loop, polling every 20 steps unless told otherwise."""
        about: dict[str, Any] = {
            "real": self.data,
            "held_out": ring(500, seed=1),
            "generate": self.generate,
            "critic": self.D,
            "networks": {"G": self.G, "D": self.D},
            "optimizers": {"G": self.opt_g, "D": self.opt_d},
            "loss": "non_saturating",
            "every": 20 * 64,
        }
        self.doctor = Doctor(**{**about, **settings})
        return self.doctor

    def steps(self, count: int) -> None:
        for step in range(count):
            x = self.spoil(step, self.data[torch.randint(len(self.data), (64,))])
            self.opt_d.zero_grad()
            d_loss = softplus(-self.D(x)).mean() + softplus(self.D(self.G(torch.randn(64, 2)).detach())).mean()
            d_loss.backward()
            self.opt_d.step()
            self.opt_g.zero_grad()
            g_loss = softplus(-self.D(self.G(torch.randn(64, 2)))).mean()
            g_loss.backward()
            self.opt_g.step()
            if self.doctor is not None:
                self.doctor.observe(x, losses={"D": d_loss, "G": g_loss})
