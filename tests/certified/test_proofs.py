"""The prover: what it answers, and that the functions behind the statements are right."""

from __future__ import annotations

import math
from concurrent.futures import ProcessPoolExecutor
from fractions import Fraction

import mpmath
import pytest
from flint import arb, arb_series
from hypothesis import given, settings
from hypothesis import strategies as st

import fracmoment as fm
from fracmoment.certified import STATEMENTS, Inequality, Interval, laws, prove
from fracmoment.certified.proofs import statements
from fracmoment.certified.proofs.expansion_error import scaled_error, scaled_error_wide
from fracmoment.certified.proofs.inequality import enclosing
from fracmoment.certified.proofs.inequality import settings as flint_settings
from fracmoment.certified.proofs.normalized import eta_of, even_moments, log_moment, mean_log

# ---------------------------------------------------------------- what the prover answers


def parabola(x):
    return x * (1 - x)


def scaled_parabola(width, x):
    return x * (1 - x) * width


def volume(boxes) -> Fraction:
    return sum(
        (math.prod(high - low for low, high in box.ranges.values()) for box in boxes), Fraction(0)
    )


def test_a_true_inequality_is_proved():
    plain = prove(Inequality(parabola, "<", "0.26"), over={"x": (0, 1)})
    assert plain.proved
    assert plain.boxes > 1
    assert (plain.witness, plain.remaining, plain.reason) == (None, [], "")
    expanded = prove(Inequality(parabola, "<", "0.26", expand="x"), over={"x": Interval(0, 1)})
    assert expanded.proved
    assert expanded.boxes < plain.boxes


@pytest.mark.parametrize("expand", [None, "x"])
def test_a_false_inequality_is_refuted_with_a_witness(expand):
    result = prove(Inequality(parabola, "<", "0.24", expand=expand), over={"x": ("0", "1/3")})
    assert result.proved
    result = prove(Inequality(parabola, "<", "0.24", expand=expand), over={"x": (0, "1/2")})
    assert result.refuted
    for x in result.witness.box.ranges["x"]:
        assert parabola(x) >= Fraction(24, 100)


def test_a_whole_box_is_a_witness():
    result = prove(Inequality(parabola, ">", 0), over={"x": (2, 3)})
    assert result.refuted
    assert result.witness.box.ranges == {"x": (2, 3)}


def test_a_tight_inequality_is_undecided_with_what_is_left():
    result = prove(Inequality(parabola, "<=", "1/4"), over={"x": (0, 1)}, max_depth=12)
    assert result.status == "undecided"
    assert "halved 12 times" in result.reason
    assert 0 < volume(result.remaining) < Fraction(1, 16)
    assert all(abs(x - Fraction(1, 2)) < Fraction(1, 16) for box in result.remaining
               for x in box.ranges["x"])  # fmt: skip


def test_equality_at_a_point_is_undecided():
    third = Inequality(lambda x: x / 3, "<", lambda x: x * Fraction(1, 3).numerator / 3)
    result = prove(third, over={"x": 1})
    assert result.status == "undecided"
    assert "neither side is larger" in result.reason


def test_the_time_limit_leaves_the_rest():
    tight = Inequality(parabola, "<=", "1/4")
    result = prove(tight, over={"x": (0, 1)}, time_limit=0.05, max_depth=10_000)
    assert result.status == "undecided"
    assert "time limit" in result.reason
    assert Fraction(1, 2) in {end for box in result.remaining for end in box.ranges["x"]}
    result = prove(Inequality(scaled_parabola, "<", 10), over={"x": (0, 1)}, widths=range(1, 9),
                   time_limit=1e-9)  # fmt: skip
    assert [box.width for box in result.remaining] == list(range(1, 9))


def test_precision_is_raised_where_it_is_what_is_missing():
    e = Fraction("2.71828182845904523536028747135266249775724709369995957")
    result = prove(Inequality(lambda x: x.exp(), ">", e), over={"x": 1})
    assert result.proved
    assert result.precision > 160


def test_results_are_reproducible_and_the_same_in_processes():
    inequality = Inequality(scaled_parabola, "<", "2.51", expand="x")
    first = prove(inequality, over={"x": (0, 1)}, widths=range(1, 11))
    with ProcessPoolExecutor(2) as executor:
        second = prove(inequality, over={"x": (0, 1)}, widths=range(1, 11), executor=executor)
    assert first.proved
    assert (first.boxes, first.depth, first.status) == (second.boxes, second.depth, second.status)
    result = prove(inequality, over={"x": (0, 1)}, widths=range(9, 13))
    assert result.refuted
    assert result.witness.box.width == 11


