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


def covariance_references():
    with (FOLDER / "gram_covariances.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    "row", covariance_references(), ids=lambda r: f"{r['slope']} {r['inputs']} {r['entries']}"
)
def test_covariances_of_entries_against_the_reference_table(row):
    """Three and four inputs, also in a plane: absolute error against the standard deviations."""
    vectors = np.array([[int(x) for x in part.split(":")] for part in row["inputs"].split()])
    shared, own = vectors[:, :2], vectors[:, 2]
    gram = shared @ shared.T + np.diag(own**2)
    gain = fm.Gain(fm.LeakyReLU(float.fromhex(row["slope"])), 1)
    entries = tuple(int(n) for n in row["entries"])
    value = fm.gram_moments(gain, 1.0, gram).covariance()[entries]
    scale = math.sqrt(math.prod(int(gram[n, n]) for n in entries))
    assert abs(Fraction(float(value)) - Fraction(row["covariance"])) < 2e-13 * scale


@pytest.mark.parametrize("gain", GAINS, ids=repr)
@pytest.mark.parametrize("bias", [0.0, 0.7])
def test_covariances_of_entries_against_simulation(gain, bias):
    """55 z-scores below 5: a failure has probability 3e-5 for each pair of parameters."""
    n, sigma = 100_000, 0.6
    moments = fm.gram_moments(gain, sigma, INPUTS.T @ INPUTS, bias=bias)
    gram = fm.simulate_signals(gain, sigma, 1, INPUTS.T, n, bias=bias, rng=4).gram()
    i, j = np.triu_indices(4)
    entries = gram[:, i, j] - moments.mean[i, j]
    products = entries[:, :, np.newaxis] * entries[:, np.newaxis, :]
    exact = moments.covariance()[i[:, np.newaxis], j[:, np.newaxis], i, j]
    z = (products.mean(axis=0) - exact) / (products.std(axis=0) / math.sqrt(n))
    assert np.abs(z).max() < 5
    assert np.linalg.eigvalsh(exact)[0] > -1e-13 * np.trace(exact)


@given(
    st.lists(st.floats(-1, 1).map(lambda x: round(x, 9)), min_size=15, max_size=15),
    st.floats(-1, 1).filter(lambda a: a == 0 or abs(a) > 1e-50),
)
def test_covariances_are_symmetric_and_follow_permutations(values, slope):
    inputs = np.array(values).reshape(5, 3)
    gain = fm.Gain(fm.LeakyReLU(slope), 3)
    moments = fm.gram_moments(gain, 0.7, inputs @ inputs.T, bias=0.1)
    tensor = moments.covariance()
    size = np.sqrt(moments.mean.diagonal())
    room = 1e-11 * np.multiply.outer(np.outer(size, size), np.outer(size, size))
    for axes in ((1, 0, 2, 3), (0, 1, 3, 2), (2, 3, 0, 1)):
        np.testing.assert_array_equal(tensor, tensor.transpose(axes))
    order = np.array([3, 0, 4, 1, 2])
    shuffled = fm.gram_moments(gain, 0.7, (inputs @ inputs.T)[np.ix_(order, order)], bias=0.1)
    expected = tensor[np.ix_(order, order, order, order)]
    assert np.all(np.abs(shuffled.covariance() - expected) <= room)
    chosen = moments.covariance([3, 1])
    np.testing.assert_array_equal(chosen, tensor[np.ix_([3, 1], [3, 1], [3, 1], [3, 1])])


def test_covariances_of_equal_opposite_and_zero_inputs():
    """Inputs 0 and 1 are the same, 2 is opposite, 3 is zero."""
    x, y, z = np.random.default_rng(8).standard_normal((3, 6))
    inputs = np.array([x, x, -x, 0 * x, y, z])
    moments = fm.gram_moments(fm.Gain("relu", 2), 1.0, inputs @ inputs.T)
    tensor = moments.covariance()
    np.testing.assert_allclose(tensor[0, 4, 1, 5], tensor[0, 4, 0, 5], rtol=1e-12)
    np.testing.assert_allclose(tensor[0, 1, 4, 5], tensor[0, 0, 4, 5], rtol=1e-12)
    # no unit is live for x and -x: E y_0 y_2 y_4 y_5 is 0
    expected = -moments.mean[0, 4] * moments.mean[2, 5] / 2
    np.testing.assert_allclose(tensor[0, 4, 2, 5], expected, rtol=1e-12)
    assert np.all(tensor[3] == 0.0)
    linear = fm.gram_moments(fm.Gain("linear", 2), 1.0, inputs @ inputs.T)
    c = inputs @ inputs.T
    wick = np.einsum("ik,jl->ijkl", c, c) + np.einsum("il,jk->ijkl", c, c)
    np.testing.assert_allclose(linear.covariance(), 2 * wick, rtol=1e-11, atol=1e-13)


def test_covariances_of_too_many_inputs_are_refused():
    moments = fm.gram_moments(fm.Gain("relu", 2), 1.0, np.eye(65))
    with pytest.raises(ValueError, match="1 to 64"):
        moments.covariance()
    assert moments.covariance([64, 2]).shape == (2, 2, 2, 2)
    with pytest.raises(ValueError, match="65 inputs"):
        moments.covariance([65])
    with pytest.raises(TypeError, match="integers"):
        moments.covariance([0.5])


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
