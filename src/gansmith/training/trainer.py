"""The training loop, whole. It plays phases and knows of no GAN in particular."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.optim import Optimizer

from ..batch import Batch
from ..data.source import Source
from ..errors import Interrupted
from ..recipes.base import Context, Networks, Recipe, fold
from . import folder, memory, start, state, treatment
from .averages import Averages
from .config import TrainConfig
from .feed import Feed
from .figures import Figures
from .guard import Guard, gradient_norm
from .interrupts import Interrupts
from .journal import Journal
from .keeper import Keeper
from .monitors import Monitor, View
from .runtime import Runtime

Tensors: TypeAlias = dict[str, Tensor]
DRAIN_EVERY = 16  # steps between readings of the guard where reading costs a synchronisation


class Trainer:
    """Trains a recipe on a source.

    Args:
        recipe, source, config: what, on what, and for how long.
        out: the run folder.
        recipe_name: under which the recipe is found again: `r3gan`, or `my_gan.py:MyGAN`.
        monitors: watch the run; they change nothing.
        runtime: processes and device; made from `config` when not given.
        about: what config.yaml is to keep (where the data are, the command line); its `warnings` go into the log, too.
        initial: changes the fresh networks before training (weights of another run).
        resume: go on from the newest undamaged checkpoint in `out`.
        overwrite: replace a run that is in `out`.
        accept_data_change: resume although the data are not what they were.

    Raises:
        SpecError, ConfigError, DataError: what was asked for cannot work; nothing was written.
    """

    def __init__(
        self,
        recipe: Recipe,
        source: Source,
        config: TrainConfig,
        *,
        out: Path | str,
        recipe_name: str | None = None,
        monitors: Sequence[Monitor] = (),
        runtime: Runtime | None = None,
        about: Mapping[str, Any] | None = None,
        initial: Callable[[Networks], None] | None = None,
        resume: bool = False,
        overwrite: bool = False,
        accept_data_change: bool = False,
    ) -> None:
        start.check(recipe, source, config)
        self.recipe, self.source, self.config, self.out = recipe, source, config, Path(out)
        self.asked = recipe  # what the user wants; a treatment may play by other settings
        self.recipe_name = recipe_name or start.importable_name(recipe)
        self.monitors, self.about = list(monitors), dict(about or {})
        self.resume, self.overwrite, self.accept_data_change = resume, overwrite, accept_data_change
        self.runtime = runtime or Runtime(config.devices, config.accelerator)
        self.phases = recipe.phases()
        self.initial = initial
        self.progress = state.Progress(micro=config.micro, fingerprint=source.fingerprint)
        self.figures = Figures()
        self.guard = Guard(source.spec.bounds, self.runtime.device)
        self.journal = Journal(self.out / folder.LOG if self.runtime.rank == 0 else None)
        self.deferred = self.runtime.device.type == "cuda"  # reading a verdict costs a synchronisation there
        self.keeper = Keeper(self)
        self.view = View(self)
        self._played: set[tuple[str, int | None]] = set()
        self._started: float | None = None
        with memory.explained():
            self._build()

    def _build(self) -> None:
        """Networks, averages and optimizers as they are before the first step; the seed decides all of it."""
        torch.manual_seed(fold(self.config.seed, "networks"))
        nets = self.recipe.networks(self.source.spec)
        if self.initial is not None:
            self.initial(nets)
        start.freeze(nets, self.config.freeze)
        start.check_networks(nets, self.phases, self.recipe.ema, self.config, self.runtime.world)
        nets = nets.to(self.runtime.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.nets: Networks = self.runtime.prepare(nets)  # type: ignore[assignment]
        self.averages = Averages(self.nets, self.recipe.ema)
        for name in self.config.shard:
            for module in (self.nets[name], self.averages.nets.get(name)):
                if module is not None:
                    self.runtime.shard(module)
        for name in self.config.compile:
            self.nets[name].compile()
        self.optimizers = start.optimizers(self.recipe, self.phases, self.nets)
        self.buffers = state.Buffers(self.nets)
        self.parts = state.Parts(self.nets, self.averages, self.optimizers, self.runtime)
        batch, where = self.config.batch, self.runtime.device
        draws, share = {name: phase.draw for name, phase in self.phases.items()}, self.runtime.share(batch)
        self.feed = Feed(self.source, batch, *share, where, seed=self.seed, ahead=self.deferred, draws=draws)

    @property
    def samples(self) -> int:
        return self.progress.step * self.config.batch

    @property
    def seconds(self) -> float:
        """Time spent training, over all resumes."""
        return self.progress.seconds + (time.monotonic() - self._started if self._started is not None else 0.0)

    def restart_clock(self) -> None:
        """Counts time from now on, on top of `progress.seconds`."""
        self._started = time.monotonic()

    @property
    def seed(self) -> int:
        """The run's seed, another one after every return to a checkpoint."""
        return fold(self.config.seed, self.progress.attempt)

    def fit(self) -> None:
        """Trains to the end of the run, saving on the way.

        Raises:
            RunFolderError: the folder holds a run, is locked, or was made with other data.
            CheckpointError: a checkpoint cannot be read or written.
            TrainingFailed: non-finite values persist after three returns to a checkpoint, or memory ran out.
            Interrupted: a signal came; the run was saved.
        """
        with start.exclusively(self.out, self.runtime, make=not self.resume), Interrupts() as interrupts:
            try:
                start.open_run(self)
                self.restart_clock()
                self.tell("start")
                self._steps(interrupts)
                while self.keeper.goes_back():  # damage found after the last step: the end is still to be reached
                    self._steps(interrupts)
                self.keeper.save(final=True)
                self.journal.write("end", **self.where(), refused=self.guard.refused)
                self.tell("end")
            finally:
                self.feed.close()
                for monitor in self.monitors:
                    monitor.close()

    def _steps(self, interrupts: Interrupts) -> None:
        while not self._finished():
            with memory.explained():
                self.advance()
            self._between_steps(interrupts)

    def advance(self) -> None:
        """One step: every phase that is due, then the averages."""
        self.feed.latest.clear()
        for name, phase in self.phases.items():
            if phase.due(self.progress.step, self.samples):
                for turn in range(phase.repeats):
                    self.play(name, turn)
        self.averages.follow(self.nets, self.config.batch, self.samples)
        self.progress.step += 1
        self.tell("stepped")

    def play(self, name: str, turn: int) -> None:
        """One optimizer step of one phase."""
        phase, step = self.phases[name], self.progress.step
        optimizer, played = self.optimizers[phase.trains], (name, phase.size(self.samples))
        batch = self.feed.fetch(name, (step // phase.every) * phase.repeats + turn, played[1])
        bad_rows = self.guard.inspect(batch)
        self.buffers.remember()
        with self.nets.only(phase.trains) as params:
            losses, reported = self._backward(name, turn, batch, optimizer, new=played not in self._played)
            means = torch.stack([v.float().mean() for v in losses.values()])
            broken = bad_rows.any() | ~torch.isfinite(means).all()
            bad = self.runtime.average_gradients(params, broken.float().view(1))[0]
            norm = gradient_norm(params, self.runtime.device)
            if played not in self._played:
                start.check_first_play(self, name, params)
                self._played.add(played)
            accepted = self.guard.judge(name, step, turn, batch, bad_rows, losses, norm, bad, phase.outliers)
            self._apply(optimizer, self.recipe.hyper(name, self.samples), accepted)
            self.buffers.keep_if(accepted)
        figures = {**dict(zip(losses, means, strict=True)), **reported, "gradient_norm": norm}
        self.figures.add(name, figures, accepted)

    def _backward(self, name: str, turn: int, batch: Batch, optimizer: Optimizer, new: bool) -> tuple[Tensors, Tensors]:
        """Gradients of the batch, in parts as small as memory demands; per-sample losses and reported figures."""
        while True:
            optimizer.zero_grad(set_to_none=True)
            self.runtime.seed(fold(self.seed, self.progress.step, name, turn, self.runtime.rank))
            try:
                out, ran_out = self._accumulate(name, turn, batch), False
            except (RuntimeError, MemoryError) as error:
                if not memory.is_exhausted(error):
                    raise
                ran_out = True
            agreed = self.runtime.world > 1 and new
            if not (self.runtime.any(ran_out) if agreed else ran_out):
                return out
            optimizer.zero_grad(set_to_none=True)
            self.buffers.restore()
            alone = agreed or self.runtime.world == 1
            self.progress.micro = memory.halve(self.progress.micro, len(batch), memory.least(self.nets), alone=alone)
            self.journal.write("oom", **self.where(), micro=self.progress.micro, batch=self.config.batch)

    def _accumulate(self, name: str, turn: int, batch: Batch) -> tuple[Tensors, Tensors]:
        phase, row = self.phases[name], self.runtime.share(self.config.batch)[0]
        losses: dict[str, list[Tensor]] = {}
        reported: dict[str, Tensor] = {}
        for part in batch.split(self.progress.micro or len(batch)):
            ctx, share = self._context(name, turn, row), len(part) / len(batch)
            with self.runtime.precision(self.config.precision):
                terms = phase.loss(self.nets, part, ctx)
            start.check_losses(name, terms, len(part))
            total = torch.stack([v.float().mean() for v in terms.values()]).sum()
            (total * share).backward()
            for key, values in terms.items():
                losses.setdefault(key, []).append(values.detach())
            for key, figures in ctx.figures.items():
                reported[key] = reported.get(key, 0.0) + torch.stack(figures).mean() * share
            row += len(part)
        return {k: torch.cat(v) for k, v in losses.items()}, reported

    def _apply(self, optimizer: Optimizer, hyper: Mapping[str, Any], accepted: Tensor) -> None:
        """Steps the optimizer unless the guard refused; without a synchronisation where the optimizer allows it."""
        for group in optimizer.param_groups:
            group.update(hyper)
        if not self.deferred or not getattr(optimizer, "_step_supports_amp_scaling", False):
            if bool(accepted):
                optimizer.step()
            return
        optimizer.grad_scale, optimizer.found_inf = None, (~accepted).float()  # type: ignore[attr-defined]
        optimizer.step()

    def _context(self, phase: str, turn: int, row: int) -> Context:
        seed = fold(self.seed, self.progress.step, phase, turn)
        return Context(seed=seed, row=row, step=self.progress.step, samples=self.samples, device=self.runtime.device)

    def _finished(self) -> bool:
        if self.config.samples is not None and self.samples >= self.config.samples:
            return True
        over = self.config.minutes is not None and self.seconds >= 60 * self.config.minutes
        return self._agree(over or any(monitor.enough for monitor in self.monitors))

    def _agree(self, flag: bool) -> bool:
        """One process's flag for all of them; they compare every few steps, as comparing costs a synchronisation."""
        if self.runtime.world == 1:
            return flag
        return self.progress.step % DRAIN_EVERY == 0 and self.runtime.any(flag)

    def _between_steps(self, interrupts: Interrupts) -> None:
        step, config = self.progress.step, self.config
        ticks, saves = step % config.tick_steps == 0, step % config.save_steps == 0 and self.samples != config.samples
        if ticks or saves:
            went_back = self.keeper.goes_back()
        else:
            went_back = (not self.deferred or step % DRAIN_EVERY == 0) and self.keeper.hears_of_trouble()
        if ticks and not went_back:
            self._tick()
            went_back = treatment.carry_out(self)
        if saves and not went_back:
            self.keeper.save()
        if self._agree(interrupts.caught is not None):
            self.keeper.save(final=True)
            raise Interrupted(
                f"stopped by a signal and saved at {self.samples:,} samples; go on with: "
                f"{folder.command('resume', self.out)}",
                interrupts.caught or signal.SIGTERM,
            )

    def _tick(self) -> None:
        figures = self.figures.read(self.runtime.sum)
        self.recipe.control(self.nets, figures, self._context("control", 0, 0))
        figures |= {f"{name}/weight_norm": norm for name, norm in self.keeper.norms.items()}
        self.journal.write("tick", **self.where(), figures=figures)
        self.tell("tick", figures)

    def tell(self, hook: str, *args: Any) -> None:
        """Calls a hook of every monitor."""
        for monitor in self.monitors:
            getattr(monitor, hook)(self.view, *args)

    def where(self) -> dict[str, Any]:
        """The moment, as log entries carry it."""
        return {"step": self.progress.step, "samples": self.samples, "seconds": round(self.seconds, 3)}
