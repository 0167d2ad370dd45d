"""The doctor: watches a GAN train, whoever wrote it, and says what goes wrong. It changes nothing.

doctor = Doctor(real=train, held_out=test, generate=lambda n, seed: G(noise(n, seed)), critic=D,
                networks={"G": G, "D": D}, optimizers={"G": opt_g, "D": opt_d}, samples=200_000)
...                                                   # in every step, after it:
    doctor.observe(x, losses={"D": d_loss, "G": g_loss})
print(doctor.summary())
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ..errors import ConfigError
from ..losses.adversarial import is_absolute
from .contract import check
from .detectors import detect_all
from .finding import Finding, Standing
from .history import History, Reading
from .poll import Poll
from .signals.distribution import HELD
from .signals.feed import Feed
from .signals.weights import Watch
from .subject import Critic, Generate, Subject

BUDGET = 0.03  # of a run's time for polls
POLLS = 200  # in a run of known length, at most
LEAST_STEPS = 20  # between two polls
DRAIN = 16  # steps between looks at losses where a look costs a synchronisation


class Doctor:
    """Watches a run. `observe` is called after every step; now and then it polls, within a budget.

    Args:
        real, held_out, labels, held_out_labels, generate, raw, critic, networks, features, bounds, classes, examples,
            repeats, uneven: see `Subject`.
        optimizers: of the networks, by the same names. With them gradients are seen as they are applied; without, as
            they stand after a step, where those of D may hold what G's backward pass left in them.
        samples: examples that the run will take.
        batch: examples in a step; the length of `x` where it is left out.
        loss: name of the adversarial loss (`non_saturating`, `wasserstein`, `relativistic`, ...), which decides what
            D's logits mean; None where it has none of these names.
        half_life: of averages, in samples, by network.
        count: examples that are generated for each look, and held-out ones that they are compared with.
        scaler: of half precision; its factor falls where numbers overflow.
        budget: share of the run's time that looking may take; where looks at each step take more than half of it, as
            with tiny networks, polls get half.
        every: samples between two polls, whatever they cost; None leaves it to the budget.

    Raises:
        ConfigError: no real examples, or labels that do not fit them.
    """

    def __init__(
        self,
        *,
        real: Tensor,
        held_out: Tensor | None = None,
        labels: Tensor | None = None,
        held_out_labels: Tensor | None = None,
        generate: Generate | None = None,
        raw: Generate | None = None,
        critic: Critic | None = None,
        networks: Mapping[str, nn.Module] | None = None,
        optimizers: Mapping[str, Optimizer] | None = None,
        features: Callable[[Tensor], Tensor] | None = None,
        bounds: tuple[float, float] | None = None,
        classes: Sequence[str] = (),
        examples: int | None = None,
        repeats: bool = False,
        uneven: bool = False,
        samples: int | None = None,
        batch: int | None = None,
        loss: str | None = None,
        half_life: Mapping[str, float] | None = None,
        count: int = HELD,
        scaler: torch.amp.GradScaler | None = None,
        budget: float = BUDGET,
        every: int | None = None,
    ) -> None:
        self._refuse(real, labels)
        self.subject = Subject(
            real=real,
            held_out=held_out,
            labels=labels,
            held_out_labels=held_out_labels,
            generate=generate,
            raw=raw,
            critic=critic,
            networks=dict(networks or {}),
            features=features,
            bounds=bounds,
            classes=classes,
            examples=examples or len(real),
            repeats=repeats,
            uneven=uneven,
        )
        facts = {
            "loss": loss,
            "compares": not is_absolute(loss),
            "classes": tuple(classes),
            "bounds": bounds,
            "examples": examples or len(real),
            "batch": batch,
            "half_life": dict(half_life or {}),
            "networks": tuple(self.subject.networks),
            "optimizers": tuple(optimizers or ()),
        }
        self.history = History([], samples, facts)
        self.budget, self.every, self.scaler = budget, every, scaler
        self._standing = Standing()
        hooked = tuple(optimizers or ())
        self._watches = {n: Watch(net, hooked=n in hooked) for n, net in self.subject.networks.items()}
        self._handles: list[Any] = []
        self.watch(optimizers or {})
        self._feed, self._poll = Feed(real, examples or len(real)), Poll(self.subject, min(count, HELD))
        self._losses: dict[str, list[Tensor]] = {}
        self._figures: Mapping[str, float] = {}
        self.step, self.samples = 0, 0
        self._begun: float | None = None
        self._spent, self._cost, self._each = 0.0, 0.0, 0.0  # seconds: on polls, on the last one, on steps
        self._last, self._last_step = 0, 0

    @staticmethod
    def _refuse(real: Tensor, labels: Tensor | None) -> None:
        if not isinstance(real, Tensor) or real.dim() < 2 or len(real) < 8:
            what = tuple(real.shape) if isinstance(real, Tensor) else type(real).__name__
            raise ConfigError(f"a doctor needs real examples, a tensor (n, ...) of 8 or more; it was given: {what}")
        if labels is not None and len(labels) != len(real):
            raise ConfigError(
                f"there are {len(real):,} real examples and {len(labels):,} labels; one for each is wanted"
            )

    def watch(self, optimizers: Mapping[str, Optimizer]) -> None:
        """Sees gradients as these apply them, and no others."""
        self.close()
        self._handles = [h for name, o in optimizers.items() for h in self._listen(name, o)]

    def _listen(self, name: str, optimizer: Optimizer) -> list[Any]:
        if name not in self._watches:
            known = ", ".join(self._watches) or "none"
            raise ConfigError(f"optimizers are named after the networks that they train ({known}), not: {name}")
        watch = self._watches[name]
        return [
            optimizer.register_step_pre_hook(lambda *_: self._charged(watch.before)),
            optimizer.register_step_post_hook(lambda *_: self._charged(watch.after)),
        ]

    def _charged(self, look: Callable[[], None]) -> None:
        """What is looked at in each step has its cost, too."""
        begun = time.monotonic()
        look()
        self._each += time.monotonic() - begun

    def check(self) -> list[Finding]:
        """What is wrong before the first step: data against each other and against what G makes."""
        self._standing = Standing(check(self.subject))
        return self.findings()

    def observe(
        self,
        x: Tensor | None = None,
        y: Tensor | None = None,
        *,
        losses: Mapping[str, Tensor] | None = None,
        samples: int | None = None,
        figures: Mapping[str, float] | None = None,
    ) -> bool:
        """Takes note of a step, after it; whether it polled.

        Args:
            x: the real batch that D was shown, as it was before any augmentation.
            y: its labels.
            losses: scalars by name.
            samples: seen in all; counted from the batches where it is left out.
            figures: signals that are known otherwise; they go into the next reading as they are.
        """
        now = time.monotonic()
        self._begun = self._begun or now
        self.step += 1
        self.samples = samples if samples is not None else self.samples + (self._batch(x))
        if x is not None:
            self._feed.fed(x, y)
        self._figures = figures or {}
        for name, value in (losses or {}).items():
            self._losses.setdefault(name, []).append(torch.as_tensor(value).detach().float().mean())
        for watch in self._watches.values():
            if not watch.hooked:
                watch.between()
        self._each += time.monotonic() - now
        if not (self._due() or self._alarmed()):
            return False
        self.poll()
        return True

    def _batch(self, x: Tensor | None) -> int:
        if x is not None:
            return len(x)
        if not self.history.facts["batch"]:
            raise ConfigError("how many examples a step takes is not known: give the doctor `batch`, or observe `x`")
        return int(self.history.facts["batch"])

    def _due(self) -> bool:
        if self.every is not None:
            return self.samples - self._last >= self.every
        if self.step - self._last_step < LEAST_STEPS:
            return False
        if self.history.length is not None and self.samples - self._last < self.history.length / POLLS:
            return False
        assert self._begun is not None
        allowed = self.budget * (time.monotonic() - self._begun)
        return self._spent + 2 * self._cost <= max(allowed - self._each, allowed / 2)  # this one, and one at the end

    def _alarmed(self) -> bool:
        """Whether a loss is not finite, for the first time: that is looked into at once."""
        if not self._losses or any(f.name == "nonfinite" for f in self.ever()):
            return False
        newest = [values[-1] for values in self._losses.values()]
        if newest[0].device.type != "cpu" and self.step % DRAIN:
            return False
        return not bool(torch.stack(newest).isfinite().all())

    def poll(self) -> Reading:
        """Looks at everything now, whatever it costs."""
        begun = time.monotonic()
        seen = self._poll.take(self._feed)
        values = dict(self._figures) | seen.values
        if self.scaler is not None and self.scaler.is_enabled():
            values["scale"] = float(self.scaler.get_scale())
        for name, watch in self._watches.items():
            values |= watch.read(name)
        for name, found in self._losses.items():
            losses = torch.stack(found)
            values[f"nonfinite/loss/{name}"] = float((~losses.isfinite()).sum())
            values[f"loss/{name}"] = float(losses[losses.isfinite()].mean())
        self._losses = {}
        reading = Reading(self.samples, self.step, values, seen.counts, seen.notes)
        self.take(reading)
        self._cost = time.monotonic() - begun
        self._spent, self._last, self._last_step = self._spent + self._cost, self.samples, self.step
        return reading

    def take(self, reading: Reading) -> None:
        """Adds a reading, wherever it comes from, and looks through the history again."""
        self.history.readings.append(reading)
        self._standing.see(detect_all(self.history))

    def go_on(self, readings: Sequence[Reading], step: int, samples: int) -> None:
        """Takes up a run that was watched before: its readings, and where it is now."""
        for reading in readings:
            if reading.samples <= self.history.samples:  # the run had gone back
                self.rewind(reading.samples - 1)
            self.take(reading)
        for name, watch in self._watches.items():
            if (first := self.history.last(f"gradient_first/{name}")) is not None:
                watch.began_with(first)
        self.step, self.samples = step, samples
        self._last, self._last_step = samples, step

    def rewind(self, samples: int) -> None:
        """Forgets what was seen after so many samples, for the run went back there."""
        self.history.readings[:] = [r for r in self.history.readings if r.samples <= samples]
        self._standing.forget(samples)
        self._standing.see(detect_all(self.history))
        self.samples = self._last = samples

    @property
    def shape(self) -> torch.Size:
        """Of one example."""
        return self.subject.real.shape[1:]

    def findings(self) -> list[Finding]:
        """What is wrong now, and whatever was wrong from the start: causes first, their symptoms left out."""
        return self._standing.findings()

    def ever(self) -> list[Finding]:
        """All that was found at any time, as it was when it was found first."""
        return self._standing.ever()

    def summary(self) -> str:
        """The findings in words."""
        found = self.findings()
        if not self.history.readings:
            return "nothing was looked at yet"
        looked = f"looked {len(self.history.readings)} times in {self.samples:,} samples"
        return "\n".join(map(str, found)) if found else f"nothing is wrong that a doctor could see ({looked})"

    @property
    def share(self) -> float:
        """Share of the run's time that looking took."""
        passed = time.monotonic() - self._begun if self._begun is not None else 0.0
        return (self._spent + self._each) / passed if passed else 0.0

    def close(self) -> None:
        """Lets go of the optimizers."""
        for handle in self._handles:
            handle.remove()

    def to_json(self) -> dict[str, Any]:
        return {"history": self.history.to_json(), "findings": [f.to_json() for f in self.ever()]}
