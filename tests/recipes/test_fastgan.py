"""FastGAN: its parts against definitions, its sizes, what D draws, and of what."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from gansmith.batch import Batch
from gansmith.errors import ConfigError, DataError, SpecError
from gansmith.game import Game
from gansmith.nn.backbones import fastgan as net
from gansmith.nn.features.lpips import LPIPS
from gansmith.recipes import fastgan
from gansmith.recipes.base import Context
from gansmith.recipes.fastgan import FastGAN
from gansmith.spec import ImageSpec

TINY = FastGAN(latent=8, width=2, far=4, d_width=2, decoder_width=2, distance="l1", game=Game(loss="hinge"))


def count(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def batch_of(spec: ImageSpec, n: int = 4) -> Batch:
    return Batch(x=torch.rand(n, spec.channels, spec.size, spec.size) * 2 - 1)


@pytest.mark.parametrize("size", fastgan.SIZES)
@pytest.mark.parametrize("channels", [1, 3])
def test_shapes(size: int, channels: int) -> None:
    spec = ImageSpec(size=size, channels=channels)
    with torch.device("meta"):
        nets = replace(TINY, far=16).networks(spec)
        noises = [torch.empty(2, k, n, n) if k else None for k, n in nets.G.noises]
        x = nets.G(torch.empty(2, 8), noises)
        logits, middle, small = nets.D(x)
    assert x.shape == (2, channels, size, size)
    assert logits.shape == (2, 25)
    assert (middle.shape[-1], small.shape[-1]) == (16, 8)


@pytest.mark.parametrize("preset", [fastgan.paper, fastgan.small])
@pytest.mark.parametrize("size", [16, 256, 1024])
def test_presets_build(preset: Any, size: int) -> None:
    spec = ImageSpec(size=size)
    with torch.device("meta"):
        nets = replace(preset(spec), game=Game()).networks(spec)
    assert count(nets.G) > 0
    assert all(name not in ("perceptual", "distance") for name, _ in nets.D.named_parameters())


def test_papers_channels_and_gates() -> None:
    with torch.device("meta"):
        nets = replace(fastgan.paper(ImageSpec(size=1024)), game=Game()).networks(ImageSpec(size=1024))
    assert [d.norms[-1].num_features // 2 for d in nets.G.doublings] == [512, 256, 128, 128, 64, 32, 16, 8]
    assert [len(d.convs) for d in nets.G.doublings] == [2, 1] * 4
    assert list(nets.G.gates) == ["64", "128", "256", "512"]
    assert (nets.G.gates["512"].read.in_channels, nets.G.gates["512"].gate.out_channels) == (128, 16)
    assert [h.pooled[1].out_channels for h in nets.D.halvings] == [32, 64, 128, 256, 512]
    assert nets.D.head.weight.shape == (1, 1024, 4, 4)


def test_wrong_data_are_refused() -> None:
    with pytest.raises(SpecError, match="--size 32"):
        TINY.networks(ImageSpec(size=48))
    with pytest.raises(ConfigError, match=r"4 channels: set recipe\.distance=l1"):
        replace(TINY, distance="lpips").networks(ImageSpec(size=16, channels=4))


def test_gates_are_the_papers() -> None:
    torch.manual_seed(0)
    gate = net.SkipExcitation(3, 5).double()
    low, high = torch.randn(2, 3, 8, 8, dtype=torch.float64), torch.randn(2, 5, 32, 32, dtype=torch.float64)
    pooled = low.view(2, 3, 4, 2, 4, 2).mean((3, 5))
    hidden = torch.einsum("oiyx,biyx->bo", gate.read.weight, pooled)
    hidden = torch.where(hidden > 0, hidden, 0.1 * hidden)
    opened = 1 / (1 + torch.exp(-hidden @ gate.gate.weight[:, :, 0, 0].T))
    torch.testing.assert_close(gate(low, high), high * opened[:, :, None, None])


def test_doublings_are_as_defined() -> None:
    torch.manual_seed(0)
    block = net.Doubling(3, 4, layers=2, noisy=True).double()
    nn.init.normal_(block.strength)
    x, noise = torch.randn(2, 3, 4, 4, dtype=torch.float64), torch.randn(2, 2, 8, 8, dtype=torch.float64)
    h = x.repeat_interleave(2, 2).repeat_interleave(2, 3)
    for i in range(2):
        h = F.conv2d(h, block.convs[i].weight, padding=1) + block.strength[i] * noise[:, i : i + 1]
        h = (h - h.mean((0, 2, 3), keepdim=True)) / (h.var((0, 2, 3), correction=0, keepdim=True) + 1e-5).sqrt()
        h = h[:, :4] * torch.sigmoid(h[:, 4:])
    torch.testing.assert_close(block(x, noise), h)
    torch.testing.assert_close(block(x), block(x, torch.zeros_like(noise)))


def test_halvings_are_the_mean_of_two_ways() -> None:
    block = net.Halving(3, 4).eval().double()
    x = torch.randn(2, 3, 8, 8, dtype=torch.float64)
    scale = (1 + 1e-5) ** -0.5  # fresh batch normalisation, at evaluation

    def layer(h: torch.Tensor, conv: nn.Module, stride: int, pad: int) -> torch.Tensor:
        return F.leaky_relu(F.conv2d(h, conv.weight, stride=stride, padding=pad) * scale, 0.2)

    first = layer(layer(x, block.filtered[0], 2, 1), block.filtered[3], 1, 1)
    second = layer(x.view(2, 3, 4, 2, 4, 2).mean((3, 5)), block.pooled[1], 1, 0)
    torch.testing.assert_close(block(x), (first + second) / 2)


def test_crops_begin_where_they_are_told() -> None:
    x = torch.arange(2 * 8 * 8.0).view(2, 1, 8, 8)
    corner = torch.tensor([[0, 1], [2, 0]])
    assert torch.equal(net.cropped(x, 4, corner), torch.stack([x[0, :, 0:4, 1:5], x[1, :, 2:6, 0:4]]))
    assert torch.equal(net.cropped(x, 4, corner, step=2), torch.stack([x[0, :, 0:4, 2:6], x[1, :, 4:8, 0:4]]))


@pytest.mark.parametrize("distance", ["l1", "l2"])
def test_d_draws_all_of_a_picture_and_the_part_that_it_was_cropped_for(distance: Any) -> None:
    spec, recipe = ImageSpec(size=32), replace(TINY, distance=distance, reconstruction=3.0)
    nets, x = recipe.networks(spec), batch_of(spec)["x"]
    _, middle, small = nets.D(x)
    corner = torch.tensor([[0, 0], [8, 8], [3, 5], [8, 0]])
    found = recipe.drawn_again(nets.D, x, middle, small, corner, 4)
    whole = nets.D.draw_whole(small)
    parts = torch.stack([x[i, :, 2 * a : 2 * a + 16, 2 * b : 2 * b + 16] for i, (a, b) in enumerate(corner.tolist())])
    seen = torch.stack([middle[i, :, a : a + 8, b : b + 8] for i, (a, b) in enumerate(corner.tolist())])
    part = nets.D.draw_part(seen)
    assert (whole.shape, part.shape) == ((4, 3, 32, 32), (4, 3, 16, 16))
    unlike = {"l1": lambda a, b: (a - b).abs(), "l2": lambda a, b: (a - b) ** 2}[distance]
    wanted = 3 * (unlike(whole, x).mean((1, 2, 3)) + unlike(part, parts).mean((1, 2, 3)))
    torch.testing.assert_close(found, wanted)


def test_large_pictures_are_drawn_small() -> None:
    spec, recipe = ImageSpec(size=64), replace(TINY, drawn=16)
    nets, x = recipe.networks(spec), batch_of(spec)["x"]
    _, middle, small = nets.D(x)
    assert nets.D.draw_whole(small).shape[-1] == nets.D.draw_part(small[:, : middle.shape[1]]).shape[-1] == 16
    assert recipe.drawn_again(nets.D, x, middle, small, torch.zeros(4, 2, dtype=torch.int64), 4).shape == (4,)


def test_only_real_pictures_are_drawn_and_only_by_d() -> None:
    spec = ImageSpec(size=16, channels=1)
    torch.manual_seed(0)
    nets, batch = TINY.networks(spec), batch_of(spec)
    d, g = (TINY.phases()[name].loss(nets, batch, Context()) for name in "DG")
    assert set(d) == {"adv", "reconstruction"}
    assert set(g) == {"adv"}
    assert d["reconstruction"].shape == (4,)
    none = replace(TINY, reconstruction=0.0)
    assert set(none.phases()["D"].loss(nets, batch, Context())) == {"adv"}


def test_lpips_is_how_the_paper_compares_them(shared_data) -> None:
    spec = ImageSpec(size=64)
    recipe = replace(TINY, distance="lpips")
    nets, x = recipe.networks(spec), batch_of(spec, 2)["x"]
    assert bytes(nets.D.state_dict()["perceptual.sha256"].tolist()).decode() == LPIPS.digest
    assert not any("perceptual" in name for name, _ in nets.D.named_parameters())
    _, middle, small = nets.D(x)
    found = recipe.drawn_again(nets.D, x, middle, small, torch.zeros(2, 2, dtype=torch.int64), 2)
    lpips = LPIPS(shared_data / "weights")
    part = F.interpolate(x[:, :, :32, :32], (64, 64), mode="bilinear")
    drawn = F.interpolate(nets.D.draw_part(middle[:, :, :8, :8]), (64, 64), mode="bilinear")
    wanted = lpips(nets.D.draw_whole(small), x) + lpips(drawn, part)
    torch.testing.assert_close(found, wanted)
    found.sum().backward()
    assert nets.D.draw_part.to_picture.weight.grad.abs().sum() > 0
    assert recipe.optimizer("D", nets.D.parameters())


def test_without_the_weights_training_ends_before_it_begins(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("GANSMITH_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("GANSMITH_CACHE", str(tmp_path))
    recipe = replace(TINY, distance="lpips")
    nets = recipe.networks(ImageSpec(size=16))
    with pytest.raises(DataError, match=r"not on this machine[\s\S]*recipe\.distance=l1"):
        recipe.optimizer("D", nets.D.parameters())
    assert recipe.generate(nets, ImageSpec(size=16).request(2), Context())["x"].shape == (2, 3, 16, 16)


def test_noise_depends_on_the_row_alone() -> None:
    spec = ImageSpec(size=16)
    torch.manual_seed(0)
    nets = TINY.networks(spec)
    for doubling in nets.G.doublings:
        if doubling.strength is not None:
            nn.init.ones_(doubling.strength)
    nets.eval()
    whole = TINY.fake(nets, spec.request(6), Context(seed=3))
    parts = [TINY.fake(nets, spec.request(3, start=i), Context(seed=3, row=i)) for i in (0, 3)]
    torch.testing.assert_close(torch.cat(parts), whole)
    assert not torch.equal(TINY.fake(nets, spec.request(6), Context(seed=4)), whole)


def test_settings_of_the_paper() -> None:
    recipe = fastgan.paper(ImageSpec(size=256))
    assert (recipe.game.loss, recipe.game.spectral, recipe.distance) == ("hinge", "both", "lpips")
    assert (recipe.game.augment.kind, recipe.game.augment.diffaugment.cutout) == ("diffaugment", False)
    assert recipe.hyper("G", 0) == {"lr": 2e-4, "betas": (0.5, 0.999)}
    assert 0.5 ** (8 / recipe.half_life) == pytest.approx(0.999, abs=1e-6)
