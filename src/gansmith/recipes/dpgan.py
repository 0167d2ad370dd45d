"""DPGAN (Xie et al. 2018, arXiv:1802.06739) for tables: D trained by DP-SGD, large batches and many steps of D for each
of G as in "Private GANs, Revisited" (Bie, Kamath & Zhang 2023, arXiv:2302.02936).

    g_D = [sum_i clip(grad softplus(-D(x_i)) + h, C) + N(0, s^2 C^2)] / b     h = grad E softplus(D(G(z)))
    L_D = <parameters, g_D>, whose gradient is g_D                           L_G = E softplus(-D(G(z)))

Only g_D touches the data, in Poisson batches, so it alone needs noise. The fake half h looks at no row: it is a public
offset that each row's gradient is moved by before it is clipped. At equilibrium the two cancel, so gradients are
short, and as both halves pass the same clip neither outweighs the other; a row still changes the sum by at most C.

G, its past moments and all that is reported are made of g_D: they cost nothing more. The loss on real rows is never
reported, refusals of the guard look at g_D only, and a refused step is counted like any other. Noise is a function of
the run's seed: for a release set `secure` (noise from the operating system), train with a secret seed (it decides who
joins a batch), and keep the run folder to yourself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..batch import Batch
from ..errors import ConfigError, SpecError
from ..nn.optim import adam
from ..privacy.accounting import default_delta
from ..privacy.gradients import blur, clipped_sum, mean_gradient, still, surrogate
from ..privacy.ledger import Entry, Ledger, undone
from ..privacy.parts import Account, Judge, Past, PlainGenerator, Target
from ..privacy.plan import SgdPlan
from ..spec import Spec
from ..tabular.spec import TableSpec
from .base import Context, Networks, Phase, Recipe, fold


@dataclass(frozen=True, kw_only=True)
class DPGAN(Recipe):
    """The budget is that of training alone; what preparation costs comes on top (see `SgdPlan.noise_within`).

    Args:
        epsilon, delta: what training may cost at most; delta is 1 / n^1.1 unless given.
        noise: s; found from the budget unless given.
        batch: the largest batch (`--batch`) that is accounted for: a larger one is refused. Rows join at random, so
            that batches hold fewer (see `tabular.draws`).
        steps: steps of G that the budget is spread over; after them both players stand still.
        d_steps: steps of D for each of G.
        clip: C.
        target, even: a category column with a readout of its own for each category in D, by which G is conditioned;
            rows are weighed so that its shares are those of the data (even = 0) or equal (1).
        latent, width, depth, tau: length of z, G's hidden layers, the temperature of its choices.
        judges: D's trained hidden layers.
        features: fixed random cosines that D sees beside a row and its squares. The fewer parameters, the less noise.
        fakes: generated rows that h is taken over.
        lr_d, decay, lr_g: learning rates; D's weights shrink by lr_d * decay in each step.
        past: moments of G that rows are made from, spread over the last two thirds of the run; 0 for the last one.
        secure: noise from the operating system's entropy; then a run cannot be repeated.
    """

    makes: ClassVar[str] = "table"

    epsilon: float = 1.0
    delta: float | None = None
    noise: float | None = None
    batch: int = 512
    steps: int = 1_000
    d_steps: int = 1
    clip: float = 0.3
    target: str = ""
    even: float = 0.9
    latent: int = 64
    width: int = 128
    depth: int = 2
    tau: float = 0.2
    judges: tuple[int, ...] = ()
    features: int = 64
    fakes: int = 1_024
    lr_d: float = 5e-3
    decay: float = 3.0
    lr_g: float = 1e-3
    past: int = 40
    secure: bool = False

    def networks(self, spec: Spec) -> Networks:
        """G: (b latent), (b target), (b width) -> (b width). D: (b width) -> (b,). Past: moments of G."""
        if not isinstance(spec, TableSpec):
            raise SpecError(f"dpgan makes rows of tables, not: {spec.kind}; `gansmith recipes` lists what makes what")
        target = Target(spec, self.target, self.even)
        G = PlainGenerator(spec, target, latent=self.latent, hidden=[self.width] * self.depth, tau=self.tau)
        D = Judge(spec.width, target, cosines=self.features, hidden=self.judges)
        return Networks({"G": G, "D": D, "Past": Past(G, max(self.past, 1)), "Account": Account(spec.rows)})

    def phases(self) -> dict[str, Phase]:
        return {
            "D": Phase(("D",), self.d_loss, repeats=self.d_steps, draw="poisson"),
            "G": Phase(("G",), self.g_loss),
        }

    def plan(self, rows: int) -> SgdPlan:
        """What training costs on a table of so many rows."""
        delta = default_delta(rows) if self.delta is None else self.delta
        return SgdPlan(rows=rows, batch=self.batch, plays=self.steps * self.d_steps, delta=delta)

    def within_budget(self, ledger: Ledger, rows: int) -> DPGAN:
        """The recipe with the least noise that what is left in a ledger allows.

        Raises:
            ConfigError: nothing is left, or the ledger has no limit.
        """
        batch = min(self.batch, rows)
        fitted = replace(self, batch=batch, delta=ledger.delta)
        return replace(fitted, noise=fitted.plan(rows).noise_within(ledger))

    def draws_of(self, rows: int) -> int:
        """Rows of a batch, at most, of a table of so many rows."""
        return self.batch

    def noise_on(self, rows: int) -> float:
        """s on a table of so many rows."""
        return self.plan(rows).noise(self.epsilon) if self.noise is None else self.noise

    def d_loss(self, nets: Networks, batch: Batch, ctx: Context) -> dict[str, Tensor]:
        if ctx.step >= self.steps:
            return {"private": still(nets.D, len(batch))}
        if ctx.row + len(batch) > self.batch:
            raise ConfigError(
                f"recipe.batch is {self.batch}, and privacy is accounted for batches of so many rows: train with "
                f"--batch {self.batch}, or set recipe.batch to {ctx.row + len(batch)} or more"
            )
        public = replace(ctx, row=0, seed=fold(ctx.seed, "public"))  # the same for all parts of a batch
        with torch.no_grad():
            fake = self.rows(nets, _some(self.fakes, batch), public)
        fake_logit = nets.D(fake)
        ctx.report("fake_logit", fake_logit)
        centre = mean_gradient(nets.D, F.softplus(fake_logit))
        weight = batch["weight"] * nets.G.target.weight(batch["x"])
        total = clipped_sum(nets.D, _real, batch["x"], weight, self.clip, centre)
        if ctx.row == 0:  # once a batch, whatever parts it comes in
            std = self.noise_on(nets.Account.rows) * self.clip
            total = blur(total, std, None if self.secure else fold(ctx.seed, "private"))
        nets.Account.spent.fill_(ctx.step + 1)
        return {"private": surrogate(nets.D, {name: g / len(batch) for name, g in total.items()}, len(batch))}

    def g_loss(self, nets: Networks, batch: Batch, ctx: Context) -> dict[str, Tensor]:
        if ctx.step >= self.steps:
            return {"adv": still(nets.G, len(batch))}
        every = max(1, 2 * self.steps // (3 * max(self.past, 1)))
        if self.past and ctx.step % every == 0:
            nets.Past.remember(nets.G, ctx.step // every)
        return {"adv": F.softplus(-nets.D(self.rows(nets, batch, ctx)))}

    def rows(self, nets: Networks, like: Batch, ctx: Context) -> Tensor:
        """As many rows of G as `like` has, their target by the evened shares; of `like` only the length counts."""
        wanted = nets.G.target.drawn(ctx.rand(like), even=True)
        x: Tensor = nets.G(ctx.randn(like, self.latent), wanted, ctx.rand(like, nets.G.heads.width))
        return x

    def optimizer(self, name: str, params: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        if name == "D":
            return torch.optim.AdamW(list(params), self.lr_d, betas=(0.0, 0.99), weight_decay=self.decay)
        return adam(params, self.lr_g, (0.0, 0.99))

    def generate(self, nets: Networks, request: Batch, ctx: Context) -> Batch:
        wanted = nets.G.target.wanted(request["cond"], ctx.rand(request))
        inputs = ctx.randn(request, self.latent), wanted, ctx.rand(request, nets.G.heads.width)
        x = nets.Past.call(nets.G, ctx.rand(request), *inputs)
        return Batch(x=nets.G.heads.harden(x))

    def spent(self, nets: Networks) -> float:
        """Epsilon of the steps that `nets` have gone through, at the plan's delta."""
        plan = self.plan(nets.Account.rows)
        return plan.epsilon(self.noise_on(plan.rows), int(nets.Account.spent) * self.d_steps)

    def charge(self, ledger: Ledger, nets: Networks, played: Sequence[range] | None = None) -> Entry:
        """Enters steps in a ledger.

        Args:
            played: of the run; each return to a checkpoint begins a new range, and steps that were played twice have
                looked at the data twice. Those that `nets` have gone through unless given.

        Raises:
            ConfigError: its budget does not allow it.
        """
        plan, ranges = self.plan(nets.Account.rows), played or [range(int(nets.Account.spent))]
        steps = sum(len(part[: max(self.steps - part.start, 0)]) for part in ranges)
        return plan.charge(ledger, self.noise_on(plan.rows), steps * self.d_steps, note=undone(ranges))


def _real(logit: Tensor) -> Tensor:
    return F.softplus(-logit)


def _some(count: int, like: Batch) -> Batch:
    return Batch(index=torch.arange(count, device=like["x"].device))


def paper(spec: Spec) -> DPGAN:
    """A trained D, batches as large as in "Private GANs, Revisited", 50 steps of D for each of G; epsilon 10."""
    return DPGAN(epsilon=10.0, batch=2_048, steps=200, d_steps=50, clip=1.0, judges=(256, 256), features=0, even=0.0)


def small(spec: Spec) -> DPGAN:
    """For two CPU cores, minutes and epsilon 1: D is linear in fixed features, so that little noise goes far."""
    return DPGAN()
