"""R3GAN: the paper's sizes, its losses, its schedules."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch import nn

from gansmith.batch import Batch
from gansmith.cli.options import COUNT
from gansmith.config import to_dict
from gansmith.errors import DataError, SpecError
from gansmith.game import Solver
from gansmith.recipes import r3gan
from gansmith.recipes.base import Context, Networks
from gansmith.recipes.r3gan import R3GAN, relativistic
from gansmith.schedule import Cosine, at
from gansmith.spec import ImageSpec, Spec

TEN = tuple("abcdefghij")
TINY = R3GAN(width=16, wide_until=8, group=8, blocks=1, latent=8)


def count(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize(
    ("spec", "g", "d"),
    [
        (ImageSpec(size=32, classes=TEN), 20.78, 21.28),  # CIFAR-10
        (ImageSpec(size=64), 22.43, 22.38),  # FFHQ-64: 22.4M both
        (ImageSpec(size=256), 23.06, 23.01),  # FFHQ-256
    ],
)
def test_paper_has_the_published_numbers_of_parameters(spec: ImageSpec, g: float, d: float) -> None:
    with torch.device("meta"):
        nets = r3gan.paper(spec).networks(spec)
    assert round(count(nets.G) / 1e6, 2) == g
    assert round(count(nets.D) / 1e6, 2) == d


@pytest.mark.parametrize(("size", "g", "d"), [(32, 82.9, 86.6), (64, 103.6, 107.2)])
def test_paper_takes_imagenets_settings_for_a_thousand_classes(size: int, g: float, d: float) -> None:
    spec = ImageSpec(size=size, classes=tuple(map(str, range(1000))))
    recipe = r3gan.paper(spec)
    with torch.device("meta"):
        nets = recipe.networks(spec)
    assert count(nets.G) / 1e6 == pytest.approx(g, abs=0.1)
    assert count(nets.D) / 1e6 == pytest.approx(d, abs=0.1)
    assert {m.groups for m in nets.G.modules() if isinstance(m, nn.Conv2d) and m.kernel_size == (3, 3)} == {96}
    end = 200_000_000
    assert (at(recipe.game.r1, 0), at(recipe.game.r2, end)) == {32: (0.5, 0.05), 64: (1.0, 0.1)}[size]
    assert (at(recipe.game.augment.p, 0), at(recipe.game.augment.p, end)) == (0.0, {32: 0.5, 64: 0.4}[size])
    assert at(recipe.ema["G"], end) == 50e6
    assert recipe.hyper("D", end // 2)["lr"] == pytest.approx(1.25e-4)


@pytest.mark.parametrize(("size", "classes"), [(128, 1000), (32, 999)])
def test_other_data_keep_their_settings(size: int, classes: int) -> None:
    recipe = r3gan.paper(ImageSpec(size=size, classes=tuple(map(str, range(classes)))))
    assert (recipe.width, at(recipe.game.r1, 0)) == (768, r3gan.PAPER[size][0])


@pytest.mark.parametrize("size", r3gan.SIZES)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("classes", [(), ("a", "b")])
@pytest.mark.parametrize("patch", [1, 2])
def test_shapes(size: int, channels: int, classes: tuple[str, ...], patch: int) -> None:
    spec, recipe = ImageSpec(size=size, channels=channels, classes=classes), replace(TINY, patch=patch)
    nets = recipe.networks(spec)
    y = torch.tensor([0, 1]) if classes else None
    x = nets.G(torch.randn(2, 8), y)
    assert x.shape == (2, channels, size, size)
    assert nets.D(x, y).shape == (2,)


@pytest.mark.parametrize("preset", [r3gan.paper, r3gan.small])
@pytest.mark.parametrize("size", [16, 64, 256])
def test_presets_build(preset, size: int) -> None:
    spec = ImageSpec(size=size, classes=TEN)
    with torch.device("meta"):
        nets = preset(spec).networks(spec)
        assert nets.D(nets.G(torch.randn(2, 64), torch.zeros(2, dtype=torch.int64)), torch.tensor([0, 1])).shape == (2,)


def test_small_runs_both_phases_and_generates() -> None:
    spec = ImageSpec(size=32, channels=1)
    recipe = r3gan.small(spec)
    nets, batch = recipe.networks(spec), Batch(x=torch.rand(4, 1, 32, 32) * 2 - 1)
    for phase in recipe.phases().values():
        losses = phase.loss(nets, batch, Context())
        assert all(v.shape == (4,) and v.isfinite().all() for v in losses.values())
    x = recipe.generate(nets, spec.request(4), Context())["x"]
    assert x.shape == (4, 1, 32, 32)
    assert x.abs().max() <= 1


def test_wrong_sizes_name_the_neighbours() -> None:
    with pytest.raises(SpecError, match="16, 32, 64, 128, 256") as error:
        TINY.networks(ImageSpec(size=48))
    assert "32 or 64" in str(error.value)
    with pytest.raises(SpecError, match="--size 256"):
        TINY.networks(ImageSpec(size=512))


def test_only_pictures() -> None:
    class OtherSpec(Spec):
        kind = "other"
        bounds = request = decode = write = preview = None

    with pytest.raises(SpecError, match="other"):
        TINY.networks(OtherSpec())


def test_labels_that_are_missing_are_an_error() -> None:
    nets = TINY.networks(ImageSpec(size=16, classes=("a", "b")))
    with pytest.raises(DataError, match="labels"):
        nets.G(torch.randn(2, 8))


class Linear(nn.Module):
    """D(x) = w . x: its gradient is w everywhere."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.randn(4))

    def forward(self, x: torch.Tensor, y: torch.Tensor | None = None) -> torch.Tensor:
        return x.flatten(1) @ self.w


