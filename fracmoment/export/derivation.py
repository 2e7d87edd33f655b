"""The numbers of one row: derived with enclosures, and rounded."""

from __future__ import annotations

import math
import sys
from fractions import Fraction
from typing import TYPE_CHECKING

from fracmoment import _validation
from fracmoment.certified.precision import CertificationError
from fracmoment.export.rounding import Bounds, rounded

if TYPE_CHECKING:
    from fracmoment.certified.scales import LayerScale
    from fracmoment.export.rounding import Number

__all__ = ["QUANTITIES", "derive"]

#: The numbers of a constant by the law of the weights.
QUANTITIES = {
    "gaussian": ("std", "torch_gain", "variance_scaling"),
    "orthogonal": ("factor",),
}
# Digits beyond those of the table with which to derive a constant: it may be close to the middle
# between two decimals, or two doubles.
_GUARDS = (8, 40, 200)
_DIGITS_OF_A_DOUBLE = 17


def derive(
    scale: LayerScale, fan_in: int, weights: str, digits: int, row: str
) -> dict[str, Number]:
    """Return the rounded numbers of one row."""
    for guard in _GUARDS:
        goal = max(digits, _DIGITS_OF_A_DOUBLE) + guard
        square = _square(scale, goal, row)
        # The bits of so many digits and a few more.
        bits = goal * 3322 // 1000 + 8
        values = [square.sqrt(bits)]
        if weights == "gaussian":
            variance = square.times(Fraction(fan_in))
            values += [variance.sqrt(bits), variance]
        if not all(value.is_normal() for value in values):
            message = f"the constant is outside the range of a double: {row}"
            raise ValueError(message)
        numbers = [number for value in values if (number := rounded(value, digits))]
        if len(numbers) == len(values):
            return dict(zip(QUANTITIES[weights], numbers, strict=True))
    message = (
        f"a constant may be in the middle of two numbers of {digits} digits; ask for others: {row}"
    )
    raise CertificationError(message)


def _square(scale: LayerScale, digits: int, row: str) -> Bounds:
    """Return bounds of the square of a scale."""
    exact = scale.exact_square()
    if exact is not None:
        return Bounds(exact, exact)
    value = scale.enclose(digits)
    if not sys.float_info.min < float(value) < math.inf:
        message = f"the constant is outside the range of a double: {row}"
        raise ValueError(message)
    ends = (_validation.rational("bound", end) for end in (value.lower, value.upper))
    return Bounds(*ends).square()
