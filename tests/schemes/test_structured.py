"""Schemes of given structure: zero, constant, identity, sparse, submatrix weights."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy import stats

import fracmoment as fm
from fracmoment import schemes


def relu(z):
    return np.maximum(z, 0.0)


# ---------------------------------------------------------------- fixed weights


def test_fixed_weights():
    assert not schemes.Zero().sample((3, 4, 2)).any()
    assert np.all(schemes.Constant(-2.5).sample((3, 4, 2)) == -2.5)
    np.testing.assert_array_equal(schemes.Identity(2.0).sample((2, 3)), 2.0 * np.eye(2, 3))


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("transposed", [False, True])
def test_identity_kernels_copy_their_input(groups, transposed):
    kernel = schemes.Identity().sample((4, 4 // groups, 3), groups=groups, transposed=transposed)
    assert np.count_nonzero(kernel) == 4
    for channel in range(4):
        assert kernel[channel, channel % (4 // groups), 1] == 1.0


# ---------------------------------------------------------------- sparse


@pytest.mark.parametrize(("shape", "groups"), [((50, 20), 1), ((40, 5, 3), 2), ((10, 3), 1)])
def test_sparse_counts_are_exact(shape, groups):
    w = schemes.Sparse(3).sample(shape, rng=1, groups=groups)
    assert np.all(np.count_nonzero(w.reshape(shape[0], -1), axis=1) == 3)


def test_places_and_values_of_sparse_weights():
    """Chi-square test of the pairs of places, Kolmogorov and Smirnov of the values, at 1e-5."""
    w = schemes.Sparse(2, std=0.7).sample((30_000, 5), rng=2)
    pairs = np.flatnonzero(w).reshape(-1, 2) % 5
    counts = np.bincount(5 * pairs[:, 0] + pairs[:, 1], minlength=25)
    assert np.count_nonzero(counts) == 10
    assert stats.chisquare(counts[counts > 0]).pvalue > 1e-5
    assert stats.kstest(w[w != 0], stats.norm(scale=0.7).cdf).pvalue > 1e-5
    # the two values of a unit are independent, z-score below 5
    values = w[w != 0].reshape(-1, 2) / 0.7
    assert abs(values.prod(axis=1).mean()) < 5 / math.sqrt(30_000)


def test_default_scale_of_sparse_weights():
    assert schemes.Sparse(15).scale(100, 50) == pytest.approx(math.sqrt(2 / 15))
    assert schemes.Sparse(15, "linear").scale(100, 50) == pytest.approx(1 / math.sqrt(15))
    assert schemes.Sparse(15, std=1.0).scale([20, 100], 50).tolist() == [1.0, 1.0]
    growing = schemes.Sparse(15, std=1.0).statement(100, 50)
    assert growing.preserves.startswith("No moment: the signal grows")
    leaky = schemes.Sparse(4, "leaky_relu").statement(100, 50, 3)
    assert leaky.prob_dead == 0.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: schemes.Sparse(0), "nonzero"),
        (lambda: schemes.Sparse(5, std=-1.0), "std"),
        (lambda: schemes.Sparse(5).sample((4, 4)), "fan_in must be at least the 5 inputs"),
        (lambda: schemes.Sparse(5).statement(8, 4, 2), "at least the 5 inputs"),
        (lambda: schemes.Sparse(5).scale([4, 9], 4), "at least the 5 inputs"),
        (lambda: schemes.Constant(math.nan), "value"),
        (lambda: schemes.Identity(activation="leaky_relu"), "linear or ReLU"),
        (lambda: schemes.Identity(-1.0), "factor"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_sparse_layers_behind_one_layer_may_be_narrow():
    assert schemes.Sparse(5).statement(8, 4).order == 2.0


# ---------------------------------------------------------------- submatrix weights


def submatrix_network(cls, widths, options, bias, rng):
    """Weights and biases of a network, and of its linear twin."""
    layers = []
    for index, (n, d) in enumerate(pairwise(widths)):
        last = index == len(widths) - 2
        position = "first" if index == 0 else ("last" if last else "hidden")
        scheme = cls(position, bias=bias, **options)
        layers.append((scheme.sample((d, n), rng=rng), scheme.sample_bias(n, d, rng=rng)))
    return layers


def twin_of(layers):
    twins = []
    for index, (w, b) in enumerate(layers):
        rows = w.shape[0] if index == len(layers) - 1 else w.shape[0] // 2
        columns = w.shape[1] if index == 0 else w.shape[1] // 2
        twins.append((w[:rows, :columns], b[:rows]))
    return twins


@pytest.mark.parametrize("slope", [0.0, 0.3, -0.4])
@pytest.mark.parametrize("cls", [schemes.GaussianSubmatrix, schemes.LooksLinear])
def test_networks_equal_their_linear_twins(cls, slope):
    rng = np.random.default_rng(3)
    activation = fm.LeakyReLU(slope) if slope else "relu"
    widths = [7, 12, 8, 20, 5]
    layers = submatrix_network(cls, widths, {"activation": activation}, 0.5, rng)
    x = rng.standard_normal((7, 30))
    y, h = x, x
    for w, b in layers[:-1]:
        z = w @ y + b[:, np.newaxis]
        y = np.where(z > 0, z, slope * z)
    y = layers[-1][0] @ y + layers[-1][1][:, np.newaxis]
    for index, (w, b) in enumerate(twin_of(layers)):
        h = (w @ h) * (1 + slope if index else 1.0) + b[:, np.newaxis]
    np.testing.assert_allclose(y, h, rtol=0, atol=1e-13 * np.abs(h).max())
    assert all(b.any() for _, b in layers)


def convolve(kernel, signal):
    """A circular convolution along the last axis."""
    taps = range(kernel.shape[2])
    return sum(kernel[:, :, k] @ np.roll(signal, -k, axis=-1) for k in taps)


@pytest.mark.parametrize("cls", [schemes.GaussianSubmatrix, schemes.LooksLinear])
def test_convolutions_equal_their_linear_twins(cls):
    rng = np.random.default_rng(4)
    kernels = [
        cls("first").sample((6, 3, 3), rng=rng),
        cls("hidden").sample((4, 6, 2), rng=rng),
        cls("last").sample((5, 4, 3), rng=rng),
    ]
    x = rng.standard_normal((3, 11))
    y = convolve(kernels[2], relu(convolve(kernels[1], relu(convolve(kernels[0], x)))))
    h = convolve(kernels[0][:3], x)
    h = convolve(kernels[1][:2, :3], h)
    h = convolve(kernels[2][:, :2], h)
    np.testing.assert_allclose(y, h, rtol=0, atol=1e-13 * np.abs(h).max())


@pytest.mark.parametrize("activation", ["relu", fm.LeakyReLU(0.5)])
@pytest.mark.parametrize("position", ["first", "hidden", "last"])
@pytest.mark.parametrize("preserve", ["rms", "norm"])
def test_gaussian_submatrices_preserve_their_moment(position, preserve, activation, z_score):
    """One z-score a case below 5: one failure in 140,000 seeds for all twelve."""
    scheme = schemes.GaussianSubmatrix(position, activation, order=1.0, preserve=preserve)
    rng = np.random.default_rng(5)
    slope = 0.5 if activation != "relu" else 0.0

    def phi(z):
        return np.where(z > 0, z, slope * z)

    h = rng.standard_normal(4)
    # behind the first layer inputs are pairs
    x = rng.standard_normal(6) if position == "first" else phi(np.concatenate([h, -h]))
    d = 10
    images = (scheme.sample((d, x.size), rng=rng) @ x for _ in range(4000))
    norms = [np.linalg.norm(z if position == "last" else phi(z)) for z in images]
    sample = np.array(norms) / np.linalg.norm(x)
    if preserve == "rms":
        sample *= math.sqrt(x.size / d)
    statement = scheme.statement(x.size, d)
    assert statement.order == 1.0
    assert z_score(sample, 1.0) < 5
    assert z_score(np.log(sample), statement.drift) < 5
    assert statement.prob_dead == 0.0


def test_looks_linear_networks_are_isometries():
    rng = np.random.default_rng(6)
    scheme = schemes.LooksLinear("first")
    statement = scheme.statement(5, 16, 40)
    assert statement.isometry_defect < 1e-12
    assert statement.preserves == "|x| itself, of every input."
    y = x = rng.standard_normal(5)
    for index, (n, d) in enumerate([(5, 16), *[(16, 16)] * 39]):
        layer = schemes.LooksLinear("first" if index == 0 else "hidden")
        y = relu(layer.sample((d, n), rng=rng) @ y)
    assert np.linalg.norm(y) == pytest.approx(np.linalg.norm(x), rel=1e-13)
    narrow = schemes.LooksLinear("hidden", factor=0.9).statement(16, 8)
    part = fm.Gain("linear", 4), fm.Gain("linear", 8)
    assert narrow.drift == pytest.approx(
        math.log(0.9) + part[0].log_mean() - part[1].log_mean(), abs=1e-14
    )


def test_defects_of_submatrices_are_those_of_the_library():
    scheme = schemes.GaussianSubmatrix("first", order=1.0)
    scales = [float(scheme.scale(6, 8)), *[schemes.GaussianSubmatrix(order=1.0).scale(8, 8)] * 4]
    moments = fm.jacobian_moments([6] + [8] * 5, scales, looks_linear=True)
    defect = scheme.statement(6, 8, 5).isometry_defect
    assert defect == pytest.approx(moments.defect[-1], rel=1e-12)


def test_scales_of_submatrices():
    """Order 2 is He's scale in the first and hidden layers, LeCun's in the last."""
    assert schemes.GaussianSubmatrix("first").scale(30, 20) == pytest.approx(math.sqrt(2 / 30))
    assert schemes.GaussianSubmatrix("hidden").scale(30, 20) == pytest.approx(math.sqrt(2 / 30))
    assert schemes.GaussianSubmatrix("last").scale(30, 20) == pytest.approx(math.sqrt(1 / 30))
    scheme = schemes.GaussianSubmatrix(order=0.5, preserve="norm")
    assert scheme.scale(8, [4, 6]).tolist() == [
        fm.init_scale("linear", 4, d, 0.5, preserve="norm") for d in (2, 3)
    ]
    assert schemes.LooksLinear(factor=2.0).scale([4, 8], 6).tolist() == [2.0, 2.0]
    assert scheme.gain(8) == fm.Gain("linear", 4)
    assert schemes.LooksLinear("first").gain(8, 4) == fm.Gain("linear", 4, weights="orthogonal")
    assert schemes.LooksLinear("first").gain(8, 5) is None
    assert schemes.GaussianSubmatrix(activation=fm.LeakyReLU(0.5)).gain(8) is None


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: schemes.GaussianSubmatrix().sample((5, 4)), "fan_out must be even"),
        (lambda: schemes.GaussianSubmatrix().sample((4, 5)), "fan_in must be even"),
        (lambda: schemes.GaussianSubmatrix("last").sample((4, 5)), "fan_in must be even"),
        (lambda: schemes.GaussianSubmatrix("first").scale(4, [4, 5]), "fan_out must be even"),
        (lambda: schemes.GaussianSubmatrix("middle"), "position"),
        (lambda: schemes.GaussianSubmatrix(activation="rrelu"), "fixed slope"),
        (lambda: schemes.GaussianSubmatrix(activation=fm.LeakyReLU(-1.0)), "other than -1"),
        (lambda: schemes.GaussianSubmatrix(bias=-1.0), "bias"),
        (lambda: schemes.GaussianSubmatrix(order=-3.0).scale(4, 4), "order"),
        (lambda: schemes.LooksLinear().sample((4, 2, 3), groups=2), "groups must be 1"),
        (lambda: schemes.LooksLinear("last").statement(4, 4, 2), "depth must be 1"),
        (lambda: schemes.LooksLinear(factor=0.0), "factor"),
    ],
)
def test_bad_submatrices(call, message):
    with pytest.raises(ValueError, match=message):
        call()
