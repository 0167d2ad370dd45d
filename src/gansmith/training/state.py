"""What a checkpoint of a run holds, and how the trainer's state goes into it and comes back, to the bit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from .. import __version__, checkpoint
from ..config import to_dict
from ..errors import CheckpointError
from ..recipes.base import Networks, Recipe
from ..spec import Spec
from .averages import Averages
from .runtime import Runtime

LICENCE = "the weights belong to whoever trained them; see the licence of the data they were trained on"


@dataclass
class Progress:
    """Where a run stands. Everything that is not a weight and must survive a restart.

    Attributes:
        step: steps taken.
        seconds: time spent training, over all resumes.
        attempt: how often the run went back to a checkpoint; folded into every seed.
        micro: examples per forward pass, once memory has forced it down.
        fingerprint: of the data.
        settings: those that a resumed run is compared with.
        figures, guard: what has been summed since the last tick, and what the guard knows.
        regime: fields of the recipe where a treatment changed them; empty while it is what the user asked for.
    """

    step: int = 0
    seconds: float = 0.0
    attempt: int = 0
    micro: int | None = None
    fingerprint: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    figures: dict[str, list[float]] = field(default_factory=dict)
    guard: dict[str, list[float]] = field(default_factory=dict)
    regime: dict[str, Any] = field(default_factory=dict)


class Buffers:
    """The buffers of some networks, remembered before each play and put back if the play is refused.

    They are found by module and name: a forward pass may replace a buffer rather than write into it.
    """

    def __init__(self, nets: Networks) -> None:
        self._homes = [module._buffers for module in nets.modules() if module._buffers]
        self._places: list[tuple[dict[str, Tensor | None], str]] = []
        self._originals: list[Tensor] = []
        self._saved: list[Tensor] = []

    def remember(self) -> None:
        """Saves what they are now."""
        found = [(home, name, value) for home in self._homes for name, value in home.items() if value is not None]
        self._places, self._originals = [(home, name) for home, name, _ in found], [value for *_, value in found]
        alike = len(found) == len(self._saved) and all(
            now.shape == saved.shape and now.dtype == saved.dtype
            for now, saved in zip(self._originals, self._saved, strict=True)
        )
        if not alike:
            self._saved = [value.clone() for value in self._originals]
        elif found:
            torch._foreach_copy_(self._saved, self._originals)

    def keep_if(self, accepted: Tensor) -> None:
        """Keeps what the buffers are now where `accepted` (bool scalar on the device), else puts them back."""
        if accepted.device.type == "cpu" and not bool(accepted):  # reading it costs nothing there
            self.restore()
            return
        for (home, name), original, saved in zip(self._places, self._originals, self._saved, strict=True):
            now = home[name]
            if now is original and accepted.device.type == "cpu":
                continue
            home[name] = original.copy_(saved if now is None else torch.where(accepted, now, saved))

    def restore(self) -> None:
        """Puts all of them back."""
        for (home, name), original, saved in zip(self._places, self._originals, self._saved, strict=True):
            home[name] = original.copy_(saved)


@dataclass(frozen=True)
class Parts:
    """Everything of a trainer that holds tensors."""

    nets: Networks
    averages: Averages
    optimizers: Mapping[tuple[str, ...], Optimizer]
    runtime: Runtime


def optimizer_name(trains: tuple[str, ...]) -> str:
    return "optim." + "+".join(trains)


def recipe_document(
    name: str,
    recipe: Recipe,
    spec: Spec,
    networks: Sequence[str],
    averages: Sequence[str] = (),
    licence: str = LICENCE,
) -> dict[str, Any]:
    """What recipe.json says, of a checkpoint or of a model: all that is needed to build its networks again."""
    return {
        "name": name,
        "class": type(recipe).__name__,
        "gansmith": __version__,
        "config": to_dict(recipe),
        "spec": spec.to_json(),
        "networks": list(networks),
        "averages": list(averages),
        "licence": licence,
    }


def save(path: Path, recipe_name: str, recipe: Recipe, spec: Spec, parts: Parts, progress: Progress) -> None:
    """Gathers the state from all processes and writes it from the first.

    Raises:
        CheckpointError: it could not be written.
    """
    nets, averages, runtime = parts.nets, parts.averages, parts.runtime
    modules = {**nets, **{f"{name}.ema": net for name, net in averages.nets.items()}}
    tensors = {name: _gather(net, runtime) for name, net in modules.items()}
    documents: dict[str, dict[str, Any]] = {
        "recipe": recipe_document(recipe_name, recipe, spec, list(nets.keys()), list(averages.nets.keys())),
        "state": to_dict(progress),
    }
    for trains, optimizer in parts.optimizers.items():
        name = optimizer_name(trains)
        tensors[name], documents[name] = _take_apart(optimizer, runtime)
    if runtime.rank == 0:
        checkpoint.write(path, {k: v for k, v in tensors.items() if v}, documents)


def _gather(net: torch.nn.Module, runtime: Runtime) -> dict[str, Tensor]:
    return {key: runtime.whole(value) for key, value in net.state_dict().items()}


def _take_apart(optimizer: Optimizer, runtime: Runtime) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """An optimizer's tensors by `INDEX.NAME`, and the rest as JSON."""
    state = optimizer.state_dict()
    tensors, values = {}, {}
    for index, entries in state["state"].items():
        for name, value in entries.items():
            if isinstance(value, Tensor):
                tensors[f"{index}.{name}"] = runtime.whole(value)
            else:
                values[f"{index}.{name}"] = value
    return tensors, {"groups": state["param_groups"], "values": values, "tensors": sorted(tensors)}


