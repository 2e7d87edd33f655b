"""Enclosures of nonlinear layers contain the references, closed forms and the double route."""

from __future__ import annotations

import math

import mpmath
import pytest
from flint import arb
from mpmath import mpf

import fracmoment as fm
from fracmoment import certified
from fracmoment import nonlinear as nl
from fracmoment.certified import nonlinear as proved
from fracmoment.nonlinear.activations import as_nonlinear
from tests.nonlinear.references import FUNCTIONS, Row, mean, rows

NAMES = sorted(FUNCTIONS)
# Wide layers of these take half a second at 30 digits; others and narrow ones up to ten.
QUICK = tuple(
    row
    for row in rows()
    if row.width == 10**6 and row.activation[:3] in ("Tan", "Sin", "Erf", "SEL")
)


def contains(enclosure: certified.Enclosure, value: str, digits: int = 40) -> bool:
    """Whether an enclosure contains a number that is known to so many digits."""
    with mpmath.workdps(60):
        exact, room = mpf(value), mpf(10) ** (1 - digits) * abs(mpf(value))
        return bool(enclosure.lower <= exact + room and enclosure.upper >= exact - room)


@pytest.mark.parametrize("row", QUICK, ids=str)
def test_enclosures_of_wide_layers_contain_the_references(row: Row) -> None:
    enclosure = proved.moment(row.layer, row.order, digits=30)
    assert enclosure.digits >= 30
    assert contains(enclosure, row.value)


@pytest.mark.parametrize("row", [row for row in rows() if row.width == 64], ids=str)
def test_enclosures_of_a_few_digits_contain_the_references(row: Row) -> None:
    enclosure = proved.moment(row.layer, row.order, digits=10)
    assert enclosure.digits >= 10
    assert contains(enclosure, row.value)


@pytest.mark.slow
@pytest.mark.parametrize("row", rows(), ids=str)
def test_enclosures_contain_the_references(row: Row) -> None:
    enclosure = proved.moment(row.layer, row.order, digits=30)
    assert enclosure.digits >= 30
    assert contains(enclosure, row.value)


@pytest.mark.parametrize(("name", "width"), [("tanh", 3), ("selu", 2)])
def test_even_orders_of_narrow_layers_are_polynomials(name: str, width: int) -> None:
    two, four = (proved.moment(nl.NonlinearGain(name, 1, "1/2"), s, digits=10) for s in (2, 4))
    d = width
    exact = d * four + d * (d - 1) * two * two
    moment = proved.moment(nl.NonlinearGain(name, d, "1/2"), 4, digits=10)
    assert moment.lower <= exact.upper
    assert moment.upper >= exact.lower


@pytest.mark.parametrize("name", NAMES)
def test_gains_have_thirty_digits_and_contain_the_integral(name: str) -> None:
    with mpmath.workdps(37):
        square = mean(lambda x: FUNCTIONS[name](x) ** 2, 1.0)
        value = mpmath.nstr(1 / mpmath.sqrt(square), 34)
    gain = proved.mean_field_gain(name, digits=30)
    assert gain.digits >= 30
    assert contains(gain, value, 34)
    assert nl.mean_field_gain(name) == pytest.approx(float(gain), rel=1e-15)


@pytest.mark.parametrize("q", ["1/100", "1", "40"])
def test_closed_mean_squares_are_contained(q: str) -> None:
    with mpmath.workdps(60):
        x = mpf(q.split("/")[0]) / int((q + "/1").split("/")[1])
        sine = mpmath.nstr(-mpmath.expm1(-2 * x) / 2, 45)
        error = mpmath.nstr(2 / mpmath.pi * mpmath.asin(2 * x / (1 + 2 * x)), 45)
    assert contains(proved.mean_square("sin", q), sine)
    assert contains(proved.mean_square("erf", q), error)


@pytest.mark.parametrize(
    ("name", "width", "variance", "order"),
    [
        ("tanh", 2, 0.3, -0.7),
        ("sin", 30, 50.0, 11.3),
        ("sigmoid", 12, 3.0, -40.0),
        ("celu", 7, 0.01, 64.0),
        ("softplus", 1000, 9.0, 1.0),
        ("lecun_tanh", 10**6, 2.0, -60.0),
    ],
)
def test_doubles_agree(name: str, width: int, variance: float, order: float) -> None:
    layer = nl.NonlinearGain(name, width, variance)
    enclosure = proved.moment(layer, order, digits=16)
    assert layer.moment(order) == pytest.approx(float(enclosure), rel=1e-13)
    assert layer.scale(order) == pytest.approx(
        math.sqrt(variance) * float(enclosure) ** (-1 / order), rel=4e-15
    )


