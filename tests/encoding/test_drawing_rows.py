"""Rows handed out: the quick way of making them says what the plain one says, choices have their softmax's shares."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from gansmith.data.tables import TableSource
from gansmith.nn.tabular import Heads, RowGenerator


@pytest.fixture(scope="module")
def generator() -> RowGenerator:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.choice(list("xyz"), 300), "b": rng.normal(size=300), "c": rng.choice([1, 2], 300)})
    torch.manual_seed(0)
    made = RowGenerator(TableSource(frame).spec, latent=7, width=16, depth=2, tau=0.2)
    with torch.no_grad():
        made(torch.randn(64, 7), made.conditions.drawn(torch.rand(64, 2))[0])  # running statistics of the norms
    return made.eval()


def test_the_quick_way_is_the_plain_one(generator: RowGenerator) -> None:
    z, uniform = torch.randn(50, 7), torch.rand(50, 2)
    cond, _ = generator.conditions.drawn(uniform)
    codes = generator.conditions.filled(torch.zeros_like(cond), torch.zeros(50, 2), uniform)
    assert codes.shape == (50,)
    assert torch.equal(generator.conditions.dense(codes), cond)
    plain = generator(z, cond)[1]  # with a gradient
    assert plain.requires_grad
    with torch.no_grad():
        for given in (cond, codes):
            torch.testing.assert_close(generator(z, given)[1], plain.detach(), rtol=1e-4, atol=1e-5)


def test_the_quick_way_follows_the_weights(generator: RowGenerator) -> None:
    z, cond = torch.randn(20, 7), torch.zeros(20, generator.conditions.width)
    with torch.no_grad():
        before = generator(z, cond)[1]
        generator.last.weight.data.mul_(2)  # which counts no version up
        generator.layers[0][1].running_mean.add_(0.5)
        after = generator(z, cond)[1]
    plain = generator(z, cond)[1].detach()
    torch.testing.assert_close(after, plain, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(before, after)


def test_what_is_asked_for_stays_dense(generator: RowGenerator) -> None:
    mask = torch.zeros(4, 2)
    mask[1, 0] = 1
    cond = torch.zeros(4, generator.conditions.width)
    cond[1, 2] = 1
    filled = generator.conditions.filled(cond, mask, torch.rand(4, 2))
    assert filled.shape == cond.shape
    assert torch.equal(filled[1], cond[1])
    assert filled.sum(1).eq(1).all()


def test_choices_are_drawn_with_the_shares_of_their_softmax() -> None:
    heads = Heads([1, 3, 2], [False, True, True])
    heads.offset[2] = 0.7
    raw = torch.tensor([[0.3, 0.0, -1.0, 1.5, 4.0, 4.0]]).expand(40_000, -1)
    row, codes = heads.drawn(raw, torch.rand(40_000, 2, generator=torch.Generator().manual_seed(0)))
    assert row.shape == raw.shape
    assert torch.equal(codes, torch.stack([row[:, 1:4].argmax(1), row[:, 4:6].argmax(1)], 1))
    assert torch.allclose(row[:, 0], torch.tensor(0.3).tanh(), atol=1e-6)  # no calibration, the map is the identity
    for own in (slice(1, 4), slice(4, 6)):
        assert row[:, own].sum(1).eq(1).all()
        wanted = (raw + heads.offset)[0, own].softmax(0)
        assert torch.allclose(row[:, own].mean(0), wanted, atol=0.01)


def test_the_ends_of_the_noise_are_codes() -> None:
    heads = Heads([3], [True])
    almost = float(np.nextafter(np.float32(1), np.float32(0)))
    row, _ = heads.drawn(torch.zeros(2, 3), torch.tensor([[0.0], [almost]]))
    assert row.tolist() == [[1, 0, 0], [0, 0, 1]]


@pytest.mark.parametrize("shift", [0.0, 300.0, -300.0])
def test_far_logits_are_drawn_as_near_ones(shift: float) -> None:
    heads = Heads([3], [True])
    raw = (torch.tensor([[0.0, -1.0, 1.0]]) + shift).expand(20_000, -1)
    uniform = torch.rand(20_000, 1, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(heads.drawn(raw, uniform)[0].mean(0), raw[0].softmax(0), atol=0.015)


def test_a_choice_of_many_codes_reaches_the_last() -> None:
    heads = Heads([400], [True])
    row, codes = heads.drawn(
        torch.zeros(20_000, 400), torch.rand(20_000, 1, generator=torch.Generator().manual_seed(0))
    )
    assert codes.unique().tolist() == list(range(400))
    assert torch.equal(row.argmax(1), codes[:, 0])


def test_scalars_are_bent_by_a_monotone_map() -> None:
    heads = Heads([1], [False])
    heads.onto[0] = torch.linspace(-1, 1, Heads.KNOTS).pow(3)
    raw = torch.linspace(-2, 2, 101)[:, None]
    bent = heads.drawn(raw, torch.zeros(101, 0))[0][:, 0]
    assert torch.allclose(bent, raw[:, 0].tanh().pow(3), atol=2e-4)
    assert bent.diff().ge(0).all()
