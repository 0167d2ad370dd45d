"""Monitors watch a run and change nothing in it but its end: progress bar, TensorBoard, sample grids."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch.optim import Optimizer

from ..batch import Batch
from ..config import to_dict
from ..data.source import Source
from ..health.finding import Finding
from ..recipes.base import Networks, Recipe, sample, sample_stages
from . import folder
from .config import TrainConfig
from .journal import Journal

if TYPE_CHECKING:
    from PIL import Image
    from rich.progress import Progress as Bar
    from torch.utils.tensorboard import SummaryWriter

    from ..health.policy import Remedy
    from .trainer import Trainer

GRID_EXAMPLES, STAGE_EXAMPLES = 64, 8


class View:
    """What a monitor may see of the trainer. Sampling changes nothing: it draws on seeds of its own."""

    def __init__(self, trainer: Trainer) -> None:
        self._trainer = trainer

    @property
    def recipe(self) -> Recipe:
        return self._trainer.recipe

    @property
    def source(self) -> Source:
        return self._trainer.source

    @property
    def config(self) -> TrainConfig:
        return self._trainer.config

    @property
    def out(self) -> Path:
        return self._trainer.out

    @property
    def journal(self) -> Journal:
        return self._trainer.journal

    @property
    def first(self) -> bool:
        """Whether this is process 0, the one that writes. All processes run all hooks, for sampling is shared."""
        return self._trainer.runtime.rank == 0

    @property
    def step(self) -> int:
        return self._trainer.progress.step

    @property
    def samples(self) -> int:
        return self._trainer.samples

    @property
    def networks(self) -> Networks:
        """Those in training."""
        return self._trainer.nets

    @property
    def optimizers(self) -> Mapping[tuple[str, ...], Optimizer]:
        """By the networks that each trains."""
        return self._trainer.optimizers

    @property
    def device(self) -> torch.device:
        return self._trainer.runtime.device

    @property
    def processes(self) -> int:
        return self._trainer.runtime.world

    @property
    def refused(self) -> int:
        """Batches that the guard refused so far."""
        return self._trainer.guard.refused

    def fed(self) -> Batch:
        """What the first phase of this step was fed last."""
        return next(iter(self._trainer.feed.latest.values()), Batch())

    @property
    def seconds(self) -> float:
        return self._trainer.seconds

    def generator(self) -> Networks:
        """The networks to sample from: averages where there are any, settled by the recipe."""
        trainer = self._trainer
        return trainer.averages.settled(trainer.nets, self.recipe, self.source.spec)

    def averaged(self) -> Networks:
        """The same, not settled."""
        return self._trainer.averages.over(self._trainer.nets)

    def generate(self, request: Batch, seed: int = 0) -> Batch:
        """What the averaged networks make of a request now."""
        return sample(self.recipe, self.generator(), request, seed=seed)

    def stages(self, request: Batch, seed: int = 0) -> dict[str, Batch]:
        """What that is made through, by name (see `Recipe.stages`)."""
        return sample_stages(self.recipe, self.generator(), request, seed=seed)

    def where(self) -> dict[str, Any]:
        return self._trainer.where()

    def alone(self) -> AbstractContextManager[None]:
        """Within, networks compute on this process without the others."""
        return self._trainer.runtime.alone()

    def agree(self, flag: bool) -> bool:
        """Whether any process says so; asked on all of them."""
        return self._trainer.runtime.any(flag)


class Monitor:
    """Five hooks, and `close`, which is called however the run ends. Subclasses override what they need.

    Attributes:
        enough: set by one that has seen enough, on whichever process; the run then ends as if it were as long as asked.
        remedy: set by one that asks for a treatment, which the trainer carries out at the next tick.
        sound: whether it sees nothing serious, where it is one that judges; a checkpoint of such a moment is one to go
            back to.
    """

    enough: bool = False
    remedy: Remedy | None = None
    sound: bool | None = None

    def start(self, view: View) -> None: ...

    def stepped(self, view: View) -> None: ...

    def tick(self, view: View, figures: Mapping[str, float]) -> None: ...

    def saved(self, view: View, path: Path) -> None: ...

    def end(self, view: View) -> None: ...

    def close(self) -> None: ...


class SampleGrid(Monitor):
    """A grid of examples at fixed noise, `samples/SAMPLES.png`, each tick.

    Where the recipe makes them through stages, `samples/stages/SAMPLES.png` shows a few of them, each stage in a row of
    its own; the names of the rows are in the file, as JSON under the key `stages`.
    """

    def __init__(self, examples: int = GRID_EXAMPLES) -> None:
        self.examples = examples
        self._failed = False

    def start(self, view: View) -> None:
        self._write(view)

    def tick(self, view: View, figures: Mapping[str, float]) -> None:
        self._write(view)

    def end(self, view: View) -> None:
        self._write(view)

    def _write(self, view: View) -> None:
        spec, seed, few = view.source.spec, view.config.seed, min(self.examples, STAGE_EXAMPLES)
        batch, stages = view.generate(spec.request(self.examples), seed), view.stages(spec.request(few), seed)
        if not view.first:
            return
        samples, name = view.out / folder.SAMPLES, f"{view.samples:012d}.png"
        self._save(view, samples / name, spec.preview(batch))
        if stages:
            rows = {key: torch.cat([stage[key] for stage in stages.values()]) for key in next(iter(stages.values()))}
            self._save(view, samples / folder.STAGES / name, spec.preview(Batch(rows), few), list(stages))

    def _save(self, view: View, path: Path, picture: Image.Image, stages: Sequence[str] = ()) -> None:
        from PIL.PngImagePlugin import PngInfo

        unfinished, told = path.with_suffix(".part"), PngInfo()
        if stages:
            told.add_text("stages", json.dumps(stages))
        try:
            path.parent.mkdir(exist_ok=True)
            picture.save(unfinished, format="PNG", pnginfo=told)
            unfinished.replace(path)
            self._failed = False
        except OSError as error:
            if not self._failed:
                view.journal.write("warning", **view.where(), message=f"the grid {path} was not written: {error}")
            self._failed = True
            with suppress(OSError):
                unfinished.unlink(missing_ok=True)


class TensorBoardLog(Monitor):
    """All figures, and the grids that `SampleGrid` wrote before it, for TensorBoard."""

    def __init__(self) -> None:
        self._writer: SummaryWriter | None = None

    def start(self, view: View) -> None:
        if not view.first:
            return
        from torch.utils.tensorboard import SummaryWriter

        with self._giving_up(view):
            self._writer = SummaryWriter(view.out / folder.TENSORBOARD, purge_step=view.samples)
            self._writer.add_text("config", f"```\n{to_dict(view.recipe)}\n{to_dict(view.config)}\n```", view.samples)
        view.journal.listen(self._hear)

    def _hear(self, event: dict[str, Any]) -> None:
        if self._writer is not None and event["event"] == "metric" and isinstance(event.get("value"), float):
            self._writer.add_scalar(f"metric/{event['name']}", event["value"], event["samples"])

    def tick(self, view: View, figures: Mapping[str, float]) -> None:
        if self._writer is not None:
            with self._giving_up(view):
                self._write(self._writer, view, figures)

    @contextmanager
    def _giving_up(self, view: View) -> Iterator[None]:
        """TensorBoard's writer cannot go on after a full disk, nor write to every path; training can."""
        try:
            yield
        except (OSError, ValueError) as error:
            self.close()
            message = f"TensorBoard's log cannot be written: {error}; training goes on without it"
            view.journal.write("warning", **view.where(), message=message)

    def _write(self, writer: SummaryWriter, view: View, figures: Mapping[str, float]) -> None:
        for name, value in figures.items():
            writer.add_scalar(name, value, view.samples)
        grid = view.out / folder.SAMPLES / f"{view.samples:012d}.png"
        if grid.exists():
            import numpy
            from PIL import Image

            pixels = numpy.asarray(Image.open(grid).convert("RGB"))
            writer.add_image("samples", pixels, view.samples, dataformats="HWC")

    def close(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            with suppress(OSError, ValueError):
                writer.close()


class Progress(Monitor):
    """A progress bar: samples, samples/s, time left, the last score; warnings above it."""

    def __init__(self) -> None:
        self._bar: Bar | None = None
        self._score = ""

    def start(self, view: View) -> None:
        if not view.first:
            return
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self._bar = Progress(
            TextColumn("{task.fields[samples]:,} samples"),
            BarColumn(),
            TextColumn("{task.percentage:3.0f} %"),
            TextColumn("{task.fields[speed]}"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[score]}"),
            console=Console(stderr=True),
        )
        total = float(view.config.samples or 60 * (view.config.minutes or 0.0))
        self._task = self._bar.add_task("", total=total, samples=view.samples, speed="", score="")
        self._begun = (view.samples, view.seconds)
        view.journal.listen(self._hear)
        self._bar.start()

    def _hear(self, event: dict[str, Any]) -> None:
        if self._bar is None:
            return
        if event["event"] == "metric":
            self._score = f"{event['name']} {event['value']:.4g}"
        message = _in_words(event)
        if message:
            self._bar.console.print(message, style="yellow", highlight=False, markup=False)

    def tick(self, view: View, figures: Mapping[str, float]) -> None:
        self._show(view)

    def end(self, view: View) -> None:
        self._show(view)

    def _show(self, view: View) -> None:
        if self._bar is None:
            return
        samples, seconds = self._begun
        speed = (view.samples - samples) / max(view.seconds - seconds, 1e-9)
        done = float(view.samples) if view.config.samples is not None else view.seconds
        self._bar.update(
            self._task, completed=done, samples=view.samples, speed=f"{speed:,.0f} samples/s", score=self._score
        )

    def close(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


ACTIONS = {
    "stop": "stopped",
    "finish": "ends here, for nothing more is to be gained",
    "return": "went back to the last healthy checkpoint, with other noise",
    "calm": "goes on with calmer settings and fresh optimizers",
    "augment": "goes on with what D sees augmented",
}


def _treated(event: Mapping[str, Any]) -> str:
    """What a treatment did, in a line."""
    changed = ", ".join(f"{name}={value}" for name, value in event.get("changed", {}).items())
    why = event["finding"]["failure"]["title"].lower()
    done = ACTIONS.get(event["action"], event["action"])
    return f"treatment {event['attempt']} for {why}: {done}{f' ({changed})' if changed else ''}"


def _in_words(event: Mapping[str, Any]) -> str | None:
    """A line for people about an event that they should know of."""
    match event["event"]:
        case "skip":
            names = f": {', '.join(event['names'][:3])}" if event.get("names") else ""
            return f"skipped a batch at step {event['step']:,}: {event['reason']}{names}"
        case "rollback":
            return f"went back to {event['to']} (time {event['attempt']} of 3): {event['reason']}"
        case "finding":
            return str(Finding.from_json(event["finding"]))
        case "recovered":
            return f"no longer to be seen: {event['name'].replace('_', ' ')}"
        case "treatment":
            return _treated(event)
        case "undone":
            return f"undid the treatment that did not help: back to {event['to']}, with the settings of then"
        case "oom":
            return f"memory ran out; now {event['micro']} examples at a time, still {event['batch']} per step"
        case "save_failed" | "warning" | "damaged":
            return str(event["message"]).splitlines()[0]
    return None
