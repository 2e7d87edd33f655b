"""Kernels of one unit, moments of one layer's Gram matrix, and the recursion of norms."""

import csv
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fracmoment as fm
from tests.reference.tables import FOLDER, relative_error

GAINS = [
    fm.Gain("relu", 6),
    fm.Gain("linear", 5, keep_prob=0.7),
    fm.Gain(fm.LeakyReLU(0.3), 4, keep_prob=0.5, inverted_dropout=False),
    fm.Gain(fm.RandomizedLeakyReLU(-0.5, 1.0), 4),
]
INPUTS = np.array([[1.0, 2.0, 0.0, -1.0], [0.5, 0.5, 3.0, 1.0], [-1.0, -2.0, 0.0, 1.5]])


def references():
    with (FOLDER / "pair_kernels.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("row", references(), ids=lambda row: f"{row['slope']} {row['cosine']}")
def test_kernels_against_polar_integrals(row):
    gain = fm.Gain(fm.LeakyReLU(float.fromhex(row["slope"])), 1)
    kernels = fm.pair_kernels(gain, float.fromhex(row["cosine"]))
    for name, value in kernels._asdict().items():
        exact = Fraction(row[name])
        assert relative_error(value, exact) < 5e-15 or (exact == 0 and abs(value) < 1e-16)


def test_kernels_are_those_of_cho_and_saul():
    t = np.linspace(0.1, 3.0, 30)
    k = fm.pair_kernels(fm.Gain("relu", 1), np.cos(t))
    k1 = (np.sin(t) + (math.pi - t) * np.cos(t)) / (2 * math.pi)
    k2 = 3 * np.sin(t) * np.cos(t) + (math.pi - t) * (1 + 2 * np.cos(t) ** 2)
    np.testing.assert_allclose(k.mean, k1, rtol=1e-12)
    np.testing.assert_allclose(k.variance, k2 / (2 * math.pi) - k1**2, rtol=1e-10)


@pytest.mark.parametrize("gain", GAINS, ids=repr)
def test_equal_inputs_have_the_moments_of_the_gain(gain):
    k = fm.pair_kernels(gain, 1.0)
    assert gain.width * k.mean == pytest.approx(gain.moment(2), rel=1e-14)
    variance = gain.moment(4) - gain.moment(2) ** 2
    for kernel in (k.variance, k.square_covariance, k.mixed_covariance):
        assert gain.width * kernel == pytest.approx(variance, rel=1e-13)


@given(
    st.floats(-3, 3).filter(lambda a: a == 0 or abs(a) > 1e-50),
    st.floats(-1, 1),
    st.floats(0.05, 1),
)
def test_the_covariance_of_a_unit_is_one(slope, cosine, keep):
    """The 3 x 3 covariance of y^2, y z, z^2 has no negative eigenvalue."""
    k = fm.pair_kernels(fm.Gain(fm.LeakyReLU(slope), 1, keep_prob=keep), cosine)
    own = fm.pair_kernels(fm.Gain(fm.LeakyReLU(slope), 1, keep_prob=keep), 1.0).variance
    rows = [
        [own, k.mixed_covariance, k.square_covariance],
        [k.mixed_covariance, k.variance, k.mixed_covariance],
        [k.square_covariance, k.mixed_covariance, own],
    ]
    assert np.linalg.eigvalsh(rows)[0] > -1e-14 * own


@pytest.mark.parametrize("gain", GAINS, ids=repr)
@pytest.mark.parametrize("bias", [0.0, 0.7])
def test_gram_moments_against_simulation(gain, bias):
    """48 z-scores below 5: a failure has probability 3e-5 for each pair of parameters."""
    n, sigma = 100_000, 0.6
    gram = fm.simulate_signals(gain, sigma, 1, INPUTS, n, bias=bias, rng=3).gram()
    exact = fm.gram_moments(gain, sigma, INPUTS @ INPUTS.T, bias=bias)
    centred = gram - exact.mean
    squares = np.diagonal(centred, axis1=1, axis2=2)
    samples = {
        "variance": centred**2,
        "square_covariance": squares[:, :, np.newaxis] * squares[:, np.newaxis, :],
        "mixed_covariance": squares[:, :, np.newaxis] * centred,
    }
    z = centred.mean(axis=0) / np.sqrt(exact.variance / n)
    assert np.abs(z).max() < 5
    for name, sample in samples.items():
        error = sample.std(axis=0) / math.sqrt(n)
        z = (sample.mean(axis=0) - getattr(exact, name)) / error
        assert np.abs(z).max() < 5, name


def test_gram_moments_of_zero_and_opposite_inputs():
    gram = np.array([[4.0, -4.0, 0.0], [-4.0, 4.0, 0.0], [0.0, 0.0, 0.0]])
    moments = fm.gram_moments(fm.Gain("relu", 3), 1.0, gram)
    np.testing.assert_array_equal(moments.mean, np.diag([6.0, 6.0, 0.0]))
    assert moments.variance[0, 1] == 0.0  # no unit is live for both
    assert moments.square_covariance[0, 1] == -3.0 * 16 / 4
    with_bias = fm.gram_moments(fm.Gain("linear", 3), 1.0, gram, bias=0.5)
    assert with_bias.mean[2, 2] == 3 * 0.25
    assert with_bias.mean[0, 1] == 3 * (-4 + 0.25)


@pytest.mark.parametrize("gain", GAINS, ids=repr)
def test_norm_moments_against_the_moments_of_the_gain(gain):
    sigmas, biases = [0.5, 0.9, 0.7], [0.3, 0.0, 1.1]
    moments = fm.norm_moments(gain, sigmas, bias=biases, input_norm=1.7)
    first, second = 1.7**2, 1.7**4
    for k, (s, b) in enumerate(zip(sigmas, biases, strict=True), 1):
        second = s**4 * second + 2 * s**2 * b**2 * first + b**4
        first, second = (s**2 * first + b**2) * gain.moment(2), second * gain.moment(4)
        assert moments.mean[k] == pytest.approx(first, rel=1e-14)
        assert moments.fourth[k] == pytest.approx(second, rel=1e-13)
        assert moments.variance[k] == pytest.approx(second - first**2, rel=1e-11)


def test_depth_over_width_decides():
    for activation, ratio in (("relu", 5.0), ("linear", 2.0)):
        gain = fm.Gain(activation, 40)
        spread = fm.norm_moments(gain, gain.scale(2), 100).relative_variance
        k = np.arange(101)
        np.testing.assert_allclose(spread, np.expm1(k * math.log1p(ratio / 40)), rtol=1e-13)


def test_norm_moments_in_layers_of_different_width():
    gains = [fm.Gain("relu", 30), fm.Gain("linear", 5)]
    n, sigma, bias = 200_000, [0.2, 0.5], [0.1, 0.0]
    exact = fm.norm_moments(gains, sigma, bias=bias, input_norm=math.sqrt(6.0))
    signals = fm.simulate_signals(
        gains, sigma, None, [INPUTS[0]], n, bias=bias, rng=1, every_layer=True
    )
    squares = np.exp(2 * signals.log_norms[:, :, 0])
    for k in (1, 2):
        sample = squares[:, k - 1]
        z = (sample.mean() - exact.mean[k]) / math.sqrt(exact.variance[k] / n)
        assert abs(z) < 5
        deviation = (sample - exact.mean[k]) ** 2
        z = (deviation.mean() - exact.variance[k]) / (deviation.std() / math.sqrt(n))
        assert abs(z) < 5


def test_huge_moments_are_refused():
    with pytest.raises(OverflowError, match="100000 layers"):
        fm.norm_moments(fm.Gain("relu", 100), 1.0, 100_000)


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: fm.pair_kernels(fm.Gain("relu", 2), 1.5), ValueError, "cosine must be in"),
        (lambda: fm.pair_kernels(fm.Gain("relu", [2, 3]), 0.5), TypeError, "scalar parameters"),
        (lambda: fm.pair_kernels("relu", 0.5), TypeError, "gain must be a Gain"),
        (lambda: fm.gram_moments(fm.Gain("relu", 2), 0.0, [[1.0]]), ValueError, "sigma must"),
        (lambda: fm.gram_moments(fm.Gain("relu", 2), 1.0, 1.0), ValueError, "gram must be a sq"),
        (lambda: fm.gram_moments(fm.Gain("relu", 2), 1.0, [[1, 2]]), ValueError, "gram must be a"),
        (
            lambda: fm.gram_moments(fm.Gain("relu", 2), 1.0, [[1, 2], [2, 1]]),
            ValueError,
            "at most the product",
        ),
        (
            lambda: fm.gram_moments(fm.Gain("relu", 2), 1.0, [[1, 0.5], [0.4, 1]]),
            ValueError,
            "symmetric",
        ),
        (
            lambda: fm.gram_moments(fm.Gain("relu", 2), 1.0, 1.7 * np.eye(3) - 0.7),
            ValueError,
            "positive semidefinite",
        ),
        (
            lambda: fm.gram_moments(fm.Gain("relu", 2), 1.0, [[1.0]], bias=-1.0),
            ValueError,
            "bias must be >= 0",
        ),
        (
            lambda: fm.gram_moments(fm.Gain("relu", 2, weights="orthogonal"), 1.0, [[1.0]]),
            ValueError,
            "weights='gaussian'",
        ),
        (
            lambda: fm.norm_moments(fm.Gain("relu", 2), 1.0, 3, bias=[1.0, 2.0]),
            ValueError,
            "one for each of 3 layers",
        ),
        (
            lambda: fm.norm_moments(fm.Gain("relu", 2), 1.0, 3, input_norm=-1.0),
            ValueError,
            "input_norm must be >= 0",
        ),
        (lambda: fm.norm_moments(fm.Gain("relu", 2), 1.0, 0), ValueError, "depth must be"),
    ],
)
def test_bad_input(call, error, match):
    with pytest.raises(error, match=match):
        call()
