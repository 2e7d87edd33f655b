"""Moments of nonlinear layers: references, other definitions, limits, simulation, bad input."""

from __future__ import annotations

import math
import pickle

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mpf

import fracmoment as fm
from fracmoment import nonlinear as nl
from fracmoment.nonlinear import NonlinearGain, transform
from fracmoment.nonlinear.activations import as_nonlinear
from tests.nonlinear.references import FUNCTIONS, Row, mean, rows
from tests.reference.tables import relative_error
from tests.tolerances import RELATIVE

NAMES = sorted(FUNCTIONS)
WIDTHS = st.integers(0, 60).map(lambda k: round(10 ** (k / 10)))
VARIANCES = st.floats(-3.0, 2.0).map(lambda x: 10.0**x)


@pytest.mark.parametrize("row", rows(), ids=str)
def test_moments_agree_with_references(row: Row) -> None:
    order = float(mpf(row.order.split("/")[0]) / int((row.order + "/1").split("/")[1]))
    error = relative_error(row.layer.moment(order), row.exact)
    assert error <= RELATIVE["nonlinear moment"]


@pytest.mark.parametrize("name", NAMES)
@given(order=st.floats(0.1, 12.0), variance=VARIANCES)
@settings(max_examples=2)
def test_one_unit_is_one_integral(name: str, order: float, variance: float) -> None:
    if name == "sin":
        variance = min(variance, 2.0)  # the quadrature has panels between its zeros, few of them
    with mpmath.workdps(15):
        breaks = [k * mpmath.pi / mpmath.sqrt(variance) for k in (1, 2, 3)] if name == "sin" else []
        exact = mean(lambda x: abs(FUNCTIONS[name](x)) ** mpf(order), variance, breaks)
    assert NonlinearGain(name, 1, variance).moment(order) == pytest.approx(float(exact), rel=2e-12)


@pytest.mark.parametrize("name", NAMES)
@given(width=WIDTHS, variance=VARIANCES)
@settings(max_examples=2)
def test_even_orders_are_polynomials_in_the_width(name: str, width: int, variance: float) -> None:
    one, two, three = NonlinearGain(name, 1, variance).moment([2.0, 4.0, 6.0])
    d = float(width)
    exact = [
        d * one,
        d * two + d * (d - 1) * one**2,
        d * three + 3 * d * (d - 1) * one * two + d * (d - 1) * (d - 2) * one**3,
    ]
    np.testing.assert_allclose(
        NonlinearGain(name, width, variance).moment([2.0, 4.0, 6.0]), exact, rtol=5e-14
    )


@given(width=WIDTHS, variance=VARIANCES)
@settings(max_examples=15)
def test_closed_mean_squares(width: int, variance: float) -> None:
    q = variance
    sine = -0.5 * math.expm1(-2.0 * q)
    error = 2.0 / math.pi * math.asin(2.0 * q / (1.0 + 2.0 * q))
    for name, exact in (("sin", sine), ("erf", error)):
        moment = NonlinearGain(name, width, q).moment(2.0)
        assert moment == pytest.approx(width * exact, rel=2e-14)


# ---------------------------------------------------------------- limits


@pytest.mark.parametrize(("name", "slope"), [("tanh", 1.0), ("sin", 1.0), ("silu", 0.5)])
@given(width=WIDTHS, order=st.floats(-0.9, 20.0))
@settings(max_examples=10)
def test_small_inputs_make_units_linear(name: str, slope: float, width: int, order: float) -> None:
    q = 1e-16  # |phi(x)| is slope |x| up to a factor 1 + |x|
    linear = fm.Gain("linear", width).moment(order) * (slope * math.sqrt(q)) ** order
    assert NonlinearGain(name, width, q).moment(order) == pytest.approx(linear, rel=1e-6)


@pytest.mark.parametrize(
    "phi", [nl.Softplus(1e9), nl.ELU(1e-9), nl.CELU(1e-9)], ids=["softplus", "elu", "celu"]
)
@pytest.mark.parametrize("width", [2, 50, 10**5])
def test_sharp_units_are_rectified(phi: nl.NonlinearActivation, width: int) -> None:
    orders = [0.5, 1.0, 2.0, 7.0]
    relu = fm.Gain("relu", width).moment(orders)
    # At order 1/2 the dead layers of width 2 have norm 1e-9^(1/2) instead of 0.
    np.testing.assert_allclose(NonlinearGain(phi, width, 1.0).moment(orders), relu, rtol=5e-5)


@pytest.mark.parametrize("name", ["gelu", "silu", "mish"])
def test_large_inputs_make_units_rectified(name: str) -> None:
    q = 1e12
    relu = fm.Gain("relu", 30).moment(1.5) * q**0.75
    assert NonlinearGain(name, 30, q).moment(1.5) == pytest.approx(relu, rel=1e-5)


