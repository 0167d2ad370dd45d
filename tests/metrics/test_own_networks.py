"""A user's own network as an extractor, from memory or from a file; one classifier that looks at stacked pictures."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from gansmith.errors import ConfigError, DataError
from gansmith.metrics.base import Extractor
from gansmith.metrics.extractors import load_extractor
from gansmith.metrics.featurecache import real_features
from gansmith.nn.features.module import ModuleExtractor

from .test_extractors import pictures


def convolutions(channels: int = 3) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(channels, 6, 3, stride=2), nn.BatchNorm2d(6), nn.ReLU())


def test_any_network_becomes_an_extractor_that_says_what_it_is():
    net = convolutions()
    found = load_extractor(net)
    assert isinstance(found, Extractor)
    assert (found.name, found.resize, found.dim, len(found.digest)) == ("sequential", "none", 6, 12)
    pixels = pictures(5, 20, 3)
    wanted = net.eval()(pixels.permute(0, 3, 1, 2) / 255).mean((2, 3))
    assert (found(pixels) - wanted).abs().max() < 1e-6
    assert found(pixels[:0]).shape == (0, 6)
    net[0].weight.data += 1
    assert load_extractor(net).digest != found.digest


def test_the_network_itself_is_left_as_it_was():
    net = convolutions()
    found = load_extractor(net)
    assert net.training
    assert all(p.requires_grad for p in net.parameters())
    net[0].weight.data += 1
    assert not torch.equal(found.net[0].weight, net[0].weight)


@pytest.mark.parametrize("channels", [1, 3])
def test_colours_are_fitted_to_what_it_takes(channels):
    found = load_extractor(convolutions(channels))
    assert found(pictures(2, 20, 1)).shape == found(pictures(2, 20, 4)).shape == (2, 6)


def test_a_network_of_one_size_only_finds_it_or_is_told():
    grey28 = nn.Sequential(nn.Flatten(), nn.Linear(28 * 28, 4))
    found = load_extractor(grey28)
    assert (found.channels, found.dim) == (1, 4)
    odd = nn.Sequential(nn.Flatten(), nn.Linear(3 * 50 * 50, 4))
    with pytest.raises(ConfigError, match=r"took no float picture(.|\n)*size="):
        load_extractor(odd)
    told = load_extractor(odd, size=50)
    assert told.resize == "clean50"
    assert told(pictures(2, 33)).shape == (2, 4)


def test_outputs_that_grow_with_the_picture_are_refused():
    found = load_extractor(nn.Flatten())
    with pytest.raises(DataError, match="gives 1200 features of pictures of 20x20"):
        found(pictures(1, 20, 3))


class Pair(nn.Module):
    def forward(self, x):
        return x, x


def test_outputs_that_are_no_features_are_refused():
    with pytest.raises(ConfigError, match=r"features \(b d\) or maps \(b d h w\); pair gave: tuple"):
        load_extractor(Pair())


def test_settings_that_an_extractor_does_not_have_are_refused():
    with pytest.raises(ConfigError, match="of your own has no setting: resize"):
        load_extractor(convolutions(), resize="clean")
    with pytest.raises(ConfigError, match="fashion has no setting: size"):
        load_extractor("fashion", size=28)


def test_a_classifier_offers_its_logits():
    found = load_extractor(convolutions(), logits=True)
    features, heads = found.look(pictures(2, 20, 3), ("logits",))
    assert torch.equal(heads["logits"], features)
    assert load_extractor(convolutions()).heads == ()


OWN = """
import torch
from torch import nn
class Mean(nn.Module):
    def forward(self, x):
        return x.mean((2, 3))
ready = Mean()
def make():
    return Mean()
def fails():
    raise KeyError("x")
"""


def test_networks_are_found_in_a_file(tmp_path):
    file = tmp_path / "own.py"
    file.write_text(OWN)
    for name in ("Mean", "ready", "make"):
        found = load_extractor(f"{file}:{name}")
        assert (found.name, found.dim) == ("mean", 3)
    with pytest.raises(ConfigError, match=r"nothing called 'redy'. Did you mean 'ready'"):
        load_extractor(f"{file}:redy")
    with pytest.raises(ConfigError, match="did not yield an extractor: KeyError"):
        load_extractor(f"{file}:fails")
    with pytest.raises(ConfigError, match="no such file"):
        load_extractor(f"{tmp_path / 'none.py'}:Mean")


def test_stacked_pictures_are_seen_channel_by_channel():
    one, stacked = load_extractor("fashion"), load_extractor("stacked:fashion")
    assert (stacked.name, stacked.dim, stacked.digest) == ("stacked-fashion", 384, one.digest)
    garments = [pictures(4, 28, 1, seed=s) for s in range(3)]
    features, heads = stacked.look(torch.cat(garments, 3), ("logits",))
    assert torch.allclose(features, torch.cat([one(g) for g in garments], 1), atol=1e-4)
    a, b, c = (one.classify(g).argmax(1) for g in garments)
    assert torch.equal(heads["logits"].argmax(1), (a * 10 + b) * 10 + c)
    assert torch.allclose(heads["logits"].exp().sum(1), torch.ones(4), atol=1e-4)
    with pytest.raises(DataError, match="3 channels, one digit in each; these have: 1"):
        stacked(garments[0])
    with pytest.raises(ConfigError, match="with the head logits; not: random"):
        load_extractor("stacked:random")


def test_features_of_an_own_network_are_taken_anew_each_time(tmp_path: Path) -> None:
    """Its weights do not tell when its code changes, so nothing of it is cached."""

    class First(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.flatten(1)[:, :4]

    class Second(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return 100 * x.flatten(1)[:, 4:8]

    pixels = torch.randint(0, 256, (6, 8, 8, 3), dtype=torch.uint8)
    first, second = (ModuleExtractor(net, name="net") for net in (First(), Second()))
    assert first.digest == second.digest == "none"
    one, other = (real_features([pixels], e, key="the same", folder=tmp_path) for e in (first, second))
    assert not torch.allclose(one, other)
    torch.testing.assert_close(other, second(pixels))


def test_a_network_without_parameters_is_told_by_its_file(tmp_path):
    code = "from torch.nn import Module\nclass Net(Module):\n    def forward(self, x): return {} * x.mean((2, 3))\n"
    (tmp_path / "one.py").write_text(code.format(1))
    (tmp_path / "two.py").write_text(code.format(2))
    one, two = (load_extractor(f"{tmp_path / name}.py:Net") for name in ("one", "two"))
    assert len(one.digest) == len(two.digest) == 12
    assert one.digest != two.digest
