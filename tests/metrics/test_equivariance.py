"""Equivariance in dB: generators whose answer is known, the paper's operators, and what is refused."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from gansmith.errors import ConfigError, DataError
from gansmith.metrics.base import which_is_better
from gansmith.metrics.equivariance import (
    Equivariance,
    angles,
    decibels,
    rotated,
    shifted,
    shifts,
    turned,
    whole_shifts,
    without_corners,
)
from gansmith.metrics.probes import Latents, Probe

SIZE = 32


def waves(limit: float, size: int = SIZE, count: int = 12) -> Latents:
    """A picture known everywhere, of waves up to `limit` cycles on each axis: moving it loses nothing."""
    random = torch.Generator().manual_seed(0)
    f, phase = (torch.rand(count, 2, generator=random) * 2 - 1) * limit, torch.rand(count, generator=random)
    at = (torch.arange(size) + 0.5) / size * 2 - 1
    grid = torch.stack((*torch.meshgrid(at, at, indexing="xy"), torch.ones(size, size)), 2).double()

    def moved(z: Tensor, transform: Tensor) -> Tensor:
        places = torch.einsum("bij,hwj->bhwi", torch.linalg.inv(transform.double()), grid)[..., :2] / 2
        angle = torch.einsum("bhwi,ci->bchw", places, f.double()) + phase[:, None, None]
        return ((2 * math.pi * angle).sin() * z[:, :, None, None]).mean(1, keepdim=True)

    return Latents(count, lambda z: moved(z, torch.eye(3).expand(len(z), 3, 3)), moved=moved)


def dull(z: Tensor, transform: Tensor) -> Tensor:
    """Detail glued to the pixels: it never moves."""
    return z.view(-1, 1, 1, 1) * torch.randn(1, 1, SIZE, SIZE, generator=torch.Generator().manual_seed(1))


def test_a_continuous_picture_is_equivariant_as_far_as_lanczos_is_exact() -> None:
    probe = Equivariance(samples=16, batch=8)
    assert isinstance(probe, Probe)
    found = probe.measure(waves(8.0))
    assert found["eq_t"] > 200  # whole pixels need no filter
    assert found["eq_t_frac"] > 55
    assert found["eq_r"] > 75
    assert found == probe.measure(waves(8.0))
    assert all(which_is_better(probe, name) == "high" for name in ("eq_t", "eq_t_frac", "eq_r"))
    assert "16 latents" in probe.detail()


def test_corners_of_the_spectrum_cost_nothing_for_they_are_left_out() -> None:
    """Waves up to the pixel grid's limit on both axes; a plain turn would lose those beyond the turned square."""
    assert Equivariance(samples=16, batch=8).measure(waves(16.0))["eq_r"] > 30


def test_detail_that_stays_is_as_far_off_as_two_pictures() -> None:
    """Independent pixels of variance 1 differ by 2: 10 log10(4 / 2) dB; a turn sees them low-passed."""
    found = Equivariance(samples=64, batch=32).measure(
        Latents(1, lambda z: dull(z, z), lambda n, dim, random: torch.ones(n, dim), moved=dull)
    )
    assert found["eq_t"] == pytest.approx(10 * math.log10(2), abs=0.3)
    assert found["eq_r"] == pytest.approx(10 * math.log10(2), abs=2.0)


def test_noise_upon_an_equivariant_picture_is_told_in_decibels() -> None:
    still, random = waves(6.0), torch.Generator().manual_seed(2)

    def noisy(z: Tensor, transform: Tensor) -> Tensor:
        x = still.moved(z, transform)
        return x + 0.01 * torch.randn(x.shape, generator=random)

    found = Equivariance(samples=32).measure(Latents(12, still.generate, moved=noisy))
    wanted = 10 * math.log10(4 / (2 * 0.01**2))
    assert found["eq_t"] == pytest.approx(wanted, abs=0.2)
    assert 0 < found["eq_t_std"] < 0.2


