"""Chi, chi-ratio, Beta and F moments: closed forms, shapes, both routes."""

from __future__ import annotations

from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fracmoment as fm

dof = st.floats(0.1, 1e6)


def close(value, exact):
    return value == pytest.approx(float(exact), rel=3e-16)


@given(d=dof, s=st.floats(-0.09, 12))
def test_chi(d, s):
    assert close(fm.chi_moment(d, s), fm.chi_moment(d, s, digits=30))


@given(m=dof, n=st.floats(20, 1e6), s=st.floats(-0.09, 9))
def test_chi_ratio(m, n, s):
    assert close(fm.chi_ratio_moment(m, n, s), fm.chi_ratio_moment(m, n, s, digits=30))


@given(a=dof, b=dof, s=st.floats(-0.09, 12))
def test_beta(a, b, s):
    assert close(fm.beta_moment(a, b, s), fm.beta_moment(a, b, s, digits=30))


@given(m=dof, n=st.floats(20, 1e6), s=st.floats(-0.04, 9))
def test_f(m, n, s):
    assert close(fm.f_moment(m, n, s), fm.f_moment(m, n, s, digits=30))


def test_closed_forms():
    assert fm.chi_moment(4, 2) == 4.0
    assert fm.chi_moment(1, 1) == pytest.approx((2 / np.pi) ** 0.5, rel=2e-16)
    assert fm.chi_ratio_moment(6, 12, 2) == pytest.approx(6 / 10, rel=2e-16)
    assert fm.beta_moment(2, 3, 1) == pytest.approx(2 / 5, rel=2e-16)
    assert fm.f_moment(5, 10, 1) == pytest.approx(10 / 8, rel=2e-16)
    assert fm.beta_moment(2, 3, 0) == fm.chi_moment(5, 0) == 1.0


def test_order_reaches_the_edge_of_the_domain():
    assert np.isfinite(fm.chi_moment(3, np.nextafter(-3, 0)))
    assert np.isfinite(fm.chi_ratio_moment(3, 4, np.nextafter(4, 0)))


def test_chi_is_the_linear_gain():
    widths = np.array([1, 10, 343, 10**6, 10**9])
    assert np.array_equal(fm.chi_moment(widths, 1.5), fm.Gain("linear", widths).moment(1.5))


def test_shapes_and_types():
    assert type(fm.chi_moment(3, 1)) is float
    assert fm.chi_moment([[1], [2]], [1.0, 2.0, 3.0]).shape == (2, 3)
    assert fm.beta_moment([], 1, 1).shape == (0,)
    exact = fm.f_moment([5, 6], "21/2", [[1], ["1/3"]], digits=25)
    assert exact.shape == (2, 2)
    assert isinstance(exact[0, 0], mpmath.mpf)
    assert exact[1, 0] == fm.f_moment(5, Fraction(21, 2), Fraction(1, 3), digits=25)
    with pytest.raises(ValueError, match="must broadcast"):
        fm.chi_moment([1, 2], [1, 2, 3])