def test_saturated_and_constant_units() -> None:
    assert NonlinearGain("tanh", 9, 1e14).moment(1.0) == pytest.approx(3.0, rel=1e-6)
    assert NonlinearGain("sigmoid", 16, 1e-14).moment(-3.0) == pytest.approx(1 / 8, rel=1e-6)
    assert NonlinearGain("sin", 8, 1e6).moment(2.0) == pytest.approx(4.0, rel=1e-13)


@given(st.sampled_from(NAMES), WIDTHS.filter(lambda d: d >= 100), st.floats(-5.0, 20.0), VARIANCES)
@settings(max_examples=8)
def test_wide_layers_follow_the_expansion(
    name: str, width: int, order: float, variance: float
) -> None:
    if name == "gelu_tanh":
        order = abs(order)
    one = NonlinearGain(name, 1, variance)
    m, square = one.moment(2.0), one.moment(4.0)
    p, spread = 0.5 * order, (square / m**2 - 1.0) / width
    first = 1.0 + 0.5 * p * (p - 1.0) * spread
    relative = NonlinearGain(name, width, variance).moment(order) / (width * m) ** p
    # The next terms: of order spread^2 and skewness/width^2, powers of p up to 4.
    kurtosis = one.moment(8.0) / m**4
    allowed = (1.0 + abs(p)) ** 4 * kurtosis / width**2
    if allowed < 0.01:
        assert abs(relative - first) < allowed + 1e-13


# ---------------------------------------------------------------- identities


@given(st.sampled_from(NAMES), WIDTHS, VARIANCES.filter(lambda q: q <= 3.0))
@settings(max_examples=6)
def test_norms_increase_with_the_order_and_moments_are_log_convex(
    name: str, width: int, variance: float
) -> None:
    layer = NonlinearGain(name, width, variance)
    low = 0.0 if name == "gelu_tanh" else max(0.6 * layer.order_edge, -8.0)
    orders = np.linspace(low, 24.0, 41)
    logs = np.log(layer.moment(orders))
    assert (np.diff(logs, 2) > -1e-12 * (1.0 + np.abs(logs[1:-1]))).all()
    scales = layer.scale(orders)
    assert (np.diff(scales) <= 1e-13 * scales[1:]).all()


@pytest.mark.parametrize("name", ["tanh", "elu", "softplus", "sigmoid"])
def test_norms_increase_with_the_variance_where_squares_do(name: str) -> None:
    moments = [NonlinearGain(name, 12, q).moment(1.0) for q in np.geomspace(1e-4, 1e4, 20)]
    assert (np.diff(moments) > 0.0).all()


def test_scaled_units_have_scaled_laws() -> None:
    tanh = NonlinearGain("tanh", 20, 4 / 9 * 0.7)
    scaled = NonlinearGain("lecun_tanh", 20, 0.7)
    orders = np.array([-3.0, 0.5, 5.0])
    np.testing.assert_allclose(
        scaled.moment(orders), 1.7159**orders * tanh.moment(orders), rtol=1e-13
    )
    np.testing.assert_allclose(
        NonlinearGain(nl.CELU(2.0), 5, 4.0).moment(orders[1:]),
        2.0 ** orders[1:] * NonlinearGain("elu", 5, 1.0).moment(orders[1:]),
        rtol=1e-13,
    )


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("width", [1, 7, 10**6])
def test_logarithms_are_the_limit_of_order_zero(name: str, width: int) -> None:
    layer, h = NonlinearGain(name, width, 0.8), 1e-3
    if name == "gelu_tanh" and width == 1:
        # Moments of negative orders are infinite: differences to the right only.
        slopes = np.log(layer.moment([h / 4, h / 2, h])) / np.array([h / 4, h / 2, h])
        limit = (8 * slopes[0] - 6 * slopes[1] + slopes[2]) / 3
        assert layer.log_mean() == pytest.approx(limit, rel=1e-7)
        return
    if name != "gelu_tanh":
        up, down = np.log(layer.moment([h, -h]))
        curve = (up + down) / h**2
        assert layer.log_mean() == pytest.approx((up - down) / (2 * h), rel=1e-5, abs=1e-6)
        # Two logarithms, each with an error of 1e-15 (log M + 1), are divided by h^2.
        allowed = 4e-15 * (1.0 + abs(up)) / h**2 + 1e-5 * curve
        assert layer.log_var() == pytest.approx(curve, abs=allowed)
    assert layer.scale(0.0) == pytest.approx(
        math.sqrt(0.8) * math.exp(-layer.log_mean()), rel=1e-13
    )


