"""Filters without aliases against their definitions, in float64."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from gansmith.nn.alias_free import Band, FilteredLeaky, RadialDown, bands, kaiser_beta, low_pass, radial_low_pass

LOW = Band(rate=8, cutoff=2.0, width=2.0, canvas=9)
HIGH = Band(rate=16, cutoff=5.0, width=3.0, canvas=14)


def test_bands_of_a_picture_of_1024() -> None:
    """Configuration T: two layers fill the band, rates are powers of two, the last two canvases have no margin."""
    found = bands(1024)
    assert len(found) == 15
    assert [b.rate for b in found] == [16, 16, 32, 32, 64, 128, 128, 256, 256, 512, *[1024] * 5]
    assert [b.canvas for b in found][-4:] == [1044, 1044, 1024, 1024]
    assert [found[i].cutoff for i in (0, 3, 12, 14)] == pytest.approx([2, 8, 512, 512])
    assert found[6].cutoff / found[5].cutoff == pytest.approx(256 ** (1 / 12))
    assert found[0].width == pytest.approx(6)  # 16 / 2 - 2: its stopband, 4.3, is below the rate's
    assert found[-1].width == pytest.approx(512 * 2**0.3 - 512)


@pytest.mark.parametrize(
    ("taps", "cutoff", "width", "rate"), [(12, 8.0, 3.0, 64), (24, 2.0, 6.0, 64), (8, 5.0, 1.0, 32)]
)
def test_the_low_pass_is_scipys_kaiser_window_design(taps: int, cutoff: float, width: float, rate: int) -> None:
    signal = pytest.importorskip("scipy.signal")
    wanted = signal.firwin(taps, cutoff, width=2 * width, fs=rate)
    assert low_pass(taps, cutoff, width, rate) == pytest.approx(wanted.tolist(), abs=1e-12)


def test_the_windows_shape_has_three_ranges() -> None:
    """Attenuations of 60, 30 and 10 dB."""
    for wanted, beta in ((60, 0.1102 * 51.3), (30, 0.5842 * 9**0.4 + 0.07886 * 9), (10, 0.0)):
        width = (wanted - 7.95) / (2.285 * 11 * math.pi) * 16 / 4
        assert kaiser_beta(12, width, 16) == pytest.approx(beta)


def response(taps: Tensor, rate: float, f: tuple[float, float]) -> float:
    places = (torch.arange(len(taps), dtype=torch.float64) - (len(taps) - 1) / 2) / rate
    waves = torch.cos(2 * math.pi * (f[1] * places[:, None] + f[0] * places))
    return float((taps * waves).sum())


def spread(taps: Tensor, f: float) -> float:
    """How much the response to waves of one length differs between directions."""
    turns = (0.0, 0.3, 0.6, math.pi / 4)
    around = [response(taps, 64, (f * math.cos(a), f * math.sin(a))) for a in turns]
    return max(around) - min(around)


def test_the_radial_low_pass_is_the_same_in_all_directions() -> None:
    taps = radial_low_pass(24, 8.0, 6.0, 64.0)
    side = torch.tensor(low_pass(24, 8.0, 6.0, 64.0), dtype=torch.float64)
    for f in (3.0, 8.0, 12.0):
        assert spread(taps, f) < 0.01
    assert spread(side[:, None] * side, 8.0) > 0.2
    assert float(taps.sum()) == pytest.approx(1)


def test_the_radial_filter_is_the_same_by_matrices_and_by_definition() -> None:
    torch.manual_seed(0)
    taps = radial_low_pass(8, 3.0, 2.0, 16.0)
    layer, x = RadialDown(14, taps, 2).double(), torch.randn(2, 3, 14, 14, dtype=torch.float64, requires_grad=True)
    m = layer.size
    wanted = torch.stack(
        [(x[:, :, 2 * i : 2 * i + 8, 2 * j : 2 * j + 8] * taps).sum((2, 3)) for i in range(m) for j in range(m)], 2
    )
    for way in (layer.by_matrices, layer.depthwise):
        torch.testing.assert_close(way(x).flatten(2), wanted, rtol=0, atol=1e-6)
        assert torch.autograd.gradgradcheck(lambda x, way=way: way(x).sin(), x[:1, :1])
    assert layer.left.shape[0] < 6 * m, "few eigenvectors matter"


def kernel(t: Tensor, taps: int, band: Band, rate: float) -> Tensor:
    """The continuous low-pass at distances t, in pictures, before it is scaled to sum 1."""
    beta, reach = kaiser_beta(taps, band.width, rate), (taps - 1) / 2 / rate
    window = torch.special.i0(beta * (1 - (t / reach).square()).clamp(min=0).sqrt())
    return torch.where(t.abs() <= reach * (1 + 1e-9), torch.sinc(2 * band.cutoff * t) * window, 0.0)


def by_definition(x: Tensor, before: Band, after: Band, taps: int) -> Tensor:
    """Convolutions with continuous filters at the samples' places, each grid centred on the picture."""
    rate = 2 * max(before.rate, after.rate)
    up, down = rate // before.rate, rate // after.rate
    inner = down * (after.canvas - 1 + taps)

    def places(n: int, rate: float) -> Tensor:
        return (torch.arange(n, dtype=torch.float64) - (n - 1) / 2) / rate

    coarse, fine, out = places(x.shape[-1], before.rate), places(inner, rate), places(after.canvas, after.rate)
    scale = sum(kernel(places(taps * up, rate), taps * up, before, rate)) / up
    lift = kernel(fine[:, None] - coarse, taps * up, before, rate) / scale
    scale = sum(kernel(places(taps * down, rate), taps * down, after, rate))
    sink = kernel(out[:, None] - fine, taps * down, after, rate) / scale
    return sink @ F.leaky_relu(lift @ x @ lift.T, 0.2) @ sink.T


