"""What a scenario is: a training, what is wrong with it, and what a doctor should call that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from torch import Generator, Tensor, nn

from . import nets
from .data import Data, Maker

if TYPE_CHECKING:
    from .loop import Run

Kind: TypeAlias = Literal["plant", "control"]
Oracle: TypeAlias = Literal["distance", "copied", "misread"]
Players: TypeAlias = Callable[["Setting", Data], tuple[nn.Module, nn.Module]]


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A training as a script states it.

    Args:
        data: makes the set, of a seed.
        players: makes G and D.
        steps: of G.
        batch: examples in each.
        loss: one of gansmith.losses.adversarial.PAIRS.
        lr_g: G's rate.
        lr_d: D's.
        betas: Adam's, of both.
        d_steps: of D before each of G.
        g_steps: of G after each of D; they count towards `steps` once.
        r1: gamma, the weight of gamma / 2 |grad D(x)|^2 at real examples.
        r2: the same at fakes.
        gp: weight of WGAN-GP's penalty.
        clip: largest absolute value of D's weights (Arjovsky 2017); 0 does not clip.
        smooth: one-sided label smoothing.
        latent: length of z, standard normal.
        width: of layers.
        conditional: whether G and D are told classes.
        batch_norm: in G's convolutions.
        average: decay of the exponential average of G that samples are drawn from; None draws from G.
        half: trains under autocast in float16 with a GradScaler.
        simultaneous: both players move at once, by plain gradient descent.
        rate: factor of both rates at a share of the run.
    """

    data: Maker
    players: Players = nets.perceptrons
    steps: int = 1500
    batch: int = 128
    loss: str = "non_saturating"
    lr_g: float = 2e-3
    lr_d: float = 2e-3
    betas: tuple[float, float] = (0.0, 0.99)
    d_steps: int = 1
    g_steps: int = 1
    r1: float = 0.0
    r2: float = 0.0
    gp: float = 0.0
    clip: float = 0.0
    smooth: float = 0.0
    latent: int = 2
    width: int = 64
    conditional: bool = False
    batch_norm: bool = False
    average: float | None = None
    half: bool = False
    simultaneous: bool = False
    rate: Callable[[float], float] | None = None


def _as_fed(x: Tensor, y: Tensor | None, run: Run) -> tuple[Tensor, Tensor | None]:
    return x, y


def _nothing(run: Run) -> None:
    return None


@dataclass(frozen=True, kw_only=True)
class Tamper:
    """Where a plant interferes with the loop. Each is called by the loop at the place it is named for.

    Args:
        built: after networks and optimizers are made.
        fed: on every batch, before D sees it.
        made: on every fake that G is to be trained by, before D sees it.
        stepped: after every step.
        drawn: makes z (n latent) when samples are asked for, not while training.
    """

    built: Callable[[Run], None] = _nothing
    fed: Callable[[Tensor, Tensor | None, Run], tuple[Tensor, Tensor | None]] = _as_fed
    made: Callable[[Tensor], Tensor] | None = None
    stepped: Callable[[Run], None] = _nothing
    drawn: Callable[[int, int, Generator], Tensor] | None = None


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One planted failure, or one healthy run.

    Args:
        name: of its traces.
        title: what it is, in a line.
        kind: `plant` or `control`.
        setting: of its training.
        tamper: what is wrong in the loop; nothing, where the setting or the data are at fault.
        causes: names of failures that are right; of a control: those that may be said of it with some right.
        family: of failures that are scored together.
        injected: share of the run at which the fault comes in; None where the oracle has to tell.
        twin: name of the healthy control that the oracle compares it with; "" for controls.
        oracle: which of the oracle's measures shows it.
    """

    name: str
    title: str
    kind: Kind
    setting: Setting
    tamper: Tamper = field(default_factory=Tamper)
    causes: tuple[str, ...] = ()
    family: str = "control"
    injected: float | None = None
    twin: str = ""
    oracle: Oracle = "distance"

    def __post_init__(self) -> None:
        if self.kind == "plant" and not (self.causes and self.twin and self.family != "control"):
            raise ValueError(f"a plant says what is right, a family and a twin; look at: {self.name}")
