"""StyleGAN2: the published sizes, its parts against their definitions, its phases."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from gansmith.batch import Batch
from gansmith.errors import ConfigError, DataError, SpecError
from gansmith.game import Game
from gansmith.pipelines.generate import Generator as Made
from gansmith.recipes import stylegan2
from gansmith.recipes.base import Context, Networks, sample, settle
from gansmith.recipes.stylegan2 import StyleGAN2
from gansmith.schedule import at
from gansmith.spec import ImageSpec

TEN = tuple("abcdefghij")
TINY = StyleGAN2(latent=6, style=5, depth=2, base=64, widest=8, label_depth=1)
SPEC = ImageSpec(size=16, channels=1)
LABELLED = replace(SPEC, classes=("a", "b", "c"))


def count(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def made(recipe: StyleGAN2 = TINY, spec: ImageSpec = SPEC, seed: int = 0) -> Networks:
    torch.manual_seed(seed)
    nets = recipe.networks(spec)
    with torch.no_grad():
        for layer in nets.G.synthesis.layers:
            layer.strength.fill_(0.3)
    return nets


@pytest.mark.parametrize(
    ("recipe", "spec", "g", "d"),
    [
        (StyleGAN2(), ImageSpec(size=1024), 30_370_060, 29_012_513),  # configuration F
        (stylegan2.paper(ImageSpec(size=32)), ImageSpec(size=32, classes=TEN), 20_214_803, 23_089_152),  # 20.2M, 21-23M
    ],
    ids=["ffhq", "cifar"],
)
def test_paper_has_the_published_numbers_of_parameters(recipe: StyleGAN2, spec: ImageSpec, g: int, d: int) -> None:
    with torch.device("meta"):
        nets = recipe.networks(spec)
    assert (count(nets.G), count(nets.D)) == (g, d)


@pytest.mark.parametrize("preset", [stylegan2.paper, stylegan2.small])
@pytest.mark.parametrize("size", [16, 64, 1024])
def test_presets_build(preset, size: int) -> None:
    spec = ImageSpec(size=size, classes=TEN)
    recipe = preset(spec)
    with torch.device("meta"):
        nets = recipe.networks(spec)
        x = nets.G(torch.randn(4, recipe.latent), torch.zeros(4, dtype=torch.int64))
        assert x.shape == (4, 3, size, size)
        assert nets.D(x, torch.zeros(4, dtype=torch.int64)).shape == (4,)


def test_presets_are_the_papers_settings() -> None:
    large, cifar = stylegan2.paper(ImageSpec(size=256)), stylegan2.paper(ImageSpec(size=32))
    assert large.game.r1 == pytest.approx(0.4096)
    assert (large.base, large.depth, large.mixing, large.path_length, large.residual) == (16384, 8, 0.9, 2.0, True)
    assert set(large.phases()) == {"D", "penalty", "G", "path"}
    assert large.hyper("path", 0)["lr"] == pytest.approx(2.5e-3 * 4 / 5)
    assert large.hyper("D", 0)["lr"] == pytest.approx(2.5e-3 * 16 / 17)
    assert (cifar.game.r1, cifar.depth, cifar.mixing, cifar.group, cifar.residual) == (0.01, 2, 0.0, 32, False)
    assert set(cifar.phases()) == {"D", "penalty", "G"}
    assert [at(cifar.ema["G"], n) for n in (1_000_000, 50_000_000)] == pytest.approx([50_000, 500_000])


@pytest.mark.parametrize("classes", [(), ("a", "b")])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_shapes(classes: tuple[str, ...], channels: int) -> None:
    nets = made(spec=ImageSpec(size=32, channels=channels, classes=classes))
    z, y = torch.randn(4, 6), torch.tensor([0, 1, 1, 0]) if classes else None
    ws = nets.G.mapping(z, y)
    assert ws.shape == (4, 8, 5)
    x = nets.G.synthesis(ws)
    assert x.shape == (4, channels, 32, 32)
    assert torch.equal(x, nets.G(z, y))
    assert nets.D(x, y).shape == (4,)


def test_labels_that_are_missing_are_an_error() -> None:
    nets = made(spec=LABELLED)
    with pytest.raises(DataError, match=r"3 classes.*no labels"):
        nets.G(torch.randn(2, 6))


def test_sizes_and_contradictions_are_refused() -> None:
    with pytest.raises(SpecError, match="32 or 64"):
        TINY.networks(ImageSpec(size=48))
    with pytest.raises(ConfigError, match=r"game\.together"):
        replace(TINY, game=Game(together=True)).networks(SPEC)


def test_the_mapping_sees_directions_alone() -> None:
    mapping = made().G.mapping
    z = torch.randn(3, 6)
    torch.testing.assert_close(mapping(z), mapping(7 * z))
    assert torch.equal(mapping(z)[:, 0], mapping(z)[:, -1])


def test_truncation_goes_to_the_mean_of_the_class() -> None:
    nets = made(spec=LABELLED)
    mapping, z, y = nets.G.mapping, torch.randn(3, 6), torch.tensor([0, 2, 1])
    mapping.w_avg.normal_()
    plain, psi = mapping(z, y)[:, 0], torch.tensor([1.0, 0.0, 0.25])
    cut = mapping(z, y, psi)[:, 0]
    torch.testing.assert_close(cut[0], plain[0])
    torch.testing.assert_close(cut[1], mapping.w_avg[2])
    torch.testing.assert_close(cut[2], mapping.w_avg[1] + 0.25 * (plain[2] - mapping.w_avg[1]))


@pytest.mark.parametrize("spec", [SPEC, LABELLED], ids=["plain", "classes"])
def test_settling_measures_the_mean_style_of_each_class(spec: ImageSpec) -> None:
    nets = made(spec=spec)
    settle(TINY, nets, spec)
    centres, mapping = nets.G.mapping.w_avg.clone(), nets.G.mapping
    for y, centre in enumerate(centres):
        z = torch.randn(20_000, 6)
        ws = mapping(z, torch.full((20_000,), y) if spec.classes else None)[:, 0]
        assert float((centre - ws.mean(0)).detach().norm() / ws.detach().std(0).norm()) < 0.15
    settle(TINY, nets, spec)
    assert torch.equal(nets.G.mapping.w_avg, centres)


def test_mixing_takes_late_layers_from_the_second_latent() -> None:
    g, z, second = made().G, torch.randn(3, 6), torch.randn(3, 6)
    mixed = g.styles(z, None, second, torch.tensor([1, 4, 6]))
    one, two = g.mapping(z), g.mapping(second)
    for row, switch in enumerate((1, 4, 6)):
        assert torch.equal(mixed[row, :switch], one[row, :switch])
        assert torch.equal(mixed[row, switch:], two[row, switch:])


def test_styles_are_mixed_for_the_share_asked_for() -> None:
    nets, batch = made(), Batch(x=torch.zeros(2000, 1))
    switch = TINY._mixed(nets, batch, Context())["switch"]
    assert float((switch < 6).float().mean()) == pytest.approx(0.9, abs=0.03)
    assert sorted(switch.unique().tolist()) == [1, 2, 3, 4, 5, 6]
    assert replace(TINY, mixing=0.0)._mixed(nets, batch, Context()) == {}


def test_noise_is_constant_at_evaluation_and_fresh_in_training() -> None:
    nets, request, batch = made(), SPEC.request(4), Batch(x=torch.zeros(4, 1, 16, 16))
    one, again, other = (sample(TINY, nets, request, seed=seed)["x"] for seed in (1, 1, 2))
    assert torch.equal(one, again)
    assert not torch.allclose(one, other)
    plain = replace(TINY, mixing=0.0)
    z = Context(seed=5).randn(batch, 6)
    assert not torch.allclose(plain.fake(nets, batch, Context(seed=5)), nets.G(z))
    assert torch.equal(plain.fake(nets, batch, Context(seed=5)), plain.fake(nets, batch, Context(seed=5)))


def test_noise_stands_in_the_sum_before_the_activation() -> None:
    layer, x, w = made().G.synthesis.layers[0].double(), torch.randn(2, 8, 4, 4).double(), torch.randn(2, 5).double()
    noise = torch.randn(2, 1, 4, 4, dtype=torch.float64)
    y, left = layer.conv(x, w)
    wanted = 2**0.5 * nn.functional.leaky_relu(y * left + 0.3 * noise + layer.bias[:, None, None], 0.2)
    torch.testing.assert_close(layer(x, w, noise), wanted, rtol=1e-6, atol=1e-7)


def test_truncation_at_generation() -> None:
    nets = made(spec=LABELLED).eval()
    settle(TINY, nets, LABELLED)
    make = Made(nets, TINY, LABELLED, "stylegan2")
    centre = nets.G.synthesis(nets.G.mapping.w_avg[1][None, None].expand(1, 6, 5)).detach().clamp(-1, 1)
    torch.testing.assert_close(make(3, label="b", truncation=0.0).tensor, centre.expand(3, -1, -1, -1))
    torch.testing.assert_close(make(3, truncation=1.0).tensor, make(3).tensor)


def test_pictures_add_up_over_the_sizes() -> None:
    """With all but the first output switched off, what is left is that output, doubled twice."""
    g = made().G.double()
    ws = torch.randn(2, 6, 5, dtype=torch.float64)
    with torch.no_grad():
        for late in g.synthesis.to_picture[1:]:
            late.conv.weight.zero_()
    x = g.synthesis.layers[0](g.synthesis.constant.expand(2, -1, -1, -1), ws[:, 0], None)
    first = g.synthesis.to_picture[0](x, ws[:, 1])
    wanted = g.synthesis.enlarge[1](g.synthesis.enlarge[0](first))
    torch.testing.assert_close(g.synthesis(ws), wanted)


def test_path_lengths_by_finite_differences() -> None:
    """J^T y is the slope of sum(G(w) y) along each number of w; its length is the mean's over layers."""
    recipe = replace(TINY, mixing=0.0)
    nets, batch = made(recipe).double(), Batch(x=torch.zeros(2, 1, 16, 16, dtype=torch.float64))
    ctx = Wide(seed=3)
    losses = recipe.path_loss(nets, batch, ctx)
    ctx = Wide(seed=3)
    ws = nets.G.styles(ctx.randn(batch, 6)).detach().clone()
    noise = recipe._noise(nets, batch, ctx)
    y = ctx.randn(batch, 1, 16, 16) / 16
    slopes = torch.zeros_like(ws)
    for i in range(ws.shape[1]):
        for j in range(ws.shape[2]):
            step = torch.zeros_like(ws)
            step[:, i, j] = 1e-5
            apart = nets.G.synthesis(ws + step, noise) - nets.G.synthesis(ws - step, noise)
            slopes[:, i, j] = (apart * y).sum((1, 2, 3)).detach() / 2e-5
    lengths = slopes.square().sum(2).mean(1).sqrt()
    torch.testing.assert_close(losses["path"].detach(), 2.0 * 4 * lengths.square(), rtol=1e-5, atol=1e-9)


