"""What private recipes are made of: a ring of moments, an evened target, features of bounded length."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from gansmith.errors import SpecError
from gansmith.privacy.parts import Features, Past, Target
from gansmith.tabular.encoders import Choice
from gansmith.tabular.schema import Column, Schema
from gansmith.tabular.spec import TableSpec


def a_spec() -> TableSpec:
    sizes = {"colour": 3, "ill": 2}
    columns = tuple(Column(name=n, kind="category", categories=tuple("abc"[:k])) for n, k in sizes.items())
    encoders = (
        Choice(weights=(2.0, 1.0, 1.0), top=3, nulls=False),
        Choice(weights=(19.0, 1.0), top=2, nulls=False),
    )
    return TableSpec(schema=Schema(columns), encoders=encoders, rows=100)


def test_rows_come_from_the_moments_that_are_kept() -> None:
    net = nn.Linear(1, 1, bias=False)
    past = Past(net, keep=3)
    x, u = torch.ones(600, 1), torch.rand(600)
    nn.init.constant_(net.weight, 9.0)
    assert (past.call(net, u, x) == 9).all(), "the net itself before any moment is kept"
    for number in range(5):
        nn.init.constant_(net.weight, float(number))
        past.remember(net, number)
    made = past.call(net, u, x).flatten()
    assert sorted(made.unique().tolist()) == [2.0, 3.0, 4.0]
    assert all(150 < int((made == m).sum()) < 250 for m in (2, 3, 4))


def test_a_target_weighs_and_draws() -> None:
    target = Target(a_spec(), "ill", even=0.5)
    assert torch.allclose(target.shares, torch.tensor([0.95, 0.05]), atol=0.03)
    assert float(target.evened[1]) == pytest.approx(0.5 * float(target.shares[1]) + 0.25, abs=1e-5)
    u = torch.rand(20_000, generator=torch.Generator().manual_seed(0))
    for even, shares in ((True, target.evened), (False, target.shares)):
        assert torch.allclose(target.drawn(u, even=even).mean(0), shares, atol=0.02)
    x = torch.zeros(2, 5)
    wanted = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    assert torch.equal(target.of(target.put(x, wanted)), wanted)
    cond = torch.tensor([[0.0, 0, 0, 0, 1], [0, 1, 0, 0, 0]])
    assert torch.equal(target.wanted(cond, torch.zeros(2)), torch.tensor([[0.0, 1.0], [1.0, 0.0]]))
    with pytest.raises(SpecError, match=r"'il' is no category of this table. Did you mean 'ill'"):
        Target(a_spec(), "il", even=0.0)


def test_without_a_target_all_rows_are_of_one_kind() -> None:
    target, x = Target(a_spec(), "", even=0.9), torch.rand(4, 5)
    assert torch.equal(target.weight(x), torch.ones(4))
    assert target.drawn(torch.rand(4), even=True).shape == (4, 0)
    assert torch.equal(target.put(x, torch.zeros(4, 0)), x)


def test_features_have_about_the_same_length_whatever_their_number() -> None:
    for cosines in (0, 10, 200):
        length = Features(30, cosines)(torch.rand(500, 30) * 2 - 1).norm(dim=1)
        assert 0.7 < float(length.mean()) < 1.7
        assert float(length.max()) <= 3**0.5 + 1e-5
