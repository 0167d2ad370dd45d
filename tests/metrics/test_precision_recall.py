"""Precision and recall's influences and settings; the shares against prdc's stand in test_parity."""

from __future__ import annotations

import pytest

from gansmith.metrics.balls import radii, within_balls
from gansmith.metrics.base import Seen
from gansmith.metrics.images.precision_recall import PrecisionRecall

from .helpers import fed, normal, spreads


@pytest.mark.parametrize("figure", ["precision", "recall"])
@pytest.mark.parametrize("scale", [1.0, 0.8])
def test_influences_foretell_the_spread_or_more(figure, scale):
    def draw(i):
        return {"real": Seen(normal(250, 8, 2 * i)), "fake": Seen(normal(250, 8, 2 * i + 1) * scale + 0.2)}

    real, foretold = spreads(PrecisionRecall, draw, figure, 50)
    assert 0.5 < real / foretold < 1.15


def test_k_counts_neighbours():
    a, b = normal(100, 4, 0), normal(80, 4, 1)
    found = fed(PrecisionRecall(k=7), a, b)
    assert found.compute()["precision"] == float(within_balls(b, a, radii(a, 7)).double().mean())
    assert found.detail() == "k=7"


def test_precision_never_comes_alone():
    assert set(fed(PrecisionRecall(), normal(20, 4, 0), normal(20, 4, 1)).compute()) == {"precision", "recall"}
