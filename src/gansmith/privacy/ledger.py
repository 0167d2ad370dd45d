"""The privacy ledger: who spent how much of the budget on what, and a refusal to spend more."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from itertools import groupby, pairwise
from typing import Any

from ..errors import ConfigError, did_you_mean
from . import accounting
from .accounting import Curve, epsilon_of

MECHANISMS: Mapping[str, Callable[..., Curve]] = {
    "given": accounting.free,
    "gaussian": accounting.gaussian,
    "laplace": accounting.laplace,
    "exponential": accounting.exponential,
    "pure": accounting.pure,
    "dp-sgd": accounting.dp_sgd,
    "votes": accounting.votes,
    "votes-laplace": accounting.votes_laplace,
}
SEEDED = (
    "It does not hold against whoever knows the seed, as the noise was made from one: this model is for tests, and "
    "not for release."
)
SLACK = 1e-9  # of comparisons: what rounding may add


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One expense.

    Args:
        what: the money went on: "bounds of age", "training".
        mechanism: one of MECHANISMS; `given` is free, because the user said it and the data were not asked.
        parameters: of the mechanism, from which its cost can be worked out again.
        epsilon: what it would cost alone, at the ledger's delta.
        delta: a chance of outright failure, on top of what `epsilon` says (a cut-off batch, a rare category shown).
        sensitivity: how much one row can change what is asked, in words or as a number.
        note: anything a reader should know.
    """

    what: str
    mechanism: str
    parameters: Mapping[str, float] = field(default_factory=dict)
    epsilon: float = 0.0
    delta: float = 0.0
    sensitivity: str = ""
    note: str = ""

    def curve(self) -> Curve:
        """Its Renyi curve.

        Raises:
            ConfigError: no such mechanism, or parameters it does not take.
        """
        if self.mechanism not in MECHANISMS:
            known = ", ".join(MECHANISMS)
            hint = did_you_mean(self.mechanism, MECHANISMS)
            raise ConfigError(f"no mechanism {self.mechanism!r}; known: {known}.{hint}")
        try:
            return MECHANISMS[self.mechanism](**self.parameters)
        except TypeError as error:
            raise ConfigError(f"{self.what}: the mechanism {self.mechanism} {error}") from None


