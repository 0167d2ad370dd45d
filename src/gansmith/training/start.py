"""Before the first step: what cannot work is refused with a reason, and the run folder is opened."""

from __future__ import annotations

import math
import platform
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy
import torch
from torch import Tensor
from torch.optim import Optimizer

from .. import __version__, checkpoint
from ..config import to_dict
from ..data.source import OffersOrders, Source
from ..errors import ConfigError, DataError, GansmithError, RunFolderError, SpecError
from ..recipes.base import Networks, Phase, Recipe
from . import folder
from .config import TrainConfig
from .runtime import Runtime

if TYPE_CHECKING:
    from .trainer import Trainer


def check(recipe: Recipe, source: Source, config: TrainConfig) -> None:
    """Refuses what cannot work before anything is built.

    Raises:
        DataError: a batch larger than the data.
        ConfigError: sharding or compiling a network that a phase differentiates twice.
        SpecError: a phase draws its rows in a way that the data do not offer.
    """
    if config.batch > len(source):
        raise DataError(f"a batch of {config.batch} needs as many examples; the data have {len(source)}: lower --batch")
    offered = source.draws if isinstance(source, OffersOrders) else ()
    for name, phase in recipe.phases().items():
        if phase.draw not in ("shuffled", *offered):
            raise SpecError(
                f"phase {name} of {type(recipe).__name__} draws its rows in a way that these data do not offer: "
                f"{phase.draw}; they offer: {', '.join(('shuffled', *offered))}"
            )
    twice = {n for phase in recipe.phases().values() for n in phase.second_order}
    for what, names in (("shard", config.shard), ("compile", config.compile)):
        for name in names:
            if name in twice:
                raise ConfigError(
                    f"cannot {what} {name}: a loss of {type(recipe).__name__} differentiates it twice, and "
                    f"{'FSDP2' if what == 'shard' else 'torch.compile'} loses second derivatives; leave {name} out"
                )


def check_length(recipe: Recipe, config: TrainConfig) -> None:
    """Refuses a run that is of use to nobody, as a player never plays in it. (Tests make such runs.)

    Raises:
        ConfigError: the numbers, and the setting that decides when it begins, where there is one of that value.
    """
    late = {name: phase.start for name, phase in recipe.phases().items() if phase.start >= (config.samples or math.inf)}
    if late:
        begins = max(late.values())
        decides = next((f" (recipe.{name})" for name, value in to_dict(recipe).items() if value == begins), "")
        raise ConfigError(
            f"the run ends at {config.samples:,} samples, and {type(recipe).__name__} first trains "
            f"{' and '.join(late)} at {begins:,}{decides}: make it longer (--samples), or let them begin sooner"
        )


def check_networks(
    nets: Iterable[str], phases: Mapping[str, Phase], averages: Iterable[str], config: TrainConfig, processes: int
) -> None:
    """Refuses names of networks that the recipe does not have, and sharding that cannot work.

    Raises:
        ConfigError: names the network and who asked for it.
    """
    known = list(nets)
    asked = {f"phase {name}": (*phase.trains, *phase.second_order) for name, phase in phases.items()}
    asked |= {"ema": tuple(averages), "--shard": config.shard, "--compile": config.compile}
    for who, names in asked.items():
        for name in names:
            if name not in known:
                raise ConfigError(f"{who} names a network that the recipe lacks: {name}; it has: {', '.join(known)}")
    if config.shard and processes == 1:
        raise ConfigError("sharding needs several processes: ask for them with --devices, or leave --shard out")
    for name, phase in phases.items():
        if 0 < len(set(phase.trains) & set(config.shard)) < len(phase.trains):
            together = ", ".join(phase.trains)
            raise ConfigError(f"phase {name} trains {together} with one optimizer: shard all of them or none")


def optimizers(recipe: Recipe, phases: Mapping[str, Phase], nets: Networks) -> dict[tuple[str, ...], Optimizer]:
    """A fresh optimizer for each set of networks that some phase trains."""
    found: dict[tuple[str, ...], Optimizer] = {}
    for name, phase in phases.items():
        if phase.trains not in found:
            with nets.only(phase.trains) as params:
                found[phase.trains] = recipe.optimizer(name, params)
    return found


def freeze(nets: Networks, depths: Mapping[str, int]) -> None:
    """Keeps the weights of each network's first layers as they are; layers in the order in which it lists them.

    Raises:
        ConfigError: a network that is not there, or no layer left to train.
    """
    for name, depth in depths.items():
        if name not in nets:
            raise ConfigError(
                f"cannot freeze layers of a network that the recipe lacks: {name}; it has: {', '.join(nets)}"
            )
        layers = [m for m in nets[name].modules() if any(True for _ in m.parameters(recurse=False))]
        if not 0 <= depth < len(layers):
            raise ConfigError(
                f"{name} has {len(layers)} layers with weights; freeze fewer of them than that, not: {depth}"
            )
        for layer in layers[:depth]:
            layer.requires_grad_(False)


