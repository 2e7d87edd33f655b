"""Bad input: the error names the argument, the value and what is allowed."""

from __future__ import annotations

import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest

import fracmoment as fm
from fracmoment import _validation

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize("width", [0, -3, 2**40 + 1, [4, 0], np.array([[-1]])])
def test_width_out_of_range(width):
    with pytest.raises(ValueError, match=r"width must be .*\[1, 1099511627776\], got"):
        fm.Gain("relu", width)


@pytest.mark.parametrize("width", [2.5, 64.0, "64", None, True, [1.5], [True], 1 + 0j, ["4"]])
def test_width_of_a_wrong_type(width):
    with pytest.raises(TypeError, match="width must be"):
        fm.Gain("relu", width)


@pytest.mark.parametrize("width", [np.int8(5), np.uint64(5), np.array(5), np.array(5, np.uint8)])
def test_numpy_integers_are_widths(width):
    assert fm.Gain("relu", width) == fm.Gain("relu", 5)


@pytest.mark.parametrize("keep_prob", [0, -0.5, 1.5, NAN, INF, "0", "3/2", [0.5, 0.0], "1e-400"])
def test_keep_prob_out_of_range(keep_prob):
    with pytest.raises(ValueError, match="keep_prob must be"):
        fm.Gain("relu", 8, keep_prob=keep_prob)


def test_other_arguments_of_a_gain():
    with pytest.raises(ValueError, match=r"weights must be one of .*did you mean 'gaussian'"):
        fm.Gain("relu", 8, weights="gausian")
    with pytest.raises(TypeError, match="weights must be"):
        fm.Gain("relu", 8, weights=None)
    with pytest.raises(TypeError, match="inverted_dropout must be True or False"):
        fm.Gain("relu", 8, inverted_dropout=1)
    with pytest.raises(TypeError, match="given_alive must be True or False"):
        fm.Gain("relu", 8).moment(1.0, given_alive="yes")


@pytest.mark.parametrize("method", ["moment", "scale"])
@pytest.mark.parametrize("order", [NAN, INF, -INF, [1.0, NAN], "inf"])
@pytest.mark.parametrize("digits", [None, 20])
def test_orders_must_be_finite(method, order, digits):
    with pytest.raises(ValueError, match="order must be"):
        getattr(fm.Gain("linear", 8), method)(order, digits=digits)


@pytest.mark.parametrize(
    ("gain", "order", "edge"),
    [
        (fm.Gain("linear", 8), -8, "> -8"),
        (fm.Gain("linear", 8), -8.5, "> -8"),
        (fm.Gain("leaky_relu", 3), [1.0, -3.0], "> -3"),
        (fm.Gain(fm.RandomizedLeakyReLU(-1, 1), 3, weights="orthogonal"), -3.0, "> -3"),
        (fm.Gain("relu", 8), 0, r"> 0 .*given_alive=True"),
        (fm.Gain("relu", 8), -0.5, "> 0"),
        (fm.Gain("linear", 8, keep_prob=0.5), 0, "> 0"),
        (fm.Gain(fm.LeakyReLU(0), 8), 0.0, "> 0"),
        (fm.Gain("linear", [8, 4]), -5.0, "> -4"),
    ],
    ids=repr,
)
@pytest.mark.parametrize("digits", [None, 20])
def test_orders_outside_the_domain(gain, order, edge, digits):
    with pytest.raises(ValueError, match=f"order must be {edge}.*, got"):
        gain.moment(order, digits=digits)


def test_orders_of_conditional_laws():
    g = fm.Gain("relu", 8)
    assert g.moment(0.0, given_alive=True) == 1.0
    assert g.moment(-0.9, given_alive=True) > 0
    with pytest.raises(ValueError, match="order must be > -1, got -1"):
        g.moment(-1.0, given_alive=True)
    with pytest.raises(ValueError, match=r"order must be >= 0 .*, got -0\.5"):
        g.scale(-0.5)
    assert g.scale(0.0) == g.scale(0) == g.scale(0.0, given_alive=True)


def test_complex_orders():
    g = fm.Gain("linear", 2)
    with pytest.raises(ValueError, match="order must have a real part > -2, got"):
        g.moment(-2 + 1j)
    with pytest.raises(ValueError, match="order must be finite"):
        g.moment(complex(1, NAN))
    with pytest.raises(TypeError, match="order must be a real number"):
        g.scale(1j)


@pytest.mark.parametrize("digits", [0, -1, 1001])
def test_digits_out_of_range(digits):
    with pytest.raises(ValueError, match=r"digits must be an integer in \[1, 1000\], got"):
        fm.Gain("relu", 8).moment(1, digits=digits)


