"""init_scale: the classical schemes, rectangular layers, broadcasting, every digit."""

from __future__ import annotations

import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fracmoment as fm

ACTIVATIONS = ["linear", "relu", "leaky_relu", "rrelu"]
fans = st.integers(1, 10**5)
slopes = st.one_of(st.just(0.0), st.floats(1e-8, 2.0))


def ulps(value, exact):
    """Return the error of a float in units of the last place of the exact value."""
    with mpmath.workdps(50):
        _, exponent = mpmath.frexp(exact)
        return abs(float((mpmath.mpf(value) - exact) / mpmath.ldexp(1, exponent - 53)))


def exact_root(numerator, denominator):
    with mpmath.workdps(50):
        return mpmath.sqrt(mpmath.mpf(numerator) / denominator)


@given(fan_in=fans, fan_out=fans)
def test_he_and_lecun(fan_in, fan_out):
    for preserve, fan in (("rms", fan_in), ("norm", fan_out)):
        he = fm.init_scale("relu", fan_in, fan_out, 2, preserve=preserve)
        assert ulps(he, exact_root(2, fan)) <= 1
        lecun = fm.init_scale("linear", fan_in, fan_out, 2, preserve=preserve)
        assert ulps(lecun, exact_root(1, fan)) <= 1


@given(fan_in=fans, fan_out=fans, slope=slopes, keep=st.floats(0.05, 1.0))
def test_second_moment_of_leaky_layers_with_dropout(fan_in, fan_out, slope, keep):
    value = fm.init_scale(fm.LeakyReLU(slope), fan_in, fan_out, 2.0, keep_prob=keep)
    with mpmath.workdps(50):
        a, q = mpmath.mpf(slope), mpmath.mpf(keep)
        exact = mpmath.sqrt(2 * q / ((1 + a * a) * fan_in))
    assert ulps(value, exact) <= 1


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("weights", ["gaussian", "orthogonal"])
@pytest.mark.parametrize("order", [0, 0.5, 1, 2.5, -0.5])
def test_square_layers_have_the_scale_of_the_gain(activation, weights, order):
    gain = fm.Gain(activation, 40, weights=weights)
    alive = order < 0
    expected = gain.scale(order, given_alive=alive)
    for preserve in ("rms", "norm"):
        value = fm.init_scale(
            activation, 40, 40, order, preserve=preserve, weights=weights, given_alive=alive
        )
        assert value == expected


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("weights", ["gaussian", "orthogonal"])
@pytest.mark.parametrize("preserve", ["rms", "norm"])
@pytest.mark.parametrize(("fan_in", "fan_out"), [(784, 64), (64, 10), (10, 64), (1, 3), (3, 1)])
@pytest.mark.parametrize("order", [0, 0.75, 3])
def test_rectangular_layers_to_one_ulp(activation, weights, preserve, fan_in, fan_out, order):
    arguments = (activation, fan_in, fan_out, order)
    value = fm.init_scale(*arguments, preserve=preserve, weights=weights)
    exact = fm.init_scale(*arguments, preserve=preserve, weights=weights, digits=40)
    assert ulps(value, exact) <= 1


def test_orthogonal_linear_layers_are_isometries():
    for order in (0, 0.3, 1, 2, 7):
        assert fm.init_scale("linear", 64, 64, order, weights="orthogonal") == 1.0
        tall = fm.init_scale("linear", 16, 64, order, weights="orthogonal", preserve="norm")
        assert tall == 1.0


def test_wide_orthogonal_layers_lose_part_of_the_input():
    # 16 of the 64 coordinates of a rotated vector carry a quarter of its square on average.
    for preserve, exact in (("norm", 2.0), ("rms", 1.0)):
        value = fm.init_scale("linear", 64, 16, 2, weights="orthogonal", preserve=preserve)
        assert value == exact


