"""LSGAN, WGAN, ACGAN: layers as the papers list them, losses, clipping, classes."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from gansmith.batch import Batch
from gansmith.errors import ConfigError, DataError, SpecError
from gansmith.game import Game
from gansmith.recipes import acgan, lsgan, wgan
from gansmith.recipes.base import Context, Networks, Recipe
from gansmith.spec import ImageSpec

MODULES = {"lsgan": lsgan, "wgan": wgan, "acgan": acgan}
TWO = ("a", "b")


def pictures(spec: ImageSpec, n: int = 4) -> Batch:
    return Batch(x=torch.rand(n, spec.channels, spec.size, spec.size) * 2 - 1, y=torch.arange(n) % 2)


def play(recipe: Recipe, spec: ImageSpec) -> Networks:
    """Both phases once, each with a step of its optimizer; then pictures."""
    nets, batch = recipe.networks(spec), pictures(spec)
    for name, phase in recipe.phases().items():
        with nets.only(phase.trains) as params:
            losses = phase.loss(nets, batch, Context())
            assert all(v.shape == (4,) and v.isfinite().all() for v in losses.values())
            torch.stack([v.mean() for v in losses.values()]).sum().backward()
            assert all(p.grad is not None for p in params)
            recipe.optimizer(name, params).step()
    x = recipe.generate(nets, spec.request(4), Context())["x"]
    assert x.shape == batch["x"].shape
    assert x.abs().max() <= 1
    return nets


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize(("size", "channels"), [(16, 3), (32, 1)])
def test_small_presets_run(name: str, size: int, channels: int) -> None:
    spec = ImageSpec(size=size, channels=channels, classes=TWO)
    play(replace(MODULES[name].small(spec), width=8), spec)


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize("preset", ["paper", "small"])
def test_presets_build_at_every_size(name: str, preset: str) -> None:
    for size in MODULES[name].SIZES:
        spec = ImageSpec(size=size, classes=TWO)
        recipe = getattr(MODULES[name], preset)(spec)
        with torch.device("meta"):
            nets = recipe.networks(spec)
        z, y = torch.zeros(2, recipe.latent, device="meta"), torch.zeros(2, dtype=torch.int64, device="meta")
        x = nets.G(z, y) if name == "acgan" else nets.G(z)
        assert x.shape == (2, 3, size, size)
        assert len(nets.D(x)) == 2


def test_wrong_sizes_name_those_that_work() -> None:
    for module, says in ((lsgan, "32 or 56"), (wgan, "32 or 64"), (acgan, "32 or 64")):
        with pytest.raises(SpecError, match=says):
            module.small(ImageSpec(size=48, classes=TWO))


def test_lsgan_has_the_papers_layers() -> None:
    spec = ImageSpec(size=112)
    with torch.device("meta"):
        nets = lsgan.paper(spec).networks(spec)
    ups = [(m.in_channels, m.out_channels, m.stride[0]) for m in nets.G.modules() if isinstance(m, nn.ConvTranspose2d)]
    assert ups == [(256, 256, 2), (256, 256, 1), (256, 256, 2), (256, 256, 1), (256, 128, 2), (128, 64, 2), (64, 3, 1)]
    assert nets.G.layers[0].weight.shape == (256 * 7 * 7, 1024)
    downs = [(m.in_channels, m.out_channels, m.kernel_size[0]) for m in nets.D.modules() if isinstance(m, nn.Conv2d)]
    assert downs == [(3, 64, 5), (64, 128, 5), (128, 256, 5), (256, 512, 5), (512, 1, 7)]


def test_lsgan_plays_least_squares() -> None:
    spec = ImageSpec(size=16, channels=1)
    recipe = replace(lsgan.small(spec), width=8)
    nets, batch = recipe.networks(spec), pictures(spec)
    d, g = (phase.loss(nets, batch, Context()) for phase in recipe.phases().values())
    fake = recipe.fake(nets, batch, Context())
    real_logit, fake_logit = nets.D(batch["x"]), nets.D(fake)
    torch.testing.assert_close(d["adv"], 0.5 * (real_logit - 1) ** 2 + 0.5 * fake_logit**2)
    torch.testing.assert_close(g["adv"], 0.5 * (fake_logit - 1) ** 2)


def test_wgan_is_the_papers() -> None:
    spec = ImageSpec(size=64)
    recipe = wgan.paper(spec)
    with torch.device("meta"):
        nets = recipe.networks(spec)
    downs = [m.out_channels for m in nets.D.modules() if isinstance(m, nn.Conv2d)]
    assert downs == [64, 128, 256, 512, 1]
    assert recipe.phases()["D"].repeats == 5
    optimizer = recipe.optimizer("D", [nn.Parameter(torch.zeros(1))])
    assert isinstance(optimizer, torch.optim.RMSprop)
    assert recipe.hyper("D", 0) == {"lr": 5e-5, "alpha": 0.99}


def test_wgan_clips_every_weight_of_d_and_none_of_g() -> None:
    spec = ImageSpec(size=16, channels=1)
    nets = play(replace(wgan.paper(spec), width=8), spec)
    assert max(float(p.detach().abs().max()) for p in nets.D.parameters()) <= 0.01
    assert max(float(p.detach().abs().max()) for p in nets.G.parameters()) > 0.5


def test_acgan_has_the_papers_layers() -> None:
    ten = tuple("0123456789")
    for size, widths in ((32, [384, 192, 96, 3]), (128, [768, 384, 256, 192, 64, 3])):
        spec = ImageSpec(size=size, classes=ten)
        with torch.device("meta"):
            nets = acgan.paper(spec).networks(spec)
        assert nets.G.start.weight.shape == (widths[0] * 16, 110)
        ups = [m for m in nets.G.modules() if isinstance(m, nn.ConvTranspose2d)]
        assert [m.out_channels for m in ups] == widths[1:]
        assert {m.kernel_size for m in ups} == {(5, 5)}
        downs = [(m.out_channels, m.stride[0]) for m in nets.D.modules() if isinstance(m, nn.Conv2d)]
        assert downs == [(16, 2), (32, 1), (64, 2), (128, 1), (256, 2), (512, 1)]


def test_acgans_losses_are_the_papers() -> None:
    spec = ImageSpec(size=16, channels=1, classes=TWO)
    recipe = replace(acgan.small(spec), width=24, share=0.5)
    nets, batch = recipe.networks(spec), pictures(spec)
    d, g = (phase.loss(nets, batch, Context()) for phase in recipe.phases().values())
    real, fake = nets.D(batch["x"]), nets.D(recipe.fake(nets, batch, Context()))

    def named(scores: torch.Tensor) -> torch.Tensor:
        return -F.log_softmax(scores[:, 1:], 1).gather(1, batch["y"][:, None])[:, 0]

    torch.testing.assert_close(d["adv"], F.softplus(-real[:, 0]) + F.softplus(fake[:, 0]))
    torch.testing.assert_close(d["class"], 0.5 * named(real))
    torch.testing.assert_close(d["class_fake"], 0.5 * named(fake))
    torch.testing.assert_close(g["adv"], F.softplus(-fake[:, 0]))
    torch.testing.assert_close(g["class"], 0.5 * named(fake))


def test_acgan_is_told_the_class_and_needs_it() -> None:
    spec = ImageSpec(size=16, channels=1, classes=TWO)
    nets = replace(acgan.small(spec), width=24).networks(spec)
    z = torch.randn(1, 100).expand(2, 100)
    nets.eval()
    a, b = nets.G(z, torch.tensor([0, 1]))
    assert not torch.equal(a, b)
    with pytest.raises(DataError, match="subfolder"):
        acgan.ACGAN().networks(ImageSpec(size=16))
    with pytest.raises(ConfigError, match="pac"):
        acgan.ACGAN(game=Game(pac=2)).networks(spec)
