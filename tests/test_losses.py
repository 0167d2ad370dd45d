"""Adversarial losses against closed forms; penalties against finite differences in float64."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from gansmith.losses import adversarial, penalties

REAL, FAKE = torch.tensor([-2.0, 0.0, 0.5, 3.0]), torch.tensor([1.0, 0.0, -4.0, 2.5])


def sigmoid(v: float) -> float:
    return 1 / (1 + math.exp(-v))


CLOSED_FORMS = {
    "minimax": (
        lambda r, f: -math.log(sigmoid(r)) - math.log(1 - sigmoid(f)),
        lambda f, r: math.log(1 - sigmoid(f)),
    ),
    "non_saturating": (
        lambda r, f: -math.log(sigmoid(r)) - math.log(1 - sigmoid(f)),
        lambda f, r: -math.log(sigmoid(f)),
    ),
    "least_squares": (lambda r, f: (r - 1) ** 2 / 2 + f**2 / 2, lambda f, r: (f - 1) ** 2 / 2),
    "hinge": (lambda r, f: max(0, 1 - r) + max(0, 1 + f), lambda f, r: -f),
    "wasserstein": (lambda r, f: f - r, lambda f, r: -f),
    "relativistic": (lambda r, f: math.log1p(math.exp(f - r)), lambda f, r: math.log1p(math.exp(r - f))),
}


def g_loss(name: str, fake: Tensor, real: Tensor) -> Tensor:
    pair = getattr(adversarial, name)
    return pair.g(fake, real) if name == "relativistic" else pair.g(fake)


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_closed_forms(name: str) -> None:
    d, g = CLOSED_FORMS[name]
    logits = list(zip(REAL.tolist(), FAKE.tolist(), strict=True))
    torch.testing.assert_close(getattr(adversarial, name).d(REAL, FAKE), torch.tensor([d(r, f) for r, f in logits]))
    torch.testing.assert_close(g_loss(name, FAKE, REAL), torch.tensor([g(f, r) for r, f in logits]))


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_patches_are_averaged_per_sample_in_float32(name: str) -> None:
    real, fake = torch.randn(3, 1, 4, 4), torch.randn(3, 1, 4, 4)
    pair = getattr(adversarial, name)
    of_patches = torch.stack([pair.d(real[..., i, j].squeeze(1), fake[..., i, j].squeeze(1))
                              for i in range(4) for j in range(4)])  # fmt: skip
    torch.testing.assert_close(pair.d(real, fake), of_patches.mean(0))
    half = pair.d(real.bfloat16(), fake.bfloat16())
    assert half.shape == (3,)
    assert half.dtype == torch.float32


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_extreme_logits_give_finite_losses(name: str) -> None:
    huge = torch.tensor([1e4, -1e4])
    assert getattr(adversarial, name).d(huge, -huge).isfinite().all()
    assert g_loss(name, huge, -huge).isfinite().all()


def test_g_wants_higher_logits() -> None:
    for name in CLOSED_FORMS:
        fake = FAKE.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(g_loss(name, fake, REAL).sum(), fake)
        low = fake < 1  # least squares wants 1, the others ever more
        assert (gradient[low] < 0).all(), name


class Judge(nn.Module):
    """A small smooth D."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 1)).double()

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x).squeeze(1)


def numeric_gradient(judge: Judge, x: Tensor, h: float = 1e-6) -> Tensor:
    steps = torch.eye(5, dtype=torch.float64) * h
    return torch.stack([(judge(x + s) - judge(x - s)) / (2 * h) for s in steps], 1)


@pytest.fixture
def judged() -> tuple[Judge, Tensor]:
    torch.manual_seed(0)
    return Judge(), torch.randn(6, 5, dtype=torch.float64)


def test_gradient_norm2_is_that_of_finite_differences(judged: tuple[Judge, Tensor]) -> None:
    judge, x = judged
    expected = numeric_gradient(judge, x).square().sum(1)
    x.requires_grad_()
    torch.testing.assert_close(penalties.gradient_norm2(judge(x), x), expected, rtol=1e-6, atol=1e-9)


def test_gradient_norm_error2_is_that_of_finite_differences(judged: tuple[Judge, Tensor]) -> None:
    judge, x = judged
    expected = (numeric_gradient(judge, x).norm(dim=1) - 1).square()
    x.requires_grad_()
    torch.testing.assert_close(penalties.gradient_norm_error2(judge(x), x), expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("penalty", [penalties.gradient_norm2, penalties.gradient_norm_error2])
def test_penalties_have_right_gradients_in_the_parameters(penalty, judged: tuple[Judge, Tensor]) -> None:
    judge, x = judged
    x.requires_grad_()
    weight = judge.layers[0].weight
    (gradient,) = torch.autograd.grad(penalty(judge(x), x).sum(), weight)
    h = 1e-5
    for i, j in ((0, 0), (3, 2), (6, 4)):
        values = []
        for sign in (1, -1):
            with torch.no_grad():
                weight[i, j] += sign * h
            values.append(penalty(judge(x), x).sum().item())
            with torch.no_grad():
                weight[i, j] -= sign * h
        assert gradient[i, j].item() == pytest.approx((values[0] - values[1]) / (2 * h), rel=1e-5, abs=1e-9)


def test_norm_penalty_survives_a_gradient_of_zero() -> None:
    x = torch.randn(3, 5, requires_grad=True)
    weight = torch.zeros(5, requires_grad=True)
    value = penalties.gradient_norm_error2(x @ weight, x)
    (gradient,) = torch.autograd.grad(value.sum(), weight)
    torch.testing.assert_close(value.detach(), torch.ones(3))
    assert gradient.isfinite().all()


def test_penalty_is_float32_under_autocast() -> None:
    layer, x = nn.Linear(5, 1), torch.randn(4, 5, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        value = penalties.gradient_norm2(layer(x).squeeze(1), x)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, layer.weight.square().sum().expand(4), rtol=0.02, atol=0)


def test_between_lies_on_the_line() -> None:
    real, fake, u = torch.ones(3, 1, 2, 2), torch.zeros(3, 1, 2, 2), torch.tensor([0.0, 0.25, 1.0])
    points = penalties.between(real, fake, u)
    assert points.requires_grad
    torch.testing.assert_close(points[:, 0, 0, 0].detach(), u)
