"""Drawing rows from a trained generator: all of them keep the constraints and meet what is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ...batch import Batch
from ...errors import UserError
from ...recipes.base import Networks, Recipe, fold, sample
from ...tabular.encoders import Choice, Codes, Floats
from ...tabular.frames import canonicalise, restore
from ...tabular.schema import DISCRETE, Canonical, Schema
from ...tabular.spec import TableSpec
from .ahead import ahead
from .conditional import Walker, search
from .constraints import Mask, Rows
from .identifiers import fill
from .keys import Seen, hashes_of
from .real import Real
from .rules import Rules
from .transforms import Columns, Combined
from .where import Numbers, OneOf, Wish, distance, share_of, words

if TYPE_CHECKING:
    import pandas as pd

BLOCK = 32_768  # rows made and handed on at once: fewer would cost more of Python than of arithmetic
FEW = 64  # fewer are not made
PILOT = 2_048  # rows made to see how rare a condition is
EASY = 0.02  # share of rows that meet a condition from which on drawing and rejecting is the quicker way
CHAINS = (512, 4_096)  # fewest and most chains of a search
BUDGET, BUDGET_EACH = 500_000, 500  # rows made before giving up: so many, and so many more for each row asked for
Tell: TypeAlias = Callable[[int, int], None]
Compact: TypeAlias = tuple[Floats, Codes]


class ConditionFailed(UserError):
    """Rows that meet a condition, or keep the constraints, could not be found in sufficient number.

    Attributes:
        found: those that were found, a DataFrame.
        draws: rows that were made in search of them.
    """

    def __init__(self, message: str, found: pd.DataFrame, draws: int) -> None:
        super().__init__(message)
        self.found, self.draws = found, draws


@dataclass(frozen=True)
class Asked:
    """What one column that networks know is asked for.

    Args:
        column: its name.
        codes: categories that will do, by number; -1 for a missing value.
        weights: how frequent each is.
    """

    column: str
    codes: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float64]


@dataclass
class Drawer:
    """Draws rows.

    Args:
        nets, recipe, spec: a trained generator.
        rules: the constraints.
        source: tells how many training rows meet some wishes, for messages; None where the data are not at hand.
        real: identifiers of the training data, which no row gets.
    """

    nets: Networks
    recipe: Recipe
    spec: TableSpec
    rules: Rules
    count_training: Callable[[tuple[Wish, ...]], tuple[int, int]] | None = None
    real: Real | None = None
    draws: int = field(default=0, init=False)

    def blocks(self, n: int, wishes: tuple[Wish, ...], seed: int, tell: Tell | None = None) -> Iterator[pd.DataFrame]:
        """`n` rows in blocks, all columns in the user's form and order.

        Args:
            tell: hears how many rows there are, and how many were made for them.

        Raises:
            ConditionFailed: they were not found.
        """
        self.draws, done, seen = 0, 0, [Seen() for _ in self.rules.keys]
        keys = [Seen() for _ in self.rules.keys]
        candidates = self._searched(n, wishes, seed) if wishes else self._plain(n, seed)
        kept = list[Any]()  # of few rows, to hand over if there are too few
        while done < n:
            frame = self._new(next(candidates), seen)[: n - done]
            if len(frame):
                schema, unique = self.rules.schema, self.rules.keys
                frame = fill(frame, schema, start=done, seed=seed, keys=unique, seen=keys, real=self.real)
                done += len(frame)
                kept += [frame] if n <= BLOCK else []
                yield frame
            if tell is not None:
                tell(done, self.draws)
            if self.draws >= BUDGET + BUDGET_EACH * n and done < n:
                raise self._failure(done, n, wishes, kept)

    def empty(self) -> pd.DataFrame:
        """No rows, with all columns."""
        learnt = Schema(self.rules.schema.learnt)
        none = {c.name: np.zeros(0, dtype=np.int64 if c.kind in DISCRETE else np.float64) for c in learnt}
        return fill(restore(none, learnt), self.rules.schema, start=0, seed=0)

    # candidates: rows that keep and meet everything, but for keys

    def _plain(self, n: int, seed: int) -> Iterator[pd.DataFrame]:
        """Rows as they come; row i depends on (seed, i) alone."""

        def work(part: tuple[int, int]) -> tuple[int, pd.DataFrame]:
            return part[1], self._accepted(self._compact(*part, seed), (), seed, part[0])

        for parts in (self._enough(n), self._more(n)):  # the second only if rows of the first were rejected
            for size, frame in ahead(work, parts):
                self.draws += size
                yield frame

    @staticmethod
    def _enough(n: int) -> Iterator[tuple[int, int]]:
        """First row and number of rows of each block, `n` rows in all, or a few more than so few."""
        return ((start, min(BLOCK, max(n, FEW) - start)) for start in range(0, max(n, FEW), BLOCK))

    @staticmethod
    def _more(n: int) -> Iterator[tuple[int, int]]:
        """Ever more blocks after those."""
        start, size = max(n, FEW), min(BLOCK, max(n, FEW))
        while True:
            yield start, size
            start, size = start + size, min(BLOCK, 2 * size)

    def _compact(self, start: int, size: int, seed: int) -> Compact:
        """Rows that are asked for nothing."""
        made = self._made(start, size, seed, (), compact=True)
        return self.spec.compact(made["x"], made.get("codes"))

    def _made(self, start: int, size: int, seed: int, asked: tuple[Asked, ...], *, compact: bool = False) -> Batch:
        index = torch.arange(start, start + size)
        cond, mask = self._conditions(size, asked, fold(seed, "asked", start))
        request = Batch(index=index, cond=cond, mask=mask)
        if compact:  # a recipe that hands out codes may leave the one-hots out
            request = Batch(request, compact=mask[:, :0])
        return sample(self.recipe, self.nets, request, seed=seed, chunk=BLOCK, block=BLOCK)

    def _searched(self, n: int, wishes: tuple[Wish, ...], seed: int) -> Iterator[pd.DataFrame]:
        """Rows that are asked for what can be asked, and then rejected where few are lost, or else searched for."""
        asked = self.asked(wishes)
        size, start = min(BLOCK, max(PILOT, n)), 0
        judge = self.judge(wishes, asked)
        while True:
            made = self._made(start, size, seed, asked)
            start, self.draws = start + size, self.draws + size
            met = float((judge(made["x"]) <= 0).mean())
            yield self._accepted(self.spec.compact(made["x"], made.get("codes")), wishes, seed, self.draws)
            if met < EASY:
                break
        while True:
            chains = int(np.clip(n, *CHAINS))
            walker = Walker(self.recipe, self.nets, judge, fold(seed, "search", start))
            cond, mask = self._conditions(chains, asked, fold(seed, "asked", start))
            found = search(walker, cond, mask, BUDGET)
            self.draws, start = self.draws + walker.draws, start + 1
            yield self._accepted(self.spec.compact(found), wishes, seed, self.draws)

    def _conditions(self, n: int, asked: tuple[Asked, ...], seed: int) -> tuple[Tensor, Tensor]:
        """`cond` (n conditions) and `mask` (n columns); where several categories will do, each as often as it is."""
        cond = torch.zeros(1, sum(s.width for s in self.spec.conditions)).expand(n, -1)
        mask = torch.zeros(1, len(self.spec.conditions)).expand(n, -1)
        if not asked:
            return cond, mask
        cond, mask = cond.clone(), mask.clone()
        rng = np.random.default_rng(seed)
        for wish in asked:
            at = [s.column for s in self.spec.conditions].index(wish.column)
            first = sum(s.width for s in self.spec.conditions[:at])
            codes = self._encoder(wish.column).encode(wish.codes, rng)[1][:, 0]
            drawn = torch.from_numpy(rng.choice(codes, n, p=wish.weights / wish.weights.sum()))
            cond[torch.arange(n), first + drawn], mask[:, at] = 1.0, 1.0
        return cond, mask

    def _encoder(self, column: str) -> Choice:
        names = [c.name for c in self.spec.schema.learnt]
        encoder = self.spec.encoders[names.index(column)]
        assert isinstance(encoder, Choice)
        return encoder

    def asked(self, wishes: tuple[Wish, ...]) -> tuple[Asked, ...]:
        """What can be asked through the condition vector: categories, and those that were combined for a constraint.

        Raises:
            UserError: a combination that no training row has, where only those of the data are allowed.
        """
        left, found = [w for w in wishes if isinstance(w, OneOf)], list[Asked]()
        for transform in self.rules.transforms:
            if isinstance(transform, Combined):
                own = [w for w in wishes if w.column.name in transform.takes]
                left = [w for w in left if w.column.name not in transform.takes]
                found += [self._combined(transform, own)] if own else []
        conditions = {s.column for s in self.spec.conditions}
        return (*found, *(self._single(w) for w in left if w.column.name in conditions))

    def _single(self, wish: OneOf) -> Asked:
        encoder = self._encoder(wish.column.name)
        counts = [*wish.column.counts[: len(encoder.weights)]] or [1] * len(encoder.weights)
        missing = wish.column.counts[-1] if len(wish.column.counts) > len(encoder.weights) else 1
        weights = [missing if code < 0 else counts[code] for code in wish.codes]
        return Asked(wish.column.name, np.array(wish.codes), np.array(weights, dtype=np.float64) + 1e-9)

    def _combined(self, transform: Combined, wishes: list[Wish]) -> Asked:
        codes = np.arange(len(transform.values))
        far = distance(tuple(wishes), transform.backward({transform.name: codes}))
        codes = codes[far <= 0]
        if not len(codes):
            names = " and ".join(transform.takes)
            raise UserError(
                f"no training row has {words(tuple(wishes))}, and a constraint allows only those combinations of "
                f"{names} that the training data have"
            )
        return Asked(transform.name, codes, np.array(transform.counts, dtype=np.float64)[codes])

    # from networks' rows to the user's

    def judge(self, wishes: tuple[Wish, ...], asked: tuple[Asked, ...]) -> Callable[[Tensor], Numbers]:
        """How far networks' rows are from what is asked."""
        return lambda x: distance(wishes, self._canonical(self.spec.compact(x), asked, np.random.default_rng(0)))

    def _canonical(self, made: Compact, asked: tuple[Asked, ...], rng: np.random.Generator) -> Columns:
        inner = self.spec.from_compact(*made, rng)
        for wish in asked:
            inner[wish.column] = self._among(inner[wish.column], wish, rng)
        return self.rules.backward(inner)

    def _among(self, codes: npt.NDArray[np.int64], wish: Asked, rng: np.random.Generator) -> npt.NDArray[np.int64]:
        """Categories that share one code are all the same to the networks, so those asked for are taken of them."""
        encoder = self._encoder(wish.column)
        allowed = wish.codes >= encoder.top
        shared = (codes >= encoder.top) & encoder.has_rest
        if not allowed.any() or not shared.any():
            return codes
        shares = wish.weights[allowed] / wish.weights[allowed].sum()
        return np.where(shared, rng.choice(wish.codes[allowed], len(codes), p=shares), codes)

    def _accepted(self, made: Compact, wishes: tuple[Wish, ...], seed: int, at: int) -> pd.DataFrame:
        """The rows that keep and meet everything but keys, without identifiers, as the user will read them.

        Args:
            at: tells these rows from others of the same seed.
        """
        rng = np.random.default_rng([seed & 0xFFFF_FFFF, seed >> 32, at])
        learnt = Schema(self.rules.schema.learnt)
        frame = restore(self._canonical(made, self.asked(wishes), rng), learnt, start=0, seed=seed)
        if not wishes and not self.rules.rules:
            return frame
        rows = Rows(frame, self._read_again(frame, wishes))
        kept = self.rules.holds(rows)
        if wishes:
            kept &= distance(wishes, rows.canonical) <= 0
        return frame[kept].reset_index(drop=True)

    def _read_again(self, frame: pd.DataFrame, wishes: tuple[Wish, ...]) -> Canonical:
        """Canonical values of what was written: rounded and within the training range."""
        names = dict.fromkeys([*self.rules.looked_at, *(w.column.name for w in wishes)])
        if not names:
            return {}
        return canonicalise(frame[list(names)], Schema(tuple(self.rules.schema[name] for name in names)))

    def _new(self, frame: pd.DataFrame, seen: list[Seen]) -> pd.DataFrame:
        return frame[self._unseen(frame, seen)].reset_index(drop=True) if seen else frame

    def _unseen(self, frame: pd.DataFrame, seen: list[Seen]) -> Mask:
        """Rows with new keys, as far as keys are learnt columns; identifiers are seen to when they are filled."""
        kept = np.ones(len(frame), dtype=bool)
        for columns, known in zip(self.rules.keys, seen, strict=True):
            if all(name in frame.columns for name in columns):
                hashes, whole = hashes_of(frame, columns)
                kept &= ~whole | known.new(hashes)
                known.add(np.unique(hashes[kept & whole]))
        return kept

    # when it does not work

    def _failure(self, done: int, n: int, wishes: tuple[Wish, ...], kept: list[pd.DataFrame]) -> ConditionFailed:
        import pandas as pd

        found = pd.concat(kept, ignore_index=True) if kept else pd.DataFrame(columns=self.rules.schema.names)
        head = f"found {done:,} of {n:,} rows after making {self.draws:,}"
        return ConditionFailed(f"{head}{self._what(wishes)}\n{self._frequency(wishes)}", found, self.draws)

    def _what(self, wishes: tuple[Wish, ...]) -> str:
        asked = f" with {words(wishes)}" if wishes else ""
        kept = ", ".join(repr(c) for c in self.rules.constraints)
        return f"{asked}{f' that keep {kept}' if kept else ''}"

    def _frequency(self, wishes: tuple[Wish, ...]) -> str:
        """What the training data say about it, as far as that is known."""
        if not wishes:
            return "the constraints leave too few rows; a Unique column must have as many values as rows are asked for"
        if self.count_training is not None:
            met, rows = self.count_training(wishes)
            return f"of {rows:,} training rows {met:,} are like that; ask for fewer rows, or for less at once"
        shares = [(w, share_of(w, self.spec)) for w in wishes]
        told = ", ".join(f"{w.words()} in {share:.3%}" for w, share in shares if share is not None)
        return f"each alone is true of this share of the training rows: {told or 'unknown'}; ask for less at once"
