"""Rounding with a proof: against the definition of rounding, and of the root."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fracmoment.export.rounding import Bounds, Number, rounded

POSITIVE = st.fractions(min_value=Fraction(1, 10**9), max_value=10**9, max_denominator=10**12)


def at(value) -> Bounds:
    return Bounds(Fraction(value), Fraction(value))


@given(POSITIVE, st.integers(1, 40), st.integers(-200, 200))
def test_decimals_and_doubles_are_nearest(value, digits, power):
    value *= Fraction(10) ** power
    number = rounded(at(value), digits)
    mantissa = number.decimal.partition("e")[0].replace(".", "").lstrip("0")
    assert len(mantissa) == digits
    # One unit of the last digit, from the number of digits before the point.
    shown = Fraction(number.decimal)
    exponent = math.floor(math.log10(shown)) + 1
    while shown >= Fraction(10) ** exponent:
        exponent += 1
    while shown < Fraction(10) ** (exponent - 1):
        exponent -= 1
    unit = Fraction(10) ** (exponent - digits)
    assert (shown / unit).denominator == 1
    assert abs(shown - value) <= unit / 2
    if abs(shown - value) == unit / 2:
        assert int(mantissa) % 2 == 0
    neighbours = [math.nextafter(number.double, end) for end in (0.0, math.inf)]
    error = abs(Fraction(number.double) - value)
    assert all(error <= abs(Fraction(other) - value) for other in neighbours)


@pytest.mark.parametrize(
    ("value", "digits", "expected"),
    [
        ("1/8", 2, Number(0.125, "0.12")),
        ("3/8", 2, Number(0.375, "0.38")),
        ("1/8", 6, Number(0.125, "0.125000")),
        ("999.5", 3, Number(999.5, "1.00e+3")),
        ("12345", 3, Number(12345.0, "1.23e+4")),
        ("12345", 5, Number(12345.0, "12345")),
        ("1e-9", 3, Number(1e-9, "1.00e-9")),
        ("2", 1, Number(2.0, "2")),
    ],
)
def test_form(value, digits, expected):
    assert rounded(at(value), digits) == expected


@given(POSITIVE, st.integers(10, 300), st.integers(-400, 400))
def test_roots(value, bits, power):
    value *= Fraction(2) ** power
    root = at(value).sqrt(bits)
    assert root.lower**2 <= value <= root.upper**2
    assert root.upper - root.lower <= root.lower / 2**bits
    assert at(value**2).sqrt(bits) == at(value)


def test_bounds_on_both_sides_of_a_middle_do_not_tell():
    near = Fraction(1, 10**20)
    middle = Fraction(1, 8)
    assert rounded(Bounds(middle - near, middle + near), 2) is None
    assert rounded(Bounds(middle - near, middle), 2).decimal == "0.12"
    assert rounded(Bounds(middle - near, middle + near), 3).decimal == "0.125"
    middle = Fraction(2**53 + 1)  # between two doubles
    assert rounded(Bounds(middle - near, middle + near), 3) is None
    assert rounded(Bounds(middle + near, middle + 2 * near), 3).double == 2.0**53 + 2


def test_arithmetic_and_range():
    assert Bounds(Fraction(2), Fraction(3)).times(Fraction(5)) == Bounds(Fraction(10), Fraction(15))
    assert Bounds(Fraction(2), Fraction(3)).square() == Bounds(Fraction(4), Fraction(9))
    assert at("1e-307").is_normal()
    assert not at("1e-308").is_normal()
    assert not at("2e308").is_normal()
