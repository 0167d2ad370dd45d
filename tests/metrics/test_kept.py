"""The sample of what was seen: all of it or an even part, whatever the batches."""

from __future__ import annotations

import torch

from gansmith.metrics.base import Seen
from gansmith.metrics.kept import Kept


def kept(n: int, limit: int, part: int, seed: int = 0) -> torch.Tensor:
    numbers = torch.arange(n).float()[:, None]
    store = Kept(limit, seed)
    for rows in numbers.split(part):
        store.add(Seen(rows, heads={"logits": rows * 2}, labels=rows[:, 0].long()))
    found = store.sample()
    assert store.count == n
    assert torch.equal(found.heads["logits"], found.features * 2)
    assert torch.equal(found.labels.float(), found.features[:, 0])
    return found.features[:, 0]


def test_all_are_kept_in_order_up_to_the_limit():
    assert torch.equal(kept(50, 50, 7), torch.arange(50).float())
    assert len(Kept(10).sample()) == 0


def test_the_sample_does_not_depend_on_the_batches():
    whole = kept(1000, 64, 1000)
    assert len(whole.unique()) == 64
    for part in (1, 13, 64, 999):
        assert torch.equal(kept(1000, 64, part), whole)


def test_every_picture_has_the_same_chance():
    drawn = torch.cat([kept(200, 20, 33, seed) for seed in range(400)])
    times = torch.bincount(drawn.long(), minlength=200).float()  # 40 each, deviation 6
    assert (times - 40).abs().max() < 26
    assert abs(times[:20].mean() - 40) < 6
    assert abs(times[-20:].mean() - 40) < 6
