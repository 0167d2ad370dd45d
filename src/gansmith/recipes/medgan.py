"""medGAN (Choi et al. 2017, arXiv:1703.06490): patients' records as yes-or-no and count columns, made in the code
space of an autoencoder.

    L_A = -sum[v log Dec(Enc(v)) + (1 - v) log(1 - Dec(Enc(v)))]      first, alone
    L_D = E[-log s(D(v, mean v))] + E[-log(1 - s(D(w, mean w)))]      w = Dec(G(z))
    L_G = E[-log s(D(w, mean w))], by G and Dec                       s = logistic function

G is a stack of layers with batch normalisation and shortcuts; D sees the batch's mean beside each record (minibatch
averaging). A record v has one number in [0, 1] for each column; how rows become records, see `Records`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from ..batch import Batch
from ..errors import SpecError
from ..losses.adversarial import non_saturating
from ..nn.optim import adam
from ..schedule import Scheduled, at
from ..spec import Spec
from ..tabular.records import Records, is_constant
from ..tabular.spec import TableSpec
from .base import Context, Networks, Phase, Recipe

Values = Float[Tensor, "b values"]


@dataclass(frozen=True, kw_only=True)
class MedGAN(Recipe):
    """Defaults are those of the authors' code, at a batch of 1000.

    Args:
        latent: length of z, standard normal; also of the autoencoder's code, and the width of G.
        layers: of G.
        judges: widths of D's hidden layers.
        pretrain: samples for which the autoencoder trains before the players start; part of the run.
        repeats: steps of D for each of G.
        rounded: D sees records as they will be given out, answers 0 or 1 and counts whole, and gradients pass through
            the rounding unchanged (straight through; Bengio et al. 2013, arXiv:1308.3432). In the paper D sees
            probabilities, so that a rare code can satisfy it by being slightly probable in every record, and vanish
            when rounded.
        lr: of all players.
        beta1: of Adam in G and D; beta2 is 0.999.
        decay: weight of the squared weights, halved, in every loss.
        half_life: of the averages of G and Dec, in samples; 0 for none, as in the paper.
    """

    makes: ClassVar[str] = "table"

    latent: int = 128
    layers: int = 2
    judges: tuple[int, ...] = (256, 128)
    pretrain: int = 4_652_000
    repeats: int = 2
    rounded: bool = False
    lr: Scheduled = 1e-3
    beta1: float = 0.9
    decay: float = 1e-3
    half_life: Scheduled = 0.0

    @property
    def ema(self) -> Mapping[str, Scheduled]:
        return {"G": self.half_life, "Dec": self.half_life} if self.half_life else {}

    def networks(self, spec: Spec) -> Networks:
        """Enc: (b width) -> (b latent). Dec: (b latent) -> logits (b values). G: (b latent) -> (b latent).
        D: (b values) -> (b,)."""
        spec = records_spec(spec)
        records = Records(spec)
        enc = nn.Sequential(nn.Linear(records.count, self.latent), nn.Tanh())
        dec, G = Decoder(self.latent, records), Generator(self.latent, self.layers)
        return Networks({"Enc": enc, "Dec": dec, "G": G, "D": Discriminator(records.count, self.judges)})

    def phases(self) -> dict[str, Phase]:
        return {
            "A": Phase(("Enc", "Dec"), self.a_loss, stop=self.pretrain),
            "D": Phase(("D",), self.d_loss, start=self.pretrain, repeats=self.repeats),
            "G": Phase(("G", "Dec"), self.g_loss, start=self.pretrain),
        }

    def a_loss(self, nets: Networks, batch: Batch, ctx: Context) -> dict[str, Tensor]:
        v = nets.Dec.records(batch["x"])
        logits = nets.Dec(nets.Enc(v))
        return {"record": F.binary_cross_entropy_with_logits(logits, v, reduction="none").sum(1)}

    def d_loss(self, nets: Networks, batch: Batch, ctx: Context) -> dict[str, Tensor]:
        with torch.no_grad():
            fake = self.record(nets, batch, ctx)
        real_logit, fake_logit = nets.D(nets.Dec.records(batch["x"])), nets.D(fake)
        ctx.report("real_logit", real_logit)
        ctx.report("fake_logit", fake_logit)
        return {"adv": non_saturating.d(real_logit, fake_logit)}

    def g_loss(self, nets: Networks, batch: Batch, ctx: Context) -> dict[str, Tensor]:
        return {"adv": non_saturating.g(nets.D(self.record(nets, batch, ctx)))}

    def record(self, nets: Networks, batch: Batch, ctx: Context) -> Tensor:
        """Generated records as D sees them, (b values) in [0, 1]."""
        v: Tensor = nets.Dec(nets.G(ctx.randn(batch, self.latent))).sigmoid()
        records: Records = nets.Dec.records
        return records.rounded(v) if self.rounded else v

    def optimizer(self, name: str, params: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        return adam(params, at(self.lr, 0), (0.9 if name == "A" else self.beta1, 0.999))

    def hyper(self, name: str, samples: int) -> Mapping[str, Any]:
        return {"lr": float(at(self.lr, samples)), "weight_decay": self.decay}

    def generate(self, nets: Networks, request: Batch, ctx: Context) -> Batch:
        v = nets.Dec(nets.G(ctx.randn(request, self.latent))).sigmoid()
        return Batch(x=nets.Dec.records.rows(v))


class Decoder(nn.Module):
    """Code -> logits of a record. Holds `records`, which makes rows of them."""

    def __init__(self, latent: int, records: Records) -> None:
        super().__init__()
        self.records = records
        self.layer = nn.Linear(latent, records.count)

    def forward(self, code: Float[Tensor, "b latent"]) -> Values:
        logits: Tensor = self.layer(code)
        return logits


class Generator(nn.Module):
    """Latent -> layers with batch normalisation, each added to what came in -> code."""

    def __init__(self, latent: int, layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Sequential(
                nn.Linear(latent, latent, bias=False),
                nn.BatchNorm1d(latent, momentum=0.01),
                nn.ReLU() if i < layers - 1 else nn.Tanh(),
            )
            for i in range(layers)
        )

    def forward(self, z: Float[Tensor, "b latent"]) -> Float[Tensor, "b latent"]:
        for layer in self.layers:
            z = layer(z) + z
        return z


class Discriminator(nn.Module):
    """Record, with the mean of its batch beside it -> logit. Each process averages over its own share of the batch."""

    def __init__(self, values: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise((2 * values, *widths)):
            layers += [nn.Linear(inputs, outputs), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Linear(widths[-1], 1))

    def forward(self, v: Values) -> Float[Tensor, "b"]:
        logits: Tensor = self.layers(torch.cat((v, v.mean(0, keepdim=True).expand_as(v)), 1))
        return logits.flatten()


def records_spec(spec: Spec) -> TableSpec:
    """`spec` itself, once it is known to describe records that medgan can make.

    Raises:
        SpecError: it is no table, or columns are choices of more than two codes; the message names them.
    """
    if not isinstance(spec, TableSpec):
        raise SpecError(f"medgan makes records of a table; the data are of the kind: {spec.kind}")
    wide = list(dict.fromkeys(s.column for s in spec.spans if s.width > 2))
    if wide:
        more = f" and {len(wide) - 3} more" if len(wide) > 3 else ""
        raise SpecError(
            "medgan makes yes-or-no columns and counts; these have more than two answers: "
            f"{', '.join(map(repr, wide[:3]))}{more}.\nGive one yes-or-no column for each answer, or use: ctgan"
        )
    if all(map(is_constant, spec.spans)):
        raise SpecError(f"medgan has nothing to learn: all {len(spec.spans)} columns are constant")
    return spec


def paper(spec: Spec) -> MedGAN:
    """The settings of the authors' code, batch 1000: the autoencoder for 100 epochs, the players for 1000 more."""
    return MedGAN(pretrain=100 * records_spec(spec).rows)


def small(spec: Spec) -> MedGAN:
    """For a CPU core and minutes, at a batch of 250: D sees rounded records, no decay, averages, a short pretraining.
    Good from some 300,000 samples on; a run that ends before `pretrain` is refused, as it would leave G untrained."""
    records_spec(spec)
    return MedGAN(pretrain=50_000, rounded=True, decay=0.0, beta1=0.5, half_life=20_000.0)
