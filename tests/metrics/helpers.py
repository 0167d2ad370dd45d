"""What the tests of metrics share: feeding them, and measuring how far a figure really spreads."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from gansmith.metrics.base import Metric, Seen, Side


def seen(side: Seen | Tensor) -> Seen:
    return side if isinstance(side, Seen) else Seen(side)


def fed(metric: Metric, real: Seen | Tensor | None = None, fake: Seen | Tensor | None = None) -> Metric:
    """The metric after it saw both sides."""
    if real is not None:
        metric.update(seen(real), "real")
    if fake is not None:
        metric.update(seen(fake), "fake")
    return metric


def normal(n: int, d: int, seed: int) -> Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


def spreads(
    make: Callable[[], Metric], draw: Callable[[int], dict[Side, Seen]], figure: str, times: int
) -> tuple[float, float]:
    """A figure's standard deviation over independent draws, and the one its influences foretell (the mean of it)."""
    values, foretold = [], []
    for i in range(times):
        sample, metric = draw(i), make()
        for side, part in sample.items():
            metric.update(part, side)
        values.append(metric.compute()[figure])
        moved = metric.influences(sample)[figure]
        foretold.append(sum(float(m.double().var()) / len(m) for m in moved.values()) ** 0.5)
        assert all(abs(float(m.double().mean())) < 1e-6 * max(1.0, float(m.abs().max())) for m in moved.values())
    return float(torch.tensor(values, dtype=torch.float64).std()), sum(foretold) / times
