"""WGAN-GP, SNGAN, SAGAN, BigGAN: their parts against definitions, their sizes against published ones."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gansmith.batch import Batch
from gansmith.errors import ConfigError, DataError, SpecError
from gansmith.game import Game
from gansmith.nn.attention import SelfAttention
from gansmith.nn.backbones.resnet import DownBlock, Projection, UpBlock
from gansmith.nn.norm import ConditionalBatchNorm2d, PerClass
from gansmith.pipelines.generate import Generator
from gansmith.recipes import biggan, sagan, sngan, wgan_gp
from gansmith.recipes.base import Context, Networks, Recipe
from gansmith.spec import ImageSpec

MODULES = {"wgan_gp": wgan_gp, "sngan": sngan, "sagan": sagan, "biggan": biggan}
TELLING = ("sngan", "sagan", "biggan")  # these heed classes
TEN, THOUSAND = tuple("0123456789"), tuple(map(str, range(1000)))


def count(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def built(module: ModuleType, preset: str, spec: ImageSpec) -> Networks:
    """Without spectral normalisation, whose first power iterations take long on "meta"; it adds no parameters."""
    with torch.device("meta"):
        return replace(getattr(module, preset)(spec), game=Game()).networks(spec)


def play(recipe: Recipe, spec: ImageSpec, n: int = 4) -> Networks:
    """Both phases once, each with a step of its optimizer; then pictures."""
    nets = recipe.networks(spec)
    batch = Batch(x=torch.rand(n, spec.channels, spec.size, spec.size) * 2 - 1)
    batch |= {"y": torch.arange(n) % len(spec.classes)} if spec.classes else {}
    for name, phase in recipe.phases().items():
        with nets.only(phase.trains) as params:
            losses = phase.loss(nets, batch, Context())
            assert all(v.shape == (n,) and v.isfinite().all() for v in losses.values())
            torch.stack([v.mean() for v in losses.values()]).sum().backward()
            assert all(p.grad is not None and p.grad.isfinite().all() for p in params)
            recipe.optimizer(name, params).step()
    x = recipe.generate(nets, spec.request(n), Context())["x"]
    assert x.shape == batch["x"].shape
    assert x.abs().max() <= 1
    return nets


@pytest.mark.parametrize(
    ("name", "size", "classes", "g", "d"),
    [
        ("sngan", 32, TEN, 4_304_387, 1_055_105),  # 4.30M and 1.06M in StudioGAN's table
        ("wgan_gp", 32, (), 1_204_483, 1_053_825),
        ("biggan", 32, TEN, 9_416_196, 2_415_170),  # 9.42M and 2.42M there
        ("biggan", 128, THOUSAND, 70_433_988, 87_982_370),  # of the authors' PyTorch version and of compare_gan
    ],
)
def test_papers_have_the_published_numbers_of_parameters(
    name: str, size: int, classes: tuple[str, ...], g: int, d: int
) -> None:
    nets = built(MODULES[name], "paper", ImageSpec(size=size, classes=classes))
    assert (count(nets.G), count(nets.D)) == (g, d)


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize("preset", ["paper", "small"])
def test_presets_build_at_every_size(name: str, preset: str) -> None:
    for size in MODULES[name].SIZES:
        spec = ImageSpec(size=size, channels=3, classes=TEN)
        nets = built(MODULES[name], preset, spec)
        recipe = getattr(MODULES[name], preset)(spec)
        x, y = torch.zeros(2, 3, size, size, device="meta"), torch.zeros(2, dtype=torch.int64, device="meta")
        latent = getattr(nets.G, "latent", 0) or recipe.latent
        assert nets.G(torch.zeros(2, latent, device="meta"), None if name == "wgan_gp" else y).shape == x.shape
        assert nets.D(x, y).shape == (2,)


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize(("channels", "classes"), [(1, ("a", "b")), (3, ()), (4, ())])
def test_small_presets_run_with_and_without_classes(name: str, channels: int, classes: tuple[str, ...]) -> None:
    spec = ImageSpec(size=16, channels=channels, classes=classes)
    narrow = {"width": 8, "widest": 8, "d_width": 8, "d_widest": 8}
    play(replace(MODULES[name].small(spec), **narrow), spec)


@pytest.mark.parametrize("name", MODULES)
def test_wrong_sizes_name_those_that_work(name: str) -> None:
    with pytest.raises(SpecError, match="makes: 16, 32"):
        MODULES[name].small(ImageSpec(size=48))


@pytest.mark.parametrize("name", TELLING)
def test_labels_are_heeded_and_missed(name: str) -> None:
    spec = ImageSpec(size=16, channels=1, classes=("a", "b"))
    recipe = replace(MODULES[name].small(spec), width=8, d_width=8)
    nets = recipe.networks(spec)
    for module in nets.G.modules():
        if isinstance(module, PerClass):
            nn.init.normal_(module.weight)
    a, b = (recipe.generate(nets, spec.request(1, label=c), Context())["x"] for c in "ab")
    assert not torch.equal(a, b)
    assert not torch.equal(nets.D(a, torch.tensor([0])), nets.D(a, torch.tensor([1])))
    with pytest.raises(DataError, match="2 classes"):
        recipe.judge(nets, a, Batch(x=a), Context())
    packed = replace(recipe, game=replace(recipe.game, pac=2))
    four = Batch(x=a.repeat(4, 1, 1, 1), y=torch.zeros(4, dtype=torch.int64))
    with pytest.raises(ConfigError, match="no-labels"):
        packed.phases()["D"].loss(packed.networks(spec), four, Context())


def test_up_block_is_its_definition() -> None:
    block = UpBlock(3, 5, ConditionalBatchNorm2d).double().eval()
    x = torch.randn(2, 3, 4, 4, dtype=torch.float64)

    def up(h: Tensor) -> Tensor:
        return h.repeat_interleave(2, 2).repeat_interleave(2, 3)

    h = block.conv1(up(F.relu(block.norm1(x, None))))
    wanted = block.conv2(F.relu(block.norm2(h, None))) + block.skip(up(x))
    torch.testing.assert_close(block(x, None), wanted)


@pytest.mark.parametrize(("halves", "first", "outputs"), [(True, True, 5), (True, False, 5), (False, False, 3)])
def test_down_block_is_its_definition(halves: bool, first: bool, outputs: int) -> None:
    block = DownBlock(3, 4, outputs, halves=halves, first=first).double()
    x = torch.randn(2, 3, 4, 4, dtype=torch.float64)

    def down(h: Tensor) -> Tensor:
        return h.unflatten(3, (-1, 2)).unflatten(2, (-1, 2)).mean((3, 5)) if halves else h

    wanted = down(block.conv2(F.relu(block.conv1(x if first else F.relu(x))))) + down(block.skip(x))
    torch.testing.assert_close(block(x), wanted)


def test_projection_is_its_definition() -> None:
    d = Projection(nn.Flatten(), 12, 3).double()
    x, y = torch.randn(4, 3, 2, 2, dtype=torch.float64), torch.tensor([0, 2, 1, 2])
    f = x.flatten(1)
    torch.testing.assert_close(d(x, y), d.head(f)[:, 0] + (f * d.embedding.weight[y]).sum(1))
    assert Projection(nn.Flatten(), 12, 0)(x.float()).shape == (4,)


@pytest.mark.parametrize("pooled", [False, True])
def test_attention_is_its_definition(pooled: bool) -> None:
    layer = SelfAttention(6, keys=2, values=3, pooled=pooled).double()
    x = torch.randn(2, 6, 4, 4, dtype=torch.float64, requires_grad=True)
    torch.testing.assert_close(layer(x), x)
    nn.init.constant_(layer.gamma, 0.7)
    query, key, value = (part(x) for part in (layer.query, layer.key, layer.value))
    if pooled:
        key, value = (t.unflatten(3, (2, 2)).unflatten(2, (2, 2)).amax((3, 5)) for t in (key, value))
    seen = torch.zeros(2, 3, 4, 4, dtype=torch.float64)
    for b in range(2):
        for i in range(4):
            for j in range(4):
                weight = torch.softmax((query[b, :, i, j, None, None] * key[b]).sum(0).flatten(), 0)
                seen[b, :, i, j] = (weight * value[b].flatten(1)).sum(1)
    torch.testing.assert_close(layer(x), x + 0.7 * layer.back(seen))
    assert torch.autograd.gradgradcheck(layer, (x[:1, :, :2, :2].detach().requires_grad_(),))


def test_attention_stands_where_the_papers_have_it() -> None:
    seen: list[int] = []
    for module, size, side, share in ((sagan, 128, 32, 8), (biggan, 128, 64, 2), (biggan, 32, 16, 2)):
        nets = built(module, "paper", ImageSpec(size=size))
        for net in (nets.G, nets.D):
            (layer,) = [m for m in net.modules() if isinstance(m, SelfAttention)]
            layer.register_forward_pre_hook(lambda _, given: seen.append(given[0].shape[2]))
            assert layer.value.out_channels == layer.query.in_channels // share
        nets.D(nets.G(torch.zeros(2, getattr(nets.G, "latent", 128), device="meta")))
        assert seen[-2:] == [side, side]


@pytest.mark.parametrize(("name", "players"), [("sngan", "D"), ("sagan", "GD"), ("biggan", "GD")])
def test_weights_are_normalised_spectrally(name: str, players: str) -> None:
    torch.manual_seed(0)
    spec = ImageSpec(size=16, channels=1, classes=("a", "b"))
    nets = replace(MODULES[name].small(spec), width=8, d_width=8).networks(spec)
    for player, net in nets.items():
        weights = [m.weight for m in net.modules() if isinstance(m, nn.Conv2d | nn.Linear | nn.Embedding)]
        top = torch.stack([torch.linalg.matrix_norm(w.detach().flatten(1), 2) for w in weights])
        assert (bool(((top - 1).abs() < 0.1).all())) == (player in players), (player, top)


def test_biggan_begins_orthogonal() -> None:
    spec = ImageSpec(size=16, classes=("a", "b"))
    nets = replace(biggan.small(spec), width=8, game=Game()).networks(spec)
    for module in nets.modules():
        if isinstance(module, nn.Conv2d | nn.Linear | nn.Embedding):
            w = module.weight.detach().flatten(1)
            gram = w @ w.T if len(w) <= w.shape[1] else w.T @ w
            torch.testing.assert_close(gram, torch.eye(len(gram)), atol=1e-5, rtol=0)


def test_biggan_hears_every_chunk_of_its_latent() -> None:
    spec = ImageSpec(size=32, channels=1, classes=("a", "b"))
    nets = biggan.small(spec).networks(spec)
    z, y = torch.randn(1, nets.G.latent), torch.tensor([1])
    assert nets.G.latent == 20 * 4
    nets.eval()
    base = nets.G(z, y)
    for i in range(4):
        moved = z.clone()
        moved[:, 20 * i] += 1
        assert not torch.equal(nets.G(moved, y), base)


def test_biggan_has_the_papers_channels_at_256_pixels() -> None:
    recipe = biggan.paper(ImageSpec(size=256))
    assert recipe.widths(256, 7, 96, 1536) == [96 * share for share in (1, 2, 4, 8, 8, 16, 16)]
    assert recipe.widths(256, 8, 96, 1000) == [96, 192, 384, 768, 768, 1000, 1000, 1000]
    assert recipe.widths(128, 6, 96, 1536) == [96 * share for share in (1, 2, 4, 8, 16, 16)]


def test_truncation_cuts_the_normal_distribution() -> None:
    z, bound = torch.randn(4000, 8), torch.full((4000,), 0.5)
    cut = biggan.truncated(z, bound)
    assert cut.abs().max() < 0.5
    # variance of a normal number within (-a, a): 1 - 2 a phi(a) / (2 Phi(a) - 1)
    a = torch.tensor(0.5)
    density, share = torch.exp(-a * a / 2) / (2 * torch.pi) ** 0.5, 2 * torch.special.ndtr(a) - 1
    torch.testing.assert_close(cut.var(), 1 - 2 * a * density / share, rtol=0.03, atol=0)
    order = z[:, 0].argsort()
    assert (cut[order, 0].diff() >= 0).all(), "each stays at its quantile"
    torch.testing.assert_close(biggan.truncated(z, torch.full((4000,), 9.0)), z, atol=1e-4, rtol=0)
    assert biggan.truncated(z[:2], torch.zeros(2)).abs().max() == 0


def test_truncated_biggan_varies_less() -> None:
    spec = ImageSpec(size=16, channels=1)
    recipe = replace(biggan.small(spec), width=8, widest=8, d_width=8)
    make = Generator(recipe.networks(spec).eval(), recipe, spec, "biggan")
    whole, cut = make(40).tensor, make(40, truncation=0.2).tensor
    assert cut.var(0).mean() > 0
    assert torch.equal(make(40).tensor, whole)
    z = Context(seed=1).randn(Batch(x=whole), make.nets.G.latent)
    low = biggan.truncated(z, torch.full((40,), 0.2))
    assert make.nets.G(low).var(0).mean() < make.nets.G(z).var(0).mean()


def test_schedules_are_the_papers() -> None:
    spec = ImageSpec(size=32)
    sn, sa, big = (m.paper(spec) for m in (sngan, sagan, biggan))
    assert [sn.hyper("D", s)["lr"] for s in (0, 3_200_000, 10**8)] == [2e-4, pytest.approx(1e-4), 0.0]
    assert [sa.hyper(p, 10**9)["lr"] for p in "GD"] == [1e-4, 4e-4]
    assert sa.hyper("G", 0)["betas"] == sn.hyper("D", 0)["betas"] == (0.0, 0.9)
    assert [big.half_life.at(s) for s in (0, 64_000, 64_001)] == [0.0, 0.0, 443_600.0]
    keeps = [0.5 ** (64 / 443_600), 0.5 ** (2048 / biggan.BigGAN().half_life)]
    assert keeps == pytest.approx([0.9999, 0.9999], abs=1e-7)
    assert [m.paper(spec).phases()["D"].repeats for m in (wgan_gp, sngan, sagan, biggan)] == [5, 5, 1, 5]


def test_wgan_gps_losses_are_the_papers() -> None:
    spec = ImageSpec(size=16, channels=1)
    recipe = replace(wgan_gp.paper(spec), width=4, widest=4, d_width=4, d_widest=4)
    nets, batch = recipe.networks(spec), Batch(x=torch.rand(6, 1, 16, 16) * 2 - 1)
    d, g = (phase.loss(nets, batch, Context()) for phase in recipe.phases().values())
    ctx = Context()
    fake = recipe.fake(nets, batch, ctx).detach()
    torch.testing.assert_close(d["adv"], nets.D(fake) - nets.D(batch["x"]))
    torch.testing.assert_close(g["adv"], -nets.D(fake))
    u = ctx.rand(batch).view(-1, 1, 1, 1)
    between = (u * batch["x"] + (1 - u) * fake).requires_grad_()
    (slope,) = torch.autograd.grad(nets.D(between).sum(), between)
    torch.testing.assert_close(d["gp"], 10 * (slope.flatten(1).norm(dim=1) - 1) ** 2)
    assert not [m for m in nets.D.modules() if isinstance(m, nn.BatchNorm2d)]
