"""Maps of several scales: of every extractor, differentiable, and the same as what its features are made of."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from gansmith.errors import ConfigError
from gansmith.metrics.extractors import load_extractor, sees_imagenet
from gansmith.nn.features import dinov2
from gansmith.nn.features.maps import GivesMaps, fitted, looks, octaves, pyramid, scales


def seen(name: str, x: torch.Tensor) -> list[torch.Tensor]:
    extractor = load_extractor(name)
    assert isinstance(extractor, GivesMaps)
    return extractor.maps(x)


@pytest.mark.parametrize(
    ("name", "channels", "size", "sides", "widths"),
    [
        ("fashion", 1, 32, [32, 16, 8], [16, 64, 128]),
        ("fashion", 1, 64, [64, 32, 16], [16, 64, 128]),
        ("stacked:fashion", 1, 32, [32, 16, 8], [16, 64, 128]),
        ("random", 3, 32, [32, 16, 8], [80, 160, 160]),
    ],
)
def test_maps_of_what_comes_with_gansmith(name, channels, size, sides, widths) -> None:
    x = torch.rand(2, channels, size, size, requires_grad=True)
    found = seen(name, x)
    assert [f.shape[-1] for f in found] == sides
    assert [f.shape[1] for f in found] == widths
    (gradient,) = torch.autograd.grad(found[-1].sum(), x)
    assert gradient.isfinite().all()
    assert gradient.abs().sum() > 0


def test_the_last_maps_are_what_the_features_are_means_of() -> None:
    pixels = (torch.rand(3, 28, 28, 1) * 255).byte()
    x = pixels.permute(0, 3, 1, 2) / 255
    fashion = load_extractor("fashion")
    torch.testing.assert_close(fashion.maps(x)[-1].mean((2, 3)), fashion(pixels), rtol=1e-4, atol=1e-5)


def test_inceptions_maps(shared_data) -> None:
    inception = load_extractor("inception", weights=shared_data / "weights")
    pixels = (torch.rand(2, 299, 299, 3) * 255).byte()
    x = (pixels.permute(0, 3, 1, 2) / 255).requires_grad_()
    found = inception.maps(x)
    assert [tuple(f.shape[1:3]) for f in found] == [(192, 71), (288, 35), (768, 17), (2048, 8)]
    torch.testing.assert_close(found[-1].mean((2, 3)), inception(pixels), rtol=1e-3, atol=1e-4)
    (gradient,) = torch.autograd.grad(found[-1].sum(), x)
    assert gradient.abs().sum() > 0


def test_dinov2s_maps_are_a_pyramid(monkeypatch, tmp_path) -> None:
    monkeypatch.setitem(dinov2.SIZES, "tiny", dinov2.Size(16, 4, 2))
    monkeypatch.setenv("GANSMITH_WEIGHTS", str(tmp_path))
    net = dinov2.VisionTransformer(dinov2.Size(16, 4, 2))
    torch.save(net.state_dict(), tmp_path / "dinov2_tiny_pretrain.pth")
    found = seen("dinov2:tiny", torch.rand(1, 3, 32, 32))
    assert [tuple(f.shape[1:3]) for f in found] == [(16, 64), (16, 32), (16, 16), (16, 8)]


def test_the_last_tokens_are_those_that_the_transformer_ends_with() -> None:
    torch.manual_seed(0)
    net = dinov2.VisionTransformer(dinov2.Size(16, 4, 2), places=16).eval()
    nn.init.normal_(net.pos_embed)
    x, ends = torch.rand(2, 3, 56, 56), []
    net.norm.register_forward_hook(lambda _, given, __: ends.append(given[0][:, 1:]))
    with torch.no_grad():
        net(x)
        found = net.maps(x)
    assert len(found) == 4
    torch.testing.assert_close(found[-1].flatten(2).transpose(1, 2), ends[0])


def test_timms_maps(monkeypatch, tmp_path) -> None:
    timm = pytest.importorskip("timm")
    for name in ("tf_efficientnet_lite0", "vit_tiny_patch16_224"):
        net = timm.create_model(name, pretrained=False)
        torch.save(net.state_dict(), tmp_path / "w.pth")
        extractor = load_extractor(f"timm:{name}", weights=tmp_path / "w.pth")
        found = extractor.maps(torch.rand(1, 3, 64, 64))
        wanted = {"tf_efficientnet_lite0": [(24, 56), (40, 28), (112, 14), (320, 7)]}
        assert [tuple(f.shape[1:3]) for f in found] == wanted.get(name, [(192, 56), (192, 28), (192, 14), (192, 7)])


class Own(nn.Module):
    """A network of the user's: one activation for all layers, a head, and a layer that is never called."""

    def __init__(self, sees: int = 3) -> None:
        super().__init__()
        self.sees_imagenet = True
        self.stem = nn.Sequential(nn.Conv2d(sees, 4, 3, 2, 1), nn.Sequential(nn.BatchNorm2d(4), nn.ReLU(inplace=True)))
        self.body = nn.ModuleList([nn.Conv2d(4, 6, 3, 2, 1), nn.Conv2d(6, 8, 3, 2, 1)])
        self.second, self.third, self.act = self.body[0], self.body[1], nn.ReLU(inplace=True)
        self.head, self.unused = nn.Linear(8, 5), nn.Conv2d(1, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.act(self.second(self.stem(x)))
        x = self.act(self.third(x))
        return self.head(x.mean((2, 3)))


def test_maps_of_a_network_of_ones_own() -> None:
    net = Own().eval()
    extractor = load_extractor(net)
    assert isinstance(extractor, GivesMaps)
    assert (extractor.channels, extractor.sees_imagenet) == (3, True)
    x = torch.rand(2, 3, 32, 32)
    found = extractor.maps(x)
    with torch.no_grad():
        first = net.stem(x)
        second = net.second(first).relu()
        third = net.third(second).relu()
    for ours, theirs in zip(found, (first, second, third), strict=True):
        torch.testing.assert_close(ours, theirs)
    assert [f.shape[-1] for f in extractor.maps(torch.rand(1, 3, 64, 64))] == [32, 16, 8]


def test_a_network_that_gives_no_maps_is_refused() -> None:
    flat = nn.Sequential(nn.Flatten(), nn.Linear(3 * 64 * 64, 5))
    with pytest.raises(ConfigError, match="nothing in Sequential gives maps"):
        load_extractor(flat).maps(torch.rand(1, 3, 64, 64))


def test_branches_and_ways_up_are_left_out() -> None:
    net = nn.Sequential(
        nn.Conv2d(3, 2, 3, 2, 1), nn.Conv2d(2, 3, 3, 2, 1), nn.Upsample(scale_factor=2.0), nn.Conv2d(3, 4, 3, 4, 1)
    )
    assert scales(net, torch.rand(1, 3, 32, 32)) == [2, 3]


def test_octaves_are_the_last_of_each_scale() -> None:
    assert octaves([149, 147, 147, 73, 71, 35, 17, 8, 1]) == [4, 5, 6, 7]
    assert octaves([28, 28, 14, 14, 7]) == [1, 3, 4]
    assert octaves([1]) == []


@pytest.mark.parametrize(
    ("channels", "taken", "wanted"),
    [
        (1, 1, [[0]]),
        (3, 1, [[0], [1], [2]]),
        (4, 1, [[0], [1], [2], [3]]),
        (1, 3, [[0, 0, 0]]),
        (3, 3, [[0, 1, 2]]),
        (4, 3, [[0, 1, 2], [3, 3, 3]]),
    ],
)
def test_every_channel_is_looked_at(channels, taken, wanted) -> None:
    assert looks(channels, taken) == wanted
    assert {c for look in wanted for c in look} == set(range(channels))


def test_a_pyramid_halves() -> None:
    assert [x.shape[-1] for x in pyramid([torch.rand(1, 2, 16, 16)] * 4)] == [64, 32, 16, 8]


@pytest.mark.parametrize(
    ("name", "sees"),
    [
        ("fashion", False),
        ("random", False),
        ("stacked:fashion", False),
        ("inception", True),
        ("timm:resnet18", True),
        ("dinov2:vits14", True),
        ("stacked:inception", True),
        ("unheard_of", False),
    ],
)
def test_who_saw_imagenet_is_known_by_name(name, sees) -> None:
    assert sees_imagenet(name) is sees


@pytest.mark.parametrize("side", [4, 8, 16])
def test_pictures_are_fitted_and_constant_ones_stay_so(side) -> None:
    x = torch.full((1, 3, 8, 8), 0.3, requires_grad=True)
    found = fitted(x, side)
    assert found.shape == (1, 3, side, side)
    torch.testing.assert_close(found, torch.full_like(found, 0.3))
    assert torch.autograd.grad(found.sum(), x)[0].abs().sum() > 0