@pytest.mark.parametrize("order", [0.5, 1.0, 3.0])
@pytest.mark.parametrize(("fan_in", "fan_out"), [(6, 4), (4, 6)])
def test_orthogonal_layers_preserve_the_moment(order, fan_in, fan_out):
    # Monte Carlo with the matrices themselves; 6 standard errors fail with probability 2e-9.
    rng = np.random.default_rng(17)
    n, size = 20000, max(fan_in, fan_out)
    scale = fm.init_scale("relu", fan_in, fan_out, order, weights="orthogonal", preserve="norm")
    x = np.zeros(size)
    x[0] = 1.0  # Haar matrices: only the first column of each counts
    column = rng.standard_normal((n, size))
    column /= np.linalg.norm(column, axis=1, keepdims=True)
    out = np.maximum(scale * column[:, :fan_out], 0.0)
    powers = np.linalg.norm(out, axis=1) ** order
    assert abs(powers.mean() - 1.0) < 6 * powers.std() / math.sqrt(n)


def test_everything_broadcasts():
    scales = fm.init_scale(
        ["relu", "linear"],
        [[64], [32]],
        64,
        np.array([1.0, 2.0])[:, None, None],
        preserve=["rms", "norm"],
        keep_prob=[0.5, 1.0],
        weights=["gaussian", "orthogonal"],
    )
    assert scales.shape == (2, 2, 2)
    for i, order in enumerate((1.0, 2.0)):
        for j, fan_in in enumerate((64, 32)):
            relu = fm.init_scale("relu", fan_in, 64, order, keep_prob=0.5)
            linear = fm.init_scale(
                "linear", fan_in, 64, order, preserve="norm", weights="orthogonal"
            )
            assert scales[i, j].tolist() == [relu, linear]


def test_exact_values_broadcast():
    exact = fm.init_scale(["relu", "linear"], [[8], [4]], 4, "1/3", digits=30)
    assert exact.shape == (2, 2)
    assert exact[1, 0] == fm.init_scale("relu", 4, 4, Fraction(1, 3), digits=30)
    mixed = fm.init_scale("linear", 8, 4, 2, preserve=["rms", "norm"], digits=30)
    with mpmath.workdps(40):
        assert abs(mixed[0] - mpmath.sqrt(mpmath.mpf(1) / 8)) < mpmath.mpf("1e-31")
        assert abs(mixed[1] - mpmath.mpf(0.5)) < mpmath.mpf("1e-31")


def test_scalars_and_empty_arrays():
    assert type(fm.init_scale("relu", 3, 4, 1)) is float
    assert type(fm.init_scale("relu", np.int64(3), np.array(4), "1")) is float
    assert fm.init_scale("relu", [], 4, 1.0).shape == (0,)
    assert fm.init_scale([], 4, 4, 1.0).shape == (0,)


def test_order_zero_is_the_lyapunov_scale():
    for activation in ACTIVATIONS:
        scale = fm.init_scale(activation, 16, 16, 0)
        assert math.log(scale) == pytest.approx(-fm.Gain(activation, 16).log_mean(), rel=1e-14)


@pytest.mark.parametrize("order", [4.6e-15, 2.7e-8, 9e-6, -9e-6, 1.1e-5])
@pytest.mark.parametrize(
    "gain",
    [
        fm.Gain("relu", 27651),
        fm.Gain("linear", 298446064, keep_prob=0.85, weights="orthogonal"),
        fm.Gain(fm.RandomizedLeakyReLU(-0.2, 4.3e-05), 430, keep_prob=0.087),
        fm.Gain(fm.LeakyReLU(1e-8), 1),
    ],
    ids=repr,
)
def test_tiny_orders(gain, order):
    """The double route divides by the order; nothing may be lost by that."""
    alive = order < 0
    exact = gain.scale(order, digits=30, given_alive=alive)
    if 1e-300 < exact < 1e300:
        error = abs(gain.scale(order, given_alive=alive) - exact)
        assert error <= math.ulp(float(exact))


def test_scales_decrease_in_the_order():
    orders = np.linspace(0.0, 8.0, 50)
    for activation in ("linear", "leaky_relu", "rrelu"):
        assert np.all(np.diff(fm.init_scale(activation, 8, 8, orders)) < 0)
    assert np.all(np.diff(fm.init_scale("relu", 8, 8, orders, given_alive=True)) < 0)


