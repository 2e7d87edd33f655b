"""Arithmetic of enclosures and intervals, which must be rigorous whatever mpmath's precision."""

from __future__ import annotations

import copy
import operator
import pickle
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import mpmath
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fracmoment.certified import CertificationError, Enclosure, Interval

RATIONALS = st.fractions(min_value=-1000, max_value=1000, max_denominator=10**6)
OPERATIONS = [operator.add, operator.sub, operator.mul, operator.truediv]


def around(value: Fraction, below: Fraction, above: Fraction) -> Enclosure:
    return Enclosure(value - abs(below), value + abs(above))


@pytest.mark.parametrize("operation", OPERATIONS)
@given(RATIONALS, RATIONALS, RATIONALS, RATIONALS)
def test_arithmetic_contains_exact_results(
    operation: Callable[[Any, Any], Any], a: Fraction, b: Fraction, r: Fraction, t: Fraction
) -> None:
    x, y = around(a, r, t), around(b, t, r)
    for left, right in ((x, y), (x, b), (a, y), (Enclosure(a, a), Enclosure(b, b))):
        if operation is operator.truediv and 0 in Enclosure(0, 0) + right:
            with pytest.raises((CertificationError, ZeroDivisionError)):
                operation(left, right)
        else:
            assert operation(a, b) in operation(left, right)


@given(RATIONALS, st.integers(-5, 5))
def test_powers_contain_exact_results(a: Fraction, n: int) -> None:
    if a or n > 0:
        assert a**n in Enclosure(a, a) ** n


@given(st.fractions(min_value=Fraction(1, 1000), max_value=1000))
def test_functions_contain_high_precision_values(a: Fraction) -> None:
    x = Enclosure(a, a)
    with mpmath.workdps(120):
        value = mpmath.mpf(a.numerator) / a.denominator
        for enclosure, exact in (
            (x.log(), mpmath.log(value)),
            (x.exp(), mpmath.exp(value)),
            (x.sqrt(), mpmath.sqrt(value)),
            (x**x, value**value),
        ):
            assert exact in enclosure
            assert a == 1 or enclosure.digits > 30


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_bounds_keep_every_bit(a: float) -> None:
    x = Enclosure(a, a)
    assert a in x
    assert float(x) == a
    assert float(-x) == -a
    assert float(abs(x)) == abs(a)
    assert x.radius == 0


def test_nothing_depends_on_the_precision_of_mpmath() -> None:
    # Contexts of few digits round in mpmath's own operators.
    with mpmath.workdps(5):
        x = Enclosure("1.23456789123456789", "1.23456789123456790")
        y = operator.neg(-x) * 3 / 3 + 0
        assert Fraction("1.234567891234567895") in y
        assert y.digits >= 17
        assert str(x.mid)[:4] == "1.23"
    assert Fraction("1.234567891234567895") in x


def test_what_is_no_binary_number_is_rounded_outwards() -> None:
    third = Enclosure("1/3", "1/3")
    assert third.lower < third.upper
    assert Fraction(1, 3) in third
    assert 1 / 3 not in third


def test_comparisons_are_proved() -> None:
    low, high = Enclosure(1, 2), Enclosure(2, 3)
    assert low <= high
    assert not high < low
    assert low < 2.5
    assert low > 0
    with pytest.raises(CertificationError, match="undecided"):
        assert low < high
    with pytest.raises(CertificationError, match="undecided"):
        assert high >= 2.5
    assert low == Enclosure(1, 2)
    assert low != high
    assert len({low, Enclosure(1, 2)}) == 1


def test_digits_and_text() -> None:
    x = Enclosure("0.123449", "0.123451")
    assert x.digits == 4
    assert str(x) == "0.12345"
    assert Enclosure(-1, 1).digits == 0
    assert str(Enclosure(-1, 1)) == "[-1.00000, 1.00000]"
    assert "digits" in repr(x)
    twelve = Enclosure("3.14159265358", "3.14159265359")
    assert str(twelve).startswith("3.14159265")
    assert twelve.digits == 11


def test_copies() -> None:
    x = Enclosure("0.1", "0.2")
    assert pickle.loads(pickle.dumps(x)) == copy.deepcopy(x) == x


@pytest.mark.parametrize("bounds", [(2, 1), ("a", 1), (float("nan"), 1), (None, 1)])
def test_bad_bounds_are_refused(bounds: tuple[Any, Any]) -> None:
    for kind in (Enclosure, Interval):
        with pytest.raises((ValueError, TypeError), match="lower"):
            kind(*bounds)


def test_logarithm_of_zero_is_refused() -> None:
    with pytest.raises(CertificationError):
        Enclosure(0, 1).log()
    with pytest.raises(CertificationError):
        Enclosure(-1, 1).sqrt()


def test_intervals_are_exact() -> None:
    interval = Interval("0.1", 0.5)
    assert interval.lower == Fraction(1, 10)
    assert "0.1" in interval
    assert 0.1 in interval  # the double lies above 1/10
    assert interval.mid == Fraction(3, 10)
    assert interval.width == Fraction(2, 5)
    assert eval(repr(interval)) == interval
