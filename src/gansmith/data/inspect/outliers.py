"""Which pictures are least like the others, in a cheap space of features.

A picture is 8 x 8 colours, how much its small picture changes from place to place, and its traits, brought to their
32 main directions. Its distance is that to the fifth nearest of at most 4,096 pictures (Ramaswamy et al. 2000).
Outliers are those beyond the upper quartile of the logarithm by 2.2 times the range between the quartiles
(Hoaglin and Iglewicz 1987, "Fine-tuning some resistant rules for outlier labeling").
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

FEWEST = 50  # pictures; among fewer there is no telling what is usual
NEIGHBOUR = 5
REFERENCES = 4096
DIRECTIONS = 32
FENCE = 2.2
LEAST = 0.02  # scale of a trait that hardly varies: about one step of 255 in brightness
WEIGHT = 8.0  # of a trait, whose scale is 1: all five then weigh somewhat more than the 242 other features
PART = 1024


def strangeness(small: NDArray[np.uint8], traits: NDArray[np.float32]) -> NDArray[np.float64] | None:
    """How far each picture (n,) lies beyond the usual, in ranges between quartiles; above `FENCE` it is an outlier.

    Args:
        small: (n 16 16 3) uint8.
        traits: (n 5), see `measure`.

    Returns:
        None where there are too few pictures to tell.
    """
    if len(small) < FEWEST:
        return None
    features = _Features(small, traits)
    points = np.concatenate(list(features.points()))
    distance = np.log(np.maximum(_to_neighbours(points), 1e-12))
    low, high = np.percentile(distance, (25, 75))
    result: NDArray[np.float64] = (distance - high) / max(float(high - low), 1e-6)
    return result


class _Features:
    """Features of all pictures, made in parts, and their main directions."""

    def __init__(self, small: NDArray[np.uint8], traits: NDArray[np.float32]) -> None:
        self._small = small
        low, middle, high = np.percentile(traits, (25, 50, 75), axis=0)
        scale = np.maximum((high - low) / 1.35, LEAST)  # 1.35 makes it the standard deviation of a normal spread
        self._traits = (traits - middle) / scale * WEIGHT
        self._centre, self._scale = self._moments()
        self._axes = self._main_directions()

    def _raw(self, first: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Colours (m 192) and changes (m 50) of one part."""
        s = self._small[first : first + PART].astype(np.float64) / 255
        colours = s.reshape(len(s), 8, 2, 8, 2, 3).mean((2, 4)).reshape(len(s), -1)
        down, across = (np.abs(np.diff(s, axis=axis)).mean(3)[:, :15, :15] for axis in (1, 2))
        changes = [c.reshape(len(s), 5, 3, 5, 3).mean((2, 4)).reshape(len(s), -1) for c in (down, across)]
        return colours, np.log1p(20 * np.concatenate(changes, 1))

    def _moments(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The mean of each feature (242,), and one scale for all colours, another for all changes."""
        n, parts = len(self._small), range(0, len(self._small), PART)
        total = sum(np.concatenate([r.sum(0) for r in self._raw(i)]) for i in parts)
        centre = np.asarray(total) / n
        square = np.zeros_like(centre)
        for i in parts:
            square += ((np.concatenate(self._raw(i), 1) - centre) ** 2).sum(0)
        scale = np.empty_like(centre)
        for block in (slice(0, 192), slice(192, None)):
            scale[block] = max(float(np.sqrt(square[block].mean() / n)), 1e-6)
        return centre, scale

    def _whole(self) -> Iterator[NDArray[np.float64]]:
        for i in range(0, len(self._small), PART):
            plain = (np.concatenate(self._raw(i), 1) - self._centre) / self._scale
            yield np.concatenate([plain, self._traits[i : i + PART]], 1)

    def _main_directions(self) -> NDArray[np.float64]:
        """Directions (247 k), each divided by the square root of its standard deviation.

        Half-way to whitening: what varies most does not drown the rest, and noise is not blown up.
        """
        n = len(self._small)
        second = sum((x.T @ x for x in self._whole()), np.zeros(())) / n
        mean = sum((x.sum(0) for x in self._whole()), np.zeros(())) / n
        variances, axes = np.linalg.eigh(second - np.outer(mean, mean))
        k = min(DIRECTIONS, n // 10)
        axes, deviations = axes[:, -k:], np.sqrt(np.maximum(variances[-k:], 1e-12))
        result: NDArray[np.float64] = axes / np.sqrt(deviations)
        return result

    def points(self) -> Iterator[NDArray[np.float64]]:
        """The pictures (m k), a part at a time."""
        for x in self._whole():
            yield x @ self._axes


def _to_neighbours(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The distance (n,) of each point (n k) to its fifth nearest among a fixed draw of points."""
    n = len(points)
    drawn = np.sort(np.random.default_rng(0).permutation(n)[:REFERENCES])
    others = points[drawn]
    place = np.full(n, -1)
    place[drawn] = np.arange(len(drawn))
    lengths = (others**2).sum(1)
    result = np.empty(n)
    for i in range(0, n, PART):
        part = points[i : i + PART]
        squares = (part**2).sum(1)[:, None] + lengths - 2 * part @ others.T
        own = place[i : i + PART]
        squares[np.flatnonzero(own >= 0), own[own >= 0]] = np.inf  # a point is no neighbour of its own
        nearest = np.partition(squares, NEIGHBOUR - 1, axis=1)[:, NEIGHBOUR - 1]
        result[i : i + PART] = np.sqrt(np.maximum(nearest, 0))
    return result