class Constant(nn.Module):
    """G(z) = 0 but for a gradient."""

    def forward(self, z: torch.Tensor, y: torch.Tensor | None = None) -> torch.Tensor:
        return z[:, :4].view(-1, 1, 2, 2) * 0


def loss(
    phase: str, recipe: R3GAN, nets: Networks, batch: Batch, ctx: Context | None = None
) -> dict[str, torch.Tensor]:
    return recipe.phases()[phase].loss(nets, batch, ctx or Context())


def test_losses_are_the_papers() -> None:
    nets, recipe = Networks({"G": Constant(), "D": Linear()}), replace(TINY, game=relativistic(3.0))
    batch, w = Batch(x=torch.randn(5, 1, 2, 2)), nets.D.w
    difference = batch["x"].flatten(1) @ w
    losses = loss("D", recipe, nets, batch)
    torch.testing.assert_close(losses["adv"], torch.nn.functional.softplus(-difference))
    torch.testing.assert_close(losses["r1"], (1.5 * w.square().sum()).expand(5))
    torch.testing.assert_close(losses["r2"], losses["r1"])
    torch.testing.assert_close(loss("G", recipe, nets, batch)["adv"], torch.nn.functional.softplus(difference))


def test_lazy_penalties_keep_their_weight() -> None:
    nets, batch = Networks({"G": Constant(), "D": Linear()}), Batch(x=torch.randn(5, 1, 2, 2))
    lazy = replace(TINY, game=relativistic(3.0, every=4))
    totals = [loss("D", lazy, nets, batch, Context(step=s)) for s in range(4)]
    assert [set(t) for t in totals] == [{"adv", "r1", "r2"}] + [{"adv"}] * 3
    every = loss("D", replace(TINY, game=relativistic(3.0)), nets, batch)
    torch.testing.assert_close(totals[0]["r1"], 4 * every["r1"])


