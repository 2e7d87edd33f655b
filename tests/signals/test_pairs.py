"""Cosines between two signals after a layer: closed forms, simulation, mean field."""

import math

import mpmath
import numpy as np
import pytest
from numpy.polynomial import Chebyshev

import fracmoment as fm

GAINS = [
    fm.Gain("relu", 1),
    fm.Gain("relu", 5),
    fm.Gain("linear", 4, keep_prob=0.7),
    fm.Gain(fm.LeakyReLU(0.3), 3, keep_prob=0.5),
    fm.Gain(fm.LeakyReLU(-2.0), 6),
]


@pytest.mark.parametrize("width", [2, 3, 10, 200, 10**5])
def test_linear_layers_have_the_mean_of_a_correlation_coefficient(width):
    """Of ``width`` pairs of normal numbers of mean 0, R. A. Fisher 1915."""
    c = np.array([-1.0, -0.9, -0.3, 0.0, 0.5, 0.99, 1.0])
    ratio = math.exp(math.lgamma((width + 1) / 2) - math.lgamma(width / 2))
    series = [float(mpmath.hyp2f1(0.5, 0.5, width / 2 + 1, x * x)) for x in c]
    exact = 2 / width * ratio**2 * c * series
    found = fm.cosine_moments(fm.Gain("linear", width), c)
    # lgamma and powers of width both lose a multiple of width roundings
    tolerance = 1e-14 + 1e-15 * width
    np.testing.assert_allclose(found.mean, exact, rtol=0, atol=tolerance)
    assert found.variance[3] == pytest.approx(1 / width, rel=0, abs=2 * tolerance)
    np.testing.assert_allclose(found.variance[[0, -1]], 0.0, rtol=0, atol=2 * tolerance)


def test_one_relu_unit():
    """The cosine is 1 if the unit is live for both inputs."""
    c = np.array([-1.0, -0.5, 0.0, 0.5, 1.0])
    both = np.arccos(-c) / (2 * math.pi)
    found = fm.cosine_moments(fm.Gain("relu", 1), c)
    np.testing.assert_allclose(found.mean, both, rtol=0, atol=1e-14)
    np.testing.assert_allclose(found.variance, both * (1 - both), rtol=0, atol=2e-14)


@pytest.mark.parametrize("gain", GAINS, ids=repr)
@pytest.mark.parametrize("bias", [0.0, 0.8])
def test_against_simulation(gain, bias):
    """z-scores below 5."""
    n, sigma = 200_000, 0.6
    inputs = np.array([[1.0, 2.0], [0.3, -1.0]])
    signals = fm.simulate_signals(gain, sigma, 1, inputs, n, bias=bias, rng=8)
    cosines = signals.cosines[:, 0, 1]
    covariance = sigma**2 * inputs @ inputs.T + bias**2
    c = covariance[0, 1] / math.sqrt(covariance[0, 0] * covariance[1, 1])
    exact = fm.cosine_moments(gain, c)
    assert abs(cosines.mean() - exact.mean) < 5 * math.sqrt(exact.variance / n)
    squares = (cosines - exact.mean) ** 2
    assert abs(squares.mean() - exact.variance) < 5 * squares.std() / math.sqrt(n) + 1e-12


def test_two_layers_are_a_chain_of_cosines():
    """Without biases: the mean after two layers is that of a step from simulated cosines."""
    gain, n = fm.Gain("relu", 6), 100_000
    signals = fm.simulate_signals(gain, 1.0, 1, np.eye(2), n, rng=2)
    alive = np.isfinite(signals.log_norms).all(axis=1)
    angles = np.arccos(np.clip(signals.cosines[:, 0, 1], -1, 1))
    # the mean is an analytic function of the angle
    mean = Chebyshev.interpolate(
        lambda t: fm.cosine_moments(gain, np.cos(t)).mean, 16, domain=[0, math.pi]
    )
    assert mean(1.0) == pytest.approx(fm.cosine_moments(gain, math.cos(1.0)).mean, abs=1e-6)
    step = np.where(alive, mean(angles), 0.0)
    direct = fm.simulate_signals(gain, 1.0, 2, np.eye(2), n, rng=3).cosines[:, 0, 1]
    error = math.hypot(step.std(), direct.std()) / math.sqrt(n)
    assert abs(step.mean() - direct.mean()) < 5 * error


@pytest.mark.parametrize("activation", ["relu", fm.LeakyReLU(0.2)])
def test_wide_layers_are_mean_field(activation):
    """E cos tends to the correlation map, and the difference falls like 1/width."""
    c = np.array([-0.8, 0.0, 0.6])
    differences = []
    for width in (2000, 20000):
        gain = fm.Gain(activation, width)
        field = fm.MeanField(gain, gain.scale(2))
        differences.append(fm.cosine_moments(gain, c).mean - field.correlation_map(c))
    assert np.all(np.abs(differences[0]) > 1e-6)
    np.testing.assert_allclose(differences[1] * 10, differences[0], rtol=0.02)


@pytest.mark.parametrize("gain", GAINS, ids=repr)
def test_a_finer_grid_agrees(gain, monkeypatch):
    c = np.array([-0.999, -0.2, 0.7])
    coarse = fm.cosine_moments(gain, c)
    monkeypatch.setattr("fracmoment.signals.pairs._STEP", 0.19)
    fine = fm.cosine_moments(gain, c)
    np.testing.assert_allclose(coarse.mean, fine.mean, rtol=0, atol=2e-14)
    np.testing.assert_allclose(coarse.variance, fine.variance, rtol=0, atol=4e-14)


@pytest.mark.parametrize(
    ("gain", "cosine", "error", "match"),
    [
        (fm.Gain("relu", 3), 1.5, ValueError, r"cosine must be in \[-1, 1\]"),
        (fm.Gain("rrelu", 3), 0.5, ValueError, "fixed slope"),
        (fm.Gain("relu", [3, 4]), 0.5, TypeError, "scalar parameters"),
        (fm.Gain("relu", 3, weights="orthogonal"), 0.5, ValueError, "weights='gaussian'"),
        (fm.Gain("relu", 10**8), 0.5, ValueError, "the width of gain"),
    ],
)
def test_bad_input(gain, cosine, error, match):
    with pytest.raises(error, match=match):
        fm.cosine_moments(gain, cosine)
