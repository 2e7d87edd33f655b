"""Mean field: maps, fixed points, stability, and the distance to finite width."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fracmoment as fm

ACTIVATIONS = [fm.ReLU(), fm.LeakyReLU(0.2), fm.LeakyReLU(-0.6), fm.Linear()]
RAGGED = [*ACTIVATIONS, fm.RandomizedLeakyReLU(0.1, 0.6)]


def field(activation, chi, bias, **options):
    gain = fm.Gain(activation, 50, **options)
    return fm.MeanField(gain, math.sqrt(chi) * gain.scale(2), bias=bias)


@pytest.mark.parametrize("activation", RAGGED, ids=repr)
def test_the_correlation_map_is_the_kernel(activation):
    c = np.linspace(-1, 1, 41)
    for keep in (1.0, 0.6):
        gain = fm.Gain(activation, 1, keep_prob=keep)
        ratio = fm.pair_kernels(gain, c).mean / fm.pair_kernels(gain, 1.0).mean
        free = fm.MeanField(gain, gain.scale(2))
        np.testing.assert_allclose(free.correlation_map(c), ratio, rtol=0, atol=2e-15)
        noisy = fm.MeanField(gain, gain.scale(2), bias=0.5)
        expected = (2.0 * ratio + 0.25) / 2.25
        np.testing.assert_allclose(
            noisy.correlation_map(c, variance=2.0), expected, rtol=0, atol=2e-15
        )


@given(
    st.sampled_from(ACTIVATIONS), st.floats(0.05, 0.999), st.floats(0.01, 10.0), st.floats(-1, 1)
)
def test_signals_converge_to_the_fixed_points(activation, chi, bias, cosine):
    f = field(activation, chi, bias)
    assert f.chi == pytest.approx(chi, rel=1e-12)
    q = f.fixed_variance()
    assert f.variance_map(q) == pytest.approx(q, rel=1e-13)
    assert f.correlation_map(1.0) == f.fixed_cosine() == 1.0
    assert f.correlation_map(cosine) >= cosine
    assert f.bias_share() == pytest.approx(bias**2 / q, rel=1e-9)


def test_the_depth_scale_is_the_rate_of_convergence():
    for activation in ACTIVATIONS:
        f = field(activation, 0.8, 0.3)
        gap = f.gap_map(1e-20)
        assert math.log(1e-20 / gap) == pytest.approx(1 / f.depth_scale(), rel=1e-9)
        assert f.depth_scale() == pytest.approx(-1 / math.log(f.chi), rel=1e-12)


@pytest.mark.parametrize("activation", ACTIVATIONS[:3], ids=repr)
def test_algebraic_convergence_at_the_edge_of_chaos(activation):
    f = field(activation, 1.0, 0.0)
    assert f.depth_scale() == math.inf
    slope = activation.slopes[0]
    g = (1 - slope) ** 2 / (1 + slope**2)
    gap, k = 1.0, 20_000
    for _ in range(k):
        gap = f.gap_map(gap)
    assert gap * 2 * g**2 * k**2 / (9 * math.pi**2) == pytest.approx(1.0, rel=0.02)


def test_critical_scale():
    f = field("relu", 0.5, 0.0)
    assert f.critical_sigma == math.sqrt(2 / 50)
    assert fm.MeanField(fm.Gain("relu", 50), f.critical_sigma).chi == pytest.approx(1, rel=1e-15)


def test_variances_without_a_fixed_point():
    assert field("relu", 0.5, 0.0).fixed_variance() == 0.0
    assert field("relu", 1.5, 0.1).fixed_variance() == math.inf
    critical = fm.MeanField(fm.Gain("linear", 4), 0.5)
    with pytest.raises(ValueError, match="every variance is a fixed point"):
        critical.fixed_variance()
    with pytest.raises(ValueError, match="depend on the input"):
        critical.fixed_cosine()
    with pytest.raises(ValueError, match="stationary law"):
        critical.relative_variance()
    assert fm.MeanField(fm.Gain("linear", 4), 0.5, bias=0.1).fixed_cosine() == 1.0


def test_mean_field_gram_is_the_maps():
    gain = fm.Gain("relu", 30)
    sigma, bias = 0.9 * gain.scale(2), 0.2
    gram = np.array([[2.0, -0.5], [-0.5, 2.0]])
    path = fm.mean_field_gram(gain, sigma, 6, gram, bias=bias)
    f = fm.MeanField(gain, sigma, bias=bias)
    covariance = sigma**2 * gram + bias**2
    q, c = covariance[0, 0], covariance[0, 1] / covariance[0, 0]
    for k in range(1, 6):
        q, c = f.variance_map(q), f.correlation_map(c, variance=q)
        covariance = sigma**2 * path[k] + bias**2
        assert covariance[0, 0] == pytest.approx(q, rel=1e-13)
        assert covariance[0, 1] == pytest.approx(c * q, rel=1e-13)


def test_norms_are_exact_and_products_are_not():
    """Means of norms are those of mean field at any width; products deviate as 1/width."""
    inputs, depth, n = np.array([[1.0, 0.0], [0.0, 1.0]]), 4, 100_000
    deviations = []
    for width in (8, 64):
        gain = fm.Gain("relu", width)
        sigma = gain.scale(2)
        signals = fm.simulate_signals(gain, sigma, depth, inputs, n, bias=0.1, rng=width)
        gram = signals.gram()
        exact = fm.mean_field_gram(gain, sigma, depth, np.eye(2), bias=0.1)[-1]
        error = gram.std(axis=0) / math.sqrt(n)
        assert abs(gram.mean(axis=0)[0, 0] - exact[0, 0]) < 5 * error[0, 0]
        deviations.append((gram.mean(axis=0)[0, 1] - exact[0, 1], error[0, 1]))
    (narrow, e_narrow), (wide, e_wide) = deviations
    assert abs(narrow) > 5 * e_narrow
    assert abs(wide) < abs(narrow) / 3 + 5 * e_wide


def test_relative_variance_of_the_stationary_law():
    gain, bias, n = fm.Gain("relu", 16), 0.3, 200_000
    sigma = gain.scale(8.0)
    f = fm.MeanField(gain, sigma, bias=bias)
    x = np.exp(2 * fm.simulate_stationary_norms(gain, sigma, bias, n, rng=3))
    q = (sigma**2 * x + bias**2) / f.fixed_variance()
    assert abs(q.mean() - 1) < 5 * q.std() / math.sqrt(n)
    squares = (q - 1) ** 2
    assert abs(squares.mean() - f.relative_variance()) < 5 * squares.std() / math.sqrt(n)
    deep = fm.norm_moments(gain, sigma, 2000, bias=bias)
    relative = deep.variance[-1] * sigma**4 / f.fixed_variance() ** 2
    assert relative == pytest.approx(f.relative_variance(), rel=1e-12)
    # a tail index below 4 has no variance
    assert fm.MeanField(gain, gain.scale(3.9), bias=bias).relative_variance() == math.inf
    assert fm.MeanField(gain, gain.scale(4.1), bias=bias).relative_variance() < math.inf


def test_wide_layers_are_mean_field():
    for width in (10**3, 10**6, 10**9):
        gain = fm.Gain("relu", width)
        f = fm.MeanField(gain, math.sqrt(0.5) * gain.scale(2), bias=1.0)
        assert f.relative_variance() == pytest.approx((5 / width) * 0.25 / 0.75, rel=10 / width)


def test_repr_and_bad_input():
    f = field("relu", 0.5, 0.25)
    assert eval(repr(f), vars(fm)).chi == f.chi
    for call, match in [
        (lambda: f.variance_map(-1.0), "variance must be >= 0"),
        (lambda: f.correlation_map(2.0), r"cosine must be in \[-1, 1\]"),
        (lambda: f.gap_map([0.1, 3.0]), r"gap must be in \[0, 2\]"),
        (lambda: f.correlation_map(0.5, variance=0.0), "variance must be > 0"),
        (lambda: fm.MeanField(fm.Gain("relu", 4), math.nan), "sigma must be finite"),
        (lambda: fm.mean_field_gram(fm.Gain("relu", 4), 1.0, 2, np.ones(3)), "gram must be"),
    ]:
        with pytest.raises(ValueError, match=match):
            call()
