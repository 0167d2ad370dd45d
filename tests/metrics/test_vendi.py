"""The Vendi score against its definition on the kernel, and its extremes."""

from __future__ import annotations

import math

import pytest
import torch

from gansmith.errors import DataError
from gansmith.metrics.base import Seen
from gansmith.metrics.images.vendi import Vendi

from .helpers import fed, normal, spreads


def score(x):
    metric = Vendi()
    for part in x.split(37):
        metric.update(Seen(part), "fake")
    return metric.compute()["vendi"]


def test_it_is_the_entropy_of_the_kernel_s_eigenvalues():
    x = normal(50, 20, 0).double()
    unit = x / x.norm(dim=1, keepdim=True)
    values = torch.linalg.eigvalsh(unit @ unit.T / 50).clamp(min=1e-300)
    assert score(x.float()) == pytest.approx(math.exp(float(-(values * values.log()).sum())), rel=1e-5)


def test_orthogonal_pictures_count_each_and_copies_count_once():
    assert score(torch.eye(12)) == pytest.approx(12)
    assert score(torch.eye(12).repeat(9, 1)) == pytest.approx(12)
    assert score(normal(1, 12, 0).repeat(40, 1)) == pytest.approx(1)


def test_influences_foretell_the_spread():
    scale = torch.linspace(0.1, 2, 12)
    real, foretold = spreads(Vendi, lambda i: {"fake": Seen(normal(300, 12, i) * scale)}, "vendi", 60)
    assert 0.75 < real / foretold < 1.3


def test_few_pictures_are_remarked_and_zero_features_refused():
    assert "of 12 pictures grows with their number" in fed(Vendi(), fake=normal(12, 12, 0)).remarks()["vendi"]
    assert fed(Vendi(), normal(5, 12, 1), normal(13, 12, 0)).remarks() == {}
    with pytest.raises(DataError, match="all zero"):
        fed(Vendi(), fake=torch.zeros(3, 4))
    with pytest.raises(DataError, match="at least 1 generated picture; came: 0"):
        fed(Vendi(), real=normal(3, 4, 0)).compute()
