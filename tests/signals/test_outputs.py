"""Joint law of the units of a layer: closed forms, simulation, dependence."""

import math

import numpy as np
import pytest
from scipy import integrate, special, stats

import fracmoment as fm


def bessel(width, n, r):
    """Joint density at norm r of n units z |g|, g of so many normal entries: [N21] at depth 2."""
    order = (width - n) / 2
    constant = 2 * (2 * math.pi) ** (-n / 2) / (2 ** (width / 2) * math.gamma(width / 2))
    return constant * r**order * special.kv(order, r)


@pytest.mark.parametrize("width", [1, 2, 5, 40])
@pytest.mark.parametrize("n", [1, 2, 4])
def test_two_linear_layers_are_bessel_functions(width, n):
    y = fm.Signals([fm.Gain("linear", width), fm.Gain("linear", 4)], 1.0).outputs()
    direction = np.array([0.6, 0.8, 0.0, 0.0])[:n]
    direction = direction / np.linalg.norm(direction)
    r = np.array([0.01, 0.3, 1.0, 4.0, 15.0])
    expected = bessel(width, n, r)
    np.testing.assert_allclose(y.joint_pdf(r[:, np.newaxis] * direction), expected, rtol=1e-8)
    if n == 1:
        np.testing.assert_allclose(y.pdf(-r), expected, rtol=1e-8)


def test_one_layer_has_independent_normal_units():
    y = fm.Signals(fm.Gain("linear", 3), 0.6, 1, bias=0.8, input_norm=1.0).outputs()
    points = np.array([[0.3, -1.0, 2.0], [0.0, 0.0, 0.0]])
    expected = stats.norm.pdf(points).prod(axis=1)
    np.testing.assert_allclose(y.joint_pdf(points), expected, rtol=1e-13)
    np.testing.assert_allclose(y.cdf([-9.0, 0.5]), stats.norm.cdf([-9.0, 0.5]), rtol=1e-13)
    assert y.square_correlation() == y.square_covariance() == 0.0
    assert y.prob_zero(3) == 0.0


NETWORKS = [
    ([fm.Gain("relu", 2), fm.Gain("relu", 3)], 0.0),
    ([fm.Gain("relu", 4), fm.Gain(fm.LeakyReLU(0.3), 3, keep_prob=0.8)], 0.4),
    ([fm.Gain("linear", 3), fm.Gain(fm.LeakyReLU(-0.5), 2)], 0.2),
    (
        [
            fm.Gain("relu", 8),
            fm.Gain("rrelu", 8),
            fm.Gain("linear", 3, keep_prob=0.7, inverted_dropout=False),
        ],
        0.1,
    ),
]


def draw(gains, bias, n, rng):
    """Draw two units of the last layer by explicit weights and masks."""
    x = np.ones((n, 1))
    for gain in gains:
        shape = (n, gain.width, x.shape[1])
        h = 0.7 * np.einsum("nij,nj->ni", rng.standard_normal(shape), x)
        h += bias * rng.standard_normal(h.shape)
        lower, upper = gain.activation.slopes
        x = np.where(h > 0, h, h * rng.uniform(lower, upper, h.shape))
        x *= rng.random(h.shape) < gain.keep_prob
        if gain.inverted_dropout:
            x /= gain.keep_prob
    return x[:, :2]


@pytest.mark.parametrize("network", NETWORKS, ids=repr)
def test_against_explicit_weights(network):
    gains, bias = network
    n = 100_000
    units = draw(gains, bias, n, np.random.default_rng(3))
    y = fm.Signals(gains, 0.7, bias=bias).outputs()
    for count in (1, 2):
        zero, share = (units[:, :count] == 0).all(axis=1).mean(), y.prob_zero(count)
        assert abs(zero - share) <= 5 * math.sqrt(share * (1 - share) / n)
    for level in (-1.5, -0.3, 0.0, 0.4, 2.0):
        share = y.cdf(level)
        error = math.sqrt(share * (1 - share) / n) + 1e-12
        assert abs((units[:, 0] <= level).mean() - share) < 5 * error
        assert y.sf(level) == pytest.approx(1 - share, rel=1e-9)
    squares = units**2
    assert abs(squares[:, 0].mean() - y.square_mean()) < 5 * squares[:, 0].std() / math.sqrt(n)
    products = (squares[:, 0] - y.square_mean()) * (squares[:, 1] - y.square_mean())
    assert abs(products.mean() - y.square_covariance()) < 5 * products.std() / math.sqrt(n)
    spread = (squares[:, 0] - y.square_mean()) ** 2
    assert abs(spread.mean() - y.square_variance()) < 5 * spread.std() / math.sqrt(n)


