"""The nouns a recipe is written in: Phase, Networks, Context, Recipe. The only base classes of recipes."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any, ClassVar, TypeAlias

import torch
from torch import Tensor, nn

from ..batch import Batch
from ..schedule import Scheduled
from ..spec import Spec

Wish: TypeAlias = float | tuple[float, ...]  # one number for all examples, or one for each class

NOISE_BLOCK = 64  # rows of noise that share a seed
SETTLING = 64  # examples in each request of `Recipe.settle`


def fold(*parts: int | str) -> int:
    """A 63-bit seed that depends on every part and on nothing else (not on the process, not on the machine)."""
    digest = hashlib.blake2b(repr(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


class Networks(nn.ModuleDict):
    """Networks by name: `nets.G`, `nets.D`. Buffers live here, so they are saved and moved for free."""

    def __getattr__(self, name: str) -> Any:
        modules = self.__dict__.get("_modules", {})
        return modules[name] if name in modules else super().__getattr__(name)

    @contextmanager
    def only(self, names: tuple[str, ...]) -> Iterator[list[nn.Parameter]]:
        """Within, gradients reach the parameters of the named networks and no others."""
        trained = dict.fromkeys(p for n in names for p in self[n].parameters() if p.requires_grad)
        frozen = [p for n, net in self.items() if n not in names for p in net.parameters() if p.requires_grad]
        frozen = [p for p in frozen if p not in trained]
        for p in frozen:
            p.requires_grad_(False)
        try:
            yield list(trained)
        finally:
            for p in frozen:
                p.requires_grad_(True)


@dataclass
class Context:
    """What a loss may ask of the run: where we are, random numbers, a place to report figures.

    Attributes:
        seed: of this moment; the run folds its own seed, the step, the phase and the turn into it.
        row: number of the first row of this (micro-)batch within the whole batch of all processes. Noise is
            a function of (seed, row), so one process, two processes and micro-batches see the same noise.
        samples: samples seen before this step.
        figures: what was reported, still on the device.
        block: rows whose noise is drawn in one go.
    """

    seed: int = 0
    row: int = 0
    step: int = 0
    samples: int = 0
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    figures: dict[str, list[Tensor]] = field(default_factory=dict)
    calls: int = 0
    block: int = NOISE_BLOCK

    def randn(self, batch: Batch, *shape: int, every: int = 1) -> Tensor:
        """Standard normal noise, (b / every, *shape), one row for each (group of `every`) examples of `batch`."""
        return self._by_row(torch.randn, len(batch) // every, self.row // every, shape)

    def rand(self, batch: Batch, *shape: int, every: int = 1) -> Tensor:
        """Uniform noise in [0, 1), (b / every, *shape)."""
        return self._by_row(torch.rand, len(batch) // every, self.row // every, shape)

    def _by_row(self, draw: Callable[..., Tensor], n: int, row: int, shape: tuple[int, ...]) -> Tensor:
        self.calls += 1
        first, last = row // self.block, (row + n - 1) // self.block
        blocks = []
        for block in range(first, last + 1):
            generator = torch.Generator(self.device).manual_seed(fold(self.seed, self.calls, block))
            blocks.append(draw(self.block, *shape, generator=generator, device=self.device))
        skip = row - first * self.block
        return (blocks[0] if len(blocks) == 1 else torch.cat(blocks))[skip : skip + n]

    def report(self, name: str, value: Tensor) -> None:
        """A figure for the log: its mean over the batch and over the steps up to the next tick."""
        self.figures.setdefault(name, []).append(value.detach().float().mean())


Loss: TypeAlias = Callable[[Networks, Batch, Context], dict[str, Tensor]]


@dataclass(frozen=True)
class Phase:
    """One optimizer step of one player: which networks it trains, on what loss, how often.

    Args:
        trains: names of the networks whose parameters this phase updates. Phases with equal `trains` share
            one optimizer.
        loss: `(nets, batch, ctx) -> {name: per-sample tensor (b,)}`; the trainer averages each over the batch,
            sums them and backpropagates.
        every: runs on every n-th step (lazy regularisation; multiply the loss by `every`).
        repeats: steps in a row, each on a fresh batch (n-critic).
        start: first sample count at which it runs.
        stop: sample count from which on it runs no more.
        second_order: networks that this loss differentiates twice; those are never compiled nor sharded.
        draw: how its rows are drawn: `shuffled` is every row once an epoch; anything else is a way that the
            source offers (see `Source.order`).
        outliers: whether the guard refuses a step whose gradient is far longer than usual. Not where parts of a network
            must stay apart (teachers of disjoint rows): a refusal for one is a refusal for all. Nor where gradients all
            but vanish as a rule (a classifier of rows that are easily told): any row that it gets wrong stands out.
        sizes: how large its pictures need be, `(samples, side)` in order: from so many samples on, that side in pixels
            will do. A source that can serve smaller ones does (see `OffersSizes`); what others serve is larger, and no
            side goes beyond the data's own. At each of these moments the loss may begin to reach other parameters:
            those that it leaves without a gradient stay as they are, optimizer state and all.
    """

    trains: tuple[str, ...]
    loss: Loss
    every: int = 1
    repeats: int = 1
    start: int = 0
    stop: int | None = None
    second_order: tuple[str, ...] = ()
    draw: str = "shuffled"
    outliers: bool = True
    sizes: tuple[tuple[int, int], ...] = ()

    def size(self, samples: int) -> int | None:
        """The side that its pictures need have `samples` samples into the run; None for that of the data."""
        reached = [side for begin, side in self.sizes if begin <= samples]
        return reached[-1] if reached else None

    def due(self, step: int, samples: int) -> bool:
        """Whether it runs at this step, `samples` samples into the run."""
        return self.start <= samples and (self.stop is None or samples < self.stop) and step % self.every == 0


@dataclass(frozen=True, kw_only=True)
class Recipe(ABC):
    """A GAN as its paper states it: a frozen dataclass of hyperparameters with networks, phases and losses.

    Subclasses are final: a variant is a field, a preset function at the foot of the file, or a new file.

    Attributes:
        makes: the kind of data (`Spec.kind`) that it makes.
        reads: how the source is to read the data for it, settings of `data.open_source`.
        honours: entries of a request that `generate` heeds beside those of `Spec.request`, one row for each example:
            `truncation` (b,), below 1 for likelier and less varied examples; `transform` (b 3 3), maps of the plane
            by which the picture is to be moved.
    """

    makes: ClassVar[str] = "image"
    reads: ClassVar[Mapping[str, Any]] = {}
    honours: ClassVar[tuple[str, ...]] = ()

    @property
    def ema(self) -> Mapping[str, Scheduled]:
        """Networks to average and the half-life of each average, in samples."""
        return {}

    @abstractmethod
    def networks(self, spec: Spec) -> Networks:
        """Fresh networks for examples like `spec`, initialised from torch's global random state.

        Raises:
            SpecError: the recipe cannot make such examples; the message says which ones it can.
        """

    @abstractmethod
    def phases(self) -> dict[str, Phase]:
        """The phases of one step, in order."""

    @abstractmethod
    def optimizer(self, name: str, params: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """The optimizer of the phase `name` (of the first of those that share it)."""

    @abstractmethod
    def generate(self, nets: Networks, request: Batch, ctx: Context) -> Batch:
        """Examples that fulfil `request` (see `Spec.request`); `nets` holds averages where there are any."""

    def stages(self, nets: Networks, request: Batch, ctx: Context) -> dict[str, Batch]:
        """What examples are made through, by name and in order, such as the levels of a pyramid; for reports.

        Each is a batch that the spec can show, and the last is what `generate` returns; empty where there is none.
        """
        return {}

    @property
    def adversarial(self) -> str | None:
        """The loss between the players, by its name in `losses.adversarial`; None where it has none of these."""
        return None

    def verdict(self, nets: Networks, batch: Batch, ctx: Context) -> Tensor | None:
        """What D says of the examples of `batch`, (b,) or (b, ...) logits, without any augmentation; for those who
        watch a run. None where there is no one D."""
        return None

    def calmer(self, spec: Spec) -> Recipe | None:
        """The same networks under settings that seldom diverge, for a run that does; None where there are none calmer
        than its own. Parameters and buffers must be the same."""
        return None

    def augmented(self, spec: Spec) -> Recipe | None:
        """The same networks with what D sees augmented, for a D that overfits; None where that cannot be added."""
        return None

    def hyper(self, name: str, samples: int) -> Mapping[str, Any]:
        """Values for the optimizer's parameter groups in phase `name` after `samples` samples."""
        return {}

    def control(self, nets: Networks, figures: Mapping[str, float], ctx: Context) -> None:
        """Reacts to the run, once a tick, on figures already averaged over processes (ADA's p, growth)."""
        return

    def settle(self, nets: Networks, requests: Iterator[Batch], ctx: Context) -> None:
        """Estimates anew what networks gathered while they trained, such as the statistics of batch normalisation.

        It comes before `nets` (averages where there are any) are sampled from or saved, and must depend on their
        weights, `requests` and `ctx` alone, so that settling twice is settling once.

        Args:
            requests: what may be asked of `generate`, in parts of `SETTLING` examples, without end.
        """
        return


