"""Ways of drawing rows: a function of (seed, number of the batch), whoever asks for which part."""

from __future__ import annotations

import pytest
import torch

from gansmith.tabular.draws import PADDING, Conditional, Poisson, Whole, expected_rows

CODES = torch.stack([torch.arange(1_000) % 2, (torch.arange(1_000) >= 990).long() * 2], 1)  # 990 : 0 : 10


@pytest.mark.parametrize("order", [Conditional(CODES, [2, 3], 64, 5), Poisson(1_000, 64, 5)])
def test_parts_of_a_batch_are_the_batch(order: Whole) -> None:
    whole = order.rows(128, 64)
    parts = torch.cat([order.rows(128, 20), order.rows(148, 44)])
    assert torch.equal(whole, parts)
    assert torch.equal(order.rows(100, 64)[28:], whole[:36])  # across batches
    assert not torch.equal(order.rows(192, 64), whole)


def test_a_conditional_row_has_the_category_that_was_drawn() -> None:
    drawn = Conditional(CODES, [2, 3], 10_000, 1).rows(0, 10_000)
    row, column = drawn[:, 0], drawn[:, 1]
    assert abs(float((column == 0).float().mean()) - 0.5) < 0.03
    rare = CODES[row[column == 1], 1] == 2
    wanted = torch.tensor([991.0, 11.0]).log()
    share = float(wanted[1] / wanted.sum())  # by the logarithm of the frequency, not by the frequency
    assert abs(float(rare.float().mean()) - share) < 0.03


def test_without_categories_rows_are_drawn_at_random() -> None:
    drawn = Conditional(torch.zeros(50, 0, dtype=torch.int64), [], 4_000, 1).rows(0, 4_000)
    assert drawn.shape == (4_000,)
    assert torch.bincount(drawn, minlength=50).min() > 40


def test_poisson_batches_vary_in_size_and_each_row_joins_alone() -> None:
    order = Poisson(2_000, 200, 3)
    joined = [r[r != PADDING] for r in (order.rows(200 * i, 200) for i in range(400))]
    sizes = torch.tensor([float(len(r)) for r in joined])
    assert abs(float(sizes.mean()) - expected_rows(200)) < 1.5
    assert abs(float(sizes.var()) / (expected_rows(200) * (1 - order.rate)) - 1) < 0.25
    assert all(len(r.unique()) == len(r) for r in joined)
    together = torch.bincount(torch.cat(joined), minlength=2_000).float()
    assert abs(float(together.mean()) / 400 - order.rate) < 0.003


def test_a_poisson_batch_fits_its_capacity() -> None:
    for capacity in (50, 500, 5_000):
        mean = expected_rows(capacity)
        assert mean + 6 * mean**0.5 == pytest.approx(capacity)