@pytest.mark.parametrize("network", NETWORKS, ids=repr)
def test_densities_integrate_to_probabilities(network):
    gains, bias = network
    y = fm.Signals(gains, 0.7, bias=bias).outputs()
    for low, high in ((0.05, 0.8), (0.5, 3.0), (-2.0, -0.1)):
        area = integrate.quad(y.pdf, low, high, epsabs=1e-11)[0]
        assert area == pytest.approx(y.cdf(high) - y.cdf(low), abs=1e-9)
    corner = integrate.dblquad(
        lambda a, b: y.joint_pdf([a, b]), 0.2, 0.9, 0.3, 1.2, epsabs=1e-6, epsrel=1e-6
    )[0]
    units = draw(gains, bias, 100_000, np.random.default_rng(4))
    inside = (units[:, 1] > 0.2) & (units[:, 1] < 0.9) & (units[:, 0] > 0.3) & (units[:, 0] < 1.2)
    assert abs(inside.mean() - corner) < 5 * math.sqrt(corner / len(units))


def test_dependence_vanishes_with_the_width():
    found = []
    for width in (10, 100, 1000):
        gains = [fm.Gain("relu", width), fm.Gain("linear", 2)]
        y = fm.Signals(gains, [gains[0].scale(2), 1.0]).outputs()
        found.append(y.square_correlation() * width)
    # Var q/(E q)^2 = 5/width, Var y^2 = 2 (E q)^2 + 3 Var q
    assert found[0] == pytest.approx(10 * 0.5 / (2 + 1.5), rel=1e-12)
    assert found[2] == pytest.approx(2.5, rel=0.01)


def test_stationary_outputs():
    gain = fm.Gain("linear", 4)
    heavy = fm.StationarySignals(gain, gain.scale(3), 1.0).outputs()
    assert heavy.square_covariance() == math.inf
    with pytest.raises(ValueError, match="finite"):
        heavy.square_correlation()
    light = fm.StationarySignals(gain, gain.scale(9), 1.0).outputs()
    deep = fm.Signals(gain, gain.scale(9), 200, bias=1.0).outputs()
    assert light.square_correlation() == pytest.approx(deep.square_correlation(), rel=1e-9)
    assert light.pdf(0.7) == pytest.approx(deep.pdf(0.7), rel=1e-9)
    assert light.cdf(-3.0) == pytest.approx(deep.cdf(-3.0), rel=1e-9)


def test_bad_input():
    relu = fm.Gain("relu", 3)
    y = fm.Signals(relu, 1.0, 2).outputs()
    for call, match in [
        (lambda: y.joint_pdf([0.1] * 4), "1 to 3 units"),
        (lambda: y.joint_pdf(0.1), "1 to 3 units"),
        (lambda: y.prob_zero(4), r"n must be an integer in \[1, 3\]"),
        (lambda: y.pdf(math.nan), "y must be finite"),
        (
            lambda: fm.Signals(fm.Gain("rrelu", 3), 1.0, 2).outputs().pdf(0.1),
            "fixed slope",
        ),
    ]:
        with pytest.raises(ValueError, match=match):
            call()
    with pytest.raises(fm.ConvergenceError, match="close to 0"):
        y.pdf(1e-200)


@pytest.mark.parametrize(
    ("gains", "bias"),
    [
        ([fm.Gain("linear", 6), fm.Gain("linear", 3)], 0.0),
        ([fm.Gain("relu", 4), fm.Gain("relu", 4)], 0.0),
        ([fm.Gain("relu", 4), fm.Gain(fm.LeakyReLU(0.2), 4, keep_prob=0.7)], 0.3),
        ([fm.Gain("relu", 4), fm.Gain(fm.LeakyReLU(-0.5), 4)], 0.3),
    ],
    ids=repr,
)
def test_quantiles_invert_the_distribution_function(gains, bias):
    y = fm.Signals(gains, 0.7, bias=bias).outputs()
    zero, below = y.cdf(0.0), y.cdf(-1e-250)
    levels = np.array([1e-12, 1e-3, 0.1, 0.3, 0.5, 0.8, 0.99])
    for q in levels:
        point, other = y.ppf(q), y.isf(q)
        if q < below or q > zero:
            assert y.cdf(point) == pytest.approx(q, rel=1e-11)
        else:
            assert point == 0.0
        if q < 1 - zero or q > 1 - below:
            assert y.sf(other) == pytest.approx(q, rel=1e-11)
        else:
            assert other == 0.0
    assert y.ppf(levels.reshape(7, 1)).shape == (7, 1)
    assert y.ppf(1.0) == math.inf
    assert y.ppf(0.0) == (-math.inf if below > 0 else 0.0)
    assert isinstance(y.ppf(0.5), float)
    with pytest.raises(ValueError, match="q"):
        y.ppf(1.1)
