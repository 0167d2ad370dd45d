"""Clipped sums against plain loops, and what one row can do to them."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gansmith.privacy import gradients


def a_net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1))


def loss(logit: Tensor) -> Tensor:
    return F.softplus(-logit)


def by_loop(net: nn.Module, x: Tensor, weight: Tensor, clip: float, centre: dict[str, Tensor]) -> dict[str, Tensor]:
    total = {name: torch.zeros_like(p) for name, p in net.named_parameters()}
    for row, w in zip(x, weight, strict=True):
        found = torch.autograd.grad(loss(net(row[None])).sum(), list(net.parameters()))
        moved = {name: g + centre[name] for name, g in zip(total, found, strict=True)}
        norm = torch.cat([g.flatten() for g in moved.values()]).norm()
        for name, g in moved.items():
            total[name] += w * g * min(1.0, clip / float(norm))
    return total


@pytest.mark.parametrize("clip", [0.1, 100.0])
@pytest.mark.parametrize("chunk", [1 << 24, 100])
def test_the_clipped_sum_is_what_a_loop_makes(clip: float, chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gradients, "CHUNK", chunk)
    net, x = a_net(), torch.randn(9, 4)
    weight = torch.tensor([1.0, 0, 0.5, 1, 1, 0, 1, 1, 1])
    centre = gradients.mean_gradient(net, F.softplus(net(torch.randn(5, 4))).flatten())
    ours = gradients.clipped_sum(net, loss, x, weight, clip, centre)
    theirs = by_loop(net, x, weight, clip, centre)
    for name, g in ours.items():
        torch.testing.assert_close(g, theirs[name])
    assert all(p.requires_grad and p.grad is None for p in net.parameters())


@pytest.mark.parametrize("wild", [1.0, 1e6, float("nan"), float("inf")])
def test_a_row_changes_the_sum_by_at_most_the_clip(wild: float) -> None:
    net, x, clip = a_net(), torch.randn(16, 4), 0.05
    x[3] = wild
    centre = {name: torch.randn_like(p) for name, p in net.named_parameters()}
    present, blank = torch.ones(16), torch.ones(16)
    blank[3] = 0.0
    sums = [gradients.clipped_sum(net, loss, x, weight, clip, centre) for weight in (present, blank)]
    change = torch.cat([(a - b).flatten() for a, b in zip(*(s.values() for s in sums), strict=True)]).norm()
    assert torch.isfinite(change)
    assert change <= clip * (1 + 1e-5)


def test_the_surrogates_gradient_is_the_one_given() -> None:
    net = a_net()
    wanted = {name: torch.randn_like(p) for name, p in net.named_parameters()}
    losses = gradients.surrogate(net, wanted, 7)
    assert losses.shape == (7,)
    losses.mean().backward()
    for name, p in net.named_parameters():
        torch.testing.assert_close(p.grad, wanted[name])
    net.zero_grad()
    gradients.still(net, 3).mean().backward()
    assert all(p.grad is not None and not p.grad.any() for p in net.parameters())


def test_blur_is_seeded_or_secret() -> None:
    total = {"a": torch.zeros(300, 100), "b": torch.zeros(50)}
    once, again, other = (gradients.blur(total, 2.0, seed) for seed in (1, 1, 2))
    assert torch.equal(once["a"], again["a"])
    assert not torch.equal(once["a"], other["a"])
    assert not torch.equal(once["a"].flatten()[:50], once["b"])
    for made in (once, gradients.blur(total, 2.0, None)):
        assert abs(float(made["a"].std()) - 2.0) < 0.04
    assert not torch.equal(gradients.blur(total, 2.0, None)["b"], gradients.blur(total, 2.0, None)["b"])
