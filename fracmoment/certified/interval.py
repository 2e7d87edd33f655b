"""A closed interval with exact end points."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from fracmoment import _validation

__all__ = ["Interval"]


@dataclass(frozen=True)
class Interval:
    """Every real number from ``lower`` to ``upper``, both included.

    Where a function of `fracmoment.certified` takes an interval it returns an enclosure of all the
    values over it.

    Parameters
    ----------
    lower, upper : float, str, int, Fraction or mpmath.mpf
        End points, taken exactly and kept as Fractions; ``lower <= upper``.

    Examples
    --------
    >>> Interval("0.5", "0.6")
    Interval('1/2', '3/5')
    >>> "0.55" in Interval("0.5", "0.6"), 0.6 in Interval("0.5", "0.6")
    (True, True)
    >>> 0.1 in Interval("0.1", "0.2"), 0.1 in Interval("0.05", "0.1")
    (True, False)
    """

    lower: Any
    upper: Any

    def __post_init__(self) -> None:
        """Make the end points exact and check their order."""
        lower = _validation.rational("lower", self.lower)
        upper = _validation.rational("upper", self.upper)
        _validation.require("lower", lower, lower <= upper, f"<= upper = {upper}")
        object.__setattr__(self, "lower", lower)
        object.__setattr__(self, "upper", upper)

    def __contains__(self, value: Any) -> bool:
        """Return whether a number, taken exactly, lies in the interval."""
        return bool(self.lower <= _validation.rational("value", value) <= self.upper)

    def __repr__(self) -> str:
        """Return an expression that evaluates to this interval."""
        return f"Interval({str(self.lower)!r}, {str(self.upper)!r})"

    @property
    def mid(self) -> Fraction:
        """The middle."""
        return Fraction(self.lower + self.upper) / 2

    @property
    def width(self) -> Fraction:
        """The length."""
        return Fraction(self.upper - self.lower)
