"""Beginning with the weights of another run: what fits is carried over, and what was and was not is said."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path

import torch

from .. import checkpoint
from ..errors import RunFolderError
from ..recipes.base import Networks
from .processes import first_process


@dataclass
class Carried:
    """What became of one network's tensors.

    Attributes:
        fitting: names of those that were copied.
        fresh: names of those that were not, each with the reason.
    """

    fitting: list[str] = field(default_factory=list)
    fresh: list[str] = field(default_factory=list)


class Transfer:
    """Copies the trained weights (not their averages) of the newest checkpoint of `run` into fresh networks.

    Optimizers, averages and the count of samples start anew.

    Args:
        run: a run folder or one checkpoint.

    Raises:
        RunFolderError: no such run, or no checkpoint in it.
        CheckpointError: damaged.
    """

    def __init__(self, run: Path | str) -> None:
        self.folder, self.problems = checkpoint.newest(Path(run))
        self.report: dict[str, Carried] = {}

    def __call__(self, nets: Networks) -> None:
        """Copies what fits.

        Raises:
            RunFolderError: nothing fits.
        """
        self.report = {name: self._carry(name, net) for name, net in nets.items()}
        if not any(carried.fitting for carried in self.report.values()):
            raise RunFolderError(f"nothing in {self.folder} fits this recipe's networks: {', '.join(nets)}")
        if first_process():
            print("\n".join(self.lines()), file=sys.stderr)

    @torch.no_grad()
    def _carry(self, name: str, net: torch.nn.Module) -> Carried:
        own, carried = net.state_dict(), Carried()
        there = checkpoint.read_tensors(self.folder, name) if (self.folder / f"{name}.safetensors").exists() else {}
        for key, tensor in own.items():
            if key not in there:
                carried.fresh.append(f"{key} (not there)")
            elif there[key].shape != tensor.shape:
                carried.fresh.append(f"{key} (there {tuple(there[key].shape)}, here {tuple(tensor.shape)})")
            else:
                tensor.copy_(there[key])
                carried.fitting.append(key)
        return carried

    def lines(self) -> list[str]:
        """What was carried over and what not, for people."""
        said = [f"weights from {self.folder}:"]
        for name, carried in self.report.items():
            whole = len(carried.fitting) + len(carried.fresh)
            text = f"  {name}: {len(carried.fitting)} of {whole} tensors"
            said.append(text + (f"; fresh: {', '.join(carried.fresh[:8])}" if carried.fresh else ""))
            if len(carried.fresh) > 8:
                said[-1] += f" and {len(carried.fresh) - 8} more"
        return [*said, "  not carried over: optimizers, averages, the count of samples"]