@pytest.mark.parametrize("digits", [2.0, "20", True])
def test_digits_of_a_wrong_type(digits):
    with pytest.raises(TypeError, match="digits must be an integer"):
        fm.Gain("relu", 8).log_mean(digits=digits)


@pytest.mark.parametrize("sigma", [0, -1.0, NAN, INF, [1.0, 0.0]])
def test_sigma_must_be_positive(sigma):
    g = fm.Gain("relu", 8)
    for function in (g.tail_index, lambda s: fm.drift(g, s), lambda s: fm.depth_limit(g, s)):
        with pytest.raises(ValueError, match="sigma must be"):
            function(sigma)


@pytest.mark.parametrize("q", [-0.1, 1.1, NAN, [0.5, 2.0]])
def test_probabilities(q):
    with pytest.raises(ValueError, match="q must be"):
        fm.Gain("relu", 8).ppf(q)


def test_points_must_be_finite():
    g = fm.Gain("relu", 8)
    for function in (g.pdf, g.cdf, g.sf):
        with pytest.raises(ValueError, match="r must be finite"):
            function([1.0, NAN])


def test_shapes_must_broadcast():
    with pytest.raises(ValueError, match="must broadcast"):
        fm.Gain("relu", [4, 5], keep_prob=[0.5, 0.6, 0.7])
    for activation in ("relu", "linear"):
        with pytest.raises(ValueError, match="must broadcast"):
            fm.Gain(activation, [4, 5]).moment([1.0, 2.0, 3.0])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0.1", Fraction(1, 10)),
        (" -1/3 ", Fraction(-1, 3)),
        ("1 / 3", Fraction(1, 3)),
        ("2", Fraction(2)),
        (".5e1", Fraction(5)),
        (0.1, Fraction(0.1)),
        (np.float32(0.1), Fraction(float(np.float32(0.1)))),
        (7, Fraction(7)),
        (np.int16(-7), Fraction(-7)),
        (mpmath.mpf(-0.75), Fraction(-3, 4)),
        (mpmath.mpf(0), Fraction(0)),
        (np.array("1/3", dtype=object), Fraction(1, 3)),
    ],
    ids=repr,
)
def test_rationals_are_exact(value, expected):
    assert _validation.rational("x", value) == expected


@pytest.mark.parametrize(
    "value",
    ["1e999999999", "1" * 5000, "--1", "1/0", "", "0x10", "1_000", "١", mpmath.mpf("1e9999")],
)
def test_hostile_numbers_are_refused_at_once(value):
    with pytest.raises(ValueError, match="x must be"):
        _validation.rational("x", value)


def test_huge_numbers_do_not_fit_a_double():
    with pytest.raises(ValueError, match="order must be a number within the range of a double"):
        fm.Gain("linear", 3).moment("1e400")
    with pytest.raises(ValueError, match="a rational of moderate size"):
        fm.Gain("linear", 3).moment(Fraction(10) ** 10000)


def test_messages_stay_short():
    with pytest.raises(ValueError, match="characters") as error:
        fm.Gain("relu" * 1000, 3)
    assert len(str(error.value)) < 300


@pytest.mark.parametrize("size", [-1, (2, -3)])
def test_sample_size_out_of_range(size):
    with pytest.raises(ValueError, match="size must be"):
        fm.Gain("relu", 8).rvs(size)


def test_sample_arguments():
    with pytest.raises(TypeError, match="size must be"):
        fm.Gain("relu", 8).rvs(2.5)
    with pytest.raises(ValueError, match="must broadcast"):
        fm.Gain("relu", [8, 9]).rvs(3)
    with pytest.raises(ValueError, match="size must be a shape"):
        fm.Gain("relu", [[8], [9]]).rvs(3)
    with pytest.raises(TypeError, match="rng must be"):
        fm.Gain("relu", 8).rvs(3, rng=np.random.RandomState(1))


@pytest.mark.parametrize("n", [0, 13])
def test_cumulants_out_of_range(n):
    with pytest.raises(ValueError, match=r"n must be an integer in \[1, 12\]"):
        fm.Gain("relu", 8).log_cumulant(n)