@torch.no_grad()
def sample(
    recipe: Recipe, nets: Networks, request: Batch, *, seed: int, chunk: int = 256, block: int = NOISE_BLOCK
) -> Batch:
    """What `nets` make of `request`, in evaluation mode; example i depends on (seed, its index) alone.

    Args:
        request: from `Spec.request`; its `index` entry is the number of each example and counts up by one.
        chunk: examples per forward pass.
        block: examples whose noise is drawn in one go, from a seed of its own; another block, other examples.
    """
    with evaluating(nets) as device:
        parts = []
        for part in request.split(chunk):
            ctx = Context(seed=fold(seed, "sample"), row=int(part["index"][0]), device=device, block=block)
            parts.append(recipe.generate(nets, part.to(device), ctx))
    if len(parts) == 1:
        return parts[0]
    return Batch({name: torch.cat([part[name] for part in parts]) for name in parts[0]})


@torch.no_grad()
def sample_stages(recipe: Recipe, nets: Networks, request: Batch, *, seed: int) -> dict[str, Batch]:
    """What `sample` makes of `request`, and what it is made through (see `Recipe.stages`)."""
    with evaluating(nets) as device:
        ctx = Context(seed=fold(seed, "sample"), row=int(request["index"][0]), device=device)
        return recipe.stages(nets, request.to(device), ctx)


