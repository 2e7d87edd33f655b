"""Depth-aware Lyapunov initialization: the law of what is kept."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

import fracmoment as fm
from fracmoment import schemes
from fracmoment.schemes.selection import Chosen


def log_norms(scheme, widths, n_samples, seed, x0=None):
    rng = np.random.default_rng(seed)
    networks = (scheme.sample_network(widths, rng=rng, x0=x0) for _ in range(n_samples))
    return np.array([scheme.log_norm(weights, x0) for weights in networks])


@pytest.mark.parametrize(
    ("scheme", "widths"),
    [
        (schemes.SelectedLyapunov(1), [5, 5, 5]),
        (schemes.SelectedLyapunov(4), [3, 7, 7]),
        (schemes.SelectedLyapunov(6, 0.5, "linear"), [6, 4, 4, 4]),
        (schemes.SelectedLyapunov(3, -1.0, fm.LeakyReLU(0.2)), [8, 2, 2, 2]),
    ],
    ids=str,
)
def test_the_law_of_what_is_kept(scheme, widths, z_score):
    """Four z-scores a case below 5: one failure in 100,000 seeds."""
    n_samples, depth = 2000, len(widths) - 1
    sample = log_norms(scheme, widths, n_samples, seed=2, x0=np.arange(1.0, widths[0] + 1.0))
    statement = scheme.statement(widths[0], widths[1], depth)
    alive = sample[np.isfinite(sample)]
    assert z_score(alive, statement.drift * depth) < 5
    centred = (alive - statement.drift * depth) ** 2
    assert z_score(centred, statement.log_variance * depth) < 5
    dead, expected = sample.size - alive.size, statement.prob_dead * n_samples
    assert abs(dead - expected) <= 5 * math.sqrt(expected)
    within = float(statement.preserves.split()[-1].rstrip("."))
    near = np.mean(np.abs(sample - scheme.target) <= 1.0)
    assert abs(near - within) <= 5 * math.sqrt(within * (1 - within) / n_samples) + 1e-6


def test_one_candidate_has_the_exact_law_and_normal_weights():
    """Two tests of Kolmogorov and Smirnov at 1e-5: weights given W x are what they are without."""
    scheme = schemes.SelectedLyapunov(1, activation="linear")
    rng = np.random.default_rng(1)
    networks = [scheme.sample_network([4, 3, 3], rng=rng) for _ in range(1500)]
    first = np.array([w[0] for w in networks]).reshape(-1) / scheme.scale(4, 3)
    second = np.array([w[1] for w in networks]).reshape(-1) / scheme.scale(3, 3)
    assert stats.kstest(first, "norm").pvalue > 1e-5
    assert stats.kstest(second, "norm").pvalue > 1e-5
    plain = schemes.Lyapunov("linear").statement(4, 3)
    assert scheme.statement(4, 3).log_variance == pytest.approx(plain.log_variance, rel=1e-8)


def test_the_nearest_of_many_is_a_uniform_minimum():
    """For many candidates m P(|Y - t| < r) is exponential: mean square 2/(2 m f(t))^2."""
    gain = fm.Gain("relu", 8)
    law = fm.DepthLaw(gain, gain.scale(0), 20)
    many = 50_000
    mean, variance = Chosen(law, many, 0.1).moments()
    density = (1 - law.prob_dead()) * law.pdf(0.1)
    expected = 2 / (2 * many * density) ** 2
    assert variance == pytest.approx(expected, rel=1e-3)
    assert mean == pytest.approx(0.1, abs=1e-6)


def test_moments_of_one_candidate_are_those_of_the_law():
    gain = fm.Gain("relu", 4)
    law = fm.DepthLaw(gain, gain.scale(0), 10)
    mean, variance = Chosen(law, 1, 0.7).moments()
    assert mean == pytest.approx(law.mean(), abs=1e-8)
    assert variance == pytest.approx(law.var(), rel=1e-7)


def test_layers_alone_and_repeated_draws():
    scheme = schemes.SelectedLyapunov(50, activation="leaky_relu")
    w = scheme.sample((6, 9), rng=3)
    np.testing.assert_array_equal(w, scheme.sample_network([9, 6], rng=3)[0])
    assert abs(scheme.log_norm([w])) < 0.1
    assert scheme.log_norm([np.zeros((6, 9))]) == -math.inf
    # -W makes every unit of a ReLU layer inactive for one input
    relu = schemes.SelectedLyapunov(1)
    assert relu.log_norm([-np.ones((6, 9))]) == -math.inf


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: schemes.SelectedLyapunov(0), "candidates"),
        (lambda: schemes.SelectedLyapunov(activation="rrelu"), "fixed slope"),
        (lambda: schemes.SelectedLyapunov(target=math.inf), "target"),
        (lambda: schemes.SelectedLyapunov().sample_network([4]), "widths"),
        (lambda: schemes.SelectedLyapunov().sample_network([4, 0]), "widths"),
        (lambda: schemes.SelectedLyapunov().sample_network([4, 4], x0=np.zeros(4)), "x0"),
        (lambda: schemes.SelectedLyapunov().sample_network([4, 4], x0=[1.0]), "x0"),
        (lambda: schemes.SelectedLyapunov().sample((4, 4, 3)), "dense"),
        (lambda: schemes.SelectedLyapunov().statement_for((4, 4, 3)), "dense"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