def restore(folder: Path, parts: Parts) -> Progress:
    """Loads a checkpoint into networks, averages and optimizers.

    Raises:
        CheckpointError: a part is missing or does not fit.
    """
    for name, net in parts.nets.items():
        _load(folder, name, net, parts.runtime)
    for name, net in parts.averages.nets.items():
        _load(folder, f"{name}.ema", net, parts.runtime)
    for trains, optimizer in parts.optimizers.items():
        _put_together(folder, optimizer_name(trains), optimizer, parts.runtime)
    values = checkpoint.read_document(folder, "state")
    try:
        return Progress(**values)
    except TypeError as error:
        raise CheckpointError(f"{folder}/state.json is not this version's: {error}") from None


def _load(folder: Path, name: str, net: torch.nn.Module, runtime: Runtime) -> None:
    """Loads NAME.safetensors; a network without parameters and buffers has no file."""
    own = net.state_dict()
    stored = checkpoint.read_tensors(folder, name) if own else {}
    checkpoint.load_into(net, {k: runtime.spread(v, own.get(k)) for k, v in stored.items()}, what=name)


def _put_together(folder: Path, name: str, optimizer: Optimizer, runtime: Runtime) -> None:
    document = checkpoint.read_document(folder, name)
    tensors = checkpoint.read_tensors(folder, name) if document.get("tensors", True) else {}
    missing = set(document.get("tensors", ())) - set(tensors)
    if missing:
        raise CheckpointError(f"{folder / name}.safetensors lacks {', '.join(sorted(missing)[:3])}")
    state: dict[int, dict[str, Any]] = {}
    for key, value in [*tensors.items(), *document["values"].items()]:
        index, _, entry = key.partition(".")
        state.setdefault(int(index), {})[entry] = value
    groups = [{k: tuple(v) if k == "betas" else v for k, v in group.items()} for group in document["groups"]]
    try:
        optimizer.load_state_dict({"state": state, "param_groups": groups})
    except ValueError as error:
        raise CheckpointError(f"{folder / name} does not fit this recipe's optimizer: {error}") from None
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            for entry, value in optimizer.state.get(parameter, {}).items():
                if isinstance(value, Tensor) and value.shape == parameter.shape:
                    state_entry = torch.empty_like(parameter)
                    optimizer.state[parameter][entry] = state_entry.copy_(runtime.spread(value, parameter))
