"""The tail of stationary norms: closed forms, the integral equation, far tails by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest

import fracmoment as fm
from fracmoment.tails import stationary

GAINS = [
    fm.Gain("linear", 1),
    fm.Gain("linear", 3),
    fm.Gain("relu", 2),
    fm.Gain("relu", 64),
    fm.Gain("leaky_relu", 8),
    fm.Gain("rrelu", 5, keep_prob=0.8),
]


@pytest.mark.parametrize("gain", GAINS, ids=repr)
@pytest.mark.parametrize("kappa", [1, 2, 3])
def test_integral_equation_at_even_indices(gain, kappa):
    """The numerical route, which even indices do not need, gives their closed forms."""
    sigma = gain.scale(2.0 * kappa)
    rate = (fm.next_tail_index(gain, sigma) - 2 * kappa) / 2
    value, error = stationary._increment(gain, sigma, 2.0 * kappa, rate)
    exact = stationary._even_increment(gain, sigma, kappa)
    assert abs(value / exact - 1) < error < 1e-10


def test_closed_forms():
    gain, bias = fm.Gain("linear", 3), 0.7
    sigma = gain.scale(2)
    # E A log A with A = sigma^2 chi^2_3: log sigma^2 + log 2 + psi(5/2)
    slope = math.log(2 * sigma**2) + 2 - 2 * math.log(2) - np.euler_gamma + 2 / 3
    tail = fm.power_tail(gain, sigma, bias)
    assert tail.constant == pytest.approx(bias**2 / sigma**2 / slope, rel=1e-12)
    assert tail.tail_index == 2.0
    assert tail.sf(10.0) == pytest.approx(tail.constant / 100)
    # alpha = 4: E[(Y + 1)^2 - Y^2] = 1 + 2 E Y, E Y = m/(1 - m)
    sigma = gain.scale(4)
    m = 3 * sigma**2
    slope = 2 * math.log(sigma) + math.log(2) + 2 / 5 + 2 / 3 + 2 - 2 * math.log(2) - np.euler_gamma
    exact = (bias / sigma) ** 4 * (1 + 2 * m / (1 - m)) / (2 * slope)
    assert fm.power_tail(gain, sigma, bias).constant == pytest.approx(exact, rel=1e-12)


def test_the_constant_is_continuous_at_even_indices():
    gain = fm.Gain("relu", 8)
    below, at, above = (
        fm.power_tail(gain, gain.scale(a), 1.0).constant for a in (1.999, 2.0, 2.001)
    )
    assert at == pytest.approx(math.sqrt(below * above), rel=1e-5)
    assert below < at < above


def test_the_biases_scale_the_norm():
    gain = fm.Gain("linear", 4)
    sigma = gain.scale(1.3)
    one, three = (fm.power_tail(gain, sigma, b) for b in (1.0, 3.0))
    assert three.constant == pytest.approx(one.constant * 3**1.3, rel=1e-12)


@pytest.mark.parametrize(
    ("gain", "order"),
    [(fm.Gain("relu", 16), 1.5), (fm.Gain("linear", 2), 0.8), (fm.Gain("leaky_relu", 8), 3.1)],
)
def test_against_far_tails(gain, order):
    """Importance sampling; below 4.5 standard errors but with probability 1e-5 each."""
    sigma, level = gain.scale(order), 60.0
    exact = fm.power_tail(gain, sigma, 0.5)
    found = fm.stationary_tail(gain, sigma, 0.5, level, n_samples=100_000, rng=21)
    log_ratio = found.log_probability + exact.tail_index * level - math.log(exact.constant)
    assert abs(math.expm1(log_ratio)) < 4.5 * found.relative_error < 0.1


def test_errors_are_honest_where_the_law_is_hard():
    """The estimate bounds what a grid three times as wide changes."""
    gain = fm.Gain("relu", 8)
    sigma = gain.scale(0.4)
    index, (value, error) = gain.tail_index(sigma), stationary._increment(gain, sigma, 0.4, 1.0)
    factor = stationary._Factor(gain, sigma, index / 2, 1.0 / 3.0)
    better = stationary._StationaryLaw(factor, factor.step / 2).increment()
    assert abs(value / better - 1) < error < 1e-4


def test_next_term_of_the_tail():
    # no complex roots: the next pole is that of the biases
    wide = fm.Gain("relu", 64)
    assert fm.next_tail_index(wide, wide.scale(2)) == pytest.approx(4.0, abs=1e-9)
    # one live unit or none: a root of E (sigma R)^s = 1, as its equation confirms
    narrow = fm.Gain("relu", 1)
    sigma = narrow.scale(0.5)
    found = fm.next_tail_index(narrow, sigma)
    assert 0.5 < found < 2.5
    y = np.linspace(0.5, 8.0, 20_001)
    distance = np.abs(
        np.exp((found + 1j * y) * math.log(sigma)) * narrow.moment(found + 1j * y) - 1
    )
    assert distance.min() < 1e-3
    lower = np.abs(
        np.exp((found - 0.1 + 1j * y) * math.log(sigma)) * narrow.moment(found - 0.1 + 1j * y) - 1
    )
    assert lower.min() > 1e-2


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((fm.Gain("linear", 4), 2.0, 1.0), ValueError, "sigma"),
        ((fm.Gain("linear", 4), 0.4, 0.0), ValueError, "bias_sigma"),
        ((fm.Gain("linear", 4), 1e-9, 1.0), ValueError, "tail index"),
        ((fm.Gain("linear", [4, 5]), 0.1, 1.0), TypeError, "scalar"),
        (("relu", 0.1, 1.0), TypeError, "Gain"),
        ((fm.Gain("linear", 4, weights="orthogonal"), 0.1, 1.0), ValueError, "gaussian"),
    ],
)
def test_bad_input(arguments, error, message):
    with pytest.raises(error, match=message):
        fm.power_tail(*arguments)


def test_too_wide_a_law_is_refused():
    gain = fm.Gain("linear", 10**7)
    with pytest.raises(fm.ConvergenceError, match="nodes"):
        fm.power_tail(gain, gain.scale(1.0), 1.0)


@pytest.mark.parametrize(
    ("gain", "order"), [(fm.Gain("relu", 3), 0.2), (fm.Gain("linear", 3), 0.05)]
)
def test_low_indices_keep_their_digits(gain, order):
    """A tail that holds much of the mass: Goldie's formula and the limit of the law still agree."""
    assert fm.power_tail(gain, gain.scale(order), 1.0).relative_error < 1e-10
