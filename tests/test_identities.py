"""Properties that hold for every law: recurrences, inequalities, reductions, exact values."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

import fracmoment as fm
from tests.reference.tables import error_in_ulp, relative_error

# The route of any precision takes milliseconds: half as many examples.
slow_route = settings(max_examples=max(1, settings().max_examples // 2))

EPS = 2.0**-52


def powers_of_ten(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high).map(lambda x: 10.0**x)


widths = st.one_of(st.integers(1, 80), powers_of_ten(0, 9).map(lambda x: max(1, int(x))))
slopes = st.one_of(st.sampled_from([0.01, 0.25, 1.0, 2.0]), powers_of_ten(-8, 1))
intervals = st.tuples(st.floats(-1.0, 2.0), powers_of_ten(-6, 1)).map(
    lambda pair: (pair[0], pair[0] + pair[1])
)
keeps = st.one_of(st.just(1.0), st.floats(0.05, 1.0), powers_of_ten(-6, 0))
activations = st.one_of(
    st.just(fm.Linear()),
    st.just(fm.ReLU()),
    slopes.map(fm.LeakyReLU),
    intervals.map(lambda pair: fm.RandomizedLeakyReLU(*pair)),
)
gaussian = st.builds(fm.Gain, activations, widths)
dropped = st.builds(fm.Gain, activations, widths, keep_prob=keeps, inverted_dropout=st.booleans())
every = st.builds(
    fm.Gain,
    activations,
    widths,
    keep_prob=keeps,
    inverted_dropout=st.booleans(),
    weights=st.sampled_from(["gaussian", "orthogonal"]),
)
# Multiples of 2^-10, so that sums with integers are exact.
orders = st.integers(1, 62 * 1024).map(lambda k: k / 1024)


def normal(*values: float) -> bool:
    return all(math.isfinite(v) and abs(v) > 1e-300 for v in values)


def exact(value: mpmath.mpf) -> Fraction:
    sign, mantissa, exponent, _ = value._mpf_
    return (-1) ** sign * Fraction(int(mantissa)) * Fraction(2) ** int(exponent)


def slope_moment(activation: fm.Activation, k: int) -> Fraction:
    """E a^(2k) of the slope of the negative side, exactly."""
    lower, upper = (Fraction(slope) for slope in activation.slopes)
    if lower == upper:
        return lower ** (2 * k)
    return (upper ** (2 * k + 1) - lower ** (2 * k + 1)) / ((2 * k + 1) * (upper - lower))


# ---------------------------------------------------------------- recurrences


@given(widths, orders)
def test_chi_recurrence_in_the_order(width: int, order: float) -> None:
    law = fm.Gain("linear", width)
    low, high = law.moment(order), law.moment(order + 2)
    assume(normal(low, high))
    assert high == pytest.approx((width + order) * low, rel=4 * EPS)


@given(widths, orders)
def test_chi_recurrence_in_the_width(width: int, order: float) -> None:
    low, high = (fm.Gain("linear", d).moment(order) for d in (width, width + 2))
    assume(normal(low, high))
    assert high == pytest.approx(low * (width + order) / width, rel=5 * EPS)


@given(widths, st.integers(1, 30), orders)
def test_chi_orders_add(width: int, first: int, second: float) -> None:
    # Size biasing: E R^(s+t) / E R^s is the moment of order t at width d + s.
    whole = fm.Gain("linear", width).moment(first + second)
    parts = fm.Gain("linear", width).moment(first), fm.Gain("linear", width + first).moment(second)
    assume(normal(whole, *parts))
    assert whole == pytest.approx(parts[0] * parts[1], rel=4 * EPS)


@given(powers_of_ten(-1, 9), powers_of_ten(-1, 9), st.floats(-0.99, 0.99))
def test_ratio_moments_factor(m: float, n: float, share: float) -> None:
    order = share * min(m, n, 40.0)
    ratio = fm.chi_ratio_moment(m, n, order)
    parts = fm.chi_moment(m, order), fm.chi_moment(n, -order)
    assume(normal(ratio, *parts))
    assert ratio == pytest.approx(parts[0] * parts[1], rel=4 * EPS)
    f_moment = fm.f_moment(m, n, order / 2)
    expected = mpmath.mpf(ratio) * (mpmath.mpf(n) / mpmath.mpf(m)) ** mpmath.mpf(order / 2)
    assume(normal(float(expected)))
    assert f_moment == pytest.approx(float(expected), rel=60 * EPS)


@given(powers_of_ten(-1, 9), powers_of_ten(-1, 9), st.integers(1, 1024))
def test_beta_recurrence(a: float, b: float, order: int) -> None:
    low, high = fm.beta_moment(a, b, order), fm.beta_moment(a, b, order + 1)
    assume(normal(low, high))
    assert high / low == pytest.approx((a + order) / (a + b + order), rel=6 * EPS)


# ---------------------------------------------------------------- inequalities


@given(every, orders, orders)
def test_log_convexity(law: fm.Gain, first: float, second: float) -> None:
    low, middle, high = (law.moment(s) for s in (first, (first + second) / 2, second))
    assume(normal(low, middle, high))
    product = Fraction(low) * Fraction(high)
    assert Fraction(middle) ** 2 <= product * (1 + Fraction(8 * EPS))


@given(every, orders, orders)
@example(fm.Gain("linear", 10**9), 1.0, 2.0)
def test_scale_decreases_in_the_order(law: fm.Gain, first: float, second: float) -> None:
    low, high = sorted((first, second))
    larger, smaller = law.scale(low), law.scale(high)
    assume(normal(larger, smaller))
    assert smaller <= larger * (1 + 2 * EPS)


@given(every, orders)
def test_lyapunov_scale_is_the_largest(law: fm.Gain, order: float) -> None:
    assert law.scale(order, given_alive=True) <= law.scale(0) * (1 + 2 * EPS)


@given(widths, slopes, slopes, orders)
def test_moments_grow_with_the_slope(width: int, one: float, two: float, order: float) -> None:
    low, high = (fm.Gain(fm.LeakyReLU(a), width).moment(order) for a in sorted((one, two)))
    assume(normal(low, high))
    assert low <= high * (1 + 2 * EPS)


@given(every, st.floats(0.01, 8.0), st.floats(-5.0, 5.0))
def test_complex_moments(law: fm.Gain, order: float, imaginary: float) -> None:
    real = law.moment(order)
    assume(normal(real))
    value = law.moment(complex(order, imaginary))
    assert abs(value) <= real * (1 + 4 * EPS)
    assert law.moment(complex(order, -imaginary)) == value.conjugate()
    assert abs(law.moment(complex(order, 0.0)) - real) <= 2 * EPS * real


# ---------------------------------------------------------------- reductions


def everything(law: fm.Gain, order: float) -> tuple[Any, ...]:
    return (
        law.moment(order),
        law.scale(order),
        law.scale(0),
        law.log_mean(),
        law.log_var(),
        law.prob_zero(),
        law.moment(complex(order, 1.0)),
    )


@given(widths, orders, keeps)
def test_slope_one_is_linear(width: int, order: float, keep: float) -> None:
    linear = everything(fm.Gain("linear", width, keep_prob=keep), order)
    for same in (fm.LeakyReLU(1.0), fm.LeakyReLU(-1.0), fm.RandomizedLeakyReLU(1.0, 1.0)):
        assert everything(fm.Gain(same, width, keep_prob=keep), order) == linear


@given(widths, orders, keeps)
def test_slope_zero_is_relu(width: int, order: float, keep: float) -> None:
    relu = everything(fm.Gain("relu", width, keep_prob=keep), order)
    for same in (fm.LeakyReLU(0.0), fm.RandomizedLeakyReLU(0.0, 0.0)):
        assert everything(fm.Gain(same, width, keep_prob=keep), order) == relu


@given(widths, orders, slopes, keeps)
def test_equal_ends_are_leaky(width: int, order: float, slope: float, keep: float) -> None:
    leaky = everything(fm.Gain(fm.LeakyReLU(slope), width, keep_prob=keep), order)
    for same in (fm.RandomizedLeakyReLU(slope, slope), fm.LeakyReLU(-slope)):
        assert everything(fm.Gain(same, width, keep_prob=keep), order) == leaky


@given(activations, widths, orders)
def test_keeping_all_is_no_dropout(activation: fm.Activation, width: int, order: float) -> None:
    plain = everything(fm.Gain(activation, width), order)
    for inverted in (False, True):
        law = fm.Gain(activation, width, keep_prob=1.0, inverted_dropout=inverted)
        assert everything(law, order) == plain


@given(widths, orders)
def test_orthogonal_linear_layers_are_isometries(width: int, order: float) -> None:
    law = fm.Gain("linear", width, weights="orthogonal")
    expected = (1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0 + 0.0j)
    assert everything(law, order) == expected
    assert law.moment(-order) == 1.0


@given(widths, orders, intervals)
def test_mirrored_intervals(width: int, order: float, ends: tuple[float, float]) -> None:
    lower, upper = ends
    here = fm.Gain(fm.RandomizedLeakyReLU(lower, upper), width).moment(order)
    there = fm.Gain(fm.RandomizedLeakyReLU(-upper, -lower), width).moment(order)
    assume(normal(here))
    assert here == pytest.approx(there, rel=2 * EPS)


@given(activations, widths, keeps, orders)
def test_inverted_dropout_divides(
    activation: fm.Activation, width: int, keep: float, order: float
) -> None:
    plain, inverted = (
        fm.Gain(activation, width, keep_prob=keep, inverted_dropout=flag) for flag in (False, True)
    )
    assert inverted.scale(order) == pytest.approx(plain.scale(order) * keep, rel=3 * EPS)
    assert inverted.log_var() == plain.log_var()


@given(activations, widths, orders)
def test_ratio_law_is_a_quotient(activation: fm.Activation, width: int, order: float) -> None:
    upper, lower = fm.Gain(activation, width).moment(order), fm.chi_moment(width, order)
    ratio = fm.Gain(activation, width, weights="orthogonal").moment(order)
    assume(normal(upper, lower, ratio))
    assert ratio == pytest.approx(upper / lower, rel=4 * EPS)


# ---------------------------------------------------------------- exact values


def exact_moments(law: fm.Gain) -> dict[int, Fraction]:
    """E R^2, E R^4 and E R^6 as rational numbers."""
    d, q = law.width, Fraction(law.keep_prob)
    one, two, three = (
        factor * (1 + slope_moment(law.activation, k)) / 2 * q
        for k, factor in ((1, 1), (2, 3), (3, 15))
    )
    moments = {
        2: d * one,
        4: d * two + d * (d - 1) * one**2,
        6: d * three + 3 * d * (d - 1) * one * two + d * (d - 1) * (d - 2) * one**3,
    }
    if law.inverted_dropout:
        moments = {s: value / q**s for s, value in moments.items()}
    if law.weights == "orthogonal":
        chi = {2: d, 4: d * (d + 2), 6: d * (d + 2) * (d + 4)}
        moments = {s: value / chi[s] for s, value in moments.items()}
    return moments


@given(every)
@example(fm.Gain("relu", 10**9, keep_prob=1e-6))
@example(fm.Gain(fm.RandomizedLeakyReLU(0.25, 0.25 + 2.0**-40), 1000))
def test_even_orders_are_exact(law: fm.Gain) -> None:
    for order, value in exact_moments(law).items():
        assert error_in_ulp(law.moment(order), value) <= 1.0
        assert error_in_ulp(law.moment(float(order)), value) <= 1.0


@slow_route
@given(every)
def test_even_orders_are_exact_in_all_digits(law: fm.Gain) -> None:
    for order, value in exact_moments(law).items():
        assert relative_error(exact(law.moment(order, digits=60)), value) < 1e-59


@given(dropped)
def test_probability_of_death(law: fm.Gain) -> None:
    q = Fraction(law.keep_prob)
    lower, upper = law.activation.slopes
    share = 1 - (q / 2 if lower == upper == 0 else q)
    if share == 0:
        assert law.prob_zero() == 0.0
        return
    with mpmath.workdps(40):
        power = mpmath.mpf(share.numerator) / share.denominator
        value = mpmath.exp(law.width * mpmath.log(power))
        dead, alive = exact(value), exact(1 - value)
    if normal(float(dead)):
        assert error_in_ulp(law.prob_zero(), dead) <= 1.0
    assert error_in_ulp(law.sf(0.0), alive) <= 1.0


@given(every)
def test_order_zero(law: fm.Gain) -> None:
    assert law.moment(0, given_alive=True) == 1.0
    lyapunov = law.scale(0)
    assert lyapunov == pytest.approx(math.exp(-law.log_mean()), rel=1e-14)


# ---------------------------------------------------------------- logarithms


@slow_route
@given(every)
def test_logarithms_are_derivatives_at_zero(law: fm.Gain) -> None:
    with mpmath.workdps(80):
        step = mpmath.mpf(2) ** -60
        up, down = (mpmath.log(law.moment(s, digits=80, given_alive=True)) for s in (step, -step))
        # The next terms are the cumulants of order 3 and 4 times step^2.
        mean, variance = (up - down) / (2 * step), (up + down) / step**2
        assert abs(law.log_mean(digits=30) - mean) < mpmath.mpf(10) ** -28 * (1 + abs(mean))
        assert abs(law.log_var(digits=30) - variance) < mpmath.mpf(10) ** -24
    assert abs(law.log_mean() - mean) <= 1.01 * math.ulp(max(1.0, abs(float(mean))))
    assert abs(law.log_var() - variance) <= max(1.01 * math.ulp(float(variance)), 1e-24)


# ---------------------------------------------------------------- two routes


@slow_route
@given(every, st.floats(0.0078125, 64.0))
def test_double_against_forty_digits(law: fm.Gain, order: float) -> None:
    for quantity in ("moment", "scale"):
        for alive in (False, True):
            function = getattr(law, quantity)
            value = function(order, given_alive=alive)
            if normal(value):
                reference = exact(function(order, given_alive=alive, digits=40))
                assert error_in_ulp(value, reference) <= 1.0
    assert error_in_ulp(law.log_mean(), exact(law.log_mean(digits=40)), 1.0) <= 1.0
    assert error_in_ulp(law.log_var(), exact(law.log_var(digits=40))) <= 1.0


# ---------------------------------------------------------------- tail index


@given(gaussian, st.floats(0.05, 30.0))
def test_tail_index_inverts_the_scale(law: fm.Gain, order: float) -> None:
    sigma = law.scale(order)
    # The index falls as sigma grows: the neighbours of the rounded scale enclose the order.
    above, below = (law.tail_index(math.nextafter(sigma, end)) for end in (0.0, math.inf))
    assert below <= order * (1 + 1e-12)
    assert above >= order * (1 - 1e-12)
    if law.width <= 100:
        assert law.tail_index(sigma) == pytest.approx(order, rel=1e-12)


@given(gaussian)
def test_no_tail_index_without_negative_drift(law: fm.Gain) -> None:
    assume(law.prob_zero() == 0.0)
    assert law.tail_index(law.scale(0) * 1.01) == 0.0


def test_bounded_gains_have_an_infinite_index() -> None:
    law = fm.Gain("relu", 16, weights="orthogonal")
    assert law.tail_index(1.0) == math.inf
    assert law.tail_index(law.scale(3.0)) == pytest.approx(3.0, rel=1e-12)


# ---------------------------------------------------------------- distribution


@slow_route
@given(dropped, st.floats(0.001, 0.999))
def test_quantiles_invert_the_distribution(law: fm.Gain, level: float) -> None:
    r = law.ppf(level, given_alive=True)
    slope = r * law.pdf(r, given_alive=True)
    # An error of one part in 1e13 of r moves the level by that times the slope.
    assert law.cdf(r, given_alive=True) == pytest.approx(level, rel=1e-13, abs=2e-13 * slope)
    assert law.cdf(r) + law.sf(r) == pytest.approx(1.0, abs=4 * EPS)


# ---------------------------------------------------------------- broadcasting


def test_orders_broadcast() -> None:
    grid = np.array([[0.5, 1.0, 2.0], [3.25, 7.0, 40.0]])
    for name in ("linear", "relu", "leaky_relu", "rrelu"):
        for width in (1, 7, 300, 10**6):
            law = fm.Gain(name, width)
            for quantity in (law.moment, law.scale):
                expected = [[quantity(float(s)) for s in row] for row in grid]
                np.testing.assert_array_equal(quantity(grid), expected)


def test_laws_broadcast() -> None:
    sizes = np.array([1, 2, 64, 300, 10**6])
    shapes = np.array([[0.0], [0.01], [1.0], [3.0]])
    keep = np.array([1.0, 0.5, 0.9, 1.0, 0.25])
    table = fm.Gain(fm.LeakyReLU(shapes), sizes, keep_prob=keep)
    assert table.shape == (4, 5)
    for quantity in ("moment", "scale"):
        values = getattr(table, quantity)(1.5)
        for i, j in np.ndindex(4, 5):
            one = fm.Gain(fm.LeakyReLU(shapes[i, 0]), int(sizes[j]), keep_prob=keep[j])
            assert values[i, j] == getattr(one, quantity)(1.5)
    for quantity in ("log_mean", "log_var", "prob_zero"):
        values = getattr(table, quantity)()
        for i, j in np.ndindex(4, 5):
            one = fm.Gain(fm.LeakyReLU(shapes[i, 0]), int(sizes[j]), keep_prob=keep[j])
            assert values[i, j] == getattr(one, quantity)()


def test_init_scales_broadcast() -> None:
    fan_in, fan_out = np.array([[8], [784]]), np.array([4, 64, 300])
    orders_ = np.array([0.5, 1.0, 2.0])
    values = fm.init_scale("relu", fan_in, fan_out, orders_, preserve="rms")
    for i, j in np.ndindex(2, 3):
        one = fm.init_scale(
            "relu", int(fan_in[i, 0]), int(fan_out[j]), float(orders_[j]), preserve="rms"
        )
        assert values[i, j] == one
    he = fm.init_scale("relu", fan_in, fan_out, 2.0)
    np.testing.assert_allclose(he, np.sqrt(2 / fan_in) * np.ones(3), rtol=2 * EPS)
    norm = fm.init_scale("relu", fan_in, fan_out, 2.0, preserve="norm")
    np.testing.assert_allclose(norm, np.sqrt(2 / fan_out) * np.ones((2, 1)), rtol=2 * EPS)
