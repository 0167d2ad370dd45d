"""How much noise DP-SGD needs to stay within a budget, and what it has cost so far."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from ..errors import ConfigError
from ..tabular.draws import expected_rows
from . import accounting
from .ledger import Entry, Ledger


@dataclass(frozen=True, kw_only=True)
class SgdPlan:
    """DP-SGD on Poisson batches of a fixed capacity (`tabular.draws.Poisson`).

    Args:
        rows: of the table; public.
        batch: capacity of a batch; the chance to join one follows from it.
        plays: gradients taken of the data in all.
        delta: chance with which the promise may fail.
    """

    rows: int
    batch: int
    plays: int
    delta: float

    @property
    def rate(self) -> float:
        """The chance of a row to be in a batch."""
        return min(1.0, expected_rows(self.batch) / max(self.rows, 1))

    def failure(self, epsilon: float, plays: int | None = None) -> float:
        """What batches that outgrow the capacity add to delta."""
        return accounting.cut_off(epsilon, self.rows, self.rate, self.batch, self.plays if plays is None else plays)

    def noise(self, epsilon: float) -> float:
        """The least noise, in units of the clipping norm, that keeps all plays within (epsilon, delta).

        Raises:
            ConfigError: it cannot be done; MissingExtra: opacus is absent.
        """
        return _noise(self, epsilon)

    def epsilon(self, noise: float, plays: int | None = None, accountant: accounting.Accountant = "rdp") -> float:
        """What `plays` of them (all, unless given) cost with that noise."""
        plays = self.plays if plays is None else plays
        if plays == 0:
            return 0.0
        rough = accounting.dp_sgd_epsilon(noise, self.rate, plays, self.delta / 2, "rdp")
        left = self.delta - self.failure(rough, plays)
        if left <= 0:
            raise ConfigError(_too_small(self))
        return accounting.dp_sgd_epsilon(noise, self.rate, plays, left, accountant)

    def charge(
        self, ledger: Ledger, noise: float, plays: int | None = None, what: str = "training of D", note: str = ""
    ) -> Entry:
        """Enters `plays` of them (all, unless given) in a ledger.

        Args:
            note: added to what the entry says of the batches.

        Raises:
            ConfigError: the budget does not allow it.
        """
        plays = self.plays if plays is None else plays
        failure = self.failure(ledger.epsilon or 1.0, plays)
        said = (
            f"Poisson batches of {expected_rows(self.batch):.0f} of {self.rows:,} rows on average, {self.batch} at most"
        )
        return ledger.charge(
            what, "dp-sgd", noise=noise, rate=self.rate, steps=plays, failure=failure, note=said + note,
            sensitivity="the clipping norm",
        )  # fmt: skip

    def noise_within(self, ledger: Ledger) -> float:
        """The least noise for all plays that the ledger's budget still allows.

        Raises:
            ConfigError: nothing is left, or the ledger has no limit.
        """
        if ledger.epsilon is None:
            raise ConfigError("a ledger without a limit says nothing of the noise: give it an epsilon")
        left = ledger.delta - ledger.failure - self.failure(ledger.epsilon)
        if left <= 0:
            raise ConfigError(_too_small(self))
        return accounting.dp_sgd_noise(ledger.epsilon, left, self.rate, self.plays, ledger.curve())


def _too_small(plan: SgdPlan) -> str:
    return (
        f"batches of at most {plan.batch} rows outgrow that too often for delta {plan.delta:.1e} "
        f"(chance {accounting.overflow(plan.rows, plan.rate, plan.batch):.1e} in each of {plan.plays}): "
        "take larger batches or fewer steps"
    )


@lru_cache(maxsize=64)
def _noise(plan: SgdPlan, epsilon: float) -> float:
    left = plan.delta - plan.failure(epsilon)
    if left <= 0:
        raise ConfigError(_too_small(plan))
    return accounting.dp_sgd_noise(epsilon, left, plan.rate, plan.plays)