def test_an_interruption_returns_what_is_left():
    calls = []

    def interrupted(width, x):
        calls.append(width)
        if len(calls) == 20:
            raise KeyboardInterrupt
        return scaled_parabola(width, x)

    result = prove(Inequality(interrupted, "<", "2.51"), over={"x": (0, 1)}, widths=[9, 10, 11])
    assert result.status == "undecided"
    assert "interrupted" in result.reason
    assert result.remaining[-1].width == 11
    left = [box for box in result.remaining if box.width == calls[-1]]
    assert 0 < volume(left) < 1


def test_progress_is_reported():
    seen = []
    prove("he_exponent_negative", widths=[1, 2], progress=seen.append)
    assert [p.width for p in seen if p.widths_done == 2] == [2]
    assert seen[-1].boxes == prove("he_exponent_negative", widths=[1, 2]).boxes


@given(
    st.lists(st.fractions(-3, 3, max_denominator=9), min_size=1, max_size=4),
    st.fractions(-3, 3, max_denominator=9),
    st.sampled_from(["<", "<=", ">", ">="]),
    st.booleans(),
    st.lists(st.fractions(0, 1), min_size=8, max_size=8),
)
def test_answers_are_true(coefficients, bound, relation, expanded, points):
    def polynomial(x):
        total = x * 0
        for c in coefficients:
            total = total * x + (c if isinstance(x, Fraction) else laws.ball(c))
        return total

    def true_at(x) -> bool:
        value = polynomial(x)
        return {"<": value < bound, "<=": value <= bound,
                ">": value > bound, ">=": value >= bound}[relation]  # fmt: skip

    inequality = Inequality(polynomial, relation, bound, expand="x" if expanded else None)
    result = prove(inequality, over={"x": (0, 1)}, max_depth=8)
    if result.refuted:
        low, high = result.witness.box.ranges["x"]
        assert not any(true_at(low + (high - low) * t) for t in [*points, 0, 1])
    else:
        ranges = [box.ranges["x"] for box in result.remaining]
        covered = [x for x in points if not any(low <= x <= high for low, high in ranges)]
        assert all(true_at(x) for x in covered)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: prove("he_exponent"), "did you mean 'he_exponent_negative'"),
        (lambda: prove("expansion", over={"sigma": (0, 1)}), "got 'sigma'"),
        (lambda: prove("expansion_wide", widths=[1]), "no argument width"),
        (lambda: prove("expansion", widths=[0]), "widths must be an integer in"),
        (lambda: prove("expansion", over={"order": (2, 1)}), "lower must be"),
        (lambda: prove("expansion", over={"order": (1, 2, 3)}), "a pair or a number"),
        (lambda: prove("expansion", time_limit=0), "time_limit must be > 0"),
        (lambda: Inequality(parabola, "=", 0), "relation must be one of"),
        (lambda: prove(Inequality(parabola, "<", 1, expand="y"), over={"x": 1}), "range of 'y'"),
    ],
)
def test_bad_arguments(call, words):
    with pytest.raises(ValueError, match=words):
        call()


# ---------------------------------------------------------------- the functions behind them

slopes = st.fractions(0, 1, max_denominator=1000)
orders = st.fractions("1/4", 8, max_denominator=1000)
widths = st.integers(1, 12) | st.integers(1, 300)


def rational(value: Fraction) -> arb:
    return laws.ball(value)


@pytest.mark.parametrize("width", [1, 2, 3, 7, 40])
def test_even_moments_are_the_rational_numbers(width):
    """Given j positive signs E(2B - 1)^n is a sum of the moments of B ~ Beta(j/2, (d-j)/2)."""
    moments, bounds = even_moments(width, 128)
    for k in range(8):
        exact, absolute = Fraction(0), Fraction(0)
        for j in range(1, width):
            beta = [Fraction(1)]
            for i in range(2 * k):
                beta.append(beta[-1] * Fraction(j + 2 * i, width + 2 * i))
            weight = Fraction(math.comb(width, j), 2**width)
            exact += weight * sum(
                math.comb(2 * k, i) * 2**i * (-1) ** i * beta[i] for i in range(2 * k + 1)
            )
            absolute += weight * 2 * beta[2 * k]
        with flint_settings(128):
            assert moments[k].overlaps(rational(exact))
            assert moments[k].rad() < 1e-30
            assert rational(absolute) <= bounds[k] + 1e-30
            assert moments[k] <= bounds[k] + 1e-30


