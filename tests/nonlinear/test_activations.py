"""Activations: values, derivatives, limits, and what the laws take from them."""

from __future__ import annotations

import math
import pickle
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fracmoment as fm
from fracmoment import nonlinear as nl
from fracmoment.nonlinear.activations import as_nonlinear
from tests.nonlinear.references import FUNCTIONS

NAMES = sorted(FUNCTIONS)


@pytest.mark.parametrize("name", NAMES)
def test_values_are_those_of_the_definition(name: str) -> None:
    points = np.concatenate((np.linspace(-30.0, 30.0, 121), [1e-12, -1e-12, -700.0, 500.0]))
    values = as_nonlinear(name)(points)
    with mpmath.workdps(40):
        for x, value in zip(points, values, strict=True):
            exact = FUNCTIONS[name](mpmath.mpf(float(x)))
            # Far to the left the argument's rounding counts as often as its size.
            allowed = 1e-15 * (2.0 + abs(x) + (x * x if "gelu" in name else 0.0)) * abs(exact)
            assert abs(value - exact) <= allowed + 1e-300, (name, x)


@given(st.floats(-9.0, 9.0))
def test_the_two_ways_to_write_the_tanh_form_agree(x: float) -> None:
    with mpmath.workdps(60):  # 1 + tanh u loses 27 of them
        u = mpmath.sqrt(2 / mpmath.pi) * (
            mpmath.mpf(x) + mpmath.mpf("0.044715") * mpmath.mpf(x) ** 3
        )
        definition = mpmath.mpf(x) / 2 * (1 + mpmath.tanh(u))
        assert mpmath.almosteq(
            FUNCTIONS["gelu_tanh"](mpmath.mpf(x)), definition, mpmath.mpf(10) ** -30
        )


@pytest.mark.parametrize("name", NAMES)
@given(x=st.floats(-20.0, 20.0).filter(lambda x: abs(x) > 1e-3))
def test_derivatives_are_slopes(name: str, x: float) -> None:
    with mpmath.workdps(40):
        exact = float(mpmath.diff(FUNCTIONS[name], mpmath.mpf(x)))
    assert as_nonlinear(name).derivative(x) == pytest.approx(exact, rel=1e-11, abs=1e-15)


@pytest.mark.parametrize("name", NAMES)
def test_limits_and_symmetry(name: str) -> None:
    phi = as_nonlinear(name)
    assert phi(0.0) == phi.at_zero
    if name != "sin":
        assert not np.isnan(phi([-np.inf, np.inf])).any()
    if phi.odd:
        x = np.linspace(0.0, 5.0, 7)
        np.testing.assert_array_equal(phi(-x), -phi(x))
    if phi.vanishes:
        assert phi(-np.inf) == 0.0
        far = phi.left_reach(200.0)
        assert phi.log_size(np.array([-far]))[0] <= -200.0


@pytest.mark.parametrize("name", NAMES)
def test_slopes_at_zero(name: str) -> None:
    phi = as_nonlinear(name)
    left, right = ((phi(h) - phi.at_zero) / h for h in (-1e-9, 1e-9))
    assert phi.slopes == pytest.approx((left, right), rel=1e-6)


@pytest.mark.parametrize("name", ["sigmoid", "softplus", "silu", "mish", "gelu", "gelu_tanh"])
def test_logarithms_do_not_underflow(name: str) -> None:
    with mpmath.workdps(40):
        for x in (-3.0, -40.0):
            exact = float(mpmath.log(abs(FUNCTIONS[name](mpmath.mpf(x)))))
            assert as_nonlinear(name).log_size(np.array([x]))[0] == pytest.approx(exact, rel=1e-14)


def test_parameters_scale_units() -> None:
    x = np.linspace(-4.0, 4.0, 9)
    np.testing.assert_allclose(nl.CELU(2.5)(x), 2.5 * nl.ELU()(x / 2.5), rtol=1e-15)
    np.testing.assert_allclose(nl.Softplus(3)(x), nl.Softplus()(3.0 * x) / 3.0, rtol=1e-15)
    np.testing.assert_allclose(nl.SELU()(x), nl.SELU_LAMBDA * nl.ELU(nl.SELU_ALPHA)(x), rtol=1e-15)
    assert nl.ELU("0.3").alpha == Fraction(3, 10)
    assert nl.ELU(0.3) != nl.ELU("0.3")


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: nl.ELU(0.0), ValueError, "alpha"),
        (lambda: nl.ELU(math.nan), ValueError, "alpha"),
        (lambda: nl.Softplus(-1.0), ValueError, "beta"),
        (lambda: nl.CELU([1.0, 2.0]), TypeError, "alpha must be one number"),
        (lambda: nl.GELU("tan"), ValueError, "tanh"),
        (lambda: nl.Tanh()("x"), TypeError, "x must be"),
        (lambda: nl.NonlinearActivation()(1.0), TypeError, "only a base class"),
        (lambda: as_nonlinear("relu"), ValueError, "fracmoment.Gain"),
        (lambda: as_nonlinear(fm.LeakyReLU(0.1)), ValueError, "homogeneous"),
        (lambda: as_nonlinear("tahn"), ValueError, "tanh"),
        (lambda: as_nonlinear(nl.Tanh), TypeError, r"Tanh\(\)"),
        (lambda: as_nonlinear(3), TypeError, "activation"),
    ],
)
def test_bad_input(call, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        call()


def test_round_trips() -> None:
    for phi in (nl.Tanh(), nl.ELU("0.3"), nl.GELU("tanh"), nl.Softplus(2.0)):
        assert pickle.loads(pickle.dumps(phi)) == phi
    assert eval(repr(nl.GELU("tanh")), vars(nl)) == nl.GELU("tanh")
