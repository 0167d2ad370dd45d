"""Which real pictures stand for the generated ones when a floor is taken."""

from __future__ import annotations

import torch

from gansmith.metrics.base import Rows, Seen
from gansmith.metrics.floors import StreamedFloor, floor_of, halves
from gansmith.metrics.images.fid import FID
from gansmith.metrics.images.vendi import Vendi

from .helpers import normal


class Held(Rows):
    """Keeps all three sides."""

    name, needs, states = "held", frozenset({"features", "held"}), {"real": "cat", "fake": "cat", "held": "cat"}

    def compute(self):
        return {"held": float(len(self.rows("held")))}


class Brightness(Rows):
    """A metric that looks at pixels: the mean of both sides, apart."""

    name, needs = "brightness", frozenset({"pixels"})

    def update(self, seen, side):
        self.add(side, seen.pixels.float().mean((1, 2)))

    def compute(self):
        return {"brightness": float(self.rows("fake").mean() - self.rows("real").mean())}


REAL, SPARE, HELD = (Seen(normal(n, 4, n)) for n in (101, 60, 41))


def sides(floor):
    return {side: len(seen) for side, seen in floor.sample.items()}


def test_spare_reals_stand_in_when_there_are_as_many_as_fakes():
    assert sides(floor_of(FID(), {"real": REAL, "spare": SPARE}, 60, 0)) == {"real": 101, "fake": 60}
    assert sides(floor_of(FID(), {"real": REAL, "spare": SPARE}, 61, 0)) == {"real": 50, "fake": 51}
    assert floor_of(FID(), {"real": REAL}, 10, 0).what == "two halves of the real pictures"


def test_held_out_pictures_are_halved_against_all_of_training():
    floor = floor_of(Held(), {"real": REAL, "held": HELD}, 10, 0)
    assert sides(floor) == {"real": 101, "fake": 20, "held": 21}


def test_without_real_side_the_reals_are_judged_at_the_fakes_n():
    assert sides(floor_of(Vendi(), {"real": REAL}, 30, 0)) == {"fake": 30}


def test_too_few_reals_have_no_floor():
    assert floor_of(FID(), {"real": Seen(normal(3, 4, 0))}, 10, 0) is None


def test_halves_are_disjoint_random_and_whole():
    one, other = halves(Seen(torch.arange(9.0)[:, None]), 3)
    assert sorted(torch.cat([one.features, other.features])[:, 0].tolist()) == list(range(9))
    assert one.features[:, 0].tolist() != list(range(4))


def noise(seed: int) -> Seen:
    random = torch.Generator().manual_seed(seed)
    return Seen(torch.zeros(40, 1), torch.randint(0, 256, (40, 6, 6, 1), dtype=torch.uint8, generator=random))


def test_streamed_pictures_fall_to_one_side_or_the_other():
    floor = StreamedFloor(Brightness(), seed=0, spare=False)
    for i in range(10):
        floor.add(noise(i), "real", 0)
        floor.add(noise(i), "fake", 0)
    assert sum(floor.counts.values()) == 400
    assert 150 < floor.counts["fake"] < 250
    assert abs(floor.metric.compute()["brightness"]) < 6
    assert floor.what == "two halves of the real pictures"


def test_streamed_spare_pictures_stand_for_as_many_fakes():
    floor = StreamedFloor(Brightness(), seed=0, spare=True)
    floor.add(noise(0), "real", 0)
    for i in (1, 2, 3):
        floor.add(noise(i), "spare", 90)
    assert floor.counts == {"real": 40, "fake": 90}
    assert floor.what == "other real pictures"