@pytest.mark.parametrize("name", ["tanh", "gelu", "softplus"])
def test_logarithms_of_one_unit_are_integrals(name: str) -> None:
    with mpmath.workdps(20):
        first = mean(lambda x: mpmath.log(abs(FUNCTIONS[name](x))), 2.0)
        second = mean(lambda x: mpmath.log(abs(FUNCTIONS[name](x))) ** 2, 2.0)
    layer = NonlinearGain(name, 1, 2.0)
    assert layer.log_mean() == pytest.approx(float(first), rel=1e-12)
    assert layer.log_var() == pytest.approx(float(second - first**2), rel=1e-12)


def test_variance_of_wide_layers_does_not_cancel() -> None:
    # Var R = (E Y^2/m - m)/4 (1 + O(1/d))
    one = NonlinearGain("selu", 1, 1.0)
    m, square = one.moment(2.0), one.moment(4.0)
    layer = NonlinearGain("selu", 10**6, 1.0)
    assert layer.var() == pytest.approx(0.25 * (square / m - m), rel=1e-5)
    assert layer.std() == math.sqrt(layer.var())
    assert layer.mean() == layer.moment(1.0)


def test_high_orders_of_small_inputs_need_far_points() -> None:
    """``E |x/2|^s (1 + O(x))``, most of it beyond 6 deviations, where panels once ended."""
    q, order = 1e-16, 37.0
    linear = fm.Gain("linear", 3).moment(order) * (0.5 * math.sqrt(q)) ** order
    for name in ("gelu", "gelu_tanh", "silu"):
        assert NonlinearGain(name, 3, q).moment(order) == pytest.approx(linear, rel=1e-12)


def test_results_do_not_depend_on_what_was_computed_before() -> None:
    fresh, used = NonlinearGain("mish", 40, 1.3), NonlinearGain("mish", 40, 1.3)
    used.moment(np.linspace(-20.0, 40.0, 200))
    for order in (-7.5, 0.3, 1.0, 2.0, 33.0):
        assert fresh.moment(order) == used.moment(order)
        assert used.moment([[order, 1.5]])[0, 0] == used.moment(order)


# ---------------------------------------------------------------- scales


@pytest.mark.parametrize("name", ["tanh", "sigmoid", "selu", "gelu", "sin"])
@pytest.mark.parametrize("order", [0.0, 0.5, 2.0, 5.0])
def test_scale_preserves_the_moment_of_the_variance(name: str, order: float) -> None:
    layer = NonlinearGain(name, 24, 1.7)
    sigma = layer.scale(order)
    if order:
        assert sigma**order * layer.moment(order) == pytest.approx(1.7 ** (order / 2), rel=1e-13)
    if order == 2.0:
        gain = nl.mean_field_gain(name, 1.7)
        assert sigma == pytest.approx(gain / math.sqrt(24), rel=1e-14)


@pytest.mark.parametrize("preserve", ["rms", "norm"])
@pytest.mark.parametrize(("name", "rms"), [("tanh", 0.3), ("selu", 1.0), ("sigmoid", 0.7)])
def test_init_scale_preserves_the_moment(name: str, rms: float, preserve: str) -> None:
    sigma = nl.init_scale(name, 30, 40, 1.5, rms=rms, preserve=preserve)
    norm = rms * math.sqrt(30)
    kept = norm if preserve == "norm" else rms * math.sqrt(40)
    moment = NonlinearGain(name, 40, (sigma * norm) ** 2).moment(1.5)
    assert moment == pytest.approx(kept**1.5, rel=1e-12)


def test_init_scale_of_small_inputs_is_the_linear_one() -> None:
    sigma = nl.init_scale("tanh", 30, 20, 1.0, rms=1e-9)
    assert sigma == pytest.approx(fm.init_scale("linear", 30, 20, 1.0), rel=1e-9)


def test_inputs_that_no_scale_keeps_are_refused() -> None:
    with pytest.raises(ValueError, match="no scale of Tanh"):
        nl.init_scale("tanh", 10, 10, 1.0, rms=1.5)
    with pytest.raises(ValueError, match="no scale of Sigmoid"):
        nl.init_scale("sigmoid", 10, 10, 1.0, rms=0.1)


# ---------------------------------------------------------------- simulation