@pytest.mark.parametrize(("before", "after"), [(LOW, LOW), (LOW, HIGH), (HIGH, HIGH)])
@pytest.mark.parametrize("taps", [3, 4, 6])
@pytest.mark.parametrize("more", [0, 2])
def test_the_filtered_nonlinearity_is_its_definition(before: Band, after: Band, taps: int, more: int) -> None:
    torch.manual_seed(0)
    size = before.canvas + more
    layer, x = FilteredLeaky(size, before, after, taps=taps).double(), torch.randn(1, 2, size, size).double()
    torch.testing.assert_close(layer(x), by_definition(x, before, after, taps), rtol=0, atol=2e-6)


@pytest.mark.parametrize("radial", [False, True])
def test_derivatives_of_the_filtered_nonlinearity(radial: bool) -> None:
    torch.manual_seed(0)
    layer = FilteredLeaky(5, Band(4, 1.0, 1.0, 5), Band(8, 2.0, 2.0, 6), taps=3, radial=radial).double()
    x = torch.randn(1, 1, 5, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(layer, x)
    assert torch.autograd.gradgradcheck(lambda x: layer(x).sin(), x)


def test_it_makes_far_fewer_aliases_than_a_nonlinearity_on_the_samples() -> None:
    """A wave moved by a part of a sample: what comes out is to move with it."""
    band = Band(rate=32, cutoff=8.0, width=8.0, canvas=52)
    layer = FilteredLeaky(52, band, band).double()
    places = (torch.arange(52, dtype=torch.float64) - 25.5) / 32

    def wave(shift: float) -> Tensor:
        return torch.cos(2 * math.pi * 7.3 * (places - shift)).expand(1, 1, 52, 52)

    def told(f, shift: float) -> float:
        """The mean over the middle, which a move must not change; aliases of the rectified wave do."""
        return float((f(wave(shift)) * torch.hann_window(52, dtype=torch.float64).square()).sum() / 52)

    shifts = [i / 32 / 8 for i in range(8)]
    smooth = torch.tensor([told(layer, s) for s in shifts]).std()
    rough = torch.tensor([told(lambda x: F.leaky_relu(x, 0.2), s) for s in shifts]).std()
    assert smooth < rough / 3
