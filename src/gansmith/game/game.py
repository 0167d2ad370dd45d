"""Game: the losses of both players over whatever networks a recipe lends it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Literal, NamedTuple, Protocol, TypeAlias, runtime_checkable

import torch
from torch import Tensor, nn

from ..augment.ada import ADA
from ..batch import Batch
from ..errors import ConfigError
from ..losses.adversarial import PAIRS, Pair
from ..losses.penalties import between, gradient_norm2, gradient_norm_error2, nearby
from ..recipes.base import Context, Networks, Phase
from ..schedule import Scheduled, at
from ..spec import ImageSpec, Spec
from . import correspondence, structure, terms
from .views import Augment, blurred, packed

LossName: TypeAlias = Literal[
    "minimax", "non_saturating", "least_squares", "hinge", "wasserstein", "relativistic", "relativistic_average"
]
FLIPS = ADA(**dict.fromkeys(ADA.__dataclass_fields__, 0.0) | {"flip": 1.0, "shift": 1.0})
Terms: TypeAlias = dict[str, Tensor]
CURING = 0.4  # p of ADA for a D that overfits: about where it settles with few pictures (arXiv:2006.06676, figure 7)


class Judged(NamedTuple):
    """What D says of pictures.

    Attributes:
        logits: (b,), or (b, ...) of patches.
        terms: further losses of these pictures, per sample (b,), such as a classifier's.
        of_real: further losses of D alone, of real pictures alone, such as a decoder's: each a function that gives it
            for the first n of these pictures, (n,), and is called for real ones only.
    """

    logits: Tensor
    terms: Mapping[str, Tensor] = {}
    of_real: Mapping[str, Callable[[int], Tensor]] = {}


@runtime_checkable
class Players(Protocol):
    """What a recipe lends the game. `nets` has `G` and `D`; others of its networks, if any, are its own affair."""

    def fake(self, nets: Networks, batch: Batch, ctx: Context) -> Tensor:
        """G's pictures (b c h w) for the conditions of `batch`, of fresh noise."""

    def judge(self, nets: Networks, x: Tensor, batch: Batch, ctx: Context) -> Tensor | Judged:
        """What `nets.D` says of pictures `x` under the conditions of `batch`."""


