"""Calibration: bends what a trained G makes so that each column alone is distributed as in the training rows.

Adversarial training gets the dependence between columns right before it gets each column's own distribution right, and
the latter is cheap to mend: offsets on the logits of choices (found by a fixed-point iteration), and a monotone map of
each scalar (matched quantiles). Ranks, and with them most of the dependence, stay as G made them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ...data.source import Source
from ...nn.tabular import Heads
from ...recipes.base import Networks, Recipe, fold, sample
from ...tabular.spec import Span, TableSpec

ROWS = 20_000  # made in each round, and at most looked at of the data
ROUNDS = 12
STEP, LARGEST_STEP = 0.5, 1.0  # of the logarithm of the ratio of shares
FEWEST = 200  # ordinary values of a column below which its map is left alone


@dataclass(frozen=True)
class Marginals:
    """Each column alone, of some rows.

    Attributes:
        shares: (width,) the mean of every entry; of a choice the share of each code.
        quantiles: (scalars, KNOTS) of each scalar, among rows where it says what the value is.
        counts: of those rows, for each scalar.
    """

    shares: Tensor
    quantiles: Tensor
    counts: tuple[int, ...]


def marginals(x: Tensor, spec: TableSpec) -> Marginals:
    """Those of rows (n width) whose choices are hard."""
    levels, found, counts = torch.linspace(0, 1, Heads.KNOTS), [], []
    for span in spec.spans:
        if span.head == "scalar":
            own = x[:, span.start][_ordinary(x, span, spec)]
            counts.append(len(own))
            found.append(torch.quantile(own, levels) if len(own) else torch.linspace(-1, 1, Heads.KNOTS))
    return Marginals(x.mean(0), torch.stack(found) if found else torch.zeros(0, Heads.KNOTS), tuple(counts))


def _ordinary(x: Tensor, span: Span, spec: TableSpec) -> Tensor:
    """(n,) bool: rows in which the scalar says what the value is, no special code does."""
    encoder = dict(zip((c.name for c in spec.schema.learnt), spec.encoders, strict=True))[span.column]
    choice = next((s for s in spec.spans if s.column == span.column and s.head == "choice"), None)
    if choice is None:
        return torch.ones(len(x), dtype=torch.bool)
    return x[:, choice.start : choice.start + encoder.ordinary].sum(1) > 0.5


@torch.no_grad()
def calibrate(recipe: Recipe, nets: Networks, source: Source, *, seed: int = 0) -> bool:
    """Sets the offsets and maps of `nets.G.heads`; whether there were any to set.

    Args:
        nets: those to sample from; changed in place.
        source: the training rows, of which at most ROWS are looked at.
    """
    heads, spec = getattr(nets["G"], "heads", None), source.spec
    if not isinstance(heads, Heads) or not isinstance(spec, TableSpec):
        return False
    heads.forget()  # what was calibrated before would be bent twice
    rows = torch.randperm(len(source), generator=torch.Generator().manual_seed(seed))[:ROWS]
    wanted = marginals(source.batch(rows, torch.device("cpu"))["x"], spec)
    request = spec.request(ROWS)
    choices = torch.zeros(spec.width, dtype=torch.bool)
    choices[heads.places.cpu()] = True
    for round_ in range(ROUNDS):
        made = sample(recipe, nets, request, seed=fold(seed, "calibrate", round_), chunk=2_000)["x"].cpu().mean(0)
        ratio = ((wanted.shares + 1 / ROWS) / (made + 1 / ROWS)).clamp_min(1e-9).log()
        step = (STEP * ratio).clamp(-LARGEST_STEP, LARGEST_STEP)
        heads.offset += torch.where(choices, step, 0.0).to(heads.offset)
    ours = marginals(sample(recipe, nets, request, seed=fold(seed, "calibrate"), chunk=2_000)["x"].cpu(), spec)
    for number, counts in enumerate(zip(ours.counts, wanted.counts, strict=True)):
        if min(counts) >= FEWEST:
            heads.bent[number], heads.onto[number] = ours.quantiles[number], wanted.quantiles[number]
    return True
