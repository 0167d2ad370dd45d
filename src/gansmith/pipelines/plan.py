"""What to train and how, chosen from the data, the machine and the user's wishes, each choice with its reason.

`choose` is a function of facts alone: it opens no file and asks no device.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ..errors import DataError
from . import catalogue

SIZES = (16, 32, 64, 128, 256, 512, 1024)
CPU_SIZE = 32
CPU_MINUTES, GPU_SAMPLES = 10.0, 5_000_000
TABLE_BATCH, TABLE_SAMPLES, TABLE_TICK = 500, 1_500_000, 25_000
ASKED = "you asked for it"
Precision = Literal["fp32", "bf16"]


@dataclass(frozen=True)
class Machine:
    """What there is to train on.

    Attributes:
        card: name of the first CUDA device, or None.
        cards: how many CUDA devices.
        memory: bytes on one of them.
        bf16: whether it computes in bfloat16.
        cores: CPU cores that this process may use.
        launched: processes that a launcher (torchrun) started on this machine; 0 without one.
        world: processes of the run on all machines.
    """

    card: str | None = None
    cards: int = 0
    memory: int = 0
    bf16: bool = False
    cores: int = 1
    launched: int = 0
    world: int = 1


@dataclass(frozen=True)
class Facts:
    """What the plan needs to know of the data.

    Attributes:
        count: number of examples.
        kind: of data, as `Spec.kind` has it.
        side: the side that suits the pictures; None where the data have no sides.
        why: the reason for that side.
        classes: number of classes that training will use; 0 without labels.
        sizes: sides that the recipe can make, ascending; empty where the data have no sides.
    """

    count: int
    side: int | None = None
    classes: int = 0
    sizes: tuple[int, ...] = ()
    why: str = ""
    kind: str = "image"


@dataclass(frozen=True)
class Wishes:
    """What the user asked for; None leaves the choice to the plan."""

    recipe: str | None = None
    preset: str | None = None
    size: int | None = None
    batch: int | None = None
    samples: int | None = None
    minutes: float | None = None
    precision: Precision | None = None
    devices: int | None = None
    save_every: int | None = None
    tick: int | None = None
    seed: int = 0
    freeze: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Choice:
    """One line of the plan."""

    what: str
    value: str
    why: str


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What will be done. `choices` says it in words."""

    recipe: str
    preset: str
    size: int | None
    batch: int
    samples: int | None
    minutes: float | None
    precision: Precision
    devices: int
    save_every: int
    tick: int
    choices: tuple[Choice, ...] = ()


def look() -> Machine:
    """The machine that this process runs on."""
    import os

    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    launched = int(os.environ.get("LOCAL_WORLD_SIZE", 0)) if "TORCHELASTIC_RUN_ID" in os.environ else 0
    world = int(os.environ["WORLD_SIZE"]) if launched else 1
    if not torch.cuda.is_available():
        return Machine(cores=cores, launched=launched, world=world)
    first = torch.cuda.get_device_properties(0)
    bf16 = torch.cuda.is_bf16_supported()
    return Machine(first.name, torch.cuda.device_count(), first.total_memory, bf16, cores, launched, world)


def choose(facts: Facts, machine: Machine, wishes: Wishes) -> Plan:
    """The plan for these facts.

    Raises:
        DataError: a batch larger than the data.
    """
    recipe, preset = _recipe(facts, machine, wishes), _preset(facts, machine, wishes)
    size = _size(facts, machine, wishes)
    devices, precision = _devices(machine, wishes), _precision(machine, wishes)
    batch = _batch(facts, machine, wishes, int(devices.value), int(size.value) if size else None)
    length, samples, minutes = _length(facts, machine, wishes)
    tick = _tick(facts, wishes, samples, bool(machine.card))
    save = _save(wishes, int(tick.value))
    choices = [recipe, preset, size, batch, length, devices, precision, tick, save]
    return Plan(
        recipe=recipe.value,
        preset=preset.value,
        size=int(size.value) if size else None,
        batch=int(batch.value),
        samples=samples,
        minutes=minutes,
        precision="bf16" if precision.value == "bf16" else "fp32",
        devices=int(devices.value),
        save_every=int(save.value),
        tick=int(tick.value),
        choices=tuple(c for c in choices if c),
    )


def default_recipe(machine: Machine, wishes: Wishes, kind: str) -> str:
    """The recipe's name, wished for or not, for this kind of data."""
    return wishes.recipe or catalogue.DEFAULT[kind]["gpu" if machine.card else "cpu"]


def default_preset(machine: Machine, wishes: Wishes, kind: str) -> str:
    """The preset's name."""
    return wishes.preset or ("paper" if machine.card and kind == "image" else "small")


def _recipe(facts: Facts, machine: Machine, wishes: Wishes) -> Choice:
    why = f"the best published figures, and a {machine.card} can train it"
    if facts.kind != "image":
        why = f"the best of the recipes for a {facts.kind}"
    elif not machine.card:
        why = "there is no GPU: the best of the recipes at equal time on two cores"
    return Choice("recipe", default_recipe(machine, wishes, facts.kind), ASKED if wishes.recipe else why)


