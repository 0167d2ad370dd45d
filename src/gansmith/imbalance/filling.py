"""Generated rows of one class: drawn, judged, and drawn again until there are enough."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .features import Features, Frame
from .learner import Learner
from .quality import FEWEST, JUDGES, passes

ROUNDS, GREED = 12, 30  # of drawing and judging; rows drawn for each that is wanted, at most


class FewerRowsWarning(UserWarning):
    """The quality filter let too few rows through, so that fewer were added than asked for."""


class Made:
    """Generated rows of one class, their quality, and how many are missing."""

    def __init__(self, name: Any, rows: Frame, quality: npt.NDArray[np.float64], short: int) -> None:
        self.name, self.rows, self.quality, self.short = name, rows, quality, short


class Filter:
    """Draws rows of a class until enough of them pass, or too many have been drawn.

    Args:
        frame, codes: all real rows and their class numbers, (n,).
        categorical: names of the columns that hold categories.
        quality, reject: see GANOverSampler.
    """

    def __init__(
        self,
        frame: Frame,
        codes: npt.NDArray[np.int64],
        categorical: Sequence[Any],
        quality: str | None,
        reject: float,
        seed: int,
    ) -> None:
        self.codes, self.quality, self.reject, self.seed = codes, quality, reject, seed
        self.columns = [f"x{i}" for i in range(frame.shape[1])]  # the user's may be of any kind
        told = set(categorical)
        renamed = [new for new, old in zip(self.columns, frame.columns, strict=True) if old in told]
        self.features = Features.fitted(frame.set_axis(self.columns, axis=1), renamed)
        self.real = self.features(frame.set_axis(self.columns, axis=1))

    def fill(self, name: Any, wanted: int, number: int, learner: Learner) -> Made:
        """`wanted` rows of a class, fewer (and a warning) where too few pass."""
        import pandas as pd

        own = int((self.codes == number).sum())
        judge = self._judge(number) if self.quality and own >= FEWEST else None
        parts, qualities, drawn, have, rate = list[Frame](), list[npt.NDArray[np.float64]](), 0, 0, 1.0
        for turn in range(ROUNDS):
            ask = min(int((wanted - have) / rate * 1.1) + 1, GREED * wanted - drawn)
            if have >= wanted or ask < 1:
                break
            rows = learner.draw(ask, number, self.seed + 1000 * turn + number)
            rows, quality = self._kept(rows, judge, own)
            parts.append(rows)
            qualities.append(quality)
            drawn, have = drawn + ask, have + len(rows)
            rate = max(have / drawn, 1 / GREED)
        self._warn(name, wanted, have, drawn)
        rows = pd.concat(parts, ignore_index=True).iloc[:wanted]
        return Made(name, rows, np.concatenate(qualities)[:wanted], max(0, wanted - have))

    def _judge(self, number: int) -> Any:
        own = self.codes == number
        return JUDGES[str(self.quality)](self.real[own], self.real[~own], self.seed)

    def _kept(self, rows: Frame, judge: Any, own: int) -> tuple[Frame, npt.NDArray[np.float64]]:
        if judge is None:
            return rows, np.full(len(rows), np.nan)
        quality = judge(self.features(rows.set_axis(self.columns, axis=1)))
        kept = passes(quality, self.reject, own)
        return rows[kept], quality[kept]

    def _warn(self, name: Any, wanted: int, have: int, drawn: int) -> None:
        if have < wanted:
            warnings.warn(
                f"class {str(name)!r} gets {have:,} new rows instead of {wanted:,}: no more of {drawn:,} made ones "
                f"passed the quality filter. Train longer (samples=), lower reject={self.reject}, or set quality=None.",
                FewerRowsWarning,
                stacklevel=2,
            )