class Wide(Context):
    """A context of float64."""

    def _by_row(self, *given) -> Tensor:
        return super()._by_row(*given).double()


def test_the_mean_path_length_follows_once_a_tick() -> None:
    nets = made()
    for step, length in ((40, 2.0), (80, 3.0)):
        TINY.control(nets, {"path/length": length}, Context(step=step))
    keep = 0.99**10
    assert float(nets.G.path_mean) == pytest.approx(keep * (1 - keep) * 2 + (1 - keep) * 3, rel=1e-5)
    losses = TINY.path_loss(nets, Batch(x=torch.zeros(2, 1, 16, 16)), ctx := Context())
    assert set(losses) == {"path"}
    (length,) = ctx.figures["length"]
    assert math.isfinite(float(length))


def test_micro_batches_see_the_same_noise() -> None:
    nets, x = made(), torch.rand(8, 1, 16, 16) * 2 - 1
    for name, phase in TINY.phases().items():
        whole = phase.loss(nets, Batch(x=x), Context(seed=3))
        parts = [phase.loss(nets, Batch(x=x[i : i + 4]), Context(seed=3, row=i)) for i in (0, 4)]
        for term, value in whole.items():
            torch.testing.assert_close(torch.cat([p[term] for p in parts]), value, rtol=1e-4, atol=1e-5, msg=name)


