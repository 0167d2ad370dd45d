"""LPIPS, DINOv2 and timm's networks: against the reference packages' numbers (tools/extractor_references.py)."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from gansmith.errors import ConfigError, DataError, MissingExtra
from gansmith.metrics.base import Extractor
from gansmith.metrics.extractors import load_extractor
from gansmith.nn.features import dinov2
from gansmith.nn.features.dinov2 import Size, VisionTransformer
from gansmith.nn.features.lpips import LPIPS

from .numbers_of import numbers
from .test_extractors import pictures

VECTORS = np.load(Path(__file__).with_name("vectors") / "extractors.npz")


@pytest.fixture(scope="module")
def lpips(shared_data):
    return LPIPS(shared_data / "weights")


def test_lpips_equals_the_reference(lpips):
    x, y = numbers(3, 3, 72, 72, seed=4.0), numbers(3, 3, 72, 72, seed=5.0)
    with torch.no_grad():
        found = lpips(x, 0.7 * x + 0.3 * y)
    assert np.abs(found.numpy() - VECTORS["lpips"]).max() < 1e-5


def test_lpips_is_a_distance_of_any_pictures(lpips):
    small, other = pictures(3, 20, 1), pictures(3, 20, 1, seed=1)
    found = lpips.between(small, other, batch=2)
    assert found.shape == (3,)
    assert (found > 0.01).all()
    assert torch.allclose(found, lpips.between(other, small))
    assert torch.equal(lpips.between(small, small), torch.zeros(3))
    assert lpips.between(small[:0], small[:0]).shape == (0,)


def test_lpips_has_a_gradient_even_where_nothing_is_activated(lpips):
    x = torch.zeros(1, 3, 64, 64, requires_grad=True)
    lpips(x, torch.ones(1, 3, 64, 64)).sum().backward()
    assert x.grad.isfinite().all()
    assert x.grad.abs().max() > 0


@pytest.mark.parametrize("gated", [False, True])
def test_the_transformer_equals_timms(gated):
    net = VisionTransformer(Size(24, 2, 2, gated=gated), places=16).eval()
    in_timm = {name: name.replace("w12", "fc1").replace("w3", "fc2") for name in net.state_dict()}
    place = {name: i for i, name in enumerate(sorted(set(in_timm.values()) - {"mask_token"}))}
    state = {
        name: value if name == "mask_token" else 0.3 * numbers(*value.shape, seed=6.0 + place[in_timm[name]])
        for name, value in net.state_dict().items()
    }
    net.load_state_dict(state)
    with torch.no_grad():
        found = net(numbers(2, 3, 56, 56, seed=5.5))
    assert np.abs(found.numpy() - VECTORS["vit_gated" if gated else "vit_plain"]).max() < 1e-5


def test_positions_are_resized_as_published():
    """By a scale of (n + 0.1) / side: a ramp comes out with the slope side / (n + 0.1), not side / n.

    Nearly so: torch's cubic (a = -0.75) does not keep straight lines quite straight.
    """
    net = VisionTransformer(Size(2, 1, 1), places=100)
    ramp = torch.arange(10.0)
    net.pos_embed.data[0, 1:, 0], net.pos_embed.data[0, 1:, 1] = ramp.repeat_interleave(10), ramp.repeat(10)
    found = net.positions(5, 8)[0, 1:].detach().view(5, 8, 2)
    assert found.shape == (5, 8, 2)
    assert (found[1:4, :, 0].diff(dim=0) - 10 / 5.1).abs().max() < 0.015
    centre = found[0, :, 1] - (torch.arange(8) + 0.5) * 10 / 8.1 + 0.5
    assert centre[2:6].abs().max() < 0.06
    assert torch.equal(net.positions(10, 10), net.pos_embed)


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    """A DINOv2 of two narrow blocks, and its file in a weights folder."""
    monkeypatch.setitem(dinov2.SIZES, "tiny", Size(16, 2, 2))
    monkeypatch.setenv("GANSMITH_WEIGHTS", str(tmp_path))
    torch.manual_seed(0)
    torch.save(VisionTransformer(Size(16, 2, 2)).state_dict(), tmp_path / "dinov2_tiny_pretrain.pth")
    return tmp_path / "dinov2_tiny_pretrain.pth"


def test_dinov2_is_found_loaded_and_used(tiny):
    found = load_extractor("dinov2:tiny")
    assert isinstance(found, Extractor)
    assert (found.name, found.resize, found.dim) == ("dinov2-tiny", "clean224", 16)
    features = found(pictures(3, 30, 3))
    assert features.shape == (3, 16)
    assert (features[1:] - found(pictures(3, 30, 3)[1:])).abs().max() < 1e-5
    assert load_extractor("dinov2:tiny", weights=tiny).digest == found.digest
    assert found(pictures(0)).shape == (0, 16)


def test_weights_of_another_network_and_absent_ones_are_refused(tiny):
    with pytest.raises(DataError, match="not the weights of dinov2:vits14"):
        load_extractor("dinov2:vits14", weights=tiny)
    tiny.unlink()
    with pytest.raises(DataError, match="nothing is downloaded unasked"):
        load_extractor("dinov2:tiny")
    with pytest.raises(ConfigError, match="Did you mean 'vitl14'"):
        load_extractor("dinov2:vitl")


def test_files_of_weights_are_read_as_tensors_only(tmp_path):
    for name, content in {"a.pth": types.SimpleNamespace(), "b.pth": [1], "c.pth": {}}.items():
        torch.save(content, tmp_path / name)
        with pytest.raises(DataError, match=r"cannot read weights|file of named tensors"):
            load_extractor("dinov2:vits14", weights=tmp_path / name)
    (tmp_path / "d.safetensors").write_bytes(b"nothing")
    with pytest.raises(DataError, match="cannot read weights"):
        load_extractor("dinov2:vits14", weights=tmp_path / "d.safetensors")


def test_without_timm_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(MissingExtra, match=r"gansmith\[timm\]"):
        load_extractor("timm:resnet18")


def test_timms_networks_load_whole_or_not_at_all(tmp_path):
    timm = pytest.importorskip("timm")
    torch.manual_seed(0)
    net = timm.create_model("resnet10t", pretrained=False)
    save_file(net.state_dict(), tmp_path / "w.safetensors")
    found = load_extractor("timm:resnet10t", weights=tmp_path / "w.safetensors")
    pixels = pictures(2, 176, 3)
    x = pixels.permute(0, 3, 1, 2) / 255
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    net.eval().reset_classifier(0)
    with torch.no_grad():
        assert (found(pixels) - net((x - mean) / std)).abs().max() < 1e-4
    assert (found.name, found.resize, found.dim) == ("timm-resnet10t", "clean176", 512)
    with pytest.raises(DataError, match=r"lacks \d+ tensors"):
        load_extractor("timm:resnet34", weights=tmp_path / "w.safetensors")
    with pytest.raises(ConfigError, match="Did you mean 'resnet18'"):
        load_extractor("timm:resnet19")
