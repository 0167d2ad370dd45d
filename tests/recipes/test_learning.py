"""Learning on four pictures: a bright quarter of a dark 16 x 16 square. All recipes find all four."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from gansmith.batch import Batch
from gansmith.recipes import cgan, dcgan, gan, r3gan
from gansmith.recipes.base import Context, Networks, Recipe, fold
from gansmith.spec import ImageSpec

SPEC = ImageSpec(size=16, channels=1, classes=("0", "1", "2", "3"))
RECIPES: dict[str, Callable[[], Recipe]] = {
    "r3gan": lambda: r3gan.small(SPEC),
    "dcgan": lambda: dcgan.small(SPEC),
    "gan": lambda: gan.small(SPEC),
    "cgan": lambda: cgan.small(SPEC),
}


def quarters(y: Tensor) -> Tensor:
    x = torch.full((len(y), 1, 16, 16), -1.0)
    for i, corner in enumerate(y.tolist()):
        x[i, 0, 8 * (corner // 2) :, 8 * (corner % 2) :][:8, :8] = 1
    return x


def train(recipe: Recipe, steps: int, batch: int = 32) -> Networks:
    """The trainer in its barest form."""
    torch.manual_seed(0)
    nets, phases = recipe.networks(SPEC), recipe.phases()
    players = {p.trains: recipe.optimizer(n, nets[p.trains[0]].parameters()) for n, p in reversed(phases.items())}
    optimizers = {n: players[p.trains] for n, p in phases.items()}
    for step in range(steps):
        for n, (name, phase) in enumerate(phases.items()):
            if not phase.due(step, step * batch):
                continue
            y = torch.randint(0, 4, (batch,))
            ctx = Context(seed=fold(step, n), step=step, samples=step * batch)
            with nets.only(phase.trains):
                losses = phase.loss(nets, Batch(x=quarters(y), y=y), ctx)
                optimizers[name].zero_grad()
                sum(v.mean() for v in losses.values()).backward()
            optimizers[name].param_groups[0].update(recipe.hyper(name, ctx.samples))
            optimizers[name].step()
    return nets.eval()


def made_by(name: str, steps: int) -> tuple[Tensor, Batch]:
    """Distances (400, 4) of generated pictures from each quarter, and the pictures."""
    recipe = RECIPES[name]()
    nets = train(recipe, steps)
    with torch.no_grad():
        made = recipe.generate(nets, SPEC.request(400), Context(seed=1))
    return torch.stack([(made["x"] - q).abs().mean((1, 2, 3)) for q in quarters(torch.arange(4))], 1), made


@pytest.mark.slow
def test_r3gan_learns_all_four_quarters_and_obeys_labels() -> None:
    distance, made = made_by("r3gan", 500)
    nearest = distance.argmin(1)
    assert (distance.amin(1) < 0.3).float().mean() > 0.8, "few pictures look like a quarter"
    assert (nearest.bincount(minlength=4) > 20).all(), f"quarters found: {nearest.bincount(minlength=4).tolist()}"
    assert (nearest == made["y"]).float().mean() > 0.9, "labels are not obeyed"


@pytest.mark.slow
def test_dcgan_learns_all_four_quarters() -> None:
    """Many pictures stay mixtures: batch normalisation sees four pictures only. An untrained G scores 0."""
    distance, _ = made_by("dcgan", 500)
    near = distance.amin(1) < 0.3
    assert near.float().mean() > 0.4
    assert (distance.argmin(1)[near].bincount(minlength=4) > 20).all()


@pytest.mark.slow
def test_gan_learns_all_four_quarters() -> None:
    distance, _ = made_by("gan", 1500)
    found = distance.argmin(1).bincount(minlength=4)
    assert (distance.amin(1) < 0.3).float().mean() > 0.7, "few pictures look like a quarter"
    assert (found > 20).all(), f"quarters found: {found.tolist()}"


@pytest.mark.slow
def test_cgan_learns_all_four_quarters_and_obeys_labels() -> None:
    distance, made = made_by("cgan", 500)
    assert (distance.amin(1) < 0.3).float().mean() > 0.9, "few pictures look like a quarter"
    assert (distance.argmin(1) == made["y"]).float().mean() > 0.95, "labels are not obeyed"
