"""The accountants against closed forms, published values, and a numerical integration of their own."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gansmith.errors import ConfigError
from gansmith.privacy import accounting as acc

DELTA = 1e-5


def renyi(log_p: np.ndarray, log_q: np.ndarray, step: float, order: float) -> float:
    """The Renyi divergence of two densities on a grid, by plain summation in logarithms."""
    logs = order * log_p - (order - 1) * log_q
    top = logs.max()
    return float((top + math.log(np.exp(logs - top).sum() * step)) / (order - 1))


def log_normal(x: np.ndarray, mean: float, std: float) -> np.ndarray:
    return -0.5 * ((x - mean) / std) ** 2 - math.log(std * math.sqrt(2 * math.pi))


def log_mixture(x: np.ndarray, noise: float, rate: float) -> np.ndarray:
    return np.logaddexp(math.log1p(-rate) + log_normal(x, 0, noise), math.log(rate) + log_normal(x, 1, noise))


def at(curve: np.ndarray, order: float) -> float:
    return float(curve[np.flatnonzero(np.isclose(acc.ORDERS, order))[0]])


@pytest.mark.parametrize("order", [2.0, 5.0, 16.0])
@pytest.mark.parametrize(("noise", "rate"), [(1.0, 0.1), (2.0, 0.25), (4.0, 0.05)])
def test_the_sampled_gaussian_agrees_with_integration_in_both_directions(
    noise: float, rate: float, order: float
) -> None:
    x = np.linspace(-40, 60, 100_001)
    base, mixture, step = log_normal(x, 0, noise), log_mixture(x, noise, rate), x[1] - x[0]
    known = at(acc.dp_sgd(noise, rate, 1), order)
    assert known == pytest.approx(renyi(mixture, base, step, order), rel=1e-4)
    assert renyi(base, mixture, step, order) <= known * (1 + 1e-6)


@pytest.mark.parametrize("order", [2.0, 8.0, 32.0])
def test_laplace_agrees_with_integration(order: float) -> None:
    x = np.linspace(-100, 100, 400_001)
    p, q = (-np.abs(x - m) / 3.0 - math.log(6) for m in (0.0, 1.0))
    assert at(acc.laplace(3.0), order) == pytest.approx(renyi(p, q, x[1] - x[0], order), rel=1e-4)


@pytest.mark.parametrize("epsilon", [0.05, 0.5, 3.0])
def test_pure_privacy_is_that_of_randomised_response(epsilon: float) -> None:
    p = np.log(np.array([math.exp(epsilon), 1]) / (1 + math.exp(epsilon)))
    for order in (2.0, 10.9, 63.0):
        assert at(acc.pure(epsilon), order) == pytest.approx(renyi(p, p[::-1], 1.0, order), rel=1e-9)
    assert (acc.pure(epsilon) <= epsilon + 1e-12).all(), "no order costs more than epsilon itself"
    assert (acc.pure(epsilon) <= acc.ORDERS * epsilon**2 / 2 + 1e-12).all(), "Bun & Steinke 2016, proposition 3.3"


def test_the_exponential_mechanism_stays_below_its_curve() -> None:
    """Over candidates whose scores all change against one another by the sensitivity, the worst there is."""
    scores = np.array([0.0, 1.0, 2.0, 5.0])
    for change in np.stack(np.meshgrid(*[[-1, 0, 1]] * 4), -1).reshape(-1, 4):
        p, q = (0.4 * s - np.log(np.exp(0.4 * s).sum()) for s in (scores, scores + change))
        for order in (2.0, 10.0):
            assert renyi(p, q, 1.0, order) <= at(acc.exponential(0.8), order) + 1e-12


def test_conversion_agrees_with_opacus() -> None:
    from opacus.accountants.analysis.rdp import get_privacy_spent

    curve = acc.dp_sgd(2.0, 0.02, 500)
    theirs, _ = get_privacy_spent(orders=acc.ORDERS.tolist(), rdp=curve.tolist(), delta=DELTA)
    assert acc.epsilon_of(curve, DELTA) == pytest.approx(theirs, rel=1e-6)
    assert acc.epsilon_of(acc.free(), DELTA) == 0.0


def loss_epsilon(log_p: np.ndarray, log_q: np.ndarray, steps: int, delta: float, mesh: float = 1e-3) -> float:
    """Epsilon by convolving the distribution of the privacy loss ln p/q under p, rounded up to a mesh (pessimistic)."""
    losses, mass_of = np.ceil((log_p - log_q) / mesh).astype(np.int64), np.exp(log_p - log_p.max())
    size = 1 << 16
    mass = np.zeros(size)
    np.add.at(mass, losses % size, mass_of / mass_of.sum())
    total = np.fft.irfft(np.fft.rfft(mass) ** steps, size).clip(0)
    values = np.where(np.arange(size) < size // 2, np.arange(size), np.arange(size) - size) * mesh
    low, high = 0.0, 10.0
    while high - low > 1e-4:
        e = (low + high) / 2
        fits = (total * np.maximum(0, -np.expm1(np.minimum(e - values, 0)))).sum() <= delta
        low, high = (low, e) if fits else (e, high)
    return high


@pytest.mark.parametrize(("noise", "rate", "steps"), [(6.0, 0.1, 100)])
def test_prv_agrees_with_a_convolution_of_our_own(noise: float, rate: float, steps: int) -> None:
    """Both directions: the other accountants look at one only."""
    x = np.linspace(-12 * noise, 12 * noise + 1, 40_001)
    base, mixture = log_normal(x, 0, noise), log_mixture(x, noise, rate)
    ours = max(loss_epsilon(mixture, base, steps, DELTA), loss_epsilon(base, mixture, steps, DELTA))
    prv, rdp = (acc.dp_sgd_epsilon(noise, rate, steps, DELTA, a) for a in ("prv", "rdp"))  # type: ignore[arg-type]
    assert prv == pytest.approx(ours, abs=0.5 * steps * 1e-3 + 0.03)
    assert prv <= rdp + 0.02
    assert rdp >= ours - steps * 1e-3, "the Renyi bound is a bound"


def test_the_gaussian_mechanism_is_exact() -> None:
    x = np.linspace(-30, 30, 600_001)
    p, q, step = np.exp(log_normal(x, 1, 2.0)), np.exp(log_normal(x, 0, 2.0)), x[1] - x[0]
    for epsilon in (0.1, 0.5, 1.0):
        exact = float(np.maximum(p - math.exp(epsilon) * q, 0).sum() * step)
        assert acc.gaussian_delta(0.5, epsilon) == pytest.approx(exact, rel=1e-6)
    epsilon = acc.gaussian_epsilon(0.5, DELTA)
    assert acc.gaussian_delta(0.5, epsilon) <= DELTA < acc.gaussian_delta(0.5, epsilon - 1e-4)
    assert epsilon < acc.epsilon_of(acc.gaussian(2.0), DELTA), "tighter than by Renyi curves"


def test_dp_sgd_with_every_row_in_every_batch_is_the_gaussian_mechanism() -> None:
    assert np.array_equal(acc.dp_sgd(3.0, 1.0, 7), acc.gaussian(3.0, 7))
    assert np.allclose(acc.dp_sgd(3.0, 1 - 1e-12, 7), acc.gaussian(3.0, 7), rtol=1e-6)


def test_noise_is_the_least_that_keeps_the_promise() -> None:
    before = acc.gaussian(20.0)
    noise = acc.dp_sgd_noise(1.0, DELTA, 0.05, 300, before)
    assert acc.epsilon_of(before + acc.dp_sgd(noise, 0.05, 300), DELTA) <= 1.0
    assert acc.epsilon_of(before + acc.dp_sgd(noise * 0.99, 0.05, 300), DELTA) > 1.0
    assert noise > acc.dp_sgd_noise(1.0, DELTA, 0.05, 300)
    with pytest.raises(ConfigError, match="leaves nothing to spend"):
        acc.dp_sgd_noise(0.1, DELTA, 0.05, 300, before)


def test_votes_follow_the_published_theorems() -> None:
    """GNMax, proposition 8 of 1802.08908; LNMax, theorem 2 of 1610.05755, in moments l = order - 1."""
    s, g = 40.0, 0.05
    assert np.allclose(acc.votes(s / math.sqrt(2), 1), acc.ORDERS / s**2)
    ours = acc.votes_laplace(1 / (2 * g), 1)  # the two counts differ by 2 between them; so does one by 1 at half of it
    moments = (acc.ORDERS - 1) * ours
    assert (moments <= 2 * g**2 * (acc.ORDERS - 1) * acc.ORDERS + 1e-12).all()
    assert (ours <= 2 * g + 1e-12).all()


def test_as_many_votes_as_fit() -> None:
    most = acc.votes_within(1.0, DELTA, 30.0)
    fitting, beyond = (acc.gaussian_epsilon(math.sqrt(queries) / 30.0, DELTA) for queries in (most, most + 1))
    assert fitting <= 1.0 < beyond


@pytest.mark.parametrize(("rows", "rate", "capacity"), [(2_000, 0.05, 115), (12_000, 0.0465, 700), (300, 0.5, 180)])
def test_overflow_is_the_binomial_tail(rows: int, rate: float, capacity: int) -> None:
    from scipy.stats import binom

    exact = binom.sf(capacity, rows, rate)
    assert acc.overflow(rows, rate, capacity) == pytest.approx(float(exact), rel=1e-6)
    assert acc.cut_off(1.0, rows, rate, capacity, 10) == pytest.approx((1 + math.e) * 10 * float(exact), rel=1e-6)


def test_overflow_at_the_ends() -> None:
    assert acc.overflow(2_000, 0.05, 90) == 1.0
    assert acc.overflow(100, 0.5, 100) == 0.0
    assert acc.overflow(100, 1.0, 99) == 1.0


def test_numbers_that_cannot_be_are_refused() -> None:
    for noise, rate, steps in ((0.0, 0.1, 1), (1.0, 0.0, 1), (1.0, 1.5, 1), (1.0, 0.1, -1)):
        with pytest.raises(ConfigError, match="DP-SGD wants"):
            acc.dp_sgd(noise, rate, steps)
    with pytest.raises(ConfigError, match="delta is a small chance"):
        acc.epsilon_of(acc.gaussian(1.0), 1.0)
    assert acc.default_delta(10_000) == pytest.approx(10_000**-1.1)
