"""What mechanisms cost in differential privacy, and how costs add up.

Costs are Renyi curves: the Renyi divergence of a mechanism's outputs on neighbouring tables at each of ORDERS
(Mironov 2017, arXiv:1702.07476). Curves of mechanisms that are used one after another add up, also when a later one
is chosen by what earlier ones said, as long as the budget is fixed beforehand (Feldman & Zrnic 2021,
arXiv:2008.11193). Neighbours are defined in `gansmith.privacy`.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from functools import lru_cache
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from ..errors import ConfigError, MissingExtra

Curve: TypeAlias = npt.NDArray[np.float64]
Accountant = Literal["rdp", "prv"]

ORDERS: Curve = np.array([1 + x / 10 for x in range(1, 100)] + [*range(12, 64), 80, 96, 128, 192, 256, 512, 1024])
MOST_NOISE = 1e6  # of the searches for a noise


def default_delta(rows: int) -> float:
    """1 / n^1.1: the chance with which the promise of epsilon may fail, less than one row's share."""
    return float(max(rows, 2) ** -1.1)


def free() -> Curve:
    """The curve of what does not look at the data."""
    return np.zeros_like(ORDERS)


def gaussian(noise: float, times: int = 1) -> Curve:
    """`times` uses of the Gaussian mechanism: alpha / (2 noise^2) each (Mironov 2017, proposition 7).

    Args:
        noise: standard deviation, in units of the L2 sensitivity.
    """
    return times * ORDERS / (2 * noise**2)


def laplace(noise: float, times: int = 1) -> Curve:
    """`times` uses of the Laplace mechanism (Mironov 2017, proposition 6).

    Args:
        noise: scale, in units of the L1 sensitivity; each use is (1 / noise, 0)-private.
    """
    a, e = ORDERS, 1 / noise
    terms = np.stack([np.log(a / (2 * a - 1)) + (a - 1) * e, np.log((a - 1) / (2 * a - 1)) - a * e])
    return np.asarray(times * np.logaddexp(*terms) / (a - 1))


def pure(epsilon: float) -> Curve:
    """Any (epsilon, 0)-private mechanism: none diverges more than randomised response (Kairouz et al. 2015,
    arXiv:1311.0776, theorem 2.5)."""
    keep = -np.logaddexp(0.0, -epsilon)  # log of the chance to tell the truth
    lie = keep - epsilon
    a = ORDERS
    return np.asarray(np.logaddexp(a * keep + (1 - a) * lie, (1 - a) * keep + a * lie) / (a - 1))


def exponential(epsilon: float, times: int = 1) -> Curve:
    """`times` uses of the exponential mechanism with exp(epsilon score / (2 sensitivity)): its privacy loss has range
    epsilon, hence epsilon^2 / 8-zCDP (Cesar & Rogers 2021, arXiv:2004.07223, lemma 3.4)."""
    return np.asarray(times * np.minimum(pure(epsilon), ORDERS * epsilon**2 / 8))


@lru_cache(maxsize=256)
def _sampled_gaussian(noise: float, rate: float) -> tuple[float, ...]:
    try:
        from opacus.accountants.analysis.rdp import compute_rdp
    except ImportError:
        raise MissingExtra("opacus", "privacy") from None
    return tuple(float(x) for x in compute_rdp(q=rate, noise_multiplier=noise, steps=1, orders=ORDERS.tolist()))


def dp_sgd(noise: float, rate: float, steps: int) -> Curve:
    """`steps` of DP-SGD on Poisson batches, by Opacus (Mironov, Talwar & Zhang 2019, arXiv:1908.10530).

    Args:
        noise: standard deviation on the sum of gradients, in units of the clipping norm.
        rate: chance of each row to be in a batch, independent of all others.

    Raises:
        ConfigError: a rate outside of (0, 1], or noise that is not positive.
        MissingExtra: opacus is absent.
    """
    if not 0 < rate <= 1 or noise <= 0 or steps < 0:
        raise ConfigError(f"DP-SGD wants noise > 0, 0 < rate <= 1, steps >= 0; came: {noise}, {rate}, {steps}")
    return gaussian(noise, steps) if rate == 1 else steps * np.array(_sampled_gaussian(noise, rate))


def epsilon_of(curve: Curve, delta: float) -> float:
    """The least epsilon that a curve promises at `delta`, by the best order (Canonne, Kamath & Steinke 2020,
    arXiv:2004.00010, proposition 12).

    Raises:
        ConfigError: delta outside of (0, 1).
    """
    if not 0 < delta < 1:
        raise ConfigError(f"delta is a small chance, 0 < delta < 1 (1 / n^1.1 is usual for n rows), not: {delta}")
    if not curve.any():
        return 0.0
    a = ORDERS
    return max(0.0, float(np.min(curve + np.log1p(-1 / a) - (math.log(delta) + np.log(a)) / (a - 1))))


def dp_sgd_epsilon(noise: float, rate: float, steps: int, delta: float, accountant: Accountant = "prv") -> float:
    """Epsilon of DP-SGD alone: `rdp` by Renyi curves, an upper bound; `prv` by Opacus' convolution of privacy losses
    (Gopi, Lee & Wutschitz 2021, arXiv:2106.02848), tighter, to within 0.01.

    Raises:
        ConfigError: noise, rate, steps or delta that cannot be.
        MissingExtra: opacus is absent.
    """
    bound = epsilon_of(dp_sgd(noise, rate, steps), delta)
    if accountant == "rdp" or steps == 0:
        return bound
    from opacus.accountants import PRVAccountant

    accounts = PRVAccountant()
    accounts.history = [(noise, rate, steps)]
    with warnings.catch_warnings(action="ignore"), np.errstate(all="ignore"):  # it divides by zero, and tells of orders
        return min(bound, float(accounts.get_epsilon(delta)))