def test_leak_bounds_the_pictures_and_keeps_a_gradient() -> None:
    spec = ImageSpec(size=16)
    torch.manual_seed(0)
    plain = replace(TINY, patch=2).networks(spec).G
    leaky = replace(TINY, patch=2, leak=0.05).networks(spec).G
    leaky.load_state_dict(plain.state_dict())
    z = torch.randn(8, 8) * 5
    x, y = plain(z), leaky(z)
    assert x.abs().max() > 2
    torch.testing.assert_close(y[x.abs() < 1], x[x.abs() < 1])
    far = x > 1
    torch.testing.assert_close(y[far], 1 + 0.05 * (x[far] - 1))
    (gradient,) = torch.autograd.grad(y[far].sum(), leaky.to_patches.weight)
    assert gradient.abs().sum() > 0


def test_schedules_reach_the_optimizer_as_floats() -> None:
    recipe = r3gan.paper(ImageSpec(size=32, classes=TEN))
    halfway = recipe.hyper("D", 10_000_000)
    assert halfway["lr"] == pytest.approx(1.25e-4)
    assert halfway["betas"][1] == pytest.approx(0.945)
    assert at(recipe.game.r1, 10_000_000) == pytest.approx(0.0275)
    assert at(recipe.ema["G"], 10_000_000) == pytest.approx(2.5e6)
    assert at(recipe.game.augment.p, 10_000_000) == pytest.approx(0.275)
    constant = replace(recipe, solver=Solver(lr=1, beta2=0.99)).hyper("G", 5)
    assert [type(v) for v in (constant["lr"], *constant["betas"])] == [float] * 3


def test_the_page_on_games_shows_the_schedule_that_its_command_gives() -> None:
    page = (Path(__file__).parents[2] / "docs" / "games.md").read_text(encoding="utf-8")
    shown = yaml.safe_load(re.findall(r"```yaml\n(.*?)```", page, re.S)[0])
    made = to_dict(r3gan.paper(ImageSpec(size=32, classes=TEN)))
    assert_within(shown["recipe"]["fields"], made)
    (command,) = (line for line in page.splitlines() if "cifar10.npz --recipe r3gan" in line)
    asked = dict(pairwise(shlex.split(command)))
    assert (asked["--preset"], asked["--size"]) == ("paper", "32")
    assert COUNT.convert(asked["--batch"], None, None) == shown["train"]["batch"]
    assert COUNT.convert(asked["--samples"], None, None) == shown["train"]["samples"]
    assert asked["--precision"] == shown["train"]["precision"]


def assert_within(shown: dict[str, Any], made: dict[str, Any]) -> None:
    for name, value in shown.items():
        if isinstance(value, dict) and "kind" in value and "over" in value:
            assert {k: float(v) for k, v in value.items() if k != "kind"} == pytest.approx(
                {k: v for k, v in made[name].items() if k != "kind"}
            )
            assert value["kind"] == made[name]["kind"]
        elif isinstance(value, dict):
            assert_within(value, made[name])
        else:
            assert value == made[name], name


def test_initial_network_is_the_identity_in_its_blocks() -> None:
    nets = TINY.networks(ImageSpec(size=16))
    block = nets.G.layers[0]
    x = torch.randn(2, 16, 4, 4)
    assert torch.equal(block(x), x)


def test_augmented_losses_are_reproducible_by_row() -> None:
    spec = ImageSpec(size=16, channels=3)
    recipe = replace(TINY, game=relativistic(0.05, Cosine(0.5, 0.9, 100)))
    torch.manual_seed(0)
    nets, x = recipe.networks(spec), torch.rand(6, 3, 16, 16) * 2 - 1
    whole = recipe.phases()["D"].loss(nets, Batch(x=x), Context(seed=3))
    parts = [recipe.phases()["D"].loss(nets, Batch(x=x[i : i + 3]), Context(seed=3, row=i)) for i in (0, 3)]
    for name, value in whole.items():
        torch.testing.assert_close(torch.cat([p[name] for p in parts]), value, rtol=1e-4, atol=1e-5)
