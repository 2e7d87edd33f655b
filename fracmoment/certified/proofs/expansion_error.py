"""What the second-order expansion of the squared scale leaves out, for one and all large widths.

With ``y = eta^2`` and ``m = (1 + a^2)/2`` the squared scale is

    sigma_s^2 = (1/(d m)) (1 + (1 - p)(2 + 3 y)/(2 d) + r),    p = s/2,

``v/m^2 = 2 + 3 y``. The functions return ``d^2 r`` in a form without its first-order part, which
would cancel: with S = 1 - w from `normalized` and ``G = |g|^2/d``,

    u = -F/p = (1 - p)(2 + 3 y)/(2 d) + rest,    r = rest + exp(u) - 1 - u,
    rest = (-log E G^p)/p - (1 - p)/d - 3 y (1 - p)/(d (d + 2)) + (- excess - log(1 - w) - w)/p,

``excess`` the terms of S from k = 2 on.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from math import comb, factorial
from typing import TYPE_CHECKING

from flint import arb, arb_series, ctx

from fracmoment.certified.laws import ball
from fracmoment.certified.proofs.normalized import direction_moment, eta_of

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["scaled_error", "scaled_error_wide"]


def scaled_error(width: int, order: arb_series, slope: arb) -> arb_series:
    """Return the series of ``d^2 r`` in the order.

    Examples
    --------
    >>> error = scaled_error(1, arb_series([1, 1]), arb(1))[0]
    >>> bool(abs(error - (arb.pi() / 2 - arb(3) / 2)) < 1e-13)
    True
    """
    p, eta = order / 2, eta_of(slope)
    square, d = eta * eta, width
    half, one = arb(d) / 2, 1 - p
    gamma = half.lgamma() - (p + half).lgamma() + p * half.log()
    rest = gamma / p - one / d - one * (3 * square / (d * (d + 2)))
    if not bool(eta == 0):
        excess = direction_moment(d, p, eta, first=2)
        w = p * one * (3 * square / (2 * (d + 2))) - excess
        rest = rest + (_beyond_logarithm(w) - excess) / p
    u = one * ((2 + 3 * square) / (2 * d)) + rest
    return (rest + _beyond_exponential(u)) * (d * d)


def _beyond_logarithm(w: arb_series) -> arb_series:
    """Return ``-log(1 - w) - w``."""
    if not bool(abs(w[0]) < 1):
        return arb_series([arb.nan()] * ctx.cap)
    constant = _convex(lambda x: -(-x).log1p() - x, w[0])
    return (w.derivative() * w / (1 - w)).integral() + constant


def _beyond_exponential(u: arb_series) -> arb_series:
    """Return ``exp(u) - 1 - u``."""
    constant = _convex(lambda x: x.expm1() - x, u[0])
    slope = arb_series([u[0].expm1(), *(u.exp().coeffs()[1:])])
    return (slope * u.derivative()).integral() + constant


def _convex(function: Callable[[arb], arb], ball: arb) -> arb:
    """Return the range over a ball of a convex function whose minimum is 0, at 0."""
    if not ball.is_finite():
        return arb.nan()
    ends = function(ball.lower()).union(function(ball.upper()))
    return ends.union(arb(0)) if ball.contains(0) else ends


# ---------------------------------------------------------------- all large widths at once


def scaled_error_wide(order: arb, slope: arb, inverse_width: arb) -> arb:
    """Return ``d^2 r`` for orders in (0, 16) and every width d with 1/d in a ball.

    Stirling's series with its first omitted term as bound gives E G^p, exact rational functions of
    d give E T^(2k) for k <= 4, and ``sum_(n >= 8) |binomial(p, n)| = 8 |binomial(p, 8)|/p`` the
    rest. See docs/algorithms/proofs.md.

    Examples
    --------
    >>> wide = scaled_error_wide(arb(1), arb(1), 1 / arb(300))
    >>> narrow = scaled_error(300, arb_series([1, 1]), arb(1))[0]
    >>> wide.overlaps(narrow), float(wide.rad()) < 0.01
    (True, True)
    """
    p, eta, h = order / 2, eta_of(slope), inverse_width
    square, one = eta * eta, 1 - p
    unit = arb(0).union(arb(1))
    gamma = p * p * 2 / 3 - p + 1 / (3 * (1 + 2 * p * h))
    gamma += h * (unit * (2 * p**3) + unit * (4 * p * p / 3) * (1 - 2 * p))
    gamma += h * (2 * unit - 1) / (45 * p)
    # (excess/h^2)/p, and w/h.
    excess = _binomial_over_p(p, 4) * square**2 * _even_moment(2, h)
    excess += _binomial_over_p(p, 6) * square**3 * _even_moment(3, h) * h
    tail = 8 * abs(_binomial_over_p(p, 8)) / p * square**4 * _even_moment(4, h) * h * h
    excess += (2 * unit - 1) * tail
    w = p * one * 3 * square / (2 * (1 + 2 * h)) - h * p * excess
    size = abs(w * h).upper()
    if not bool(size < 1):
        return arb.nan()
    # (-log(1 - x) - x)/x^2 is in 1/2 + [-1, 1] |x|/(3 (1 - |x|)).
    logarithm = w * w / p * (arb("0.5") + (2 * unit - 1) * size / (3 * (1 - size)))
    rest = gamma - 3 * square * one / (1 + 2 * h) + logarithm - excess
    u = one * (2 + 3 * square) / 2 + h * rest
    exponential = u * u / 2 * (unit * (u * h)).exp()
    return rest + exponential


def _binomial_over_p(p: arb, n: int) -> arb:
    """Return ``binomial(p, n)/p``."""
    product = arb(1)
    for i in range(1, n):
        product = product * (p - i)
    return product / factorial(n)


def _even_moment(k: int, h: arb) -> arb:
    """Return ``d^k E T^(2k)``, 1/d = h, from ``E T^(2k) = E(sum e_i z_i^2)^(2k)/(d(d+2)...)``."""
    value = arb(0)
    for j, coefficient in enumerate(_moment_polynomial(k)):
        value = value + ball(coefficient) * h ** (k - j)
    for i in range(1, 2 * k):
        value = value / (1 + 2 * i * h)
    return value


@lru_cache
def _moment_polynomial(k: int) -> tuple[Fraction, ...]:
    """Return the coefficients of ``E(sum_i e_i z_i^2)^(2k)`` as a polynomial in d, of degree k.

    Examples
    --------
    >>> [int(c) for c in _moment_polynomial(2)]
    [0, 78, 27]
    """
    unit = [Fraction(comb(4 * m, 2 * m), 4**m) for m in range(k + 1)]
    logarithm = [Fraction(0)] * (k + 1)  # log g: n g_n = sum_j j l_j g_(n-j)
    for n in range(1, k + 1):
        known = sum((j * logarithm[j] * unit[n - j] for j in range(1, n)), Fraction(0))
        logarithm[n] = unit[n] - known / n
    powers = [[Fraction(1)]]  # g^d: n c_n = d sum_j j l_j c_(n-j)
    for n in range(1, k + 1):
        row = [Fraction(0)] * (n + 1)
        for j in range(1, n + 1):
            for degree, value in enumerate(powers[n - j]):
                row[degree + 1] += j * logarithm[j] * value / n
        powers.append(row)
    return tuple(value * factorial(2 * k) for value in powers[k])
