"""What is true of a run: measures of a code of their own, which the doctor shares nothing with. Lower is better.

distance   of a mixture: total variation between the modes' shares and those of samples that lie near a mode: within 4
           standard deviations, .4 at the least (0 to 1). Of pictures: Frechet distance to held-out ones in the features
           of a small classifier. Of tables: Frechet distance of the standardised columns.
copied     1 - (median distance of samples to the nearest training row) / (the same of held-out rows); below 0: 0.
misread    share of samples that the classifier takes for another class than the one asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from . import data as sets
from .data import Data
from .loop import Run

SAMPLES, SEED = 1000, 12345
COMPARED = 2000  # training rows at most that copies are looked for in
NEAR, LEAST_NEAR = 4.0, 0.4  # standard deviations; and in the units of the data, whose modes lie 1 or more apart
PRESENT = 0.2  # of its share, for a mode or class to count as there
WORST = 1e6  # in place of what is not finite, so that json can hold it
LABELLED = {
    "digits": sets.digits,
    "fashion": sets.fashion,
    "mnist": sets.mnist,
    "fashion-coloured": sets.of(sets.fashion, sets.coloured),
    "mnist-coloured": sets.of(sets.mnist, sets.coloured),
}

Measures = dict[str, float]


class Classifier(nn.Module):
    """Rows or pictures (n ...) to features (n 32) and classes (n 10)."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        if len(shape) == 1:
            body = [nn.Linear(shape[0], 128), nn.ReLU(), nn.Linear(128, 32), nn.ReLU()]
        else:
            body = [nn.Conv2d(shape[0], 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU(), nn.Flatten()]
            body += [nn.Linear(32 * 16, 32), nn.ReLU()]
        self.body, self.head = nn.Sequential(*body), nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.body(x))
        return logits


@lru_cache(maxsize=8)
def classifier(name: str, kept: Path) -> Classifier:
    """Trained once on the clean set of that name, and kept."""
    data = LABELLED[name](0)
    net, place = Classifier(tuple(data.x.shape[1:])), kept / f"{name}.pt"
    if place.exists():
        net.load_state_dict(torch.load(place, weights_only=True))
    else:
        train(net, data)
        kept.mkdir(parents=True, exist_ok=True)
        torch.save(net.state_dict(), place)
    return net.eval().requires_grad_(False)


def train(net: Classifier, data: Data, *, steps: int = 600, batch: int = 64) -> None:
    """Adam, its rate falling to zero."""
    random, (labels, _) = torch.Generator().manual_seed(0), data.labels
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for module in net.modules():
            if isinstance(module, nn.Linear | nn.Conv2d):
                module.reset_parameters()
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        rows = torch.randint(len(data.x), (batch,), generator=random)
        optimizer.zero_grad()
        F.cross_entropy(net(data.x[rows]), labels[rows]).backward()
        optimizer.step()
        schedule.step()


def accuracy(net: Classifier, data: Data) -> float:
    """On held-out examples."""
    return float((net(data.held_out).argmax(1) == data.labels[1]).double().mean())


def oracle_of(data: Data, kept: Path) -> Callable[[Run], Measures]:
    """The measures that suit a set; what they need is made in advance."""
    if data.centres is not None:
        return lambda run: _checked(run, lambda x: in_modes(x, run.data))
    net = classifier(data.name, kept) if data.name in LABELLED else None
    features = (lambda x: x) if net is None else net.body
    floor = moments(features(data.held_out))

    def measure(x: Tensor, run: Run) -> Measures:
        found = {"distance": frechet(moments(features(x)), floor), "copied": copied(x, run.data)}
        asked = run.classes(len(x))
        if net is not None:
            guessed = net(x).argmax(1)
            found["classes"] = float((guessed.bincount(minlength=10) >= PRESENT * len(x) / 10).sum())
            if asked is not None:
                found["misread"] = float((guessed != asked).double().mean())
        return found

    return lambda run: _checked(run, lambda x: measure(x, run))


def _checked(run: Run, measure: Callable[[Tensor], Measures]) -> Measures:
    with torch.no_grad():
        x = run.samples_of(SAMPLES, SEED)
        if not bool(x.isfinite().all()) or float(x.abs().max()) > WORST:
            return {"finite": 0.0, "distance": WORST, "copied": 0.0, "misread": 1.0}
        return {"finite": 1.0, **measure(x)}


def in_modes(x: Tensor, data: Data) -> Measures:
    """Of samples (n d): how the modes' shares differ from the data's, modes that are there, share of good samples."""
    assert data.centres is not None
    distance, nearest = torch.cdist(x, data.centres).min(1)
    good, modes = distance < max(NEAR * data.std, LEAST_NEAR), len(data.centres)
    got = nearest[good].bincount(minlength=modes).double() / len(x)
    due = data.labels[1].bincount(minlength=modes).double() / len(data.held_out)
    return {
        "distance": float(1 - torch.minimum(got, due).sum()),
        "modes": float(((got >= PRESENT * due) & (due > 0)).sum()),
        "good": float(good.double().mean()),
    }


def copied(x: Tensor, data: Data) -> float:
    """How much nearer samples lie to training rows than held-out rows do: 0 for not at all, 1 for copies."""
    rows = data.x[:COMPARED].flatten(1)
    ours, theirs = (torch.cdist(side.flatten(1), rows).min(1).values.median() for side in (x, data.held_out[:SAMPLES]))
    return max(0.0, 1 - float(ours / theirs.clamp_min(1e-12)))


def moments(features: Tensor) -> tuple[np.ndarray, np.ndarray]:
    rows = features.double().numpy()
    return rows.mean(0), np.cov(rows, rowvar=False)


def frechet(a: tuple[np.ndarray, np.ndarray], b: tuple[np.ndarray, np.ndarray]) -> float:
    """|m - m'|^2 + tr(S + S' - 2 (S S')^1/2), by the eigenvalues of S S', which are those of a square."""
    (m, s), (n, t) = a, b
    crossed = np.sqrt(np.clip(np.linalg.eigvals(s @ t).real, 0, None)).sum()
    return float(min(WORST, max(0.0, np.square(m - n).sum() + np.trace(s) + np.trace(t) - 2 * crossed)))
