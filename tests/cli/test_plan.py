"""The plan: what is chosen for which data and machine, and why."""

from __future__ import annotations

import pytest

from gansmith.errors import DataError
from gansmith.pipelines.plan import Facts, Machine, Plan, Wishes, choose

CPU = Machine(cores=2)
GPU = Machine(card="H200", cards=2, memory=140_000_000_000, bf16=True, cores=16)
SMALL_GPU = Machine(card="T4", cards=1, memory=16_000_000_000, bf16=False, cores=4)
SIZES = (16, 32, 64, 128, 256)
PHOTOS = Facts(count=5_000, side=256, sizes=SIZES)


def why(plan: Plan, what: str) -> str:
    return next(choice.why for choice in plan.choices if choice.what == what)


def test_every_choice_has_a_reason() -> None:
    for machine in (CPU, GPU, SMALL_GPU):
        plan = choose(PHOTOS, machine, Wishes())
        assert [c.what for c in plan.choices] == [
            "recipe",
            "preset",
            "size",
            "batch",
            "length",
            "devices",
            "precision",
            "tick",
            "save every",
        ]
        assert all(c.why and c.value for c in plan.choices)


def test_a_cpu_gets_small_networks_small_pictures_and_minutes() -> None:
    plan = choose(PHOTOS, CPU, Wishes())
    assert (plan.recipe, plan.preset, plan.size, plan.batch) == ("dcgan", "small", 32, 32)
    assert (plan.samples, plan.minutes, plan.precision, plan.devices) == (None, 10.0, "fp32", 1)
    assert "--size 256" in why(plan, "size")


def test_a_gpu_gets_the_papers_networks_and_samples() -> None:
    plan = choose(PHOTOS, GPU, Wishes())
    assert (plan.recipe, plan.preset, plan.size, plan.batch) == ("r3gan", "paper", 256, 256)
    assert (plan.samples, plan.minutes, plan.precision, plan.devices) == (5_000_000, None, "bf16", 1)
    assert "--devices 2" in why(plan, "devices")
    plan = choose(PHOTOS, SMALL_GPU, Wishes())
    assert (plan.size, plan.precision) == (128, "fp32")


@pytest.mark.parametrize(("side", "size"), [(16, 16), (32, 32), (64, 64), (1024, 256), (8, 16)])
def test_the_size_is_near_the_pictures(side: int, size: int) -> None:
    assert choose(Facts(1000, side, 0, SIZES), GPU, Wishes()).size == size


def test_small_pictures_get_the_papers_larger_batch() -> None:
    assert choose(Facts(50_000, 32, 10, SIZES), GPU, Wishes()).batch == 512


def test_data_smaller_than_a_batch() -> None:
    plan = choose(Facts(100, 32, 0, SIZES), GPU, Wishes())
    assert plan.batch == 64
    assert "100 examples" in why(plan, "batch")
    assert choose(Facts(1, 32, 0, SIZES), CPU, Wishes()).batch == 1
    with pytest.raises(DataError, match=r"batch of 128 .* 100 examples; give --batch 64"):
        choose(Facts(100, 32, 0, SIZES), GPU, Wishes(batch=128))


def test_wishes_are_followed_to_the_letter() -> None:
    wishes = Wishes(
        recipe="dcgan",
        preset="paper",
        size=64,
        batch=100,
        minutes=1.5,
        precision="bf16",
        devices=2,
        save_every=7,
        tick=3,
    )
    plan = choose(PHOTOS, CPU, wishes)
    assert (plan.recipe, plan.preset, plan.size, plan.batch, plan.devices) == ("dcgan", "paper", 64, 100, 2)
    assert (plan.minutes, plan.samples, plan.precision, plan.save_every, plan.tick) == (1.5, None, "bf16", 7, 3)
    assert {c.why for c in plan.choices} == {"you asked for it"}


def test_a_short_run_still_has_ticks_and_checkpoints() -> None:
    plan = choose(PHOTOS, CPU, Wishes(samples=2_000))
    assert (plan.tick, plan.save_every) == (100, 500)


def test_a_batch_is_shared_evenly() -> None:
    assert choose(Facts(5_000, 32, 0, SIZES), CPU, Wishes(devices=3)).batch == 30
    torchrun = Machine(cores=2, launched=3, world=6)
    plan = choose(Facts(5_000, 32, 0, SIZES), torchrun, Wishes())
    assert (plan.batch, plan.devices) == (30, 3)
    assert "torchrun" in why(plan, "devices")


def test_data_without_sides_have_no_size() -> None:
    plan = choose(Facts(5_000), CPU, Wishes())
    assert plan.size is None
    assert "size" not in [c.what for c in plan.choices]
