"""Layers with an equalized learning rate and pixel normalisation, against their definitions."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from gansmith.nn.equalized import EqualConv2d, EqualLinear
from gansmith.nn.norm import PixelNorm


@pytest.mark.parametrize("gain", [1.0, 2**0.5])
def test_equalized_layers_scale_their_weights_in_the_pass(gain: float) -> None:
    torch.manual_seed(0)
    conv = EqualConv2d(8, 4, 3, stride=2, padding=1, gain=gain).double()
    linear = EqualLinear(8, 4, gain=gain).double()
    with torch.no_grad():
        conv.bias.normal_()
        linear.bias.normal_()
    x = torch.randn(2, 8, 6, 6, dtype=torch.float64)
    wanted = F.conv2d(x, conv.weight * gain / (8 * 9) ** 0.5, conv.bias, stride=2, padding=1)
    torch.testing.assert_close(conv(x), wanted)
    torch.testing.assert_close(linear(x[..., 0, 0]), x[..., 0, 0] @ (linear.weight * gain / 8**0.5).T + linear.bias)


def test_equalized_layers_start_from_unit_normal_weights_and_keep_variance() -> None:
    torch.manual_seed(0)
    layer: nn.Linear = EqualLinear(512, 512, gain=1.0)
    assert float(layer.weight.detach().std()) == pytest.approx(1, abs=0.01)
    assert not layer.bias.any()
    assert float(layer(torch.randn(256, 512)).detach().var()) == pytest.approx(1, abs=0.05)
    assert EqualConv2d(3, 4, 1, bias=False).bias is None


def test_adam_moves_equalized_weights_at_one_relative_speed() -> None:
    """However many inputs a layer has, its first step changes its weights by the learning rate's share."""
    torch.manual_seed(0)
    for inputs in (16, 4096):
        layer, x = EqualLinear(inputs, 64, bias=False), torch.randn(32, inputs)
        before, optimizer = layer.weight.detach().clone(), torch.optim.Adam(layer.parameters(), lr=0.01)
        layer(x).square().mean().backward()
        optimizer.step()
        assert float((layer.weight.detach() - before).norm() / before.norm()) == pytest.approx(0.01, rel=0.1)


def test_slower_layers_begin_alike_and_move_less() -> None:
    x, outs, moved = torch.randn(256, 64), [], []
    for speed in (1.0, 0.01):
        torch.manual_seed(0)
        layer = EqualLinear(64, 64, speed=speed)
        optimizer = torch.optim.Adam(layer.parameters(), lr=0.01)
        outs.append(layer(x))
        outs[-1].square().mean().backward()
        optimizer.step()
        moved.append(float((layer(x) - outs[-1]).detach().norm()))
        assert float((layer.bias * layer.speed).detach().abs().max()) == pytest.approx(0.01 * speed, rel=0.01)
    torch.testing.assert_close(outs[0], outs[1])
    assert moved[1] == pytest.approx(0.01 * moved[0], rel=0.02)


def test_pixel_norm_leaves_a_root_mean_square_of_one() -> None:
    x = torch.randn(3, 16, 5, 5, dtype=torch.float64) * 7
    out = PixelNorm()(x)
    torch.testing.assert_close(out.square().mean(1), torch.ones(3, 5, 5, dtype=torch.float64), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(out / out[:, :1], x / x[:, :1])
    assert PixelNorm()(x[..., 0, 0]).shape == (3, 16)
