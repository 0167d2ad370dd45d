"""Perceptual path length: closed forms with a plain distance, LPIPS end to end, a trained recipe as latents."""

from __future__ import annotations

import pytest
import torch

import gansmith as gs
from gansmith.errors import ConfigError, DataError
from gansmith.metrics.path_length import PathLength, fitted, slerp, without_tails
from gansmith.metrics.probes import Latents, Probe

MATRIX = torch.randn(12, 5, generator=torch.Generator().manual_seed(0)) / 10


def linear(z: torch.Tensor) -> torch.Tensor:
    """(b 5) -> (b 3 64 64), linear in z: each 32x32 quarter has a value of its own in each channel."""
    quarters = (z @ MATRIX.T).view(-1, 3, 2, 2)
    return quarters.repeat_interleave(32, 2).repeat_interleave(32, 3)


def squared(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Sums over the quarters, not the pixels, in float64."""
    return (x.double() - y.double()).square().sum((1, 2, 3)) / 32**2


def test_on_lines_it_has_its_closed_form():
    """E |A (b - a)|^2 = 2 tr(A A'), for normal a and b; the left-out tails take off a little."""
    probe = PathLength(samples=2000, epsilon=1e-2, batch=500, distance=squared)
    found = probe.measure(Latents(5, linear, way="line"))
    wanted = 2 * float(MATRIX.square().sum())
    assert found["path_length"] == pytest.approx(wanted, rel=0.06)
    assert 0.007 * wanted < found["path_length_std"] < 0.04 * wanted


def test_on_the_sphere_a_step_is_an_angle():
    """G(z) = z: a step of eps along slerp is eps times the angle times the length there."""
    probe = PathLength(
        samples=2000, epsilon=1e-3, batch=500, ends="end", distance=lambda x, y: squared(x, y) * 32**2 / 64**2
    )

    def plain(z: torch.Tensor) -> torch.Tensor:
        return z[:, :, None, None].expand(-1, -1, 64, 64)

    def unit(n: int, dim: int, random: torch.Generator) -> torch.Tensor:
        return torch.nn.functional.normalize(torch.randn(n, dim, generator=random), dim=1)

    found = probe.measure(Latents(3, plain, unit))
    wanted = float(torch.pi**2 / 2 - 2)  # E angle^2 of two even points of the sphere in 3-d: int a^2 sin(a)/2
    assert found["path_length"] == pytest.approx(wanted, rel=0.06)


def test_slerp_keeps_to_the_sphere_and_meets_its_ends():
    a, b = (torch.nn.functional.normalize(torch.randn(9, 4, dtype=torch.float64), dim=1) for _ in range(2))
    middle = slerp(a, b, torch.full((9, 1), 0.3, dtype=torch.float64))
    assert torch.allclose(middle.norm(dim=1), torch.ones(9, dtype=torch.float64))
    assert torch.allclose(slerp(a, b, torch.zeros(9, 1, dtype=torch.float64)), a)
    assert torch.allclose(slerp(a, b, torch.ones(9, 1, dtype=torch.float64)), b)
    angle = (a * b).sum(1).arccos()
    assert torch.allclose((a * middle).sum(1).arccos(), 0.3 * angle)


def test_tails_are_left_out_and_sizes_fitted():
    assert without_tails(torch.arange(1000.0)).tolist() == list(range(9, 991))
    assert fitted(torch.zeros(1, 1, 512, 512)).shape[-1] == 256
    assert fitted(torch.zeros(1, 1, 300, 300)).shape[-1] == 300
    assert fitted(torch.zeros(1, 1, 28, 28)).shape[-1] == 64
    with pytest.raises(DataError, match="NaN or infinite"):
        fitted(torch.full((1, 1, 64, 64), torch.nan))


def test_with_lpips_a_rougher_generator_is_longer(shared_data):
    probe = PathLength(samples=100, batch=50, weights=shared_data / "weights")
    assert isinstance(probe, Probe)
    assert "LPIPS v0.1 AlexNet" in probe.detail()
    ways = [Latents(5, lambda z, s=scale: (linear(z) * s).sin(), way="line") for scale in (0, 1, 4)]
    none, smooth, rough = (probe.measure(way, seed=1)["path_length"] for way in ways)
    assert none == 0
    assert 0 < smooth < rough
    assert probe.measure(ways[1], seed=1)["path_length"] == smooth


def test_settings_that_cannot_work_are_refused():
    with pytest.raises(ConfigError, match="not: middle"):
        PathLength(ends="middle")
    with pytest.raises(ConfigError, match="samples of path_length is a whole number, 100 or more"):
        PathLength(samples=99)


@pytest.mark.parametrize(("recipe", "way"), [("r3gan", "sphere"), ("dcgan", "line")])
def test_a_recipe_is_a_function_of_its_latent(recipe, way):
    from gansmith.pipelines import catalogue
    from gansmith.pipelines.generate import Generator
    from gansmith.pipelines.latents import latents
    from gansmith.spec import ImageSpec

    spec = ImageSpec(size=32, channels=1)
    config = catalogue.build(catalogue.find(recipe), spec, "small")
    torch.manual_seed(0)
    nets = config.networks(spec).eval()
    found = latents(Generator(nets, config, spec, recipe))
    assert (found.way, found.dim) == (way, config.latent)
    z = found.draw(3, found.dim, torch.Generator().manual_seed(1))
    x = found.generate(z)
    assert x.shape == (3, 1, 32, 32)
    assert torch.allclose(found.generate(z[1:])[0], x[1], atol=1e-5)
    assert not torch.allclose(x[0], x[1])
    assert gs.__version__
