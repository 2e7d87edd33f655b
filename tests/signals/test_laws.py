"""Laws of norms at finite depth and stationary ones: references, limits, simulation."""

import csv
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import fracmoment as fm
from tests.reference.tables import FOLDER, relative_error


def table(name):
    with (FOLDER / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def gain_of(text):
    kind, *slope, width = text.split(":")
    return fm.Gain(fm.LeakyReLU(float(slope[0])) if kind == "leaky" else kind, int(width))


@pytest.mark.parametrize("row", table("signal_laws"), ids=lambda row: f"{row['layers']} {row['r']}")
def test_two_layers_against_numerical_integration(row):
    gains = [gain_of(text) for text in row["layers"].split("+")]
    x = fm.Signals(gains, float(row["sigma"]), bias=float(row["bias"]))
    found = x.cdf(float(row["r"])) - x.prob_dead()
    exact = Fraction(row["probability"])
    assert abs(found - float(exact)) < 1e-13
    conditional = x.cdf(float(row["r"]), given_alive=True) * (1 - x.prob_dead())
    assert relative_error(conditional, exact) < 1e-12


RARE = [row for row in table("rare_events") if float(row["log_probability"]) > -45]


@pytest.mark.parametrize("row", RARE, ids=lambda row: "{layers} {level}".format(**row))
def test_products_of_gains_against_inversion_at_30_digits(row):
    """Without biases the signal is a product of gains; tails down to e^-45."""
    gains = [gain_of(text) for text in row["layers"].split("+")] * int(row["repeats"])
    x = fm.Signals(gains, [1.0] * len(gains))
    point = math.exp(float(row["level"]))
    share = x.sf if row["side"] == "above" else x.cdf
    found = math.log(share(point, given_alive=True))
    assert found == pytest.approx(float(row["log_probability"]), rel=0, abs=1e-7)


def test_enough_rare_events():
    assert len(RARE) >= 4


@pytest.mark.parametrize("keep", [1.0, 0.5])
@pytest.mark.parametrize("activation", ["linear", "relu", fm.LeakyReLU(0.1)])
def test_one_layer_is_its_gain(activation, keep):
    gain = fm.Gain(activation, 5, keep_prob=keep)
    x = fm.Signals(gain, 0.5, 1, bias=1.2, input_norm=1.0)
    r = np.linspace(0.01, 8, 40)
    scale = math.hypot(0.5, 1.2)
    np.testing.assert_allclose(x.cdf(r), gain.cdf(r / scale), rtol=1e-11)
    np.testing.assert_allclose(x.sf(r), gain.sf(r / scale), rtol=1e-11)
    np.testing.assert_allclose(x.pdf(r), gain.pdf(r / scale) / scale, rtol=1e-11)
    assert x.cdf(0.0) == x.prob_dead() == gain.prob_zero()
    assert x.cdf(-1.0) == x.pdf(-1.0) == x.pdf(0.0) == 0.0
    assert x.sf(-1.0) == 1.0
    assert x.ppf([0.0, 1.0]).tolist() == [0.0, math.inf]


CASES = [
    (fm.Gain("relu", 16), 0.35, 20, 0.1),
    (fm.Gain("relu", 1), 1.0, 3, 0.5),
    (fm.Gain("linear", 4), 0.5, 40, 0.2),
    (fm.Gain("relu", 1000), 0.045, 60, 0.01),
    (fm.Gain("leaky_relu", 2), 0.5, 10, 1e-5),
    (fm.Gain("relu", 4, keep_prob=0.8), 0.8, 5, 0.0),
    ([fm.Gain("relu", 100), fm.Gain("rrelu", 3), fm.Gain("linear", 10)], 0.3, None, [0.1, 0, 0.3]),
]


@pytest.mark.parametrize("case", CASES, ids=repr)
def test_against_the_exact_recursion_and_a_finer_lattice(case):
    gain, sigma, depth, bias = case
    x = fm.Signals(gain, sigma, depth, bias=bias, input_norm=0.7)
    assert x.error_estimate() < 1e-10
    moments = x.moments()
    square = fm.NormLaw.moment(x, 2.0)
    assert square == pytest.approx(moments.mean[-1], rel=1e-11)
    assert x.moment(2) == moments.mean[-1]


@pytest.mark.parametrize("case", CASES, ids=repr)
def test_against_simulation(case):
    """A Kolmogorov-Smirnov test a case, each with a failure probability of 1e-6."""
    gain, sigma, depth, bias = case
    x = fm.Signals(gain, sigma, depth, bias=bias)
    n = 20_000
    y = fm.simulate_signals(gain, sigma, depth, [[1.0]], n, bias=bias, rng=5).log_norms[:, 0]
    norms = np.exp(y)
    dead = (norms == 0).sum()
    share = x.prob_dead()
    assert abs(dead - n * share) <= 5 * math.sqrt(n * share * (1 - share)) + 1e-9
    alive = norms[norms > 0]
    assert stats.kstest(alive, lambda r: x.cdf(r, given_alive=True)).pvalue > 1e-6
    assert stats.kstest(x.rvs(n, rng=2), norms).pvalue > 1e-6


@given(
    st.sampled_from(["linear", "relu", fm.LeakyReLU(-0.3)]),
    st.integers(1, 300),
    st.floats(0.1, 1.5),
    st.integers(1, 4),
    st.sampled_from([0.0, 1e-3, 1.0]),
    st.lists(st.floats(0.0, 1.0), min_size=4, max_size=20),
)
@settings(max_examples=12)
def test_distribution_functions(activation, width, relative, depth, bias, levels):
    gain = fm.Gain(activation, width)
    x = fm.Signals(gain, relative * gain.scale(2), depth, bias=bias)
    q = np.sort(np.array(levels))
    r = x.ppf(q)
    assert np.all(r[1:] >= r[:-1])  # also for two infinite ones
    inner = (r > 0) & np.isfinite(r)
    np.testing.assert_allclose(x.cdf(r[inner]), q[inner], rtol=0, atol=1e-10)
    assert np.all(q[r == 0] <= x.prob_dead() + 1e-15)
    points = np.sort(np.concatenate([r[inner], np.geomspace(1e-8, 1e4, 60)]))
    cdf = x.cdf(points)
    assert np.all(np.diff(cdf) >= -1e-12)
    np.testing.assert_allclose(cdf + x.sf(points), 1.0, rtol=0, atol=1e-10)
    # the density is the slope of the distribution function
    middle = x.ppf(x.prob_dead() + (1 - x.prob_dead()) * 0.4)
    h = 1e-4 * middle
    slope = (x.cdf(middle + h) - x.cdf(middle - h)) / (2 * h)
    assert x.pdf(middle) == pytest.approx(slope, rel=1e-4)


def test_wide_layers_are_mean_field():
    """The variance of log |x|^2 is that of the linearized chain, up to order 1/width."""
    for width in (10**3, 10**5):
        gain, bias, depth = fm.Gain("relu", width), 1.0, 8
        sigma = 0.8 * gain.scale(2)
        x = fm.Signals(gain, sigma, depth, bias=bias, input_norm=math.sqrt(width))
        mean = fm.norm_moments(gain, sigma, depth, bias=bias, input_norm=math.sqrt(width)).mean[-1]
        spread = (math.log(x.ppf(0.8413447460685429)) - math.log(x.ppf(0.15865525393145707))) / 2
        q = fm.norm_moments(gain, sigma, depth, bias=bias, input_norm=math.sqrt(width))
        assert x.ppf(0.5) ** 2 == pytest.approx(mean, rel=4 * depth / width)
        expected = 0.5 * math.sqrt(q.relative_variance[-1])
        assert spread == pytest.approx(expected, rel=20 * depth / width)


def test_moments_of_other_orders():
    gain = fm.Gain("linear", 6)
    sigma, depth = 0.4, 7
    x = fm.Signals(gain, sigma, depth)
    for s in (-2.5, -1.0, 0.3, 1.0, 3.0, 6.0):
        assert x.moment(s) == pytest.approx(
            gain.moment(s) ** depth * sigma ** (s * depth), rel=1e-9
        )
    relu = fm.Gain("relu", 3)
    y = fm.Signals(relu, 0.5, 4)
    exact = (0.5**0.5 * relu.moment(0.5)) ** 4
    assert y.moment(0.5) == pytest.approx(exact, rel=1e-11)
    assert y.mean() == y.moment(1.0)
    alive = y.moment(0.5, given_alive=True) * (1 - y.prob_dead())
    assert alive == pytest.approx(exact, rel=1e-11)
    with pytest.raises(ValueError, match="order must be > 0"):
        y.moment(-0.5)


STATIONARY = [
    (fm.Gain("relu", 16), 2.0, 0.1),
    (fm.Gain("linear", 1), 1.0, 0.1),
    (fm.Gain("relu", 2), 0.5, 1.0),
    (fm.Gain("leaky_relu", 64), 6.0, 0.3),
    (fm.Gain("relu", 4, keep_prob=0.7), 3.0, 1.0),
]


@pytest.mark.parametrize("case", STATIONARY, ids=repr)
def test_stationary_law_against_simulation(case):
    gain, order, bias = case
    sigma, n = gain.scale(order), 50_000
    x = fm.StationarySignals(gain, sigma, bias)
    y = np.exp(fm.simulate_stationary_norms(gain, sigma, bias, n, rng=1))
    assert x.prob_dead() == gain.prob_zero()
    assert stats.kstest(y[y > 0], lambda r: x.cdf(r, given_alive=True)).pvalue > 1e-6
    assert x.error_estimate() < 1e-10
    for level in (2.0, 6.0):
        log_r = math.log(bias) + level
        tail = fm.stationary_tail(gain, sigma, bias, log_r, n_samples=20_000, rng=2)
        ratio = x.sf(math.exp(log_r)) / math.exp(tail.log_probability)
        assert abs(ratio - 1) < 5 * tail.relative_error


@pytest.mark.parametrize("case", STATIONARY, ids=repr)
def test_the_power_tail(case):
    gain, order, bias = case
    x = fm.StationarySignals(gain, gain.scale(order), bias)
    assert x.tail_index == pytest.approx(order, rel=1e-9)
    top = math.exp(0.5 * x._law.edges[-1])
    tail = fm.power_tail(gain, gain.scale(order), bias)
    for r in (top, 1e3 * top):
        share = x.sf(r) * r**x.tail_index / tail.constant
        assert abs(share - 1) < 1e-6 + tail.relative_error
    assert x.moment(order * (1 + 1e-8)) == x.moment(order + 1) == math.inf
    assert x.moment(0.99 * order) > x.moment(0.5 * order)


def test_stationary_moments():
    gain, bias = fm.Gain("relu", 8), 0.4
    sigma = gain.scale(7.0)
    x = fm.StationarySignals(gain, sigma, bias)
    deep = fm.norm_moments(gain, sigma, 1000, bias=bias)
    assert x.moment(2) == pytest.approx(x.square_mean(), rel=1e-11)
    assert x.square_mean() == pytest.approx(deep.mean[-1], rel=1e-12)
    assert x.moment(4) == pytest.approx(deep.fourth[-1], rel=1e-9)
    assert fm.StationarySignals(gain, gain.scale(1.9), bias).square_mean() == math.inf


def test_deep_signals_are_stationary():
    gain, bias = fm.Gain("leaky_relu", 8), 0.4
    sigma = 0.8 * gain.scale(0)
    x, y = fm.Signals(gain, sigma, 300, bias=bias), fm.StationarySignals(gain, sigma, bias)
    r = y.ppf(np.linspace(0.001, 0.999, 50))
    np.testing.assert_allclose(x.cdf(r), y.cdf(r), rtol=0, atol=1e-10)
    assert abs(fm.Signals(gain, sigma, 1, bias=bias).cdf(r) - y.cdf(r)).max() > 0.01


def test_repr():
    x = fm.Signals(fm.Gain("relu", 4), 0.5, 2, bias=[0.1, 0.2], input_norm=3.0)
    assert eval(repr(x), vars(fm)).cdf(1.0) == x.cdf(1.0)
    assert x.depth == 2
    y = fm.StationarySignals(fm.Gain("relu", 4), 0.5, 0.25)
    assert eval(repr(y), vars(fm)).cdf(1.0) == y.cdf(1.0)


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda g: fm.Signals(g, 1.0, 2, input_norm=0.0), ValueError, "input_norm must be > 0"),
        (lambda g: fm.Signals(g, 1.0, 2, bias=-1.0), ValueError, "bias must be >= 0"),
        (lambda g: fm.Signals(g, 0.0, 2), ValueError, "sigma must be > 0"),
        (lambda g: fm.Signals(g, 1.0, 0), ValueError, "depth must be"),
        (lambda g: fm.Signals("relu", 1.0, 2), TypeError, "gain must be a Gain"),
        (
            lambda g: fm.Signals(fm.Gain("relu", 3, weights="orthogonal"), 1.0, 2),
            ValueError,
            "weights='gaussian'",
        ),
        (lambda g: fm.Signals(g, 1.0, 2).cdf(math.nan), ValueError, "r must be finite"),
        (lambda g: fm.Signals(g, 1.0, 2).ppf(1.5), ValueError, "q must be in"),
        (lambda g: fm.Signals(g, 1.0, 2).moment(math.inf), ValueError, "order must be finite"),
        (lambda g: fm.StationarySignals(g, 0.5, 0.0), ValueError, "bias must be > 0"),
        (lambda g: fm.StationarySignals(fm.Gain("linear", 3), 5.0, 1.0), ValueError, "tail index"),
        (lambda g: fm.StationarySignals(g, 0.5, 1.0).moment(-1), ValueError, "order must be > 0"),
    ],
)
def test_bad_input(call, error, match):
    with pytest.raises(error, match=match):
        call(fm.Gain("relu", 3))


