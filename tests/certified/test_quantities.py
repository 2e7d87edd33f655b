"""Moments, scales and cumulants as enclosures, against definitions that share nothing with them."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest
from flint import acb, arb, arb_series
from hypothesis import given, settings
from hypothesis import strategies as st

import fracmoment as fm
from fracmoment import certified
from fracmoment.certified import CertificationError, Enclosure, Interval, laws
from fracmoment.certified.laws import Law, distribution, inversion, saddle
from fracmoment.certified.laws.contour import beyond_linear, contour_moment
from fracmoment.certified.laws.laplace import ratio_moment
from fracmoment.certified.laws.mixture import chi_moment, mixture_moment
from fracmoment.certified.laws.narrow import narrow_moment
from fracmoment.certified.laws.series import series_length
from fracmoment.certified.precision import working_precision
from tests.certified.references import contains, enclose
from tests.reference.tables import rows

SLOPES = st.one_of(st.sampled_from([0.0, 1.0]), st.floats(1e-6, 5.0))
TABLED = ("moment", "scale", "log_mean", "log_var", "log_cumulant", "tail_index", "cdf", "sf")


def definition(slope: float, width: int, order: float, digits: int = 60) -> mpmath.mpf:
    """E R^order of a leaky layer by the Beta mixture, to 60 digits and many more in between."""
    with mpmath.workdps(3 * digits):
        d, p, square = mpmath.mpf(width), mpmath.mpf(order) / 2, mpmath.mpf(slope) ** 2
        chi = 2**p * mpmath.gammaprod([d / 2 + p], [d / 2])
        total = square**p if slope else mpmath.mpf(0)
        for n in range(1, width + 1):
            weight = mpmath.binomial(width, n)
            total += weight * mpmath.hyp2f1(-p, (d - n) / 2, d / 2, 1 - square)
        return chi * total / 2**width


def overlap(a: Enclosure, b: Enclosure) -> bool:
    return bool(a.lower <= b.upper and b.lower <= a.upper)


@given(SLOPES, st.integers(1, 12), st.floats(1e-3, 30.0))
def test_moments_contain_the_beta_mixture(slope: float, width: int, order: float) -> None:
    enclosure = certified.moment(fm.Gain(fm.LeakyReLU(slope), width), order, digits=30)
    assert definition(slope, width, order) in enclosure
    assert 30 <= enclosure.digits <= 60 or enclosure.is_exact()


@given(st.floats(1e-3, 3.0), st.integers(2, 12), st.floats(0.01, 0.99))
@settings(max_examples=15)
def test_negative_moments_contain_the_beta_mixture(slope: float, width: int, part: float) -> None:
    order = -part * width
    enclosure = certified.moment(fm.Gain(fm.LeakyReLU(slope), width), order, digits=30)
    assert definition(slope, width, order) in enclosure


@pytest.mark.parametrize("quantity", TABLED)
@pytest.mark.parametrize("name", ["linear", "relu", "leaky"])
def test_reference_values_are_enclosed(name: str, quantity: str) -> None:
    # A few rows; the slow test takes all of them.
    candidates = [r for r in rows(name) if r.quantity == quantity and not r.is_complex]
    cheap = [r for r in candidates if r.width > 8 or r.lower == r.upper]
    for row in cheap[:: max(1, len(cheap) // 3)]:
        enclosure = enclose(row)
        assert enclosure is None or contains(enclosure, row.value), (str(row), enclosure)


@pytest.mark.parametrize("activation", ["relu", "linear", "leaky_relu"])
@pytest.mark.parametrize("width", [2, 64, 10**6])
def test_core_lies_within_an_ulp(activation: str, width: int) -> None:
    gain = fm.Gain(activation, width)
    for value, enclosure in (
        (gain.moment(1.5), certified.moment(gain, 1.5)),
        (gain.scale(0.5), certified.scale(gain, 0.5)),
        (gain.scale(0), certified.scale(gain, 0)),
        (gain.log_mean(), certified.log_mean(gain)),
        (gain.log_var(), certified.log_var(gain)),
    ):
        assert abs(Fraction(value) - Fraction(float(enclosure))) <= Fraction(2) ** -52 * abs(
            Fraction(value)
        )


# ---------------------------------------------------------------- intervals


@given(
    st.fractions(0, 3, max_denominator=50),
    st.fractions(Fraction(1, 50), 1, max_denominator=50),
    st.fractions(Fraction(1, 20), 2, max_denominator=50),
    st.fractions(Fraction(1, 50), Fraction(1, 2), max_denominator=50),
    st.data(),
)
@settings(max_examples=5)
def test_intervals_contain_inner_points(
    order: Fraction, longer: Fraction, slope: Fraction, steeper: Fraction, data: Any
) -> None:
    gain = fm.Gain(fm.LeakyReLU(0.5), 8)
    orders = Interval(order, order + longer)
    slopes = Interval(slope, slope + steeper)
    moments = certified.moment(gain, orders, negative_slope=slopes)
    scales = certified.scale(gain, orders, negative_slope=slopes)
    log_means = certified.log_mean(gain, digits=10, negative_slope=slopes)
    shares = st.fractions(Fraction(1, 20), Fraction(19, 20), max_denominator=97)
    s = orders.lower + orders.width * data.draw(shares)
    a = slopes.lower + slopes.width * data.draw(shares)
    inner = fm.Gain(fm.LeakyReLU(a), 8)
    assert certified.moment(inner, s, digits=20) in moments
    assert certified.scale(inner, s, digits=20) in scales
    assert certified.log_mean(inner, digits=20) in log_means


@pytest.mark.parametrize("slope", [0.0, 0.5, 1.0])
def test_the_slope_of_the_gain_does_not_matter_beside_an_interval(slope: float) -> None:
    gain = fm.Gain(fm.LeakyReLU(slope), 6, keep_prob=0.5, inverted_dropout=False)
    over = certified.moment(gain, 1, negative_slope=Interval("0.2", "0.3"))
    inner = fm.Gain(fm.LeakyReLU(0.25), 6, keep_prob=0.5, inverted_dropout=False)
    assert certified.moment(inner, 1) in over


def test_moments_over_orders_on_both_sides_of_their_minimum() -> None:
    gain = fm.Gain("leaky_relu", 2)
    over = certified.moment(gain, Interval("-1/2", "3/2"))
    for order in range(-50, 151, 40):
        assert certified.moment(gain, Fraction(order, 100)) in over
    # no wider than what the values at the ends and near the minimum ask for
    inner = [gain.moment(order / 1000) for order in range(-500, 1501)]
    assert over.lower > min(inner) - 1e-5
    assert float(over.upper) == pytest.approx(max(inner), rel=1e-14)


def test_integer_orders_are_no_exception_for_intervals() -> None:
    gain = fm.Gain(fm.RandomizedLeakyReLU(), 16)
    over = certified.moment(gain, Interval("1.999", "2.001"))
    assert certified.moment(gain, 2) in over
    assert over.digits >= 2


def test_intervals_of_scales_and_points() -> None:
    gain = fm.Gain("relu", 16)
    over = certified.tail_index(gain, Interval("0.3", "0.32"), digits=20)
    assert certified.tail_index(gain, "0.31", digits=25) in over
    leaky, slopes = fm.Gain("leaky_relu", 16), Interval("0.1", "0.2")
    over = certified.tail_index(leaky, Interval("0.3", "0.32"), negative_slope=slopes, digits=20)
    inner = fm.Gain(fm.LeakyReLU("0.15"), 16)
    assert certified.tail_index(inner, "0.31", digits=25) in over
    over = certified.cdf(gain, Interval(2, 3))
    assert certified.cdf(gain, "2.5") in over


@given(
    st.sampled_from([8, 64, 10**6]),
    st.sampled_from(["gaussian", "orthogonal"]),
    st.integers(2, 4),
    st.fractions(Fraction(1, 20), 2, max_denominator=50),
    st.fractions(Fraction(1, 50), 1, max_denominator=50),
    st.fractions(0, 1, max_denominator=97),
)
@settings(max_examples=3)
def test_cumulants_over_slopes_contain_inner_points(
    width: int, weights: Any, n: int, slope: Fraction, longer: Fraction, share: Fraction
) -> None:
    slopes = Interval(slope, slope + longer)
    over = certified.cumulant(
        fm.Gain("leaky_relu", width, weights=weights), n, negative_slope=slopes
    )
    inner = fm.LeakyReLU(slopes.lower + slopes.width * share)
    assert certified.cumulant(fm.Gain(inner, width, weights=weights), n, digits=20) in over


@pytest.mark.parametrize("gain", [fm.Gain("leaky_relu", 40), fm.Gain("leaky_relu", 10**6)])
def test_ranges_are_narrow(gain: fm.Gain) -> None:
    # log_var has its largest value inside: the values at the ends are not the range
    slopes = Interval("0.1", "0.5")
    over = certified.log_var(gain, negative_slope=slopes)
    inner = [
        certified.log_var(fm.Gain(fm.LeakyReLU(slopes.lower + slopes.width * k / 16), gain.width))
        for k in range(17)
    ]
    ends = min(e.lower for e in inner), max(e.upper for e in inner)
    assert all(e in over for e in inner)
    assert over.upper - over.lower < (ends[1] - ends[0]) * 1.02


@pytest.mark.parametrize(
    ("slopes", "orders", "more"),
    [
        (("0.2", "0.2"), ("0.5", "0.7"), {}),
        (("0.2", "0.2"), ("-0.1", "0.2"), {}),
        (("0.1", "0.3"), ("0.5", "0.5"), {"keep_prob": "0.5"}),
        (("0.1", "0.15"), ("-0.01", "0.01"), {"keep_prob": "0.5"}),
        (("0.5", "1.5"), ("3", "3.05"), {"weights": "orthogonal"}),
        (("0", "0.3"), ("0.5", "0.5"), {}),
        (("0", "0.1"), ("1", "1.01"), {}),
    ],
)
def test_remainders_over_intervals(
    slopes: tuple[str, str], orders: tuple[str, str], more: dict[str, Any]
) -> None:
    over_slopes, over_orders = Interval(*slopes), Interval(*orders)
    alive = over_orders.lower <= 0
    over = certified.scale_remainder(
        fm.Gain(fm.LeakyReLU(slopes[0]), 200, **more),
        over_orders,
        given_alive=alive,
        negative_slope=over_slopes,
    )
    inner = []
    for i in range(4 if over_slopes.width else 1):
        for j in range(4 if over_orders.width else 1):
            gain = fm.Gain(fm.LeakyReLU(over_slopes.lower + over_slopes.width * i / 3), 200, **more)
            order = over_orders.lower + over_orders.width * j / 3
            inner.append(certified.scale_remainder(gain, order, digits=15, given_alive=alive))
    assert all(e in over for e in inner)
    size = max(e.upper for e in inner) - min(e.lower for e in inner)
    assert over.upper - over.lower < size * 1.1


def test_remainders_of_narrow_layers_over_slopes_on_both_sides_of_zero() -> None:
    gain = fm.Gain("leaky_relu", 2)
    over = certified.scale_remainder(gain, "0.5", negative_slope=Interval("-0.2", "0.1"))
    inner = [
        certified.scale_remainder(fm.Gain(fm.LeakyReLU(a), 2), "0.5")
        for a in ("0", "1e-30", "1e-9", "1e-5", "0.001", "0.02", "0.1", "-0.2")
    ]
    assert all(e in over for e in inner)
    size = max(e.upper for e in inner) - min(e.lower for e in inner)
    assert over.upper - over.lower < size * 1.1


@pytest.mark.parametrize("weights", ["gaussian", "orthogonal"])
def test_distributions_over_slopes_and_points(weights: Any) -> None:
    slopes, points = Interval(0, "0.3"), Interval("0.6", "0.62")

    def make(slope: Any) -> fm.Gain:
        return fm.Gain(fm.LeakyReLU(slope), 6, weights=weights)

    below = certified.cdf(make(0), points, digits=12, negative_slope=slopes)
    above = certified.sf(make(0), points, digits=12, negative_slope=slopes)
    for a, r in ((0, "0.6"), ("0.1", "0.61"), ("0.3", "0.62"), ("0.3", "0.6"), (0, "0.62")):
        assert certified.cdf(make(a), r) in below
        assert certified.sf(make(a), r) in above
    assert below.upper - below.lower < 0.3


# ---------------------------------------------------------------- precision and extremes


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "rrelu"])
def test_more_digits_narrow_the_same_value(activation: str) -> None:
    gain = fm.Gain(activation, 40, keep_prob=0.75)
    before = None
    for digits in (5, 20, 50):
        now = certified.scale(gain, "0.7", digits=digits)
        assert now.digits >= digits
        if before is not None:
            assert overlap(now, before)
            assert now.radius < before.radius
        before = now


@pytest.mark.parametrize(
    ("law", "orders"),
    [
        (Law.make(16, Fraction(1, 8), Fraction(1, 3)), ("-1.1", "-2", "-3")),
        (Law.make(300, Fraction(0), Fraction(10)), ("-1", "-3")),
        (Law.make(16, Fraction(-1, 4), Fraction(1, 3)), ("-1.5", "-2.0000001", "-5.9")),
        (Law.make(200, Fraction(9), Fraction(9)), ("-1", "-1.001", "-3", "-7", "-8")),
        (Law.make(10**6, Fraction(1, 100), Fraction(1, 100)), ("-1", "-1.5", "-12")),
    ],
)
def test_the_two_integrals_of_negative_orders_agree(law: Law, orders: tuple[str, ...]) -> None:
    with working_precision(180):
        for order in orders:
            p = arb_series([(laws.ball(Fraction(order)) / 2).mid()], prec=1)
            contour = contour_moment(law, p)[0]
            laplace = ratio_moment(law, p)[0] * chi_moment(law.width, p)[0]
            assert contour.overlaps(laplace)
            assert min(contour.rel_accuracy_bits(), laplace.rel_accuracy_bits()) > 100


@pytest.mark.parametrize("width", [2, 20])
@pytest.mark.parametrize("keep", [1, Fraction(1, 3)])
@pytest.mark.parametrize(
    "ends", [("1/8", "1/3"), ("1e-8", "3"), ("0.1", "0.1"), ("1e-30", "1e-30")]
)
def test_the_rule_of_narrow_layers_agrees_with_the_contour(
    width: int, keep: Any, ends: tuple[str, str]
) -> None:
    law = Law.make(width, *(Fraction(a) for a in ends), keep)
    with working_precision(160), series_length(3):
        for order in ("-1/5", "0", "15/2"):
            s = arb_series([laws.ball(Fraction(order)), 1], prec=3)
            narrow, contour = narrow_moment(law, s / 2), contour_moment(law, s / 2)
            assert all(narrow[j].overlaps(contour[j]) for j in range(3))
            assert min(narrow[j].rel_accuracy_bits() for j in range(3)) > 30
            assert narrow[0].rel_accuracy_bits() > 60


@pytest.mark.parametrize("keep", [1, Fraction(1, 100)])
def test_wide_mixtures_agree_with_the_contour(keep: Any) -> None:
    law = Law.make(3 * 10**6, 0, 0, keep)
    with working_precision(160), series_length(3):
        for order in ("-0.99", "0", "0.5", "41"):
            p = arb_series([laws.ball(Fraction(order)) / 2, 1], prec=3)
            sums, contour = mixture_moment(law, p), contour_moment(law, p)
            assert all(sums[j].overlaps(contour[j]) for j in range(3))
            assert min(contour[j].rel_accuracy_bits() for j in range(1, 3)) > 100


def test_a_second_peak_far_from_the_first() -> None:
    # All units on the negative side have probability 2^-1000, and a^(2p) makes up for it.
    law, p = Law.make(1000, Fraction(6, 10**19), Fraction(6, 10**19)), Fraction(-8186, 1000)
    with mpmath.workdps(30):
        square, order = mpmath.mpf("3.6e-37"), mpmath.mpf("-8.186")
        chi = 2**order * mpmath.gammaprod([500 + order], [500])
        ordinary = mpmath.fsum(
            mpmath.binomial(1000, n) * 2**order * mpmath.gammaprod([0.5 * n + order], [0.5 * n])
            for n in range(200, 1001)
        )
        expected = (ordinary / chi + square**order) / mpmath.mpf(2) ** 1000
        assert square**order > ordinary / chi * mpmath.mpf(10) ** -6
        with working_precision(100):
            value = ratio_moment(law, arb_series([laws.ball(p)], prec=1))[0]
            assert abs(mpmath.mpf(value.str(25, radius=False)) / expected - 1) < 1e-18
            assert value.rel_accuracy_bits() > 80


def test_a_thousand_digits() -> None:
    narrow = fm.Gain(fm.RandomizedLeakyReLU("1/8", "1/3"), 3)
    for gain in (fm.Gain("relu", 10**6), fm.Gain(fm.LeakyReLU("0.01"), 32), narrow):
        enclosure = certified.moment(gain, "0.5", digits=1000)
        assert enclosure.digits == 1000
        assert overlap(enclosure, certified.moment(gain, "0.5", digits=40))


EXTREMES: list[tuple[str, Any, Any]] = [
    ("order near -d", fm.Gain("linear", 3), Fraction(-3) + Fraction(1, 10**50)),
    ("order near -d, leaky", fm.Gain("leaky_relu", 200), Fraction(-200) + Fraction(1, 10**40)),
    ("order near -d, slopes around 0", fm.Gain(fm.RandomizedLeakyReLU(-1, 1), 3), "-2.999"),
    ("order near 0", fm.Gain("leaky_relu", 300), "1e-40"),
    ("slope 1e-30", fm.Gain(fm.LeakyReLU("1e-30"), 64), "0.5"),
    ("slope 1e-100", fm.Gain(fm.LeakyReLU("1e-100"), 5), "-1.5"),
    ("slope 1e100", fm.Gain(fm.LeakyReLU("1e100"), 5), "1.5"),
    ("width 10^6", fm.Gain(fm.LeakyReLU("0.2"), 10**6), "0.5"),
    ("width 10^6, uniform", fm.Gain("rrelu", 10**6), "0.5"),
    ("slopes close together", fm.Gain(fm.RandomizedLeakyReLU(0.25, 0.25 + 1e-12), 10**6), "-0.9"),
    ("few live units", fm.Gain("leaky_relu", 10**5, keep_prob=1e-6), "0.5"),
    ("order 500", fm.Gain("rrelu", 3), 500),
]


@pytest.mark.parametrize(("gain", "order"), [case[1:] for case in EXTREMES])
def test_extremes_agree_with_any_precision(gain: fm.Gain, order: Any) -> None:
    enclosure = certified.scale(gain, order, digits=25)
    value = gain.scale(order, digits=60)
    assert enclosure.lower <= value * (1 + mpmath.mpf(10) ** -14)
    exact = Fraction(int(value._mpf_[1])) * Fraction(2) ** int(value._mpf_[2])
    slack = exact / 10**58
    assert Enclosure(exact - slack, exact + slack).lower <= enclosure.upper
    assert enclosure.lower <= Enclosure(exact - slack, exact + slack).upper


@pytest.mark.parametrize("width", [2, 7, 65, 300, 6130, 10**6])
@pytest.mark.parametrize("ends", [("0", "0.3447"), ("-1/8", "1/3"), ("-1e-9", "4")])
def test_orders_near_the_edge_where_slopes_come_close_to_zero(
    width: int, ends: tuple[str, str]
) -> None:
    gain = fm.Gain(fm.RandomizedLeakyReLU(*ends), width)
    for gap in ("1e-25", "7.5e-11", "0.03", "1.2"):
        order = Fraction(gap) - width
        value = gain.scale(order, digits=40)
        enclosure = certified.scale(gain, order, digits=35)
        with mpmath.workdps(60):
            assert abs(enclosure.mid / value - 1) < mpmath.mpf(10) ** -34


@pytest.mark.parametrize(("width", "gap"), [(3, "0.2"), (12, "0.5"), (90, "0.4"), (2000, "1")])
def test_derivatives_near_the_edge_are_those_of_the_moments(width: int, gap: str) -> None:
    law = Law.make(width, Fraction(-1, 9), Fraction(2))
    order, h = Fraction(gap) - width, Fraction(1, 2**60)
    with working_precision(250):
        logs = [laws.log_moment(law, order + i * h) for i in (-1, 0, 1)]
        series = laws.log_moment_series(law, order, 3)
        step = laws.ball(h)
        # errors of the differences: h^2 times the derivatives of order 3 and 4, at most d 5^4
        assert abs((logs[2] - logs[0]) / (2 * step) / series[1] - 1) < 1e-25
        assert abs((logs[2] - 2 * logs[1] + logs[0]) / (2 * step**2) / series[2] - 1) < 1e-25


def test_order_next_to_the_edge_given_alive() -> None:
    gain = fm.Gain("leaky_relu", 300, keep_prob="0.5")
    order = Fraction(-1) + Fraction(1, 10**20)
    enclosure = certified.moment(gain, order, given_alive=True)
    # one live unit: the pole has residue d q^(d-1) (1-q) ... sqrt(2/pi) E b^(-1/2)
    assert enclosure.digits >= 30
    assert overlap(enclosure, certified.moment(gain, order, given_alive=True, digits=60))


@pytest.mark.parametrize("weights", ["gaussian", "orthogonal"])
@pytest.mark.parametrize("activation", [fm.LeakyReLU(9.4), fm.RandomizedLeakyReLU(0.5, 2)])
def test_far_ends_of_contours_do_not_cancel(activation: Any, weights: Any) -> None:
    # Near order -1 the integrand falls slowly, and is needed where few units are live.
    gain = fm.Gain(activation, 40, keep_prob=0.25, weights=weights)
    order = Fraction(-1) + Fraction(1, 10**9)
    value = gain.moment(order, given_alive=True, digits=40)
    enclosure = certified.moment(gain, order, given_alive=True, digits=35)
    with mpmath.workdps(60):
        assert abs(enclosure.mid / value - 1) < mpmath.mpf(10) ** -34


@given(st.integers(25, 3000), st.floats(-200, -2), st.floats(-3.1, 3.1))
@settings(max_examples=30)
def test_several_live_units_without_cancellation(d: int, power: float, angle: float) -> None:
    x = (acb(power, angle).exp() / d).mid()
    with working_precision(64):
        value = beyond_linear(x, d)
    with working_precision(1000):
        assert value.overlaps((1 + x) ** d - 1 - d * x)
    assert abs(value).rel_accuracy_bits() > 50


# ---------------------------------------------------------------- what follows from moments


def test_scales_next_to_the_critical_one() -> None:
    gain = fm.Gain("linear", 8)
    critical = certified.scale(gain, 0, digits=60)
    assert certified.tail_index(gain, critical.upper) == Enclosure(0, 0)
    index = certified.tail_index(gain, critical.lower)
    assert 0 < index < Fraction(1, 10**50)
    assert index.digits >= 30


@given(st.floats(0.05, 20.0), st.sampled_from(["linear", "relu", "leaky_relu"]))
@settings(max_examples=15)
def test_tail_index_inverts_the_scale(order: float, activation: str) -> None:
    gain = fm.Gain(activation, 16)
    sigma = certified.scale(gain, order, digits=40)
    over = certified.tail_index(gain, Interval(sigma.lower, sigma.upper), digits=20)
    assert order in over
    assert over.digits >= 18


def test_tail_index_without_a_root() -> None:
    gain = fm.Gain("relu", 16, weights="orthogonal")
    assert certified.tail_index(gain, 1).lower == mpmath.inf
    assert certified.tail_index(fm.Gain("linear", 8), 1) == Enclosure(0, 0)
    with pytest.raises(CertificationError, match="below 2"):
        certified.tail_index(fm.Gain("relu", 10**5), 1)


def test_remainder_of_the_expansion() -> None:
    for gain in (fm.Gain("relu", 64), fm.Gain("rrelu", 10**4), fm.Gain("relu", 9, keep_prob=0.5)):
        enclosure = certified.scale_remainder(gain, 1)
        assert float(enclosure) == pytest.approx(fm.scale_squared_remainder(gain, 1), rel=1e-14)
        assert certified.scale_remainder(gain, 2) == Enclosure(0, 0)


def test_cumulants_of_a_constant_are_exactly_zero() -> None:
    gain = fm.Gain("relu", 1, keep_prob="0.3", weights="orthogonal")
    assert certified.log_var(gain) == Enclosure(0, 0)
    assert float(certified.log_mean(gain)) == pytest.approx(gain.log_mean(), rel=1e-15)


def test_numbers_far_beyond_the_doubles_cost_nothing() -> None:
    scale = certified.scale(fm.Gain("relu", 29, keep_prob="0.07"), "1e-10")
    assert (float(scale), float(1 / scale), float(-scale)) == (math.inf, 0.0, -math.inf)
    assert scale.digits >= 30
    assert str(scale).endswith("e+1910268647")
    assert scale.mid in scale
    assert Fraction(1, 3) not in scale
    assert scale > Fraction(10) ** 100


def test_a_scale_beyond_the_doubles() -> None:
    enclosure = certified.scale(fm.Gain("relu", 2), "1e-7")
    assert enclosure.digits >= 30
    assert float(enclosure) == math.inf


def test_jump_of_the_distribution_at_a_slope() -> None:
    gain = fm.Gain(fm.LeakyReLU("1/2"), 3, weights="orthogonal")
    assert Fraction(1, 8) in certified.cdf(gain, "1/2")
    assert Fraction(7, 8) in certified.sf(gain, "1/2")
    assert certified.cdf(gain, "0.4999") == Enclosure(0, 0)


@pytest.mark.parametrize("width", [1, 3, 20, 150, 4000])
@pytest.mark.parametrize("weights", ["gaussian", "orthogonal"])
@pytest.mark.parametrize("ends", [("0", "0"), ("1/4", "1/4"), ("-1/9", "2"), ("1e-20", "2e-20")])
def test_any_contour_gives_the_same_probability(
    width: int, weights: str, ends: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    orthogonal = weights == "orthogonal"
    law = Law.make(width, *(Fraction(a) for a in ends), Fraction(7, 8), orthogonal=orthogonal)
    point = Fraction(3, 4) if orthogonal else Fraction(round(0.75 * math.sqrt(width) * 64), 64)

    def values(bits: int) -> list[arb]:
        with working_precision(bits):
            return [distribution.cdf(law, point), distribution.sf(law, point)]

    best = values(200)
    assert min(value.rel_accuracy_bits() for value in best) > 80
    rng = np.random.default_rng(width)
    for _ in range(4):
        share, bent = rng.uniform(0.3, 2.0, 2)
        name = "ratio_saddle" if orthogonal else "tail_saddle"
        chosen = getattr(saddle, name)

        def moved(*arguments: Any, chosen: Any = chosen, by: Any = (share, bent)) -> saddle.Saddle:
            centre, radius = chosen(*arguments)
            return saddle.Saddle(centre * min(by[0], 1), radius * by[1])

        monkeypatch.setattr(distribution, name, moved)
        monkeypatch.setattr(inversion, "_SHORT", arb(int(rng.choice([1, 64, 200]))))
        for value, right in zip(values(int(rng.integers(20, 60))), best, strict=True):
            assert not value.is_finite() or value.overlaps(right)


def test_the_ends_of_a_ratio_are_exact() -> None:
    gain = fm.Gain(fm.LeakyReLU("0.13994"), 6, weights="orthogonal")
    assert certified.cdf(gain, "0.13994") == Enclosure(Fraction(1, 64), Fraction(1, 64))
    steep = fm.Gain(fm.RandomizedLeakyReLU(1, 2), 6, weights="orthogonal")
    assert certified.sf(steep, 1) == Enclosure(Fraction(63, 64), Fraction(63, 64))


@pytest.mark.parametrize("weights", ["gaussian", "orthogonal"])
@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "rrelu"])
def test_distribution_agrees_with_the_core(activation: str, weights: str) -> None:
    gain = fm.Gain(activation, 12, keep_prob=0.9, weights=weights)
    for r in (gain.ppf(0.01), gain.ppf(0.6)):
        below, above = certified.cdf(gain, r), certified.sf(gain, r)
        assert 1 in below + above
        assert float(below) == pytest.approx(gain.cdf(r), rel=1e-12)
        assert float(above) == pytest.approx(gain.sf(r), rel=1e-12)


# ---------------------------------------------------------------- bad input


def test_bad_input_is_refused() -> None:
    relu, leaky = fm.Gain("relu", 4), fm.Gain("leaky_relu", 4)
    for call, word in (
        (lambda: certified.moment("relu", 1), "gain"),
        (lambda: certified.moment(fm.Gain("relu", [1, 2]), 1), "scalar"),
        (lambda: certified.moment(relu, 0), "order"),
        (lambda: certified.moment(leaky, -4), "order"),
        (lambda: certified.moment(relu, Interval(-1, 1)), "order"),
        (lambda: certified.scale(relu, Interval(0, 1)), "order"),
        (lambda: certified.moment(relu, 1, digits=1001), "digits"),
        (lambda: certified.moment(relu, 1, negative_slope=Interval(0, 1)), "LeakyReLU"),
        (lambda: certified.moment(leaky, 1, negative_slope=0.1), "Interval"),
        (lambda: certified.log_mean(leaky, negative_slope=Interval(0, 1)), "jump"),
        (lambda: certified.log_var(leaky, negative_slope=Interval(0, 1)), "jump"),
        (lambda: certified.scale_remainder(leaky, 0, negative_slope=Interval(0, 1)), "jump"),
        (lambda: certified.scale_remainder(relu, Interval(0, 1)), "order"),
        (lambda: certified.tail_index(relu, 0), "sigma"),
        (lambda: certified.cumulant(relu, 9), "n must"),
    ):
        with pytest.raises((ValueError, TypeError), match=word):
            call()


def test_what_cannot_be_proved_says_why() -> None:
    # log R of one orthogonal unit of slope 1/2 or 2 has third cumulant 0, which digits never show
    gain = fm.Gain(fm.LeakyReLU(0.5), 1, weights="orthogonal")
    with pytest.raises(CertificationError, match="contains 0"):
        certified.cumulant(gain, 3)


def test_threads_take_turns_with_the_precision() -> None:
    gain = fm.Gain("leaky_relu", 20)
    digits = [20, 40, 60, 80] * 3
    alone = [certified.moment(gain, "1.3", digits=n) for n in digits]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda n: certified.moment(gain, "1.3", digits=n), digits))
    assert [(e.lower, e.upper) for e in alone] == [(e.lower, e.upper) for e in together]


def test_tail_index_next_to_zero() -> None:
    # By its definition, at a precision that sees log E R^s = log(1 - 2^-200) + ...
    sigma = Fraction(1, 8)
    enclosure = certified.tail_index(fm.Gain("relu", 200), sigma)
    mean = certified.log_mean(fm.Gain("relu", 200), digits=120)
    with mpmath.workdps(120):
        drift = mean.mid + mpmath.log(mpmath.mpf(sigma.numerator) / sigma.denominator)
        expected = -mpmath.log1p(-(mpmath.mpf(2) ** -200)) / drift
        assert abs(enclosure.mid / expected - 1) < mpmath.mpf(10) ** -50
    # A narrow layer, where Newton's method and the two terms both apply.
    gain = fm.Gain("relu", 60)
    two_terms = certified.tail_index(gain, Fraction(1, 4), digits=10)
    assert certified.tail_index(gain, Fraction(1, 4), digits=40) in two_terms


@pytest.mark.parametrize(
    ("ends", "keep", "order"),
    [
        (("1.7336369885013938", "1.7336369885013938"), "0.15709669401393914", "26.2"),
        (("8.4e-12", "4.3e-11"), "0.8236491304004586", "1.1"),
        (("0", "0"), "0.5", "0.07"),
        (("0.1", "0.1"), "1", "1e-9"),
    ],
)
def test_tail_indices_whose_first_guesses_are_poor(
    ends: tuple[str, str], keep: str, order: str
) -> None:
    activation = fm.RandomizedLeakyReLU(*ends)
    for weights in ("gaussian", "orthogonal"):
        gain = fm.Gain(activation, 12, keep_prob=keep, inverted_dropout=False, weights=weights)
        sigma = certified.scale(gain, order, digits=60)
        over = certified.tail_index(gain, Interval(sigma.lower, sigma.upper), digits=12)
        assert order in over
        assert over.digits >= 11


def test_tail_index_too_close_to_zero_says_so() -> None:
    with pytest.raises(certified.CertificationError, match="below 2"):
        certified.tail_index(fm.Gain("relu", 10**6), 1)


@pytest.mark.parametrize(
    ("gain", "points"),
    [
        (fm.Gain(fm.RandomizedLeakyReLU(0.5, 2.4), 4), (9.0, 12.0, 16.0, 19.0)),
        (fm.Gain(fm.RandomizedLeakyReLU(-0.7, 2.4), 4), (7.0, 13.0, 18.0, 25.0)),
        (fm.Gain(fm.RandomizedLeakyReLU(0.1, 2.4), 64), (28.0, 48.0, 64.0, 76.0)),
        (fm.Gain(fm.RandomizedLeakyReLU(-0.02, 2.4), 1, keep_prob=0.125), (20.0, 100.0, 300.0)),
    ],
)
def test_upper_tails_of_the_core(gain: fm.Gain, points: tuple[float, ...]) -> None:
    # Steep random slopes: the transform has a logarithm at the end of its strip.
    for r in points:
        expected = float(certified.sf(gain, r, digits=17))
        assert gain.sf(r) == pytest.approx(expected, rel=1e-11)


def test_tail_index_where_a_first_step_proves_nothing():
    # With the bits of the first steps, the moment next to order 62 is not enclosed.
    slopes = fm.RandomizedLeakyReLU(1.39878139984583e-30, 2.8260861681964798e-30)
    gain = fm.Gain(slopes, 9, keep_prob=0.02746914453965445)
    found = certified.tail_index(gain, "0.00897968581889721162533243240413", digits=12)
    with mpmath.workdps(30):
        assert (
            abs(gain.scale(found.mid, digits=25) / mpmath.mpf("0.0089796858188972116253") - 1)
            < 1e-12
        )
