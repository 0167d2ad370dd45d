"""Modulated convolutions and their activation against per-sample definitions in float64, derivatives included."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from gansmith.nn.modulated import Modulated, bias_leaky
from gansmith.nn.resample import BINOMIAL


def one_by_one(layer: Modulated, x: Tensor, w: Tensor) -> Tensor:
    """Each sample with a filter of its own, as equations 1 to 3 of the paper have it."""
    out = []
    for picture, s in zip(x, layer.affine(w), strict=True):
        weight = layer.weight * layer.scale * s[None, :, None, None]
        if layer.demodulate:
            weight = weight / weight.square().sum((1, 2, 3), keepdim=True).sqrt()
        if layer.smooth is None:
            out.append(F.conv2d(picture[None], weight, padding=layer.pad))
            continue
        n = picture.shape[-1]  # a transposed convolution: every pixel sets down a filter, two places further on
        wide = torch.zeros(weight.shape[0], 2 * n + 1, 2 * n + 1, dtype=x.dtype)
        for i in range(n):
            for j in range(n):
                print_ = torch.einsum("oikl,i->okl", weight, picture[:, i, j])
                wide[:, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3] += print_
        taps = 2 * torch.tensor(BINOMIAL, dtype=x.dtype)
        kernel = (taps[:, None] * taps).expand(len(weight), 1, 4, 4)
        out.append(F.conv2d(wide[None], kernel, padding=1, groups=len(weight)))
    return torch.cat(out)


@pytest.mark.parametrize("demodulate", [True, False])
@pytest.mark.parametrize(("kernel", "up", "pad"), [(3, False, None), (1, False, None), (3, True, None), (3, False, 2)])
def test_one_convolution_is_one_for_each_sample(demodulate: bool, kernel: int, up: bool, pad: int | None) -> None:
    torch.manual_seed(0)
    layer = Modulated(3, 4, kernel, 5, demodulate=demodulate, up=up, size=4, pad=pad).double()
    x, w = torch.randn(2, 3, 4, 4, dtype=torch.float64), torch.randn(2, 5, dtype=torch.float64)
    y, left = layer(x, w)
    torch.testing.assert_close(y * left, one_by_one(layer, x, w), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("up", [False, True])
def test_derivatives_of_modulation(up: bool) -> None:
    torch.manual_seed(0)
    layer = Modulated(2, 2, 3, 2, up=up, size=3).double()
    x = torch.randn(2, 2, 3, 3, dtype=torch.float64, requires_grad=True)
    w = torch.randn(2, 2, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(2, 1, 1, dtype=torch.float64, requires_grad=True)

    def whole(x: Tensor, w: Tensor, bias: Tensor, weight: Tensor) -> Tensor:
        y, left = torch.func.functional_call(layer, {"weight": weight}, (x, w))
        return bias_leaky(y, bias, left).tanh()

    given = (x, w, bias, layer.weight)
    assert torch.autograd.gradcheck(whole, given)
    assert torch.autograd.gradgradcheck(whole, given)


def test_activation_is_its_definition_and_leaves_its_input_alone() -> None:
    x = torch.randn(3, 4, 5, 5, dtype=torch.float64)
    scale, noise = torch.rand(3, 4, 1, 1, dtype=torch.float64), torch.randn(3, 1, 5, 5, dtype=torch.float64)
    bias, before = torch.randn(4, 1, 1, dtype=torch.float64) + noise, x.clone()
    inner = x * scale + bias
    torch.testing.assert_close(bias_leaky(x, bias, scale), 2**0.5 * torch.where(inner > 0, inner, 0.2 * inner))
    torch.testing.assert_close(bias_leaky(x, bias, 0.5, gain=1.0), F.leaky_relu(x * 0.5 + bias, 0.2))
    assert torch.equal(x, before)


def test_outputs_start_with_unit_variance_whatever_the_style() -> None:
    torch.manual_seed(0)
    layer = Modulated(64, 64, 3, 8)
    y, left = layer(torch.randn(4, 64, 16, 16), 3 * torch.randn(4, 8))
    assert float((y * left)[:, :, 2:-2, 2:-2].detach().var()) == pytest.approx(1, abs=0.05)
