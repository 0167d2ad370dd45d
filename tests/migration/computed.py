"""What published networks compute, by tensors under their published names.

Written from the papers' formulas and the repositories' conventions, in float64, the slow way: weights of each sample,
zeros put in between, filters of two dimensions. No code of those repositories.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .published import CRITICAL, LAYERS, SIDES, TAPS, Flat, binomial, stylegan3_plan


def resampled(
    x: Tensor, taps: Tensor, *, up: int = 1, down: int = 1, pad: tuple[int, int] = (0, 0), gain: float = 1.0
) -> Tensor:
    """Zeros after each pixel, a border, a convolution with a filter of two dimensions, each down-th pixel."""
    b, c, h, w = x.shape
    wide = x.new_zeros(b, c, h * up, w * up)
    wide[:, :, ::up, ::up] = x
    wide = F.pad(wide, (*pad, *pad))
    kernel = taps.flip(0, 1).expand(c, 1, -1, -1) * gain
    return F.conv2d(wide, kernel, groups=c)[:, :, ::down, ::down]


def leaky(x: Tensor, gain: float = 2**0.5) -> Tensor:
    return gain * torch.where(x > 0, x, 0.2 * x)


def dense(t: Flat, name: str, x: Tensor, speed: float = 1.0) -> Tensor:
    """A fully connected layer: weights times speed / sqrt(inputs), bias times speed."""
    weight = t[f"{name}.weight"] * speed / t[f"{name}.weight"].shape[1] ** 0.5
    return x @ weight.T + t[f"{name}.bias"] * speed


def unit(x: Tensor) -> Tensor:
    return x / (x.square().mean(1, keepdim=True) + 1e-8).sqrt()


def mapped(t: Flat, z: Tensor | None, y: Tensor | None, prefix: str = "mapping", speed: float = 0.01) -> Tensor:
    """The mapping network, labels being one-hot."""
    parts = [] if z is None else [unit(z)]
    if f"{prefix}.embed.weight" in t:
        assert y is not None
        hot = F.one_hot(y, t[f"{prefix}.embed.weight"].shape[1]).double()
        parts.append(unit(dense(t, f"{prefix}.embed", hot)))
    x, i = torch.cat(parts, 1), 0
    while f"{prefix}.fc{i}.weight" in t:
        x, i = leaky(dense(t, f"{prefix}.fc{i}", x, speed)), i + 1
    return x


def modulated(
    x: Tensor, weight: Tensor, s: Tensor, *, demodulate: bool = True, up: bool = False, pad: int = 0
) -> Tensor:
    """Each sample's own convolution."""
    made = []
    for one, style in zip(x, s, strict=True):
        w = weight * style[None, :, None, None]
        if demodulate:
            w = w / (w.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()
        if up:  # zeros in between, the filter the other way round, as a transposed convolution does; then the low-pass
            wide = one.new_zeros(1, one.shape[0], 2 * one.shape[1] - 1, 2 * one.shape[2] - 1)
            wide[..., ::2, ::2] = one
            y = resampled(F.conv2d(wide, w.flip(2, 3), padding=2), binomial(), pad=(1, 1), gain=4)
        else:
            y = F.conv2d(one[None], w, padding=pad)
        made.append(y)
    return torch.cat(made)


def stylegan2_pictures(t: Flat, z: Tensor, y: Tensor | None = None) -> Tensor:
    w = mapped(t, z, y)
    x, picture = t["synthesis.b4.const"].expand(len(z), -1, -1, -1), None
    for side in SIDES:
        for name in ("conv0", "conv1") if side > 4 else ("conv1",):
            at = f"synthesis.b{side}.{name}"
            x = modulated(x, t[f"{at}.weight"], dense(t, f"{at}.affine", w), up=name == "conv0", pad=1)
            x = x + t[f"{at}.noise_const"] * t[f"{at}.noise_strength"]
            x = leaky(x + t[f"{at}.bias"][:, None, None])
        at = f"synthesis.b{side}.torgb"
        s = dense(t, f"{at}.affine", w) / t[f"{at}.weight"].shape[1] ** 0.5
        added = modulated(x, t[f"{at}.weight"], s, demodulate=False) + t[f"{at}.bias"][:, None, None]
        picture = added if picture is None else resampled(picture, binomial(), up=2, pad=(2, 1), gain=4) + added
    assert picture is not None
    return picture


def stylegan2_logits(t: Flat, x: Tensor, y: Tensor | None = None) -> Tensor:
    def conv(name: str, x: Tensor, gain: float = 2**0.5, **how: Any) -> Tensor:
        weight = t[f"{name}.weight"] / t[f"{name}.weight"][0].numel() ** 0.5
        return leaky(F.conv2d(x, weight, **how) + t[f"{name}.bias"][:, None, None], gain)

    x = conv("b16.fromrgb", x)
    for side in (16, 8):
        residual = f"b{side}.skip.weight" in t
        y0 = conv(f"b{side}.conv0", x, padding=1)
        y0 = conv(f"b{side}.conv1", resampled(y0, binomial(), pad=(2, 2)), 1.0 if residual else 2**0.5, stride=2)
        if residual:
            weight = t[f"b{side}.skip.weight"] / t[f"b{side}.skip.weight"].shape[1] ** 0.5
            y0 = y0 + F.conv2d(resampled(x, binomial(), down=2, pad=(1, 1)), weight) * 0.5**0.5
        x = y0
    deviation = (x.var(0, correction=0) + 1e-8).sqrt().mean()  # the whole batch is one group
    x = torch.cat((x, deviation.expand(len(x), 1, 4, 4)), 1)
    x = leaky(dense(t, "b4.fc", conv("b4.conv", x, padding=1).flatten(1)))
    x = dense(t, "b4.out", x)
    return x[:, 0] if y is None else (x * mapped(t, None, y)).sum(1) / x.shape[1] ** 0.5


def stylegan3_pictures(t: Flat, turns: bool, z: Tensor, y: Tensor | None = None) -> Tensor:
    plan, w = stylegan3_plan(turns), mapped(t, z, y)
    x = fourier(t, w, plan[0])
    for i, here in enumerate(plan):
        before, name = plan[max(i - 1, 0)], here["name"]
        s, weight = dense(t, f"{name}.affine", w), t[f"{name}.weight"]
        last = i == LAYERS
        x = x / t[f"{name}.magnitude_ema"].sqrt()
        if last:
            x = modulated(x, weight, s / weight.shape[1] ** 0.5, demodulate=False)
            return (x + t[f"{name}.bias"][:, None, None]) / 4
        weight = weight / weight.square().mean((1, 2, 3), keepdim=True).sqrt()
        x = modulated(x, weight, s / s.square().mean().sqrt(), pad=weight.shape[2] - 1)
        x = filtered(x + t[f"{name}.bias"][:, None, None], before, here, turns and i < LAYERS - CRITICAL)
    raise AssertionError


def fourier(t: Flat, w: Tensor, plan: Mapping[str, Any]) -> Tensor:
    """Waves across the canvas, moved and turned as the style says."""
    said = dense(t, "synthesis.input.affine", w)
    said = said / said[:, :2].norm(dim=1, keepdim=True)
    along = (torch.arange(plan["size"]).double() + 0.5 - plan["size"] / 2) / plan["rate"]
    made = []
    for c, s, tx, ty in said.tolist():
        turn = torch.tensor([[c, -s], [s, c]], dtype=torch.float64)
        shift = turn @ torch.tensor([-tx, -ty], dtype=torch.float64)
        freqs = t["synthesis.input.freqs"] @ turn
        phases = t["synthesis.input.phases"] + t["synthesis.input.freqs"] @ shift
        amplitude = (1 - (freqs.norm(dim=1) - plan["cutoff"]) / (plan["rate"] / 2 - plan["cutoff"])).clamp(0, 1)
        place = freqs[:, :1, None] * along + freqs[:, 1:, None] * along[None, :, None] + phases[:, None, None]
        waves = torch.sin(2 * math.pi * place) * amplitude[:, None, None]
        mix = t["synthesis.input.weight"] / t["synthesis.input.weight"].shape[0] ** 0.5
        made.append(torch.einsum("dc,cyx->dyx", mix, waves))
    return torch.stack(made)


def filtered(x: Tensor, before: Mapping[str, Any], after: Mapping[str, Any], radial: bool) -> Tensor:
    """More samples, leaky ReLU, fewer samples; what padding there is follows from the sizes."""
    rate = 2 * max(before["rate"], after["rate"])
    up, down = rate // before["rate"], rate // after["rate"]
    lift = low_pass(TAPS * up, before["cutoff"], before["half"], rate, radial=False)
    sink = low_pass(TAPS * down, after["cutoff"], after["half"], rate, radial=radial)
    total = (after["size"] - 1) * down + 1 - x.shape[-1] * up + len(lift) + len(sink) - 2
    lo = (total + up) // 2
    x = resampled(x, lift, up=up, pad=(lo, total - lo), gain=up**2)
    return resampled(leaky(x), sink, down=down)


def low_pass(taps: int, cutoff: float, half: float, rate: float, *, radial: bool) -> Tensor:
    from scipy import signal, special

    if not radial:
        flat = torch.from_numpy(signal.firwin(taps, cutoff, width=2 * half, fs=rate))
        return torch.outer(flat, flat)
    places = (np.arange(taps) - (taps - 1) / 2) / rate
    radius = np.hypot(*np.meshgrid(places, places))
    window = np.kaiser(taps, signal.kaiser_beta(signal.kaiser_atten(taps, 2 * half / (rate / 2))))
    made = special.j1(2 * np.pi * cutoff * radius) / (np.pi * radius) * np.outer(window, window)
    return torch.from_numpy(made / made.sum())


def r3gan_residual(t: Flat, at: str, x: Tensor) -> Tensor:
    groups = t[f"{at}LinearLayer2.Layer.weight"].shape[0] // 8
    y = F.conv2d(x, t[f"{at}LinearLayer1.Layer.weight"])
    y = F.conv2d(biased(t, f"{at}NonLinearity1", y), t[f"{at}LinearLayer2.Layer.weight"], padding=1, groups=groups)
    return x + F.conv2d(biased(t, f"{at}NonLinearity2", y), t[f"{at}LinearLayer3.Layer.weight"])


def biased(t: Flat, at: str, x: Tensor) -> Tensor:
    return leaky(x + t[f"{at}.Bias"][:, None, None], 1.0)


def r3gan_pictures(t: Flat, z: Tensor, y: Tensor | None = None) -> Tensor:
    if y is not None:
        hot = F.one_hot(y, t["Model.EmbeddingLayer.weight"].shape[1]).double()
        z = torch.cat((z, hot @ t["Model.EmbeddingLayer.weight"].T), 1)
    start = "Model.MainLayers.0.Layers.0."
    x = t[f"{start}Basis"] * (z @ t[f"{start}LinearLayer.weight"].T)[:, :, None, None]
    for i in range(3):
        change = f"Model.MainLayers.{i}.Layers.0.LinearLayer.Layer.weight"
        x = F.conv2d(x, t[change]) if change in t else x
        x = resampled(x, binomial(), up=2, pad=(2, 1), gain=4) if i else x
        for j in (1, 2):
            x = r3gan_residual(t, f"Model.MainLayers.{i}.Layers.{j}.", x)
    return F.conv2d(x, t["Model.AggregationLayer.Layer.weight"])


def r3gan_logits(t: Flat, x: Tensor, y: Tensor | None = None) -> Tensor:
    x = F.conv2d(x, t["Model.ExtractionLayer.Layer.weight"])
    for i in range(3):
        for j in (0, 1):
            x = r3gan_residual(t, f"Model.MainLayers.{i}.Layers.{j}.", x)
        if i < 2:
            change = f"Model.MainLayers.{i}.Layers.2.LinearLayer.Layer.weight"
            x = resampled(x, binomial(), down=2, pad=(1, 1))
            x = F.conv2d(x, t[change]) if change in t else x
    end = "Model.MainLayers.2.Layers.2."
    x = F.conv2d(x, t[f"{end}Basis.weight"], groups=16).flatten(1) @ t[f"{end}LinearLayer.weight"].T
    if y is not None:
        hot = F.one_hot(y, t["Model.EmbeddingLayer.weight"].shape[1]).double()
        x = x * (hot @ t["Model.EmbeddingLayer.weight"].T)
    return x.sum(1)