def gaussian_delta(mu: float, epsilon: float) -> float:
    """Delta of the Gaussian mechanism with sensitivity / noise = `mu`, exactly (Balle & Wang 2018, arXiv:1805.06530,
    theorem 8). Many of them are one with mu^2 summed (Dong, Roth & Su 2022, arXiv:1905.02383, corollary 3.3)."""
    low, high = mu / 2 - epsilon / mu, -mu / 2 - epsilon / mu
    return _normal_cdf(low) - math.exp(epsilon) * _normal_cdf(high) if epsilon < 600 else 0.0


def gaussian_epsilon(mu: float, delta: float) -> float:
    """The least epsilon of the Gaussian mechanism with sensitivity / noise = `mu` at `delta`, exactly."""
    if mu == 0:
        return 0.0
    if gaussian_delta(mu, 0.0) <= delta:
        return 0.0
    return _least(lambda e: gaussian_delta(mu, e) <= delta, 0.0, 600.0)


def _normal_cdf(x: float) -> float:
    return 0.5 * math.erfc(-x / math.sqrt(2))


def _least(holds: Callable[[float], bool], low: float, high: float, precision: float = 1e-6) -> float:
    """The least number between `low` and `high` for which `holds`, true from there on; rounded up."""
    while high - low > precision * max(1.0, low):
        middle = (low + high) / 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def noise_for(
    epsilon: float, delta: float, cost: Callable[[float], Curve], before: Curve | None = None, precision: float = 1e-3
) -> float:
    """The least noise at which all that was spent `before`, and `cost(noise)`, stay within (epsilon, delta).

    Raises:
        ConfigError: no noise suffices, because what was spent before leaves nothing; or epsilon is not positive.
    """
    already = free() if before is None else before
    spent = epsilon_of(already, delta)
    if epsilon <= 0 or spent >= epsilon:
        raise ConfigError(
            f"epsilon {epsilon:g} leaves nothing to spend: {spent:.3g} is gone at delta {delta:.1e}; "
            "raise epsilon, or spend less before"
        )

    def holds(noise: float) -> bool:
        return epsilon_of(already + cost(noise), delta) <= epsilon

    high = 1.0
    while not holds(high):
        high *= 2
        if high > MOST_NOISE:
            raise ConfigError(f"no noise up to {MOST_NOISE:g} keeps epsilon at {epsilon:g}; take fewer steps")
    return _least(holds, high / 2 if high > 1 else 1e-2, high, precision)


def dp_sgd_noise(epsilon: float, delta: float, rate: float, steps: int, before: Curve | None = None) -> float:
    """The least noise (in units of the clipping norm) for `steps` of DP-SGD within (epsilon, delta).

    Raises:
        ConfigError: it cannot be done; MissingExtra: opacus is absent.
    """
    return noise_for(epsilon, delta, lambda noise: dp_sgd(noise, rate, steps), before)


def overflow(rows: int, rate: float, capacity: int) -> float:
    """The chance that a Poisson batch outgrows `capacity`: the upper tail of a binomial distribution, or 1 where it is
    not small. A batch that is cut off is not the mechanism accounted for: see `cut_off`."""
    if capacity >= rows:
        return 0.0
    if rate >= 1 or capacity + 1 <= rows * rate:
        return 1.0
    choose = math.lgamma(rows + 1) - math.lgamma(capacity + 2) - math.lgamma(rows - capacity)
    term = math.exp(choose + (capacity + 1) * math.log(rate) + (rows - capacity - 1) * math.log1p(-rate))
    total, size = 0.0, capacity + 1
    while size <= rows and term > total * 1e-16:
        total += term
        term *= (rows - size) / (size + 1) * rate / (1 - rate)
        size += 1
    return min(1.0, total)


def cut_off(epsilon: float, rows: int, rate: float, capacity: int, steps: int) -> float:
    """What batches that are cut off at `capacity` add to delta: (1 + e^epsilon) times the chance that one of `steps`
    is (the mechanism differs from the one accounted for by that chance in total variation)."""
    return (1 + math.exp(min(epsilon, 50.0))) * steps * overflow(rows, rate, capacity)


def votes(noise: float, queries: int) -> Curve:
    """`queries` noisy majority votes of disjoint teachers between two labels, one Gaussian on one label's count.

    A row changes one teacher, hence the count by at most 1: alpha / (2 noise^2) each. It is GNMax of Papernot et al.
    2018, arXiv:1802.08908, proposition 8 (two counts, noise s on each: alpha / s^2), with s = sqrt(2) noise. The bound
    does not depend on the votes, so it may be told: a data-dependent one (theorem 6 there, theorem 3 of Papernot et
    al. 2017, arXiv:1610.05755) is itself private and is not used.

    Args:
        noise: standard deviation, in votes.
    """
    return gaussian(noise, queries)


def votes_laplace(noise: float, queries: int) -> Curve:
    """The same with Laplace noise of scale `noise` on one label's count: (1 / noise, 0)-private each. LNMax of Papernot
    et al. 2017 (theorem 2: two counts, scale 1 / g on each) costs 2 g, and its moments at most 2 g^2 l (l + 1)."""
    return laplace(noise, queries)


def votes_within(epsilon: float, delta: float, noise: float) -> int:
    """How many noisy votes fit into (epsilon, delta); see `Ledger.most` for what fits into the rest of a budget."""
    mu = _least(lambda m: gaussian_epsilon(m, delta) > epsilon, 0.0, 600.0)
    most = math.floor((mu * noise) ** 2 * (1 + 1e-9))
    while most > 0 and gaussian_epsilon(math.sqrt(most) / noise, delta) > epsilon:
        most -= 1
    return most
