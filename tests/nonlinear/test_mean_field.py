"""Mean field of nonlinear units, and torch's gains beside the exact ones."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fracmoment as fm
from fracmoment import nonlinear as nl
from fracmoment.nonlinear.activations import as_nonlinear
from tests.nonlinear.references import FUNCTIONS, mean

NAMES = sorted(FUNCTIONS)
EXPONENTS = st.floats(-3.0, 2.0)


@pytest.mark.parametrize("name", NAMES)
@given(exponent=EXPONENTS)
@settings(max_examples=2)
def test_gain_is_one_integral(name: str, exponent: float) -> None:
    q = 10.0**exponent
    with mpmath.workdps(20):
        square = mean(lambda x: FUNCTIONS[name](x) ** 2, q)
    assert nl.mean_field_gain(name, q) == pytest.approx(math.sqrt(q / float(square)), rel=4e-15)


def test_gain_of_selu_is_one() -> None:
    assert nl.mean_field_gain("selu") == pytest.approx(1.0, rel=3e-16)


@given(EXPONENTS)
def test_closed_gains(exponent: float) -> None:
    q = 10.0**exponent
    error = 2.0 / math.pi * math.asin(2.0 * q / (1.0 + 2.0 * q))
    assert nl.mean_field_gain("erf", q) == pytest.approx(math.sqrt(q / error), rel=4e-15)
    sine = -0.5 * math.expm1(-2.0 * q)
    assert nl.mean_field_gain("sin", q) == pytest.approx(math.sqrt(q / sine), rel=4e-15)


@pytest.mark.parametrize("name", NAMES)
def test_gain_is_that_of_wide_layers(name: str) -> None:
    layer = nl.NonlinearGain(name, 10**9, 1.0)
    for order in (0.5, 1.0, 2.0):
        gain = layer.scale(order) * math.sqrt(10**9)
        assert gain == pytest.approx(nl.mean_field_gain(name), rel=1e-8)


def test_gain_broadcasts() -> None:
    gains = nl.mean_field_gain("tanh", [[0.5, 1.0], [2.0, 4.0]])
    assert gains.shape == (2, 2)
    assert gains[0, 1] == nl.mean_field_gain("tanh")


@pytest.mark.parametrize("name", ["tanh", "selu", "gelu", "sigmoid", "softplus"])
@pytest.mark.parametrize("q", [1e-2, 1.0, 30.0])
def test_slope_is_the_derivative_of_the_map(name: str, q: float) -> None:
    field, h = nl.NonlinearMeanField(name, 1.3, bias=0.2), 1e-4 * q
    up, down = field.variance_map([q + h, q - h])
    assert field.slope(q) == pytest.approx((up - down) / (2 * h), rel=1e-6)


@pytest.mark.parametrize("name", ["tanh", "mish", "gelu", "gelu_tanh", "softplus"])
def test_chi_is_the_mean_square_of_the_derivative(name: str) -> None:
    with mpmath.workdps(20):
        square = mean(lambda x: mpmath.diff(FUNCTIONS[name], x) ** 2, 0.7)
    assert nl.NonlinearMeanField(name, 2.0).chi(0.7) == pytest.approx(
        4.0 * float(square), rel=1e-12
    )


def test_chi_at_zero() -> None:
    assert nl.NonlinearMeanField("elu", 2.0).chi(0.0) == 4.0
    assert nl.NonlinearMeanField(nl.ELU(3.0), 1.0).chi(0.0) == 5.0


@pytest.mark.parametrize("name", ["tanh", "selu", "sigmoid", "lecun_tanh"])
def test_variances_converge_to_the_stable_fixed_point(name: str) -> None:
    field = nl.NonlinearMeanField(name, 1.2, bias=0.1)
    point = next(p for p in field.fixed_points() if p.stable)
    q = 1.0
    for _ in range(300):
        q = field.variance_map(q)
    assert q == pytest.approx(point.variance, rel=1e-9)
    assert point.ordered is (point.chi < 1.0)
    assert point.depth_scale == pytest.approx(1.0 / abs(math.log(point.chi)))


def test_units_closer_to_linear_for_large_inputs_have_no_stable_point() -> None:
    for name in ("gelu", "silu", "mish"):
        points = nl.NonlinearMeanField(name, nl.mean_field_gain(name)).fixed_points()
        assert [p.stable for p in points] == [True, False]
        assert points[0].variance == 0.0
        assert points[1].variance == pytest.approx(1.0, rel=1e-12)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: nl.mean_field_gain("tanh", 0.0), "variance"),
        (lambda: nl.mean_field_gain("tanh", [1.0, math.nan]), "variance"),
        (lambda: nl.NonlinearMeanField("tanh", 0.0), "gain"),
        (lambda: nl.NonlinearMeanField("tanh", 1.0, bias=-1.0), "bias"),
        (lambda: nl.NonlinearMeanField("softplus", 1.0).slope(0.0), "variance"),
        (lambda: nl.gain_table(width=0), "width"),
        (lambda: nl.gain_table(order=0.0), "order"),
    ],
)
def test_bad_input(call, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()


# ---------------------------------------------------------------- torch's table


def test_table_lists_every_activation_with_a_reason() -> None:
    table = nl.gain_table(width=50, order=0.5)
    named = {type(row.activation) for row in table}
    assert {type(as_nonlinear(name)) for name in NAMES} - named == {nl.LeCunTanh}
    assert all(row.reason.endswith(".") for row in table)
    for row in table:
        if isinstance(row.activation, nl.NonlinearActivation):
            layer = nl.NonlinearGain(row.activation, 50, 1.0)
            assert row.mean_field == nl.mean_field_gain(row.activation)
        else:
            layer = fm.Gain(row.activation, 50)
            assert row.mean_field == pytest.approx(row.torch, rel=1e-15)
        assert row.at_width == pytest.approx(math.sqrt(50) * layer.scale(0.5), rel=1e-15)
        if row.torch is None:
            assert row.torch_point is None


def test_numbers_in_the_reasons() -> None:
    rows = {type(row.activation): row for row in nl.gain_table()}
    tanh, sigmoid, selu = (rows[kind] for kind in (nl.Tanh, nl.Sigmoid, nl.SELU))
    assert tanh.torch == 5 / 3
    assert f"{tanh.torch / tanh.mean_field - 1:.0%}".replace("%", " %") in tanh.reason
    q = tanh.torch_point.variance
    assert f"{q:.3f}" in tanh.reason
    assert f"{math.sqrt(q) / tanh.torch:.3f}" in tanh.reason
    assert f"{sigmoid.torch_point.variance:.3f}" in sigmoid.reason
    assert 0.25 / sigmoid.torch_point.variance > 0.9  # most of it the mean
    assert f"{selu.torch_point.chi:.4f}" in selu.reason
    assert f"{selu.torch_point.variance:.3f}" in selu.reason
    assert f"{nl.NonlinearMeanField('selu', 1.0).chi(1.0):.2f}" in selu.reason


def test_outputs_under_torchs_tanh_gain_settle_where_said() -> None:
    """25 layers of width 500; the root mean square of 10^4 outputs fluctuates by 0.002."""
    rng, width = np.random.default_rng(3), 500
    x = rng.standard_normal((width, 20))
    for _ in range(25):
        x = np.tanh(5 / 3 / math.sqrt(width) * rng.standard_normal((width, width)) @ x)
    # Inputs of one network share its weights, in the chaotic phase they become independent.
    assert np.sqrt(np.mean(x**2)) == pytest.approx(0.651, abs=0.01)
