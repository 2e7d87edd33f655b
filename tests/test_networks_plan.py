"""The law of the log-norm of a network, and plans."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy import integrate, optimize, special, stats

import fracmoment as fm
from fracmoment.networks import advice, parse_widths, plan_network
from fracmoment.networks.laws import LayerLaw, gains_of, known_tail_index
from fracmoment.networks.plan import known_scales


def law(activation, fan_in, fan_out, **options):
    return LayerLaw(fm.activations.as_activation(activation), fan_in, fan_out, **options)


def network(layers):
    return fm.DepthLaw(gains_of(layers), 1.0, len(layers))


# ---------------------------------------------------------------- quantiles and cumulants


@pytest.mark.parametrize("probability", [0.05, 0.5, 0.95])
@pytest.mark.parametrize("width", [1, 2, 7, 64, 1000])
def test_one_linear_layer_has_the_quantiles_of_chi(width, probability):
    expected = 0.5 * math.log(stats.chi2.ppf(probability, width))
    quantile = network([law("linear", width, width)]).ppf(probability)
    assert quantile == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("width", [1, 2, 8, 64])
def test_one_relu_layer_has_the_median_of_the_mixture(width):
    n = np.arange(1, width + 1)
    weights = stats.binom.pmf(n, width, 0.5) / -math.expm1(-width * math.log(2))

    def excess(log_norm):
        return float(np.sum(weights * stats.chi2.cdf(math.exp(2 * log_norm), n))) - 0.5

    expected = optimize.brentq(excess, -3, 5, xtol=1e-13)
    assert network([law("relu", width, width)]).median() == pytest.approx(expected, abs=1e-11)


def test_two_linear_layers_of_width_two_have_a_bessel_function_for_a_law():
    # |x_2|^2 is 4 times a product of two exponentials: P(X Y > t) = 2 sqrt(t) K_1(2 sqrt(t)).
    def excess(t):
        return 2 * math.sqrt(t) * special.k1(2 * math.sqrt(t)) - 0.5

    expected = 0.5 * math.log(4 * optimize.brentq(excess, 1e-3, 5, xtol=1e-15))
    median = network([law("linear", 2, 2)] * 2).median()
    assert median == pytest.approx(expected, abs=1e-12)


def test_wide_layers_have_the_median_of_chi():
    for width in (450_000, 550_000):
        expected = 0.5 * math.log(stats.chi2.ppf(0.5, width))
        assert network([law("linear", width, width)]).median() == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize(("fan_in", "fan_out"), [(64, 10), (65, 64), (5, 1), (400, 64)])
def test_orthogonal_rows_of_a_narrowing_linear_layer_give_a_beta_law(fan_in, fan_out):
    # |W x|^2 / |x|^2 is the norm of fan_out coordinates of a random unit vector.
    a, b = fan_out / 2, (fan_in - fan_out) / 2
    layer = law("linear", fan_in, fan_out, weights="orthogonal")
    assert layer.log_mean == pytest.approx(0.5 * (special.digamma(a) - special.digamma(a + b)))
    var = 0.25 * (special.polygamma(1, a) - special.polygamma(1, a + b))
    assert layer.log_var == pytest.approx(var, rel=1e-9)
    order = 1.7
    moment = math.exp(special.betaln(a + order / 2, b) - special.betaln(a, b))
    assert layer.scale(order) == pytest.approx(moment ** (-1 / order), rel=1e-12)
    expected = 0.5 * math.log(stats.beta.ppf(0.5, a, b))
    assert network([layer]).median() == pytest.approx(expected, abs=1e-12)


def test_orthogonal_relu_layers_against_random_rotations():
    # Fails by chance with probability below 1e-5.
    rng = np.random.default_rng(3)
    n_samples, fan_in, fan_out = 40_000, 12, 5
    g = rng.normal(size=(n_samples, fan_in))
    ratio = np.linalg.norm(np.maximum(g[:, :fan_out], 0), axis=1) / np.linalg.norm(g, axis=1)
    logs = np.log(ratio[ratio > 0])
    layer = law("relu", fan_in, fan_out, weights="orthogonal")
    assert abs(logs.mean() - layer.log_mean) < 4.5 * math.sqrt(layer.log_var / logs.size)
    spread = np.var((logs - layer.log_mean) ** 2)
    assert abs(logs.var() - layer.log_var) < 4.5 * math.sqrt(spread / logs.size)


def test_square_orthogonal_linear_layers_are_isometries():
    layers = [law("linear", 16, 16, weights="orthogonal")] * 50
    assert network(layers).mean() == pytest.approx(0, abs=1e-12)
    assert network(layers).median() == pytest.approx(0, abs=1e-12)
    assert known_tail_index(gains_of(layers), [1.0] * 50) == 0.0
    assert known_tail_index(gains_of(layers), [0.9] * 50) == math.inf


def test_equal_layers_are_grouped():
    layers = [law("relu", 8, 8)] * 5 + [law("relu", 8, 3)]
    gains = gains_of(layers)
    assert len({id(gain) for gain in gains}) == 2
    whole = network(layers)
    assert whole.mean() == pytest.approx(sum(x.log_mean for x in layers), rel=1e-14)
    assert whole.var() == pytest.approx(sum(x.log_var for x in layers), rel=1e-14)
    assert whole.prob_dead() == pytest.approx(1 - (1 - 2**-8) ** 5 * (1 - 2**-3), rel=1e-13)


@pytest.mark.parametrize("order", [0.3, 1.0, 2.0, 5.5])
def test_a_network_of_scales_of_one_order_has_it_as_tail_index(order):
    layers = [
        law("relu", 30, 20),
        law(fm.LeakyReLU(0.2), 20, 8),
        law("linear", 8, 8, weights="orthogonal"),
        law("relu", 8, 12, keep_prob=0.75),
    ]
    found = known_tail_index(gains_of(layers), [x.scale(order) for x in layers])
    assert found == pytest.approx(order, rel=1e-11)


def test_growing_networks_have_no_tail_index():
    layers = [law("linear", 9, 9)] * 3
    assert known_tail_index(gains_of(layers), [1.0] * 3) == 0.0


# ---------------------------------------------------------------- schemes


def test_hes_scale_by_quadrature():
    for activation in (
        fm.Linear(),
        fm.ReLU(),
        fm.LeakyReLU(-0.7),
        fm.RandomizedLeakyReLU(0.1, 0.4),
    ):
        lower, upper = activation.slopes
        slopes = integrate.quad(lambda a: a * a, lower, upper)[0] / (upper - lower or 1)
        mean_square = slopes if upper > lower else lower * lower
        he = known_scales(law(activation, 1, 1), "rms")["he"]
        assert he**-2 == pytest.approx((1 + mean_square) / 2)


def test_known_scales_are_the_published_ones():
    scales = known_scales(law("relu", 100, 50), "rms")
    assert scales["he"] == pytest.approx(math.sqrt(2 / 100))
    assert scales["lecun"] == pytest.approx(0.1)
    assert scales["glorot"] == pytest.approx(math.sqrt(2 / 150))
    assert scales["lyapunov"] == fm.init_scale("relu", 100, 50, 0)
    assert known_scales(law("relu", 100, 50), "norm")["he"] == pytest.approx(math.sqrt(2 / 50))
    # torch's gain for leaky ReLU is sqrt(2 / (1 + a^2)).
    leaky = known_scales(law(fm.LeakyReLU(0.5), 100, 100), "rms")["he"]
    assert leaky == pytest.approx(math.sqrt(2 / 1.25) / 10)
    square = known_scales(law("relu", 64, 64, weights="orthogonal"), "rms")
    assert square["he"] == pytest.approx(math.sqrt(2))


# ---------------------------------------------------------------- plans


def test_scales_of_a_plan_are_those_of_init_scale():
    widths = [784, *[64] * 20, 10]
    for preserve in ("rms", "norm"):
        plan = plan_network(widths, "relu", 1, preserve=preserve)
        for layer, (fan_in, fan_out) in zip(plan.layers, pairwise(widths), strict=True):
            name = "relu" if layer is not plan.layers[-1] else "linear"
            assert layer.scale == fm.init_scale(name, fan_in, fan_out, 1, preserve=preserve)
        assert plan.outcome.tail_index == pytest.approx(1, rel=1e-10)
        assert plan.outcomes["he"].tail_index == pytest.approx(2, rel=1e-10)
        assert plan.outcomes["lyapunov"].log_mean == pytest.approx(0, abs=1e-12)
        assert 0.0 < plan.outcomes["lyapunov"].tail_index < 1e-8  # layers may die


def test_conventions_differ_by_the_widths_of_the_ends():
    # The same weights seen as norm or root mean square: LeCun's fan_in scales of the rms
    # convention, and the same scales given to the norm convention through square layers.
    rms = plan_network([50, 20, 20], "relu", 1, preserve="rms")
    norm = plan_network([50, 20, 20], "relu", 1, preserve="norm")
    assert rms.outcome.log_mean == pytest.approx(norm.outcome.log_mean, rel=1e-12)
    glorot = rms.outcomes["glorot"].log_mean - norm.outcomes["glorot"].log_mean
    assert glorot == pytest.approx(-0.5 * math.log(20 / 50), rel=1e-12)


def test_a_hundred_relu_layers_of_width_16_collapse():
    plan = plan_network([16] * 101, "relu", 2, last=None)
    assert round(plan.outcome.log_median, 1) == -8.8
    assert plan.outcome.log_std == pytest.approx(math.sqrt(100 * fm.Gain("relu", 16).log_var()))
    assert plan.depth_over_width == pytest.approx(6.25)
    assert plan.prob_dead == pytest.approx(-math.expm1(100 * math.log1p(-(2.0**-16))))
    text = advice(plan)
    assert "exp(-8.8)" in text
    assert "large" in text


def test_advice_depends_on_depth_over_width():
    assert "small" in advice(plan_network([100] * 4, "relu", 1))
    assert "begins to matter" in advice(plan_network([64] * 42, "relu", 1))
    assert "dead" in advice(plan_network([3] * 10, "relu", 1))
    assert "one constant" in advice(plan_network([64] * 99, "linear", 1, weights="orthogonal"))
    assert "Orthogonal weights remove it" in advice(plan_network([9] * 99, "linear", 1))


def test_dropout_belongs_to_hidden_layers():
    plan = plan_network([20, 20, 20], "relu", 1, keep_prob=0.8)
    assert plan.layers[0].scale == fm.init_scale("relu", 20, 20, 1, keep_prob=0.8)
    assert plan.layers[1].scale == fm.init_scale("linear", 20, 20, 1)
    same = plan_network([20, 20, 20], "relu", 1, keep_prob=0.8, last=None)
    assert same.layers[1].scale == same.layers[0].scale


def test_intervals_hold_the_median():
    plan = plan_network([10] * 12, "relu", 1)
    low, high = plan.log_interval
    assert low < plan.outcome.log_median < high
    assert high - low == pytest.approx(2 * 1.645 * plan.outcome.log_std, rel=0.05)


@pytest.mark.parametrize(
    ("text", "widths"),
    [
        ("784,64x20,10", [784, *[64] * 20, 10]),
        ("3,2", [3, 2]),
        (" 3 , 2*2 ", [3, 2, 2]),
        ("16x3", [16, 16, 16]),
    ],
)
def test_widths(text, widths):
    assert parse_widths(text) == widths


@pytest.mark.parametrize(
    "text",
    ["", "10", "a,b", "10,", "0,3", "3x0,2", "-3,2", "3.5,2", "10x9999999", "1" * 30 + ",2"],
)
def test_widths_that_are_none(text):
    with pytest.raises(ValueError) as caught:
        parse_widths(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("order", [-1.0, math.nan, math.inf])
def test_orders_outside_the_range(order):
    with pytest.raises(ValueError, match="order"):
        plan_network([4, 4], "relu", order)


def test_scales_that_overflow_are_refused():
    with pytest.raises(ValueError, match="no scale within the range"):
        plan_network([3, 3, 3], "relu", 1e-300)
    # At this order single layers have scales, but those of the search for a tail index overflow.
    plan = plan_network([3, 3, 3], "relu", 0.01)
    assert plan.outcome.tail_index == pytest.approx(0.01, rel=1e-9)


def test_networks_need_layers():
    with pytest.raises(ValueError, match="widths"):
        plan_network([4], "relu", 1)
