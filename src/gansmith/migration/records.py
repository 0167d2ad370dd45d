"""Networks as records: their parts by dotted names, their tensors, what they say of themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from ..errors import DataError
from ..recipes.base import Recipe
from ..spec import ImageSpec
from .unpickle import Array, Record

Tensors = dict[str, Tensor]
NOT_READ = ("resample_filter", "up_filter", "down_filter", "Kernel")  # filters, which are made anew


def is_network(value: Any) -> bool:
    """Whether a record is that of a torch module."""
    return isinstance(value, Record) and {"_parameters", "_buffers", "_modules"} <= value.state.keys()


def part(network: Record, name: str) -> Record | None:
    """The module of a dotted name within; None where there is none."""
    found: Any = network
    for step in name.split("."):
        found = found.state["_modules"].get(step) if is_network(found) else None
    return found if is_network(found) else None


def setting(network: Record, name: str, at: str = "") -> Any:
    """What a module (the one called `at` within) says of itself; None where it does not."""
    module = part(network, at) if at else network
    value = None if module is None else module.state.get(name)
    return value.values if isinstance(value, Array) else value


def tensors(network: Record) -> Tensors:
    """Parameters and buffers by dotted names.

    Raises:
        DataError: something among them is no tensor.
    """
    found = dict(_tensors(network, ""))
    for name, value in found.items():
        if not isinstance(value, Tensor):
            raise DataError(f"{name} of this file should be a tensor, it is: {type(value).__name__}")
    return found


def _tensors(network: Record, prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in [*network.state["_parameters"].items(), *network.state["_buffers"].items()]:
        if value is not None:
            yield prefix + name, value
    for name, module in network.state["_modules"].items():
        if is_network(module):
            yield from _tensors(module, f"{prefix}{name}.")


class Taking:
    """Takes a network's tensors one by one, and knows which were left.

    Args:
        network: a record of it.
        what: its name, for messages.
    """

    def __init__(self, network: Record, what: str) -> None:
        self.network, self.what = network, what
        self.all = tensors(network)
        self._taken: set[str] = set()

    def __call__(self, name: str, *, by: float = 1.0) -> Tensor:
        """One of the tensors in float32, times `by`.

        Raises:
            DataError: it is not there.
        """
        if name not in self.all:
            raise DataError(f"{self.what} of this file lacks {name}, which every network of its kind has")
        self._taken.add(name)
        value = self.all[name].float()
        return value if by == 1 else value * by

    def __contains__(self, name: str) -> bool:
        return name in self.all

    def shape(self, name: str) -> Sequence[int]:
        """The shape of one of the tensors, which is not taken by it.

        Raises:
            DataError: it is not there.
        """
        taken = set(self._taken)
        shape = tuple(self(name).shape)
        self._taken = taken
        return shape

    @property
    def count(self) -> int:
        """How many were taken."""
        return len(self._taken)

    def left(self) -> list[str]:
        """Names of the tensors that were not taken, filters apart."""
        own = {name for name in self.all if name.rpartition(".")[2] in NOT_READ}
        return sorted(self.all.keys() - self._taken - own)


@runtime_checkable
class Family(Protocol):
    """One kind of published network: a module of this package with these functions."""

    NAME: str  # of the recipe

    def fits(self, g: Record) -> bool:
        """Whether this is a generator of that kind."""

    def recipe_of(self, g: Taking, d: Taking | None, classes: Sequence[str]) -> tuple[Recipe, ImageSpec, str]:
        """The recipe, what its pictures are, and why D cannot be carried over, else an empty text."""

    def generator(self, g: Taking, recipe: Any, spec: ImageSpec) -> Tensors:
        """G's tensors under the names that they have here."""

    def discriminator(self, d: Taking, recipe: Any, spec: ImageSpec) -> Tensors:
        """D's tensors under the names that they have here."""


def check(holds: bool, what: str) -> None:
    """
    Raises:
        DataError: it does not hold, and the network is another than can be converted.
    """
    if not holds:
        raise differs(what)


def differs(what: str) -> DataError:
    """The error that says in what a network is another than can be converted."""
    return DataError(f"this network differs from those that can be converted: {what}")


def spec_of(size: int, channels: int, count: int, names: Sequence[str]) -> ImageSpec:
    """What the pictures are; classes are called 0, 1, ... where nobody names them.

    Raises:
        DataError: another number of names than of classes.
    """
    if names and len(names) != count:
        raise DataError(f"this network knows {count} classes; give as many names, not: {len(names)}")
    return ImageSpec(size=size, channels=channels, classes=tuple(names) or tuple(map(str, range(count))))


def of_labels(take: Taking, name: str) -> Tensor:
    """A row for each class, (classes, width), of a linear layer that reads one-hot labels with gain classes^-1/2."""
    weight = take(f"{name}.weight")
    columns: Tensor = weight / weight.shape[1] ** 0.5 + take(f"{name}.bias")[:, None]
    return columns.T.contiguous()


def numbered(take: Taking, pattern: Callable[[int], str]) -> int:
    """How many of `pattern(0)`, `pattern(1)`, ... there are."""
    count = 0
    while pattern(count) in take:
        count += 1
    return count


def same_filter(found: Tensor, taps: Sequence[float]) -> bool:
    """Whether a filter, of one or of two dimensions, is that of `taps` along both axes."""
    wanted = torch.tensor(taps)
    wanted = wanted / wanted.sum()
    wanted = torch.outer(wanted, wanted) if found.ndim == 2 else wanted
    return found.shape == wanted.shape and bool(torch.allclose(found.float(), wanted, atol=1e-6))