@pytest.mark.parametrize("name", NAMES)
def test_explicit_weights_have_the_moments(name: str) -> None:
    """13 activations, 4 means: a z-score beyond 5 has probability 3e-5."""
    rng, sigma, fan_in, width = np.random.default_rng(20261130), 0.4, 6, 4
    x = np.linspace(-1.0, 2.0, fan_in)
    weights = sigma * rng.standard_normal((40_000, width, fan_in))
    norms = np.linalg.norm(as_nonlinear(name)(weights @ x), axis=1)
    layer = NonlinearGain(name, width, sigma**2 * float(x @ x))
    for sample, exact in (
        (norms**0.5, layer.moment(0.5)),
        (norms**3, layer.moment(3.0)),
        (np.log(norms), layer.log_mean()),
        ((np.log(norms) - layer.log_mean()) ** 2, layer.log_var()),
    ):
        z = (sample.mean() - exact) / (sample.std(ddof=1) / math.sqrt(sample.size))
        assert abs(z) < 5.0


def test_variates_have_the_moments() -> None:
    """A z-score beyond 5 has probability 6e-7; pieces of the width included."""
    layer = NonlinearGain("selu", 3, 2.0)
    sample = layer.rvs(200_000, rng=5)
    z = (sample.mean() - layer.mean()) / (sample.std(ddof=1) / math.sqrt(sample.size))
    assert abs(z) < 5.0
    wide = NonlinearGain("tanh", 3_000_000, 1.0)
    assert abs(float(wide.rvs(rng=1)) - wide.mean()) < 5.0 * wide.std()
    np.testing.assert_array_equal(layer.rvs((2, 3), rng=1), layer.rvs((2, 3), rng=1))


# ---------------------------------------------------------------- domain and bad input


def test_narrow_layers_next_to_the_edge_are_refused(monkeypatch) -> None:
    monkeypatch.setattr(transform, "_MOST", 500)  # of several thousand values, which take seconds
    with pytest.raises(fm.ConvergenceError, match="further from the edge"):
        NonlinearGain("gelu", 1, 10.0).moment(-0.09)


def test_order_edges() -> None:
    assert NonlinearGain("tanh", 3, 1.0).order_edge == -3.0
    assert NonlinearGain("sigmoid", 3, 1.0).order_edge == -math.inf
    assert NonlinearGain("gelu", 4, 8.0).order_edge == -0.5
    assert NonlinearGain("gelu_tanh", 4, 8.0).order_edge == 0.0
    for name, order in (("tanh", -3.0), ("gelu_tanh", -1e-3)):
        with pytest.raises(ValueError, match="order"):
            NonlinearGain(name, 3, 1.0).moment(order)
    # Next to the edge the moment grows like the inverse distance.
    near, nearer = NonlinearGain("tanh", 3, 1.0).moment([-3.0 + 2e-3, -3.0 + 1e-3])
    assert nearer / near == pytest.approx(2.0, rel=0.01)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: NonlinearGain("tanh", 0, 1.0), ValueError, "width"),
        (lambda: NonlinearGain("tanh", 2.5, 1.0), (TypeError, ValueError), "width"),
        (lambda: NonlinearGain("tanh", 2, 0.0), ValueError, "variance"),
        (lambda: NonlinearGain("tanh", 2, math.inf), ValueError, "variance"),
        (lambda: NonlinearGain("tanh", 2, 1e201), ValueError, "variance"),
        (lambda: NonlinearGain("tanh", 2, [1.0]), TypeError, "variance must be one number"),
        (lambda: NonlinearGain("relu", 2, 1.0), ValueError, "homogeneous"),
        (lambda: NonlinearGain("tanh", 2, 1.0).moment(math.nan), ValueError, "order"),
        (lambda: NonlinearGain("tanh", 2, 1.0).moment(1j), TypeError, "order"),
        (lambda: NonlinearGain("tanh", 2, 1.0).moment(201.0), ValueError, "order"),
        (lambda: NonlinearGain("tanh", 2, 1.0).scale(-2.5), ValueError, "order"),
        (lambda: NonlinearGain("tanh", 2, 1.0).rvs(-1), ValueError, "size"),
        (lambda: nl.init_scale("tanh", 2, 2, 1.0, rms=0.0), ValueError, "rms"),
        (lambda: nl.init_scale("tanh", 2, 2, 1.0, rms=1.0, preserve="x"), ValueError, "preserve"),
        (lambda: nl.init_scale("tanh", 2, 2, -2.0, rms=0.1), ValueError, "order"),
    ],
)
def test_bad_input(call, error, words: str) -> None:
    with pytest.raises(error, match=words):
        call()


def test_gains_are_values() -> None:
    layer = NonlinearGain(nl.ELU("0.3"), 5, "1/3")
    assert layer == NonlinearGain(nl.ELU("3/10"), 5, "1/3")
    assert len({layer, NonlinearGain(nl.ELU("0.3"), 5, "1/3")}) == 1
    assert pickle.loads(pickle.dumps(layer)) == layer
    assert layer != NonlinearGain(nl.ELU("0.3"), 6, "1/3")
    assert layer != 3
