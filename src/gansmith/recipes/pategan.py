"""PATE-GAN (Jordon, Yoon & van der Schaar 2019, https://openreview.net/forum?id=S1zk9iRqF7) for tables, on the votes of
Papernot et al. 2018 (arXiv:1802.08908): teachers on disjoint rows label generated ones, a student learns from that.

    L_D = E cross-entropy(S(x'), r')     D is S; x' generated, r' = [votes of T_1..T_k for real + N(0, s^2) > k / 2]
    L_T = E_i [softplus(-T_own(x_i)) + mean_j softplus(T_j(G(z)))]    L_G = E softplus(-S(G(z)))

A row belongs to one teacher, by a hash of its number, and touches no other: not by a shared layer, not by the guard.
It changes a count of votes by at most 1, so a query costs as `privacy.accounting.votes` says, whatever the votes were:
no data-dependent bound is used, as that would be private too. Queries and noisy answers are archived; S and G learn
from the archive alone, as long as they like. When the queries that the budget allows are used up, no more are asked.

T and its loss are not private: publish rows, or G and S, never T or the run folder. Noise is a function of the run's
seed: for a release set `secure`, and keep the seed to yourself.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..batch import Batch
from ..errors import ConfigError, SpecError
from ..privacy.accounting import default_delta, gaussian_epsilon, votes_within
from ..privacy.ledger import Entry, Ledger, undone
from ..privacy.noise import Noise
from ..privacy.parts import Account, Judge, Past, PlainGenerator, Target
from ..privacy.teachers import Archive, Teachers, teacher_of
from ..spec import Spec
from ..tabular.spec import TableSpec
from .base import Context, Networks, Phase, Recipe, fold

BATCH = 256


@dataclass(frozen=True, kw_only=True)
class PATEGAN(Recipe):
    """The budget is that of the votes alone; what preparation costs comes on top (see `within`).

    Args:
        epsilon, delta: what the votes may cost at most; delta is 1 / n^1.1 unless given.
        teachers: k. Each has n / k rows.
        noise: s, in votes.
        queries: rows that the teachers label in all; as many as the budget allows unless given.
        ask: of these, in each step.
        recent: share of what was asked so far that S learns from, the newest; older answers are about an older G.
        steps: over which moments of G are kept; the run may be longer.
        target, even: a category column with readouts of its own for each category, by which G is conditioned; its
            shares are between those of the data (even = 0) and equal (1). A teacher abstains, by a coin, on a category
            of which it has no row.
        latent, width, depth, tau: length of z, G's hidden layers, the temperature of its choices.
        features: fixed random cosines that T and S see beside a row and its squares.
        t_steps, s_steps: steps of T and S for each of G; those of S are free.
        lr_t, lr_s, lr_g, decay: learning rates; the weights of T and S shrink by rate * decay in each step.
        past: moments of G that rows are made from; 0 for the last one.
        secure: noise from the operating system's entropy; then a run cannot be repeated.
    """

    makes: ClassVar[str] = "table"
    secret: ClassVar[tuple[str, ...]] = ("T",)  # what nobody but the owner of the rows may see: teachers know them

    epsilon: float = 1.0
    delta: float | None = None
    teachers: int = 200
    noise: float = 40.0
    queries: int | None = None
    ask: int = 1
    recent: float = 0.5
    steps: int = 1_000
    target: str = ""
    even: float = 0.9
    latent: int = 64
    width: int = 128
    depth: int = 2
    tau: float = 0.2
    features: int = 0
    t_steps: int = 1
    s_steps: int = 4
    lr_t: float = 2e-2
    lr_s: float = 1e-2
    lr_g: float = 1e-3
    decay: float = 0.1
    past: int = 40
    secure: bool = False

    def networks(self, spec: Spec) -> Networks:
        """G: (b latent), (b target), (b width) -> (b width). T: (b width), (b,) teacher -> (b,). S: as D."""
        if not isinstance(spec, TableSpec):
            raise SpecError(f"pategan makes rows of tables, not: {spec.kind}; `gansmith recipes` lists what makes what")
        target = Target(spec, self.target, self.even)
        G = PlainGenerator(spec, target, latent=self.latent, hidden=[self.width] * self.depth, tau=self.tau)
        T = Teachers(self.teachers, spec.width, target, self.features)
        S = Judge(spec.width, target, cosines=self.features)
        archive = Archive(self.allowed(spec.rows), spec.width)
        parts = {"G": G, "T": T, "S": S, "Archive": archive, "Past": Past(G, max(self.past, 1))}
        return Networks({**parts, "Account": Account(spec.rows)})

    def phases(self) -> dict[str, Phase]:
        return {
            "T": Phase(("T",), self.t_loss, repeats=self.t_steps, outliers=False),
            "Ask": Phase(("S",), self.ask_loss),
            "S": Phase(("S",), self.s_loss, repeats=self.s_steps),
            "G": Phase(("G",), self.g_loss),
        }

    def allowed(self, rows: int) -> int:
        """Queries that the budget allows on a table of so many rows.

        Raises:
            ConfigError: not one, or fewer than `queries`.
        """
        most = votes_within(self.epsilon, self._delta(rows), self.noise)
        if most < max(self.queries or 0, 1):
            raise ConfigError(
                f"epsilon {self.epsilon:g} allows {most} queries with noise {self.noise:g}, {self.queries or 1} were "
                "asked for: raise recipe.noise (with more teachers) or recipe.epsilon"
            )
        return most if self.queries is None else self.queries

    def within(self, ledger: Ledger) -> int:
        """Queries that what is left in a ledger allows.

        Raises:
            ConfigError: the ledger has no limit.
        """
        return ledger.most("votes", "queries", noise=self.noise)

    def within_budget(self, ledger: Ledger, rows: int) -> PATEGAN:
        """The recipe with as many queries as what is left in a ledger allows.

        Raises:
            ConfigError: nothing is left, or the ledger has no limit.
        """
        queries = self.within(ledger)
        return replace(self, queries=queries, epsilon=ledger.epsilon or self.epsilon, delta=ledger.delta)

    def draws_of(self, rows: int) -> int:
        """Rows of a batch of a table of so many rows."""
        return min(BATCH, rows)

    def _delta(self, rows: int) -> float:
        return default_delta(rows) if self.delta is None else self.delta

    def t_loss(self, nets: Networks, batch: Batch, ctx: Context) -> dict[str, Tensor]:
        x, own = batch["x"], teacher_of(batch["index"], self.teachers)
        with torch.no_grad():
            fake = self.rows(nets, batch, ctx)
        target: Target = nets.G.target
        weight = target.weight(x)
        real = F.softplus(-nets.T(x, own)) * weight
        generated = F.softplus(nets.T.all(fake)).mean(1) * (target.shares * target.weights).sum()
        return {"not_private": real + generated + nets.T.acquaintance(x, own)}

    def ask_loss(self, nets: Networks, batch: Batch, ctx: Context) -> dict[str, Tensor]:
        """The only place where S hears of the data: once a step."""
        before = min(ctx.step * self.ask, len(nets.Archive.rows))
        now = min(self.ask, len(nets.Archive.rows) - before)
        if now and (ctx.row == 0 or not self.secure):
            self.consult(nets, before, now, ctx, batch["x"].device)
        if int(nets.Account.spent) < before + now:
            raise ConfigError("recipe.secure needs one process: others would draw other noise; set --devices 1")
        return self.s_loss(nets, batch, ctx)

    def s_loss(self, nets: Networks, batch: Batch, ctx: Context) -> dict[str, Tensor]:
        asked = min((ctx.step + 1) * self.ask, len(nets.Archive.rows))
        recent = max(1, math.ceil(asked * self.recent))
        pick = asked - 1 - (ctx.rand(batch) * recent).long().clamp_max(recent - 1)
        said, logit = nets.Archive.answers[pick], nets.S(nets.Archive.rows[pick])
        return {"votes": F.binary_cross_entropy_with_logits(logit, said, reduction="none")}

    @torch.no_grad()
    def consult(self, nets: Networks, before: int, count: int, ctx: Context, device: torch.device) -> None:
        """Has the teachers vote on `count` generated rows, and archives those with the noisy answers."""
        public = replace(ctx, row=0, seed=fold(ctx.seed, "query"))  # the same for all parts of a batch
        x = nets.G.heads.harden(self.rows(nets, Batch(index=torch.arange(count, device=device)), public))
        noise = Noise(None if self.secure else fold(ctx.seed, "votes")).normal(count)
        blurred = nets.T.votes(x, before) + self.noise * torch.from_numpy(noise).to(device)
        nets.Archive.rows[before : before + count] = x
        nets.Archive.answers[before : before + count] = (blurred > self.teachers / 2).float()
        nets.Account.spent.fill_(before + count)

    def g_loss(self, nets: Networks, batch: Batch, ctx: Context) -> dict[str, Tensor]:
        every = max(1, 2 * self.steps // (3 * max(self.past, 1)))
        if self.past and ctx.step % every == 0:
            nets.Past.remember(nets.G, ctx.step // every)
        return {"adv": F.softplus(-nets.S(self.rows(nets, batch, ctx)))}

    def rows(self, nets: Networks, like: Batch, ctx: Context) -> Tensor:
        """As many rows of G as `like` has, their target by the evened shares; of `like` only the length counts."""
        wanted = nets.G.target.drawn(ctx.rand(like), even=True)
        x: Tensor = nets.G(ctx.randn(like, self.latent), wanted, ctx.rand(like, nets.G.heads.width))
        return x

    def optimizer(self, name: str, params: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        rate = {"T": self.lr_t, "Ask": self.lr_s, "G": self.lr_g}[name]
        decay = 0.0 if name == "G" else self.decay
        return torch.optim.AdamW(list(params), rate, betas=(0.0, 0.99), weight_decay=decay)

    def generate(self, nets: Networks, request: Batch, ctx: Context) -> Batch:
        wanted = nets.G.target.wanted(request["cond"], ctx.rand(request))
        inputs = ctx.randn(request, self.latent), wanted, ctx.rand(request, nets.G.heads.width)
        return Batch(x=nets.G.heads.harden(nets.Past.call(nets.G, ctx.rand(request), *inputs)))

    def spent(self, nets: Networks) -> float:
        """Epsilon of the queries asked so far, at delta."""
        asked = int(nets.Account.spent)
        return gaussian_epsilon(math.sqrt(asked) / self.noise, self._delta(nets.Account.rows))

    def charge(self, ledger: Ledger, nets: Networks, played: Sequence[range] | None = None) -> Entry:
        """Enters queries in a ledger.

        Args:
            played: steps of the run; each return to a checkpoint begins a new range, and the queries of steps that
                were played twice were asked twice. Those that `nets` have gone through unless given.

        Raises:
            ConfigError: its budget does not allow it.
        """
        most, asked, again = len(nets.Archive.rows), int(nets.Account.spent), ""
        if played is not None:
            asked = sum(min(r.stop * self.ask, most) - min(r.start * self.ask, most) for r in played)
            again = undone(played)
        note = f"{self.teachers} teachers on disjoint rows{again}"
        return ledger.charge("votes", "votes", noise=self.noise, queries=asked, sensitivity="1 vote", note=note)


def paper(spec: Spec) -> PATEGAN:
    """Ten teachers and epsilon 1, as in the paper; accounted for soundly, that allows a handful of queries."""
    return PATEGAN(teachers=10, noise=10.0, even=0.0)


def small(spec: Spec) -> PATEGAN:
    """A teacher for each 30 rows: many weak ones are heard better through noise than few strong ones."""
    teachers = max(2, getattr(spec, "rows", 0) // 30)
    return PATEGAN(teachers=teachers, noise=max(12.0, 0.15 * teachers), steps=400)