def wished(request: Batch, wishes: Mapping[str, Wish]) -> Batch:
    """The request with further entries, one row for each example (see `Recipe.honours`)."""

    def rows(wish: Wish) -> Tensor:
        each = torch.tensor(wish, device=request["index"].device)
        return each[request["y"]] if each.ndim else each.expand(len(request)).clone()

    return Batch(request | {name: rows(wish) for name, wish in wishes.items()})


@torch.no_grad()
def settle(recipe: Recipe, nets: Networks, spec: Spec, wishes: Mapping[str, Wish] | None = None) -> None:
    """Has the recipe settle `nets`, in place (see `Recipe.settle`).

    Args:
        spec: of the examples.
        wishes: further entries of every request (see `Recipe.honours`).
    """
    with evaluating(nets) as device:

        def request(number: int) -> Batch:
            return wished(spec.request(SETTLING, start=number * SETTLING), wishes or {})

        requests = (request(number).to(device) for number in count())
        recipe.settle(nets, requests, Context(seed=fold("settle"), device=device))


@contextmanager
def evaluating(nets: Networks) -> Iterator[torch.device]:
    """Within, all networks are in evaluation mode; gives the device that they are on."""
    modes = [(module, module.training) for module in nets.modules()]
    nets.eval()
    try:
        yield next(nets.parameters()).device
    finally:
        for module, training in modes:
            module.training = training