def test_scales_are_those_of_the_moments() -> None:
    layer = nl.NonlinearGain("erf", 40, "1/4")
    scale = proved.scale(layer, 3, digits=20)
    assert scale.digits >= 20
    cube = proved.moment(layer, 3, digits=20) * scale * scale * scale
    assert mpf(1) / 8 in cube


def test_parameters_are_taken_exactly() -> None:
    third = proved.mean_square(nl.ELU("1/3"), "1/7")
    rounded = proved.mean_square(nl.ELU(1 / 3), 1 / 7)
    assert abs(float(third / rounded - 1)) < 1e-15
    assert third.upper < rounded.lower or third.lower > rounded.upper


# ---------------------------------------------------------------- SELU's constants


def test_selus_constants_solve_their_equations_to_fifty_digits() -> None:
    scale, alpha = proved.selu_constants(digits=50)
    assert scale.digits >= 50
    assert alpha.digits >= 50
    with mpmath.workdps(60):

        def moment(k: int) -> mpf:
            """E exp(k z) for z < 0, by quadrature."""
            return mpmath.quad(lambda z: mpmath.exp(-k * z) * mpmath.npdf(z), [0, 1, 3, 6, 10, 18])

        one, two = moment(1), moment(2)
        positive = mpmath.quad(lambda z: z * mpmath.npdf(z), [0, 1, 3, 6, 10, 18])
        # E phi = 0 and E phi^2 = 1, each in one unknown
        root = mpmath.findroot(lambda a: positive + a * (one - mpf(1) / 2), mpf(1.7))
        square = mpf(1) / 2 + root**2 * (two - 2 * one + mpf(1) / 2)
        assert abs(alpha.mid / root - 1) < mpf(10) ** -50
        assert abs(scale.mid * mpmath.sqrt(square) - 1) < mpf(10) ** -50


def test_selus_constants_are_the_published_ones() -> None:
    scale, alpha = proved.selu_constants()
    # As printed in [KUMH17] and the frameworks.
    assert str(scale).startswith("1.0507009873554804934193349852946")
    assert str(alpha).startswith("1.673263242354377284817042991671")
    assert (float(scale), float(alpha)) == (nl.SELU_LAMBDA, nl.SELU_ALPHA)
    assert 1 in proved.mean_square("selu", digits=50)


def test_constants_grow_with_the_digits() -> None:
    few, many = (proved.selu_constants(digits=n).alpha for n in (20, 200))
    assert many.digits >= 200
    assert few.lower <= many.lower <= many.upper <= few.upper


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: proved.moment(fm.Gain("relu", 3), 1), TypeError, "NonlinearGain"),
        (lambda: proved.moment(nl.NonlinearGain("tanh", 3, 1), -3), ValueError, "order"),
        (lambda: proved.moment(nl.NonlinearGain("tanh", 3, 1), 1, digits=0), ValueError, "digits"),
        (lambda: proved.scale(nl.NonlinearGain("tanh", 3, 1), 0), ValueError, "order"),
        (lambda: proved.mean_field_gain("relu"), ValueError, "homogeneous"),
        (lambda: proved.mean_square("tanh", 0), ValueError, "variance"),
        (
            lambda: proved.moment(nl.NonlinearGain("tanh", 1, 1), "-0.99", digits=10),
            certified.CertificationError,
            "edge",
        ),
    ],
)
def test_bad_input(call, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        call()


def test_order_zero_and_exact_moments() -> None:
    layer = nl.NonlinearGain("tanh", 3, 1)
    assert proved.moment(layer, 0).is_exact()
    second = proved.moment(layer, 2, digits=17)
    assert math.isclose(float(second), layer.moment(2.0), rel_tol=1e-15)


# ---------------------------------------------------------------- parts of the proof


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("theta", ["0.1", "0.45"])
def test_bounds_of_inverse_moments_hold(name: str, theta: str) -> None:
    from fracmoment.certified.nonlinear.units import unit_of

    unit = unit_of(as_nonlinear(name))
    if unit.inverse is None:
        assert name == "gelu_tanh"
        return
    with mpmath.workdps(8):
        # Of the base: outer and inner are taken out.
        outer, inner = float(arb(unit.outer).mid()), float(unit.inner)
        value = mean(lambda x: abs(FUNCTIONS[name](x / inner) / outer) ** (-2 * mpf(theta)), 0.5)
    assert arb(float(value)) * arb("0.999") < unit.inverse(arb(theta), arb("0.5"))