def test_extreme_scales():
    gain = fm.Gain("linear", 10)
    up, down = fm.Signals(gain, 1e80, 4), fm.Signals(gain, 1e-120, 4)
    assert up.ppf([0.1, 0.9]).tolist() == [math.inf, math.inf]
    assert down.ppf([0.1, 0.9]).tolist() == [0.0, 0.0]
    assert up.sf(1e300) == pytest.approx(1.0, rel=1e-15)
    assert down.cdf(1e-300) == pytest.approx(1.0, rel=1e-15)
    mixed = fm.Signals(gain, 1e150, 2, bias=1e-150)  # the biases vanish
    plain = fm.Signals(gain, 1.0, 2)
    assert mixed.cdf(1e301) == pytest.approx(plain.cdf(10.0), rel=1e-12)
    born = fm.Signals(gain, 0.1, 3, bias=0.3, input_norm=0.0)  # lives by its biases
    assert born.error_estimate() < 1e-12
    assert born.moment(2) == pytest.approx(fm.NormLaw.moment(born, 2.0), rel=1e-12)
    with pytest.raises(OverflowError, match="range of doubles"):
        up.moment(2)


def test_a_law_too_wide_for_a_lattice_is_refused():
    with pytest.raises(fm.ConvergenceError, match="differ too much"):
        fm.Signals([fm.Gain("relu", 1), fm.Gain("relu", 1), fm.Gain("linear", 10**6)], 1.0)
    gain = fm.Gain("linear", 10**6)
    with pytest.raises(fm.ConvergenceError, match="too small"):
        fm.StationarySignals(gain, gain.scale(0.01), 1.0)
