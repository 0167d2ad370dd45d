"""KID's settings and its influences. Its numbers against torch-fidelity's stand in test_functional and test_parity."""

from __future__ import annotations

import pytest

from gansmith.errors import DataError
from gansmith.metrics.base import Seen
from gansmith.metrics.functional import canonical, kid
from gansmith.metrics.images.kid import KID

from .helpers import fed, normal, spreads


@pytest.mark.parametrize("how", ["equal", "shifted", "shrunk"])
def test_influences_foretell_the_spread(how):
    change = {"equal": lambda x: x, "shifted": lambda x: x + 0.2, "shrunk": lambda x: x * 0.7}[how]

    def draw(i):
        return {"real": Seen(normal(200, 16, 2 * i)), "fake": Seen(change(normal(200, 16, 2 * i + 1)))}

    real, foretold = spreads(lambda: KID(subsets=30), draw, "kid", 50)
    assert 0.45 < real / foretold < 1.3  # too wide for equal sides, where the first order vanishes


def test_the_class_is_the_function_on_rows_in_their_own_order():
    a, b = normal(300, 8, 0), normal(260, 8, 1)
    found = fed(KID(subsets=5, subset_size=100), a, b).compute()
    assert (found["kid"], found["kid_std"]) == kid(canonical(a), canonical(b), subsets=5, subset_size=100)


def test_few_pictures_are_refused():
    with pytest.raises(DataError, match="at least 4 pictures on each side; came: 3"):
        fed(KID(), normal(10, 8, 0), normal(3, 8, 1)).compute()