def test_a_residual_block_is_its_definition() -> None:
    block = made().D.blocks[0].double()
    x = torch.randn(2, 4, 16, 16, dtype=torch.float64)
    leaky = lambda x: 2**0.5 * nn.functional.leaky_relu(x, 0.2)  # noqa: E731
    conv = nn.functional.conv2d
    y = leaky(conv(x, block.first.weight / (4 * 9) ** 0.5, padding=1))
    y = leaky(conv(block.smooth(y), block.second.weight / (4 * 9) ** 0.5, stride=2))
    past = conv(block.past[0](x), block.past[1].weight / 4**0.5)
    torch.testing.assert_close(block(x), (y + past) / 2**0.5, rtol=1e-6, atol=1e-7)


def test_d_projects_onto_the_label() -> None:
    d, x = made(spec=LABELLED).D, torch.randn(2, 1, 16, 16)
    heard: list[Tensor] = []
    d.head.register_forward_hook(lambda *given: heard.append(given[2]))
    logits = d(x, torch.tensor([0, 1]))
    towards = d.perceptron(d.labels(torch.tensor([0, 1])))
    torch.testing.assert_close(logits, (heard[0] * towards).sum(1) / 5**0.5)


def test_a_bf16_pass_is_near() -> None:
    nets, z = made(), torch.randn(4, 6)
    with torch.autocast("cpu", torch.bfloat16):
        x = nets.G(z)
        logits = nets.D(x)
    wanted = nets.G(z).detach()
    assert float((x.detach().float() - wanted).abs().mean() / wanted.std()) < 0.02
    assert logits.isfinite().all()


def test_noise_can_be_left_out() -> None:
    recipe = replace(TINY, noise=False, mixing=0.0)
    torch.manual_seed(0)
    nets, batch = recipe.networks(SPEC), Batch(x=torch.zeros(4, 1, 16, 16))
    assert nets.G.synthesis.sizes == []
    assert not any("noise" in name or "strength" in name for name in nets.G.state_dict())
    torch.testing.assert_close(recipe.fake(nets, batch, Context()), nets.G(Context().randn(batch, 6)))
