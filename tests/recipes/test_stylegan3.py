"""StyleGAN3: sizes, Fourier features, and the equivariance that its layers are made for."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from gansmith.errors import ConfigError, SpecError
from gansmith.metrics.equivariance import Equivariance
from gansmith.nn.alias_free import Band
from gansmith.nn.backbones.stylegan3 import FourierFeatures
from gansmith.pipelines.generate import Generator as Made
from gansmith.pipelines.latents import latents
from gansmith.recipes import stylegan3
from gansmith.recipes.base import Context, Networks, sample, settle
from gansmith.recipes.stylegan3 import StyleGAN3
from gansmith.spec import ImageSpec

TINY = StyleGAN3(latent=6, style=5, layers=4, base=64, widest=8, margin=2, taps=4, label_depth=1)
SPEC = ImageSpec(size=16, channels=1)
LABELLED = replace(SPEC, classes=("a", "b", "c"))


def count(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def made(recipe: StyleGAN3 = TINY, spec: ImageSpec = SPEC) -> Networks:
    torch.manual_seed(0)
    nets = recipe.networks(spec)
    with torch.no_grad():
        for layer in nets.G.synthesis.layers:
            layer.bias.normal_(0, 0.3)
    return nets


def test_the_paper_s_generator_has_the_published_number_of_parameters() -> None:
    with torch.device("meta"):
        nets = StyleGAN3().networks(ImageSpec(size=1024))
    assert round(count(nets.G) / 1e6, 1) == 22.3  # configuration T
    assert nets.G.mapping.copies == 16
    assert count(nets.D) == 29_012_513  # StyleGAN2's


@pytest.mark.parametrize("preset", [stylegan3.paper, stylegan3.small])
@pytest.mark.parametrize(("size", "config"), [(16, "T"), (64, "R"), (512, "T")])
def test_presets_build(preset, size: int, config: str) -> None:
    spec = ImageSpec(size=size, classes=("a", "b"))
    recipe = replace(preset(spec), config=config)
    with torch.device("meta"):
        nets = recipe.networks(spec)
        y = torch.zeros(4, dtype=torch.int64)
        x = nets.G(torch.randn(4, recipe.latent), y)
        assert x.shape == (4, 3, size, size)
        assert nets.D(x, y).shape == (4,)


def test_presets_are_the_papers_settings() -> None:
    afhq = stylegan3.paper(ImageSpec(size=512))
    assert afhq.game.r1 == pytest.approx(8.2)
    assert stylegan3.paper(ImageSpec(size=256)).game.r1 == pytest.approx(8.2 / 4)
    assert set(afhq.phases()) == {"D", "penalty", "G"}
    assert afhq.hyper("G", 0)["lr"] == pytest.approx(2.5e-3)
    assert afhq.hyper("D", 0)["lr"] == pytest.approx(2e-3 * 16 / 17)


@pytest.mark.parametrize("config", ["T", "R"])
@pytest.mark.parametrize("channels", [1, 4])
@pytest.mark.parametrize("classes", [(), ("a", "b")])
def test_shapes(config: str, channels: int, classes: tuple[str, ...]) -> None:
    nets = made(replace(TINY, config=config), ImageSpec(size=32, channels=channels, classes=classes))
    z, y = torch.randn(2, 6), torch.tensor([0, 1]) if classes else None
    ws = nets.G.mapping(z, y)
    assert ws.shape == (2, 6, 5)  # the input, four layers and the last
    x = nets.G.synthesis(ws)
    assert x.shape == (2, channels, 32, 32)
    assert nets.D(x, y).shape == (2,)


def test_r_has_single_pixel_convolutions_of_twice_the_channels() -> None:
    t, r = (made(replace(TINY, config=config)).G.synthesis.layers for config in ("T", "R"))
    for one, two in zip(t, r, strict=True):
        assert two.conv.weight.shape[2:] == (1, 1)
        assert two.conv.weight.shape[1] == 2 * one.conv.weight.shape[1]
    assert t[0].conv.weight.shape[2:] == (3, 3)


def test_sizes_and_contradictions_are_refused() -> None:
    with pytest.raises(SpecError, match="32 or 64"):
        TINY.networks(ImageSpec(size=48))
    with pytest.raises(ConfigError, match="critical < layers, not: critical=4, layers=4"):
        replace(TINY, critical=4).networks(SPEC)
    with pytest.raises(ConfigError, match=r"game\.together"):
        replace(TINY, game=replace(TINY.game, together=True)).networks(SPEC)


def features() -> FourierFeatures:
    torch.manual_seed(0)
    return FourierFeatures(6, Band(rate=16, cutoff=2.0, width=6.0, canvas=20), 5).double()


def wave(layer: FourierFeatures, x: float, y: float) -> Tensor:
    """The mixed features at one place, in pictures from the centre."""
    place = torch.tensor([x, y], dtype=torch.float64)
    values = torch.sin(2 * math.pi * (layer.frequencies @ place + layer.phases))
    return layer.mix.weight[:, :, 0, 0] @ values * layer.mix.scale


def test_features_are_waves_within_the_band() -> None:
    layer = features()
    out = layer(torch.randn(2, 5, dtype=torch.float64))
    assert out.shape == (2, 6, 20, 20)
    assert float(layer.frequencies.norm(dim=1).max()) <= 2
    torch.testing.assert_close(out[0], out[1])  # styles begin without a say
    torch.testing.assert_close(out[0, :, 3, 15], wave(layer, (15 - 9.5) / 16, (3 - 9.5) / 16))


def test_transforms_move_the_features() -> None:
    """What was at A^-1 p is at p; a turn leads from x to y; the picture is two units wide."""
    layer, w = features(), torch.zeros(1, 5, dtype=torch.float64)
    a = 0.4
    transform = torch.tensor([[[math.cos(a), -math.sin(a), 0.3], [math.sin(a), math.cos(a), -0.1], [0, 0, 1]]])
    out = layer(w, transform.double())
    x, y = (12 - 9.5) / 16 * 2 - 0.3, (5 - 9.5) / 16 * 2 + 0.1
    back = (math.cos(a) * x + math.sin(a) * y) / 2, (-math.sin(a) * x + math.cos(a) * y) / 2
    torch.testing.assert_close(out[0, :, 5, 12], wave(layer, *back), rtol=1e-6, atol=1e-7)


def test_styles_turn_and_shift_the_features() -> None:
    layer, w = features(), torch.zeros(1, 5, dtype=torch.float64)
    with torch.no_grad():
        layer.affine.bias.copy_(torch.tensor([0.0, 2.0, 0.4, 0.2]))  # a quarter, by (0.2, 0.1) pictures
    x, y = (12 - 9.5) / 16 - 0.2, (5 - 9.5) / 16 - 0.1
    torch.testing.assert_close(layer(w)[0, :, 5, 12], wave(layer, y, -x), rtol=1e-6, atol=1e-7)


def test_waves_that_a_transform_lifts_above_the_rate_fade() -> None:
    layer, w = features(), torch.zeros(1, 5, dtype=torch.float64)
    tiny = torch.diag(torch.tensor([0.05, 0.05, 1.0], dtype=torch.float64))[None]
    fast = layer.frequencies.norm(dim=1) > 0.4  # these come to 8 cycles, half the rate, and more
    assert fast.any()
    with torch.no_grad():
        layer.mix.weight[:, ~fast] = 0
    assert float(layer(w, tiny).detach().abs().max()) == 0


@pytest.mark.parametrize(("config", "turns"), [("T", False), ("R", True)])
def test_layers_are_equivariant_whatever_their_weights(config: str, turns: bool) -> None:
    """Random networks, in dB: both follow shifts, R alone follows turns."""
    recipe = replace(TINY, config=config, layers=6, margin=6, taps=6, widest=16)
    spec = replace(SPEC, size=32)
    nets = made(recipe, spec)
    found = Equivariance(samples=8, batch=8).measure(latents(Made(nets, recipe, spec, "stylegan3")))
    assert found["eq_t"] > 55
    assert found["eq_t_frac"] > 45
    assert found["eq_r"] > 55 if turns else found["eq_r"] < 40


@torch.no_grad()
def test_moved_pictures_are_not_clamped() -> None:
    nets = made()
    nets.G.synthesis.layers[-1].bias.fill_(20.0)
    request = SPEC.request(2)
    assert float(TINY.generate(nets, request, Context())["x"].max()) == 1
    request["transform"] = torch.eye(3).expand(2, 3, 3)
    assert float(TINY.generate(nets, request, Context())["x"].max()) > 1


def test_magnitudes_follow_once_a_tick_and_divide_what_layers_see() -> None:
    nets = made()
    synthesis, ctx = nets.G.synthesis, Context(seed=3, samples=20_000)
    seen: list[Tensor] = []
    hooks = [layer.register_forward_pre_hook(lambda _, given: seen.append(given[0])) for layer in synthesis.layers]
    TINY.control(nets, {}, ctx)
    for hook in hooks:
        hook.remove()
    for layer, x in zip(synthesis.layers, seen, strict=True):
        torch.testing.assert_close(layer.magnitude, 0.5 + 0.5 * x.square().mean())  # half a half-life more: one
    before = {name: t.clone() for name, t in nets.state_dict().items()}
    nets.G(torch.randn(4, 6))
    TINY.control(nets, {}, ctx)  # no samples since
    assert all(torch.equal(t, before[name]) for name, t in nets.state_dict().items())


def test_the_magnitude_is_divided_out() -> None:
    """Twice as large inputs, of four times the mean square, give the same pictures."""
    layer = made().G.synthesis.layers[1].double()
    x, w = torch.randn(2, 8, 20, 20, dtype=torch.float64), torch.randn(2, 5, dtype=torch.float64)
    once = layer(x, w)
    layer.magnitude.fill_(4.0)
    torch.testing.assert_close(layer(2 * x, w), once)


def test_truncation_at_generation() -> None:
    nets = made(spec=LABELLED).eval()
    settle(TINY, nets, LABELLED)
    make = Made(nets, TINY, LABELLED, "stylegan3")
    x = make(3, label="b", truncation=0.0).tensor
    torch.testing.assert_close(x, x[:1].expand(3, -1, -1, -1))
    torch.testing.assert_close(make(3, truncation=1.0).tensor, make(3).tensor)
    assert torch.equal(sample(TINY, nets, LABELLED.request(3), seed=1)["x"], make(3, seed=1).tensor)


def test_a_bf16_pass_is_near() -> None:
    nets, z = made(), torch.randn(4, 6)
    with torch.autocast("cpu", torch.bfloat16):
        x = nets.G(z)
    wanted = nets.G(z).detach()
    assert float((x.detach().float() - wanted).abs().mean() / wanted.std()) < 0.02
