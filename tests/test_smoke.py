"""What any build of the package must pass: a few numbers that can be checked by hand."""

from __future__ import annotations

import math

import mpmath
import pytest

import fracmoment as fm


def test_order_two_is_he_and_lecun():
    assert fm.init_scale("relu", 128, 64, 2) == 0.125
    assert fm.init_scale("linear", 64, 7, 2) == 0.125


def test_chi():
    g = fm.Gain("linear", 1)
    assert g.moment(1.0) == pytest.approx(math.sqrt(2 / math.pi), rel=2e-16)
    assert g.moment(4.0) == 3.0
    assert g.log_mean() == pytest.approx(-(math.log(2) + 0.57721566490153286) / 2, rel=1e-15)


def test_relu_of_width_two():
    # One live unit with probability 1/2, two with 1/4.
    one, two = math.sqrt(2 / math.pi), math.sqrt(math.pi / 2)
    assert fm.Gain("relu", 2).moment(1.0) == pytest.approx(one / 2 + two / 4, rel=4e-16)
    assert fm.Gain("relu", 2).prob_zero() == 0.25


def test_fifty_digits():
    value = fm.Gain("linear", 2).moment(1, digits=50)
    with mpmath.workdps(60):
        assert abs(value - mpmath.sqrt(mpmath.pi / 2)) < mpmath.mpf("1e-50")


def test_tail_index():
    g = fm.Gain("relu", 64)
    assert fm.tail_index(g, g.scale(1.5)) == pytest.approx(1.5, rel=1e-12)
