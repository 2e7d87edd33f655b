"""Stationary laws of networks with biases: exact moments, tails, indices, forward chains."""

import hashlib
import math

import numpy as np
import pytest
from scipy import stats

import fracmoment as fm
from fracmoment import _core
from fracmoment.simulation.chains import law_of
from fracmoment.simulation.rare_events import log_density

GAINS = [fm.Gain("relu", 16), fm.Gain("linear", 3), fm.Gain("leaky_relu", 8)]


@pytest.mark.parametrize("gain", GAINS, ids=repr)
def test_moments(gain):
    sigma, bias, n = gain.scale(10.0), 0.3, 100_000
    x = np.exp(2 * fm.simulate_stationary_norms(gain, sigma, bias, n, rng=1))
    a, a2 = sigma**2 * gain.moment(2), sigma**4 * gain.moment(4)
    c = bias**2 / sigma**2
    first = a * c / (1 - a)  # X = A (X + c) in law
    second = a2 * (2 * c * first + c * c) / (1 - a2)
    for values, exact in ((x, first), (x**2, second)):
        assert abs(values.mean() - exact) < 5 * values.std() / math.sqrt(n)


def test_against_the_forward_chain():
    gain, bias = fm.Gain("relu", 4), 0.5
    sigma, n = gain.scale(3.0), 20_000
    rng = np.random.default_rng(5)
    x = np.zeros(n)
    for _ in range(200):
        x = (sigma**2 * x + bias**2) * gain.rvs(n, rng) ** 2
    y = np.exp(2 * fm.simulate_stationary_norms(gain, sigma, bias, n, rng=2))
    dead = gain.prob_zero()
    assert abs((y == 0).mean() - dead) < 5 * math.sqrt(dead * (1 - dead) / n)
    assert stats.ks_2samp(x, y).pvalue > 1e-6


def test_tail_against_samples():
    gain, bias, n = fm.Gain("relu", 8), 0.2, 200_000
    sigma = gain.scale(1.5)
    y = fm.simulate_stationary_norms(gain, sigma, bias, n, rng=3)
    for level in (-1.0, 0.0, 1.5):
        tail = fm.stationary_tail(gain, sigma, bias, level, n_samples=50_000, rng=4)
        share = (y > level).mean()
        error = math.hypot(
            math.sqrt(share * (1 - share) / n), tail.relative_error * math.exp(tail.log_probability)
        )
        assert abs(share - math.exp(tail.log_probability)) < 4.5 * error


@pytest.mark.parametrize("gain", GAINS, ids=repr)
def test_constant_of_the_tail_at_index_two(gain):
    """P(|x|^2 > u) ~ c/E[A log A]/u for He's scale."""
    sigma, bias = gain.scale(2), 0.7
    law = _core.TiltedGain(log_density(law_of(gain)), 2.0, -math.inf, 80.0)
    mean = 2 * (math.log(sigma) + gain.log_mean() + law.mean())  # E[A log A], as E A = 1
    constant = bias**2 / sigma**2 / mean
    for level in (60.0, 115.0):  # probabilities 1e-52 and 1e-100
        tail = fm.stationary_tail(gain, sigma, bias, level, n_samples=100_000, rng=6)
        assert math.isclose(tail.tail_index, 2.0, rel_tol=1e-12)
        assert tail.relative_error < 0.02
        ratio = math.exp(tail.log_probability + 2 * level) / constant
        assert abs(ratio - 1) < 4.5 * tail.relative_error


@pytest.mark.parametrize("estimate", [fm.hill_estimate, fm.moment_estimate])
def test_estimates_of_the_index(estimate):
    gain = fm.Gain("relu", 8)
    sigma = gain.scale(1.2)
    y = fm.simulate_stationary_norms(gain, sigma, 0.1, 400_000, rng=7)
    assert abs(estimate(y, 2000).z(gain.tail_index(sigma))) < 4.5
    for few in (y[:10], np.zeros(100)):
        with pytest.raises(ValueError, match="largest"):
            estimate(few, 10)


@pytest.mark.parametrize("estimate", [fm.hill_estimate, fm.moment_estimate])
def test_standard_errors_of_the_estimates(estimate):
    """Exact power tails: the z-scores of many samples are standard normal."""
    rng = np.random.default_rng(8)
    z = [estimate(rng.standard_exponential(20_000) / 0.7, 2000).z(0.7) for _ in range(300)]
    assert abs(np.mean(z)) < 5 / math.sqrt(300) + 0.05  # the index is a nonlinear function
    assert abs(np.var(z) - 1) < 5 * math.sqrt(2 / 300)


def test_the_smallest_indices():
    for gain in GAINS:
        assert fm.simulate_stationary_norms(gain, gain.scale(0.16), 0.1, 5, rng=1).shape == (5,)
        with pytest.raises(fm.ConvergenceError, match="too small"):
            fm.simulate_stationary_norms(gain, gain.scale(0.12), 0.1, 5, rng=1)


def test_known_answer(instruction_set, log_weights):
    pieces = []
    for gain in (fm.Gain("relu", 8), fm.Gain("rrelu", 5, keep_prob=0.9)):
        sigma = gain.scale(1.5)
        pieces.append(fm.simulate_stationary_norms(gain, sigma, 0.2, 333, rng=3))
        fm.stationary_tail(gain, sigma, 0.2, 30.0, n_samples=333, rng=4)
    digest = hashlib.sha256(b"".join(x.tobytes() for x in pieces + log_weights)).hexdigest()
    assert digest == "56e6f6559db7e16d3bbc97e7dd091265e7836859cb2c15072546454bff6e5f8a"


def test_results_do_not_depend_on_threads_or_neighbours():
    gain = fm.Gain("relu", 8)
    sigma = gain.scale(2)
    runs = [
        fm.simulate_stationary_norms(gain, sigma, 0.1, 3000, rng=3, threads=t) for t in (1, 2, 5)
    ]
    np.testing.assert_array_equal(runs[0], runs[1])
    np.testing.assert_array_equal(runs[0], runs[2])
    np.testing.assert_array_equal(
        fm.simulate_stationary_norms(gain, sigma, 0.1, 77, rng=3), runs[0][:77]
    )


def test_empty_and_refused():
    gain = fm.Gain("relu", 8)
    assert fm.simulate_stationary_norms(gain, 0.1, 1.0, 0).shape == (0,)
    for wrong, message in [
        ({"gain": fm.Gain("linear", 8), "sigma": 2.0}, "tail index"),
        ({"bias_sigma": 0.0}, "bias_sigma"),
        ({"n_samples": -1}, "n_samples"),
        ({"gain": fm.Gain("relu", 8, weights="orthogonal")}, "gaussian"),
    ]:
        arguments = {"gain": gain, "sigma": 0.1, "bias_sigma": 1.0, "n_samples": 5, **wrong}
        with pytest.raises(ValueError, match=message):
            fm.simulate_stationary_norms(**arguments)
