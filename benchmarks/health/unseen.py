"""Scenarios with other widths, losses and data, written before any detector was tuned.

Nobody looks at what a doctor says of them while tuning: they are scored once, apart. What the oracle says of them may
be looked at, for it tells whether they fail at all, and nothing of how they are found.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from .controls import control
from .data import coloured, fashion, grid, mnist, of, only, ranged, ring, wine
from .plants import plant
from .scenario import Scenario, Setting, Tamper
from .settings import CONV, DIGITS
from .tamper import broken_weight, double_sigmoid, lost_rows, remade_d, untold_d

CLOCK = Setting(data=partial(ring, modes=12, std=0.05), width=96, latent=4, batch=96)
CUBE = Setting(data=partial(grid, side=3, dimensions=3, std=0.1), width=48, latent=8, lr_g=1e-3, lr_d=1e-3)
TABLE = Setting(data=wine, width=128, latent=16, batch=32, lr_g=5e-4, lr_d=5e-4, steps=1200, r1=1.0)
WIDE = replace(CONV, data=mnist, width=24, batch=48, latent=48)
TINTED = replace(CONV, data=of(fashion, coloured), width=20)
NAMED = replace(CONV, conditional=True, loss="relativistic", r2=1.0, width=20)

UNSEEN: list[Scenario] = [
    plant(
        "u01-clock-fast-g",
        "12 Gaussians, LSGAN, G's rate 50 times D's, Adam (.9, .99)",
        replace(CLOCK, loss="least_squares", lr_g=1e-2, lr_d=2e-4, betas=(0.9, 0.99)),
        "collapse rotation divergence",
        "diversity",
        "v01-clock-least-squares",
    ),
    plant(
        "u02-cube-wgan-free",
        "27 Gaussians in space, Wasserstein loss and nothing that keeps D Lipschitz",
        replace(CUBE, loss="wasserstein", betas=(0.5, 0.9)),
        "divergence rotation",
        "divergence",
        "v02-cube-relativistic",
    ),
    plant(
        "u03-mnist-lost-classes",
        "1, 4 and 7 vanish from the loader, hinge, R1",
        replace(WIDE, loss="hinge"),
        "lost_shard",
        "data",
        "v03-mnist-hinge",
        injected=0.35,
        tamper=Tamper(stepped=lost_rows(0.35, (1, 4, 7))),
    ),
    plant(
        "u04-untold-d",
        "G is told garments, D is not, RpGAN",
        NAMED,
        "condition_ignored",
        "data",
        "v04-fashion-named",
        injected=0.0,
        oracle="misread",
        tamper=Tamper(built=untold_d),
    ),
    plant(
        "u05-few-wines",
        "30 rows of a table, no penalty",
        replace(TABLE, data=of(wine, only(30)), r1=0.0, steps=2000),
        "memorisation overfitting_d",
        "overfit",
        "v05-wines",
        oracle="copied",
    ),
    plant(
        "u06-coloured-flipped-bit",
        "one of G's weights becomes -1e38, coloured Fashion-MNIST",
        TINTED,
        "corrupted_weights nonfinite",
        "nonfinite",
        "v06-fashion-coloured",
        injected=0.6,
        tamper=Tamper(stepped=broken_weight(0.6, "G", -1e38)),
    ),
    plant(
        "u07-remade-d",
        "D was made again after its optimizer, hinge",
        replace(DIGITS, loss="hinge", width=128, r1=0.2),
        "frozen_network",
        "bug",
        "v07-digits-hinge",
        injected=0.0,
        tamper=Tamper(built=remade_d),
    ),
    plant(
        "u08-coloured-unit-range",
        "coloured Fashion-MNIST from 0 to 1, G ends in tanh",
        replace(TINTED, data=of(TINTED.data, ranged(0, 1))),
        "range_mismatch",
        "bug",
        "v06-fashion-coloured",
        injected=0.0,
    ),
    plant(
        "u09-double-sigmoid",
        "D ends in a sigmoid, its loss takes logits, wider, Adam (.5, .99)",
        replace(WIDE, r1=0.0, betas=(0.5, 0.99)),
        "double_sigmoid",
        "bug",
        "v03-mnist-hinge",
        injected=0.0,
        tamper=Tamper(built=double_sigmoid),
    ),
    plant(
        "u10-slow-average",
        "average of G with a decay of .9998, RpGAN, 12 Gaussians",
        replace(CLOCK, loss="relativistic", r1=0.1, r2=0.1, average=0.9998),
        "stale_average",
        "bug",
        "v01-clock-least-squares",
        injected=0.0,
    ),
    control("v01-clock-least-squares", "12 Gaussians, LSGAN, R1", replace(CLOCK, loss="least_squares", r1=0.1)),
    control("v02-cube-relativistic", "27 Gaussians, RpGAN", replace(CUBE, loss="relativistic", r1=0.1, r2=0.1)),
    control("v03-mnist-hinge", "MNIST, hinge, R1", replace(WIDE, loss="hinge")),
    control("v04-fashion-named", "Fashion-MNIST by class, RpGAN", NAMED),
    control("v05-wines", "120 wines, R1", TABLE, arguable="overfitting_d"),
    control("v06-fashion-coloured", "coloured Fashion-MNIST, R1", TINTED),
    control("v07-digits-hinge", "digits, hinge, R1, narrower", replace(DIGITS, loss="hinge", width=128, r1=0.2)),
]
