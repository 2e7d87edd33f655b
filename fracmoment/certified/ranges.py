"""Ranges over intervals, from values at points."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fracmoment.certified.enclosure import Enclosure
from fracmoment.certified.laws.law import ball
from fracmoment.certified.precision import working_precision

if TYPE_CHECKING:
    from collections.abc import Callable
    from fractions import Fraction

__all__ = ["convex_minimum", "hull"]

# Bisections of the interval in which a convex function has its minimum; the bound that tangents
# give misses it by the square of what is left.
_STEPS = 8
_BITS = 64


def hull(*parts: Enclosure) -> Enclosure:
    """Return the smallest enclosure that contains all of the given ones."""
    return Enclosure(min(part.lower for part in parts), max(part.upper for part in parts))


def convex_minimum(
    series: Callable[[Fraction], list[Any]], low: Fraction, high: Fraction
) -> list[Enclosure]:
    """Return what encloses the minimum of a convex function between the ends of an interval.

    ``series(s)`` returns balls of the value and of the derivative. Nothing is returned where the
    minimum is at an end.
    """
    if low == high:
        return []
    with working_precision(_BITS):
        if series(low)[1] >= 0 or series(high)[1] <= 0:
            return []
        for _ in range(_STEPS):
            middle = (low + high) / 2
            sign = series(middle)[1]
            if sign < 0:
                low = middle
            elif sign > 0:
                high = middle
            else:
                break
        value, slope = series(low)
        # The tangent at the left end lies below the function up to the right end.
        return [Enclosure.of_ball(value.union(value + slope * ball(high - low)))]
