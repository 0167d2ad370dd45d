"""Plays a scenario with a doctor beside it, and keeps what both have to say."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from gansmith.health.doctor import Doctor
from gansmith.health.history import History

from .. import machine
from .data import Absent
from .loop import Run
from .oracle import SEED, Measures, oracle_of
from .scenario import Scenario
from .scenarios import APART
from .trace import PLACE, Trace, path_of, samples_path

POLLS = 30  # of the doctor in a run
LOOKS = 20  # of the oracle
SHOWN = (0, 100)  # seeds of which samples are kept, for pictures
QUARTERS, NUMBER = 4, 400  # times in a run, and how many samples
Album: TypeAlias = dict[str, np.ndarray]


def doctor_of(run: Run) -> Doctor:
    """A doctor for a plain loop, told what the loop's owner would know."""
    s, data = run.setting, run.data
    told = s.conditional and data.y is not None

    def made(G: torch.nn.Module, n: int, seed: int) -> Tensor | tuple[Tensor, Tensor]:
        asked = run.classes(n)
        return run.draw(G, n, seed) if asked is None else (run.draw(G, n, seed), asked)

    if run.average is not None:
        run.average.eval()
    return Doctor(
        real=data.x,
        held_out=data.held_out,
        labels=data.y if told else None,
        held_out_labels=data.held_out_y if told else None,
        generate=lambda n, seed: made(run.average or run.G, n, seed),
        raw=(lambda n, seed: made(run.G, n, seed)) if run.average is not None else None,
        critic=run.D,
        networks={"G": run.G, "D": run.D},
        optimizers={"G": run.opt_g, "D": run.opt_d},
        bounds=data.bounds,
        classes=tuple(f"class {i}" for i in range(data.classes)) if told else (),
        samples=s.steps * s.batch,
        batch=s.batch,
        loss=s.loss,
        half_life={"G": half_life(s.average, s.batch)} if s.average is not None else None,
        scaler=run.scaler,
        every=max(1, round(s.steps / POLLS)) * s.batch,
    )


def half_life(decay: float, batch: int) -> float:
    """Samples after which a weight's share of an average has halved."""
    return batch * math.log(0.5) / math.log(decay)


class Clock:
    """Seconds of this process by what they were spent on."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()

    @contextmanager
    def on(self, what: str) -> Iterator[None]:
        begun = time.process_time()
        yield
        self.seconds[what] += time.process_time() - begun  # type: ignore[assignment]


def play(
    scenario: Scenario, seed: int, *, kept: Path | None = None, attended: bool = True, album: Album | None = None
) -> Trace:
    """Trains to the end.

    Args:
        kept: folder of the oracle's classifiers.
        attended: with a doctor; without one its readings and findings are empty.
        album: gets samples at every quarter of the run.
    """
    run, clock = Run(scenario.setting, scenario.tamper, seed), Clock()
    measure, steps = oracle_of(run.data, kept or PLACE / "oracle"), scenario.setting.steps
    with clock.on("doctor"):
        doctor = doctor_of(run) if attended else None
        contract = doctor.check() if doctor is not None else []
    looked, shown, looks = _parts(steps, LOOKS), _parts(steps, QUARTERS), list[Measures]()
    losses: dict[str, list[Tensor]] = {"D": [], "G": []}
    for _ in range(steps):
        with clock.on("training"):
            run.step()
        with clock.on("doctor"):
            if doctor is not None:
                doctor.observe(run.x, run.y, losses=run.losses)
        for name, value in run.losses.items():
            losses[name].append(value.detach())
        if run.at in looked:
            looks.append({"samples": float(run.samples), **measure(run)})
        if album is not None and run.at in shown:
            album[f"{run.share:.0%}".rstrip("%")] = run.samples_of(NUMBER, SEED).numpy()
    return Trace(
        name=scenario.name,
        seed=seed,
        steps=steps,
        samples=run.samples,
        contract=contract,
        history=doctor.history if doctor is not None else History(),
        played=doctor.findings() if doctor is not None else [],
        oracle=looks,
        losses={name: torch.stack(values).tolist() for name, values in losses.items()},
        cpu_s=clock.seconds["training"],
        doctor_s=clock.seconds["doctor"],
        machine=machine.machine(),
    )


def _parts(steps: int, n: int) -> set[int]:
    """The steps at which an n-th of the run is over."""
    return {round(i * steps / n) for i in range(1, n + 1)}


def play_all(scenarios: Sequence[Scenario], seeds: Sequence[int], seconds: float = math.inf) -> None:
    """Plays what was not played yet, seed by seed, and stops after so many seconds."""
    torch.set_num_threads(1)
    begun = time.monotonic()
    for scenario, seed in ((s, seed) for seed in seeds for s in scenarios):
        if path_of(scenario.name, seed).exists():  # played before, or by another process in the meantime
            continue
        if time.monotonic() - begun > seconds:
            print(f"stopped after {seconds:.0f} seconds; the same command goes on", flush=True)
            return
        album: Album | None = {} if seed in SHOWN else None
        try:
            trace = play(scenario, seed, album=album)
        except Absent as error:
            print(f"{scenario.name}: left out: {error}", flush=True)
            continue
        if album is not None:
            keep_album(samples_path(trace.name, seed), album)
        trace.keep()
        print(said(trace, untold=scenario.name in APART), flush=True)


def keep_album(place: Path, album: Album) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(place, **album)  # type: ignore[arg-type]


def said(trace: Trace, *, untold: bool = False) -> str:
    """One line on a run; of scenarios that nobody may tune on, only what is true of it."""
    last = " ".join(f"{k} {v:.3g}" for k, v in trace.oracle[-1].items() if k != "samples")
    found = ", ".join(f"{f.name} ({f.severity}) at {f.at / trace.samples:.0%}" for f in trace.played) or "nothing"
    cost = trace.doctor_s / max(trace.cpu_s, 1e-9)
    line = f"{trace.name}-{trace.seed}: {trace.cpu_s:.1f} s, doctor {cost:.0%}; oracle: {last}"
    return line if untold else f"{line}; found: {found}"
