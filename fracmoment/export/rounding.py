"""Rounding with a proof: the nearest double and the nearest decimal of a number between bounds.

A number is known by two rational bounds. Rounding never decreases, so where both bounds round to
the same double, or decimal, the number does. Everything here is exact integer arithmetic.
"""

from __future__ import annotations

import decimal
import math
import sys
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

__all__ = ["Bounds", "Number", "rounded"]

_LARGEST = Fraction(sys.float_info.max)
_SMALLEST = Fraction(sys.float_info.min)


class Number(NamedTuple):
    """A positive number in the two forms of a table, each nearest to the exact value.

    Attributes
    ----------
    double : float
        The double nearest to the exact value.
    decimal : str
        The exact value rounded to a number of significant decimal digits, zeros at the end
        included; of two that are as near the one with the even last digit.
    """

    double: float
    decimal: str


@dataclass(frozen=True)
class Bounds:
    """A positive number between two rational ones."""

    lower: Fraction
    upper: Fraction

    def is_normal(self) -> bool:
        """Return whether both bounds are in the range of normal doubles."""
        return self.lower >= _SMALLEST and self.upper <= _LARGEST

    def times(self, factor: Fraction) -> Bounds:
        """Return bounds of the number times a positive factor."""
        return Bounds(self.lower * factor, self.upper * factor)

    def square(self) -> Bounds:
        """Return bounds of the square."""
        return Bounds(self.lower**2, self.upper**2)

    def sqrt(self, bits: int) -> Bounds:
        """Return bounds of the square root, which add an error of at most ``2^-bits`` of it.

        Roots that are rational numbers are exact.
        """
        return Bounds(_root(self.lower, bits, up=False), _root(self.upper, bits, up=True))


def _root(value: Fraction, bits: int, *, up: bool) -> Fraction:
    parts = [math.isqrt(part) for part in value.as_integer_ratio()]
    if Fraction(parts[0] ** 2, parts[1] ** 2) == value:
        return Fraction(*parts)
    # With 4^shift value >= 4^bits its root has the bits before the point.
    size = value.numerator.bit_length() - value.denominator.bit_length() - 1
    shift = bits - size // 2
    scaled = value * Fraction(4) ** shift
    return Fraction(math.isqrt(math.floor(scaled)) + up) / Fraction(2) ** shift


def rounded(value: Bounds, digits: int) -> Number | None:
    """Return a number rounded to double and to decimal digits; None if the bounds do not tell."""
    double = float(value.lower)
    text = _decimal(value.lower, digits)
    if double != float(value.upper) or text != _decimal(value.upper, digits):
        return None
    return Number(double, text)


def _decimal(value: Fraction, digits: int) -> str:
    """Return a number rounded to so many significant digits, half to even."""
    context = decimal.Context(prec=digits, rounding=decimal.ROUND_HALF_EVEN)
    quotient = context.divide(*(decimal.Decimal(part) for part in value.as_integer_ratio()))
    # Division drops the zeros at the end of what it knows exactly.
    last = decimal.Decimal((0, (1,), quotient.adjusted() - digits + 1))
    return str(quotient.quantize(last, context=context)).replace("E", "e")
