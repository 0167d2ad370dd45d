"""The classification accuracy score: generators that keep classes, lose one, mix them up."""

from __future__ import annotations

import pytest
import torch

from gansmith.errors import DataError
from gansmith.metrics.base import Seen
from gansmith.metrics.images.accuracy_score import AccuracyScore, predicted, trained


def shapes(n: int, seed: int, size: int = 16) -> tuple[torch.Tensor, torch.Tensor]:
    """Grey pictures of three classes: a bar that lies, a bar that stands, a spot; each at a random place, in noise."""
    random = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 3, (n,), generator=random)
    place = torch.randint(2, size - 2, (n, 2), generator=random)
    y, x = torch.arange(size).view(1, -1, 1), torch.arange(size).view(1, 1, -1)
    near = [(v - place[:, i].view(-1, 1, 1)).abs() < 2 for i, v in enumerate((y, x))]
    lit = torch.where(
        labels.view(-1, 1, 1) == 0, near[0], torch.where(labels.view(-1, 1, 1) == 1, near[1], near[0] & near[1])
    )
    noise = torch.randint(0, 160, (n, size, size), generator=random)
    return (lit * 70 + noise).byte()[..., None], labels


def seen(pixels: torch.Tensor, labels: torch.Tensor | None) -> Seen:
    return Seen(torch.empty(len(pixels), 0), pixels=pixels, labels=labels)


REAL, HELD, FAKE = (shapes(n, seed) for n, seed in ((300, 0), (200, 1), (300, 2)))


def fed(fake=FAKE, batch: int = 1000, **settings) -> AccuracyScore:
    metric = AccuracyScore(**({"steps": 25, "batch": 32, "size": 16} | settings))
    for side, (pixels, labels) in (("real", REAL), ("fake", fake), ("held", HELD)):
        for part in torch.arange(len(pixels)).split(batch):
            metric.update(seen(pixels[part], labels[part]), side)
    return metric


@pytest.fixture(scope="module")
def good() -> AccuracyScore:
    metric = fed()
    metric.compute()
    return metric


def test_fakes_like_the_reals_score_like_them(good):
    found = good.compute()
    assert 0.8 < found["accuracy_score"] < 1
    assert abs(found["accuracy_score"] - found["accuracy_score_real"]) < 0.1
    share = found["accuracy_score"]
    assert found["accuracy_score_std"] == pytest.approx((share * (1 - share) / 200) ** 0.5)
    assert good.detail() == "n_held=200, 25 steps on 16x16"


def test_a_lost_class_costs_its_share():
    pixels, labels = FAKE
    found = fed((pixels[labels != 2], labels[labels != 2])).compute()
    assert found["accuracy_score"] == pytest.approx(float((HELD[1] != 2).double().mean()), abs=0.1)


def test_labels_that_mean_nothing_leave_chance():
    found = fed((FAKE[0], FAKE[1].roll(1))).compute()
    assert found["accuracy_score"] < 0.6


def test_batches_and_processes_change_nothing(good):
    whole = good.compute()
    assert fed(batch=41).compute() == whole
    again = AccuracyScore(steps=25, batch=32, size=16)
    again.load_state_dict(good.state_dict())
    assert again.compute() == whole
    assert set(good.states) == set(good.state_dict())


def test_its_influences_are_the_answers(good):
    moved = good.influences({})
    share = good.compute()["accuracy_score"]
    assert sorted({round(v, 9) for v in moved["accuracy_score"]["held"].tolist()}) == pytest.approx([-share, 1 - share])


def test_training_repeats_and_leaves_the_global_generator_alone():
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    first, second = (trained(*REAL, 3, steps=3, batch=8, seed=1) for _ in range(2))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(first.head.weight, second.head.weight)
    assert predicted(first, HELD[0]).shape == (200,)


def test_pictures_are_kept_small_and_without_classes_refused():
    metric = AccuracyScore(size=8)
    metric.update(seen(REAL[0], None), "fake")
    assert metric.kept("fake")[0].shape == (300, 8, 8, 1)
    with pytest.raises(DataError, match="needs pictures with classes on every side, 10 at least; generated ones: 0"):
        metric.compute()
    rgb = fed((FAKE[0].expand(-1, -1, -1, 3), FAKE[1]))
    with pytest.raises(DataError, match="generated and held-out pictures differ in channels: 3 and 1"):
        rgb.compute()
