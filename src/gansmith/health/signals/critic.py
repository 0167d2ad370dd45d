"""What D says of training rows, unseen rows and fakes, as numbers that do not depend on the loss."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

Logits = Float[Tensor, " n"]


def judged(real: Logits, fake: Float[Tensor, " m"], held: Float[Tensor, " h"] | None = None) -> dict[str, float]:
    """Signals from D's logits (n,) of rows that it was fed, of fakes, and of real rows that it never saw.

    `separation` is the distance of the means in pooled standard deviations; `sign` is ADA's r_t and `overfit` its r_v
    (Karras 2020, arXiv:2006.06676).
    """
    real, fake = real.double(), fake.double()
    pooled = ((real.var(correction=0) + fake.var(correction=0)) / 2).sqrt().clamp_min(1e-12)
    gap = real.mean() - fake.mean()
    found = {
        "logit/real": float(real.mean()),
        "logit/fake": float(fake.mean()),
        "separation": float(gap / pooled),
        "sign": float(real.sign().mean()),
        "logit/low": float(torch.minimum(real.amin(), fake.amin())),
        "logit/high": float(torch.maximum(real.amax(), fake.amax())),
    }
    if held is not None and len(held):
        found["logit/held_out"] = float(held.double().mean())
        found["overfit"] = float((real.mean() - held.double().mean()) / (gap if gap.abs() > 1e-12 else gap + 1e-12))
    return found
