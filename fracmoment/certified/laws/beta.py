"""Moments of narrow leaky layers: a sum over the number of units on each side of zero.

Given n units on the positive side, their share of ``|g|^2`` is Beta(n/2, (d-n)/2), independent of
``|g|``, and ``X = |g|^2 (a^2 + (1 - a^2) share)``. Hence

    E (X/|g|^2)^p = 2^-d sum_{n=0..d} C(d,n) 2F1(-p, (d-n)/2; d/2; 1 - a^2),

where n = 0 gives ``a^(2p)``. With dropout this is the moment given the number of live units.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from flint import arb, arb_series, ctx

from fracmoment.certified.laws.law import Law, ball
from fracmoment.certified.laws.mixture import binomial_power, chi_moment
from fracmoment.certified.precision import working_precision

__all__ = ["beta_moment", "beta_ratio_moment", "serves"]

# Largest number of hypergeometric functions for which the sum is faster than an integral, which
# loses more at high precision.
_MOST, _MOST_PRECISE, _PRECISE = 128, 1024, 1000


def serves(law: Law) -> bool:
    """Return whether the sum is the method of choice: narrow leaky layers."""
    if not law.has_slopes or law.uniform or law.width < 2:
        return False
    count = law.width * (law.width + 1) // 2 if law.has_atom else law.width
    return count <= (_MOST_PRECISE if ctx.prec > _PRECISE else _MOST)


def beta_moment(law: Law, p: arb) -> arb:
    """Return ``E[X^p; X > 0]``, p > -1/2 if units may be dead."""
    widths = range(1, law.width + 1) if law.has_atom else (law.width,)
    total, live = arb(0), 1 - law.dead
    for n in widths:
        chi = chi_moment(n, arb_series([p], prec=1))[0]
        weight = binomial_power(law.width, n, live, law.dead)
        total += weight * chi * beta_ratio_moment(law.lower, n, p)
    return total


def beta_ratio_moment(slope: Any, width: int, p: arb) -> arb:
    """Return ``E (X/|g|^2)^p`` of a leaky layer without dead units."""
    # 1 - a^2 needs the bits of a^2, above all next to 1.
    lost = 2 * max(0, -_exponent(slope))
    with working_precision(ctx.prec + lost):
        square = ball(slope) ** 2
        gap = ball(1 - slope**2) if isinstance(slope, Fraction) else 1 - square
        total = square**p
        for n in range(1, width + 1):
            value = gap.hypgeom_2f1(-p, arb(width - n) / 2, arb(width) / 2)
            total += value * arb.bin_uiui(width, n)
        return total / arb(2) ** width


def _exponent(slope: Any) -> int:
    """Return about the binary logarithm of a slope, 0 for a ball around 0."""
    if isinstance(slope, Fraction):
        return slope.numerator.bit_length() - slope.denominator.bit_length()
    size = abs(slope).mid()
    return int(float(size.log().mid()) * 1.4427) if size > 0 else 0
