"""GAN, DCGAN and CGAN: sizes, losses, dropout, presets."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from gansmith.batch import Batch
from gansmith.errors import DataError, SpecError
from gansmith.game import Game, Solver
from gansmith.nn.maxout import Maxout, drop
from gansmith.recipes import cgan, dcgan, gan
from gansmith.recipes.base import Context, Networks, Recipe
from gansmith.spec import ImageSpec

MODULES = {"gan": gan, "dcgan": dcgan, "cgan": cgan}
TWO = ("a", "b")


def count(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def g_loss(recipe: Recipe, nets: Networks, batch: Batch) -> dict[str, torch.Tensor]:
    return recipe.phases()["G"].loss(nets, batch, Context())


def play(recipe: Recipe, spec: ImageSpec, n: int = 4) -> Networks:
    """Both phases once, each with a step of its optimizer; then pictures."""
    nets = recipe.networks(spec)
    batch = Batch(x=torch.rand(n, spec.channels, spec.size, spec.size) * 2 - 1, y=torch.arange(n) % 2)
    for name, phase in recipe.phases().items():
        with nets.only(phase.trains) as params:
            optimizer = recipe.optimizer(name, params)
            losses = phase.loss(nets, batch, Context())
            assert all(v.shape == (n,) and v.isfinite().all() for v in losses.values())
            sum(v.mean() for v in losses.values()).backward()
            assert all(p.grad is not None for p in params)
            optimizer.param_groups[0].update(recipe.hyper(name, 1000))
            optimizer.step()
    x = recipe.generate(nets, spec.request(n), Context())["x"]
    assert x.shape == batch["x"].shape
    assert x.abs().max() <= 1
    return nets


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [16, 32])
def test_small_presets_run(name: str, channels: int, size: int) -> None:
    spec = ImageSpec(size=size, channels=channels, classes=TWO)
    play(MODULES[name].small(spec), spec)


@pytest.mark.parametrize("name", ["gan", "cgan"])
def test_mlp_papers_run_on_28_pixels(name: str) -> None:
    spec = ImageSpec(size=28, channels=1, classes=TWO)
    play(MODULES[name].paper(spec), spec)


def test_dcgan_paper_has_the_papers_channels() -> None:
    spec = ImageSpec(size=64)
    recipe = dcgan.paper(spec)
    assert recipe.widths(64) == [1024, 512, 256, 128]
    assert recipe.widths(32) == [512, 256, 128]
    with torch.device("meta"):
        nets = recipe.networks(spec)
    sides = [(m.in_channels, m.out_channels) for m in nets.D.modules() if isinstance(m, nn.Conv2d)]
    assert sides == [(3, 128), (128, 256), (256, 512), (512, 1024), (1024, 1)]
    assert nets.G(torch.randn(2, 100, device="meta")).shape == (2, 3, 64, 64)


@pytest.mark.parametrize("size", dcgan.SIZES)
@pytest.mark.parametrize("kernel", [4, 5])
def test_dcgan_shapes(size: int, kernel: int) -> None:
    recipe = dcgan.DCGAN(width=4, latent=8, kernel=kernel)
    nets = recipe.networks(ImageSpec(size=size, channels=1))
    x = nets.G(torch.randn(2, 8))
    assert x.shape == (2, 1, size, size)
    assert nets.D(x).shape == (2,)


def test_dcgan_initial_weights() -> None:
    torch.manual_seed(0)
    nets = dcgan.DCGAN(width=16).networks(ImageSpec(size=32))
    weights = torch.cat([m.weight.flatten() for m in nets.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)])
    assert weights.std().item() == pytest.approx(0.02, rel=0.02)
    scales = torch.cat([m.weight for m in nets.modules() if isinstance(m, nn.BatchNorm2d)])
    assert scales.mean().item() == pytest.approx(1, abs=0.01)


def test_mlps_have_the_papers_layers() -> None:
    spec = ImageSpec(size=28, channels=1, classes=tuple("abcdefghij"))
    g = gan.GAN().networks(spec)
    assert count(g.G) == (100 + 1) * 1200 + 1201 * 1200 + 1201 * 784
    assert count(g.D) == 785 * 1200 + 241 * 1200 + 241
    c = cgan.CGAN().networks(spec)
    assert count(c.G) == 101 * 200 + 11 * 1000 + 1201 * 1200 + 1201 * 784
    assert count(c.D) == 785 * 240 * 5 + 11 * 50 * 5 + 291 * 240 * 4 + 241


@pytest.mark.parametrize(
    ("name", "size", "says"),
    [("dcgan", 48, "32 or 64"), ("dcgan", 256, "--size 128"), ("gan", 4, "--size 8"), ("cgan", 200, "8 to 128")],
)
def test_wrong_sizes_name_those_that_work(name: str, size: int, says: str) -> None:
    spec = ImageSpec(size=size, classes=TWO)
    for preset in (MODULES[name].paper, MODULES[name].small):
        with pytest.raises(SpecError, match=says):
            preset(spec).networks(spec)


def test_cgan_needs_classes() -> None:
    with pytest.raises(DataError, match="subfolder"):
        cgan.CGAN().networks(ImageSpec(size=16))


def test_cgan_obeys_the_label() -> None:
    nets = cgan.CGAN(width=18).networks(ImageSpec(size=8, channels=1, classes=TWO))
    z = torch.randn(1, 100).expand(2, 100)
    a, b = nets.G(z, torch.tensor([0, 1]))
    assert not torch.equal(a, b)


def test_saturating_g_plays_minimax() -> None:
    spec = ImageSpec(size=8, channels=1)
    recipe = gan.GAN(width=8, units=4, irange=0.5)
    nets, batch = recipe.networks(spec), Batch(x=torch.zeros(3, 1, 8, 8))
    non, minimax = (g_loss(r, nets, batch)["adv"] for r in (recipe, replace(recipe, game=Game(loss="minimax"))))
    torch.testing.assert_close(torch.exp(minimax) + torch.exp(-non), torch.ones(3))  # 1 - s and s


def test_adam_is_an_option_and_sgd_has_momentum() -> None:
    parameters = [nn.Parameter(torch.zeros(2))]
    assert isinstance(gan.GAN().optimizer("G", parameters), torch.optim.SGD)
    assert isinstance(gan.GAN(solver=Solver()).optimizer("G", parameters), torch.optim.Adam)
    later = gan.GAN().hyper("G", 10_000_000)
    assert later["lr"] == pytest.approx(0.1 * 1.000004**-100_000)
    assert 0.5 < later["momentum"] < 0.7
    assert cgan.CGAN().hyper("G", 10**9)["lr"] == 1e-6


@pytest.mark.parametrize("name", ["gan", "cgan"])
def test_r1_is_a_phase_of_its_own_where_it_has_a_weight(name: str) -> None:
    spec = ImageSpec(size=8, channels=1, classes=TWO)
    small = MODULES[name].small(spec)
    assert "penalty" not in MODULES[name].paper(spec).phases()
    phase = small.phases()["penalty"]
    assert (phase.trains, phase.every, phase.second_order) == (("D",), small.game.penalty_every, ("D",))
    nets, batch = small.networks(spec), Batch(x=torch.rand(2, 1, 8, 8), y=torch.tensor([0, 1]))
    r1 = phase.loss(nets, batch, Context())["r1"]
    x = batch["x"].clone().requires_grad_()
    (slope,) = torch.autograd.grad((nets.D(x) if name == "gan" else nets.D(x, batch["y"])).sum(), x)
    weight = small.game.r1 / 2 * small.game.penalty_every
    torch.testing.assert_close(r1, weight * slope.square().sum((1, 2, 3)))


def test_small_cgan_hears_the_label_as_loudly_as_the_picture() -> None:
    spec = ImageSpec(size=16, channels=1, classes=TWO)
    nets, x, y = cgan.small(spec).networks(spec), torch.rand(64, 1, 16, 16) * 2 - 1, torch.arange(64) % 2
    pieces = nets.D.of_x.linear(x.flatten(1)), nets.D.of_y.linear(torch.eye(2)[y])
    of_x, of_y = (p.std().item() for p in pieces)
    assert 0.5 < of_y / of_x < 3


def test_maxout_is_the_largest_piece() -> None:
    layer = Maxout(3, 4, 5)
    x = torch.randn(2, 3)
    pieces = x @ layer.linear.weight.T + layer.linear.bias
    torch.testing.assert_close(layer(x), pieces.view(2, 4, 5).max(2).values)


def test_dropout_keeps_the_share_and_the_mean() -> None:
    x = torch.ones(50, 1000)
    y = drop(x, 0.8, torch.rand(50, 1000))
    assert (y > 0).float().mean().item() == pytest.approx(0.8, abs=0.01)
    assert y.mean().item() == pytest.approx(1, abs=0.02)
    assert drop(x, 0.8, None) is x


def test_dropout_is_the_same_for_a_row_in_parts() -> None:
    recipe, spec = gan.GAN(width=8, units=8, irange=0.5), ImageSpec(size=8, channels=1)
    nets, x = recipe.networks(spec), torch.rand(6, 1, 8, 8) * 2 - 1
    whole = recipe.phases()["D"].loss(nets, Batch(x=x), Context(seed=2))["adv"]
    parts = [recipe.phases()["D"].loss(nets, Batch(x=x[i : i + 3]), Context(seed=2, row=i))["adv"] for i in (0, 3)]
    torch.testing.assert_close(torch.cat(parts), whole)