@given(st.integers(1, 64), st.integers(16, 512).map(lambda n: Fraction(n, 64)), slopes)
@settings(max_examples=12)
def test_log_moment_agrees_with_contour_integrals(width, order, slope):
    """An independent rigorous route: `laws` integrates the transform of the squared gain."""
    law = laws.Law.make(width, slope, slope)
    with flint_settings(80, 3):
        s, a = rational(order), rational(slope)
        series = log_moment(width, arb_series([s / 2, 0.5]), eta_of(a))
        other = laws.log_moment_series(law, order, 3, False)
        shift = ((1 + a * a) * width / 2).log() / 2
        expected = [other[0] - s * shift, other[1] - shift, other[2]]
        for ours, theirs in zip(series.coeffs(), expected, strict=True):
            assert ours.overlaps(theirs)
        if slope > Fraction(1, 10):
            assert series[0].rad() < 1e-8


@given(widths, slopes.filter(bool))
@settings(max_examples=20)
def test_mean_log_agrees_with_contour_integrals(width, slope):
    with flint_settings(80):
        a = rational(slope)
        eta = eta_of(a)
        ours = mean_log(width, eta) + arb(2) ** -width * (1 - eta).log()
        theirs = 2 * laws.log_mean(laws.Law.make(width, slope, slope))
        assert ours.overlaps(theirs - ((1 + a * a) * width / 2).log())


@given(widths, orders, slopes, st.fractions(0, "1/50"), st.fractions(0, 1), st.fractions(0, 1))
def test_balls_contain_the_values_at_inner_points(width, order, slope, size, t, u):
    """Over boxes the series contains its coefficients at every point."""
    low, high = order, order + size
    inner, inner_slope = low + t * size, min(slope + u * size, Fraction(1))
    with flint_settings(80, 4):
        wide_slope = enclosing(slope, min(slope + size, Fraction(1)))
        wide = log_moment(width, arb_series([enclosing(low, high) / 2, 0.5]), eta_of(wide_slope))
        point = log_moment(
            width, arb_series([rational(inner) / 2, 0.5]), eta_of(rational(inner_slope))
        )
        for outer, value in zip(wide.coeffs(), point.coeffs(), strict=True):
            assert not outer.is_finite() or outer.overlaps(value)


def exact_error(width: int, order: Fraction, slope: Fraction) -> float:
    """Return d^2 r from the any-precision route of the compiled core."""
    remainder = fm.scale_squared_remainder(fm.Gain(fm.LeakyReLU(slope), width), order)
    return remainder * width**3 * float(1 + slope * slope) / 2


@given(widths, st.fractions("1/2", 2, max_denominator=100), slopes)
def test_scaled_error_is_the_remainder_of_the_expansion(width, order, slope):
    with flint_settings(80, 3):
        ball = scaled_error(width, arb_series([rational(order), 1]), rational(slope))[0]
    expected = exact_error(width, order, slope)
    assert abs(float(ball.mid()) - expected) <= float(ball.rad()) + 1e-10


@given(st.integers(256, 10**5), st.fractions("1/4", 2, max_denominator=100), slopes)
@settings(max_examples=25)
def test_scaled_error_wide_contains_the_remainder(width, order, slope):
    ball = scaled_error_wide(rational(order), rational(slope), arb(1) / width)
    assert abs(float(ball.mid()) - exact_error(width, order, slope)) <= float(ball.rad()) + 1e-6
    whole = scaled_error_wide(
        rational(order), rational(slope), enclosing(Fraction(0), Fraction(1, 256))
    )
    assert whole.contains(ball)


@given(st.integers(1, 300), orders)
def test_relu_given_alive(width, order):
    gain = fm.Gain("relu", width)
    with flint_settings(100, 3):
        s = rational(order)
        slope = statements.log_scale_slope_alive(width, arb_series([s, 1]))[0]
        law = laws.Law.make(width, 0, 0)
        assert (slope + laws.log_scale_derivative(law, order, True)).contains(0)
        drift = statements.drift_alive(width, arb_series([s, 1]))[0] * s
    scale = gain.scale(order, digits=30, given_alive=True)
    expected = mpmath.log(scale) + gain.log_mean(digits=30)
    assert abs(float(drift.mid()) - float(expected)) < 1e-15


