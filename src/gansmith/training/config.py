"""The run's own settings, the same for every recipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from ..errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Settings of a run. Durations count samples seen (real examples that a step consumed).

    Args:
        batch: examples per step, over all processes.
        micro: examples per forward pass and process; None for the whole share. Smaller saves memory and gives
            the same gradients (batch normalisation then sees the smaller batches).
        samples: length of the run; or
        minutes: length of the run by the clock, pauses between resumes not counted.
        seed: decides the initial weights, the noise and the order of the data.
        precision: `fp32`, or `bf16` (autocast; penalties stay in float32).
        devices: processes on this machine; under torchrun its own environment decides.
        accelerator: `auto` takes CUDA where there is one.
        save_every: samples between checkpoints.
        tick: samples between entries in the log.
        keep: how many checkpoints to keep.
        shard: networks to shard with FSDP2 over the processes.
        compile: networks to compile; never one that a phase differentiates twice.
        freeze: how many of a network's first layers with weights stay as they are, `{"D": 4}` (FreezeD, Mo 2020,
            arXiv:2002.10964). For a run that begins with the weights of another.

    Raises:
        ConfigError: neither or both of samples and minutes, or a number that cannot be.
    """

    batch: int = 64
    micro: int | None = None
    samples: int | None = None
    minutes: float | None = None
    seed: int = 0
    precision: Literal["fp32", "bf16"] = "fp32"
    devices: int = 1
    accelerator: Literal["auto", "cpu", "cuda"] = "auto"
    save_every: int = 100_000
    tick: int = 10_000
    keep: int = 3
    shard: tuple[str, ...] = ()
    compile: tuple[str, ...] = ()
    freeze: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if (self.samples is None) == (self.minutes is None):
            raise ConfigError("the length of a run is either samples or minutes: give exactly one of them")
        for name in ("batch", "samples", "minutes", "devices", "save_every", "tick", "micro"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ConfigError(f"{name} must be more than 0, not: {value}")
        if self.keep < 2:
            raise ConfigError(f"keep at least 2 checkpoints, so that a damaged one can be replaced, not: {self.keep}")
        if self.batch % self.devices:
            raise ConfigError(f"batch must divide evenly over {self.devices} devices, it is: {self.batch}")

    @property
    def tick_steps(self) -> int:
        return max(1, self.tick // self.batch)

    @property
    def save_steps(self) -> int:
        return max(1, self.save_every // self.batch)
