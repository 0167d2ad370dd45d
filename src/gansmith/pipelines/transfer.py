"""Beginning with the weights of another run: what fits is carried over, and what was and was not is said."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import torch
from torch import Tensor, nn

from .. import checkpoint
from ..errors import RunFolderError
from ..game.correspondence import SOURCE, remember
from ..recipes.base import Networks
from ..spec import spec_from_json
from .processes import first_process

State: TypeAlias = Mapping[str, Tensor]
_NUMBERED = re.compile(r"^(.*?\.)?(\d+)\.(.*)$")


@dataclass
class Carried:
    """What became of one network's tensors.

    Attributes:
        fitting: names of those that were copied.
        mapped: of those that were copied in part or from another place, each with what was done.
        fresh: names of those that were not, each with the reason.
    """

    fitting: list[str] = field(default_factory=list)
    mapped: list[str] = field(default_factory=list)
    fresh: list[str] = field(default_factory=list)


class Transfer:
    """Copies the trained weights of the newest checkpoint of `run` into fresh networks.

    A network with more or fewer stages, because its pictures have another size, takes over those that it shares with
    the other, counted from whichever end more of them fit. Where a tensor has a row for each class, classes of the same
    name keep theirs, and new ones begin with the mean of the old. Optimizers, averages and all counts of samples and
    steps start anew.

    Args:
        run: a run folder or one checkpoint.
        classes: names of the classes that will be learnt, or of attributes as `ImageSpec.labels` has them.
        averaged: whether to copy averages of weights where the run has them.

    Raises:
        RunFolderError: no such run, or no checkpoint in it.
        CheckpointError: damaged.
    """

    def __init__(self, run: Path | str, classes: Sequence[str] = (), *, averaged: bool = False) -> None:
        self.averaged = averaged
        self.folder, self.problems = checkpoint.newest(Path(run))
        self.classes = tuple(classes)
        spec = spec_from_json(checkpoint.read_document(self.folder, "recipe")["spec"])
        self.known: tuple[str, ...] = tuple(getattr(spec, "labels", ()))
        self.report: dict[str, Carried] = {}

    def __call__(self, nets: Networks) -> None:
        """Copies what fits.

        Raises:
            RunFolderError: nothing fits.
        """
        self.report = {name: self._carry(name, net) for name, net in nets.items() if not name.startswith(SOURCE)}
        if not any(carried.fitting or carried.mapped for carried in self.report.values()):
            raise RunFolderError(f"nothing in {self.folder} fits this recipe's networks: {', '.join(nets)}")
        remember(nets)
        if first_process():
            print("\n".join(self.lines()), file=sys.stderr)

    @torch.no_grad()
    def _carry(self, name: str, net: nn.Module) -> Carried:
        own, carried = net.state_dict(), Carried()
        there = self._read(name)
        origins, of_classes = origin_of(own, there, shrinks=name.startswith("D")), self._of_classes(net)
        for key, tensor in own.items():
            found = there.get(origins[key])
            if is_count(tensor):
                continue
            if found is None:
                carried.fresh.append(f"{key} (not there)")
            elif key in of_classes and self._rows_fit(tensor, found):
                tensor.copy_(self._rows(found))
                carried.mapped.append(f"{key} (by the names of classes)")
            elif found.shape != tensor.shape:
                carried.fresh.append(f"{key} (there {tuple(found.shape)}, here {tuple(tensor.shape)})")
            else:
                tensor.copy_(found)
                moved = origins[key] != key
                (carried.mapped if moved else carried.fitting).append(f"{key} (there {origins[key]})" if moved else key)
        return carried

    def _read(self, name: str) -> State:
        files = [f"{name}.ema"] * self.averaged + [name]
        file = next((f for f in files if (self.folder / f"{f}.safetensors").exists()), None)
        return checkpoint.read_tensors(self.folder, file) if file else {}

    def _of_classes(self, net: nn.Module) -> set[str]:
        """Names of tensors with a row for each class, if the classes are others now."""
        if self.classes == self.known:
            return set()
        return {f"{name}.weight" for name, module in net.named_modules() if isinstance(module, nn.Embedding)}

    def _rows_fit(self, tensor: Tensor, found: Tensor) -> bool:
        lengths = (len(tensor), len(found)) == (len(self.classes), len(self.known))
        return lengths and tensor.shape[1:] == found.shape[1:]

    def _rows(self, found: Tensor) -> Tensor:
        mean = found.float().mean(0).to(found.dtype)
        return torch.stack([found[self.known.index(c)] if c in self.known else mean for c in self.classes])

    def lines(self) -> list[str]:
        """What was carried over and what not, for people."""
        said = [f"weights from {self.folder}:"]
        for name, carried in self.report.items():
            kept = len(carried.fitting) + len(carried.mapped)
            text = f"  {name}: {kept} of {kept + len(carried.fresh)} tensors"
            said.append(text + _some("; mapped: ", carried.mapped) + _some("; fresh: ", carried.fresh))
        if new := [c for c in self.classes if c not in self.known] if self.known else []:
            said.append(f"  classes that are new: {', '.join(new[:20])}{' ...' if len(new) > 20 else ''}")
        return [*said, "  not carried over: optimizers, averages, the count of samples"]


def is_count(tensor: Tensor) -> bool:
    """Whether a tensor counts the samples or steps of its own run: a whole number alone."""
    return tensor.ndim == 0 and not tensor.is_floating_point()


def _some(title: str, names: Sequence[str]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return f"{title}{', '.join(names[:8])}{more}"


def origin_of(own: State, there: State, *, shrinks: bool = False) -> dict[str, str]:
    """Where each tensor of `own` would come from: its own name, or that of the layer as far from the other end.

    Numbered layers of one container (`layers.3.weight`) are counted from whichever end more tensors fit in shape.

    Args:
        shrinks: whether, where both ends fit as well, it is the last that counts: what judges pictures makes them
            smaller, and a further stage comes first.
    """
    shifts = {}
    for prefix in _containers(own):
        by = _length(there, prefix) - _length(own, prefix)
        last, first = (_fit(own, there, prefix, shift) for shift in (by, 0))
        if by and (last > first or (shrinks and last == first)):
            shifts[prefix] = by
    return {key: _shifted(key, shifts) for key in own}


def _containers(state: State) -> set[str]:
    return {match[1] or "" for key in state if (match := _NUMBERED.match(key))}


def _length(state: State, prefix: str) -> int:
    numbers = [int(match[2]) for key in state if (match := _NUMBERED.match(key)) and (match[1] or "") == prefix]
    return max(numbers, default=-1) + 1


def _fit(own: State, there: State, prefix: str, by: int) -> int:
    """How many tensors of a container are of the shape of those `by` places further on in the other."""
    count = 0
    for key, tensor in own.items():
        match = _NUMBERED.match(key)
        if match and (match[1] or "") == prefix:
            found = there.get(_shifted(key, {prefix: by}))
            count += found is not None and found.shape == tensor.shape
    return count


def _shifted(key: str, shifts: Mapping[str, int]) -> str:
    match = _NUMBERED.match(key)
    by = shifts.get(match[1] or "", 0) if match else 0
    return f"{match[1] or ''}{int(match[2]) + by}.{match[3]}" if match and by else key