# ---------------------------------------------------------------- the statements


def test_the_list_covers_widths_1_to_256():
    for name, statement in STATEMENTS.items():
        assert statement.widths in (range(1, 257), None)
        assert statement.widths is not None or name.removesuffix("_wide") in STATEMENTS


@pytest.mark.parametrize("name", STATEMENTS)
def test_statements_hold_at_some_widths(name):
    widths = None if STATEMENTS[name].widths is None else (1, 4, 64, 256)
    assert prove(name, widths=widths).proved


@pytest.mark.parametrize("order", ["1/4", "1", "2", "8"])
def test_what_follows_from_another_statement_does(order):
    s, slope = rational(order), rational("1/3")
    with flint_settings(80, 3):
        series = arb_series([s, 1])
        values = statements.log_scale_slope(12, series, slope)[0]
        margin = values - statements.log_scale_slope_bound(12, series, slope)[0]
        tail = statements.log_moment_slope_at_scale(12, series, slope)
        tail -= statements.tail_bound(12, series, slope)
        assert tail[0].overlaps(s * margin)
        if s <= 2:
            assert statements.he_margin(12, series, slope)[0] > 2 * margin - 1e-9
    implied = {name: STATEMENTS[name].follows_from for name in STATEMENTS}
    assert {name for name, of in implied.items() if of} == {"above_he", "tail_index_decreasing"}
    for name, of in implied.items():
        if of:
            ours, theirs = STATEMENTS[name], STATEMENTS[of]
            assert ours.widths == theirs.widths
            for variable, (low, high) in ours.over.items():
                assert theirs.over[variable][0] <= low <= high <= theirs.over[variable][1]


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in STATEMENTS if not STATEMENTS[n].follows_from])
def test_statements_hold_at_all_widths(name):
    assert prove(name).proved


def test_a_smaller_constant_of_the_expansion_is_refuted():
    """At width 8, order 1 and ReLU the error is 1.80/(m d^3)."""
    smaller = Inequality(statements.squared_error, "<", Fraction("1.7") ** 2, expand="order")
    result = prove(smaller, over=STATEMENTS["expansion"].over, widths=range(6, 9))
    assert result.refuted
    point = result.witness.box.centre()
    order, slope = (low for low, _ in point.ranges.values())
    assert exact_error(point.width, order, slope) > 1.7


def test_the_constant_of_the_scale_fails_for_large_orders():
    """The witness is one for the any-precision route of the compiled core, too."""
    result = prove("scale_decreasing", over={"order": (8, 64), "slope": "1/128"}, widths=[16])
    assert result.refuted
    point = {name: low for name, (low, _) in result.witness.box.centre().ranges.items()}
    gain, step = fm.Gain(fm.LeakyReLU(point["slope"]), 16), Fraction(1, 10**9)
    y = ((1 - point["slope"] ** 2) / (1 + point["slope"] ** 2)) ** 2
    with mpmath.workdps(40):
        ends = [mpmath.log(gain.scale(point["order"] + h, digits=40)) for h in (-step, step)]
        slope = (ends[0] - ends[1]) * 10**9 / 2
        margin = slope - mpmath.mpf(float((2 + 3 * y) / (10 * (16 + point["order"]))))
    assert float(margin) == pytest.approx(float(arb(result.witness.margin)), rel=1e-6)
    assert margin < 0


def test_the_scale_that_counts_dead_layers_can_have_a_positive_drift():
    """Without the condition R > 0 the scale of small orders makes up for dead layers."""

    def drift(width, order):
        dead = (1 - arb(2) ** -width).log() / (order * order)
        return statements.drift_alive(width, order) - dead

    claim = Inequality(drift, "<", 0, expand="order")
    result = prove(claim, over={"order": ("1/4", 2)}, widths=range(1, 9))
    assert result.refuted
    order, _ = result.witness.box.centre().ranges["order"]
    gain = fm.Gain("relu", result.witness.box.width)
    assert math.log(gain.scale(float(order))) + gain.log_mean() > 0
    assert prove(claim, over={"order": ("1/4", 2)}, widths=range(16, 20)).proved