@pytest.mark.parametrize(
    ("function", "arguments", "name"),
    [
        (fm.chi_moment, (0, 1), "width"),
        (fm.chi_moment, (3, -3), "order"),
        (fm.chi_ratio_moment, (3, 5, 5), "order"),
        (fm.chi_ratio_moment, (3, 5, -3), "order"),
        (fm.chi_ratio_moment, (-1, 5, 1), "m"),
        (fm.chi_ratio_moment, (1, 0, 1), "n"),
        (fm.beta_moment, (0, 1, 1), "a"),
        (fm.beta_moment, (1, NAN, 1), "b"),
        (fm.beta_moment, (1, 1, -1), "order"),
        (fm.f_moment, (3, 4, 2), "order"),
        (fm.f_moment, (3, 4, -1.5), "order"),
        (fm.f_moment, (3, [4, 3], [1.5, 1.5]), "order"),
    ],
)
@pytest.mark.parametrize("digits", [None, 20])
def test_ratio_moments(function, arguments, name, digits):
    with pytest.raises(ValueError, match=f"^{name} must be"):
        function(*arguments, digits=digits)


@pytest.mark.parametrize("order", [2.0**30 * 1.01, 1e19, 1e308, 2**64, "1e300"])
@pytest.mark.parametrize("digits", [None, 20])
def test_orders_of_no_use_are_refused(order, digits):
    for gain in (fm.Gain("relu", 8), fm.Gain("leaky_relu", [4, 5], weights="orthogonal")):
        for function in (gain.moment, gain.scale):
            with pytest.raises(ValueError, match=r"^order must be of magnitude at most"):
                function(order, digits=digits)
    with pytest.raises(ValueError, match=r"^order must be of magnitude at most"):
        fm.chi_moment(3.0, order, digits=digits)
    with pytest.raises(ValueError, match=r"^order must be of magnitude at most"):
        fm.expansions.scale_squared(3, order, 0.5, 1.25)


def test_imaginary_parts_of_no_use_are_refused():
    with pytest.raises(ValueError, match=r"^order must be of magnitude at most"):
        fm.Gain("linear", 8).moment(1 + 1e300j)


def test_tiny_orders():
    gain = fm.Gain("relu", 8)
    assert gain.scale(5e-324) == math.inf  # (1 - 2^-8)^(-1/s)
    assert gain.scale(5e-324, given_alive=True) == gain.scale(0)


@pytest.mark.parametrize("value", [5e-324, 1e-301, 2.0**41, 1e308])
def test_degrees_of_freedom_out_of_range(value):
    for function, arguments, name in (
        (fm.chi_moment, (value, 1.0), "width"),
        (fm.chi_ratio_moment, (value, 4.0, 0.0), "m"),
        (fm.beta_moment, (3.0, value, 1.0), "b"),
        (fm.f_moment, (value, 4.0, 0.0), "m"),
    ):
        with pytest.raises(ValueError, match=f"^{name} must be"):
            function(*arguments)


def test_probabilities_without_a_reciprocal():
    for value in (5e-324, 1e-301, [0.5, 1e-310]):
        with pytest.raises(ValueError, match=r"^keep_prob must be in"):
            fm.Gain("relu", 8, keep_prob=value)


def test_what_is_no_array_of_numbers():
    with pytest.raises(TypeError, match=r"^width must be"):
        fm.Gain("relu", [1, [2, 3]])
    with pytest.raises(TypeError, match=r"^order must be"):
        fm.Gain("relu", 8).moment([1, [2, 3]])
    with pytest.raises(TypeError, match=r"^order must be a number or an array without a mask"):
        fm.Gain("relu", 8).moment(np.ma.array([1.0, 2.0], mask=[0, 1]))
    with pytest.raises(TypeError, match=r"^rng must be"):
        fm.Gain("relu", 8).rvs(3, rng="seed")
    with pytest.raises(TypeError, match=r"^rng must be"):
        fm.Gain("relu", 8).rvs(3, rng=-1)
    for function in (
        fm.expansions.unit_moments,
        lambda x: fm.expansions.scale_squared_remainder(x, 1),
    ):
        with pytest.raises(TypeError, match=r"^gain must be a Gain"):
            function("relu")


def test_shapes_name_their_argument():
    gain = fm.Gain("relu", [4, 5])
    three = [0.1, 0.2, 0.3]
    for function, name in (
        (gain.moment, "order"),
        (gain.scale, "order"),
        (gain.pdf, "r"),
        (gain.ppf, "q"),
        (gain.tail_index, "sigma"),
    ):
        with pytest.raises(ValueError, match=f"^{name} must broadcast"):
            function(three)


def test_messages_are_one_line():
    with pytest.raises(TypeError) as error:
        fm.Gain(np.zeros((30, 30)), 3)
    assert "\n" not in str(error.value)
    with pytest.raises(TypeError, match="thousands of digits"):
        fm.Gain(Fraction(10**5000, 3), 3)