def test_whole_shifts_move_pixels() -> None:
    x = torch.randn(2, 3, 20, 20, dtype=torch.float64)
    by = torch.tensor([[2.0, -1.0], [0.0, 3.0]], dtype=torch.float64)
    asked: list[Tensor] = []

    def move(matrices: Tensor) -> Tensor:
        asked.append(matrices)
        return x

    _, after, seen = shifted(x, move, by)
    torch.testing.assert_close(after[0, :, :-1, 2:], x[0, :, 1:, :-2])
    torch.testing.assert_close(after[1, :, 3:], x[1, :, :-3])
    assert torch.equal(seen[0, 0], torch.nn.functional.pad(torch.ones(19, 18).double(), (2, 0, 0, 1)))
    torch.testing.assert_close(asked[0][0, :2, 2], torch.tensor([0.2, -0.1]))  # the picture is two units wide


def test_turns_by_quarters_move_pixels() -> None:
    """From the x axis to the y axis, which points down: clockwise; far from the border nothing else changes."""
    at = torch.linspace(-1, 1, 32, dtype=torch.float64)
    smooth = torch.exp(-4 * ((at[:, None] - 0.2).square() + (at + 0.1).square()))[None, None]
    turn = torch.tensor([[[0.0, -1.0], [1.0, 0.0]]], dtype=torch.float64)
    quarter, inner = smooth.rot90(-1, (2, 3)), (..., slice(8, -8), slice(8, -8))
    found = rotated(smooth, turn)[inner]
    torch.testing.assert_close(found, without_corners(quarter, turn)[inner], atol=1e-3, rtol=0)
    torch.testing.assert_close(found, quarter[inner], atol=0.02, rtol=0)  # Lanczos filters sum to 1 within a hundredth


def test_a_turn_by_nothing_leaves_both_sides_alike() -> None:
    x = torch.randn(2, 1, 24, 24, dtype=torch.float64)
    a, b, seen = turned(x, lambda matrices: x, torch.zeros(2, 1, dtype=torch.float64))
    inner = seen.bool()
    torch.testing.assert_close(a[inner], b[inner], atol=1e-3, rtol=0)
    assert 0 < float(seen[0].sum()) < 24 * 24 / 4


def test_amounts_are_those_of_the_paper() -> None:
    random = torch.Generator().manual_seed(0)
    found = shifts(5000, 64, random)
    assert float(found.abs().max()) == pytest.approx(8, abs=0.1)
    assert float(found.std()) == pytest.approx(16 / 12**0.5, rel=0.05)
    assert torch.equal(whole_shifts(50, 64, random) % 1, torch.zeros(50, 2).double())
    assert 0 <= float(angles(5000, 64, random).min()) < 0.1 < 6.2 < float(angles(5000, 64, random).max())


def test_decibels_and_their_error() -> None:
    value, error = decibels(torch.tensor([0.04, 0.04, 0.04]))
    assert (value, error) == (pytest.approx(20), 0)
    assert decibels(torch.zeros(4)) == (math.inf, 0.0)
    value, error = decibels(torch.tensor([0.03, 0.05]))
    assert error == pytest.approx(10 / math.log(10) * 0.01 / 0.04)


def test_what_cannot_be_measured_is_refused() -> None:
    still = waves(4.0)
    with pytest.raises(DataError, match=r"stylegan3.*cannot"):
        Equivariance().measure(Latents(12, still.generate))
    with pytest.raises(DataError, match="20 pixels a side or more, not: 16"):
        Equivariance(samples=2).measure(waves(4.0, size=16))
    with pytest.raises(DataError, match="NaN or infinite"):
        Equivariance(samples=2).measure(Latents(12, still.generate, moved=lambda z, m: still.moved(z, m) / 0))
    with pytest.raises(ConfigError, match="samples of equivariance is a whole number, 2 or more"):
        Equivariance(samples=1)
