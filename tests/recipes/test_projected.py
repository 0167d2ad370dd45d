"""Projected GAN: eyes that never learn, mixing against its definition, one judge a scale, and what a model keeps."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from gansmith import checkpoint
from gansmith.batch import Batch
from gansmith.errors import CheckpointError, ConfigError, DataError
from gansmith.game import Game
from gansmith.metrics.extractors import load_extractor
from gansmith.nn.backbones.projected import Blind, Eyes, Mixing, ProjectedDiscriminator
from gansmith.nn.features.maps import GivesMaps
from gansmith.pipelines.generate import load
from gansmith.recipes import projected
from gansmith.recipes.base import Context
from gansmith.recipes.projected import Projected
from gansmith.spec import ImageSpec
from gansmith.testing import Noise
from gansmith.training.config import TrainConfig
from gansmith.training.runtime import Runtime
from gansmith.training.trainer import Trainer

TINY = Projected(extractor="fashion", latent=8, width=2, far=4, d_width=4, game=Game(loss="hinge", spectral="D"))
SPEC = ImageSpec(size=16)


def count(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


@pytest.fixture(scope="module")
def fashion() -> Any:
    return load_extractor("fashion")


@pytest.mark.parametrize("size", [16, 32, 64])
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("extractor", ["fashion", "random"])
def test_shapes(size: int, channels: int, extractor: str) -> None:
    spec, recipe = ImageSpec(size=size, channels=channels), replace(TINY, extractor=extractor)
    nets = recipe.networks(spec)
    x = nets.G(torch.randn(2, 8))
    assert x.shape == (2, channels, size, size)
    seen = size if extractor == "fashion" else 32  # the random networks shrink what they are shown
    assert nets.D(x).shape == (2, 3 * (seen // 8) ** 2)


def test_grey_eyes_see_every_colour(fashion: GivesMaps) -> None:
    eyes, x = Eyes(fashion, 16, 3), torch.rand(2, 3, 16, 16) * 2 - 1
    whole = eyes(x)
    assert eyes.widths == [3 * w for w in (16, 64, 128)]
    for i in range(3):
        for all_of, alone in zip(whole, fashion.maps((x[:, i : i + 1] + 1) / 2), strict=True):
            torch.testing.assert_close(all_of.chunk(3, 1)[i], alone)


def test_packs_are_looked_at_picture_by_picture(fashion: GivesMaps) -> None:
    eyes, x = Eyes(fashion, 16, 1, pictures=2), torch.rand(2, 2, 16, 16)
    one = Eyes(fashion, 16, 1)
    for pair, first, second in zip(eyes(x), one(x[:, :1]), one(x[:, 1:]), strict=True):
        torch.testing.assert_close(pair, torch.cat((first, second), 1))


def test_mixing_is_as_defined() -> None:
    torch.manual_seed(0)
    mixing = Mixing([3, 5, 7], 2).double()
    maps = [torch.randn(2, w, n, n, dtype=torch.float64) for w, n in ((3, 9), (5, 4), (7, 2))]
    h: Any = None
    for i in (2, 1, 0):
        across, between = getattr(mixing, f"across{i}"), getattr(mixing, f"between{i}")
        assert across.shape == (2 * 2**i, maps[i].shape[1], 1, 1)
        mixed = torch.einsum("oi,bihw->bohw", across[:, :, 0, 0], maps[i])
        mixed = mixed if h is None else mixed + F.interpolate(h, mixed.shape[-2:], mode="bilinear")
        h = F.conv2d(mixed, between, padding=1)
        torch.testing.assert_close(mixing(maps)[i], h)
    assert mixing.widths == [2, 2, 4]


def test_mixing_keeps_the_variance() -> None:
    torch.manual_seed(0)
    mixed = Mixing([64], 256)([torch.randn(4, 64, 16, 16)])[0]
    assert float(mixed[..., 1:-1, 1:-1].var()) == pytest.approx(1, abs=0.1)
    assert not list(Mixing([4], 4).parameters())


def test_judges_are_the_papers() -> None:
    """Of features of 64, 32, 16 and 8 pixels: 4, 3, 2, 1 halvings, 512 channels at the end, 4 x 4 logits each."""

    class Four:
        name, digest, channels, sees_imagenet = "four", "00", 3, False

        def maps(self, x: torch.Tensor) -> list[torch.Tensor]:
            return [F.adaptive_avg_pool2d(x, n) for n in (64, 32, 16, 8)]

    d = ProjectedDiscriminator(Eyes(Four(), 64, 3), 64)
    widths = [[m.out_channels for m in judge if isinstance(m, nn.Conv2d)] for judge in d.judges]
    assert widths == [[64, 128, 256, 512, 1], [128, 256, 512, 1], [256, 512, 1], [512, 1]]
    assert d(torch.rand(2, 3, 64, 64)).shape == (2, 4 * 16)


def test_the_extractor_never_learns_and_is_not_counted(fashion: GivesMaps) -> None:
    nets = TINY.networks(SPEC)
    eyes = {id(p) for p in nets.D.eyes.frozen.net.parameters()}
    assert len(eyes) > 10
    assert not eyes & {id(p) for p in nets.parameters()}
    assert all(name.startswith("judges") for name, _ in nets.D.named_parameters())
    state = nets.D.state_dict()
    assert {name.split(".")[0] for name in state} == {"eyes", "mixing", "judges"}
    assert [name for name in state if name.startswith("eyes")] == ["eyes.frozen.sha256"]
    assert bytes(state["eyes.frozen.sha256"].tolist()).decode() == fashion.digest
    assert {"mixing.across0", "mixing.between2"} <= set(state), "random filters are kept, as nothing else knows them"
    before = [p.clone() for p in nets.D.eyes.frozen.net.parameters()]
    batch = Batch(x=torch.rand(4, 3, 16, 16) * 2 - 1)
    for name in "DG":
        with nets.only((name,)) as params:
            losses = TINY.phases()[name].loss(nets, batch, Context())
            losses["adv"].mean().backward()
            assert all(p.grad is not None and p.grad.isfinite().all() for p in params)
            TINY.optimizer(name, params).step()
    assert all(torch.equal(a, b) for a, b in zip(before, nets.D.eyes.frozen.net.parameters(), strict=True))


def test_hinge_is_of_every_judge_by_itself() -> None:
    torch.manual_seed(0)
    nets, batch = TINY.networks(SPEC), Batch(x=torch.rand(4, 3, 16, 16) * 2 - 1)
    nets.eval()
    found = TINY.phases()["D"].loss(nets, batch, Context())["adv"]
    r, f = nets.D(batch["x"]), nets.D(TINY.fake(nets, batch, Context()))
    torch.testing.assert_close(found, (1 - r).relu().mean(1) + (1 + f).relu().mean(1))


def test_presets_count_on_meta(shared_data: Path) -> None:
    recipe = replace(projected.paper(SPEC), extractor="inception", game=Game())
    with torch.device("meta"):
        nets = recipe.networks(ImageSpec(size=256))
        small = replace(projected.small(ImageSpec(size=256)), game=Game()).networks(ImageSpec(size=256))
        other = replace(recipe, extractor="random").networks(ImageSpec(size=256))
    assert [judge[0].in_channels for judge in nets.D.judges] == [64, 64, 128, 256]
    assert next(nets.D.eyes.frozen.net.parameters()).is_meta
    assert count(small.D) < count(nets.D)
    assert count(nets.G) == count(other.G)


def test_settings_of_the_paper() -> None:
    recipe = projected.paper(ImageSpec(size=256))
    assert (recipe.extractor, recipe.sees_imagenet) == ("timm:tf_efficientnet_lite1.in1k", True)
    assert (recipe.game.loss, recipe.game.augment.kind, recipe.layers) == ("hinge", "diffaugment", 1)
    assert recipe.hyper("D", 0) == {"lr": 2e-4, "betas": (0.0, 0.99)}
    small = {channels: projected.small(ImageSpec(size=32, channels=channels)) for channels in (1, 3)}
    assert {channels: found.extractor for channels, found in small.items()} == {1: "fashion", 3: "random"}
    assert not any(found.sees_imagenet for found in small.values())
    assert replace(recipe, extractor="inception").sees_imagenet


def test_whoever_only_generates_needs_no_extractor(monkeypatch: Any, tmp_path: Path) -> None:
    monkeypatch.setenv("GANSMITH_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("GANSMITH_CACHE", str(tmp_path))
    recipe = replace(TINY, extractor="dinov2:vits14")
    nets = recipe.networks(SPEC)
    assert isinstance(nets.D, Blind)
    assert recipe.generate(nets, SPEC.request(2), Context())["x"].shape == (2, 3, 16, 16)
    for asked in (lambda: nets.D(torch.zeros(1, 3, 16, 16)), nets.D.state_dict, lambda: recipe.optimizer("D", [])):
        with pytest.raises(DataError, match="dinov2_vits14"):
            asked()


def test_a_packed_generator_needs_none_either(monkeypatch: Any, tmp_path: Path) -> None:
    run = trained(TINY, tmp_path / "run")
    make = load(run)
    packed = make.save(tmp_path / "packed")
    assert not list(packed.glob("D*"))

    def absent(name: str) -> Any:
        raise DataError("it is not here")

    monkeypatch.setattr(projected, "load_extractor", absent)
    assert torch.equal(load(packed)(3, seed=1).tensor, make(3, seed=1).tensor)
    with pytest.raises(DataError, match="it is not here"):
        load(run)


def test_a_run_goes_on_only_with_the_eyes_that_it_began_with(monkeypatch: Any, tmp_path: Path) -> None:
    run = trained(TINY, tmp_path / "run")
    folder, _ = checkpoint.newest(run)
    assert "eyes.frozen.sha256" in checkpoint.read_tensors(folder, "D")
    assert sum(v.numel() for v in checkpoint.read_tensors(folder, "D").values()) < 40_000
    others = load_extractor("fashion")
    others.digest = "ba9876543210"
    monkeypatch.setattr(projected, "load_extractor", lambda name: others)
    with pytest.raises(CheckpointError, match=r"the extractor fashion .* others"):
        load(run)


def trained(recipe: Projected, out: Path) -> Path:
    config = TrainConfig(batch=8, samples=16)
    Trainer(recipe, Noise(SPEC), config, out=out, recipe_name="projected", runtime=Runtime(1, "cpu")).fit()
    return out


@pytest.mark.parametrize(
    ("extractor", "error"),
    [("inceptoin", "Did you mean 'inception'"), ("my.py:Net", "loading a model runs no code"), ("dinov2:x", "known")],
)
def test_extractors_that_cannot_be(extractor: str, error: str) -> None:
    with pytest.raises(ConfigError, match=error):
        replace(TINY, extractor=extractor).networks(SPEC)


class Net(nn.Module):
    """A network of the user's."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.first, self.second = nn.Conv2d(3, 4, 3, 2, 1), nn.Conv2d(4, 8, 3, 2, 1)
        for p in self.parameters():
            p.data = torch.randn(p.shape, generator=generator) * 0.3

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(self.first(x).relu()).mean((2, 3))


@dataclass(frozen=True, kw_only=True)
class Mine(Projected):
    """A recipe of the user's, whose D looks through a network of the user's."""

    def looker(self) -> GivesMaps:
        found: Any = load_extractor(Net())
        return found


def test_any_network_will_do() -> None:
    recipe = Mine(**{name: getattr(TINY, name) for name in ("latent", "width", "far", "d_width", "game")})
    nets = recipe.networks(SPEC)
    assert nets.D.eyes.widths == [4, 8]
    losses = recipe.phases()["G"].loss(nets, Batch(x=torch.rand(2, 3, 16, 16)), Context())
    losses["adv"].mean().backward()
    assert nets.G.to_picture.weight.grad.abs().sum() > 0


def test_an_extractor_without_maps_is_refused(monkeypatch: Any) -> None:
    class Plain:
        name, resize, digest, dim = "plain", "none", "00", 1

    monkeypatch.setattr(projected, "load_extractor", lambda name: Plain())
    with pytest.raises(ConfigError, match="gives no maps"):
        TINY.networks(SPEC)
