"""The settings that scenarios change: each of them trains well, so that what a plant changes is to blame."""

from __future__ import annotations

from functools import partial

from . import nets
from .data import coloured, digits, fashion, gaussian, grid, mnist, of, ring
from .scenario import Setting

RING = Setting(data=ring)
GRID = Setting(data=grid)
DIGITS = Setting(data=digits, latent=32, width=256, batch=64, lr_g=1e-3, lr_d=1e-3)
CONV = Setting(
    data=fashion, players=nets.convolutions, latent=32, width=16, batch=64, steps=800, lr_g=1e-3, lr_d=1e-3, r1=1.0
)
DIRAC = Setting(
    data=partial(gaussian, std=0.1, centre=0.0),
    players=nets.dirac,
    simultaneous=True,
    loss="wasserstein",
    lr_g=0.1,
    lr_d=0.1,
    steps=500,
)
TINTED = of(mnist, coloured)
