"""The trapezoidal rule on half a contour that is symmetric to the real axis."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flint import acb, arb, ctx

from fracmoment.certified.laws.series import exponent
from fracmoment.certified.precision import working_precision

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["imaginary_sums"]

# Nodes are products of an integer and a step of so many bits.
_NODE_BITS = 96


def imaginary_sums(integrands: Callable[[arb], list[acb]], step: arb, nodes: int) -> list[arb]:
    """Return ``step (Im F(0)/2 + Im F(step) + ... + Im F(nodes step))`` for some functions.

    ``integrands(w)`` returns their values at w. They fall in size with w.
    """
    values = integrands(arb(0))
    totals, peak, drop = [value / 2 for value in values], exponent(*values), 0
    for i in range(1, nodes + 1):
        # Small integrands need fewer digits.
        with working_precision(max(ctx.prec - drop, _NODE_BITS)):
            values = integrands(step * i)
        if not values[0].is_finite():
            return [arb.nan()] * len(values)
        totals = [total + value for total, value in zip(totals, values, strict=True)]
        peak = max(peak, exponent(*values))
        drop = peak - exponent(*values)
    return [total.imag * step for total in totals]
