"""The comparisons accept what is true and see what is not."""

import math

import mpmath
import numpy as np
import pytest

import fracmoment as fm
from fracmoment import certified
from fracmoment.statements import checks
from fracmoment.statements.checks import ALPHA


@pytest.fixture
def normal():
    return np.random.default_rng(1).standard_normal(20_000)


def normal_cdf(x):
    return np.array([0.5 * math.erfc(-v / math.sqrt(2)) for v in x])


def test_largest_z_is_the_quantile_and_grows_with_skewness():
    assert 0.5 * math.erfc(checks.largest_z() / math.sqrt(2)) == pytest.approx(ALPHA / 2, rel=1e-9)
    assert checks.largest_z() < checks.largest_z(-0.01) < checks.largest_z(0.05)
    with pytest.raises(ValueError, match="skewness"):
        checks.largest_z(0.3)


def test_means(normal):
    good = checks.means("m", [("x", normal, 0.0, 1.0), ("y", normal**2, 1.0, math.nan)])
    assert good.holds
    assert good.failure_probability == 2 * ALPHA
    assert good.sample_size == normal.size
    bad = checks.means("m", [("x", normal, 0.0, 1.0), ("far", normal, 0.06, 1.0)])
    assert not bad.holds
    assert "wrong: far" in bad.measured


def test_laws(normal):
    assert checks.under_law("l", [("x", normal, normal_cdf)]).holds
    assert not checks.under_law("l", [("x", 1.1 * normal, normal_cdf)]).holds
    half = normal.size // 2
    assert checks.same_law("l", [("x", normal[:half], normal[half:])]).holds
    assert not checks.same_law("l", [("x", normal[:half], normal[half:] + 0.2)]).holds


def test_an_atom_at_minus_infinity_counts(normal):
    some = np.where(normal > 1.0, -math.inf, normal)
    p = float(0.5 * math.erfc(1 / math.sqrt(2)))
    assert checks.under_law("l", [("x", some, lambda y: p + normal_cdf(y))]).holds
    assert not checks.under_law("l", [("x", some, normal_cdf)]).holds


def test_counts():
    assert checks.counted("c", [("x", 5_050, 10_000, 0.5), ("none", 0, 100, 0.01)]).holds
    assert not checks.counted("c", [("x", 5_500, 10_000, 0.5)]).holds
    assert not checks.counted("c", [("x", 4_500, 10_000, 0.5)]).holds
    assert not checks.counted("c", [("x", 0, 10_000, 0.01)]).holds


def test_enclosures_see_one_part_in_a_billion_and_one_ulp():
    exact = certified.scale(fm.Gain("relu", 8), 1)
    value = float(exact)
    assert checks.enclosed("e", [("x", exact, value)]).holds
    assert not checks.enclosed("e", [("x", exact, value * (1 + 1e-9))]).holds
    assert not checks.enclosed("e", [("x", exact, value * (1 + 2**-50))]).holds
    wide = certified.Enclosure(exact.lower * 0.9, exact.upper)
    assert not checks.enclosed("e", [("wide", wide, value)]).holds


def test_digits_numbers_and_bounds():
    with mpmath.workdps(40):
        third = mpmath.mpf(1) / 3
        assert checks.agree("d", [("x", third, third * (1 + mpmath.mpf(10) ** -35))], 30).holds
        assert not checks.agree("d", [("x", third, third * (1 + mpmath.mpf(10) ** -25))], 30).holds
    assert checks.same_numbers("n", [("x", 3, 3)]).holds
    assert not checks.same_numbers("n", [("x", 3, 4)]).holds
    assert checks.computed("c", [("x", 1.0, 1.0 + 1e-9)], 1e-8).holds
    assert not checks.computed("c", [("x", 1.0, math.nan)], 1e-8).holds
    assert checks.bounded("b", [("x", 1.0, 2.0)]).holds
    assert not checks.bounded("b", [("x", math.nan, 2.0)]).holds
    assert not checks.ratios("r", [("x", 7.0, -5.0, -6.0)], 10).holds


def test_nothing_checked_is_no_evidence():
    assert not checks.proved("p", [], "").holds
    assert not checks.same_numbers("n", []).holds


def test_theorems_name_their_widths():
    item = checks.theorem("he_exponent_negative", [1, 2, 3])
    assert item.holds
    assert "widths 1, 2, 3" in item.text
