"""ADA: the identity at p = 0, derivatives of both orders, and each family by what its name says."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
import torch
from torch import Tensor

from gansmith.augment.ada import ADA
from gansmith.augment.colour import brightness, contrast, hue, luma_flip, recolour, saturation
from gansmith.augment.geometry import affine_grid, rotation, scaling, translation
from gansmith.augment.warp import pick, warp
from gansmith.recipes.base import Context

NONE = ADA(**{f.name: 0.0 for f in fields(ADA)})
FAMILIES = [f.name for f in fields(ADA)]


def only(family: str) -> ADA:
    return replace(NONE, **{family: 1.0})


def pictures(n: int = 64, channels: int = 3, size: int = 16) -> Tensor:
    return torch.rand(n, channels, size, size, generator=torch.Generator().manual_seed(0)) * 2 - 1


def smooth(n: int = 64, channels: int = 1, size: int = 32) -> Tensor:
    """Pictures without detail: an off-centre bump in each."""
    grid = torch.linspace(-1, 1, size)
    bump = torch.exp(-((grid[None, :] - 0.2) ** 2 + (grid[:, None] + 0.3) ** 2) / 0.1)
    return bump.expand(n, channels, size, size).contiguous()


def rows_equal(a: Tensor, b: Tensor) -> Tensor:
    return (a == b).flatten(1).all(1)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_p_of_zero_is_the_identity_to_the_bit(channels: int) -> None:
    x = pictures(8, channels)
    assert torch.equal(ADA()(x, 0.0, Context()), x)
    assert torch.equal(ADA()(x, torch.tensor(0.0), Context()), x)
    assert torch.equal(NONE(x, 1.0, Context()), x)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_shapes_and_values_at_full_strength(channels: int) -> None:
    x = pictures(16, channels)
    y = ADA()(x, 1.0, Context())
    assert y.shape == x.shape
    assert y.isfinite().all()
    assert not rows_equal(x, y).any()


def test_p_is_the_share_of_changed_pictures() -> None:
    x = pictures(2000, 1, 8)
    changed = (~rows_equal(only("cutout")(x, 0.3, Context()), x)).float().mean().item()
    assert changed == pytest.approx(0.3, abs=0.04)


@pytest.mark.parametrize("family", FAMILIES)
def test_each_family_does_something_to_colour_pictures(family: str) -> None:
    x = pictures()
    assert not torch.equal(only(family)(x, 1.0, Context()), x)


@pytest.mark.parametrize("family", ["hue", "saturation"])
def test_grey_pictures_have_no_hue_nor_saturation(family: str) -> None:
    x = pictures(channels=1)
    torch.testing.assert_close(only(family)(x, 1.0, Context()), x, rtol=1e-5, atol=1e-5)


def test_the_same_rows_get_the_same_augmentation_in_parts() -> None:
    x = pictures(130, 3, 8)
    whole = ADA()(x, 0.7, Context(seed=5))
    parts = [ADA()(x[i : i + 50], 0.7, Context(seed=5, row=i)) for i in range(0, 130, 50)]
    torch.testing.assert_close(torch.cat(parts), whole, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("channels", [1, 3])
def test_first_and_second_derivatives(channels: int) -> None:
    x = pictures(2, channels, 6).double().requires_grad_()

    def augment(v: Tensor) -> Tensor:
        return ADA()(v, 1.0, Context(seed=1))

    assert torch.autograd.gradcheck(augment, (x,))
    assert torch.autograd.gradgradcheck(augment, (x,))


def test_warp_has_derivatives_where_the_output_is_larger() -> None:
    x = torch.randn(2, 1, 4, 4, dtype=torch.float64, requires_grad=True)
    grid = torch.rand(2, 7, 5, 2, dtype=torch.float64) * 3 - 1.5
    assert torch.autograd.gradcheck(lambda v: warp(v, grid), (x,))
    assert torch.autograd.gradgradcheck(lambda v: warp(v, grid) ** 2, (x,))


def test_r1_through_the_augmentation_reaches_the_parameters() -> None:
    from gansmith.losses.penalties import gradient_norm2

    torch.manual_seed(0)
    x, judge = pictures(4, 3, 8).requires_grad_(), torch.nn.Conv2d(3, 2, 3)
    logit = judge(ADA()(x, 1.0, Context())).square().flatten(1).sum(1)
    gradient_norm2(logit, x).sum().backward()
    assert judge.weight.grad is not None
    assert judge.weight.grad.abs().sum() > 0


def test_flip_mirrors_about_half_of_the_pictures() -> None:
    x = pictures(400, 1, 8)
    y = only("flip")(x, 1.0, Context())
    mirrored, same = rows_equal(y, x.flip(3)), rows_equal(y, x)
    assert (mirrored | same).all()
    assert 0.4 < mirrored.float().mean() < 0.6


def test_rot90_turns_by_quarters() -> None:
    x = pictures(400, 3, 8)
    y = only("rot90")(x, 1.0, Context())
    turned = torch.stack([rows_equal(y, x.rot90(k, (2, 3))) for k in range(4)])
    assert turned.any(0).all()
    assert (turned.float().mean(1) > 0.15).all()


def test_shift_moves_by_whole_pixels_and_at_most_an_eighth() -> None:
    x = pictures(300, 1, 16)
    y = only("shift")(x, 1.0, Context())
    padded = torch.nn.functional.pad(x, (2, 2, 2, 2), mode="reflect")
    moved = [rows_equal(y, padded[:, :, i : i + 16, j : j + 16]) for i in range(5) for j in range(5)]
    assert torch.stack(moved).any(0).all()
    assert torch.stack(moved).any(1).sum() > 20


def centre(x: Tensor) -> Tensor:
    """Centre of mass (b, 2), x before y, in [-1, 1]."""
    at = (torch.arange(x.shape[-1]) + 0.5) * 2 / x.shape[-1] - 1
    mass = x.sum((1, 2, 3))
    return torch.stack(((x.sum((1, 2)) * at).sum(1), (x.sum((1, 3)) * at).sum(1)), 1) / mass[:, None]


def test_rotation_keeps_the_distance_from_the_middle() -> None:
    x = smooth()
    y = only("rotate")(x, 1.0, Context())
    torch.testing.assert_close(centre(y).norm(dim=1), centre(x).norm(dim=1), atol=0.05, rtol=0.05)
    assert centre(y).std(0).min() > 0.1


def test_scale_changes_the_area_and_not_the_shape() -> None:
    x = smooth()
    y = only("scale")(x, 1.0, Context())
    area = y.sum((1, 2, 3)) / x.sum((1, 2, 3))
    assert area.std() > 0.1
    assert (area.log2().abs() < 2).all()


def test_aniso_stretches_one_way_and_squeezes_the_other() -> None:
    x = smooth()
    y = only("aniso")(x, 1.0, Context())
    torch.testing.assert_close(y.sum((1, 2, 3)), x.sum((1, 2, 3)), rtol=0.05, atol=0.1)
    ratio = centre(y) / centre(x)
    torch.testing.assert_close(ratio.prod(1), torch.ones(len(x)), atol=0.1, rtol=0.1)
    assert ratio[:, 0].std() > 0.05


def test_fraction_moves_by_parts_of_a_pixel() -> None:
    x = smooth() * 1.0
    moved = centre(only("fraction")(x, 1.0, Context())) - centre(x)
    assert moved.std(0).min() > 0.05
    assert ((moved * 16) % 1 > 0.1).any()


def test_affine_grid_and_matrices_agree_with_their_names() -> None:
    one = torch.ones(1)
    x = smooth(1)
    shifted = warp(x, affine_grid(translation(-0.25 * one, 0 * one), 32, 32))
    torch.testing.assert_close(shifted[..., 4:], x[..., :-4], atol=1e-5, rtol=0)
    quarter = warp(x, affine_grid(rotation(torch.pi / 2 * one), 32, 32))
    torch.testing.assert_close(quarter, x.rot90(1, (2, 3)), atol=1e-4, rtol=0)
    halved = warp(x, affine_grid(scaling(2 * one, 2 * one), 32, 32))
    assert halved[0, 0, 8:24, 8:24].sum() == pytest.approx(x.sum().item() / 4, rel=0.05)


def test_pick_copies_pixels() -> None:
    x = pictures(2, 3, 4)
    rows, columns = torch.meshgrid(torch.arange(4), torch.arange(4), indexing="ij")
    both = (rows.expand(2, 4, 4), columns.flip(1).expand(2, 4, 4))
    assert torch.equal(pick(x, *both), x.flip(3))


def test_brightness_and_contrast() -> None:
    x = pictures(2)
    torch.testing.assert_close(recolour(x, brightness(torch.tensor([0.1, -0.2]))[:2]),
                               x + torch.tensor([0.1, -0.2]).view(2, 1, 1, 1))  # fmt: skip
    torch.testing.assert_close(recolour(x, contrast(torch.tensor([2.0, 0.5]))),
                               x * torch.tensor([2.0, 0.5]).view(2, 1, 1, 1))  # fmt: skip


def test_luma_flip_negates_greys_and_keeps_colours() -> None:
    x = pictures(2)
    y = recolour(x, luma_flip(torch.tensor([True, False])))
    torch.testing.assert_close(y[0].mean(0), -x[0].mean(0))
    torch.testing.assert_close(y[0] - y[0].mean(0), x[0] - x[0].mean(0))
    torch.testing.assert_close(y[1], x[1])
    grey = pictures(1, 1)
    torch.testing.assert_close(recolour(grey, luma_flip(torch.tensor([True]))), -grey)


def test_hue_keeps_luma_and_saturation() -> None:
    x = pictures(2)
    third = torch.tensor([2 * torch.pi / 3, 0.0])
    y = recolour(x, hue(third))
    torch.testing.assert_close(y[0], x[0].roll(1, 0), atol=1e-5, rtol=1e-5)  # red to green to blue
    torch.testing.assert_close(y[1], x[1], atol=1e-6, rtol=1e-5)


def test_saturation_of_zero_is_grey() -> None:
    x = pictures(2)
    y = recolour(x, saturation(torch.tensor([0.0, 2.0])))
    torch.testing.assert_close(y[0], x[0].mean(0).expand(3, -1, -1))
    torch.testing.assert_close(y[1] - y[1].mean(0), 2 * (x[1] - x[1].mean(0)))


def test_alpha_is_left_alone_by_colour() -> None:
    x = pictures(4, 4)
    colour = replace(NONE, brightness=1.0, contrast=1.0, luma=1.0, hue=1.0, saturation=1.0)
    y = colour(x, 1.0, Context())
    assert torch.equal(y[:, 3], x[:, 3])
    assert not torch.equal(y[:, :3], x[:, :3])


def test_cutout_greys_a_square_of_half_the_side() -> None:
    x = torch.ones(200, 3, 16, 16)
    y = only("cutout")(x, 1.0, Context())
    holes = (y == 0).float().mean((1, 2, 3))
    assert (holes <= 0.25 + 1e-6).all()
    assert holes.max() == pytest.approx(0.25)
    assert holes.min() >= 0.25 / 4 - 0.03


def test_pictures_that_are_not_square_are_refused() -> None:
    with pytest.raises(ValueError, match="square"):
        ADA()(torch.zeros(1, 3, 8, 16), 1.0, Context())
