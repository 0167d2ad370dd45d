"""Healthy runs: a doctor has nothing serious to say of them."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from .data import classes, fashion, gaussian, mnist, of, rare, ring
from .scenario import Scenario, Setting, Tamper
from .settings import CONV, DIGITS, DIRAC, GRID, RING, TINTED
from .tamper import flipped, forgotten_moments, one_noise


def control(name: str, title: str, setting: Setting, tamper: Tamper | None = None, arguable: str = "") -> Scenario:
    """`arguable` failures may be said of it with some right."""
    causes = tuple(arguable.split())
    return Scenario(name=name, title=title, kind="control", setting=setting, tamper=tamper or Tamper(), causes=causes)


def warmed(share: float) -> float:
    """A rate that rises over a tenth of the run to four times what it then falls to."""
    return 4 * share / 0.1 if share < 0.1 else max(1.0, 4 - 30 * (share - 0.1))


def falling(share: float) -> float:
    """A rate that falls to zero at the end."""
    return 1 - share


CONTROLS = [
    control("h01-ring-r1", "8 Gaussians, R1", replace(RING, r1=0.1)),
    control("h02-ring-relativistic", "8 Gaussians, RpGAN", replace(RING, loss="relativistic", r1=0.1, r2=0.1)),
    control("h03-ring-wgan-gp", "8 Gaussians, WGAN-GP", replace(RING, loss="wasserstein", gp=0.1, d_steps=2)),
    control("h04-ring-bare", "8 Gaussians, no penalty", RING),
    control(
        "h05-ring-hinge",
        "8 Gaussians, hinge, Adam (.5, .9)",
        replace(RING, loss="hinge", betas=(0.5, 0.9), lr_g=1e-3, lr_d=1e-3, steps=2000),
    ),
    control("h06-grid-r1", "25 Gaussians, R1", replace(GRID, r1=0.1)),
    control("h07-grid-relativistic", "25 Gaussians, RpGAN", replace(GRID, loss="relativistic", r1=0.1, r2=0.1)),
    control("h08-gaussian", "one Gaussian: little variety is right", replace(RING, data=gaussian, r1=0.1)),
    control(
        "h09-ring-uneven",
        "8 Gaussians, weights 4 : 1",
        replace(RING, data=partial(ring, shares=(4.0, 1.0) * 4), r1=0.1),
    ),
    control("h10-digits-r1", "digits, R1", replace(DIGITS, r1=0.5)),
    control("h11-digits-relativistic", "digits, RpGAN", replace(DIGITS, loss="relativistic", r1=0.5, r2=0.5)),
    control(
        "h12-digits-zeros",
        "125 pictures of the digit 0",
        replace(DIGITS, data=of(DIGITS.data, classes((0,))), r1=0.5),
        arguable="overfitting_d memorisation",
    ),
    control("h13-ring-fast", "8 Gaussians, R1, rates 4 times as high", replace(RING, r1=0.1, lr_g=8e-3, lr_d=8e-3)),
    control("h14-ring-least-squares", "8 Gaussians, LSGAN, R1", replace(RING, loss="least_squares", r1=0.1)),
    control(
        "h15-rare-mode",
        "8 Gaussians, one of .4 %",
        replace(RING, data=partial(ring, shares=(1.0,) * 7 + (0.03,)), r1=0.1),
    ),
    control("h16-one-noise", "8 Gaussians, one batch of z for ever", replace(RING, r1=0.1), Tamper(built=one_noise)),
    control(
        "h17-digits-rare",
        "digits, a rare 3",
        replace(DIGITS, data=of(DIGITS.data, rare(3, 0.027)), r1=0.5),
    ),
    control(
        "h18-digits-wgan-gp",
        "digits, WGAN-GP: large negative losses",
        replace(DIGITS, loss="wasserstein", gp=10.0, d_steps=2, steps=1000),
    ),
    control("h19-digits-early", "digits, R1, the first 150 steps of a run", replace(DIGITS, r1=0.5, steps=150)),
    control(
        "h20-ring-restarted",
        "8 Gaussians, R1, Adam's moments forgotten at half time",
        replace(RING, r1=0.1),
        Tamper(stepped=forgotten_moments(0.5)),
    ),
    control("h21-digits-warmed", "digits, R1, rates that peak early", replace(DIGITS, r1=0.5, rate=warmed)),
    control("h22-digits-average", "digits, R1, average of G", replace(DIGITS, r1=0.5, average=0.99)),
    control("h23-ring-falling", "8 Gaussians, R1, rates falling to zero", replace(RING, r1=0.1, rate=falling)),
    control("h24-ring-half", "8 Gaussians, float16 and a scaler", replace(RING, half=True, steps=600)),
    control("h25-dirac-r1", "a point and a slope, R1", replace(DIRAC, r1=1.0)),
    control("h26-fashion-r1", "Fashion-MNIST, convolutions, R1", CONV),
    control(
        "h27-fashion-relativistic", "Fashion-MNIST, convolutions, RpGAN", replace(CONV, loss="relativistic", r2=1.0)
    ),
    control("h28-fashion-flipped", "Fashion-MNIST, half of it mirrored", CONV, Tamper(fed=flipped)),
    control("h29-fashion-batch-norm", "Fashion-MNIST, batch normalisation in G", replace(CONV, batch_norm=True)),
    control("h30-fashion-average", "Fashion-MNIST, average of G", replace(CONV, average=0.995)),
    control("h31-fashion-conditional", "Fashion-MNIST by class", replace(CONV, conditional=True)),
    control(
        "h32-fashion-smooth",
        "Fashion-MNIST, smooth labels, Adam (.5, .99)",
        replace(CONV, smooth=0.1, betas=(0.5, 0.99)),
    ),
    control("h33-fashion-uneven", "Fashion-MNIST, bags rare", replace(CONV, data=of(fashion, rare(8, 0.1)))),
    control("h34-mnist-r1", "MNIST, convolutions, R1", replace(CONV, data=mnist)),
    control("h35-mnist-hinge", "MNIST, convolutions, hinge, R1", replace(CONV, data=mnist, loss="hinge")),
    control("h36-mnist-coloured", "coloured MNIST, R1", replace(CONV, data=TINTED)),
    control("h37-mnist-least-squares", "MNIST, LSGAN, R1", replace(CONV, data=mnist, loss="least_squares")),
    control("h38-digits-conditional", "digits by class, R1", replace(DIGITS, conditional=True, r1=0.5)),
]
