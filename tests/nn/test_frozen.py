"""A frozen network is looked through, moved along, named in the state, and never a part of it."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from torch import nn

from gansmith.errors import CheckpointError
from gansmith.nn.frozen import Frozen


class Judge(nn.Module):
    """Something that learns, behind something that does not."""

    def __init__(self, digest: str = "0123456789ab") -> None:
        super().__init__()
        self.eyes = Frozen(lambda: nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.5)), digest, "the extractor eyes")
        self.head = nn.Linear(4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.eyes(x))


def test_it_is_no_part_of_what_learns() -> None:
    judge = Judge().train()
    x = torch.randn(2, 3, requires_grad=True)
    judge(x).sum().backward()
    assert {name for name, _ in judge.named_parameters()} == {"head.weight", "head.bias"}
    assert set(judge.state_dict()) == {"head.weight", "head.bias", "eyes.sha256"}
    assert x.grad is not None
    assert not any(p.requires_grad or p.grad is not None for p in judge.eyes.net.parameters())
    assert torch.equal(judge(x), judge(x)), "it stays in evaluation mode"


def test_it_is_built_when_it_is_first_needed_and_once() -> None:
    built = []

    def make() -> nn.Module:
        built.append(1)
        return nn.Linear(1, 1)

    frozen = Frozen(make, "00", "it")
    frozen.state_dict()
    assert not built
    assert frozen.net is frozen.net
    assert len(built) == 1


def test_it_moves_along() -> None:
    judge = Judge()
    assert next(judge.eyes.net.parameters()).device.type == "cpu"
    assert next(judge.to("meta").eyes.net.parameters()).is_meta
    later = Judge().to("meta")  # built after it was moved
    assert next(later.eyes.net.parameters()).is_meta
    assert Judge().double().eyes.net[0].weight.dtype == torch.float32, "what is built later has its own precision"
    built = Judge()
    assert built.eyes.net is not None
    assert built.double().eyes.net[0].weight.dtype == torch.float64


def test_copies_see_alike() -> None:
    judge, x = Judge(), torch.randn(2, 3)
    seen = judge(x)
    assert torch.equal(deepcopy(judge)(x), seen)


def test_the_state_names_its_weights() -> None:
    judge, state = Judge(), Judge("0123456789ab").state_dict()
    assert bytes(state["eyes.sha256"].tolist()).decode() == "0123456789ab"
    judge.load_state_dict(state)
    assert torch.equal(judge.head.weight, state["head.weight"])
    with pytest.raises(CheckpointError, match=r"the extractor eyes has .*0123456789ab here.* others: ba9876543210"):
        judge.load_state_dict(Judge("ba9876543210").state_dict())