class Ledger:
    """A budget and its expenses.

    Args:
        epsilon: the budget; None keeps count without a limit.
        delta: the chance with which the whole promise may fail; see `accounting.default_delta`.
        entries: what was spent already.
        secure: whether all noise came from the operating system; noise made from a seed can be taken out again by
            whoever knows the seed.

    Raises:
        ConfigError: a budget that cannot be.
    """

    def __init__(
        self, epsilon: float | None, delta: float, entries: Sequence[Entry] = (), *, secure: bool = True
    ) -> None:
        if not 0 < delta < 1 or (epsilon is not None and not epsilon > 0):
            raise ConfigError(f"a budget is epsilon > 0 and 0 < delta < 1, not: epsilon {epsilon}, delta {delta}")
        self.epsilon, self.delta, self.entries, self.secure = epsilon, delta, list(entries), secure

    def charge(
        self,
        what: str,
        mechanism: str,
        *,
        sensitivity: str = "",
        note: str = "",
        failure: float = 0.0,
        **parameters: float,
    ) -> Entry:
        """Enters an expense, or refuses it.

        Args:
            failure: see `Entry.delta`.
            parameters: of the mechanism.

        Raises:
            ConfigError: the budget does not allow it (nothing is entered), or there is no such mechanism.
        """
        entry = Entry(what=what, mechanism=mechanism, parameters=parameters, delta=failure)
        alone = epsilon_of(entry.curve(), self.delta)
        entry = Entry(**{**asdict(entry), "epsilon": alone, "sensitivity": sensitivity, "note": note})
        self.entries.append(entry)
        spent = self.spent()
        if self.epsilon is not None and spent > self.epsilon * (1 + SLACK):
            self.entries.pop()
            raise ConfigError(
                f"the privacy budget does not allow {what!r}: with it {spent:.4g} of epsilon {self.epsilon:g} would be "
                f"spent (delta {self.delta:.1e}); {self.spent():.4g} is spent now. Use more noise, or raise epsilon"
            )
        return entry

    def most(self, mechanism: str, count: str, **parameters: float) -> int:
        """How often the budget still allows a mechanism; nothing is entered.

        Args:
            count: the parameter that says how often: `times`, `steps` or `queries`.

        Raises:
            ConfigError: the ledger has no limit.
        """
        if self.epsilon is None:
            raise ConfigError(f"a ledger without a limit allows any number of {count}: give it an epsilon")

        def fits(number: int) -> bool:
            entry = Entry(what="", mechanism=mechanism, parameters={**parameters, count: number})
            return Ledger(None, self.delta, [*self.entries, entry]).spent() <= (self.epsilon or 0.0)

        low, high = 0, 1
        while high < 1 << 40 and fits(high):
            low, high = high, 2 * high
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if fits(middle) else (low, middle)
        return low

    def given(self, what: str, note: str = "") -> Entry:
        """Enters something that the user stated and that the data were not asked for."""
        return self.charge(what, "given", note=note)

    def curve(self) -> Curve:
        """The Renyi curve of all expenses together."""
        return sum((entry.curve() for entry in self.entries), accounting.free())

    @property
    def failure(self) -> float:
        """The summed chances of outright failure."""
        return sum(entry.delta for entry in self.entries)

    def spent(self) -> float:
        """Epsilon of all expenses together at the ledger's delta, by the tightest of the rules known here."""
        left = self.delta - self.failure
        if left <= 0:
            return math.inf
        return min(self.basic(), epsilon_of(self.curve(), left), self._as_gaussian(left))

    def basic(self) -> float:
        """Epsilon by plain addition of epsilons and deltas (Dwork & Roth 2014, theorem 3.16)."""
        curves = [entry.curve() for entry in self.entries if entry.mechanism != "given"]
        left = self.delta - self.failure
        if left <= 0:
            return math.inf
        pure = [float(e.parameters["epsilon"]) for e in self.entries if e.mechanism == "pure"]
        others = len(curves) - len(pure)
        rest = [e.curve() for e in self.entries if e.mechanism not in ("given", "pure")]
        return sum(pure) + sum(epsilon_of(curve, left / others) for curve in rest)

    def _as_gaussian(self, delta: float) -> float:
        """Exactly, where all expenses are Gaussian mechanisms; else infinite."""
        squares = 0.0
        for entry in self.entries:
            if entry.mechanism in ("gaussian", "votes"):
                times = entry.parameters.get("times", entry.parameters.get("queries", 1))
                squares += times / entry.parameters["noise"] ** 2
            elif entry.mechanism != "given":
                return math.inf
        return accounting.gaussian_epsilon(math.sqrt(squares), delta)

    def rows(self, *, folded: bool = False) -> list[tuple[str, ...]]:
        """The table, head first: what, mechanism, parameters, sensitivity, epsilon alone, delta, note.

        Args:
            folded: equal expenses for columns beside one another share a row.
        """
        head = ("what", "mechanism", "parameters", "sensitivity", "epsilon alone", "delta", "note")
        entries = fold_alike(asdict(e) for e in self.entries) if folded else [(e.what, asdict(e)) for e in self.entries]
        body = [
            (
                what,
                e.mechanism,
                ", ".join(f"{k} {v:.4g}" for k, v in e.parameters.items()),
                e.sensitivity,
                f"{e.epsilon:.4f}",
                f"{e.delta:.1e}" if e.delta else "0",
                e.note,
            )
            for what, e in ((what, Entry(**entry)) for what, entry in entries)
        ]
        return [head, *body, ("together", "", "", "", f"{self.spent():.4f}", f"{self.delta:.1e}", self._budget())]

    def _budget(self) -> str:
        return "no limit" if self.epsilon is None else f"of {self.epsilon:g}"

    def __str__(self) -> str:
        rows = self.rows()
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        return "\n".join("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows)

    def promise(self) -> str:
        """What is promised, in plain sentences."""
        spent = self.spent()
        claimed = spent if self.epsilon is None else self.epsilon
        times = math.exp(min(claimed, 700))
        said = (
            f"Whatever is learnt from this model or its rows would be at most {_few_digits(times)} times as likely or "
            f"as unlikely if any one row of the table had been blank (epsilon {claimed:g}), but for a chance of 1 in "
            f"{1 / self.delta:,.0f} (delta {self.delta:.1e}). Its expenses add up to epsilon {spent:.4g}. The promise "
            "is made to a row: to somebody with two rows it is made at twice that epsilon. What other models of this "
            "table spent, and attempts that failed, comes on top."
        )
        return said if self.secure else f"{said} {SEEDED}"

    def to_json(self) -> dict[str, Any]:
        return {
            "epsilon": self.epsilon,
            "delta": self.delta,
            "spent": self.spent(),
            "secure": self.secure,
            "promise": self.promise(),
            "entries": [asdict(entry) for entry in self.entries],
        }

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Ledger:
        """The inverse of `to_json`; `spent` and `promise` are worked out again.

        Raises:
            ConfigError: a field is missing or unknown.
        """
        known = {f.name for f in fields(Entry)}
        try:
            entries = [Entry(**{k: v for k, v in entry.items() if k in known}) for entry in data["entries"]]
            return Ledger(data["epsilon"], data["delta"], entries, secure=bool(data.get("secure", True)))
        except (KeyError, TypeError, AttributeError) as error:
            raise ConfigError(f"this is not a privacy ledger: {error}") from None


def undone(played: Sequence[range]) -> str:
    """What a note adds where a run went back to a checkpoint: `; 20 steps were undone and are paid for all the same`.

    Args:
        played: steps; each return to a checkpoint begins a new range.
    """
    lost = sum(len(range(after.start, before.stop)) for before, after in pairwise(played))
    return f"; {lost:,} steps were undone and are paid for all the same" if lost else ""


def _few_digits(number: float) -> str:
    return f"{number:,.0f}" if 100 <= number < 1e9 else f"{number:.3g}"


def fold_alike(entries: Iterable[Mapping[str, Any]]) -> list[tuple[str, Mapping[str, Any]]]:
    """Expenses (as JSON has them) with what they went on; of those in a row that differ in their column alone, the
    first, as `histogram of age and 7 more, each`."""

    def kind(entry: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        rest = {name: value for name, value in entry.items() if name != "what"}
        return str(entry.get("what", "")).partition(" of ")[0], rest

    found = []
    for _, group in groupby(entries, kind):
        first, *more = group
        what = str(first.get("what", ""))
        found.append((f"{what} and {len(more)} more, each" if more else what, first))
    return found