def test_bad_input():
    with pytest.raises(ValueError, match="fan_in must be"):
        fm.init_scale("relu", 0, 3, 1)
    with pytest.raises(TypeError, match="fan_out must be"):
        fm.init_scale("relu", 3, 3.0, 1)
    with pytest.raises(ValueError, match="preserve must be one of 'rms', 'norm'"):
        fm.init_scale("relu", 3, 3, 1, preserve="rmsnorm")
    with pytest.raises(ValueError, match=r"weights must be .* did you mean 'orthogonal'"):
        fm.init_scale("relu", 3, 3, 1, weights=["gaussian", "orthogonl"])
    with pytest.raises(ValueError, match="order must be >= 0"):
        fm.init_scale("relu", 3, 3, -0.5)
    with pytest.raises(ValueError, match="order must be > -3"):
        fm.init_scale("linear", 3, 3, -3, digits=20)
    with pytest.raises(ValueError, match="must broadcast"):
        fm.init_scale("relu", [3, 4], [3, 4, 5], 1)
    with pytest.raises(ValueError, match="digits must be"):
        fm.init_scale("relu", 3, 3, 1, digits=0)


def test_narrowing_orthogonal_layers_have_the_orders_of_their_outputs():
    # What is kept of a rotated vector may be arbitrarily small: its moments end at -fan_out.
    narrow = {"weights": "orthogonal"}
    assert fm.init_scale("linear", 64, 10, -9.5, **narrow) == pytest.approx(1.74746868326044)
    for digits in (None, 20):
        with pytest.raises(ValueError, match="order must be > -10"):
            fm.init_scale("linear", 64, 10, -20, digits=digits, **narrow)
    with pytest.raises(ValueError, match="order must be > -10"):
        fm.init_scale(fm.LeakyReLU(0.5), [64, 10], 10, -10, **narrow)
    # Square layers are isometries and have every order.
    assert fm.init_scale("linear", 10, 10, -20, **narrow) == 1.0
    assert fm.init_scale("linear", [64, 10], 10, [-9.5, -20], **narrow)[1] == 1.0
    with pytest.raises(ValueError, match="must broadcast"):
        fm.init_scale("linear", [64, 10], [1, 2, 3], 1, **narrow)


def test_layers_of_one_unit_at_large_orders():
    """The moment overflows; the scale does not."""
    layer = (fm.LeakyReLU(-0.5), 2, 1)
    for weights in ("gaussian", "orthogonal"):
        options = {"weights": weights, "preserve": "norm"}
        for order in (300, 400, 1000.5, 2.0**20):
            exact = fm.init_scale(*layer, order, digits=30, **options)
            assert ulps(fm.init_scale(*layer, order, **options), exact) <= 1
    tiny = fm.Gain(fm.LeakyReLU(1e-8), 1, weights="orthogonal")
    for order in (-30.5, -50, -500):
        assert ulps(tiny.scale(order), tiny.scale(order, digits=30)) <= 1


@pytest.mark.parametrize(
    "slopes", [(0.25, 2.5), (1 / 8, 1 / 3), (0.01, 1.0), (0.01, 0.01)], ids=repr
)
@pytest.mark.parametrize(("width", "order"), [(2, -22.1), (3, -42.3), (5, -65.5), (16, -116.3)])
def test_orders_far_below_the_width(slopes, width, order):
    """Orthogonal layers with slopes off 0 have every order; the integrand is ever steeper there."""
    gain = fm.Gain(fm.RandomizedLeakyReLU(*slopes), width, weights="orthogonal")
    assert ulps(gain.scale(order), gain.scale(order, digits=30)) <= 1
    assert ulps(gain.moment(order), gain.moment(order, digits=30)) <= 1


def test_mixtures_refuse_orders_whose_moments_leave_every_range():
    gain = fm.Gain("relu", 100)
    assert ulps(gain.scale(1e5), gain.scale(1e5, digits=25)) <= 1
    with pytest.raises(fm.ConvergenceError, match="only computed with digits="):
        gain.scale(1e9)