@dataclass(frozen=True, kw_only=True)
class Game:
    """Losses, penalties, augmentation and regularisers, each free to combine with every recipe that has a `game`.

    Args:
        loss: one of `losses.adversarial`.
        draw: how pictures are drawn: `shuffled`, or by their classes, `balanced` or by the `root` of their sizes.
        class_weights: of the adversarial losses, by the `inverse` of the classes' sizes or its `root`; 1 on average.
        d_steps: steps of D for each of G.
        r1, r2: gamma of the penalties on |grad D|^2 at real and at generated pictures; weighed by a half.
        gp: lambda of WGAN-GP's penalty (10 in its paper).
        gp_at: where that one looks: `between` real and generated pictures, or `around` real ones (DRAGAN, Kodali 2017,
            arXiv:1705.07215).
        gp_norm: length of gradient that it asks for; the penalty is lambda (|grad D| / gp_norm - 1)^2 (ProGAN, app. D).
        drift: weight of D(x)^2 at real pictures, which keeps a Wasserstein D near zero (ProGAN, section A.1).
        penalty_every: penalties run on each n-th step, n times as heavy.
        penalty_step: `with` D's step, or in a step of their own `after` it (lazy regularisation, StyleGAN2).
        lecam: weight of LeCam's regulariser; `lecam_half_life` of its averages, in samples, which move once a tick.
        bcr_real, bcr_fake: weights of consistency under flips and shifts (10 and 10 in bCR's paper).
        augment: what D's pictures go through.
        noise: standard deviation of noise on D's pictures (instance noise, Sønderby 2016, arXiv:1610.04490).
        blur: standard deviation, in pixels, of the Gaussian through which D sees pictures, for a soft beginning.
        smooth: one-sided label smoothing, 0.1 being usual; for losses of probabilities.
        feature_matching: weight of that term in G's loss.
        orthogonal: weight of BigGAN's regulariser of G (1e-4 in its paper), so that it can be truncated.
        top_k: G learns from this share of its pictures, those that D finds most real.
        unrolled: steps of D that G looks ahead; `unrolled_lr` is the rate of these.
        correspondence: weight of a term in G's loss by which pictures of a group of `correspondence_group` stay as
            alike and unlike as when the run began (Ojha 2021, arXiv:2104.06820); for few pictures, with --from.
        pac: pictures that D judges together; only without classes.
        spectral: which players are normalised spectrally, beyond what the recipe does itself.
        dropout: share of D's channels dropped after each rectifier.
        minibatch: a layer across the batch before D's head.
        together: real and generated pictures in one pass of D; not with batch normalisation.
    """

    loss: LossName = "non_saturating"
    draw: Literal["shuffled", "balanced", "root"] = "shuffled"
    class_weights: Literal["none", "inverse", "root"] = "none"
    d_steps: int = 1
    r1: Scheduled = 0.0
    r2: Scheduled = 0.0
    gp: Scheduled = 0.0
    gp_at: Literal["between", "around"] = "between"
    gp_norm: float = 1.0
    drift: float = 0.0
    penalty_every: int = 1
    penalty_step: Literal["with", "after"] = "with"
    lecam: float = 0.0
    lecam_half_life: float = 5_000.0
    bcr_real: float = 0.0
    bcr_fake: float = 0.0
    augment: Augment = field(default_factory=Augment)
    noise: Scheduled = 0.0
    blur: Scheduled = 0.0
    smooth: float = 0.0
    feature_matching: float = 0.0
    orthogonal: float = 0.0
    top_k: Scheduled = 1.0
    unrolled: int = 0
    unrolled_lr: float = 1e-3
    correspondence: float = 0.0
    correspondence_group: int = 4
    pac: int = 1
    spectral: Literal["none", "D", "both"] = "none"
    dropout: float = 0.0
    minibatch: structure.Minibatch = "none"
    together: bool = False

    @property
    def pair(self) -> Pair:
        """The adversarial losses."""
        return PAIRS[self.loss]

    @property
    def signed(self) -> bool:
        """Whether the sign of D's logits says 'real'."""
        return self.pair.absolute

    @property
    def penalises(self) -> bool:
        """Whether a penalty differentiates D twice."""
        return any(bool(weight) for weight in (self.r1, self.r2, self.gp))

    def prepare(self, nets: Networks, spec: Spec | None = None) -> Networks:
        """Builds into fresh networks what the settings ask for.

        Args:
            nets: has G and D.
            spec: of the pictures; for weights of classes.

        Raises:
            ConfigError: settings that contradict each other, the recipe's D or the data; the message says which.
        """
        self._check()
        if self.class_weights != "none":
            terms.prepare_weights(nets.D, spec, 1.0 if self.class_weights == "inverse" else 0.5)
        nets["D"] = structure.with_minibatch(nets.D, self.minibatch)
        if self.together and structure.compares(nets.D):
            raise ConfigError(
                "D compares the pictures of a batch, and would compare real with generated ones: leave out "
                "game.together, or that layer (game.minibatch=none; group=1 where the recipe has groups)"
            )
        if self.dropout:
            structure.with_dropout(nets.D, self.dropout)
        for name, asked in (("D", self.spectral != "none"), ("G", self.spectral == "both")):
            if asked:
                structure.normalised_spectrally(nets[name])
        if self.lecam:
            terms.prepare_lecam(nets.D)
        self.augment.prepare(nets)
        if self.correspondence:
            correspondence.prepare(nets)
        return nets

    def _check(self) -> None:
        if self.smooth and self.pair.d_smooth is None:
            fit = ", ".join(name for name, pair in PAIRS.items() if pair.d_smooth is not None)
            raise ConfigError(f"game.smooth is for losses of probabilities: {fit}; the loss is: {self.loss}")
        if self.augment.target is not None and not self.signed:
            raise ConfigError(
                "game.augment.target reads from the sign of D's logits how far D overfits, which has no meaning for "
                f"this loss; give game.augment.p a schedule instead: {self.loss}"
            )
        if self.pac > 1 and (self.bcr_real or self.bcr_fake or self.gp):
            raise ConfigError(
                "game.gp, game.bcr_real and game.bcr_fake look at single pictures: leave out either these or game.pac"
            )
        if self.unrolled and self.augment.target is not None:
            raise ConfigError("game.unrolled needs augmentation of a scheduled strength: leave out game.augment.target")

    def phases(self, players: Players) -> dict[str, Phase]:
        """D's step, penalties in a step of their own where so asked, G's step."""
        twice = ("D",) if self.penalises else ()
        after = self.penalises and self.penalty_step == "after"
        d_loss, penalty, g_loss = (partial(f, players) for f in (self.d_loss, self.penalty_loss, self.g_loss))
        make = partial(Phase, draw=self.draw)
        found = {"D": make(("D",), d_loss, repeats=self.d_steps, second_order=() if after else twice)}
        if after:
            found["penalty"] = make(("D",), penalty, every=self.penalty_every, second_order=twice)
        return found | {"G": make(("G",), g_loss, second_order=("D",) if self.unrolled else ())}

    def calmer(self, spec: Spec) -> Game:
        """The same on losses that converge with zero-centred penalties (Mescheder 2018, arXiv:1801.04406): relativistic
        ones stay, others give way to the non-saturating one; one step of D for each of G."""
        size = spec.size if isinstance(spec, ImageSpec) else 0
        gamma = max(1.0, (size / 64) ** (5 / 3)) if size else 0.1  # 10 at 256 pixels
        r1 = max(float(at(self.r1, 0)), gamma)
        if self.pair.compares:
            return replace(self, r1=r1, r2=max(float(at(self.r2, 0)), gamma), gp=0.0, d_steps=1)
        return replace(self, loss="non_saturating", r1=r1, gp=0.0, drift=0.0, d_steps=1)

    def augmented(self, spec: Spec) -> Game | None:
        """The same with ADA at a fixed strength; None where something is augmented already or these are no pictures."""
        if self.augment.kind != "none" or not isinstance(spec, ImageSpec) or self.unrolled:
            return None
        return replace(self, augment=replace(self.augment, kind="ada", p=CURING))

    def control(self, nets: Networks, figures: Mapping[str, float], ctx: Context) -> None:
        """Once a tick: the strength of an adapting augmentation, LeCam's averages."""
        self.augment.control(nets, figures, ctx)
        if self.lecam:
            terms.follow_logits(nets.D, figures, ctx.samples, self.lecam_half_life)

    def d_loss(self, players: Players, nets: Networks, batch: Batch, ctx: Context) -> Terms:
        """L_D, per sample."""
        with torch.no_grad():
            fake = players.fake(nets, batch, ctx)
        now = self.penalty_step == "with" and ctx.step % self.penalty_every == 0
        real = self.augment.deceive(batch["x"], fake, self.augment.strength(nets, ctx), ctx)
        real = real.detach().requires_grad_(bool(now and self.r1))
        fake = fake.detach().requires_grad_(bool(now and self.r2))
        r, f = self._judge_both(players, nets, real, fake, batch, ctx)
        self._report(r.logits, f.logits, ctx)
        adv = self._each(self._adversarial(r.logits, f.logits))
        found = {"adv": terms.weighted(nets.D, adv, batch)}
        found |= {**r.terms, **{f"{name}_fake": values for name, values in f.terms.items()}}
        found |= {name: self._each(loss(len(r.logits))) for name, loss in r.of_real.items()}
        if now and self.penalises:
            found |= self._penalties(players, nets, (real, r.logits), (fake, f.logits), batch, ctx)
        if self.drift:
            found["drift"] = self.drift * self._each(terms.drift(r.logits))
        if self.lecam:
            found["lecam"] = self.lecam * self._each(terms.lecam(nets.D, r.logits, f.logits))
        return found | self._consistent(players, nets, (real, r.logits), (fake, f.logits), batch, ctx)

    def penalty_loss(self, players: Players, nets: Networks, batch: Batch, ctx: Context) -> Terms:
        """The penalties alone, for a step of their own."""
        real, fake = batch["x"].detach().requires_grad_(), batch["x"]
        if self.r2 or self.gp:
            with torch.no_grad():
                fake = players.fake(nets, batch, ctx)
            fake = fake.detach().requires_grad_()
        judged = [
            self._judge(players, nets, x, batch, ctx).logits for x, on in ((real, self.r1), (fake, self.r2)) if on
        ]
        logits = iter(judged)
        of_real = next(logits) if self.r1 else real
        return self._penalties(players, nets, (real, of_real), (fake, next(logits, fake)), batch, ctx)

    def g_loss(self, players: Players, nets: Networks, batch: Batch, ctx: Context) -> Terms:
        """L_G, per sample."""
        before, layers = replace(ctx, figures={}), list[Tensor]()  # the same random numbers once more
        with correspondence.heard(nets.G) if self.correspondence else nullcontext(layers) as layers:
            fake = players.fake(nets, batch, ctx)
        judges = self._ahead(players, nets, batch, ctx) if self.unrolled else nets
        heard: list[Tensor] = []
        with terms.overheard(nets.D) if self.feature_matching else nullcontext(heard) as heard:
            f = self._judge(players, judges, fake, batch, ctx)
            losses: tuple[Tensor, ...] = (f.logits,)
            if self.pair.compares or self.feature_matching:
                with torch.no_grad():
                    r = self._judge(players, judges, batch["x"], batch, ctx)
                losses = (f.logits, r.logits) if self.pair.compares else losses
        adv = terms.hardest_left_out(self.pair.g(*losses), f.logits, at(self.top_k, ctx.samples))
        found = {"adv": terms.weighted(nets.D, self._each(adv), batch), **f.terms}
        if self.feature_matching:
            found["features"] = self.feature_matching * self._each(terms.feature_matching(heard[1], heard[0]))
        if self.correspondence:
            found["correspondence"] = self.correspondence * self._kept(players, layers, nets, batch, before)
        if self.orthogonal:
            found["orthogonal"] = self.orthogonal * structure.off_orthogonal(nets.G).expand(len(fake))
        return found

    def _kept(self, players: Players, layers: list[Tensor], nets: Networks, batch: Batch, before: Context) -> Tensor:
        """How far what G's layers put out relates otherwise than it did in the source."""
        with torch.no_grad(), correspondence.heard(nets[correspondence.SOURCE]) as of_source:
            players.fake(correspondence.of_source(nets), batch, before)
        which = correspondence.widest_of_each_size(layers, len(batch))
        now, source = ([each[i] for i in which] for each in (layers, of_source))
        return correspondence.correspondence(now, source, self.correspondence_group)

    def _adversarial(self, real: Tensor, fake: Tensor) -> Tensor:
        if self.smooth and self.pair.d_smooth is not None:
            return self.pair.d_smooth(real, fake, self.smooth)
        return self.pair.d(real, fake)

    def _report(self, real: Tensor, fake: Tensor, ctx: Context) -> None:
        ctx.report("real_logit", real)
        ctx.report("fake_logit", fake)
        if self.augment.target is not None:
            ctx.report("real_sign", (real - self.pair.middle).sign())

    def _penalties(
        self,
        players: Players,
        nets: Networks,
        real: tuple[Tensor, Tensor],
        fake: tuple[Tensor, Tensor],
        batch: Batch,
        ctx: Context,
    ) -> Terms:
        """Of pictures and what D said of them; by name."""
        found = {}
        for name, gamma, (x, logits) in (("r1", self.r1, real), ("r2", self.r2, fake)):
            if gamma:
                norms = gradient_norm2(self._each(logits) / self.pac, x)  # each pack's logit counts once
                norms = self._each(norms.unflatten(0, (-1, self.pac)).sum(1))
                found[name] = at(gamma, ctx.samples) / 2 * self.penalty_every * norms
        if self.gp:
            other = fake[0] if self.gp_at == "between" else nearby(real[0], ctx.rand(batch, *real[0].shape[1:]))
            x = between(real[0], other, ctx.rand(batch))
            logits = self._judge(players, nets, x, batch, ctx).logits
            weight = at(self.gp, ctx.samples) * self.penalty_every / self.gp_norm**2
            found["gp"] = weight * gradient_norm_error2(logits, x, self.gp_norm)
        return found

    def _consistent(
        self,
        players: Players,
        nets: Networks,
        real: tuple[Tensor, Tensor],
        fake: tuple[Tensor, Tensor],
        batch: Batch,
        ctx: Context,
    ) -> Terms:
        found = {}
        for name, weight, (x, plain) in (("bcr_real", self.bcr_real, real), ("bcr_fake", self.bcr_fake, fake)):
            if weight:
                moved = self._judge(players, nets, FLIPS(x.detach(), 1.0, ctx), batch, ctx).logits
                found[name] = weight * terms.consistency(moved, plain)
        return found

    def _ahead(self, players: Players, nets: Networks, batch: Batch, ctx: Context) -> Networks:
        """The networks with D some steps ahead, differentiable in G."""

        def loss(d: nn.Module) -> Tensor:
            now = Networks({**nets, "D": d})
            f = self._judge(players, now, players.fake(now, batch, ctx), batch, ctx)
            return self._adversarial(self._judge(players, now, batch["x"], batch, ctx).logits, f.logits).mean()

        return Networks({**nets, "D": terms.unrolled(nets.D, loss, self.unrolled, self.unrolled_lr)})

    def _judge_both(
        self, players: Players, nets: Networks, real: Tensor, fake: Tensor, batch: Batch, ctx: Context
    ) -> tuple[Judged, Judged]:
        if not self.together:
            return self._judge(players, nets, real, batch, ctx), self._judge(players, nets, fake, batch, ctx)
        shown = torch.cat((self._shown(nets, real, ctx), self._shown(nets, fake, ctx)))
        twice = Batch({name: torch.cat((values, values)) for name, values in batch.items()})
        both = _judged(players.judge(nets, shown, twice, ctx))
        halves = [{name: values.chunk(2)[i] for name, values in both.terms.items()} for i in range(2)]
        r, f = both.logits.chunk(2)
        return Judged(r, halves[0], both.of_real), Judged(f, halves[1])

    def _judge(self, players: Players, nets: Networks, x: Tensor, batch: Batch, ctx: Context) -> Judged:
        return _judged(players.judge(nets, self._shown(nets, x, ctx), batch, ctx))

    def critic(self, players: Players, nets: Networks, batch: Batch, ctx: Context) -> Tensor:
        """D's logits of pictures as they are; of whole packs only."""
        whole = Batch({name: values[: len(batch) // self.pac * self.pac] for name, values in batch.items()})
        return _judged(players.judge(nets, packed(whole["x"], self.pac), whole, ctx)).logits

    def _shown(self, nets: Networks, x: Tensor, ctx: Context) -> Tensor:
        """Pictures as D sees them."""
        if blur := at(self.blur, ctx.samples):
            x = blurred(x, blur)
        if noise := at(self.noise, ctx.samples):
            x = x + noise * ctx.randn(Batch(x=x), *x.shape[1:])
        return packed(self.augment(x, self.augment.strength(nets, ctx), ctx), self.pac)

    def _each(self, values: Tensor) -> Tensor:
        """One value for each picture, of one for each pack."""
        return values if self.pac == 1 else values.repeat_interleave(self.pac)


def _judged(found: Tensor | Judged) -> Judged:
    return found if isinstance(found, Judged) else Judged(found)
