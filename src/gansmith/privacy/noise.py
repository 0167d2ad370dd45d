"""Random numbers for private mechanisms: from the operating system's entropy for a release, seeded for everything else.

Whoever knows a seed can take the noise away again, so a seeded mechanism is private only while its seed is secret and
unguessable. Normal variates are sums of four, which leaves no trace of a single floating-point draw (Holohan & Braghin
2021, arXiv:2107.10138).
"""

from __future__ import annotations

import os
import secrets

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def secret_seed() -> int:
    """A seed nobody can guess, for a run whose rows are drawn and whose noise is made from it: keep it to yourself."""
    return secrets.randbits(62)


class Noise:
    """Noise for mechanisms.

    Args:
        seed: makes it reproducible; without one it comes from the operating system's entropy.
    """

    def __init__(self, seed: int | None = None) -> None:
        self._rng = None if seed is None else np.random.default_rng(seed)

    @property
    def secure(self) -> bool:
        """Whether it comes from the operating system."""
        return self._rng is None

    def uniform(self, *shape: int) -> Floats:
        """Uniform in (0, 1), both ends left out."""
        count = int(np.prod(shape, dtype=np.int64))
        if self._rng is not None:
            bits = self._rng.integers(0, 1 << 53, count, dtype=np.uint64)
        else:
            bits = np.frombuffer(os.urandom(8 * count), dtype=np.uint64) >> np.uint64(11)
        return ((bits.astype(np.float64) + 0.5) * 2.0**-53).reshape(shape)

    def normal(self, *shape: int) -> Floats:
        """Standard normal."""
        radius, angle = np.sqrt(-2 * np.log(self.uniform(2, *shape))), 2 * np.pi * self.uniform(2, *shape)
        four = np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])  # Box and Muller
        return np.asarray(four.sum(0) / 2)

    def laplace(self, *shape: int) -> Floats:
        """Laplace of scale 1."""
        return np.asarray(np.log(self.uniform(*shape)) - np.log(self.uniform(*shape)))

    def gumbel(self, *shape: int) -> Floats:
        """Standard Gumbel: the largest of score + Gumbel is a draw by exp(score)."""
        return np.asarray(-np.log(-np.log(self.uniform(*shape))))
