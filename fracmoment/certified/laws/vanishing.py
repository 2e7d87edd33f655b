"""The far end of the Laplace integral where slopes come as close to 0 as one likes.

For a uniform slope on ``[l, u]`` with ``l <= 0 < u`` the transform carries a logarithm: with
``y = sqrt(2 t)`` and ``v = log t``

    y E (1 + 2 b t)^(-1/2) = alpha + beta v + rho,    |rho| <= C/t,

by ``0 <= asinh(x) - log(2x) <= 1/(4 x^2)`` and ``0 <= 1 - (1 + 1/(2t))^(-1/2) <= 1/(4t)``. Next to
the edge ``p = -d/2`` the integral of ``t^-p`` times its d-th power decays slowly, but without rho
it is elementary.
"""

from __future__ import annotations

import math

from flint import arb, arb_series, ctx

from fracmoment.certified.laws.law import Law, ball

__all__ = ["far_part", "far_start"]


def far_start(law: Law) -> arb:
    """Return ``v = log t`` from which on rho is below the precision."""
    smallest = min(law.upper, -law.lower) if law.lower < 0 else law.upper
    return arb(0.7 * ctx.prec + 2 * math.log(law.width + 1) + 10) - 2 * ball(smallest).log()


def far_part(law: Law, p: arb_series, start: arb) -> arb_series:
    """Return ``int exp(-p v) E[exp(-t X)] dv`` from ``v = start`` on, where ``alpha+beta v > 0``.

    ``int exp(-k v) (alpha + beta v)^d dv = exp(-k start) sum_j d!/(d-j)! a^(d-j) beta^j/k^(j+1)``
    with ``k = d/2 + p`` and ``a = alpha + beta start``; every term is positive.
    """
    d, share = law.width, ball(law.slope / (law.upper - law.lower))
    two, high = arb.const_log2(), ball(law.upper)
    if law.lower < 0:
        beta, inner = share, 3 * two + (high * ball(-law.lower)).log()
        squares = high**-2 + ball(law.lower) ** -2
    else:
        beta, inner = share / 2, 3 * two / 2 + high.log()
        squares = high**-2
    first = ball(law.one) + share * inner + beta * start
    if not first > 0:
        return p * 0 + arb.nan()
    rho = (ball(law.one) / 4 + share * squares / 8) * (-start).exp()
    error = d * (rho / first) * (d * (rho / first)).exp()
    rate = p + arb(d) / 2
    total, factor = p * 0, first**d
    inverse = 1 / rate
    power = inverse
    for j in range(d + 1):
        total = total + power * factor
        power = power * inverse
        factor = factor * beta * (d - j) / first
    whole = (-rate * start).exp() * total * arb(2) ** (arb(-d) / 2)
    return whole * (1 + arb(0, error.upper()))