def _preset(facts: Facts, machine: Machine, wishes: Wishes) -> Choice:
    why = f"a {machine.card} can train the paper's networks" if machine.card else "there is no GPU: smaller networks"
    if facts.kind != "image":
        why = "the settings that serve most"
    return Choice("preset", default_preset(machine, wishes, facts.kind), ASKED if wishes.preset else why)


def _size(facts: Facts, machine: Machine, wishes: Wishes) -> Choice | None:
    if wishes.size:
        return Choice("size", str(wishes.size), ASKED)
    if facts.side is None or not facts.sizes:
        return None
    most = 256 if machine.memory > 30e9 else 128 if machine.card else CPU_SIZE
    near = max((s for s in facts.sizes if s <= facts.side), default=min(facts.sizes))
    size = max((s for s in facts.sizes if s <= min(near, most)), default=min(facts.sizes))
    if size < near:
        limit = "that takes long on this card" if machine.card else "there is no GPU"
        return Choice("size", str(size), f"your pictures would allow {near}, but {limit}; --size {near} insists")
    why = facts.why if size == facts.side else f"the nearest to {facts.side} that the recipe makes"
    return Choice("size", str(size), why or "it suits your pictures")


def _batch(facts: Facts, machine: Machine, wishes: Wishes, devices: int, size: int | None) -> Choice:
    if wishes.batch and wishes.batch > facts.count:
        raise DataError(
            f"a batch of {wishes.batch} is larger than the data, {_examples(facts.count)}; "
            f"give --batch {_power_below(facts.count)} or more data"
        )
    if wishes.batch:
        return Choice("batch", str(wishes.batch), ASKED)
    usual = 32 if not machine.card else 512 if size and size <= 32 else 256
    if facts.kind == "table":
        usual = TABLE_BATCH
    batch, why = usual, "small, for many steps in little time" if usual == 32 else "as the papers have it"
    if batch > facts.count:
        batch, why = _power_below(facts.count), f"there are only {_examples(facts.count)}"
    processes = max(devices, machine.world)
    return Choice("batch", str(max(batch // processes, 1) * processes), why)


def _length(facts: Facts, machine: Machine, wishes: Wishes) -> tuple[Choice, int | None, float | None]:
    if wishes.samples or wishes.minutes:
        text = f"{wishes.samples:,} samples" if wishes.samples else f"{wishes.minutes:g} minutes"
        return Choice("length", text, ASKED), wishes.samples, wishes.minutes
    if facts.kind == "table":
        why = "at most; it stops when a held-out score improves no more"
        return Choice("length", f"{TABLE_SAMPLES:,} samples", why), TABLE_SAMPLES, None
    if machine.card:
        why = "enough to judge a run; papers train 5 to 50 times as long (--samples 25M, 250M)"
        return Choice("length", f"{GPU_SAMPLES:,} samples", why), GPU_SAMPLES, None
    why = "a first look without a GPU; more is better (--minutes)"
    return Choice("length", f"{CPU_MINUTES:g} minutes", why), None, CPU_MINUTES


def _devices(machine: Machine, wishes: Wishes) -> Choice:
    if machine.launched:
        return Choice("devices", str(machine.launched), f"torchrun started them, {machine.world} in all")
    if wishes.devices:
        return Choice("devices", str(wishes.devices), ASKED)
    if machine.cards > 1:
        return Choice("devices", "1", f"{machine.cards} are there: --devices {machine.cards} uses them all")
    return Choice("devices", "1", machine.card or f"the CPU, {machine.cores} core{'s' if machine.cores > 1 else ''}")


def _precision(machine: Machine, wishes: Wishes) -> Choice:
    if wishes.precision:
        return Choice("precision", wishes.precision, ASKED)
    if machine.bf16:
        return Choice("precision", "bf16", "faster on this card; penalties stay in float32")
    return Choice("precision", "fp32", "the usual without a card for bf16")


def _tick(facts: Facts, wishes: Wishes, samples: int | None, gpu: bool) -> Choice:
    if wishes.tick:
        return Choice("tick", str(wishes.tick), ASKED)
    usual = TABLE_TICK if facts.kind == "table" else 20_000 if gpu else 4_000
    tick = min(usual, max(1, samples // 20)) if samples else usual
    return Choice("tick", str(tick), "samples between two entries in the log, each with examples")


def _save(wishes: Wishes, tick: int) -> Choice:
    if wishes.save_every:
        return Choice("save every", str(wishes.save_every), ASKED)
    return Choice("save every", str(5 * tick), "samples between two checkpoints: all that a crash can cost")


def _power_below(count: int) -> int:
    return 1 << int(math.log2(max(count, 1)))


def _examples(count: int) -> str:
    return f"{count:,} example{'s' if count != 1 else ''}"


def rows(plan: Plan) -> Sequence[tuple[str, str, str]]:
    """The plan as a table's rows: what, value, why."""
    return [(c.what, c.value, c.why) for c in plan.choices]
