"""sFID is the Fréchet distance of the spatial head, and of nothing else."""

from __future__ import annotations

import pytest

from gansmith.metrics.base import Seen
from gansmith.metrics.functional import frechet_distance, moments
from gansmith.metrics.images.sfid import SFID

from .helpers import fed, normal


def test_it_compares_the_spatial_head():
    a, b = normal(100, 12, 0), normal(90, 12, 1) + 1
    metric = fed(SFID(), Seen(normal(100, 4, 2), heads={"spatial": a}), Seen(normal(90, 4, 3), heads={"spatial": b}))
    found = metric.compute()
    assert found == {"sfid": pytest.approx(frechet_distance(*moments(a), *moments(b)), rel=1e-9)}
    sample = {"real": Seen(a, heads={"spatial": a}), "fake": Seen(b, heads={"spatial": b})}
    assert {side: len(v) for side, v in metric.influences(sample)["sfid"].items()} == {"real": 100, "fake": 90}
    assert SFID.needs == {"head:spatial"}