def importable_name(recipe: Recipe) -> str:
    """The name under which a recipe is found again: its file's for those of the package, else FILE.py:CLASS."""
    cls = type(recipe)
    package, _, module = cls.__module__.rpartition(".")
    if package == "gansmith.recipes":
        return module
    file = getattr(sys.modules.get(cls.__module__), "__file__", None)
    return f"{file}:{cls.__name__}" if file else cls.__name__


def check_losses(phase: str, terms: Mapping[str, Tensor], n: int) -> None:
    """A loss returns per-sample tensors.

    Raises:
        ConfigError: names the term and its shape.
    """
    for name, values in terms.items():
        if values.shape != (n,):
            raise ConfigError(
                f"the loss {phase}/{name} must hold one value for each of the {n} examples, shape ({n},); "
                f"it has shape {tuple(values.shape)}: do not average over the batch, the trainer does"
            )
    if not terms:
        raise ConfigError(f"the loss of phase {phase} returned no terms; wanted: {{name: tensor of shape ({n},)}}")


def check_first_play(trainer: Trainer, phase: str, params: Sequence[Tensor]) -> None:
    """All processes must hold gradients for the same parameters, else the next collective would hang.

    Raises:
        ConfigError: no parameter got a gradient, or processes differ.
    """
    having = "".join("1" if p.grad is not None else "0" for p in params)
    if "1" not in having:
        raise ConfigError(
            f"phase {phase} gave no gradient to any parameter of {', '.join(trainer.phases[phase].trains)}; "
            "does its loss depend on them, or was something detached?"
        )
    if not trainer.runtime.same(having):
        raise ConfigError(f"phase {phase} gives gradients to different parameters in different processes")


@contextmanager
def exclusively(out: Path, runtime: Runtime, *, make: bool) -> Iterator[None]:
    """The run folder, held by process 0 on behalf of all."""
    with ExitStack() as stack:
        problem: GansmithError | None = None
        if runtime.rank == 0:
            try:
                stack.enter_context(folder.locked(out, make=make))
            except GansmithError as error:
                problem = error
        _agree_on(problem, runtime)
        yield


def _agree_on(problem: GansmithError | None, runtime: Runtime) -> None:
    """Raises process 0's problem in all processes, so that none waits for the others."""
    if runtime.any(problem is not None):
        raise problem or RunFolderError("process 0 cannot work in the run folder; it says why")


def open_run(trainer: Trainer) -> None:
    """Prepares the folder on process 0, loads the checkpoint to resume from, or writes the first one.

    Raises:
        RunFolderError, CheckpointError: process 0's error; the others end with it.
    """
    problem: GansmithError | None = None
    if trainer.runtime.rank == 0:
        try:
            _prepare_folder(trainer)
        except GansmithError as error:
            problem = error
    _agree_on(problem, trainer.runtime)
    resumed_from = trainer.keeper.resume() if trainer.resume else None
    if trainer.runtime.rank == 0:
        folder.describe(trainer.out, settings(trainer))
    trainer.journal.write("start", **trainer.where(), **facts(trainer), resumed_from=resumed_from)
    if resumed_from is None:
        for message in trainer.about.get("warnings", ()):
            trainer.journal.write("warning", **trainer.where(), message=message)
        trainer.keeper.norms = trainer.keeper.measure()
        trainer.keeper.save(final=True)


def _prepare_folder(trainer: Trainer) -> None:
    out = trainer.out
    if trainer.resume:
        checkpoint.clean(out)
        return
    if trainer.overwrite:
        folder.empty(out)
    folder.refuse_taken(out)
    if (out / folder.CONFIG).exists():  # a run that ended before its first checkpoint
        (out / folder.LOG).unlink(missing_ok=True)
    checkpoint.clean(out)


def settings(trainer: Trainer) -> dict[str, Any]:
    """What config.yaml holds."""
    return {
        "recipe": {
            "name": trainer.recipe_name,
            "class": type(trainer.asked).__name__,
            "fields": to_dict(trainer.asked),
        },
        "train": to_dict(trainer.config),
        "spec": trainer.source.spec.to_json(),
        "about": trainer.about,
    }


def facts(trainer: Trainer) -> dict[str, Any]:
    """Seed, versions, machine, parameter counts and data, for the log and the report."""
    device = trainer.runtime.device
    return {
        "seed": trainer.config.seed,
        "versions": {
            "gansmith": __version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "cuda": torch.version.cuda,
            "numpy": numpy.__version__,
        },
        "device": {
            "kind": device.type,
            "name": torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or "cpu",
            "threads": torch.get_num_threads(),
            "processes": trainer.runtime.world,
            "precision": trainer.config.precision,
            "platform": platform.platform(),
        },
        "parameters": {name: sum(p.numel() for p in net.parameters()) for name, net in trainer.nets.items()},
        "examples": len(trainer.source),
        "fingerprint": trainer.source.fingerprint,
        "notes": trainer.source.notes(),
    }
